"""The trajectory: what is drawn of a run, and the cursor in both directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget

from gazeviz.app.session.values import Cursor, RunRecord
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.messages import GenerateSpec, Side, StepArrived
from gazeviz.domain.region import REGION_COLOURS, Region
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.ui.answers.curve_plot import TrajectoryCurves, dashes
from gazeviz.ui.answers.run_text import RunCues
from gazeviz.ui.answers.trajectory import TrajectoryLegend, TrajectoryPlot, blocks_of, mentions_of
from gazeviz.ui.answers.trajectory_marks import PlotMarks, TrajectoryMarks, _place_numbers
from gazeviz.ui.widgets.plot_place import PlotPlace, span_of, token_ticks, top_of
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import SIZE_PX, PaintingStage, child_of, open_painting_stage

HEADS = HeadSet((Head(0, 1), Head(2, 3)))


def panels(n: int = 3) -> tuple[Region, ...]:
    """Panels side by side, as the session's layout makes them."""
    width_px = SIZE_PX[0] / n
    return tuple(
        Region.box(f"Panel {k + 1}", (k * width_px, 0, (k + 1) * width_px, SIZE_PX[1]), SIZE_PX)
        for k in range(n)
    )


def step(index: int, n_regions: int, target: str | None, control: bool = True) -> StepArrived:
    """A token that looks at one region after the other, eight tokens each."""
    masses_R = np.full(n_regions, 0.02, dtype=np.float32)
    looks_at = index // 8 % n_regions if n_regions else None
    if looks_at is not None:
        masses_R[looks_at] = 0.8
    control_R = np.full(n_regions, 0.1, dtype=np.float32) if control else None
    text = f" Panel {(looks_at or 0) + 1}" if index % 8 == 0 else " word"
    return StepArrived(
        1, index, index, text, -0.1, 5.0, target, masses_R, masses_R * 3, control_R,
        np.zeros(24, dtype=np.float32), looks_at,
    )  # fmt: skip


class Shown:
    """A session whose runs grow by hand."""

    def __init__(self, stage: PaintingStage, qtbot: PatientBot) -> None:
        self.stage, self.model, self.qtbot = stage, stage.model, qtbot
        self.plot = TrajectoryPlot(stage.model, stage.controller)
        qtbot.addWidget(self.plot)
        self.plot.resize(720, 170)
        self.plot.show()

    def run(self, side: Side, n_tok: int, regions: tuple[Region, ...], *, ended: bool = True,
            steering: Steering | None = None, control: bool = True) -> RunRecord:  # fmt: skip
        """Show a run of some tokens."""
        spec = GenerateSpec(
            "0" * 64, "?", steering=steering, max_new_tokens=300, chosen=HEADS, regions=regions
        )
        record = RunRecord(7 if side == "steered" else 6, side, spec, "done" if ended else "running")
        for index in range(n_tok):
            target = steering.target_at(index) if steering is not None else None
            record.steps.append(step(index, len(regions), target.name if target else None, control))
        self.model.show_run(side, record)
        self.settle()
        return record

    def settle(self) -> None:
        """Wait until what was shown is drawn."""
        self.qtbot.waitUntil(lambda: not self.model.frames.waiting)

    def add(self, record: RunRecord) -> None:
        """Let a token arrive."""
        record.steps.append(step(len(record.steps), len(record.regions), None))
        self.model.note_step(record.id, len(record.steps) - 1)

    @property
    def marks(self) -> TrajectoryMarks:
        found = child_of(self.plot, "trajectoryMarks")
        assert isinstance(found, TrajectoryMarks)
        return found

    @property
    def curves(self) -> TrajectoryCurves:
        found = child_of(self.plot, "trajectoryCurves")
        assert isinstance(found, TrajectoryCurves)
        return found

    def shows(self, colour: tuple[int, int, int], token: float, mass: float) -> bool:
        """Whether a line of a colour runs through a token and a mass."""
        place = self.marks._place
        x, y = round(place.x_of(token)), round(place.y_of(mass))
        seen = pixels_of(self.curves)[y - 2 : y + 3, x, ::-1]
        return bool((np.abs(seen - colour).max(axis=1) < 30).any())

    def at(self, token: int) -> QPoint:
        place = self.marks._place
        return QPoint(round(place.x_of(token)), round(place.rect.center().y()))


def pixels_of(widget: QWidget) -> np.ndarray:
    return pixels_in(widget.grab())


def pixels_in(pixmap: QPixmap) -> np.ndarray:
    image = pixmap.toImage().convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.width(), 4)
    return pixels[..., :3].astype(np.int64)


@pytest.fixture
def shown(qtbot: PatientBot) -> Iterator[Shown]:
    stage = open_painting_stage()
    stage.show(layout="1x3")
    yield Shown(stage, qtbot)
    stage.close()


def test_before_a_run_it_says_what_to_do(shown):
    empty = child_of(shown.plot, "trajectoryEmpty")
    assert isinstance(empty, QLabel)
    assert empty.isVisible()
    assert "Run the prompt" in empty.text()
    shown.run("steered", 5, ())
    assert "no regions" in empty.text()
    shown.run("baseline", 5, panels())
    shown.model.cursor = Cursor("baseline", 1, 1)
    assert not empty.isVisible()


def test_each_region_has_a_line_in_its_colour_and_a_dashed_control(shown):
    shown.run("baseline", 24, panels())
    blue, orange, green = ((0, 114, 178), (230, 159, 0), (0, 158, 115))
    for token, colour in ((3.5, blue), (11.5, orange), (19.5, green)):
        assert shown.shows(colour, token, 0.8)
    assert shown.curves.n_lines == 6
    shown.model.show_control = False
    assert shown.curves.n_lines == 3


def test_value_weighted_mass_is_another_unit_that_the_control_is_not_measured_in(shown):
    shown.run("baseline", 20, panels())
    shown.model.weighted = True
    assert shown.curves.n_lines == 3
    assert shown.marks._place.top == pytest.approx(5.0)
    assert shown.shows((0, 114, 178), 3.5, 2.4)
    control = child_of(shown.plot, "trajectoryControl")
    assert isinstance(control, QAbstractButton)
    assert not control.isEnabled()
    shown.model.weighted = False
    assert control.isEnabled()
    assert control.isChecked()


def test_curves_drawn_token_by_token_look_like_those_drawn_at_once(shown, qtbot):
    record = shown.run("baseline", 1, panels(), ended=False)
    for _ in range(40):
        shown.add(record)
        shown.plot.refresh()
        shown.curves.grab()
    streamed = pixels_of(shown.curves)
    shown.curves._n_drawn = 0
    assert np.abs(streamed - pixels_of(shown.curves)).max() <= 80  # where the two halves of a dash meet
    assert np.abs(streamed - pixels_of(shown.curves)).mean() < 0.2


def test_the_part_that_is_painted_of_each_token_is_all_that_it_adds(qtbot, rng):
    """The pixels on the screen, where only parts were painted, against a whole painting."""
    curves = TrajectoryCurves()
    qtbot.addWidget(curves)
    curves.resize(400, 120)
    with qtbot.waitExposed(curves):
        curves.show()
    place, masses_TR = PlotPlace.within(curves.size(), 16, 1.0), rng.random((16, 3)).astype(np.float32)
    for n_tok in range(1, 17):
        control_TR = 0.5 * masses_TR[:n_tok]
        curves.show_masses(place, masses_TR[:n_tok], control_TR, [QColor(c) for c in REGION_COLOURS[:3]])
        QApplication.processEvents()
    on_screen = pixels_in(curves.screen().grabWindow(curves.winId()))
    assert (on_screen == pixels_of(curves)).all()


def test_another_theme_and_another_size_are_drawn_anew(shown):
    shown.run("baseline", 20, panels())
    before = pixels_of(shown.curves)
    shown.plot.resize(900, 220)
    assert pixels_of(shown.curves).shape != before.shape
    assert shown.shows((0, 114, 178), 3.5, 0.8)


def test_a_click_moves_the_cursor_and_the_cursor_moves_the_line(shown):
    shown.run("baseline", 20, panels())
    QTest.mouseClick(shown.marks, Qt.MouseButton.LeftButton, pos=shown.at(5))
    assert shown.model.cursor == Cursor("baseline", 5, 5)
    shown.model.cursor = Cursor("baseline", 3, 9)
    assert shown.marks._cursor == (3, 9)
    QTest.keyClick(shown.marks, Qt.Key.Key_Escape)
    assert shown.model.cursor is None
    QTest.keyClick(shown.marks, Qt.Key.Key_Home)
    assert shown.model.cursor == Cursor("baseline", 0, 0)


@pytest.mark.parametrize(("start", "end", "span"), [(4, 9, (4, 9)), (9, 4, (4, 9)), (15, 400, (15, 19))])
def test_a_drag_spans_tokens(shown, start, end, span):
    shown.run("baseline", 20, panels())
    QTest.mousePress(shown.marks, Qt.MouseButton.LeftButton, pos=shown.at(start))
    for token in (start, (start + end) // 2, end):
        QTest.mouseMove(shown.marks, shown.at(token))
    QTest.mouseRelease(shown.marks, Qt.MouseButton.LeftButton, pos=shown.at(end))
    assert shown.model.cursor == Cursor("baseline", *span)


def test_the_legend_says_the_masses_at_the_token_and_the_mean_of_a_span(shown):
    shown.run("baseline", 20, panels())
    legend = child_of(shown.plot, "trajectoryLegend")
    assert isinstance(legend, TrajectoryLegend)
    shown.model.cursor = Cursor("baseline", 8, 8)
    assert [row.number for row in legend._rows] == ["1", "2", "3"]
    assert [row.mass for row in legend._rows] == pytest.approx([0.02, 0.8, 0.02])
    assert "2 Panel 2: .8, random control .1" in legend.toolTip()
    shown.model.cursor = Cursor("baseline", 7, 8)
    assert legend._rows[0].mass == pytest.approx(0.41)


def test_the_legend_names_the_token_also_where_it_adds_no_text(shown):
    record = shown.run("baseline", 3, panels())
    record.steps = [*record.steps[:1], *(replace(step, text="") for step in record.steps[1:])]
    record.special_tokens = {2: "<|im_end|>"}
    legend = child_of(shown.plot, "trajectoryLegend")
    titles = []
    for token in range(3):
        shown.model.cursor = Cursor("baseline", token, token)
        titles.append(legend.toolTip().splitlines()[0])
    assert titles == ["token 0 “Panel 1”", "token 1 ‹1›", "token 2 <|im_end|>"]


def test_the_legend_keeps_up_with_tokens_whose_curves_are_not_drawn_yet(shown):
    record = shown.run("baseline", 2, panels(), ended=False)
    shown.add(record)
    shown.add(record)
    shown.plot._follow()
    shown.add(record)
    shown.plot._show_legend()
    assert child_of(shown.plot, "trajectoryLegend").toolTip().startswith("token 3 ")
    shown.settle()
    assert child_of(shown.plot, "trajectoryLegend").toolTip().startswith("token 4 ")


def test_targets_are_blocks_and_those_to_come_are_planned(shown):
    one, two, three = panels()
    steering = Steering(HEADS, one, schedule=Schedule(((0, one), (4, None), (6, three), (12, two))))
    record = shown.run("steered", 8, panels(), ended=False, steering=steering)
    blocks = blocks_of(record, RunCues(shown.model, record), 16)
    assert [(block.first, block.last, block.number, block.planned) for block in blocks] == [
        (0, 3, "1", False), (6, 7, "3", False), (8, 11, "3", True), (12, 15, "2", True),
    ]  # fmt: skip
    assert [block.switched for block in blocks] == [False, True, False, True]
    record.state = "done"
    assert len(blocks_of(record, RunCues(shown.model, record), 8)) == 2


def test_a_region_that_was_moved_in_the_list_has_its_new_number(shown):
    record = shown.run("baseline", 10, panels())
    shown.stage.controller.editor.move_region(shown.model.regions.ids[0], 2)
    assert [mention.number for mention in mentions_of(record, RunCues(shown.model, record))] == ["3", "1"]
    assert [look[0] for look in shown.marks._marks.looks] == ["3", "1", "2"]


def test_names_in_the_text_are_marked_where_they_begin(shown):
    record = shown.run("baseline", 20, panels())
    mentions = mentions_of(record, RunCues(shown.model, record))
    assert [(mention.token, mention.number) for mention in mentions] == [(0, "1"), (8, "2"), (16, "3")]


def test_tokens_that_stream_are_drawn_together_and_the_last_one_is_there(shown, qtbot):
    record = shown.run("baseline", 1, panels(), ended=False)
    for _ in range(60):
        shown.add(record)
    assert shown.curves.n_tok < 61
    qtbot.waitUntil(lambda: shown.curves.n_tok == 61)
    assert shown.marks._place.n_tok == 64
    record.state = "done"
    shown.model.note_run(record.id)
    qtbot.waitUntil(lambda: shown.marks._place.n_tok == 61)


def test_the_side_button_takes_the_cursor_there(shown):
    shown.run("baseline", 20, panels())
    shown.run("steered", 12, panels(), steering=Steering(HEADS, panels()[0]))
    button = child_of(shown.plot, "trajectorySide")
    assert button.isVisible()
    shown.model.cursor = Cursor("steered", 4, 4)
    shown.plot._side.chosen.emit("baseline")
    assert shown.model.cursor == Cursor("baseline", 4, 4)


def test_without_a_control_there_is_no_dashed_line(shown):
    shown.run("baseline", 10, panels(), control=False)
    assert shown.curves.n_lines == 3
    assert not child_of(shown.plot, "trajectoryControl").isEnabled()


# Pieces


def test_dashes_lie_on_the_curve_and_go_on_where_they_ended(rng):
    x_T = np.arange(40) * 25.0
    xy_RT2 = np.stack([np.stack([x_T, rng.random(40) * high], axis=1) for high in (5, 12, 0)])
    drawn, ends_R = dashes(xy_RT2, np.zeros(3))
    assert np.allclose(ends_R, np.hypot(*np.diff(xy_RT2, axis=1).transpose(2, 0, 1)).sum(axis=1))
    before, along_R = dashes(xy_RT2[:, :20], np.zeros(3))
    after, _ = dashes(xy_RT2[:, 19:], along_R)
    for xy_T2, whole_N4, first_N4, rest_N4 in zip(
        xy_RT2, *(map(np.array, lines) for lines in (drawn, before, after)), strict=True
    ):
        assert np.allclose(np.interp(whole_N4[:, 0], *xy_T2.T), whole_N4[:, 1])
        lengths_N = np.hypot(whole_N4[:-1, 2] - whole_N4[:-1, 0], whole_N4[:-1, 3] - whole_N4[:-1, 1])
        assert np.all(lengths_N < 4.001) and np.median(lengths_N) > 3.9  # a chord where the curve bends
        assert np.allclose(first_N4[:-1], whole_N4[: len(first_N4) - 1])
        assert np.allclose(rest_N4[1:], whole_N4[-(len(rest_N4) - 1) :])
        assert rest_N4[0, 0] >= xy_T2[19, 0] - 0.001
    assert dashes(xy_RT2[:, :1], np.zeros(3))[0] == [[], [], []]


def test_tokens_and_pixels_agree():
    place = PlotPlace(40, 30, 200, 100, 50, 0.5)
    assert [place.token_at(place.x_of(token)) for token in (0, 17, 49)] == [0, 17, 49]
    assert (place.token_at(0), place.token_at(999)) == (0, 49)
    assert place.y_of(0.25) == pytest.approx(80)


@pytest.mark.parametrize(
    ("highest", "weighted", "top"),
    [(0.985, False, 1.0), (1.0, False, 1.0), (0.41, False, 0.5), (0.004, False, 0.1), (0.0, False, 1.0),
     (3.1, True, 5.0), (0.99, True, 2.0), (41.0, True, 50.0), (float("nan"), True, 1.0)],
)  # fmt: skip
def test_the_axis_ends_on_a_round_number(highest, weighted, top):
    assert top_of(highest, weighted) == pytest.approx(top)


def test_the_span_leaps_while_tokens_come_and_fits_at_the_end():
    assert [span_of(n_tok, 60, False) for n_tok in (1, 7, 16, 31, 59)] == [16, 16, 32, 32, 60]
    assert span_of(31, 60, True) == 31
    assert all(len(token_ticks(n_tok, 600)) <= 15 for n_tok in (1, 12, 60, 300, 1000))


def test_numbers_stand_apart_and_low_curves_have_none(rng):
    masses_TR = rng.random((300, 12)).astype(np.float32) * 0.9
    masses_TR[:, 11] = 0.01
    looks = [(str(number + 1), "#0072B2") for number in range(12)]
    place = PlotPlace(40, 30, 600, 90, 300, 1.0)
    chips = _place_numbers(place, PlotMarks(masses_TR=masses_TR, looks=looks, n_tok=300))
    rects = [rect for rect, _, _ in chips]
    assert not any(one.intersects(other) for one in rects for other in rects if one is not other)
    assert all(place.rect.contains(rect) for rect in rects)
    assert "12" not in [number for _, number, _ in chips]
    shifted = replace(place, top=10.0)
    assert not _place_numbers(shifted, PlotMarks(masses_TR=masses_TR, looks=looks, n_tok=300))
