"""The button that says and changes where the chosen heads are pointed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QMenu, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import MenuButton
from gazeviz.ui.widgets.region_badge import BADGE_PX, badge_icon

_LONGEST_NAME: Final = 18
_LAST_KEY: Final = 9

Chosen: TypeAlias = Callable[[int | None], object]
"""Told a region, or None for none."""


class TargetMenu(MenuButton):
    """Shows the target with number and colour; its menu lists all regions."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        tip = "Target of the chosen heads; a run in progress follows from its next token  1 to 9"
        super().__init__("", "steerTarget", tip, parent)
        self._model, self._controller = model, controller
        self.setIconSize(BADGE_PX)
        self.menu().aboutToShow.connect(self._fill)
        for signal in (model.target_changed, model.regions_changed):
            signal.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        region = self._model.target_region
        if region is None:
            self.setIcon(QIcon())
            self.set_label("no target")
        else:
            self.setIcon(badge_icon(self._model.regions.number_of(region.id), region.colour))
            self.set_label(shortened(region.name))

    def _fill(self) -> None:
        self.menu().clear()
        add_regions(self.menu(), self._model, self._model.target_region_id, self._controller.retarget)
        if self.menu().isEmpty():
            self.menu().addAction("No region is painted yet").setEnabled(False)


def add_regions(menu: QMenu, model: SessionModel, current: int | None, on_chosen: Chosen) -> None:
    """List all regions in a menu, the present one checked, and after them "let the heads go"."""
    for number, region in enumerate(model.regions, start=1):
        n_cells = model.cells_of(region.id).size
        key = f"\t{number}" if number <= _LAST_KEY else ""
        action = menu.addAction(badge_icon(number, region.colour), f"{shortened(region.name)}{key}")
        action.setObjectName(f"target_{region.id}")
        action.setCheckable(True)
        action.setChecked(region.id == current)
        action.setFont(theme.font_ui(13, 600 if region.id == current else 400))
        action.setToolTip(f"{region.name}: {n_cells} token cell{'' if n_cells == 1 else 's'}")
        action.triggered.connect(lambda _=False, chosen=region.id: on_chosen(chosen))
    if len(model.regions):
        menu.addSeparator()
        free = menu.addAction("No target: let the heads go")
        free.setObjectName("target_none")
        free.setToolTip("The heads attend freely from the next token on")
        free.triggered.connect(lambda: on_chosen(None))


def shortened(name: str) -> str:
    """A region's name, cut where it is long."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
