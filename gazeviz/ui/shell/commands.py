"""The table of commands: everything that the window can do, each with a name, most with a key.

Menus, palette, buttons, keys, context menus and the help page of keys are made of it. What depends on what
the session holds (rankings by name, saved sets, panels) is in session_commands. Shows nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from gazeviz.app.editing.schedule import Order
from gazeviz.app.runs import presets
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import THEME_CHOICES, AppSettings, ThemeChoice
from gazeviz.ui.answers.run_status import weaker
from gazeviz.ui.answers.token_cursor import TokenCursor
from gazeviz.ui.heads.head_commands import choice_commands, ranking_file_commands
from gazeviz.ui.picture.picture_commands import clear_recent_command, detect_command, opening_commands
from gazeviz.ui.picture.region_commands import (
    active_region_commands,
    colour_commands,
    look_command,
    region_list_commands,
)
from gazeviz.ui.picture.tool_bar import TOOL_TEXTS
from gazeviz.ui.steering.steering_commands import (
    clear_schedule_command,
    order_commands,
    preset_commands,
    way_commands,
)
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command
from gazeviz.ui.widgets.reasons import (
    Reason,
    no_chosen_head,
    no_model,
    no_picture,
    not_ready,
)

if TYPE_CHECKING:
    from gazeviz.ui.compare.compare_page import CompareView
    from gazeviz.ui.evaluate.evaluate_page import EvaluateView
    from gazeviz.ui.picture.canvas import ImageCanvas
    from gazeviz.ui.picture.open_menu import PictureMenu
    from gazeviz.ui.sessions.sessions_page import SessionBrowser
    from gazeviz.ui.shell.explore_page import ExploreView
    from gazeviz.ui.shell.main_window import MainWindow

BRUSH_STEP: Final = 1.25

OF_EXPLORE: Final = ("edit", "run", "ask", "tools", "steering", "heads", "tokens", "answers")
"""Groups that are about the picture: on another tab their keys mean something else, or nothing."""

LOCAL: Final = ("runs", "sessions", "edit.rename_region", "edit.delete_region")
"""Groups and ids whose keys act only in the list that they are about."""

FEW_HEADS: Final = 10
"""How many the best and the lowest are while none are chosen."""


# The Explore tab


def _no_tokens(cursor: TokenCursor) -> Reason:
    return lambda: None if cursor.side is not None else "There is no answer yet. Run the model first."


def file_commands(
    model: SessionModel, pictures: PictureMenu, settings: AppSettings, window: MainWindow
) -> list[Command]:
    """Opening models and pictures, and saying where the panels are."""
    return [
        Command("file.open_model", "Open a model ...", "Ctrl+M", "Load another model.", window.choose_model),
        *opening_commands(pictures),
        detect_command(model, pictures),
        clear_recent_command(settings),
        Command("file.quit", "Quit", "Ctrl+Q", "Quit gazeviz.", window.close),
    ]


def run_commands(controller: RunController) -> list[Command]:
    """Asking the model, and beginning again with another worker."""
    model = controller.model

    def not_running() -> str | None:
        return None if controller.runs.active else "Nothing is running."

    def not_ready_or_running() -> str | None:
        return None if controller.runs.active else not_ready(model)()

    def not_steered() -> str | None:
        record = model.run_of("steered")
        steered = record is not None and record.ended and record.spec.steering is not None
        return None if steered else "There is no finished steered answer. Run one first."

    def halve() -> None:
        record = model.run_of("steered")
        if record is not None:
            model.steering = weaker(record, model.steering)
            controller.run("steered")

    return [
        Command("run.toggle", "Run or stop", "Space", "Run the baseline and the steered answer, or stop.",
                controller.run_or_stop, not_ready_or_running),
        *way_commands(controller),
        Command("run.weaker", "Halve the strength and run", "",
                "Run the steered answer again with half of its strength.", halve, not_steered),
        Command("run.stop", "Stop", "", "Stop the run within one token.", controller.runs.stop, not_running),
        Command("run.restart_worker", "Restart the worker", "",
                "End the model's process and start another; nothing in the session is lost.",
                controller.restart_worker),
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


def steering_commands(model: SessionModel, controller: RunController, explore: ExploreView) -> list[Command]:
    """Steering as recommended, and targets that change at set tokens."""

    def lay_out(order: Order) -> None:
        explore.steering.set_folded(False)
        explore.steering.schedule.lay_out_panels(order)

    return [
        Command("steering.recommended", "Steer as recommended", "Ctrl+B",
                "Choose the heads, mode, strength and rows that the model's folder recommends.",
                _attempt(controller, lambda: presets.take_recommended(model, controller.editor), "heads"),
                no_model(model)),
        *order_commands(model, lay_out),
        clear_schedule_command(model, controller),
    ]  # fmt: skip


def measuring_commands(model: SessionModel, controller: RunController, explore: ExploreView) -> list[Command]:
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
                "Rank all heads on strips: built-in ones or your own.", discovery.open, no_model(model)),
        Command("heads.stop_measuring", "Stop measuring heads", "", "What was measured so far is kept.",
                controller.discovery.cancel, not_measuring),
        Command("heads.matrix", "Show a head's matrix of panels", "",
                "Mean attention on each panel (columns) when the question names a panel (rows).",
                discovery.open,
                no_matrix),
        Command("heads.save_set", "Save the chosen heads ...", "",
                "Save them under a name, so that you can choose them again.",
                sets.begin_naming, no_chosen_head(model)),
        *ranking_file_commands(model, bar),
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
        ("follow", "Follow the newest token", "Esc", "Show each token as it arrives.", cursor.follow),
    ]  # fmt: skip
    return [
        Command(f"tokens.{name}", title, key, tip, run, _no_tokens(cursor))
        for name, title, key, tip, run in moves
    ]


def view_commands(model: SessionModel, canvas: ImageCanvas, explore: ExploreView) -> list[Command]:
    """What is laid over the picture, how large it is shown, and where the panels stand."""

    def turn(setting: str) -> Callable[[], object]:
        return lambda: setattr(model, setting, not getattr(model, setting))

    there = no_picture(model)
    return [
        Command("view.cells", "Token cells", "Ctrl+G", "Draw the grid of image tokens over the picture.",
                turn("show_cells"), checked=lambda: model.show_cells),
        Command("view.map", "Attention map", "Ctrl+H", "Overlay the attention map on the picture.",
                turn("show_map"),
                checked=lambda: model.show_map),
        Command("view.fit", "Fit the picture", "Ctrl+0", "Show the whole picture.", canvas.fit, there),
        Command("view.actual_size", "Picture at actual size", "Ctrl+1",
                "Show one screen pixel for each picture pixel.", canvas.actual_size, there),
        Command("view.zoom_in", "Zoom in", "Ctrl++", "Show the picture larger.",
                partial(canvas.zoom_by, BRUSH_STEP), there),
        Command("view.zoom_out", "Zoom out", "Ctrl+-", "Show the picture smaller.",
                partial(canvas.zoom_by, 1 / BRUSH_STEP), there),
        Command("view.large", "Large picture", "F", "Hide heads, answers and trajectory, or show them again.",
                lambda: explore.set_large(not explore.large), checked=lambda: explore.large),
        Command("view.arrange", "Arrange panels", "Ctrl+Shift+P", "Show the panels' titles to drag them by.",
                lambda: explore.set_arranging(not explore.arranging), checked=lambda: explore.arranging),
        Command("view.reset_panels", "Reset the panels", "", "Move every panel back to its original place.",
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
        *preset_commands(model, controller),
        *steering_commands(model, controller, explore),
        *measuring_commands(model, controller, explore),
    ]
    return [
        Command("edit.undo", "Undo", "Ctrl+Z", "Undo the last edit of regions or heads.", editor.undo,
                nothing_undone),
        Command("edit.redo", "Redo", "Ctrl+Shift+Z", "Redo what was undone.", editor.redo, nothing_to_redo),
        *region_list_commands(model, explore.regions),
        *active_region_commands(model, controller),
        *colour_commands(model, controller),
        *run_commands(controller),
        *explore.transcript.copy_commands,
        Command("run.write_prompt", "Write the prompt", "Ctrl+P",
                "Go to the prompt; Enter runs it, Esc leaves it.", explore.write_prompt),
        *tool_commands(model),
        *target_commands(model, controller),
        *choice_commands(model, controller, explore.head_panel.choice),
        look_command(model, controller),
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
        Command("view.sessions", "Sessions", "Alt+2", "All logged runs.",
                partial(window.show_tab, "Sessions")),
        Command("view.evaluate", "Evaluate", "Alt+3", "Does steering work on this model?",
                partial(window.show_tab, "Evaluate")),
        Command("file.report", "Report of this session ...", "Ctrl+R",
                "Write a report of this session, with figures.", window.report),
    ]  # fmt: skip


def help_commands(window: MainWindow) -> list[Command]:
    """Finding out what can be done."""
    return [
        Command("help.find", "Find a command", "Ctrl+K", "Search all commands.",
                window.show_palette),
        Command("help.tour", "Guided tour", "", "Run, choose heads, paint, steer: four steps.",
                window.tour.start),
        Command("help.keys", "Commands and keys", "", "List every command with its key.",
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
            return "The run is not deleted." if deleted else "The run is deleted. Restore it first."
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
        Command("runs.replay", "Replay", "R", "Run it again and check whether the tokens are the same.",
                with_runs(lambda page: page.replay_selected()), one),
        Command("runs.copy_shell", "Copy as shell", "Ctrl+C",
                "Copy a command that reproduces the same tokens.",
                with_runs(lambda page: page.copy_selected("shell")), one),
        Command("runs.copy_python", "Copy as Python", "Ctrl+Shift+C",
                "Copy Python code that reproduces the same tokens.",
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
        Command("runs.delete", "Delete", "Del", "Delete the selected runs; this can be undone.",
                with_runs(lambda page: page.delete_selected()), _needs(browser)),
        Command("runs.restore", "Restore", "", "Restore the selected runs.",
                with_runs(lambda page: page.restore_selected()), _needs(browser, deleted=True)),
        Command("runs.search", "Search the runs", "Ctrl+F", "Go to the search field of the Sessions tab.",
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
        Command("compare.close", "Close the comparison", "", "Return to the list of runs.",
                lambda: compare().clear()),
    ]  # fmt: skip


def evaluate_commands(page: Callable[[], EvaluateView]) -> list[Command]:
    """Experiments. page: makes the Evaluate tab where it is not there yet, and shows it."""
    return [
        Command("evaluate.run", "Run or pause the experiment", "Ctrl+Alt+E",
                "Run the chosen experiment, go on with it, or pause the one that runs.",
                lambda: page().run_or_pause()),
        Command("evaluate.new", "New experiment", "Ctrl+Alt+N", "Write an experiment of your own.",
                lambda: page().new()),
        Command("evaluate.save_figure", "Save the experiment's figure ...", "Ctrl+Alt+S",
                "Save its figure as SVG, PDF or PNG, or its data as CSV.", lambda: page().save_figure()),
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
