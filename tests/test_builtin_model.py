"""The built-in model has learned something, and the lines a researcher types work on it as they stand.

The bounds lie far below what the model card measures: they catch a broken model or seam, not a bad day.
"""

from statistics import mean

import numpy as np
import pytest

import gazeviz
from gazeviz.backend.engine_adapter import EngineAdapter
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.testbed.world import grammar, wordings
from gazeviz.testbed.world.world import DrawnStrip, builtin_scenes, builtin_strips

AMBIGUOUS = wordings.AMBIGUOUS[0]
N_PANELS = 6


@pytest.fixture(scope="module")
def engine() -> gazeviz.Engine:
    return gazeviz.load()


@pytest.fixture(scope="module")
def strips() -> tuple[DrawnStrip, ...]:
    """Strips of combinations that the model was never trained on."""
    return builtin_strips(6, seed=11)


@pytest.fixture(scope="module")
def ranking(engine: gazeviz.Engine) -> HeadRanking:
    return engine.discover(builtin_strips(8, seed=12), by="mass")


def steered(
    engine: gazeviz.Engine, strips: tuple[DrawnStrip, ...], heads: HeadSet, strength: float = 8.0
) -> list[tuple[int, str]]:
    """The target panel and the answer's text, for every panel of every strip."""
    cells = [(strip, panel) for strip in strips for panel in range(N_PANELS)]
    runs = engine.generate_many(
        [strip.image for strip, _ in cells],
        AMBIGUOUS,
        [gazeviz.Steering(heads, strip.panels[panel], strength=strength) for strip, panel in cells],
        max_new_tokens=15,
    )
    return [(panel, run.text) for (_, panel), run in zip(cells, runs, strict=True)]


def share_on_target(strips: tuple[DrawnStrip, ...], answers: list[tuple[int, str]]) -> float:
    """How many answers fit their target panel better than any other panel."""
    hits = []
    for index, (target, text) in enumerate(answers):
        stated = [grammar.matches(text, fact) for fact in strips[index // N_PANELS].facts]
        hits.append(stated[target] == max(stated) and stated.count(max(stated)) == 1)
    return mean(hits)


def test_it_answers_about_the_panel_it_is_asked_about(
    engine: gazeviz.Engine, strips: tuple[DrawnStrip, ...]
) -> None:
    shown = [(strip, panel) for strip in strips for panel in range(N_PANELS)]
    questions = [wordings.fill(wordings.DIRECT[0], panel, N_PANELS) for _, panel in shown]
    runs = engine.generate_many([strip.image for strip, _ in shown], questions, max_new_tokens=15)
    stated = [
        grammar.matches(run.text, strip.facts[panel]) / 4
        for run, (strip, panel) in zip(runs, shown, strict=True)
    ]
    assert mean(stated) > 0.8


def test_the_token_that_ends_its_answer_has_a_name(
    engine: gazeviz.Engine, strips: tuple[DrawnStrip, ...]
) -> None:
    run = engine.generate(strips[0].image, AMBIGUOUS, max_new_tokens=30)
    names = EngineAdapter(engine).info().special_tokens
    assert (run.finish, run.tokens[-1].text) == ("stop", "")
    *said, end = (names.get(step.token_id) for step in run.tokens)
    assert end == "<|im_end|>" and set(said) == {None}


def test_it_names_the_objects_of_a_scene(engine: gazeviz.Engine) -> None:
    scenes = builtin_scenes(12, seed=13)
    runs = engine.generate_many([scene.image for scene in scenes], wordings.SCENE_LIST[0], max_new_tokens=30)
    found = [
        (item.colour, item.character) in grammar.objects_in(run.text)
        for run, scene in zip(runs, scenes, strict=True)
        for item in scene.objects
    ]
    assert mean(found) > 0.5


def test_a_few_gaze_heads_choose_the_panel_and_random_ones_do_not(
    engine: gazeviz.Engine, strips: tuple[DrawnStrip, ...], ranking: HeadRanking
) -> None:
    chosen = ranking.top(10)
    gaze = share_on_target(strips, steered(engine, strips, chosen))
    random = [
        share_on_target(strips, steered(engine, strips, ranking.random(10, seed, exclude=chosen)))
        for seed in range(3)
    ]
    assert gaze > 0.7
    assert gaze > max(random)


def test_steering_all_heads_ruins_the_text(
    engine: gazeviz.Engine, strips: tuple[DrawnStrip, ...], ranking: HeadRanking
) -> None:
    few = steered(engine, strips, ranking.top(10))
    every = steered(engine, strips, engine.all_heads())
    facts = [strips[index // N_PANELS].facts[target] for index, (target, _) in enumerate(few)]

    def right(answers: list[tuple[int, str]]) -> float:
        return mean(grammar.matches(text, fact) for (_, text), fact in zip(answers, facts, strict=True))

    assert right(every) < right(few)


def test_a_bias_of_zero_is_the_baseline_to_the_last_token(
    engine: gazeviz.Engine, strips: tuple[DrawnStrip, ...], ranking: HeadRanking
) -> None:
    for strip in strips:
        wish = gazeviz.Steering(ranking.top(10), strip.panels[2], strength=0)
        plain = engine.generate(strip.image, AMBIGUOUS, max_new_tokens=15)
        zero = engine.generate(strip.image, AMBIGUOUS, steering=wish, max_new_tokens=15)
        assert zero.token_ids == plain.token_ids
        assert [step.logprob for step in zero.tokens] == [step.logprob for step in plain.tokens]


def test_the_audit_shows_that_the_bias_arrived(
    engine: gazeviz.Engine, strips: tuple[DrawnStrip, ...], ranking: HeadRanking
) -> None:
    wish = gazeviz.Steering(ranking.top(8), strips[0].panels[3])
    audit = engine.generate(strips[0].image, AMBIGUOUS, steering=wish, max_new_tokens=15).audit
    assert audit is not None
    assert audit.mass_after > audit.mass_before + 0.2
    assert audit.n_heads == 8


def test_the_text_follows_a_target_that_moves_while_it_is_written(
    engine: gazeviz.Engine, strips: tuple[DrawnStrip, ...], ranking: HeadRanking
) -> None:
    strip = strips[1]
    wish = gazeviz.Steering(ranking.top(10), strip.panels[5], scope="decode_only")
    first, second = "", ""
    stream = engine.stream(strip.image, wordings.NARRATION[0], steering=wish, max_new_tokens=26)
    for step in stream:
        if step.index == 12:
            stream.retarget(strip.panels[2])
        first, second = (first + step.text, second) if step.index <= 12 else (first, second + step.text)
    assert grammar.matches(first, strip.facts[5]) > grammar.matches(first, strip.facts[2])
    assert grammar.matches(second, strip.facts[2]) > grammar.matches(second, strip.facts[5])


def test_heads_found_by_tracking_walk_along_with_a_narration(
    engine: gazeviz.Engine, strips: tuple[DrawnStrip, ...]
) -> None:
    tracking = engine.discover(builtin_strips(8, seed=12), by="tracking")
    run = engine.generate(strips[2].image, wordings.NARRATION[0], max_new_tokens=80, track=tracking.top(4))
    masses_TR = run.trajectory(strips[2].panels).masses_TR
    starts = [step.index for step in run.tokens if step.text.strip().lower() == "panel"]
    sentences = np.split(masses_TR, starts[1:])
    assert len(sentences) == N_PANELS
    followed = [int(sentence.mean(axis=0).argmax()) == panel for panel, sentence in enumerate(sentences)]
    assert sum(followed) >= 5
