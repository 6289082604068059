"""What the command palette offers besides the window's own deeds: whatever the session has at the moment.

Questions, rankings, head sets, regions and selected runs come and go, so they are gathered anew each time the
palette opens. Shows nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from gazeviz.app.runs import presets
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import GridMetric
from gazeviz.domain.prompts import PRESETS
from gazeviz.ui.heads.ranking_bar import METRIC_TEXTS, RANKING_TEXTS, ranking_title
from gazeviz.ui.picture.regions_panel import EXPORTS
from gazeviz.ui.sessions.run_table import DEED_KEYS
from gazeviz.ui.sessions.sessions_page import SessionBrowser
from gazeviz.ui.shell.command_palette import Command
from gazeviz.ui.shell.explore_page import ExploreView

_FEW_HEADS = 10
"""How many the best and the lowest are while none are chosen."""


def offers(model: SessionModel, controller: RunController, explore: ExploreView) -> list[Command]:
    """All of them, as the session is now."""
    beside_the_picture = (
        *_questions(model, controller),
        *_heads(model, controller),
        *_rankings(model, explore),
        *_head_sets(model, controller, explore),
    )
    return [*(_in_sight(command, explore) for command in beside_the_picture), *_regions(model, explore)]


def run_offers(browser: SessionBrowser) -> list[Command]:
    """What can be done with the runs that are selected in the list."""
    n_runs, deeds = len(browser.details.ids), browser.details.deeds
    if not n_runs:
        return []
    which = "the selected run" if n_runs == 1 else f"{n_runs} selected runs"
    keys = {deed: key for key, deed in reversed(DEED_KEYS.items())}  # the first key of each
    return [
        *(Command(f"{name}: {which}", keys.get(key, ""), does, partial(browser.do, key))
          for key, name, does in (*deeds.commands, ("tag", "Tag", "Type or tick what they are called."))),
        *(Command(f"Judge: {verdict[0].lower()}{verdict[1:]}", "", f"Of {which}.", judge)
          for verdict, judge in deeds.verdicts),
    ]  # fmt: skip


def _questions(model: SessionModel, controller: RunController) -> Iterator[Command]:
    for preset in PRESETS.values():
        if preset.wording is not None:
            yield Command(f"Ask: {preset.name}", "", f"“{preset.wording}”",
                          _attempt(controller, partial(presets.ask, model, preset), "run"))  # fmt: skip
    named = zip(presets.panels_of(model), presets.questions_of(model), strict=True)
    for place, (panel, question) in enumerate(named):
        ask = partial(presets.ask, model, PRESETS["direct"], place)
        yield Command(f"Ask about {panel.name}", "", f"“{question}”", _attempt(controller, ask, "run"))


def _heads(model: SessionModel, controller: RunController) -> Iterator[Command]:
    ranking, n = model.ranking, len(model.chosen) or _FEW_HEADS
    if ranking is None:
        return
    title = ranking_title(ranking.name)
    yield Command(f"Choose the best {n} heads", "", f"The first of the ranking {title}.",
                  _attempt(controller, partial(controller.heads.top, n), "heads"))  # fmt: skip
    yield Command(f"Choose the lowest {n} heads", "", f"A control: the last of the ranking {title}.",
                  _attempt(controller, partial(controller.heads.bottom, n), "heads"))  # fmt: skip


def _rankings(model: SessionModel, explore: ExploreView) -> Iterator[Command]:
    bar = explore.head_panel.ranking_bar
    for name in bar.names:
        yield Command(f"Rank heads by {ranking_title(name)}", "", RANKING_TEXTS.get(name, ""),
                      partial(bar.show_ranking, name))  # fmt: skip
    live: GridMetric = "live"
    yield Command("Colour heads by live attention", "", METRIC_TEXTS[live].shows,
                  partial(setattr, model, "grid_metric", live))  # fmt: skip
    yield Command("Measure head rankings", "", "Rank all heads on strips: built-in ones or your own.",
                  explore.discovery.open)  # fmt: skip
    yield Command("Import a head ranking", "", "Read a list of layer, head and score.", bar.ask_to_import)
    if model.ranking is not None:
        yield Command("Export the head ranking", "", "Write it in the published format.", bar.ask_to_export)


def _head_sets(model: SessionModel, controller: RunController, explore: ExploreView) -> Iterator[Command]:
    for name, heads in model.saved_sets.items():
        recall = partial(controller.heads.recall, name)
        yield Command(f"Head set: {name}", "", f"{len(heads)} heads, {heads.origin}.",
                      _attempt(controller, recall, "heads"))  # fmt: skip
    if len(model.chosen):
        yield Command("Save the chosen heads", "", "Keep them under a name, to choose them again.",
                      explore.head_panel.sets.begin_naming)  # fmt: skip


def _regions(model: SessionModel, explore: ExploreView) -> Iterator[Command]:
    regions = explore.regions
    if model.active_region is not None:
        yield Command("Rename the active region", "F2", "Write its name in the list.", regions.rename_active)
        yield Command("Delete the active region", "Del", "This can be undone.", regions.delete_active)
    if model.picture is not None:
        yield Command("Import regions", "", "PNG masks, labelme or COCO files.", regions.import_regions)
    if model.regions.painted():
        for form, text in EXPORTS.items():
            yield Command(f"Export regions: {text.rstrip('…')}", "", "Write all painted regions.",
                          partial(regions.export_regions, form))  # fmt: skip


def _in_sight(command: Command, explore: ExploreView) -> Command:
    """The same, with the panels that it is about brought back where the picture has their room."""

    def run() -> object:
        explore.set_large(False)
        return command.run()

    return replace(command, run=run)


def _attempt(controller: RunController, deed: Callable[[], object], about: str) -> Callable[[], object]:
    return lambda: controller.attempt(deed, about)
