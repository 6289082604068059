"""The canvas's context menu: what can be asked of the place under the pointer."""

from __future__ import annotations

from PySide6.QtWidgets import QMenu, QWidget

from gazeviz.app.painting import Point
from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.ui.canvas_desk import CanvasDesk


def place_menu(
    parent: QWidget, model: SessionModel, controller: RunController, desk: CanvasDesk, point: Point
) -> QMenu:
    """Ask which heads look at the cell or the region there, or make the region the target."""
    menu, region, cell = QMenu(parent), model.regions.at(*point), desk.cell_at(point)
    if cell is not None:
        asked = menu.addAction(f"Which heads look at cell {cell}?")
        asked.triggered.connect(lambda: controller.look_at_point(*point))
    if region is not None:
        name, region_id = region.name, region.id
        if cell is not None:
            asked = menu.addAction(f"Which heads look at {name}?")
            asked.triggered.connect(lambda: controller.look_at_region(region_id))
        menu.addAction(f"Make {name} the target").triggered.connect(lambda: desk.aim(point))
    return menu
