"""Evaluations on an engine whose every answer is known, and on a tiny real one."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from gazeviz.domain.evaluation import JudgedAnswer
from gazeviz.domain.experiments.treatment import DYNAMIC, REGION, Treatment
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.steering import Steering
from gazeviz.domain.strip import Strip
from gazeviz.engine.engine import Engine
from gazeviz.engine.evaluation.evaluation import Examiner, derangement_of
from gazeviz.engine.evaluation.judges import GrammarJudge, LexicalJudge
from gazeviz.errors import Cancelled, UserError
from gazeviz.testbed.world.grammar import parse
from tests.engine.fixtures.scripted_engine import CAPTIONS, PANELS, ScriptedEngine, obedient, panel_of, strips
from tests.engine.fixtures.tiny_engine import PICTURES, QUARTERS, TinyEngine

EXACT = GrammarJudge(parse)
STEERED = Treatment("gaze", HeadSet.of("L0H0"))


def examiner(say=obedient, n: int = 2, **options) -> Examiner:
    return Examiner(cast(Engine, ScriptedEngine(say)), strips(n), options.pop("judge", EXACT), **options)


def test_perfect_steering_hits_all_but_the_panel_that_was_described_anyway() -> None:
    evaluation = examiner().evaluate(STEERED)
    assert len(evaluation.answers) == 6
    assert evaluation.share("described") == 1.0
    assert evaluation.share("hit") == pytest.approx(2 / 3)
    assert evaluation.share("right") == pytest.approx(2 / 3)
    assert evaluation.by_target() == (0.0, 1.0, 1.0)
    assert evaluation.unchanged_share == pytest.approx(1 / 3)
    assert evaluation.confusion.tolist() == [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]]


def test_another_region_is_steered_to_but_not_asked_for() -> None:
    evaluation = examiner().evaluate(replace(STEERED, aim="elsewhere"))
    assert [answer.chosen for answer in evaluation.answers] == [1, 2, 0] * 2
    assert evaluation.share("described") == 0.0


def test_doing_nothing_never_hits_but_describes_one_panel() -> None:
    evaluation = examiner().evaluate(Treatment("unsteered"))
    assert evaluation.share("hit") == 0.0
    assert evaluation.share("described") == pytest.approx(1 / 3)


def test_naming_the_panel_in_plain_words_is_a_treatment() -> None:
    evaluation = examiner().evaluate(Treatment("named", names_panel=True))
    assert evaluation.share("complete") == 1.0


def test_junk_is_counted_and_not_judged() -> None:
    def loops(prompt: str, steering: Steering | None, step: int) -> str | None:
        return "cat" if steering else obedient(prompt, steering, step)

    evaluation = examiner(loops, new_tok=12).evaluate(STEERED)
    assert evaluation.junk_share == 1.0
    assert {answer.chosen for answer in evaluation.answers} == {None}
    assert {answer.complete for answer in evaluation.answers} == {False}


def test_sizes_are_measured_in_the_pixels_that_are_fed() -> None:
    answer = examiner(protocol=REGION, n=1).evaluate(STEERED).answers[0]
    assert answer.area_px == 20 * 20 * 4


def test_unsteered_answers_are_read_once() -> None:
    one = examiner(n=3)
    one.evaluate(STEERED)
    one.evaluate(STEERED)
    assert one.engine.calls == [9, 3, 9]  # type: ignore[attr-defined]


def test_answers_and_progress_are_told_and_cancelling_stops() -> None:
    told: list[tuple[int, int, float | None]] = []
    answers: list[JudgedAnswer] = []
    one = examiner(
        n=40,
        progress=lambda *now: told.append(now),
        cancelled=lambda: len(answers) >= 48,
        on_answer=answers.append,
    )
    with pytest.raises(Cancelled, match="48 of 120"):
        one.evaluate(STEERED)
    assert len(answers) == 48
    assert told == [(0, 120, None)]
    whole = examiner(n=40, progress=lambda *now: told.append(now))
    whole.evaluate(STEERED)
    assert [done for done, _, _ in told[1:]] == [0, 48, 96, 120]
    assert told[-1][2] == 0.0


def test_nothing_to_evaluate_on_is_refused() -> None:
    with pytest.raises(UserError, match="nothing to evaluate"):
        examiner(n=0)


def narrates(lag: int, every: int):
    """Says the words of the panel that was the target `lag` tokens ago."""

    def say(prompt: str, steering: Steering | None, step: int) -> str | None:
        panel = panel_of(steering, max(0, step - lag))
        return None if panel is None else CAPTIONS[panel].split()[step % every % 5]

    return say


def test_a_text_that_follows_at_once_is_on_target_with_rho_one() -> None:
    narration = examiner(narrates(0, 5), protocol=DYNAMIC).narrate(STEERED, every_tok=5)
    figures = narration.figures()
    assert figures["segments"] == 6
    assert figures["rho"] == pytest.approx(1.0)
    assert figures["on_target"] == 1.0
    assert figures["latency_median_tok"] == 1.0
    assert figures["followed"] == 1.0


def test_latency_counts_tokens_up_to_the_first_word_of_the_new_target() -> None:
    narration = examiner(narrates(2, 10), protocol=DYNAMIC).narrate(STEERED, every_tok=10)
    assert {segment.latency_tok for segment in narration.segments if segment.turn} == {3}


def test_targets_follow_a_derangement_of_the_item() -> None:
    narration = examiner(narrates(0, 5), n=3, protocol=DYNAMIC).narrate(STEERED, every_tok=5, first_index=7)
    for item in range(3):
        order = [segment.target for segment in narration.segments if segment.item == item]
        assert tuple(order) == derangement_of(7 + item, 3, 0)
        assert all(turn != panel for turn, panel in enumerate(order))


def test_a_text_that_ends_early_leaves_empty_segments() -> None:
    def stops(prompt: str, steering: Steering | None, step: int) -> str | None:
        return narrates(0, 5)(prompt, steering, step) if step < 7 else None

    segments = examiner(stops, n=1, protocol=DYNAMIC).narrate(STEERED, every_tok=5).segments
    assert [segment.n_tok for segment in segments] == [5, 2, 0]
    assert [segment.junk for segment in segments] == [None, None, "empty"]


def test_a_judge_without_words_leaves_latencies_out() -> None:
    class Distant:
        name = "distant"

        def judge(self, text, item):
            return EXACT.judge(text, item)

    narration = examiner(narrates(0, 5), judge=Distant(), protocol=DYNAMIC).narrate(STEERED, every_tok=5)
    assert narration.figures()["latency_median_tok"] is None
    with pytest.raises(UserError, match="needs heads"):
        examiner().narrate(Treatment("unsteered"))


@pytest.fixture
def quarters() -> tuple[Strip, ...]:
    captions = tuple(f"w{k} w{k + 20}" for k in range(4))
    return tuple(Strip(picture, QUARTERS, captions) for picture in PICTURES[:3])


def test_strength_zero_changes_no_token_of_a_real_model(qwen: TinyEngine, quarters) -> None:
    one = Examiner(qwen, quarters, LexicalJudge(), new_tok=8, prompt="what is here")
    every = qwen.all_heads()
    assert one.changed_tokens(Treatment("nothing", every, strength=0.0)) == (0, 12)
    changed, compared = one.changed_tokens(Treatment("much", every, strength="hard"))
    assert changed > compared / 2


def test_a_real_model_is_evaluated_with_its_audit(qwen: TinyEngine, quarters) -> None:
    one = Examiner(qwen, quarters, LexicalJudge(), new_tok=8, prompt="what is here")
    evaluation = one.evaluate(Treatment("much", HeadSet.of("L0H0,L1H1"), mode="mass", alpha=0.9))
    assert len(evaluation.answers) == 12
    assert {round(answer.mass_after or 0, 4) for answer in evaluation.answers} == {0.9}
    assert all(0 <= (answer.mass_before or 0) < 0.9 for answer in evaluation.answers)
    moving = Examiner(qwen, quarters, LexicalJudge(), DYNAMIC, prompt="tell").narrate(STEERED, every_tok=3)
    assert {segment.turn for segment in moving.segments} == {0, 1, 2, 3}
    assert np.isfinite(moving.figures()["rho"])


def test_every_panel_of_the_script_is_a_region_of_its_strip() -> None:
    assert strips(1)[0].panels == PANELS
