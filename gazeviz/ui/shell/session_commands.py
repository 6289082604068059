"""Commands that depend on what the session holds: panels, rankings, head sets, layouts, samples, places.

They come and go, so they are gathered anew each time that the palette or a context menu opens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from gazeviz.app.runs import presets
from gazeviz.app.runs.picture_opener import samples
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.prompts import PRESETS
from gazeviz.ui.heads.ranking_bar import RANKING_TEXTS, ranking_title
from gazeviz.ui.picture.open_menu import LAYOUTS, PictureMenu, layout_text, sample_text
from gazeviz.ui.widgets.command import Command

if TYPE_CHECKING:
    from gazeviz.ui.shell.explore_page import ExploreView


def offers(model: SessionModel, controller: RunController, explore: ExploreView) -> list[Command]:
    """Questions about panels, rankings and head sets, as the session is now."""
    found = (
        *_questions(model, controller),
        *_rankings(model, explore),
        *_head_sets(model, controller),
    )
    return [explore.in_sight(command) for command in found]


def picture_offers(model: SessionModel, controller: RunController, pictures: PictureMenu) -> list[Command]:
    """Layouts of panels, and pictures that ship with gazeviz."""

    def no_picture() -> str | None:
        return None if model.picture is not None else "There is no picture. Open one: Ctrl+O."

    def has(layout: object) -> bool:
        return model.picture is not None and model.picture.layout == layout

    apply = controller.apply_layout
    return [
        Command("panels.none", "No panels", "", "Remove the regions that a layout made.",
                partial(apply, None), no_picture, partial(has, None)),
        *(
            Command(f"panels.{layout}", f"Panels {layout_text(layout)}", "",
                    "Make each panel of this layout a region.", partial(apply, layout), no_picture,
                    partial(has, layout))
            for layout in LAYOUTS
        ),
        *(
            Command(f"samples.{sample.name}", f"Sample: {sample_text(sample)}", "",
                    "Open a picture that ships with gazeviz.", partial(pictures.open_sample, sample))
            for sample in samples()
        ),
    ]  # fmt: skip


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


def _questions(model: SessionModel, controller: RunController) -> Iterator[Command]:
    named = zip(presets.panels_of(model), presets.questions_of(model), strict=True)
    for place, (panel, question) in enumerate(named):
        ask = partial(presets.ask, model, PRESETS["direct"], place)
        yield Command(f"ask.panel_{place + 1}", f"Ask about {panel.name}", "", f"“{question}”",
                      _attempt(controller, ask, "run"))  # fmt: skip


def _rankings(model: SessionModel, explore: ExploreView) -> Iterator[Command]:
    bar = explore.head_panel.ranking_bar
    for name in bar.names:
        tip = RANKING_TEXTS.get(name, "An imported ranking, or one measured in part.")
        yield Command(f"rankings.{name}", f"Rank heads by {ranking_title(name)}", "", tip,
                      partial(bar.show_ranking, name))  # fmt: skip


def _head_sets(model: SessionModel, controller: RunController) -> Iterator[Command]:
    for name, heads in model.saved_sets.items():
        recall = partial(controller.heads.recall, name)
        yield Command(f"sets.{name}", f"Head set: {name}", "", f"{len(heads)} heads, {heads.origin}.",
                      _attempt(controller, recall, "heads"))  # fmt: skip


def _attempt(controller: RunController, run: Callable[[], object], about: str) -> Callable[[], object]:
    return lambda: notices.attempt(controller.model, run, about)
