"""Commands about regions: the list, what is done with the active one, and files of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap

from gazeviz.app.editing.region_files import RegionForm
from gazeviz.app.editing.regions import EditableRegion
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.region import REGION_COLOURS
from gazeviz.ui.widgets.command import Command, Entry, Submenu
from gazeviz.ui.widgets.reasons import first_of, no_active_region, no_cells, no_painted_region, no_picture

if TYPE_CHECKING:
    from gazeviz.ui.picture.regions_panel import RegionListView

COLOUR_NAMES: Final = ("Blue", "Orange", "Green", "Vermilion", "Sky blue", "Purple", "Yellow", "Grey")
FORMS: Final[dict[RegionForm, str]] = {"png": "PNG masks", "labelme": "labelme JSON", "coco": "COCO JSON"}
"""Forms of files and what menus call them."""


def region_list_commands(model: SessionModel, panel: RegionListView) -> list[Command]:
    """Regions as a list and as files."""
    unlocked = no_active_region(model, unlocked=True)
    return [
        Command("edit.new_region", "New region", "N", "Add an empty region and paint on it.",
                panel.add_region, no_picture(model)),
        Command("edit.rename_region", "Rename the active region", "F2", "Type a new name in the list.",
                panel.rename_active, unlocked, label="Rename"),
        Command("edit.delete_region", "Delete the active region", "Del", "Delete it; this can be undone.",
                panel.delete_active, unlocked, label="Delete"),
        Command("edit.import_regions", "Import regions ...", "", "Read PNG masks, labelme or COCO files.",
                panel.import_regions, no_picture(model)),
        *(
            Command(f"edit.export_{form}", f"Export regions as {text} ...", "", "Write all painted regions.",
                    partial(panel.export_regions, form), no_painted_region(model), label=f"{text} ...")
            for form, text in FORMS.items()
        ),
    ]  # fmt: skip


def look_command(model: SessionModel, controller: RunController) -> Command:
    """Asking which heads look at the active region."""

    def look() -> None:
        if model.active_region_id is not None:
            controller.look_at_region(model.active_region_id)

    return Command("heads.look_at_region", "Which heads look at the active region?", "Ctrl+L",
                   "Colour the grid by every head's mass on the active region.", look,
                   first_of(no_active_region(model), no_cells(model)),
                   label="Which heads look here?")  # fmt: skip


def active_region_commands(model: SessionModel, controller: RunController) -> list[Command]:
    """What is done with the active region."""
    editor = controller.editor

    def act(change: Callable[[EditableRegion], object]) -> Callable[[], object]:
        def run() -> None:
            region = model.active_region
            if region is not None:
                notices.attempt(controller.model, lambda: change(region), "regions")

        return run

    def is_visible() -> bool:
        return model.active_region is not None and model.active_region.visible

    def is_locked() -> bool:
        return model.active_region is not None and model.active_region.locked

    none = no_active_region(model)
    return [
        Command("edit.target_region", "Make the active region the target", "",
                "Point the chosen heads at it.", act(lambda region: controller.retarget(region.id)), none,
                label="Make it the target"),
        Command("edit.show_region", "Show or hide the active region", "",
                "A hidden region stays active and can be the target.",
                act(lambda region: editor.show_region(region.id, not region.visible)), none, is_visible,
                label="Visible"),
        Command("edit.lock_region", "Lock or unlock the active region", "",
                "A locked region is protected from changes.",
                act(lambda region: editor.lock_region(region.id, not region.locked)), none, is_locked,
                label="Locked"),
        Command("edit.clear_region", "Clear the pixels of the active region", "",
                "The region stays, empty; this can be undone.",
                act(lambda region: editor.clear_region(region.id)), no_active_region(model, unlocked=True),
                label="Clear its pixels"),
    ]  # fmt: skip


def colour_commands(
    model: SessionModel, controller: RunController, region_id: int | None = None
) -> list[Command]:
    """Colours of a region, the active one where none is named."""

    def recolour(colour: str) -> None:
        chosen = model.active_region_id if region_id is None else region_id
        if chosen is not None:
            notices.attempt(
                controller.model, lambda: controller.editor.recolour_region(chosen, colour), "regions"
            )

    def has(colour: str) -> bool:
        chosen = model.active_region_id if region_id is None else region_id
        region = None if chosen is None else model.regions.get(chosen)
        return region is not None and region.colour.lower() == colour.lower()

    return [
        Command(f"edit.colour_{name.lower().replace(' ', '_')}", f"Colour of the active region: {name}", "",
                "Draw the region in this colour, wherever it is shown.", partial(recolour, colour),
                no_active_region(model), partial(has, colour), label=name, icon=partial(swatch, colour))
        for name, colour in zip(COLOUR_NAMES, REGION_COLOURS, strict=True)
    ]  # fmt: skip


def region_menu(model: SessionModel, controller: RunController, panel: RegionListView) -> list[Entry]:
    """The menu of the list: the active region, if there is one, and files."""
    by_id = {command.id: command for command in region_list_commands(model, panel)}
    exports = [by_id[f"edit.export_{form}"] for form in FORMS]
    files: list[Entry] = [
        by_id["edit.import_regions"],
        Submenu("exportRegions", "Export regions", lambda: exports, no_painted_region(model)),
    ]
    if model.active_region is None:
        return files
    target, show, lock, clear = active_region_commands(model, controller)
    colours = Submenu("regionColours", "Colour", lambda: colour_commands(model, controller))
    return [
        target, look_command(model, controller), by_id["edit.rename_region"], colours, show, lock, clear,
        by_id["edit.delete_region"], None, *files,
    ]  # fmt: skip


def swatch(colour: str) -> QIcon:
    """A colour as an icon."""
    pixmap = QPixmap(14, 14)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(pixmap.rect(), 3, 3)
    painter.end()
    return QIcon(pixmap)
