"""The button that says and changes where the chosen heads are pointed."""

from __future__ import annotations

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.ui.steering.steering_commands import shortened, target_commands
from gazeviz.ui.widgets.command import Entry, Heading
from gazeviz.ui.widgets.controls import MenuButton
from gazeviz.ui.widgets.region_badge import BADGE_PX, badge_icon


class TargetMenu(MenuButton):
    """Shows the target with number and colour; its menu lists all regions."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        tip = "Target of the chosen heads; a run in progress follows from its next token  1 to 9"
        super().__init__("", "steerTarget", tip, parent)
        self._model, self._controller = model, controller
        self.setIconSize(BADGE_PX)
        self.offer(self._entries)
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

    def _entries(self) -> list[Entry]:
        model = self._model
        targets = target_commands(model, model.target_region_id, self._controller.retarget)
        return targets or [Heading("No region is painted yet")]
