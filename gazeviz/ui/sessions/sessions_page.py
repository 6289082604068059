"""The Sessions tab: every run that was ever logged, found, sorted, marked, and sent on to where it is used.

Puts sidebar, list and details together and asks the archive for what they show. It opens, replays, compares
and reports nothing itself: it says by signals which runs that is wanted for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.history.log_browser import (
    Listing,
    LogBrowser,
    Overview,
    RunFilter,
    RunQuery,
    RunRow,
    SortKey,
)
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Notice
from gazeviz.domain.wording import plural
from gazeviz.errors import UserError
from gazeviz.ui.sessions.run_commands import like_it, run_menu
from gazeviz.ui.sessions.run_details import MOST_COMPARED, RunDetails
from gazeviz.ui.sessions.run_table import RunTable, is_plain, key_name
from gazeviz.ui.sessions.run_table_model import RUN_COLUMNS
from gazeviz.ui.sessions.run_text import log_words
from gazeviz.ui.sessions.search_bar import SessionBar
from gazeviz.ui.sessions.sidebar import ALL, Sidebar, SidebarEntry
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command
from gazeviz.ui.widgets.controls import CloseButton, hairline, named, push_button, soft, soft_text

# What stands around the list of runs: columns, the line that undoes deleting, a page for no runs.


class UndoLine(QWidget):
    """Says what was deleted, and takes it back; stays until it is closed or something else is deleted."""

    undo_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("undoLine")
        self._sentence = named(QLabel(), "undoSentence")
        self._undo = push_button("undoDelete", "Undo", "Restore what was deleted  Ctrl+Z", "Undo deleting")
        self._undo.clicked.connect(self.undo_wanted)
        tip = "Dismiss; deleted runs are kept for 30 days"
        close = CloseButton("undoClose", tip, self.hide, spoken="Dismiss")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(3 * theme.SPACE, theme.SPACE, theme.SPACE, theme.SPACE)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self._sentence)
        layout.addWidget(self._undo)
        layout.addStretch(1)
        layout.addWidget(close)
        self.hide()

    def say(self, sentence: str) -> None:
        """Say what was deleted."""
        self._sentence.setText(sentence)
        self.show()

    @property
    def sentence(self) -> str:
        """What it says."""
        return self._sentence.text()


class EmptyPage(QWidget):
    """In the place of the list, where there is nothing to list: a sentence, a next step, a button for it."""

    step_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("noRuns")
        self._sentence = named(QLabel(), "noRunsSentence")
        self._sentence.setFont(theme.font_ui(15, 600))
        self._next = soft_text("noRunsNext")
        self._step = push_button("noRunsStep", "", "Changes only what is shown")
        self._step.clicked.connect(self.step_wanted)
        layout = QVBoxLayout(self)
        layout.setSpacing(2 * theme.SPACE)
        layout.addStretch(2)
        for part in (self._sentence, self._next):
            part.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            layout.addWidget(part)
        layout.addWidget(self._step, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)
        self.say("No runs here.", "", "Show all runs")

    def say(self, sentence: str, next_step: str, step: str = "") -> None:
        """Say why there is nothing, and what to do. step: of the button, "" for none."""
        self._sentence.setText(sentence)
        self._next.setText(next_step)
        self._step.setText(step)
        self._step.setAccessibleName(step)
        self._step.setVisible(bool(step))

    def say_why(self, *, nothing_yet: bool, narrowed: bool) -> None:
        """Say why no run is listed: none was ever made, a search found none, or all were deleted."""
        if nothing_yet:
            kept = "the prompt, the answer, and where its heads looked"
            self.say("No runs yet.", f"Every run is logged here: {kept}.", "Go to Explore")
        elif narrowed:
            self.say("No run matches.", "Change the search, or search all runs.", "Show all runs")
        else:
            self.say("No runs here.", "Deleted runs can be restored for 30 days.")

    @property
    def sentence(self) -> str:
        """What it says."""
        return self._sentence.text()


def stacked(*parts: QWidget, stretched: int) -> QWidget:
    """Parts under each other without space; one of them takes what room there is."""
    whole = QWidget()
    layout = QVBoxLayout(whole)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    for place, part in enumerate(parts):
        layout.addWidget(part, 1 if place == stretched else 0)
    return whole


def scrolled(content: QWidget, width_px: int) -> QScrollArea:
    """A column that scrolls where the window is low."""
    area = QScrollArea()
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setFixedWidth(width_px)
    area.setWidget(content)
    return area


LEFT_PX: Final = 204
RIGHT_PX: Final = 345
REFRESH_MS: Final = 250
"""So long changes are gathered before the list is asked for anew."""
_OF_THE_LIST: Final = ("runs.search", "runs.undo", "runs.redo")
"""They are about the whole list, and no part of a run's menu."""
_SHORTCUTS: Final = {"Ctrl+Z", "Ctrl+Shift+Z", "Ctrl+F"}


class SessionBrowser(QWidget):
    """The tab.

    open_wanted, replay_wanted: a run.  report_wanted: runs.  compare_wanted: two to six runs, () for none any
    more.  session_report_wanted: a session.  compare_sessions_wanted: two.  explore_wanted: the other tab.
    """

    open_wanted = Signal(int)
    replay_wanted = Signal(int)
    report_wanted = Signal(object)
    compare_wanted = Signal(object)
    session_report_wanted = Signal(int)
    compare_sessions_wanted = Signal(int, int)
    explore_wanted = Signal()

    def __init__(
        self,
        model: SessionModel,
        controller: RunController,
        archive: LogBrowser,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("sessionBrowser")
        self._model, self._controller, self._archive = model, controller, archive
        self._sort: tuple[SortKey, bool] = ("started", True)
        self._known_empty = False
        self._commands: dict[str, Command] = {}
        self._offered: tuple[Command, ...] = ()
        self._compared: tuple[int, ...] = ()
        self.sidebar = Sidebar()
        self.table = RunTable(archive)
        self.bar = SessionBar(self.table)
        self.details = RunDetails(archive)
        self.undo_line, self.empty = UndoLine(), EmptyPage()
        self._footer = soft(named(QLabel(), "runCount"))
        self._weight = soft(named(QLabel(), "logWeight"))
        self._weight.setAccessibleName("The log")
        self._pages = QStackedWidget()
        self._lower: QWidget | None = None
        self._put_together()
        self._refresh = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._refresh.timeout.connect(self.refresh)
        self._connect()

    def _put_together(self) -> None:
        for page in (self.table, self.empty):
            self._pages.addWidget(page)
        upper = stacked(self.bar, hairline(), self.undo_line, self._pages, self._foot(), stretched=3)
        self.middle = QSplitter(Qt.Orientation.Vertical)
        self.middle.setObjectName("sessionMiddle")
        self.middle.setHandleWidth(1)
        self.middle.setChildrenCollapsible(False)
        self.middle.addWidget(upper)
        right = scrolled(self.details, RIGHT_PX)
        left = stacked(self.sidebar, stretched=0)
        left.setContentsMargins(3 * theme.SPACE, 2 * theme.SPACE, 3 * theme.SPACE, 2 * theme.SPACE)
        left.setFixedWidth(LEFT_PX)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for part in (left, hairline(vertical=True), self.middle, hairline(vertical=True), right):
            layout.addWidget(part, 1 if part is self.middle else 0)

    def _foot(self) -> QWidget:
        foot = QWidget()
        layout = QHBoxLayout(foot)
        layout.setContentsMargins(3 * theme.SPACE, theme.SPACE, 3 * theme.SPACE, theme.SPACE)
        layout.addWidget(self._footer)
        layout.addStretch(1)
        layout.addWidget(self._weight)
        return foot

    def _connect(self) -> None:
        archive, sidebar, table = self._archive, self.sidebar, self.table
        archive.listed.connect(self._on_listed)
        archive.overview_found.connect(self._on_overview_found)
        archive.changed.connect(self._on_changed)
        archive.text_found.connect(self._on_text_found)
        archive.failed.connect(self._on_failed)
        self._model.run_changed.connect(lambda _run_id: self._on_changed(()))
        self.bar.search.filter_changed.connect(self._on_filter_changed)
        self.bar.search.leave_wanted.connect(self._on_search_left)
        sidebar.entry_chosen.connect(self._on_entry_chosen)
        sidebar.session_renamed.connect(self._on_session_renamed)
        sidebar.session_delete_wanted.connect(self._delete_session)
        sidebar.session_report_wanted.connect(self.session_report_wanted)
        sidebar.sessions_compare_wanted.connect(self.compare_sessions_wanted)
        table.selection_settled.connect(self._on_selection_settled)
        table.sort_wanted.connect(self._on_sort_wanted)
        table.key_wanted.connect(self._on_key)
        table.star_clicked.connect(self._on_star_clicked)
        table.menu_wanted.connect(self._on_menu_wanted)
        self.undo_line.undo_wanted.connect(self.undo)
        self.empty.step_wanted.connect(self._on_step_wanted)

    # What it shows

    @property
    def selected_ids(self) -> tuple[int, ...]:
        """The selected runs, in the order of the list."""
        return self.table.selected_ids()

    def set_lower(self, widget: QWidget) -> None:
        """Put a view beneath the list: that of comparisons. While it is shown it follows the selection."""
        self._lower = widget
        self.middle.addWidget(widget)
        self.middle.setSizes([460, 380])
        widget.hide()

    def refresh(self) -> None:
        """Ask for everything anew."""
        self._refresh.stop()
        self._ask_list()
        self._archive.ask_overview()

    def look_for(self, text: str) -> None:
        """Search for something."""
        self.bar.search.look_for(text)

    def _ask_list(self) -> None:
        wanted = self.sidebar.chosen.narrowed(self.bar.search.wanted)
        self._archive.ask_list(RunQuery(wanted, *self._sort))

    def _on_listed(self, listing: Listing) -> None:
        self.table.show_listing(listing)
        self._show_page()
        self._show_count()

    def _on_overview_found(self, overview: Overview) -> None:
        self.sidebar.show_overview(overview)
        self.table.show_sessions(overview.sessions)
        self._weight.setText(log_words(len(overview.sessions), overview.n_bytes, overview.backed_up_s))
        self._weight.setToolTip(str(self._archive.path))
        self._known_empty = overview.counts.all == 0 and overview.counts.deleted == 0
        self._show_page()

    def _show_page(self) -> None:
        if self.table.plan.n_runs:
            self._pages.setCurrentWidget(self.table)
            return
        narrowed = bool(self.bar.search.text()) or self.sidebar.chosen.kind != "all"
        self.empty.say_why(nothing_yet=self._known_empty, narrowed=narrowed)
        self._pages.setCurrentWidget(self.empty)

    def _show_count(self) -> None:
        n_runs, n_selected = self.table.plan.n_runs, len(self.selected_ids)
        selected = f" · {n_selected:,} selected" if n_selected > 1 else ""
        self._footer.setText(f"{plural(n_runs, 'run')}{selected}")

    # What changes

    def _on_changed(self, run_ids: tuple[int, ...]) -> None:
        self.table.forget(run_ids)
        if self.isVisible() and not self._refresh.isActive():
            self._refresh.start()

    def _on_filter_changed(self, wanted: RunFilter) -> None:
        chosen = self.sidebar.chosen
        if wanted.tag is not None and chosen.kind == "tag" and wanted.tag != chosen.key:
            self.sidebar.choose(ALL, told=False)  # a run is asked for by one tag at a time
        self._ask_list()

    def _on_entry_chosen(self, _entry: SidebarEntry) -> None:
        if self.sidebar.chosen.kind == "tag" and self.bar.search.wanted.tag not in (
            None,
            self.sidebar.chosen.key,
        ):
            self.bar.search.look_for("")
        self._ask_list()

    def _on_search_left(self) -> None:
        self.table.setFocus()
        if not self.selected_ids:
            self.table.select_row(1 if self.table.plan.group_at(0) is not None else 0)

    def _on_sort_wanted(self, sort: SortKey, descending: bool) -> None:
        self._sort = sort, descending
        self.table.show_sort(sort, descending)
        self._ask_list()

    def _on_selection_settled(self, run_ids: tuple[int, ...]) -> None:
        known = (self.table.rows.line(run_id) for run_id in run_ids[:500])
        lines = [line for line in known if line is not None]
        self.details.show_runs(run_ids, lines, deleted=self.shows_deleted)
        self._show_count()
        if self._lower is not None and self._lower.isVisible():
            compared = run_ids if 2 <= len(run_ids) <= MOST_COMPARED else ()
            if compared != self._compared:
                self._compare(compared)

    def _compare(self, run_ids: tuple[int, ...]) -> None:
        self._compared = run_ids
        self.compare_wanted.emit(run_ids)

    @property
    def shows_deleted(self) -> bool:
        """Whether the list shows runs that were deleted."""
        return self.sidebar.chosen.kind == "deleted" or self.bar.search.wanted.deleted

    def _on_failed(self, error: UserError) -> None:
        self._model.notice = Notice("error", error.sentence, error.next_step, about="log")

    def _on_text_found(self, kind: str, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.details.commands.say_copied(kind)

    # What is done with runs

    def show_commands(self, commands: Sequence[Command]) -> None:
        """Offer these as buttons, in the context menu, and by their keys while the list has the focus."""
        self._commands = {command.key: command for command in commands if command.key}
        self._offered = tuple(command for command in commands if command.id not in _OF_THE_LIST)
        self.table.take_keys(self._commands)
        self.details.commands.show_commands(commands)

    def _on_key(self, key: str) -> None:
        command = self._commands.get(key)
        if command is not None and command.enabled_when() is None:
            command.run()

    @property
    def selected_are_starred(self) -> bool:
        """Whether there are selected runs, and all of them have a star."""
        lines = [self.table.rows.line(run_id) for run_id in self.selected_ids]
        return bool(lines) and all(line is not None and line.starred for line in lines)

    def open_selected(self) -> None:
        """Ask for the selected run to be shown in Explore."""
        self.open_wanted.emit(self.selected_ids[0])

    def replay_selected(self) -> None:
        """Ask for the selected run to be run again."""
        self.replay_wanted.emit(self.selected_ids[0])

    def copy_selected(self, kind: str) -> None:
        """Copy what gives the tokens of the selected run again: "shell" or "python"."""
        self._archive.ask_text(self.selected_ids[0], kind=kind)

    def compare_selected(self) -> None:
        """Ask for the selected runs side by side."""
        self._compare(self.selected_ids)

    def report_selected(self) -> None:
        """Ask for a report of the selected runs."""
        self.report_wanted.emit(self.selected_ids)

    def star_selected(self) -> None:
        """Star the selected runs, or remove the stars where all have one."""
        self._archive.star(self.selected_ids, not self.selected_are_starred)

    def judge_selected(self, verdict: str, ok: bool | None) -> None:
        """Write down what the selected runs' texts describe; "" takes a verdict away."""
        self._archive.judge(self.selected_ids, verdict, ok)

    def restore_selected(self) -> None:
        """Show deleted runs in the lists again."""
        self._archive.restore(self.selected_ids)

    def delete_selected(self) -> None:
        """Take the selected runs out of the list, and select the next one."""
        run_ids = self.selected_ids
        rows = self.table.plan.rows_of(run_ids)
        after = int(rows[-1]) + 1
        next_id = self.table.plan.run_at(after) or self.table.plan.run_at(int(rows[0]) - 1)
        self._archive.delete(run_ids)
        self.undo_line.say(f"{plural(len(run_ids), 'run')} deleted.")
        if next_id is not None:
            self.table.select_runs([next_id], next_id)

    def begin_search(self) -> None:
        """Go to the search line."""
        self.bar.search.setFocus()
        self.bar.search.selectAll()

    def _delete_session(self, session_id: int) -> None:
        entry = next((line for line in self.sidebar.entries if line.same == ("session", session_id)), None)
        self._archive.delete_session(session_id)
        label = entry.label if entry else "session"
        self.undo_line.say(f"“{label}” deleted, with {plural(entry.count if entry else 0, 'run')}.")

    def _on_star_clicked(self, run_id: int) -> None:
        line = self.table.rows.line(run_id)
        if line is not None:
            self._archive.star([run_id], not line.starred)

    def _on_menu_wanted(self, run_id: int, column: str, at: QPoint) -> None:
        line = self.table.rows.line(run_id)
        if line is None:
            return
        if self.selected_ids != self.details.ids:
            self._on_selection_settled(self.selected_ids)
        self.menu_of(line, column).popup(at)

    def menu_of(self, line: RunRow, column: str) -> QMenu:
        """What the right button offers on a run, in a column."""
        return run_menu(self, self._offered, like_it(line, column), self.look_for)

    def _on_session_renamed(self, session_id: int, name: str) -> None:
        notices.attempt(
            self._controller.model, lambda: self._archive.rename_session(session_id, name), about="log"
        )

    def undo(self) -> None:
        """Undo the last change of the log."""
        self.undo_line.hide()
        self._archive.undo_stack.undo()

    def redo(self) -> None:
        """Redo what was undone."""
        self._archive.undo_stack.redo()

    def _on_step_wanted(self) -> None:
        if self._known_empty:
            self.explore_wanted.emit()
            return
        self.bar.search.look_for("")
        self.sidebar.choose(ALL)

    # Its place in the window

    def keep(self) -> None:
        """Write down what is being typed; call it before the archive is closed."""
        self.details.note.keep()

    def save_state(self) -> tuple[bytes, bytes]:
        """Columns and grouping, and how the room is shared, as `restore_state` takes them."""
        grouped = b"1" if self.table.grouped else b"0"
        columns = bytes(self.table.horizontalHeader().saveState().data())
        return grouped + columns, bytes(self.middle.saveState().data())

    def restore_state(self, state: tuple[bytes, bytes]) -> None:
        """Show the columns that were shown before; what cannot be read is left out."""
        table, middle = state
        header = self.table.horizontalHeader()
        if len(table) > 1 and header.count() == len(RUN_COLUMNS) and header.restoreState(table[1:]):
            self.bar.group("session" if table[:1] == b"1" else "none")
            self._sort = self.table.sort_shown()
        self.middle.restoreState(middle)
        self.table.share_room()

    def showEvent(self, event: QShowEvent) -> None:
        """Show what is there now, and go on looking."""
        super().showEvent(event)
        self._archive.watch(True)
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody sees it: nothing has to be looked at."""
        super().hideEvent(event)
        self._archive.watch(False)

    def event(self, event: QEvent) -> bool:
        """Undo and search mean this tab while it has the focus; plain keys never mean Explore's tools."""
        override = event.type() == QEvent.Type.ShortcutOverride
        if override and isinstance(event, QKeyEvent) and (is_plain(event) or key_name(event) in _SHORTCUTS):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The keys of commands that act wherever the focus is on this tab."""
        key = key_name(event)
        if key in _SHORTCUTS:
            self._on_key(key)
        else:
            super().keyPressEvent(event)
