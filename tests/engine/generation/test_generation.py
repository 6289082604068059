"""Our decode loop against transformers' own; the scopes, targets that move, streams and their ends."""

import gc
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from gazeviz.domain.run import Run, RunRequest, Sampling
from gazeviz.domain.steering import SCOPES, Scope
from gazeviz.domain.steering import Schedule as Targets
from gazeviz.errors import UserError
from gazeviz.imaging import Picture
from tests.engine.fixtures.tiny_engine import (
    HEADS,
    PICTURES,
    PROMPT,
    QUARTERS,
    N,
    TinyEngine,
    assert_idle,
    assert_same,
    steering,
)


@torch.no_grad()
def oracle(
    engine: TinyEngine, picture: Picture, prompt: str, **options: object
) -> tuple[list[int], list[float]]:
    """Tokens of transformers' generate(), and their logprobs before temperature and top-p."""
    inputs = engine.prepare(picture, prompt)
    out = engine.model.generate(
        **inputs, max_new_tokens=N, output_logits=True, return_dict_in_generate=True, **options
    )
    tokens = out.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    logprobs_TV = torch.cat(out.logits).float().log_softmax(-1)
    return tokens, logprobs_TV[range(len(tokens)), tokens].tolist()


class TestAgainstGenerate:
    def test_greedy(self, engine: TinyEngine) -> None:
        for picture in PICTURES[:3]:
            tokens, logprobs = oracle(engine, picture, PROMPT, do_sample=False)
            run = engine.generate(picture, PROMPT, max_new_tokens=N)
            assert list(run.token_ids) == tokens
            np.testing.assert_allclose([step.logprob for step in run.tokens], logprobs, atol=1e-5)

    def test_sampled_with_the_same_seed(self, engine: TinyEngine) -> None:
        for seed in range(3):
            torch.manual_seed(seed)
            tokens, logprobs = oracle(
                engine, PICTURES[1], PROMPT, do_sample=True, temperature=3.0, top_p=0.9, top_k=0
            )
            sampling = Sampling(temperature=3.0, top_p=0.9, seed=seed)
            run = engine.generate(PICTURES[1], PROMPT, max_new_tokens=N, sampling=sampling)
            assert list(run.token_ids) == tokens
            np.testing.assert_allclose([step.logprob for step in run.tokens], logprobs, atol=1e-5)

    @pytest.mark.parametrize("penalty, ngram_tok", [(1.5, 0), (0.7, 0), (1.0, 2), (1.3, 3)])
    @pytest.mark.parametrize("drawn", [False, True])
    def test_repetition_held_back(
        self, engine: TinyEngine, penalty: float, ngram_tok: int, drawn: bool
    ) -> None:
        how = (
            {"do_sample": True, "temperature": 3.0, "top_p": 0.9, "top_k": 0}
            if drawn
            else {"do_sample": False}
        )
        torch.manual_seed(4)
        tokens, logprobs = oracle(
            engine, PICTURES[1], PROMPT, repetition_penalty=penalty, no_repeat_ngram_size=ngram_tok, **how
        )
        way = Sampling(3.0 if drawn else 0.0, 0.9, 4, penalty, ngram_tok)
        run = engine.generate(PICTURES[1], PROMPT, max_new_tokens=N, sampling=way)
        assert list(run.token_ids) == tokens
        np.testing.assert_allclose([step.logprob for step in run.tokens], logprobs, atol=1e-5)

    def test_holding_back_changes_a_looping_answer(self, qwen: TinyEngine) -> None:
        free = qwen.generate(PICTURES[0], PROMPT, max_new_tokens=N)
        held = qwen.generate(PICTURES[0], PROMPT, max_new_tokens=N, sampling=Sampling(no_repeat_ngram_tok=1))
        assert len(set(held.token_ids)) == len(held.token_ids)
        assert held.token_ids != free.token_ids

    def test_each_answer_of_a_batch_has_its_own_past(self, qwen: TinyEngine) -> None:
        way = Sampling(repetition_penalty=1.4, no_repeat_ngram_tok=2)
        prompts = [PROMPT, PROMPT + " Why?"]
        alone = [qwen.generate(PICTURES[1], text, max_new_tokens=N, sampling=way) for text in prompts]
        both = qwen.generate_many([PICTURES[1]] * 2, prompts, [None] * 2, max_new_tokens=N, sampling=way)
        assert [run.token_ids for run in both] == [run.token_ids for run in alone]

    def test_seeds_differ_and_leave_the_global_numbers_alone(self, qwen: TinyEngine) -> None:
        torch.manual_seed(0)
        expected = torch.rand(3)
        torch.manual_seed(0)
        runs = [
            qwen.generate(
                PICTURES[1], PROMPT, max_new_tokens=N, sampling=Sampling(temperature=3.0, seed=seed)
            )
            for seed in range(2)
        ]
        assert runs[0].token_ids != runs[1].token_ids
        assert torch.equal(torch.rand(3), expected)

    def test_stops_at_the_models_own_end(self, qwen: TinyEngine) -> None:
        free = qwen.generate(PICTURES[0], PROMPT, max_new_tokens=N)
        end = free.token_ids[3]
        qwen.model.generation_config.eos_token_id = [2, end]
        run = qwen.generate(PICTURES[0], PROMPT, max_new_tokens=N)
        assert run.token_ids == free.token_ids[: free.token_ids.index(end) + 1]
        assert (run.finish, free.finish) == ("stop", "length")
        assert list(run.token_ids) == oracle(qwen, PICTURES[0], PROMPT, do_sample=False)[0]


class TestScopes:
    @pytest.mark.parametrize("scope", SCOPES)
    def test_bias_zero_is_the_unsteered_run(self, engine: TinyEngine, scope: Scope) -> None:
        plain = engine.generate(PICTURES[2], PROMPT, max_new_tokens=N, track=HEADS)
        neutral = engine.generate(
            PICTURES[2], PROMPT, steering=steering(scope, strength=0.0), max_new_tokens=N
        )
        assert_same(plain, neutral)
        assert neutral.audit is not None
        assert neutral.audit.n_rows == 0
        assert neutral.audit.mass_before == neutral.audit.mass_after

    def test_rows_that_each_scope_biases(self, qwen: TinyEngine) -> None:
        """Rows from 5 on see the image; 21 is the first behind it; the last token is never read."""
        n_prompt = len(qwen.prepare(PICTURES[2], PROMPT)["input_ids"][0])
        expected = {"all_rows": n_prompt - 5, "after_image": n_prompt - 21, "decode_only": 0}
        for scope in SCOPES:
            run = qwen.generate(PICTURES[2], PROMPT, steering=steering(scope), max_new_tokens=N)
            assert run.audit is not None
            assert run.audit.n_rows == expected[scope] + N - 1

    def test_scopes_are_different_interventions(self, qwen: TinyEngine) -> None:
        plain = qwen.generate(PICTURES[2], PROMPT, max_new_tokens=N)
        runs = {s: qwen.generate(PICTURES[2], PROMPT, steering=steering(s), max_new_tokens=N) for s in SCOPES}
        firsts = {scope: run.tokens[0].logprob for scope, run in runs.items()}
        assert firsts["decode_only"] == plain.tokens[0].logprob
        assert len(set(firsts.values())) == 3

    def test_audit_agrees_with_the_recorded_rows(self, engine: TinyEngine) -> None:
        run = engine.generate(
            PICTURES[2], PROMPT, steering=steering("decode_only", strength=1.0), max_new_tokens=N
        )
        masses_TR = run.trajectory(QUARTERS).masses_TR
        assert run.audit is not None
        # The first token comes from the prompt's last row, which this scope leaves alone.
        np.testing.assert_allclose(run.audit.mass_after, masses_TR[1:, 3].mean(), atol=1e-5)
        assert run.audit.mass_after > run.audit.mass_before
        assert run.audit.n_heads == len(HEADS)
        assert run.audit.n_target_tok == 4
        np.testing.assert_allclose(run.audit.ledger.gained_G.sum(), 0, atol=1e-6)

    def test_one_token_of_a_decode_only_run_has_no_row_to_audit(self, qwen: TinyEngine) -> None:
        assert (
            qwen.generate(PICTURES[2], PROMPT, steering=steering("decode_only"), max_new_tokens=1).audit
            is None
        )


class TestTargetsThatMove:
    def test_the_very_next_row_looks_at_the_new_target(self, qwen: TinyEngine) -> None:
        stream = qwen.stream(
            PICTURES[2], PROMPT, steering=replace(steering(), strength="hard"), max_new_tokens=6
        )
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
            PICTURES[2],
            PROMPT,
            steering=replace(steering(scope), schedule=Targets.every(3, turns)),
            max_new_tokens=N,
        )
        stream = engine.stream(PICTURES[2], PROMPT, steering=steering(scope, quarter=1), max_new_tokens=N)
        for step in stream:
            if step.index in (2, 5):
                stream.retarget(turns[(step.index + 1) // 3])
        by_hand = stream.run()
        assert_same(scheduled, by_hand)
        assert scheduled.switches == by_hand.switches == ((3, "top left"), (6, "bottom left"))
        assert scheduled.audit is not None and by_hand.audit is not None
        assert scheduled.audit.to_json() == by_hand.audit.to_json()

    @pytest.mark.parametrize("scope", SCOPES)
    def test_a_token_that_is_being_computed_can_still_follow(self, engine: TinyEngine, scope: Scope) -> None:
        planned = replace(steering(scope), schedule=Targets(((3, QUARTERS[0]),)))
        scheduled = engine.generate(PICTURES[2], PROMPT, steering=planned, max_new_tokens=N)
        stream = engine.stream(PICTURES[2], PROMPT, steering=steering(scope), max_new_tokens=N)
        asked_at: list[int] = []

        def move_at_the_third() -> bool:
            asked_at.append(len(stream.run().tokens))
            if asked_at[-1] == 3:
                stream.retarget(QUARTERS[0])
            return asked_at[-1] == 3

        stream.revised = move_at_the_third
        list(stream)
        by_hand = stream.run()
        if engine.family == "gemma3":  # keys that left a layer's window are gone: it cannot step back
            assert not asked_at
            return
        assert asked_at == list(range(1, N))  # never for the first token, whose pass reads the prompt
        assert_same(scheduled, by_hand)
        assert scheduled.switches == by_hand.switches == ((3, "top left"),)
        assert scheduled.audit is not None and by_hand.audit is not None
        assert scheduled.audit.to_json() == by_hand.audit.to_json()

    def test_a_hand_that_comes_after_the_schedules_step_wins_there_too(self, qwen: TinyEngine) -> None:
        wish = replace(steering(), schedule=Targets(((3, QUARTERS[1]),)))
        stream = qwen.stream(PICTURES[2], PROMPT, steering=wish, max_new_tokens=6)

        def move_at_the_third() -> bool:
            now = len(stream.run().tokens) == 3
            if now:
                stream.retarget(QUARTERS[0])
            return now

        stream.revised = move_at_the_third
        targets = [step.target for step in stream]
        assert targets == ["bottom right"] * 3 + ["top left"] * 3
        by_hand = stream.run()
        again = by_hand.request.steering
        assert_same(by_hand, qwen.generate(PICTURES[2], PROMPT, steering=again, max_new_tokens=6))

    def test_without_a_move_nothing_is_computed_again(self, qwen: TinyEngine) -> None:
        passes: list[object] = []
        qwen.loaded.model.register_forward_hook(lambda *_: passes.append(None))
        stream = qwen.stream(PICTURES[2], PROMPT, steering=steering(), max_new_tokens=N)
        stream.revised = lambda: False
        list(stream)
        assert len(passes) == N + 1  # the prompt is read in two pieces

    def test_a_run_moved_by_hand_repeats_from_its_request(self, qwen: TinyEngine) -> None:
        stream = qwen.stream(PICTURES[2], PROMPT, steering=steering(), max_new_tokens=N)
        for step in stream:
            if step.index == 1:
                stream.retarget(QUARTERS[1])
                stream.retarget(QUARTERS[0])
        by_hand = stream.run()
        request = RunRequest.from_json(by_hand.request.to_json())
        assert_same(
            by_hand, qwen.generate(PICTURES[2], request.prompt, steering=request.steering, max_new_tokens=N)
        )
        assert dict(request.target_tokens)["top left"] == (0, 1, 4, 5)

    def test_a_hand_wins_until_the_schedule_switches_again(self, qwen: TinyEngine) -> None:
        wish = replace(steering(), schedule=Targets(((2, QUARTERS[1]), (5, QUARTERS[2]))))
        stream = qwen.stream(PICTURES[2], PROMPT, steering=wish, max_new_tokens=7)
        for step in stream:
            if step.index == 2:
                stream.retarget(QUARTERS[0])
        targets = [step.target for step in stream.run().tokens]
        assert targets == ["bottom right"] * 2 + ["top right"] + ["top left"] * 2 + ["bottom left"] * 2

    def test_heads_let_go_look_as_they_like(self, qwen: TinyEngine) -> None:
        stream = qwen.stream(
            PICTURES[2], PROMPT, steering=replace(steering(), strength="hard"), max_new_tokens=4
        )
        next(stream)
        stream.retarget(None)
        rest = list(stream)
        run = stream.run()
        assert [step.target for step in rest] == [None] * 3
        assert run.switches == ((1, ""),)
        assert run.trajectory([QUARTERS[3]]).masses_TR[1:].max() < 0.99
        stream = qwen.stream(PICTURES[2], PROMPT, steering=steering(), max_new_tokens=4)
        next(stream)
        stream.retarget(None)
        stream.retarget(QUARTERS[0])
        assert [step.target for step in stream] == ["top left"] * 3

    def test_letting_go_repeats_from_the_request(self, engine: TinyEngine) -> None:
        stream = engine.stream(PICTURES[2], PROMPT, steering=steering(), max_new_tokens=N)
        for step in stream:
            if step.index in (1, 4):
                stream.retarget(None if step.index == 1 else QUARTERS[0])
        by_hand = stream.run()
        wish = by_hand.request.steering
        assert wish is not None
        assert_same(by_hand, engine.generate(PICTURES[2], PROMPT, steering=wish, max_new_tokens=N))
        wishes = [wish, steering(), wish]
        many = engine.generate_many([PICTURES[2]] * 3, PROMPT, wishes, max_new_tokens=N, track=HEADS)
        for run, one in zip(many, wishes, strict=True):
            alone = engine.generate(PICTURES[2], PROMPT, steering=one, max_new_tokens=N)
            assert_same(run, alone, tolerance=2e-5)
        assert many[2].switches == by_hand.switches == ((2, ""), (5, "top left"))

    def test_a_schedule_may_begin_without_a_target(self, qwen: TinyEngine) -> None:
        wish = replace(steering(), schedule=Targets(((0, None), (3, QUARTERS[0]))))
        run = qwen.generate(PICTURES[2], PROMPT, steering=wish, max_new_tokens=N)
        plain = qwen.generate(PICTURES[2], PROMPT, max_new_tokens=N, track=HEADS)
        assert [step.target for step in run.tokens] == [None] * 3 + ["top left"] * 5
        np.testing.assert_array_equal(run.rows_THP[:3], plain.rows_THP[:3])

    def test_refusals(self, qwen: TinyEngine) -> None:
        with pytest.raises(UserError, match="not steered"):
            qwen.stream(PICTURES[2], PROMPT).retarget(QUARTERS[0])
        dot = type(QUARTERS[0]).box("dot", (0, 0, 1, 1), size_px=(32, 32))
        with pytest.raises(UserError, match="no cell"):
            qwen.stream(PICTURES[2], PROMPT, steering=steering()).retarget(dot)
        with pytest.raises(UserError, match="no cell"):
            qwen.stream(PICTURES[2], PROMPT, steering=replace(steering(), schedule=Targets(((4, dot),))))


class TestStreams:
    def test_cancel_between_tokens(self, qwen: TinyEngine) -> None:
        stream = qwen.stream(PICTURES[2], PROMPT, max_new_tokens=N)
        whole = qwen.generate(PICTURES[2], PROMPT, max_new_tokens=N)
        for step in stream:
            if step.index == 2:
                stream.cancel()
        run = stream.run()
        assert run.finish == "cancelled"
        assert run.token_ids == whole.token_ids[:3]
        assert list(stream) == []

    def test_cancel_from_another_thread(self, qwen: TinyEngine) -> None:
        stream = qwen.stream(PICTURES[2], PROMPT, max_new_tokens=200)
        seen = [next(stream)]
        thread = threading.Thread(target=stream.cancel)
        thread.start()
        thread.join()
        seen += list(stream)
        assert len(seen) == 1
        assert stream.run().finish == "cancelled"

    def test_cancel_before_the_first_token(self, qwen: TinyEngine) -> None:
        with qwen.stream(PICTURES[2], PROMPT, steering=steering()) as stream:
            pass
        assert list(stream) == []
        run = stream.run()
        assert (run.text, run.tokens, run.finish, run.audit) == ("", (), "cancelled", None)

    def test_cancel_after_the_end_changes_nothing(self, qwen: TinyEngine) -> None:
        stream = qwen.stream(PICTURES[2], PROMPT, max_new_tokens=2)
        assert len(list(stream)) == 2
        stream.cancel()
        assert list(stream) == []
        assert stream.run().finish == "length"

    def test_streams_take_turns(self, engine: TinyEngine) -> None:
        alone = [
            engine.generate(PICTURES[2], PROMPT, max_new_tokens=N, track=HEADS),
            engine.generate(PICTURES[2], PROMPT, steering=steering(), max_new_tokens=N),
        ]
        streams = [
            engine.stream(PICTURES[2], PROMPT, max_new_tokens=N, track=HEADS),
            engine.stream(PICTURES[2], PROMPT, steering=steering(), max_new_tokens=N),
        ]
        for _ in zip(*streams, strict=True):
            assert_idle(engine)
        for stream, run in zip(streams, alone, strict=True):
            assert_same(stream.run(), run)

    def test_threads_take_turns(self, qwen: TinyEngine) -> None:
        wishes = [steering(quarter=quarter) for quarter in range(4)]
        alone = [qwen.generate(PICTURES[2], PROMPT, steering=wish, max_new_tokens=N) for wish in wishes]
        runs: dict[int, Run] = {}

        def write(quarter: int) -> None:
            runs[quarter] = qwen.generate(PICTURES[2], PROMPT, steering=wishes[quarter], max_new_tokens=N)

        threads = [threading.Thread(target=write, args=(quarter,)) for quarter in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for quarter, run in enumerate(alone):
            assert_same(runs[quarter], run)

    def test_an_error_leaves_the_model_clean(self, qwen: TinyEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        expected = qwen.generate(PICTURES[2], PROMPT, steering=steering(), max_new_tokens=N)
        stream = qwen.stream(PICTURES[2], PROMPT, steering=steering(), max_new_tokens=N)
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
        assert_same(expected, qwen.generate(PICTURES[2], PROMPT, steering=steering(), max_new_tokens=N))

    def test_a_forgotten_stream_leaves_the_model_clean(self, qwen: TinyEngine) -> None:
        expected = qwen.generate(PICTURES[2], PROMPT, max_new_tokens=N)
        next(qwen.stream(PICTURES[2], PROMPT, steering=steering()))
        gc.collect()
        assert_idle(qwen)
        assert_same(expected, qwen.generate(PICTURES[2], PROMPT, max_new_tokens=N))

    def test_a_pass_inside_a_pass_is_refused(self, qwen: TinyEngine) -> None:
        handle = qwen.model.lm_head.register_forward_hook(lambda *_: qwen.generate(PICTURES[1], PROMPT))
        try:
            with pytest.raises(UserError, match="in the middle"):
                qwen.generate(PICTURES[2], PROMPT)
        finally:
            handle.remove()
        assert qwen.generate(PICTURES[2], PROMPT, max_new_tokens=1).finish == "length"
