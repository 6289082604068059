"""Commands that depend on what the session holds: panels, rankings, head sets, layouts, samples, places.

They come and go, so they are gathered anew each time that the palette or a context menu opens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings
from gazeviz.domain.prompts import DIRECTS
from gazeviz.domain.wording import plural
from gazeviz.ui.heads.head_commands import gallery_commands, place_commands, ranking_commands
from gazeviz.ui.picture.picture_commands import (
    layout_commands,
    no_layout_command,
    recent_commands,
    sample_commands,
    token_commands,
)
from gazeviz.ui.steering.steering_commands import panel_question_commands
from gazeviz.ui.widgets.command import Command
from gazeviz.ui.widgets.controls import ChoiceButton

if TYPE_CHECKING:
    from gazeviz.ui.picture.open_menu import PictureMenu
    from gazeviz.ui.shell.explore_page import ExploreView


def offers(model: SessionModel, controller: RunController, explore: ExploreView) -> list[Command]:
    """Questions about panels, rankings and head sets, as the session is now."""
    found = (
        *(one for direct in DIRECTS for one in panel_question_commands(model, controller, direct)),
        *ranking_commands(model, explore.head_panel.ranking_bar),
        *place_commands(model, controller),
        *gallery_commands(model),
        *_head_sets(model, controller),
        *_choices(explore),
    )
    return [explore.in_sight(command) for command in found]


def picture_offers(
    model: SessionModel, controller: RunController, pictures: PictureMenu, settings: AppSettings
) -> list[Command]:
    """Layouts of panels, samples, recent pictures, and how many image tokens a picture may take."""
    return [
        no_layout_command(model, controller),
        *layout_commands(model, controller),
        *sample_commands(pictures),
        *recent_commands(pictures, settings),
        *token_commands(model, controller),
    ]


def place_offers(model: SessionModel, controller: RunController, point: tuple[float, float]) -> list[Command]:
    """What can be asked of a place of the picture. point: x, y in its pixels."""
    region = model.regions.at(*point)
    tokens = model.grid.token_at(*point) if model.grid is not None else None
    cell = int(tokens[0]) if tokens is not None and tokens.size else None
    found = []
    if cell is not None:
        found.append(Command("place.look_at_cell", f"Which heads look at cell {cell}?", "",
                             "Colour the grid by every head's mass on this cell.",
                             partial(controller.look_at_point, *point)))  # fmt: skip
    if region is not None:
        if cell is not None:
            found.append(Command("place.look_at_region", f"Which heads look at {region.name}?", "",
                                 "Colour the grid by every head's mass on this region.",
                                 partial(controller.look_at_region, region.id)))  # fmt: skip
        found.append(Command("place.target", f"Make {region.name} the target", "",
                             "Point the chosen heads at this region.",
                             partial(_aim, model, controller, region.id)))  # fmt: skip
    return found


def _aim(model: SessionModel, controller: RunController, region_id: int) -> None:
    model.active_region_id = region_id
    controller.retarget(region_id)


def _head_sets(model: SessionModel, controller: RunController) -> Iterator[Command]:
    for name, heads in model.saved_sets.items():
        recall = partial(controller.heads.recall, name)
        tip = f"{plural(len(heads), 'head')}, {heads.origin}."
        yield Command(f"sets.{name}", f"Head set: {name}", "", tip,
                      _attempt(controller, recall, "heads"))  # fmt: skip


def _attempt(controller: RunController, run: Callable[[], object], about: str) -> Callable[[], object]:
    return lambda: notices.attempt(controller.model, run, about)


def _choices(explore: ExploreView) -> Iterator[Command]:
    """What buttons with a menu choose, where they say of what."""
    for button in explore.findChildren(ChoiceButton):
        if button.subject:
            yield from button.commands()
