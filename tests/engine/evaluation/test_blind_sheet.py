"""A person's sheet: nothing on it gives a target away, and every judgement finds its answer again."""

from dataclasses import replace

import numpy as np
import pytest

from gazeviz.domain.evaluation import Evaluation, JudgedAnswer
from gazeviz.engine.evaluation.blind_sheet import BlindSheet, agreement
from gazeviz.errors import UserError

ANSWERS = tuple(
    JudgedAnswer(item, target, 3, f"text {item} {target}", "baseline", target, True, None, False)
    for item in range(4)
    for target in range(3)
)
GAZE = Evaluation("static", {"name": "gaze"}, "exact", ANSWERS)
RANDOM = Evaluation(
    "static",
    {"name": "random"},
    "exact",
    (
        *(replace(answer, chosen=0, text=f"other {answer.item}") for answer in ANSWERS[:6]),
        replace(ANSWERS[6], junk="empty", chosen=None, text=""),
    ),
)


def test_the_sheet_hides_targets_and_shows_equal_texts_once() -> None:
    sheet = BlindSheet.of((GAZE, RANDOM), seed=1)
    assert len(sheet.items) == 12 + 2
    assert [item.number for item in sheet.items] == list(range(14))
    assert set(vars(sheet.items[0])) == {"number", "item", "n_regions", "text"}
    assert "_key" not in repr(sheet)
    assert [item.text for item in sheet.items] != sorted(item.text for item in sheet.items)
    assert sheet.items == BlindSheet.of((GAZE, RANDOM), seed=1).items
    assert sheet.items != BlindSheet.of((GAZE, RANDOM), seed=2).items


def test_choices_come_back_to_their_answers() -> None:
    sheet = BlindSheet.of((GAZE, RANDOM))
    choices = {
        item.number: 1 if item.text.startswith("other") else int(item.text[-1]) for item in sheet.items
    }
    gaze, random = sheet.graded(choices)
    assert gaze.judge == "person"
    assert gaze.share("hit") == 1.0
    assert [answer.chosen for answer in random.answers] == [1] * 6 + [None]
    assert random.junk_share == pytest.approx(1 / 7)
    assert agreement(GAZE, gaze) == 1.0
    assert agreement(RANDOM, random) == 0.0


def test_what_was_not_judged_is_left_out() -> None:
    sheet = BlindSheet.of((GAZE,))
    (graded,) = sheet.graded({0: None, 3: 2})
    assert len(graded.answers) == 2
    assert np.isfinite(graded.share("hit"))


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [({}, "Nothing has been judged"), ({99: 0}, "no text 99"), ({0: 3}, "3 regions, not 4")],
)
def test_impossible_judgements_are_refused(choices: dict[int, int | None], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        BlindSheet.of((GAZE,)).graded(choices)


def test_agreement_needs_shared_answers() -> None:
    assert np.isnan(agreement(GAZE, replace(GAZE, answers=())))
