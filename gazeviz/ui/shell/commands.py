"""The table of commands: everything that the window can do, each with a name, most with a key.

Menus, palette, buttons, keys, context menus and the help page of keys are made of it. What depends on what
the session holds (rankings by name, saved sets, panels) is in session_commands. Shows nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from gazeviz.app.editing.region_files import RegionForm
from gazeviz.app.editing.schedule import Order
from gazeviz.app.runs import presets
from gazeviz.app.runs.readiness import readiness
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.runs.runner import Which
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import THEME_CHOICES, ThemeChoice
from gazeviz.domain.prompts import PRESETS
from gazeviz.ui.answers.run_status import weaker
from gazeviz.ui.answers.token_cursor import TokenCursor
from gazeviz.ui.picture.tool_bar import TOOL_TEXTS
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command, always

if TYPE_CHECKING:
    from gazeviz.ui.compare.compare_page import CompareView
    from gazeviz.ui.picture.canvas import ImageCanvas
    from gazeviz.ui.picture.open_menu import PictureMenu
    from gazeviz.ui.sessions.sessions_page import SessionBrowser
    from gazeviz.ui.shell.explore_page import ExploreView
    from gazeviz.ui.shell.main_window import MainWindow

BRUSH_STEP: Final = 1.25

OF_EXPLORE: Final = ("edit", "run", "ask", "tools", "steering", "heads", "tokens")
"""Groups that are about the picture: on another tab their keys mean something else, or nothing."""

LOCAL: Final = ("runs", "edit.rename_region", "edit.delete_region")
"""Groups and ids whose keys act only in the list that they are about."""

FEW_HEADS: Final = 10
"""How many the best and the lowest are while none are chosen."""

Reason = Callable[[], str | None]


# Why something cannot be done now


def _no_picture(model: SessionModel) -> Reason:
    return lambda: None if model.picture is not None else "There is no picture. Open one: Ctrl+O."


def _no_cells(model: SessionModel) -> Reason:
    return lambda: None if model.grid is not None else "The model has not seen the picture yet. Wait for it."


def _no_model(model: SessionModel) -> Reason:
    return lambda: None if model.model_info is not None else "No model is loaded. Open one: Ctrl+M."


def _no_active_region(model: SessionModel, unlocked: bool = False) -> Reason:
    def reason() -> str | None:
        region = model.active_region
        if region is None:
            return "No region is active. Click one in the list."
        return "The region is locked. Unlock it first." if unlocked and region.locked else None

    return reason


def _no_painted_region(model: SessionModel) -> Reason:
    return lambda: None if model.regions.painted() else "Nothing is painted yet. Paint a region first."


def _no_chosen_head(model: SessionModel) -> Reason:
    return lambda: None if len(model.chosen) else "No head is chosen. Choose heads on the grid."


def no_ranking(model: SessionModel) -> Reason:
    """Why nothing can be done with the shown ranking."""
    return lambda: None if model.ranking is not None else "No ranking is shown. Measure or import one."


def _no_tokens(cursor: TokenCursor) -> Reason:
    return lambda: None if cursor.side is not None else "There is no answer yet. Run the model first."


def _not_ready(model: SessionModel, which: Which = "both") -> Reason:
    def reason() -> str | None:
        ready = readiness(model, which)
        return None if ready.can_run else f"{ready.sentence} {ready.next_step}".strip()

    return reason


def _all(*reasons: Reason) -> Reason:
    return lambda: next((said for said in (reason() for reason in reasons) if said is not None), None)


# The Explore tab


def file_commands(model: SessionModel, pictures: PictureMenu, window: MainWindow) -> list[Command]:
    """Opening models and pictures, and saying where the panels are."""
    return [
        Command("file.open_model", "Open a model ...", "Ctrl+M", "Load another model.", window.choose_model),
        Command("file.open_picture", "Open a picture ...", "Ctrl+O", "Show another picture to the model.",
                pictures.choose_picture),
        Command("file.open_folder", "Open a folder of panels ...", "Ctrl+Shift+O",
                "Put the pictures of a folder (p1, p2 ...) side by side as a strip, one panel each.",
                pictures.choose_folder),
        Command("file.paste_picture", "Paste a picture", "Ctrl+V",
                "Show the picture of the clipboard to the model.", pictures.paste),
        Command("file.detect_panels", "Detect panels", "",
                "Make regions of the panels between the picture's gutters.", pictures.detect_panels,
                _no_picture(model)),
        Command("file.quit", "Quit", "Ctrl+Q", "End gazeviz.", window.close),
    ]  # fmt: skip


def run_commands(controller: RunController) -> list[Command]:
    """Asking the model, and beginning again with another worker."""
    model = controller.model

    def not_running() -> str | None:
        return None if controller.runs.active else "Nothing is running."

    def not_ready_or_running() -> str | None:
        return None if controller.runs.active else _not_ready(model)()

    def not_steered() -> str | None:
        record = model.run_of("steered")
        steered = record is not None and record.ended and record.spec.steering is not None
        return None if steered else "No steered run has ended. Run the steered answer first."

    def halve() -> None:
        record = model.run_of("steered")
        if record is not None:
            model.steering = weaker(record, model.steering)
            controller.run("steered")

    return [
        Command("run.toggle", "Run or stop", "Space", "Run the baseline and the steered answer, or stop.",
                controller.run_or_stop, not_ready_or_running),
        Command("run.both", "Run", "", "Run the baseline, then the steered answer.", controller.run,
                _not_ready(model)),
        Command("run.baseline", "Run the baseline", "Ctrl+Shift+Return", "Run without steering.",
                partial(controller.run, "baseline"), _not_ready(model, "baseline")),
        Command("run.steered", "Run the steered answer", "Ctrl+Return", "The baseline stays as it is.",
                partial(controller.run, "steered"), _not_ready(model, "steered")),
        Command("run.weaker", "Halve the strength and run", "",
                "Run the steered answer again with half of its strength.", halve, not_steered),
        Command("run.stop", "Stop", "", "Stop the run within one token.", controller.runs.stop, not_running),
        Command("run.restart_worker", "Restart the worker", "",
                "End the model's process and start another; nothing in the session is lost.",
                controller.restart_worker),
    ]  # fmt: skip


def ask_commands(model: SessionModel, controller: RunController) -> list[Command]:
    """The preset questions."""

    def no_panel() -> str | None:
        return None if presets.questions_of(model) else "The picture has no panels. Choose a layout first."

    return [
        Command(f"ask.{preset.key}", f"Ask: {preset.name}", "",
                f"“{preset.wording}”" if preset.wording is not None else "Ask about the first panel.",
                _attempt(controller, partial(presets.ask, model, preset), "run"),
                always if preset.wording is not None else no_panel)
        for preset in PRESETS.values()
    ]  # fmt: skip


def tool_commands(model: SessionModel) -> list[Command]:
    """Choosing a tool, and its size."""

    def scale(factor: float) -> None:
        before, scaled = model.brush_px, round(model.brush_px * factor)
        model.brush_px = max(scaled, before + 1) if factor > 1 else min(scaled, before - 1)

    return [
        *(
            Command(f"tools.{tool}", text.name, text.key, text.does, partial(setattr, model, "tool", tool),
                    checked=partial(_is_tool, model, tool))
            for tool, text in TOOL_TEXTS.items()
        ),
        Command("tools.smaller_brush", "Smaller brush", "[", "Paint with a smaller brush.",
                partial(scale, 1 / BRUSH_STEP)),
        Command("tools.larger_brush", "Larger brush", "]", "Paint with a larger brush.",
                partial(scale, BRUSH_STEP)),
    ]  # fmt: skip


def target_commands(model: SessionModel, controller: RunController) -> list[Command]:
    """Pointing the chosen heads at a region by its number, also while text streams."""

    def aim(place: int) -> None:
        controller.retarget(model.regions.ids[place])

    def no_region(place: int) -> str | None:
        n = len(model.regions)
        return None if place < n else f"There is no region {place + 1}. Paint one, or choose a layout."

    tip = "Steer the chosen heads to this region; a steered run in progress follows from its next token."
    return [
        *(
            Command(f"steering.target_{number}", f"Target region {number}", str(number), tip,
                    partial(aim, number - 1), partial(no_region, number - 1))
            for number in range(1, 10)
        ),
        Command("steering.no_target", "No target", "0", "Turn steering off.",
                partial(controller.retarget, None)),
    ]  # fmt: skip


_ORDERS: Final[tuple[tuple[Order, str, str], ...]] = (
    ("forwards", "in order", "Move the target through all panels, from the first to the last."),
    ("backwards", "backwards", "Move the target through all panels, from the last to the first."),
    ("mixed", "in random order", "Move the target through all panels in an order that leaves none in place."),
)


def steering_commands(model: SessionModel, controller: RunController, explore: ExploreView) -> list[Command]:
    """Steering as recommended, and targets that change at set tokens."""

    def no_schedule() -> str | None:
        return None if model.schedule else "No targets are scheduled."

    def unscheduled() -> None:
        controller.editor.lay_out_targets((), "Clear the schedule")

    def lay_out(order: Order) -> None:
        explore.steering.set_folded(False)
        explore.steering.schedule.lay_out_panels(order)

    return [
        Command("steering.recommended", "Steer as recommended", "Ctrl+B",
                "Choose the heads, mode, strength and rows that the model's folder recommends.",
                _attempt(controller, lambda: presets.take_recommended(model, controller.editor), "heads"),
                _no_model(model)),
        *(
            Command(f"steering.schedule_{order}", f"Schedule the panels {title}", "", tip,
                    partial(lay_out, order), _no_painted_region(model))
            for order, title, tip in _ORDERS
        ),
        Command("steering.clear_schedule", "Clear the schedule", "", "Only the target counts then.",
                _attempt(controller, unscheduled, "schedule"), no_schedule),
    ]  # fmt: skip


def head_commands(model: SessionModel, controller: RunController) -> list[Command]:
    """Choosing heads without the mouse."""
    heads = controller.heads

    def look() -> None:
        if model.active_region_id is not None:
            controller.look_at_region(model.active_region_id)

    def next_seed() -> int:
        """Drawn again, they are others."""
        last = model.chosen.origin
        return (last.seed or 0) + 1 if last.kind == "random" else 0

    def n() -> int:
        return len(model.chosen) or FEW_HEADS

    def act(run: Callable[[], object]) -> Callable[[], object]:
        return _attempt(controller, run, "heads")

    model_missing, choice_missing = _no_model(model), _no_chosen_head(model)
    return [
        Command("heads.best", "Choose the best heads", "",
                "As many as are chosen, the highest of the ranking that is shown.",
                act(lambda: heads.top(n())), no_ranking(model)),
        Command("heads.lowest", "Choose the lowest heads", "",
                "A control: as many as are chosen, the lowest of the ranking that is shown.",
                act(lambda: heads.bottom(n())), no_ranking(model)),
        Command("heads.random", "Draw as many heads at random", "",
                "A control: as many heads, drawn uniformly.",
                act(lambda: heads.random(max(len(model.chosen), 1), next_seed())), model_missing),
        Command("heads.random_matched", "Draw layer-matched heads at random", "",
                "A control: as many heads in each layer, none of them chosen now.",
                act(lambda: heads.random(len(model.chosen), 0, layer_matched=True)),
                _all(model_missing, choice_missing)),
        Command("heads.all", "Choose all heads", "Ctrl+A", "Steer every head: usually ends in junk.",
                act(heads.all), model_missing),
        Command("heads.invert", "Invert the choice of heads", "Ctrl+I",
                "Choose the heads that are not chosen.",
                act(heads.invert), model_missing),
        Command("heads.none", "Choose no heads", "Ctrl+Shift+A", "Maps are means of all heads then.",
                act(heads.clear), choice_missing),
        Command("heads.look_at_region", "Which heads look at the active region?", "Ctrl+L",
                "Colour the grid by every head's mass on the active region.", look,
                _all(_no_active_region(model), _no_cells(model))),
    ]  # fmt: skip


def ranking_commands(model: SessionModel, controller: RunController, explore: ExploreView) -> list[Command]:
    """Measuring heads, and files of rankings and sets."""
    bar, sets, discovery = explore.head_panel.ranking_bar, explore.head_panel.sets, explore.discovery

    def not_measuring() -> str | None:
        return None if model.measured_rankings else "No heads are being measured."

    def no_matrix() -> str | None:
        ranking = model.ranking
        has_one = ranking is not None and ranking.matrix_LHRR is not None
        return None if has_one else "The ranking that is shown has no matrices. Measure it on strips."

    return [
        Command("heads.live", "Colour heads by live attention", "", "Show each head's mass at the token.",
                partial(setattr, model, "grid_metric", "live")),
        Command("heads.measure", "Measure head rankings ...", "",
                "Rank all heads on strips: built-in ones or your own.", discovery.open, _no_model(model)),
        Command("heads.stop_measuring", "Stop measuring heads", "", "What was measured so far is kept.",
                controller.discovery.cancel, not_measuring),
        Command("heads.matrix", "Show a head's matrix of panels", "",
                "Asked about a panel (rows), its attention on each panel (columns).", discovery.open,
                no_matrix),
        Command("heads.save_set", "Save the chosen heads ...", "",
                "Keep them under a name, to choose them again.", sets.begin_naming, _no_chosen_head(model)),
        Command("heads.import_ranking", "Import a head ranking ...", "",
                "Read a list of layer, head and score.", bar.ask_to_import, _no_model(model)),
        Command("heads.export_ranking", "Export the head ranking ...", "",
                "Write it in the published format.", bar.ask_to_export, no_ranking(model)),
    ]  # fmt: skip


_FORMS: Final[dict[RegionForm, str]] = {"png": "PNG masks", "labelme": "labelme JSON", "coco": "COCO JSON"}


def region_commands(model: SessionModel, explore: ExploreView) -> list[Command]:
    """Regions as a list and as files."""
    regions = explore.regions
    return [
        Command("edit.new_region", "New region", "N", "Add an empty region and paint on it.",
                regions.add_region, _no_picture(model)),
        Command("edit.rename_region", "Rename the active region", "F2", "Write its name in the list.",
                regions.rename_active, _no_active_region(model, unlocked=True)),
        Command("edit.delete_region", "Delete the active region", "Del", "It can be undone.",
                regions.delete_active, _no_active_region(model, unlocked=True)),
        Command("edit.import_regions", "Import regions ...", "", "Read PNG masks, labelme or COCO files.",
                regions.import_regions, _no_picture(model)),
        *(
            Command(f"edit.export_{form}", f"Export regions as {text} ...", "", "Write all painted regions.",
                    partial(regions.export_regions, form), _no_painted_region(model))
            for form, text in _FORMS.items()
        ),
    ]  # fmt: skip


def cursor_commands(model: SessionModel) -> list[Command]:
    """Moving through the tokens that everything shows."""
    cursor = TokenCursor(model)

    def move(by: int, extend: bool = False) -> None:
        if cursor.side is not None:
            cursor.step(cursor.side, by, extend)

    def go_to(end: bool) -> None:
        if cursor.side is not None:
            cursor.move_to(cursor.side, cursor.n_tok(cursor.side) if end else 0, False)

    moves: list[tuple[str, str, str, str, Callable[[], object]]] = [
        ("previous", "Previous token", "Left", "Show the attention one token before.", partial(move, -1)),
        ("next", "Next token", "Right", "Show the attention one token later.", partial(move, 1)),
        ("extend_back", "Extend back", "Shift+Left", "Show the mean of a span of tokens.",
         partial(move, -1, True)),
        ("extend_forward", "Extend forward", "Shift+Right", "Show the mean of a span of tokens.",
         partial(move, 1, True)),
        ("first", "First token", "Home", "Show the attention at the first token.", partial(go_to, False)),
        ("last", "Last token", "End", "Show the attention at the last token.", partial(go_to, True)),
        ("follow", "Follow the newest token", "Esc", "Show what arrives, as it arrives.", cursor.follow),
    ]  # fmt: skip
    return [
        Command(f"tokens.{name}", title, key, tip, run, _no_tokens(cursor))
        for name, title, key, tip, run in moves
    ]


def view_commands(model: SessionModel, canvas: ImageCanvas, explore: ExploreView) -> list[Command]:
    """What is laid over the picture, how large it is shown, and where the panels stand."""

    def turn(setting: str) -> Callable[[], object]:
        return lambda: setattr(model, setting, not getattr(model, setting))

    there = _no_picture(model)
    return [
        Command("view.cells", "Token cells", "Ctrl+G", "Draw the grid of image tokens over the picture.",
                turn("show_cells"), checked=lambda: model.show_cells),
        Command("view.map", "Attention map", "Ctrl+H", "Lay the map over the picture.", turn("show_map"),
                checked=lambda: model.show_map),
        Command("view.fit", "Fit the picture", "Ctrl+0", "Show all of the picture.", canvas.fit, there),
        Command("view.actual_size", "Picture at actual size", "Ctrl+1",
                "One pixel of the screen for each of the picture.", canvas.actual_size, there),
        Command("view.zoom_in", "Zoom in", "Ctrl++", "Show the picture larger.",
                partial(canvas.zoom_by, BRUSH_STEP), there),
        Command("view.zoom_out", "Zoom out", "Ctrl+-", "Show the picture smaller.",
                partial(canvas.zoom_by, 1 / BRUSH_STEP), there),
        Command("view.large", "Large picture", "F", "Hide heads, answers and trajectory, or show them again.",
                lambda: explore.set_large(not explore.large), checked=lambda: explore.large),
        Command("view.arrange", "Arrange panels", "Ctrl+Shift+P", "Show the panels' titles to drag them by.",
                lambda: explore.set_arranging(not explore.arranging), checked=lambda: explore.arranging),
        Command("view.reset_panels", "Reset the panels", "", "Put every panel back in its first place.",
                explore.arrange_as_at_first),
    ]  # fmt: skip


def explore_commands(model: SessionModel, controller: RunController, explore: ExploreView) -> list[Command]:
    """Everything about one picture and its runs; panels that a command is about are brought back first."""
    editor = controller.editor

    def nothing_undone() -> str | None:
        return None if editor.undo_stack.canUndo() else "There is nothing to undo."

    def nothing_to_redo() -> str | None:
        return None if editor.undo_stack.canRedo() else "There is nothing to redo."

    beside = [
        *ask_commands(model, controller),
        *steering_commands(model, controller, explore),
        *ranking_commands(model, controller, explore),
    ]
    return [
        Command("edit.undo", "Undo", "Ctrl+Z", "Undo the last edit of regions or heads.", editor.undo,
                nothing_undone),
        Command("edit.redo", "Redo", "Ctrl+Shift+Z", "Redo what was undone.", editor.redo, nothing_to_redo),
        *region_commands(model, explore),
        *run_commands(controller),
        Command("run.write_prompt", "Write the prompt", "Ctrl+P",
                "Go to the prompt; Enter runs it, Esc leaves it.", explore.write_prompt),
        *tool_commands(model),
        *target_commands(model, controller),
        *head_commands(model, controller),
        *(explore.in_sight(command) for command in beside),
        *cursor_commands(model),
    ]  # fmt: skip


# The window


def window_commands(window: MainWindow, *, logs: bool) -> list[Command]:
    """Tabs, colours and the report. logs: whether runs are logged, so that there are sessions."""
    themes = [
        Command(f"view.theme_{choice}", f"Theme: {choice}", "", f"Colours: {choice}.",
                partial(window.set_theme, choice), checked=partial(_is_theme, choice))
        for choice in THEME_CHOICES
    ]  # fmt: skip
    if not logs:
        return themes
    return [
        *themes,
        Command("view.explore", "Explore", "Alt+1", "One picture and its runs.",
                partial(window.show_tab, "Explore")),
        Command("view.sessions", "Sessions", "Alt+2", "Every run that was logged.",
                partial(window.show_tab, "Sessions")),
        Command("file.report", "Report of this session ...", "Ctrl+R",
                "Write pages and figures of what was done.", window.report),
    ]  # fmt: skip


def help_commands(window: MainWindow) -> list[Command]:
    """Finding out what can be done."""
    return [
        Command("help.find", "Find a command", "Ctrl+K", "Search all commands.",
                window.show_palette),
        Command("help.tour", "Guided tour", "", "Run, choose heads, paint, steer: four steps.",
                window.tour.start),
        Command("help.keys", "Commands and keys", "", "Read what can be done, and by which key.",
                partial(window.show_help, "keys")),
        Command("help.help", "Help", "F1", "Read the help.", window.show_help),
    ]  # fmt: skip


# The Sessions tab, with its comparisons


Find = Callable[[], "SessionBrowser | None"]


def _needs(browser: Find, least: int = 1, most: int | None = None, deleted: bool | None = False) -> Reason:
    """Why something cannot be done with the selected runs. deleted: whether they must be, None for either."""

    def reason() -> str | None:
        page = browser()
        n = len(page.selected_ids) if page is not None and page.isVisible() else 0
        if page is None or not n:
            return "No run is selected. Choose runs on the Sessions tab."
        if n < least:
            return "Choose two to six runs."
        if most is not None and n > most:
            return "Choose a single run." if most == 1 else "Choose two to six runs."
        if deleted is not None and page.shows_deleted != deleted:
            return "The run is not deleted." if deleted else "The run is deleted. Bring it back first."
        return None

    return reason


def runs_commands(browser: Find) -> list[Command]:
    """What can be done with the runs that are selected in the list; its keys act there alone.

    browser: None while the tab was never opened.
    """

    def page() -> SessionBrowser:
        found = browser()
        if found is None:
            raise RuntimeError("no list of runs is open")  # enabled_when has said so before
        return found

    def with_runs(act: Callable[[SessionBrowser], object]) -> Callable[[], object]:
        return lambda: act(page())

    one = _needs(browser, most=1)
    verdicts = (
        ("target", "Judge: describes the target", "target", True),
        ("else", "Judge: describes something else", "something else", False),
        ("junk", "Judge: junk", "junk", False),
        ("none", "Remove the verdict", "", None),
    )
    return [
        Command("runs.open", "Open in Explore", "Return",
                "Show the run exactly as it was, without the model.",
                with_runs(lambda page: page.open_selected()), _needs(browser, most=1, deleted=None)),
        Command("runs.compare", "Compare", "C", "Show two to six runs side by side.",
                with_runs(lambda page: page.compare_selected()), _needs(browser, 2, 6)),
        Command("runs.replay", "Replay", "R", "Ask the model again and see whether the tokens are the same.",
                with_runs(lambda page: page.replay_selected()), one),
        Command("runs.copy_shell", "Copy as shell", "Ctrl+C",
                "Copy a command line that gives the same tokens.",
                with_runs(lambda page: page.copy_selected("shell")), one),
        Command("runs.copy_python", "Copy as Python", "Ctrl+Shift+C",
                "Copy Python that gives the same tokens.",
                with_runs(lambda page: page.copy_selected("python")), one),
        Command("runs.report", "Report ...", "P", "Write a report of the selected runs.",
                with_runs(lambda page: page.report_selected()), _needs(browser)),
        Command("runs.star", "Star", "S", "Star the selected runs, or remove their stars.",
                with_runs(lambda page: page.star_selected()), _needs(browser),
                lambda: (found := browser()) is not None and found.selected_are_starred),
        Command("runs.tag", "Tag ...", "T", "Type a tag, or tick those that the runs have.",
                with_runs(lambda page: page.details.tags.ask()), _needs(browser, deleted=None)),
        Command("runs.note", "Note", "N", "Write a note on the selected run.",
                with_runs(lambda page: page.details.note.setFocus()), _needs(browser, most=1, deleted=None)),
        *(
            Command(f"runs.judge_{name}", title, "",
                    "Judge what the text describes; reports show the verdict.",
                    with_runs(partial(_judge, verdict, ok)),
                    _needs(browser))
            for name, title, verdict, ok in verdicts
        ),
        Command("runs.delete", "Delete", "Del", "Remove the selected runs from the list; it can be undone.",
                with_runs(lambda page: page.delete_selected()), _needs(browser)),
        Command("runs.restore", "Bring back", "", "Restore the selected runs.",
                with_runs(lambda page: page.restore_selected()), _needs(browser, deleted=True)),
        Command("runs.search", "Search the runs", "Ctrl+F", "Go to the search line of the Sessions tab.",
                with_runs(lambda page: page.begin_search()), _not_open(browser)),
        Command("runs.undo", "Undo in the list", "Ctrl+Z", "Undo the last change of stars, tags or notes.",
                with_runs(lambda page: page.undo()), _not_open(browser)),
        Command("runs.redo", "Redo in the list", "Ctrl+Shift+Z", "Redo what was undone in the list.",
                with_runs(lambda page: page.redo()), _not_open(browser)),
    ]  # fmt: skip


def _judge(verdict: str, ok: bool | None, page: SessionBrowser) -> None:
    page.judge_selected(verdict, ok)


def _not_open(browser: Find) -> Reason:
    def reason() -> str | None:
        page = browser()
        return None if page is not None and page.isVisible() else "Go to the Sessions tab first: Alt+2."

    return reason


def compare_commands(model: SessionModel, compare: Callable[[], CompareView]) -> list[Command]:
    """Comparisons under the list of runs. compare: makes the tab where it is not there yet, and shows it."""

    def one_ranking() -> str | None:
        several = len(model.rankings) > 1
        return None if several else "The model has fewer than two rankings. Measure another one."

    return [
        Command("compare.rankings", "Compare head rankings", "", "Lay the model's rankings over each other.",
                lambda: compare().show_rankings(), one_ranking),
        Command("compare.sessions", "Compare the two newest sessions", "",
                "Pair their runs by prompt and target.", lambda: compare().show_newest_sessions()),
        Command("compare.close", "Close the comparison", "", "Give its room back to the list of runs.",
                lambda: compare().clear()),
    ]  # fmt: skip


def _attempt(controller: RunController, run: Callable[[], object], about: str) -> Callable[[], object]:
    return lambda: notices.attempt(controller.model, run, about)


def _is_tool(model: SessionModel, tool: str) -> bool:
    return model.tool == tool


def _is_theme(choice: ThemeChoice) -> bool:
    return theme.choice() == choice


def keys_page(commands: Sequence[Command]) -> str:
    """The help's page of commands and keys, as Markdown."""
    lines = ["# Commands and keys", "", "Ctrl+K finds every command by a few letters of its name.", ""]
    group = ""
    for command in sorted(commands, key=_group_order(commands)):
        if command.group != group:
            group = command.group
            lines += ["", f"## {group.capitalize()}", "", "| command | key | what it does |", "|---|---|---|"]
        key = f"`{command.key}`" if command.key else ""
        lines.append(f"| {_cell(command.title)} | {key} | {_cell(command.tip)} |")
    return "\n".join(lines) + "\n"


def _group_order(commands: Sequence[Command]) -> Callable[[Command], int]:
    groups = list(dict.fromkeys(command.group for command in commands))
    return lambda command: groups.index(command.group)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
