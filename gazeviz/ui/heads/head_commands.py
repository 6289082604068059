"""Commands about heads: choosing many at once, rankings and their files, the maps of the gallery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import GalleryHeads
from gazeviz.domain.heads import Head
from gazeviz.domain.wording import format_ranking_name
from gazeviz.ui.widgets.command import Command, Entry, Heading
from gazeviz.ui.widgets.reasons import Reason, first_of, no_chosen_head, no_model, no_ranking
from gazeviz.ui.widgets.region_badge import badge_icon

if TYPE_CHECKING:
    from gazeviz.ui.heads.head_page import HeadPage
    from gazeviz.ui.heads.heads_panel import ChoiceBar
    from gazeviz.ui.heads.ranking_bar import RankingBar

RANKING_TEXTS: Final = {
    "mass": "Mean attention on the panel asked about, before the first answer token.",
    "selectivity": "Share of a head's attention to the panels that is on the panel asked about.",
    "tracking": "Mean attention on the panel that is being described, over the answer's tokens.",
    "causal": "How much pointing the head at the panel favours the right answer: a gradient.",
    "image_heads": "Attention to all image tokens, compared within each layer (a published baseline).",
    "localization": "Heads that look at one place, whatever was asked (a published baseline).",
    "localization_by_question": "Localization with each question's map taken by itself: a variant that"
    " finds other heads.",
}
"""What each measured ranking says of a head."""
GALLERY_COUNTS: Final = (6, 12, 24)
_GALLERY_HEADS: Final[dict[GalleryHeads, str]] = {
    "chosen": "The chosen heads, best first",
    "best": "The best of the shown ranking",
}


def choice_commands(model: SessionModel, controller: RunController, bar: ChoiceBar) -> list[Command]:
    """Choosing heads without the mouse; all but "heads.best" stand in the menu of the bar."""
    heads = controller.heads
    n, n_chosen = bar.n, len(model.chosen)
    matched = f"Random {n_chosen}, layer-matched" if n_chosen else "Random, layer-matched"

    def act(run: Callable[[], object]) -> Callable[[], object]:
        return lambda: notices.attempt(controller.model, run, "heads")

    def not_drawn() -> str | None:
        drawn = model.chosen.origin.kind in ("random", "layer_matched")
        return None if drawn else "The chosen heads were not drawn at random. Draw some first."

    model_missing, choice_missing = no_model(model), no_chosen_head(model)
    return [
        Command("heads.best", "Choose the best heads", "",
                "The highest-ranked heads, as many as are chosen now.",
                act(lambda: heads.top(bar.n)), no_ranking(model)),
        Command("heads.lowest", "Choose the lowest heads", "",
                "A control: the lowest-ranked heads, as many as are chosen now.",
                act(lambda: heads.bottom(bar.n)), no_ranking(model), label=f"Lowest {n}"),
        Command("heads.random", "Choose random heads", "",
                "A control: the same number of heads, drawn uniformly with the seed of the menu Choose.",
                partial(bar.draw, False), model_missing, label=f"Random {n}"),
        Command("heads.random_matched", "Choose layer-matched random heads", "",
                "A control: the same number of heads in each layer, none of them chosen now.",
                partial(bar.draw, True), first_of(model_missing, choice_missing), label=matched),
        Command("heads.draw_again", "Draw random heads again with the next seed", "",
                "Repeat the last random draw with the next seed.", bar.draw_again, not_drawn,
                label="Draw again with the next seed"),
        Command("heads.all", "Choose all heads", "Ctrl+A", "Steering every head usually produces junk.",
                act(heads.all), model_missing, label="All heads"),
        Command("heads.none", "Choose no heads", "Ctrl+Shift+A",
                "Without a choice, maps show the mean of all heads.",
                act(heads.clear), choice_missing, label="No heads"),
        Command("heads.invert", "Invert the choice of heads", "Ctrl+I",
                "Choose the heads that are not chosen.", act(heads.invert), model_missing, label="Invert"),
    ]  # fmt: skip


def ranking_file_commands(model: SessionModel, bar: RankingBar) -> list[Command]:
    """Reading and writing files of rankings."""
    return [
        Command("heads.import_ranking", "Import a head ranking ...", "",
                "Read a ranking from a JSON file: a list of layer, head and score.",
                bar.ask_to_import, no_model(model)),
        Command("heads.export_ranking", "Export the head ranking ...", "",
                "Write the shown ranking in the published format.", bar.ask_to_export, no_ranking(model)),
    ]  # fmt: skip


def open_page_command(model: SessionModel, open_page: Callable[[Head], object]) -> Command:
    """The page of the head that is meant."""

    def run() -> None:
        head = meant_head(model)
        if head is not None:
            open_page(head)

    return Command("heads.page", "Open a head's page", "Ctrl+E",
                   "Read one head: where it looks over many pictures, and what answers owe to it.",
                   run, no_model(model))  # fmt: skip


def meant_head(model: SessionModel) -> Head | None:
    """The head pointed at; else the one studied last, the best chosen one, the ranking's best, the first."""
    info, ranking = model.model_info, model.ranking
    if info is None:
        return None
    order = ranking.order() if ranking is not None else ()
    best_chosen = next((head for head in order if head in model.chosen), None)
    candidates = (model.hovered_head, model.studied_head, best_chosen, *model.chosen.heads[:1], *order[:1])
    n_layers, n_heads = info.shape_LH
    there = (head for head in candidates if head and head.layer < n_layers and head.index < n_heads)
    return next((head for head in there if info.heads_present_LH[head.layer, head.index]), Head(0, 0))


def page_commands(page: Callable[[], HeadPage | None]) -> list[Command]:
    """What can be done on the page of a head. page: None while it was never opened."""

    def open_one() -> HeadPage:
        found = page()
        if found is None:
            raise RuntimeError("no page of a head is open")  # enabled_when has said so before
        return found

    def closed() -> str | None:
        found = page()
        return None if found is not None and found.isVisible() else "Open the page of a head first: Ctrl+E."

    def no_head() -> str | None:
        found = page()
        return None if found is None or found.head is not None else "No model is loaded. Open one: Ctrl+M."

    def stopped() -> str | None:
        found = page()
        return None if found is None or not found.studying else "Something is being measured. Stop it first."

    there: Reason = first_of(closed, no_head)
    return [
        Command("head.previous", "Previous head", "Alt+Up", "Go to the head one rank higher.",
                lambda: open_one().step(-1), there),
        Command("head.next", "Next head", "Alt+Down", "Go to the head one rank lower.",
                lambda: open_one().step(1), there),
        Command("head.steer_alone", "Steer this head alone", "",
                "Choose it alone and go back to the picture.", lambda: open_one().steer_alone(), there),
        Command("head.collect", "Collect its examples, or stop", "",
                "Describe every picture of the set and keep where this head looks.",
                lambda: open_one().collect_or_stop(), there),
        Command("head.measure", "Measure all heads over pictures", "",
                "Fills the measures and the axes of the plot of all heads.",
                lambda: open_one().measure_all(), first_of(there, stopped)),
        Command("head.effect", "Measure what answers owe to it", "",
                "Knock it out and steer it alone, beside a random other head.",
                lambda: open_one().measure_head(), first_of(there, stopped)),
    ]  # fmt: skip


def ranking_commands(model: SessionModel, bar: RankingBar) -> list[Command]:
    """The rankings that there are."""

    def is_shown(name: str) -> bool:
        return name == model.ranking_name

    return [
        Command(f"rankings.{name}", f"Rank heads by {format_ranking_name(name)}", "",
                RANKING_TEXTS.get(name, "An imported ranking, or one measured in part."),
                partial(bar.show_ranking, name), checked=partial(is_shown, name),
                label=format_ranking_name(name))
        for name in bar.names
    ]  # fmt: skip


def gallery_commands(model: SessionModel) -> list[Command]:
    """Which maps the gallery shows, how many, and their scale."""

    def choose(**change: GalleryHeads | int | bool) -> None:
        model.gallery_choice = replace(model.gallery_choice, **change)  # type: ignore[arg-type]

    def has(key: str, value: GalleryHeads | int | bool) -> bool:
        return bool(getattr(model.gallery_choice, key) == value)

    scales = (("one", False, "One scale for all maps"), ("own", True, "Each map from 0 to its own highest"))
    return [
        *(
            Command(f"gallery.heads_{heads}", f"Maps: {text[0].lower()}{text[1:]}", "",
                    "Show the maps of these heads at the token.", partial(choose, heads=heads),
                    checked=partial(has, "heads", heads), label=text)
            for heads, text in _GALLERY_HEADS.items()
        ),
        *(
            Command(f"gallery.at_most_{n}", f"Maps: at most {n}", "", f"Show at most {n} maps.",
                    partial(choose, n=n), checked=partial(has, "n", n), label=f"At most {n}")
            for n in GALLERY_COUNTS
        ),
        *(
            Command(f"gallery.scale_{key}", f"Maps: {text[0].lower()}{text[1:]}", "",
                    "Choose how the colours of the maps are scaled.", partial(choose, own_scale=own),
                    checked=partial(has, "own_scale", own), label=text)
            for key, own, text in scales
        ),
    ]  # fmt: skip


def gallery_menu(model: SessionModel) -> list[Entry]:
    """The same under headings."""
    commands, n_heads = gallery_commands(model), len(_GALLERY_HEADS)
    counts_end = n_heads + len(GALLERY_COUNTS)
    return [
        Heading("Heads"), *commands[:n_heads],
        Heading("How many"), *commands[n_heads:counts_end],
        Heading("Colour scale"), *commands[counts_end:],
    ]  # fmt: skip


def place_commands(model: SessionModel, controller: RunController) -> list[Command]:
    """Asking which heads look at a region, or at the active one whichever it is."""

    def no_region() -> str | None:
        return None if len(model.regions) else "There is no region. Paint one, or right-click a cell."

    return [
        Command("look.active", "Sort heads by their mass on the active region", "",
                "Follow the active region, whichever it is.",
                partial(setattr, model, "grid_metric", "live"), no_region,
                label="The active region, whichever it is"),
        *(
            Command(f"look.region_{number}", f"Sort heads by their mass on {region.name}", "",
                    "Colour the grid by every head's mass on this region.",
                    partial(controller.look_at_region, region.id), label=region.name,
                    icon=partial(badge_icon, number, region.colour))
            for number, region in enumerate(model.regions, start=1)
        ),
    ]  # fmt: skip
