"""Runs side by side, on a log with an archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QSignalSpy, QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QTableWidget, QWidget

from gazeviz.app.runs.picture_opener import picture_file
from gazeviz.domain.heads import Head
from gazeviz.ui.compare.compare_heads import OverlapGrid, PairTable
from gazeviz.ui.compare.run_curves import ComparePlot
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import LabelledSlider
from tests.patience import PatientBot
from tests.render.made_runs import made_run
from tests.ui.fixtures.compare_stage import (
    OTHERS,
    CompareStage,
    cell,
    column,
    open_compare_stage,
    part,
    rankings,
    said,
)


@pytest.fixture
def stage(qtbot: PatientBot, tmp_path: Path) -> Iterator[CompareStage]:
    """A log to be filled, and a comparison that shows nothing yet."""
    with open_compare_stage(qtbot, tmp_path) as opened:
        yield opened


def test_at_first_it_says_how_to_begin(stage: CompareStage) -> None:
    assert "two to six runs" in stage.view.message
    assert not part(stage.view, QPushButton, "compareToRankings").isVisible()


def test_runs_stand_side_by_side_with_what_tells_them_apart(stage: CompareStage) -> None:
    stage.compare(stage.baseline(), stage.steered(), stage.steered(OTHERS))
    assert stage.view.message == ""
    assert said(stage, "compareTitle") == "Compare 3 runs"
    assert said(stage, "compareDifferent") == "different: steering, heads"
    assert said(stage, "compareSame") == "same: model, picture, prompt, sampling"
    assert said(stage, "compareLabelA") == "baseline"
    assert said(stage, "compareLabelC").startswith("random 2, seed 0")


def test_words_that_differ_are_framed(stage: CompareStage) -> None:
    stage.compare(stage.baseline(), stage.steered())
    flow = column(stage, "B").flow
    with_marks = flow.grab().toImage()
    flow.mark_words(frozenset())
    without_marks = flow.grab().toImage()
    for index, differs in enumerate((False, True, True, False)):
        at = flow.box_of(index).center() + QPoint(0, -8)
        assert (with_marks.pixel(at) != without_marks.pixel(at)) == differs, index


def test_another_run_can_be_the_one_that_is_compared_with(stage: CompareStage) -> None:
    stage.compare(stage.baseline(), stage.steered(), stage.steered(OTHERS))
    QTest.mouseClick(column(stage, "C").badge, Qt.MouseButton.LeftButton)
    assert column(stage, "C").badge.isChecked() and not column(stage, "A").badge.isChecked()
    assert said(stage, "compareOverlapB").endswith("1")
    assert said(stage, "compareOverlapC") == ""


def test_one_token_is_looked_at_everywhere(stage: CompareStage) -> None:
    stage.compare(stage.baseline(), stage.steered())
    QTest.mouseClick(column(stage, "A").flow.viewport(), Qt.MouseButton.LeftButton,
                     pos=column(stage, "A").flow.box_of(2).center())  # fmt: skip
    assert stage.view.runs.token == 2
    slider = part(stage.view.runs, LabelledSlider)
    assert slider.slider.value() == 2
    slider.number.setValue(3)
    assert stage.view.runs.token == 3
    assert "token 3" in column(stage, "B").map.accessibleName()
    plot = part(stage.view.runs, ComparePlot)
    at = QPoint(round(plot.place.x_of(1)), plot.height() // 2)
    QTest.mouseClick(plot, Qt.MouseButton.LeftButton, pos=at)
    assert stage.view.runs.token == 1
    QTest.keyClick(plot, Qt.Key.Key_Left)
    QTest.keyClick(plot, Qt.Key.Key_Left)
    assert stage.view.runs.token == 0
    QTest.keyClick(column(stage, "B").flow, Qt.Key.Key_Right)
    assert stage.view.runs.token == 1


def test_a_run_names_its_end_as_its_own_model_does(stage: CompareStage) -> None:
    texts = ("a", " cat", " eats", "")
    named, unnamed = (made_run(picture=stage.picture, texts=texts) for _ in range(2))
    named.model = replace(named.model, special_tokens={103: "<s>"})
    stage.compare(stage.log(named), stage.log(unnamed))
    stage.view.runs.show_token(3)
    for letter, sign, tip in (("A", "<s>", "token 3 &lt;s&gt;<br>"), ("B", "‹103›", "token 3 ‹103›\n")):
        shown = column(stage, letter)
        assert shown.flow._lines.spellings[3].text == sign
        assert shown.map.accessibleName().startswith(f"{letter}, token 3 {sign}: mean attention")
        assert tip in shown._tip(3)


def test_the_token_stays_in_sight_when_the_room_changes(stage: CompareStage) -> None:
    words = tuple(f" word{number}" for number in range(80))
    ids = [stage.log(made_run(picture=stage.picture, texts=words, looks=(0, 1) * 40)) for _ in range(2)]
    stage.compare(*ids)
    stage.view.runs.show_token(60)
    flow = column(stage, "B").flow
    for size in ((1200, 700), (600, 420), (900, 360)):
        stage.view.resize(*size)
        stage.until(lambda: flow.viewport().rect().contains(flow.box_of(60).center()))


def test_a_portrait_stands_beside_its_text_and_a_strip_above(stage: CompareStage, tmp_path: Path) -> None:
    pixels_HW3 = np.full((120, 60, 3), 90, dtype=np.uint8)
    Image.fromarray(pixels_HW3).save(tmp_path / "portrait.png")
    portrait = picture_file(tmp_path / "portrait.png")
    stage.store.save_picture(portrait.source, portrait.size_px, None, ())
    stage.compare(stage.baseline(), stage.log(made_run(picture=portrait.sha256)))
    strip, tall = column(stage, "A"), column(stage, "B")
    stage.until(lambda: tall.map.geometry().right() < tall.flow.geometry().left())
    stage.until(lambda: strip.map.geometry().bottom() < strip.flow.geometry().top())
    assert tall.map.height() == pytest.approx(2 * tall.map.width(), abs=1)


def test_maps_share_a_scale_and_a_run_that_ended_before_has_none(stage: CompareStage) -> None:
    short = stage.log(made_run(picture=stage.picture, texts=("a", " cat"), looks=(0, 1)))
    stage.compare(stage.steered(), short)
    assert column(stage, "A").map.shows_map and column(stage, "B").map.shows_map
    stage.view.runs.show_token(3)
    assert column(stage, "A").map.shows_map and not column(stage, "B").map.shows_map
    step = column(stage, "A").step_at(3)
    assert step is not None
    high = part(stage.view, QLabel, "compareScaleHigh")
    assert high.text() == f"{step.map_P.max():.2f}".lstrip("0")


def test_curves_follow_the_chosen_region(stage: CompareStage) -> None:
    stage.compare(stage.baseline(), stage.steered())
    plot = part(stage.view.runs, ComparePlot)
    comparison = stage.view.runs.comparison
    assert comparison is not None
    assert plot.value(0) == pytest.approx(float(comparison.runs[0].steps[0].masses_R[1]))
    stage.view.runs._on_region("Panel 1")
    assert plot.value(0) == pytest.approx(float(comparison.runs[0].steps[0].masses_R[0]))
    assert said(stage, "comparePlotAbout") == "mass on Panel 1, by token"


def test_head_sets_are_laid_over_each_other(stage: CompareStage) -> None:
    stage.compare(stage.steered(), stage.steered(OTHERS), stage.baseline())
    grid, pairs = part(stage.view.runs, OverlapGrid), part(stage.view.runs, PairTable)
    assert said(stage, "compareFigures") == "A \N{INTERSECTION} B  1 · Jaccard .33"
    sentences = [grid.sentence(Head(*at)) for at in ((1, 2), (0, 3), (1, 3), (0, 0))]
    assert sentences == ["L1H2: in A and B", "L0H3: only in A", "L1H3: only in B", "L0H0: in neither"]
    assert grid.head_at(grid.box(Head(1, 2)).center()) == Head(1, 2)
    assert pairs.isVisible()
    QTest.mouseClick(pairs, Qt.MouseButton.LeftButton, pos=pairs.box(0, 2).center().toPoint())
    assert said(stage, "compareFigures") == "A \N{INTERSECTION} C  2 · Jaccard 1 · C only watched"
    QTest.keyClick(pairs, Qt.Key.Key_Right)
    assert said(stage, "compareFigures").startswith("B \N{INTERSECTION} C")


def test_a_shared_head_is_a_full_box_and_others_are_halves(stage: CompareStage) -> None:
    stage.compare(stage.steered(), stage.steered(OTHERS))
    grid = part(stage.view.runs, OverlapGrid)
    image, raised = grid.grab().toImage(), theme.current().raised

    def halves(head: Head) -> tuple[bool, bool]:
        box = grid.box(head)
        quarter = QPoint(round(box.width() / 4), round(box.height() / 4))
        middle = box.center().toPoint()
        first, second = (image.pixelColor(at) for at in (middle - quarter, middle + quarter))
        return first != raised, second != raised

    assert halves(Head(1, 2)) == (True, True)
    assert halves(Head(0, 3)) == (True, False)
    assert halves(Head(1, 3)) == (False, True)
    assert halves(Head(0, 0)) == (False, False)


def test_settings_that_differ_come_first_and_bold(stage: CompareStage) -> None:
    stage.compare(stage.steered(), stage.steered(OTHERS, strength=4.0))
    stage.view.runs._on_details("settings")
    table = part(stage.view, QTableWidget, "compareSettings")
    assert table.isVisible() and not part(stage.view.runs, ComparePlot).isVisible()
    assert [cell(table, row, 0).text() for row in (0, 1)] == ["≠ heads", "≠ strength"]
    assert cell(table, 2, 0).text().startswith("= ")
    assert [cell(table, 1, place).font().weight() for place in (1, 2)] == [400, 600]
    table.selectRow(1)
    QTest.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.clipboard().text() == "strength\t8\t4"


def test_runs_are_opened_and_reported(stage: CompareStage) -> None:
    first, second = stage.baseline(), stage.steered()
    stage.compare(first, second)
    opened, reported = QSignalSpy(stage.view.open_wanted), QSignalSpy(stage.view.report_wanted)
    QTest.mouseClick(part(stage.view, QWidget, "compareOpenB"), Qt.MouseButton.LeftButton)
    QTest.mouseClick(part(stage.view, QWidget, "compareReport"), Qt.MouseButton.LeftButton)
    assert opened.at(0) == [second]
    assert reported.at(0) == [(first, second)]


def test_what_cannot_be_compared_is_said_in_place(stage: CompareStage) -> None:
    stage.baseline()
    failed = QSignalSpy(stage.archive.failed)
    stage.view.show_runs((1, 999))
    stage.until(lambda: "Run 999 is not in the log" in stage.view.message)
    assert stage.view.shows
    stage.view.show_runs(range(1, 9))
    stage.until(lambda: "8 runs cannot be compared" in stage.view.message)
    assert failed.count() == 0


def test_a_comparison_ends_with_its_choice_or_its_button(stage: CompareStage) -> None:
    changed = QSignalSpy(stage.view.shows_changed)
    ids = stage.baseline(), stage.steered()
    stage.compare(*ids)
    stage.view.show_runs(ids[:1])
    assert "two to six runs" in stage.view.message and not stage.view.shows
    stage.compare(*ids[::-1])
    QTest.mouseClick(part(stage.view.runs, QWidget, "compareClose"), Qt.MouseButton.LeftButton)
    assert not stage.view.shows
    assert [changed.at(index)[0] for index in range(changed.count())] == [True, False, True, False]


def test_another_choice_of_runs_leaves_rankings_alone(stage: CompareStage) -> None:
    stage.model.put_rankings(rankings())
    stage.view.show_rankings()
    stage.view.show_runs(())
    assert stage.view.rankings.isVisible()


def test_an_answer_that_comes_too_late_is_dropped(stage: CompareStage) -> None:
    ids = stage.baseline(), stage.steered()
    stage.view.show_runs(ids)
    stage.view.clear()
    stage.qtbot.until_quiet()
    assert not stage.view.shows and stage.view.runs.comparison is None


def test_a_lost_run_says_so_and_shows_what_came(stage: CompareStage) -> None:
    lost = stage.log(made_run(picture=stage.picture, ended=False))
    stage.compare(stage.steered(), lost)
    assert said(stage, "compareStateB") == "Lost: the worker ended. The worker was ended by SIGKILL."
    assert column(stage, "B").flow.n_tok == 4
    assert not part(stage.view, QLabel, "compareStateA").isVisible()


def test_a_run_that_is_being_written_is_read_again_when_the_log_changes(stage: CompareStage) -> None:
    made = made_run(picture=stage.picture)
    going = stage.log(made, ended=False)
    stage.store.flush()
    stage.compare(stage.steered(), going)
    assert said(stage, "compareStateB") == "In progress."
    stage.store.run_ended(going, "done", made.summary, "").result()
    before = stage.view.runs.comparison
    stage.archive.changed.emit((going,))
    stage.until(lambda: stage.view.runs.comparison is not before)
    assert not part(stage.view, QLabel, "compareStateB").isVisible()


def test_runs_that_have_ended_are_not_read_again(stage: CompareStage) -> None:
    first, second = stage.baseline(), stage.steered()
    stage.compare(first, second)
    before = stage.view.runs.comparison
    stage.archive.changed.emit((first,))
    stage.qtbot.until_quiet()
    assert stage.view.runs.comparison is before


def test_runs_on_a_picture_that_is_gone_keep_their_texts_and_curves(stage: CompareStage) -> None:
    ids = [stage.log(made_run(picture="gone")) for _ in range(2)]
    stage.compare(*ids)
    assert not column(stage, "A").map.shows_map
    assert column(stage, "A").flow.n_tok == 4
    assert np.isfinite(part(stage.view.runs, ComparePlot).value(0))


def test_runs_without_regions_and_tokens_are_shown_empty(stage: CompareStage) -> None:
    ids = [stage.log(made_run(picture=stage.picture, regions=(), texts=(), looks=())) for _ in range(2)]
    stage.compare(*ids)
    assert said(stage, "compareStateA") == "It ended before the first token."
    assert said(stage, "comparePlotAbout").startswith("there were no regions")
    assert not part(stage.view.runs, LabelledSlider).isEnabled()


@pytest.mark.parametrize("choice", ["light", "dark"])
def test_it_is_drawn_in_both_themes(stage: CompareStage, choice: str) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    stage.compare(stage.baseline(), stage.steered())
    theme.apply(app, "dark")
    before = stage.view.grab().toImage()
    theme.apply(app, "light" if choice == "light" else "dark")
    assert (stage.view.grab().toImage() == before) == (choice == "dark")
    theme.apply(app, "dark")


def test_all_of_it_has_names_and_can_be_reached(stage: CompareStage) -> None:
    stage.compare(stage.baseline(), stage.steered())
    reached = [
        widget
        for widget in stage.view.runs.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible()
    ]
    unnamed = [
        type(widget).__name__
        for widget in reached
        if not widget.accessibleName() and widget.objectName() != "qt_spinbox_lineedit"
    ]
    assert not unnamed
    assert {"comparePlot", "compareTextA", "compareLetterB", "compareReport"} <= {
        widget.objectName() for widget in reached
    }
