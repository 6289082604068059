"""Our decode loop against transformers' own, and against itself taken apart: batches, streams, switches, scopes."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.engine.tiny_engine import QUARTERS, TinyEngine, tiny_engine
from tests.engine.tiny_models import FAMILIES

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.run import Run, RunRequest, Sampling
from gazeviz.domain.steering import SCOPES, Scope, Steering
from gazeviz.domain.steering import Schedule as Targets
from gazeviz.engine.picking import Speller
from gazeviz.errors import Cancelled, UserError

PROMPT = "tell me what is here"
HEADS = HeadSet.of("L0H1,L0H4,L1H0,L2H5")
N = 8


@pytest.fixture(params=FAMILIES)
def engine(request: pytest.FixtureRequest) -> TinyEngine:
    """One engine per kind of attention."""
    return tiny_engine(request.param)


@pytest.fixture
def qwen() -> TinyEngine:
    """An engine whose answers vary from token to token."""
    return tiny_engine("qwen3_vl")


def steering(scope: Scope = "all_rows", strength: float = 8.0, quarter: int = 3) -> Steering:
    """Four heads pointed at a quarter of the picture."""
    return Steering(HEADS, QUARTERS[quarter], scope=scope, strength=strength)


def assert_same(run: Run, other: Run, tolerance: float = 0.0) -> None:
    """Same tokens, texts and end; logprobs and rows equal to the last bit unless a tolerance is given."""
    assert run.token_ids == other.token_ids
    assert (run.text, run.finish) == (other.text, other.finish)
    logprobs, others = ([step.logprob for step in one.tokens] for one in (run, other))
    np.testing.assert_allclose(logprobs, others, rtol=0, atol=tolerance)
    if len(run.tracked):
        np.testing.assert_allclose(run.rows_THP, other.rows_THP, rtol=0, atol=tolerance)
        np.testing.assert_allclose(run.value_norms_HP, other.value_norms_HP, rtol=0, atol=10 * tolerance)


def assert_idle(engine: TinyEngine) -> None:
    """Nothing of a run is left on the model."""
    hook = engine.loaded.hook
    assert (hook.past_tok, hook.capture, hook.steer, hook.capture_values) == (0, None, None, None)
    assert not hook.take_rows() and not hook.take_value_norms() and hook.take_account() is None


@torch.no_grad()
def oracle(engine: TinyEngine, picture: int, prompt: str, **options: object) -> tuple[list[int], list[float]]:
    """Tokens of transformers' generate(), and their logprobs before temperature and top-p."""
    inputs = engine.prepare(picture, prompt)
    out = engine.model.generate(
        **inputs, max_new_tokens=N, output_logits=True, return_dict_in_generate=True, **options
    )
    tokens = out.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    logprobs = [logits[0].float().log_softmax(-1)[token].item() for logits, token in zip(out.logits, tokens, strict=True)]
    return tokens, logprobs


class TestAgainstGenerate:
    def test_greedy(self, engine: TinyEngine) -> None:
        for picture in range(3):
            tokens, logprobs = oracle(engine, picture, PROMPT, do_sample=False)
            run = engine.generate(picture, PROMPT, max_new_tokens=N)
            assert list(run.token_ids) == tokens
            np.testing.assert_allclose([step.logprob for step in run.tokens], logprobs, atol=1e-5)

    def test_sampled_with_the_same_seed(self, engine: TinyEngine) -> None:
        for seed in range(3):
            torch.manual_seed(seed)
            tokens, logprobs = oracle(engine, 1, PROMPT, do_sample=True, temperature=3.0, top_p=0.9, top_k=0)
            sampling = Sampling(temperature=3.0, top_p=0.9, seed=seed)
            run = engine.generate(1, PROMPT, max_new_tokens=N, sampling=sampling)
            assert list(run.token_ids) == tokens
            np.testing.assert_allclose([step.logprob for step in run.tokens], logprobs, atol=1e-5)

    def test_seeds_differ_and_leave_the_global_numbers_alone(self, qwen: TinyEngine) -> None:
        torch.manual_seed(0)
        expected = torch.rand(3)
        torch.manual_seed(0)
        runs = [
            qwen.generate(1, PROMPT, max_new_tokens=N, sampling=Sampling(temperature=3.0, seed=seed))
            for seed in range(2)
        ]
        assert runs[0].token_ids != runs[1].token_ids
        assert torch.equal(torch.rand(3), expected)

    def test_stops_at_the_models_own_end(self, qwen: TinyEngine) -> None:
        free = qwen.generate(0, PROMPT, max_new_tokens=N)
        end = free.token_ids[3]
        qwen.model.generation_config.eos_token_id = [2, end]
        run = qwen.generate(0, PROMPT, max_new_tokens=N)
        assert run.token_ids == free.token_ids[: free.token_ids.index(end) + 1]
        assert (run.finish, free.finish) == ("stop", "length")
        assert list(run.token_ids) == oracle(qwen, 0, PROMPT, do_sample=False)[0]


class TestPrefix:
    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("scope", [None, *SCOPES])
    def test_equals_the_pass_in_one_piece(self, family: str, scope: Scope | None) -> None:
        wish = scope and steering(scope, strength=1.0)
        in_two, whole = (
            tiny_engine(family, shares).generate(2, PROMPT, steering=wish, max_new_tokens=N, track=HEADS)
            for shares in (True, False)
        )
        assert_same(in_two, whole, tolerance=2e-5)
        assert (in_two.audit is None) == (scope is None)
        if in_two.audit and whole.audit:
            assert in_two.audit.n_rows == whole.audit.n_rows
            np.testing.assert_allclose(in_two.audit.ledger.after_G, whole.audit.ledger.after_G, atol=1e-5)

    def test_kept_prefix_gives_the_same_bits(self, engine: TinyEngine) -> None:
        first = engine.generate(2, PROMPT, max_new_tokens=N, track=HEADS)
        other = engine.generate(2, "another question", max_new_tokens=N, track=HEADS)
        again = engine.generate(2, PROMPT, max_new_tokens=N, track=HEADS)
        assert_same(first, again)
        engine.release_memory()
        assert_same(other, engine.generate(2, "another question", max_new_tokens=N, track=HEADS))

    def test_one_picture_pass_serves_every_target_after_the_image(self, qwen: TinyEngine) -> None:
        with counted(qwen) as pictures:
            for scope in ("after_image", "decode_only"):
                for quarter in range(4):
                    qwen.generate(2, PROMPT, steering=steering(scope, quarter=quarter), max_new_tokens=2)
            qwen.generate(2, "an unsteered question", max_new_tokens=2)
        assert len(pictures) == 1

    def test_steering_every_row_reads_the_picture_anew(self, qwen: TinyEngine) -> None:
        with counted(qwen) as pictures:
            for quarter in range(2):
                qwen.generate(2, PROMPT, steering=steering(quarter=quarter), max_new_tokens=2)
        assert len(pictures) == 2

    def test_another_picture_is_another_prefix(self, qwen: TinyEngine) -> None:
        runs = [qwen.generate(picture, PROMPT, max_new_tokens=N) for picture in (0, 1, 2, 0, 1, 2)]
        for one, again in zip(runs[:3], runs[3:], strict=True):
            assert_same(one, again)
        assert len({run.token_ids for run in runs}) == 3


@contextmanager
def counted(engine: TinyEngine) -> Iterator[list[int]]:
    """Counts the passes of the vision tower."""
    calls: list[int] = []
    handle = engine.model.model.visual.register_forward_hook(lambda *_: calls.append(1))
    try:
        yield calls
    finally:
        handle.remove()


class TestScopes:
    @pytest.mark.parametrize("scope", SCOPES)
    def test_bias_zero_is_the_unsteered_run(self, engine: TinyEngine, scope: Scope) -> None:
        plain = engine.generate(2, PROMPT, max_new_tokens=N, track=HEADS)
        neutral = engine.generate(2, PROMPT, steering=steering(scope, strength=0.0), max_new_tokens=N)
        assert_same(plain, neutral)
        assert neutral.audit is not None
        assert neutral.audit.n_rows == 0
        assert neutral.audit.mass_before == neutral.audit.mass_after

    def test_rows_that_each_scope_biases(self, qwen: TinyEngine) -> None:
        """Rows from 5 on see the image; 21 is the first behind it; the last token is never read."""
        n_prompt = len(qwen.prepare(2, PROMPT)["input_ids"][0])
        expected = {"all_rows": n_prompt - 5, "after_image": n_prompt - 21, "decode_only": 0}
        for scope in SCOPES:
            run = qwen.generate(2, PROMPT, steering=steering(scope), max_new_tokens=N)
            assert run.audit is not None
            assert run.audit.n_rows == expected[scope] + N - 1

    def test_scopes_are_different_interventions(self, qwen: TinyEngine) -> None:
        plain = qwen.generate(2, PROMPT, max_new_tokens=N)
        runs = {s: qwen.generate(2, PROMPT, steering=steering(s), max_new_tokens=N) for s in SCOPES}
        firsts = {scope: run.tokens[0].logprob for scope, run in runs.items()}
        assert firsts["decode_only"] == plain.tokens[0].logprob
        assert len(set(firsts.values())) == 3

    def test_audit_agrees_with_the_recorded_rows(self, engine: TinyEngine) -> None:
        run = engine.generate(2, PROMPT, steering=steering("decode_only", strength=1.0), max_new_tokens=N)
        masses_TR = run.trajectory(QUARTERS).masses_TR
        assert run.audit is not None
        # The first token comes from the prompt's last row, which this scope leaves alone.
        np.testing.assert_allclose(run.audit.mass_after, masses_TR[1:, 3].mean(), atol=1e-5)
        assert run.audit.mass_after > run.audit.mass_before
        assert run.audit.n_heads == len(HEADS)
        assert run.audit.n_target_tok == 4
        np.testing.assert_allclose(run.audit.ledger.gained_G.sum(), 0, atol=1e-6)

    def test_one_token_of_a_decode_only_run_has_no_row_to_audit(self, qwen: TinyEngine) -> None:
        assert qwen.generate(2, PROMPT, steering=steering("decode_only"), max_new_tokens=1).audit is None


class TestTargetsThatMove:
    def test_the_very_next_row_looks_at_the_new_target(self, qwen: TinyEngine) -> None:
        stream = qwen.stream(2, PROMPT, steering=replace(steering(), strength="hard"), max_new_tokens=6)
        masses = []
        for step in stream:
            if step.index == 2:
                stream.retarget(QUARTERS[0])
            masses.append(stream.run().trajectory(QUARTERS).masses_TR[-1])
        looked_at = np.argmax(masses, axis=1).tolist()
        assert looked_at == [3, 3, 3, 0, 0, 0]
        np.testing.assert_allclose(np.max(masses, axis=1), 1, atol=1e-5)
        run = stream.run()
        assert run.switches == ((3, "top left"),)
        assert [step.target for step in run.tokens] == ["bottom right"] * 3 + ["top left"] * 3

    @pytest.mark.parametrize("scope", SCOPES)
    def test_schedule_equals_moving_by_hand(self, engine: TinyEngine, scope: Scope) -> None:
        turns = (QUARTERS[1], QUARTERS[0], QUARTERS[2])
        scheduled = engine.generate(
            2, PROMPT, steering=replace(steering(scope), schedule=Targets.every(3, turns)), max_new_tokens=N
        )
        stream = engine.stream(2, PROMPT, steering=steering(scope, quarter=1), max_new_tokens=N)
        for step in stream:
            if step.index in (2, 5):
                stream.retarget(turns[(step.index + 1) // 3])
        by_hand = stream.run()
        assert_same(scheduled, by_hand)
        assert scheduled.switches == by_hand.switches == ((3, "top left"), (6, "bottom left"))
        assert scheduled.audit is not None and by_hand.audit is not None
        assert scheduled.audit.to_json() == by_hand.audit.to_json()

    def test_a_run_moved_by_hand_repeats_from_its_request(self, qwen: TinyEngine) -> None:
        stream = qwen.stream(2, PROMPT, steering=steering(), max_new_tokens=N)
        for step in stream:
            if step.index == 1:
                stream.retarget(QUARTERS[1])
                stream.retarget(QUARTERS[0])
        by_hand = stream.run()
        request = RunRequest.from_json(by_hand.request.to_json())
        assert_same(by_hand, qwen.generate(2, request.prompt, steering=request.steering, max_new_tokens=N))
        assert dict(request.target_tokens)["top left"] == (0, 1, 4, 5)

    def test_a_hand_wins_until_the_schedule_switches_again(self, qwen: TinyEngine) -> None:
        wish = replace(steering(), schedule=Targets(((2, QUARTERS[1]), (5, QUARTERS[2]))))
        stream = qwen.stream(2, PROMPT, steering=wish, max_new_tokens=7)
        for step in stream:
            if step.index == 2:
                stream.retarget(QUARTERS[0])
        targets = [step.target for step in stream.run().tokens]
        assert targets == ["bottom right"] * 2 + ["top right"] + ["top left"] * 2 + ["bottom left"] * 2

    def test_heads_let_go_look_as_they_like(self, qwen: TinyEngine) -> None:
        stream = qwen.stream(2, PROMPT, steering=replace(steering(), strength="hard"), max_new_tokens=4)
        next(stream)
        stream.retarget(None)
        rest = list(stream)
        run = stream.run()
        assert [step.target for step in rest] == [None] * 3
        assert run.switches == ((1, ""),)
        assert run.trajectory([QUARTERS[3]]).masses_TR[1:].max() < 0.99
        stream = qwen.stream(2, PROMPT, steering=steering(), max_new_tokens=4)
        next(stream)
        stream.retarget(None)
        stream.retarget(QUARTERS[0])
        assert [step.target for step in stream] == ["top left"] * 3

    def test_refusals(self, qwen: TinyEngine) -> None:
        with pytest.raises(UserError, match="not steered"):
            qwen.stream(2, PROMPT).retarget(QUARTERS[0])
        dot = type(QUARTERS[0]).box("dot", (0, 0, 1, 1), size_px=(32, 32))
        with pytest.raises(UserError, match="no cell"):
            qwen.stream(2, PROMPT, steering=steering()).retarget(dot)
        with pytest.raises(UserError, match="no cell"):
            qwen.stream(2, PROMPT, steering=replace(steering(), schedule=Targets(((4, dot),))))


class TestStreams:
    def test_cancel_between_tokens(self, qwen: TinyEngine) -> None:
        stream = qwen.stream(2, PROMPT, max_new_tokens=N)
        whole = qwen.generate(2, PROMPT, max_new_tokens=N)
        for step in stream:
            if step.index == 2:
                stream.cancel()
        run = stream.run()
        assert run.finish == "cancelled"
        assert run.token_ids == whole.token_ids[:3]
        assert list(stream) == []

    def test_cancel_from_another_thread(self, qwen: TinyEngine) -> None:
        stream = qwen.stream(2, PROMPT, max_new_tokens=200)
        seen = [next(stream)]
        thread = threading.Thread(target=stream.cancel)
        thread.start()
        thread.join()
        seen += list(stream)
        assert len(seen) == 1
        assert stream.run().finish == "cancelled"

    def test_cancel_before_the_first_token(self, qwen: TinyEngine) -> None:
        with qwen.stream(2, PROMPT, steering=steering()) as stream:
            pass
        assert list(stream) == []
        run = stream.run()
        assert (run.text, run.tokens, run.finish, run.audit) == ("", (), "cancelled", None)

    def test_cancel_after_the_end_changes_nothing(self, qwen: TinyEngine) -> None:
        stream = qwen.stream(2, PROMPT, max_new_tokens=2)
        assert len(list(stream)) == 2
        stream.cancel()
        assert list(stream) == []
        assert stream.run().finish == "length"

    def test_streams_take_turns(self, engine: TinyEngine) -> None:
        alone = [
            engine.generate(2, PROMPT, max_new_tokens=N, track=HEADS),
            engine.generate(2, PROMPT, steering=steering(), max_new_tokens=N),
        ]
        streams = [
            engine.stream(2, PROMPT, max_new_tokens=N, track=HEADS),
            engine.stream(2, PROMPT, steering=steering(), max_new_tokens=N),
        ]
        for _ in zip(*streams, strict=True):
            assert_idle(engine)
        for stream, run in zip(streams, alone, strict=True):
            assert_same(stream.run(), run)

    def test_threads_take_turns(self, qwen: TinyEngine) -> None:
        wishes = [steering(quarter=quarter) for quarter in range(4)]
        alone = [qwen.generate(2, PROMPT, steering=wish, max_new_tokens=N) for wish in wishes]
        runs: dict[int, Run] = {}

        def write(quarter: int) -> None:
            runs[quarter] = qwen.generate(2, PROMPT, steering=wishes[quarter], max_new_tokens=N)

        threads = [threading.Thread(target=write, args=(quarter,)) for quarter in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for quarter, run in enumerate(alone):
            assert_same(runs[quarter], run)

    def test_an_error_leaves_the_model_clean(self, qwen: TinyEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        expected = qwen.generate(2, PROMPT, steering=steering(), max_new_tokens=N)
        stream = qwen.stream(2, PROMPT, steering=steering(), max_new_tokens=N)
        next(stream)
        with monkeypatch.context() as broken:

            def fail(*_: object, **__: object) -> None:
                raise RuntimeError("out of luck")

            broken.setattr(qwen.model.lm_head, "forward", fail)
            with pytest.raises(RuntimeError, match="out of luck"):
                next(stream)
        assert_idle(qwen)
        assert list(stream) == []
        assert stream.run().token_ids == expected.token_ids[:1]
        assert_same(expected, qwen.generate(2, PROMPT, steering=steering(), max_new_tokens=N))

    def test_a_forgotten_stream_leaves_the_model_clean(self, qwen: TinyEngine) -> None:
        expected = qwen.generate(2, PROMPT, max_new_tokens=N)
        next(qwen.stream(2, PROMPT, steering=steering()))
        gc.collect()
        assert_idle(qwen)
        assert_same(expected, qwen.generate(2, PROMPT, max_new_tokens=N))

    def test_a_pass_inside_a_pass_is_refused(self, qwen: TinyEngine) -> None:
        handle = qwen.model.lm_head.register_forward_hook(lambda *_: qwen.generate(1, PROMPT))
        try:
            with pytest.raises(UserError, match="in the middle"):
                qwen.generate(2, PROMPT)
        finally:
            handle.remove()
        assert qwen.generate(2, PROMPT, max_new_tokens=1).finish == "length"


class TestManyAtOnce:
    def test_equals_one_by_one(self, engine: TinyEngine) -> None:
        pictures = [0, 1, 1, 2, 0, 1, 2]
        prompts = [PROMPT, PROMPT, "what is here", PROMPT, PROMPT, PROMPT, "what is here"]
        moving = replace(steering(quarter=0), schedule=Targets(((4, QUARTERS[2]),)))
        wishes = [None, steering(quarter=0), None, steering(quarter=2), moving, steering("after_image"), None]
        many = engine.generate_many(pictures, prompts, wishes, max_new_tokens=N, track=HEADS)
        for picture, prompt, wish, run in zip(pictures, prompts, wishes, many, strict=True):
            alone = engine.generate(picture, prompt, steering=wish, max_new_tokens=N, track=HEADS)
            assert_same(run, alone, tolerance=2e-5)
            assert run.switches == alone.switches
            assert (run.audit is None) == (alone.audit is None)
            if run.audit and alone.audit:
                assert run.audit.n_rows == alone.audit.n_rows
                np.testing.assert_allclose(run.audit.ledger.after_G, alone.audit.ledger.after_G, atol=1e-5)

    def test_answers_of_different_lengths(self, qwen: TinyEngine) -> None:
        pictures = list(range(6))
        free = qwen.generate_many(pictures, PROMPT, steering(), max_new_tokens=N)
        ends = [free[0].token_ids[1], free[1].token_ids[4], free[2].token_ids[5]]
        qwen.model.generation_config.eos_token_id = ends
        many = qwen.generate_many(pictures, PROMPT, steering(), max_new_tokens=N)
        assert len({len(run.tokens) for run in many}) >= 3
        for picture, run in zip(pictures, many, strict=True):
            assert_same(run, qwen.generate(picture, PROMPT, steering=steering(), max_new_tokens=N, track=HeadSet(())), 2e-5)

    def test_pictures_are_read_once_and_together(self, qwen: TinyEngine) -> None:
        with counted(qwen) as pictures:
            qwen.generate_many([1, 2, 1, 2, 1], PROMPT, max_new_tokens=2)
        assert len(pictures) == 1

    def test_progress_and_cancel(self, qwen: TinyEngine) -> None:
        told: list[tuple[int, int]] = []
        prompts = [PROMPT, "what is here", PROMPT]
        qwen.generate_many([0, 0, 1], prompts, max_new_tokens=2, progress=lambda *part: told.append(part))
        assert told == [(2, 3), (3, 3)]
        asked: list[int] = []

        def after_three() -> bool:
            asked.append(1)
            return len(asked) > 3

        with pytest.raises(Cancelled):
            qwen.generate_many([0, 1], PROMPT, max_new_tokens=N, cancelled=after_three)
        assert len(asked) == 4
        assert_idle(qwen)

    def test_nothing_asked_nothing_answered(self, qwen: TinyEngine) -> None:
        assert qwen.generate_many([], PROMPT) == []
        with pytest.raises(ValueError, match="2 images"):
            qwen.generate_many([0, 1], [PROMPT])


class TestReading:
    @pytest.mark.parametrize("scope", [None, *SCOPES])
    def test_equals_generating_the_same_tokens(self, engine: TinyEngine, scope: Scope | None) -> None:
        wish = scope and steering(scope, strength=1.0)
        run = engine.generate(2, PROMPT, steering=wish, max_new_tokens=N, track=HEADS)
        reading = engine.read(2, PROMPT, run.text, steering=wish, track=HEADS)
        assert reading.token_ids == run.token_ids
        np.testing.assert_allclose(reading.logprobs_T, [step.logprob for step in run.tokens], atol=2e-5)
        assert reading.rows_THP is not None
        np.testing.assert_allclose(reading.rows_THP, run.rows_THP, atol=1e-5)
        np.testing.assert_allclose(
            reading.trajectory(QUARTERS).masses_TR, run.trajectory(QUARTERS).masses_TR, atol=1e-5
        )
        assert reading.logprob == pytest.approx(sum(step.logprob for step in run.tokens), abs=1e-4)

    def test_refusals(self, qwen: TinyEngine) -> None:
        with pytest.raises(UserError, match="no text"):
            qwen.read(2, PROMPT, "")
        with pytest.raises(UserError, match="No head was tracked"):
            qwen.read(2, PROMPT, "w5").trajectory(QUARTERS)


class Syllables:
    """Decodes bytes as UTF-8, as byte-level tokenizers do."""

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool) -> str:
        """The bytes as text."""
        return bytes(token_ids).decode("utf-8", errors="replace")


class TestSpelling:
    def test_a_character_appears_when_it_is_complete(self) -> None:
        data = "né 🙂!".encode()
        speller = Speller(Syllables())
        parts = [speller.add(byte, last=False) for byte in data]
        assert parts == ["n", "", "é", " ", "", "", "", "🙂", "!"]
        assert "".join(parts) == speller.text == "né 🙂!"

    def test_the_last_token_waits_for_nothing(self) -> None:
        speller = Speller(Syllables())
        speller.add(ord("a"), last=False)
        assert speller.add("é".encode()[0], last=True) == "\ufffd"
        assert speller.text == "a\ufffd"

    def test_steps_join_to_the_text(self, engine: TinyEngine) -> None:
        run = engine.generate(1, PROMPT, max_new_tokens=N)
        assert "".join(step.text for step in run.tokens) == run.text != ""
