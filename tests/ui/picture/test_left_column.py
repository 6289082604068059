"""Tools, brush, rule, the fed picture and the map's line: bound to the session both ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel, QSlider, QSpinBox

from gazeviz.app.session.values import MapView, Tool
from gazeviz.domain.grid import TokenGrid, even_boxes
from gazeviz.ui.picture.map_bar import MapBar
from gazeviz.ui.picture.model_input_panel import FedPreview, PicturePanel, fed_text
from gazeviz.ui.picture.tool_bar import TOOL_TEXTS, ToolBar
from gazeviz.ui.widgets.controls import ElidedLabel
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import PaintingStage, child_of, open_painting_stage


@pytest.fixture
def stage(qtbot: PatientBot) -> Iterator[PaintingStage]:
    stage = open_painting_stage()
    stage.show(layout="1x3")
    yield stage
    stage.close()


@pytest.fixture
def tools(stage: PaintingStage, qtbot: PatientBot) -> ToolBar:
    tools = ToolBar(stage.model, stage.controller)
    qtbot.addWidget(tools)
    tools.resize(188, 220)
    tools.show()
    return tools


def label(parent, name: str) -> str:
    found = child_of(parent, name)
    assert isinstance(found, QLabel)
    return found.text()


def checked(parent, name: str) -> bool:
    found = child_of(parent, name)
    assert isinstance(found, QAbstractButton)
    return found.isChecked()


def test_every_tool_has_a_button_with_a_key_of_its_own():
    assert set(TOOL_TEXTS) == set(get_args(Tool))
    assert len({text.key for text in TOOL_TEXTS.values()}) == len(TOOL_TEXTS)


def test_the_chosen_tool_is_the_one_that_is_lit(stage, tools):
    for tool in TOOL_TEXTS:
        button = child_of(tools, f"tool_{tool}")
        assert isinstance(button, QAbstractButton)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        assert stage.model.tool == tool
    stage.model.tool = "erase"
    lit = [tool for tool in TOOL_TEXTS if checked(tools, f"tool_{tool}")]
    assert lit == ["erase"]


def test_slider_and_figure_follow_the_brush(stage, tools):
    slider, size = child_of(tools, "brushSlider"), child_of(tools, "brushSize")
    assert isinstance(slider, QSlider)
    assert isinstance(size, QSpinBox)
    for brush_px in (1, 3, 24, 100, 512):
        stage.model.brush_px = brush_px
        assert stage.model.brush_px == brush_px
        assert size.value() == brush_px
    assert slider.value() == slider.maximum()
    slider.setValue(0)
    assert stage.model.brush_px == 1
    size.setValue(77)
    assert stage.model.brush_px == 77


def test_the_rule_of_cells_is_chosen_and_a_share_asked_for(stage, tools):
    rule, share = child_of(tools, "cellRule"), child_of(tools, "cellShare")
    assert isinstance(rule, QComboBox)
    assert isinstance(share, QSpinBox)
    assert not share.isVisible()
    rule.setCurrentIndex(1)
    rule.activated.emit(1)
    assert stage.model.rule == "share"
    assert share.isVisible()
    share.setValue(80)
    assert stage.model.share == pytest.approx(0.8)


def test_the_panel_says_what_is_fed(stage, qtbot):
    panel = PicturePanel(stage.model, stage.controller)
    qtbot.addWidget(panel)
    panel.show()
    assert label(panel, "pictureName") == "slope  120 × 80"
    assert label(panel, "pictureFed") == "fed as 96 × 64 · 6 × 4 cells"
    assert label(panel, "picturePanels") == "3 panels, 1 × 3"
    assert child_of(panel, "fedPreview").isVisible()
    stage.model.set_grid(None, None)
    assert "not processed" in label(panel, "pictureFed")
    assert not child_of(panel, "fedPreview").isVisible()


def test_the_fed_pixels_are_shown_one_by_one(stage, qtbot):
    panel = PicturePanel(stage.model, stage.controller)
    qtbot.addWidget(panel)
    panel.show()
    preview = child_of(panel, "fedPreview")
    assert isinstance(preview, FedPreview)
    large = preview.show_large()
    assert large is not None
    fed_HW3 = stage.model.fed_pixels_HW3
    assert fed_HW3 is not None
    seen = large.pixmap().toImage()
    times = seen.width() // fed_HW3.shape[1]
    assert times >= 1
    pixel = seen.pixelColor(5 * times, 7 * times)
    assert [pixel.red(), pixel.green(), pixel.blue()] == fed_HW3[7, 5].tolist()
    large.close()
    stage.model.set_grid(None, None)
    assert preview.show_large() is None


def test_a_crop_is_said():
    grid = TokenGrid(even_boxes((2, 2), (15, 0, 45, 40)), (60, 40), (28, 28), (2, 2), "Cropped to a square.")
    assert fed_text(grid).splitlines() == [
        "fed as 28 × 28 · 2 × 2 cells",
        "50 % of the picture is visible to the model; the rest is cropped.",
        "Cropped to a square.",
    ]


def test_a_note_that_repeats_the_sizes_is_not_said_twice():
    boxes_P4 = even_boxes((2, 2), (0, 0, 60, 40))
    said = "The picture of 60 x 40 pixels is fed as 28 x 28."
    assert fed_text(TokenGrid(boxes_P4, (60, 40), (28, 28), (2, 2), said)) == "fed as 28 × 28 · 2 × 2 cells"
    more = TokenGrid(boxes_P4, (60, 40), (28, 28), (2, 2), f"{said} Tiles overlap.")
    assert fed_text(more).splitlines()[1] == "Tiles overlap."


def test_the_legend_has_the_maps_ends(stage, qtbot):
    bar = MapBar(stage.model, stage.controller)
    qtbot.addWidget(bar)
    bar.show()
    assert not child_of(bar, "mapHigh").isVisible()
    values_P = np.zeros(24, dtype=np.float32)
    values_P[3] = 0.31
    stage.model.map = MapView.of(values_P, "8 heads, mean")
    assert (label(bar, "mapLow"), label(bar, "mapHigh")) == ("0", ".31")
    whole = child_of(bar, "mapLabel")
    assert isinstance(whole, ElidedLabel)
    assert whole.whole == "8 heads, mean"
    assert child_of(bar, "mapHigh").isVisible()


def test_the_maps_line_is_bound_both_ways(stage, qtbot):
    bar = MapBar(stage.model, stage.controller)
    qtbot.addWidget(bar)
    strength, shown = child_of(bar, "overlayOpacity"), child_of(bar, "showMap")
    assert isinstance(strength, QSlider)
    assert isinstance(shown, QAbstractButton)
    strength.setValue(35)
    assert stage.model.overlay_opacity == pytest.approx(0.35)
    stage.model.overlay_opacity = 0.805
    assert stage.model.overlay_opacity == pytest.approx(0.805)
    shown.setChecked(False)
    assert not stage.model.show_map
    stage.model.show_cells = True
    assert checked(bar, "showCells")
