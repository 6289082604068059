"""The shared small controls: what is chosen is said, what is set is silent, what is folded is hidden."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QTextDocument, QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from gazeviz.ui.widgets.controls import ChoiceButton, ColourScale, ElidedLabel, FoldOut, LabelledSlider
from gazeviz.ui.widgets.number_box import WholeNumberBox


def test_a_choice_is_told_once_and_shown(qtbot):
    button = ChoiceButton("metric", "What colours the heads", [("mass", "Mass"), ("live", "Live mass")])
    qtbot.addWidget(button)
    told: list[str] = []
    button.chosen.connect(told.append)
    assert button.text().startswith("Mass")
    button.menu().actions()[1].trigger()
    assert told == ["live"]
    button.set_current("live")
    assert button.text().startswith("Live mass") and "Live mass" in button.accessibleName()
    assert told == ["live"]


def test_options_can_be_replaced(qtbot):
    button = ChoiceButton("metric", "tip", [("a", "A")])
    qtbot.addWidget(button)
    button.set_options([("b", "B"), ("c", "C")])
    assert [action.text() for action in button.menu().actions()] == ["B", "C"]
    assert button.text().startswith("B")


def test_a_fold_out_opens_by_its_header(qtbot):
    content = QLabel("inside")
    fold = FoldOut("Audit", "audit", content)
    qtbot.addWidget(fold)
    fold.show()
    shown = [content.isVisible()]
    qtbot.mouseClick(fold.findChild(QToolButton, "auditHeader"), Qt.MouseButton.LeftButton)
    assert [*shown, content.isVisible()] == [False, True]
    assert not fold.folded


def test_slider_and_number_agree_and_setting_is_silent(qtbot):
    slider = LabelledSlider("topK", "Top K", 0, 64, "How many heads")
    qtbot.addWidget(slider)
    told: list[int] = []
    slider.value_chosen.connect(told.append)
    slider.set_value(8)
    assert (slider.slider.value(), slider.number.value(), told) == (8, 8, [])
    slider.slider.setValue(10)
    assert (slider.number.value(), told) == (10, [10])
    slider.number.setValue(3)
    assert (slider.slider.value(), told) == (3, [10, 3])


def test_a_long_line_is_elided_and_wholly_in_its_tooltip(qtbot):
    label = ElidedLabel("a sentence that is much longer than the room it gets")
    qtbot.addWidget(label)
    label.resize(60, 20)
    label.show()
    assert label.text() != label.whole and label.toolTip() == label.whole


def test_a_line_is_shown_as_it_is_written(qtbot):
    label = ElidedLabel("token 3 <s>\nof a run")
    qtbot.addWidget(label)
    assert label.textFormat() == Qt.TextFormat.PlainText
    shown = QTextDocument()
    shown.setHtml(label.toolTip())
    assert shown.toPlainText() == label.whole == label.accessibleName()


def test_a_legend_says_its_ends(qtbot):
    scale = ColourScale("gridScale")
    qtbot.addWidget(scale)
    scale.set_ends(0.0, 0.89)
    high = scale.findChild(QLabel, "gridScaleHigh")
    assert high is not None and high.text() == ".89"


def test_a_line_of_parts_is_cut_between_them(qtbot):
    label = ElidedLabel("boost/suppress · rows after the picture")
    qtbot.addWidget(label)
    label.resize(label.fontMetrics().horizontalAdvance("boost/suppress · rows"), 20)
    label.show()
    assert label.text() == "boost/suppress …"
    assert label.toolTip() == label.whole
    label.resize(600, 20)
    assert label.text() == label.whole


def test_what_is_folded_out_at_the_end_of_a_column_is_scrolled_to(qtbot):
    column, area, content, before = QWidget(), QScrollArea(), QLabel("content"), QLabel("before")
    content.setFixedHeight(120)
    before.setFixedHeight(280)
    fold = FoldOut("More", "more", content)
    layout = QVBoxLayout(column)
    layout.addWidget(before)
    layout.addWidget(fold)
    area.setWidgetResizable(True)
    area.setWidget(column)
    qtbot.addWidget(area)
    area.resize(200, 330)
    area.show()
    qtbot.waitExposed(area)
    fold.set_folded(False)
    qtbot.waitUntil(lambda: content.visibleRegion().boundingRect().height() == 120)


def turn_wheel(control: QWidget) -> bool:
    """Turn the wheel over a control by a notch; returns whether it took it."""
    at, none = QPointF(control.rect().center()), Qt.MouseButton.NoButton
    event = QWheelEvent(
        at, control.mapToGlobal(at), QPoint(), QPoint(0, 120), none, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(control, event)
    return event.isAccepted()


@pytest.mark.parametrize("part", ["number", "slider"])
def test_only_a_focused_number_takes_the_wheel(qtbot, part):
    slider = LabelledSlider("topK", "Top K", 0, 64, "How many heads")
    qtbot.addWidget(slider)
    slider.show()
    control = getattr(slider, part)
    assert not turn_wheel(control) and slider.slider.value() == 0
    assert not control.hasFocus()
    slider.activateWindow()
    control.setFocus()
    qtbot.waitUntil(control.hasFocus)
    assert turn_wheel(control) and slider.slider.value() > 0


def test_enter_gives_the_focus_back(qtbot):
    box = WholeNumberBox()
    qtbot.addWidget(box)
    box.show()
    box.activateWindow()
    box.setFocus()
    qtbot.waitUntil(box.hasFocus)
    qtbot.keyClicks(box, "7")
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert not box.hasFocus() and "7" in box.text()
