"""The region list: its rows say what the session has, and each control is one step of undo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QDropEvent, QEnterEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFileDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QWidget,
)

from gazeviz.app.editing import painting
from gazeviz.ui.picture.regions_panel import OrderedList, RegionListView
from gazeviz.ui.widgets import theme
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import SIZE_PX, PaintingStage, child_of, open_painting_stage

COLUMN_PX = 188


@pytest.fixture
def stage(qtbot: PatientBot) -> Iterator[PaintingStage]:
    stage = open_painting_stage()
    stage.show(layout="1x3")
    yield stage
    stage.close()


@pytest.fixture
def view(stage: PaintingStage, qtbot: PatientBot) -> RegionListView:
    view = RegionListView(stage.model, stage.controller)
    qtbot.addWidget(view)
    view.resize(COLUMN_PX, 300)
    view.show()
    return view


def rows(view: RegionListView) -> OrderedList:
    found = child_of(view, "regionList")
    assert isinstance(found, OrderedList)
    return found


def push(view: RegionListView, name: str) -> None:
    button = child_of(view, name)
    assert isinstance(button, QAbstractButton)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def point_at(row: QWidget) -> None:
    middle = QPointF(row.rect().center())
    QApplication.sendEvent(row, QEnterEvent(middle, middle, row.mapToGlobal(middle)))


def test_rows_show_the_cells_that_regions_select_and_follow_painting(stage, view):
    first = stage.model.regions.ids[0]
    count = child_of(view, f"regionCells_{first}")
    assert isinstance(count, QLabel)
    assert count.text() == "8"
    stage.model.active_region_id = first
    stage.controller.editor.paint(painting.rectangle((0, 0), (40, 40), SIZE_PX), "Erase", erase=True)
    assert count.text() == "4"
    stage.controller.editor.undo_stack.undo()
    assert count.text() == "8"


@pytest.mark.parametrize("column_px", [COLUMN_PX, 320, 150])
def test_every_control_lies_inside_the_row(stage, view, qtbot, column_px):
    view.resize(column_px, 300)
    stage.controller.editor.rename_region(
        stage.model.regions.ids[1], "A name that is much longer than its row"
    )
    first = child_of(view, f"region_{stage.model.regions.ids[0]}")
    qtbot.waitUntil(lambda: column_px - 20 <= first.width() <= column_px)
    for region_id in stage.model.regions.ids:
        row = child_of(view, f"region_{region_id}")
        assert row.width() <= column_px
        for name in ("Colour", "Cells", "Eye", "Lock", "Target"):
            control = child_of(view, f"region{name}_{region_id}")
            assert 0 <= control.geometry().left() <= control.geometry().right() < row.width(), name
            assert control.accessibleName()


def test_without_regions_it_says_how_to_get_one(stage, view):
    none = child_of(view, "noRegion")
    assert isinstance(none, QLabel) and not none.isVisible()
    stage.controller.apply_layout(None)
    assert none.isVisible() and not rows(view).isVisible()
    assert none.text() == "No region yet. Draw one on the picture."
    push(view, "newRegion")
    assert rows(view).isVisible() and rows(view).height() < 40 and not none.isVisible()


def test_the_selected_row_is_the_active_region(stage, view):
    rows(view).setCurrentRow(2)
    assert stage.model.active_region_id == stage.model.regions.ids[2]
    stage.model.active_region_id = stage.model.regions.ids[0]
    assert rows(view).currentRow() == 0


def test_a_name_is_written_in_its_row(stage, view):
    second = stage.model.regions.ids[1]
    stage.model.active_region_id = second
    QTest.keyClick(rows(view), Qt.Key.Key_F2)
    line = child_of(view, f"regionName_{second}")
    assert isinstance(line, QLineEdit)
    QTest.keyClicks(line, "Robot")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert stage.model.regions.of(second).name == "Robot"
    stage.controller.editor.undo_stack.undo()
    assert stage.model.regions.of(second).name == "Panel 2"


def test_esc_leaves_a_name_as_it_was(stage, view):
    stage.model.active_region_id = stage.model.regions.ids[0]
    view.rename_active()
    line = child_of(view, f"regionName_{stage.model.active_region_id}")
    QTest.keyClicks(line, "Robot")
    QTest.keyClick(line, Qt.Key.Key_Escape)
    assert stage.model.regions.names == ("Panel 1", "Panel 2", "Panel 3")


def test_eye_and_lock_are_steps_of_undo(stage, view):
    first = stage.model.regions.ids[0]
    point_at(child_of(view, f"region_{first}"))
    push(view, f"regionEye_{first}")
    push(view, f"regionLock_{first}")
    region = stage.model.regions.of(first)
    assert (region.visible, region.locked) == (False, True)
    push(view, f"regionEye_{first}")
    push(view, f"regionLock_{first}")
    region = stage.model.regions.of(first)
    assert (region.visible, region.locked) == (True, False)
    stage.controller.editor.undo_stack.undo()
    assert stage.model.regions.of(first).locked


def test_eye_and_lock_leave_their_room_to_the_name_until_the_row_is_pointed_at(stage, view):
    first = stage.model.regions.ids[0]
    row, eye, lock = (child_of(view, f"region{part}_{first}") for part in ("", "Eye", "Lock"))
    assert not eye.isVisible()
    point_at(row)
    assert eye.isVisible()
    assert lock.isVisible()
    row.leaveEvent(QEvent(QEvent.Type.Leave))
    stage.controller.editor.lock_region(first, True)
    assert lock.isVisible()
    assert not eye.isVisible()


def test_the_key_makes_a_region_the_target(stage, view):
    third = stage.model.regions.ids[2]
    push(view, f"regionTarget_{third}")
    assert stage.model.target_region_id == third
    assert "is the target" in child_of(view, f"regionTarget_{third}").accessibleName()


def test_delete_takes_the_active_region_and_its_neighbour_is_next(stage, view):
    one, two, three = stage.model.regions.ids
    stage.model.active_region_id = two
    QTest.keyClick(rows(view), Qt.Key.Key_Delete)
    assert stage.model.regions.ids == (one, three)
    assert stage.model.active_region_id == three
    stage.controller.editor.undo_stack.undo()
    assert stage.model.regions.ids == (one, two, three)


def test_a_locked_region_is_not_deleted_and_says_so(stage, view):
    first = stage.model.regions.ids[0]
    stage.controller.editor.lock_region(first, True)
    stage.model.active_region_id = first
    view.delete_active()
    assert first in stage.model.regions
    assert "locked" in stage.notice


def test_a_new_region_is_empty_and_active(stage, view):
    push(view, "newRegion")
    assert len(stage.model.regions) == 4
    assert stage.model.active_region is not None
    assert stage.model.active_region.empty
    assert rows(view).currentRow() == 3


@pytest.mark.parametrize(
    ("dragged", "onto", "lower_half", "order"),
    [(0, 2, True, (1, 2, 0)), (2, 0, False, (2, 0, 1)), (0, 1, False, (0, 1, 2)), (1, 1, True, (0, 1, 2))],
)
def test_a_row_is_dropped_where_it_is_wanted(stage, view, dragged, onto, lower_half, order):
    ids, listed = stage.model.regions.ids, rows(view)
    listed.setCurrentRow(dragged)
    rect = listed.visualItemRect(listed.item(onto))
    at = QPoint(30, rect.bottom() - 3 if lower_half else rect.top() + 3)
    mime = listed.model().mimeData([listed.currentIndex()])
    event = QDropEvent(
        QPointF(at), Qt.DropAction.MoveAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    listed.dropEvent(event)
    assert stage.model.regions.ids == tuple(ids[place] for place in order)
    assert listed.count() == 3


def test_alt_and_an_arrow_move_a_region(stage, view):
    one, two, three = stage.model.regions.ids
    stage.model.active_region_id = one
    QTest.keyClick(rows(view), Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert stage.model.regions.ids == (two, one, three)
    assert stage.model.active_region_id == one
    assert rows(view).currentRow() == 1


def test_the_menu_recolours(stage, view):
    stage.model.active_region_id = stage.model.regions.ids[0]
    menu = view.context_menu()
    colours = next(found for found in menu.findChildren(QMenu) if found.title() == "Colour")
    colours.actions()[3].trigger()
    assert stage.model.regions.of(stage.model.regions.ids[0]).colour == "#D55E00"


def test_regions_go_to_files_and_come_back(stage, view, tmp_path: Path, monkeypatch, qtbot: PatientBot):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    view.export_regions("png")
    files = sorted(str(path) for path in tmp_path.glob("*.png"))
    assert len(files) == 3
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (files[:1], ""))
    view.import_regions()
    assert view.findChild(QPushButton, "stopImport").isVisibleTo(view)
    qtbot.waitUntil(lambda: len(stage.model.regions) == 4)
    assert not view.findChild(QPushButton, "stopImport").isVisibleTo(view)
    assert np.array_equal(stage.mask(3), stage.mask(0))


def test_a_dialog_that_is_left_changes_nothing(stage, view, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([], ""))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    view.import_regions()
    view.export_regions("coco")
    assert len(stage.model.regions) == 3
    assert stage.model.notice is None


def test_icons_follow_the_theme(view, qapp):
    button = child_of(view, "newRegion")
    assert isinstance(button, QAbstractButton)
    before = (theme.choice(), button.icon().cacheKey())
    try:
        theme.apply(qapp, "light" if theme.current().dark else "dark")
        assert button.icon().cacheKey() != before[1]
    finally:
        theme.apply(qapp, before[0])
