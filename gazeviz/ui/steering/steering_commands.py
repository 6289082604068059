"""Commands of the prompt bar and of steering: ways to run, preset questions, targets, the schedule."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from gazeviz.app.editing.schedule import Order, ScheduleBlock
from gazeviz.app.runs import presets
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.prompts import DIRECT, DIRECTS, PRESETS, Preset
from gazeviz.domain.wording import plural
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command, Entry, Submenu, always
from gazeviz.ui.widgets.reasons import no_painted_region, not_ready
from gazeviz.ui.widgets.region_badge import badge_icon

if TYPE_CHECKING:
    from gazeviz.ui.steering.schedule_editor import ScheduleView

_LONGEST_NAME: Final = 18
_LAST_KEY: Final = 9
_ORDERS: Final[tuple[tuple[Order, str, str], ...]] = (
    ("forwards", "In order", "Move the target through all panels, from the first to the last."),
    ("backwards", "Backwards", "Move the target through all panels, from the last to the first."),
    ("mixed", "In random order",
     "Move the target through all panels in random order, no panel in its own place."),
)  # fmt: skip


# Running


def way_commands(controller: RunController) -> list[Command]:
    """Both answers, or one of them."""
    model, run = controller.model, controller.run
    return [
        Command("run.both", "Run", "", "Run the baseline, then the steered answer.", run, not_ready(model),
                label="Baseline, then steered"),
        Command("run.baseline", "Run the baseline", "Ctrl+Shift+Return", "Run without steering.",
                partial(run, "baseline"), not_ready(model, "baseline"), label="Baseline only"),
        Command("run.steered", "Run the steered answer", "Ctrl+Return",
                "Run with the chosen heads pointed at the target; the baseline stays as it is.",
                partial(run, "steered"), not_ready(model, "steered"), label="Steered only"),
        Command("run.regions", "Run for every region", "Ctrl+Alt+Return",
                "Run the baseline, then one steered answer for each region; Sessions keeps them all.",
                controller.run_regions, not_ready(model), label="Steered, for every region"),
    ]  # fmt: skip


# Preset questions


def preset_commands(model: SessionModel, controller: RunController) -> list[Command]:
    """A command for each preset; the direct question asks about the first panel."""

    def no_panel() -> str | None:
        return None if presets.questions_of(model) else "The picture has no panels. Choose a layout first."

    return [
        Command(f"ask.{preset.key}", f"Ask: {preset.name}", "", _preset_tip(preset, preset.wording),
                _asker(model, controller, preset), always if preset.wording is not None else no_panel,
                label=preset.name)
        for preset in PRESETS.values()
    ]  # fmt: skip


def panel_question_commands(
    model: SessionModel, controller: RunController, direct: Preset = DIRECT
) -> list[Command]:
    """The direct question about each panel, named in words or as "4th"."""
    named = zip(presets.panels_of(model), presets.questions_of(model, direct.ordinals), strict=True)
    id_, more = ("panel", "") if direct.ordinals == "words" else ("nth_panel", ", in figures")
    return [
        Command(f"ask.{id_}_{place + 1}", f"Ask about {panel.name}{more}", "", _preset_tip(direct, question),
                _asker(model, controller, direct, place), label=f"About {panel.name}")
        for place, (panel, question) in enumerate(named)
    ]  # fmt: skip


def preset_menu(model: SessionModel, controller: RunController) -> list[Entry]:
    """The presets; the direct question leads to one for each panel, if there are any."""
    entries: list[Entry] = []
    directs = {f"ask.{preset.key}": preset for preset in DIRECTS}
    for command in preset_commands(model, controller):
        direct = directs.get(command.id)
        if direct is not None and presets.questions_of(model):
            about = partial(panel_question_commands, model, controller, direct)
            menu = "askAboutPanel" if direct is DIRECT else "askAboutNthPanel"
            entries.append(Submenu(menu, direct.name, about))
        else:
            entries.append(command)
    return entries


def _asker(
    model: SessionModel, controller: RunController, preset: Preset, panel: int = 0
) -> Callable[[], object]:
    return lambda: notices.attempt(controller.model, lambda: presets.ask(model, preset, panel), "run")


def _preset_tip(preset: Preset, wording: str | None) -> str:
    tokens = f"{plural(preset.new_tok, 'token')}{' for each panel' if preset.each_panel else ''}"
    question = f"“{wording}” " if wording is not None else "Names the first panel. "
    return f"{question}{preset.does} Sets {tokens} and the rows that are steered."


# Targets


def target_commands(
    model: SessionModel,
    current: int | None,
    on_chosen: Callable[[int | None], object],
    group: str = "steering",
) -> list[Entry]:
    """All regions, the present target ticked, and after them none. on_chosen: called with a region's id."""
    if not len(model.regions):
        return []
    regions = [
        Command(f"{group}.target_{number}", f"Target {region.name}",
                str(number) if number <= _LAST_KEY else "",
                f"{region.name}: {plural(model.cells_of(region.id).size, 'token cell')}.",
                partial(on_chosen, region.id), checked=partial(_is, region.id, current),
                label=shortened(region.name), icon=partial(badge_icon, number, region.colour))
        for number, region in enumerate(model.regions, start=1)
    ]  # fmt: skip
    none = Command(f"{group}.no_target", "No target", "0" if group == "steering" else "",
                   "Turn steering off: the heads attend freely from the next token on.",
                   partial(on_chosen, None), label="No target: steering off")  # fmt: skip
    return [*regions, None, none]


def shortened(name: str) -> str:
    """A region's name, cut where it is long."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _is(region_id: int, current: int | None) -> bool:
    return region_id == current


# Schedule


def order_commands(model: SessionModel, lay_out: Callable[[Order], object]) -> list[Command]:
    """Moving the target through all panels."""
    return [
        Command(f"steering.schedule_{order}", f"Schedule the panels {title[0].lower()}{title[1:]}", "", tip,
                partial(lay_out, order), no_painted_region(model), label=title)
        for order, title, tip in _ORDERS
    ]  # fmt: skip


def clear_schedule_command(model: SessionModel, controller: RunController) -> Command:
    """Removing all scheduled targets."""

    def no_schedule() -> str | None:
        return None if model.schedule else "No targets are scheduled."

    def clear() -> None:
        notices.attempt(
            controller.model, lambda: controller.editor.lay_out_targets((), "Clear the schedule"), "schedule"
        )

    return Command("steering.clear_schedule", "Clear the schedule", "",
                   "Remove the scheduled targets; only the current target is used.", clear, no_schedule,
                   label="Clear all")  # fmt: skip


def block_menu(
    model: SessionModel, controller: RunController, view: ScheduleView, block: ScheduleBlock
) -> list[Entry]:
    """What can be done with a block of the schedule's axis."""
    aim = partial(_aim_block, view, block)
    remove: list[Entry] = []
    if block.turn is not None:
        remove = [Command("block.remove", "Remove the scheduled target", "Del", "Remove this target.",
                          partial(view.remove, block.turn), label="Remove",
                          icon=lambda: theme.icon("trash"))]  # fmt: skip
    targets = target_commands(model, block.region_id, aim, "block")
    return [*targets, None, *remove, clear_schedule_command(model, controller)]


def _aim_block(view: ScheduleView, block: ScheduleBlock, region_id: int | None) -> None:
    view.aim(region_id, block)
