"""The engine's face on real files: every kind of input, what a run records, and what is refused."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.run import RunRequest, Sampling
from gazeviz.domain.steering import Steering
from gazeviz.engine.engine import NO_HEADS, Engine, load
from gazeviz.engine.generation.read_along import run_map
from gazeviz.errors import Cancelled, UserError
from gazeviz.imaging import picture_sha256
from gazeviz.testbed.world.world import DrawnStrip
from tests.engine.fixtures.random_comic import random_comic_model, strips

PROMPT = "What is happening here?"
HEADS = HeadSet.of("L1H2,L3H0,L3H7")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The built-in architecture with random weights."""
    return Engine(random_comic_model(tmp_path_factory.mktemp("comic")))


@pytest.fixture(scope="module")
def strip() -> DrawnStrip:
    """A strip of three panels."""
    return strips(1)[0]


class TestInputs:
    def test_inputs_are_as_the_model_takes_them(self, engine: Engine, strip: DrawnStrip) -> None:
        inputs = engine.prepare(strip.image, PROMPT)
        with torch.inference_mode():
            logits = engine.model(**inputs).logits
        assert logits.shape[:2] == inputs["input_ids"].shape
        run = engine.generate(strip.image, PROMPT, max_new_tokens=1)
        assert run.token_ids == (int(logits[0, -1].argmax()),)

    def test_a_file_an_array_and_an_image_are_one_picture(
        self, engine: Engine, strip: DrawnStrip, tmp_path: Path
    ) -> None:
        strip.image.save(tmp_path / "strip.png")
        sources = (strip.image, np.asarray(strip.image), tmp_path / "strip.png", str(tmp_path / "strip.png"))
        runs = [engine.generate(source, PROMPT, max_new_tokens=3) for source in sources]
        assert len({(run.token_ids, run.request.image_sha256) for run in runs}) == 1

    def test_grid_is_the_runs_grid(self, engine: Engine, strip: DrawnStrip) -> None:
        grid = engine.grid(strip.image)
        run = engine.generate(strip.image, PROMPT, max_new_tokens=1)
        np.testing.assert_array_equal(grid.boxes_P4, run.grid.boxes_P4)
        panels = [set(grid.tokens(panel).tolist()) for panel in strip.panels]
        assert all(panels) and not set.intersection(*panels)

    def test_fewer_image_tokens_if_a_person_says_so(self, engine: Engine, strip: DrawnStrip) -> None:
        small = Engine(engine.loaded, max_image_tokens=8)
        assert small.grid(strip.image).n_tokens <= 8 < engine.grid(strip.image).n_tokens
        assert small.generate(strip.image, PROMPT, max_new_tokens=1).request.max_image_tokens == 8

    def test_prepared_prompts_are_kept_and_forgotten(self, engine: Engine, strip: DrawnStrip) -> None:
        prepared = engine.prepared(strip.image, PROMPT)
        assert engine.prepared(strip.image.copy(), PROMPT) is prepared
        assert engine.prepared(strip.image, "What is here?") is not prepared
        engine.release_memory()
        assert engine.prepared(strip.image, PROMPT) is not prepared


class TestWhatIsRecorded:
    def test_request_holds_all_that_matters_and_survives_json(
        self, engine: Engine, strip: DrawnStrip
    ) -> None:
        steering = Steering(HEADS, strip.panels[1], strength=4.0, scope="after_image")
        sampling = Sampling(temperature=0.7, top_p=0.8, seed=3)
        run = engine.generate(strip.image, PROMPT, steering=steering, sampling=sampling, max_new_tokens=4)
        request = run.request
        assert request.model_fingerprint == engine.loaded.fingerprint
        assert (request.dtype, request.device, request.attention) == ("float32", "cpu", "gazeviz/sdpa")
        assert (request.prompt, request.steering, request.sampling) == (PROMPT, steering, sampling)
        assert request.image_sha256 == picture_sha256(strip.image)
        assert request.picture_size_px == strip.image.size
        assert request.versions["torch"] == torch.__version__
        assert dict(request.target_tokens)["Panel 2"] == tuple(run.grid.tokens(strip.panels[1]))
        assert request.tracked == run.tracked == HEADS

        again = RunRequest.from_json(json.loads(json.dumps(request.to_json())))
        repeated = engine.generate(
            strip.image,
            again.prompt,
            steering=again.steering,
            sampling=again.sampling,
            max_new_tokens=again.max_new_tokens,
            track=again.tracked,
        )
        assert repeated.token_ids == run.token_ids
        assert repeated.request.to_json() == request.to_json()

    def test_steered_heads_are_tracked_unless_others_are_named(
        self, engine: Engine, strip: DrawnStrip
    ) -> None:
        steering = Steering(HEADS, strip.panels[0])
        others = HeadSet.of("L0H0")
        runs = [
            engine.generate(strip.image, PROMPT, steering=wish, track=track, max_new_tokens=2)
            for wish, track in ((None, None), (steering, None), (steering, others), (steering, NO_HEADS))
        ]
        assert [run.tracked for run in runs] == [NO_HEADS, HEADS, others, NO_HEADS]
        assert runs[2].rows_THP.shape == (2, 1, runs[2].grid.n_tokens)
        for run in (runs[0], runs[3]):
            assert run.value_norms_HP is None
            with pytest.raises(UserError, match="kept no attention"):
                _ = run.rows_THP

    def test_rows_are_the_models_own_attention(self, engine: Engine, strip: DrawnStrip) -> None:
        """Against the softmax of the layer's own projections, worked out by hand for one head."""
        prepared = engine.prepared(strip.image, PROMPT)
        weights: list[torch.Tensor] = []
        attention = engine.model.model.language_model.layers[0].self_attn

        def by_hand(
            module: torch.nn.Module, args: tuple[object, ...], kwargs: dict[str, torch.Tensor]
        ) -> None:
            from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb

            hidden = kwargs["hidden_states"]
            shape = (*hidden.shape[:-1], -1, attention.head_dim)
            query = attention.q_norm(attention.q_proj(hidden).view(shape)).transpose(1, 2)
            key = attention.k_norm(attention.k_proj(hidden).view(shape)).transpose(1, 2)
            query, key = apply_rotary_pos_emb(query, key, *kwargs["position_embeddings"])
            scores = query[0, 5, -1] @ key[0, 2].T * attention.scaling
            weights.append(scores.softmax(-1))

        handle = attention.register_forward_pre_hook(by_hand, with_kwargs=True)
        with torch.inference_mode():
            engine.model(**prepared.inputs)
        handle.remove()
        row = engine.attention(strip.image, PROMPT, HeadSet.of("L0H5"))[0]
        np.testing.assert_allclose(row, weights[0][prepared.image_positions_tok].numpy(), atol=1e-6)

    def test_attention_of_all_heads_at_once(self, engine: Engine, strip: DrawnStrip) -> None:
        rows_HP = engine.attention(strip.image, PROMPT)
        run = engine.generate(strip.image, PROMPT, max_new_tokens=1, track=engine.all_heads())
        assert rows_HP.shape == (32, run.grid.n_tokens)
        np.testing.assert_array_equal(rows_HP, run.rows_THP[0])
        assert engine.attention(strip.image, PROMPT, NO_HEADS).shape == (0, run.grid.n_tokens)
        hard = Steering(HEADS, strip.panels[2], strength="hard")
        aimed_HP = engine.attention(strip.image, PROMPT, HEADS, steering=hard)
        np.testing.assert_allclose(aimed_HP[:, run.grid.tokens(strip.panels[2])].sum(axis=1), 1, atol=1e-5)

    def test_map_of_some_tokens(self, engine: Engine, strip: DrawnStrip) -> None:
        run = engine.generate(strip.image, PROMPT, max_new_tokens=3, track=HEADS)
        expected = run.grid.picture_map(run.rows_THP[[0, 2]].mean(axis=(0, 1)))
        np.testing.assert_allclose(run_map(run, [0, 2]), expected, atol=1e-6)
        assert run_map(run).shape == (strip.image.height, strip.image.width)
        for steps in ([], [3], [-1]):
            with pytest.raises(UserError, match="no such tokens"):
                run_map(run, steps)


class TestRefusals:
    def test_heads_that_the_model_lacks(self, engine: Engine, strip: DrawnStrip) -> None:
        absent = HeadSet((Head(9, 0),))
        with pytest.raises(UserError, match="L9H0"):
            engine.stream(strip.image, PROMPT, track=absent)
        with pytest.raises(UserError, match="L9H0"):
            engine.generate(strip.image, PROMPT, steering=Steering(absent, strip.panels[0]))
        with pytest.raises(UserError, match="L9H0"):
            engine.attention(strip.image, PROMPT, absent)

    def test_a_region_of_another_picture(self, engine: Engine, strip: DrawnStrip) -> None:
        elsewhere = Region.box("elsewhere", (0, 0, 9, 9), size_px=(10, 10))
        with pytest.raises(UserError, match="belongs to a picture"):
            engine.stream(strip.image, PROMPT, steering=Steering(HEADS, elsewhere))

    def test_more_tokens_than_the_context_holds(self, engine: Engine, strip: DrawnStrip) -> None:
        n_prompt = engine.prepared(strip.image, PROMPT).n_prompt_tok
        room = engine.loaded.context_tok - n_prompt
        engine.stream(strip.image, PROMPT, max_new_tokens=room)
        with pytest.raises(UserError, match=f"room for {room} more"):
            engine.stream(strip.image, PROMPT, max_new_tokens=room + 1)

    def test_an_empty_prompt_and_no_tokens(self, engine: Engine, strip: DrawnStrip) -> None:
        with pytest.raises(UserError, match="empty"):
            engine.generate(strip.image, "  ")
        with pytest.raises(UserError, match="0 new tokens"):
            engine.generate(strip.image, PROMPT, max_new_tokens=0)

    def test_no_such_model(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"no config\.json"):
            load(tmp_path)


class TestDescription:
    def test_model_in_words_and_numbers(self, engine: Engine) -> None:
        about = engine.describe_model()
        assert (engine.shape_LH, about.shape_LH, engine.family) == ((4, 8), (4, 8), "qwen3_vl")
        assert about.present_LH.all() and about.windows_L == (None,) * 4
        assert about.n_parameters == sum(weight.numel() for weight in engine.model.parameters())
        assert "4 layers x 8 heads" in str(about) and "on cpu in float32" in str(about)
        assert len(engine.all_heads()) == 32
        assert (engine.device, engine.dtype) == (torch.device("cpu"), torch.float32)

    def test_load_takes_a_folder(self, engine: Engine, strip: DrawnStrip) -> None:
        again = load(engine.loaded.path, device="cpu")
        assert again.describe_model().fingerprint == engine.describe_model().fingerprint
        ours, theirs = (one.generate(strip.image, PROMPT, max_new_tokens=3) for one in (engine, again))
        assert ours.token_ids == theirs.token_ids
        assert again.processor.tokenizer is again.tokenizer


class TestDiscovery:
    def test_finds_and_shares_rankings(self, engine: Engine) -> None:
        told: list[int] = []
        rankings = engine.rank(
            strips(2), by=("mass", "selectivity"), progress=lambda done, *_: told.append(done)
        )
        alone = engine.discover(strips(2), by="mass")
        assert set(rankings) == {"mass", "selectivity"}
        assert rankings["mass"].order() == alone.order()
        assert told and told == sorted(told)
        np.testing.assert_allclose(alone.scores_LH, self.by_hand(engine), atol=1e-5)

    def test_a_strip_costs_no_more_than_a_picture_may(self, engine: Engine) -> None:
        usual = engine.discover(strips(1))
        engine.max_image_tokens = 8
        try:
            few = engine.discover(strips(1))
            np.testing.assert_allclose(few.scores_LH, self.by_hand(engine, 1), atol=1e-5)
        finally:
            engine.max_image_tokens = 1280
        assert not np.allclose(few.scores_LH, usual.scores_LH)

    def test_a_picture_that_was_just_described_is_not_seen_again(
        self, engine: Engine, strip: DrawnStrip
    ) -> None:
        passes: list[object] = []
        engine.release_memory()
        handle = engine.model.model.visual.register_forward_hook(lambda *_: passes.append(1))
        try:
            engine.generate(strip.image, PROMPT, max_new_tokens=1)
            engine.rank([strip, strip], ("mass", "causal"))
        finally:
            handle.remove()
        assert len(passes) == 1

    def by_hand(self, engine: Engine, n_strips: int = 2) -> NDArray[np.float64]:
        """The mass score from one question after another, by the engine's own maps."""
        scores: list[NDArray[np.float32]] = []
        for strip in strips(n_strips):
            tokens = [engine.grid(strip.image).tokens(panel) for panel in strip.panels]
            for ordinal, selected in zip(("first", "second", "third"), tokens, strict=True):
                prompt = (
                    "Look carefully at this three-panel comic strip. What is happening in the "
                    f"{ordinal} panel from the left? Answer briefly."
                )
                scores.append(engine.attention(strip.image, prompt)[:, selected].sum(axis=1))
        mean = np.stack(scores).mean(axis=0, dtype=np.float64)
        return np.asarray(mean, dtype=np.float64).reshape(engine.shape_LH)

    def test_cancel_and_partial_results(self, engine: Engine, strip: DrawnStrip) -> None:
        partial: list[HeadRanking] = []
        with pytest.raises(Cancelled):
            engine.discover(strips(3), cancelled=lambda: len(partial) == 1, on_partial=partial.append)
        assert len(partial) == 1
        assert engine.generate(strip.image, PROMPT, max_new_tokens=1).tokens

    def test_nothing_else_from_its_callbacks_but_from_other_threads(
        self, engine: Engine, strip: DrawnStrip
    ) -> None:
        expected = engine.generate(strip.image, PROMPT, max_new_tokens=3)
        answers: list[tuple[int, ...]] = []
        asking = threading.Thread(
            target=lambda: answers.append(engine.generate(strip.image, PROMPT, max_new_tokens=3).token_ids)
        )
        asking.start()
        with pytest.raises(UserError, match="in the middle"):
            engine.discover(strips(2), progress=self.asker(engine, strip))
        asking.join()
        assert answers == [expected.token_ids]

    def asker(self, engine: Engine, strip: DrawnStrip) -> Callable[..., None]:
        """A callback that asks the busy engine."""

        def ask(*_: object) -> None:
            engine.generate(strip.image, PROMPT)

        return ask


def test_reading_scores_a_likelier_text_higher(engine: Engine, strip: DrawnStrip) -> None:
    """The model's own greedy word against another."""
    run = engine.generate(strip.image, PROMPT, max_new_tokens=1)
    first = run.text.strip()
    other_word = "rabbit" if first != "rabbit" else "robot"
    own, other = (engine.read(strip.image, PROMPT, word) for word in (first, other_word))
    assert own.token_ids == run.token_ids
    assert own.logprob > other.logprob


def test_all_modes_and_strengths_arrive(engine: Engine, strip: DrawnStrip) -> None:
    plain = Steering(HEADS, strip.panels[1])
    wishes = [
        *(replace(plain, mode=mode) for mode in ("boost_suppress", "suppress_image", "suppress_all")),
        *(replace(plain, mode=mode) for mode in ("max_suppress_all", "mass")),
        *(replace(plain, strength=strength) for strength in ("hard", "hard_uniform", 10_000.0)),
    ]
    for wish in wishes:
        audit = engine.generate(strip.image, PROMPT, steering=wish, max_new_tokens=3).audit
        assert audit is not None
        assert audit.mass_after > audit.mass_before
        if wish.mode == "mass":
            assert audit.mass_after == pytest.approx(0.9, abs=1e-5)
