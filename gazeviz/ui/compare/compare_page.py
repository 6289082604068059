"""The comparison under the list of sessions: runs, head rankings or two sessions, what was asked for last.

Asks the archive and shows one page at a time; a sentence where there is nothing to compare yet, or where it
cannot be done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.history.comparison import MOST, RunComparison
from gazeviz.app.history.comparison_sources import (
    KnownGrid,
    NotCompared,
    SessionsCompared,
    read_runs,
    read_sessions,
    told,
)
from gazeviz.app.history.log_browser import LogBrowser, Overview
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.errors import UserError
from gazeviz.ui.compare.compare_rankings import CompareRankings
from gazeviz.ui.compare.compare_runs import CompareRuns
from gazeviz.ui.compare.compare_sessions import CompareSessions
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command
from gazeviz.ui.widgets.controls import named, push_button, soft_text

_T = TypeVar("_T")
_EMPTY: Final = "Choose two to six runs in the list to see them side by side."
_UNFINISHED: Final = ("queued", "loading", "running")


class CompareView(QWidget):
    """Runs, rankings or sessions side by side.

    open_wanted: a run to be shown in Explore.  report_wanted: runs to be reported on.
    shows_changed: whether anything is compared now, so that the room can be given to others.
    """

    open_wanted = Signal(int)
    report_wanted = Signal(tuple)
    shows_changed = Signal(bool)

    def __init__(
        self,
        model: SessionModel,
        controller: RunController,
        archive: LogBrowser,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("compareView")
        self._model, self._controller, self._archive = model, controller, archive
        self._ids: tuple[int, ...] = ()
        self._sessions: tuple[tuple[int, str], ...] = ()
        self._pair_from: tuple[int, int] | None = None
        self._latest = 0
        self._shows = self._is_refusal = False
        self.rankings = CompareRankings(model, controller)
        self.runs, self.sessions = CompareRuns(), CompareSessions()
        self._stack = QStackedWidget()
        self._message = self._make_message()
        for page in (self._message, self.runs, self.rankings, self.sessions):
            self._stack.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        scroll = named(QScrollArea(), "compareScroll")
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(self._stack)
        layout.addWidget(scroll)
        self._connect()
        self.clear()

    def _make_message(self) -> QWidget:
        page, buttons = QWidget(), QHBoxLayout()
        self._sentence, self._next_step = named(QLabel(), "compareSentence"), soft_text("compareNextStep")
        self._sentence.setWordWrap(True)
        self._to_rankings = push_button("compareToRankings", "", "")
        self._to_sessions = push_button("compareToSessions", "", "")
        for button in (self._to_rankings, self._to_sessions):
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self._sentence)
        layout.addWidget(self._next_step)
        layout.addLayout(buttons)
        layout.addStretch(1)
        return page

    def show_commands(self, commands: Sequence[Command]) -> None:
        """Offer what else can be compared, where nothing is."""
        by_id = {command.id: command for command in commands}
        for button, command in (
            (self._to_rankings, by_id["compare.rankings"]),
            (self._to_sessions, by_id["compare.sessions"]),
        ):
            button.setText(command.title)
            button.setAccessibleName(command.title)
            button.setToolTip(command.hint)
            button.clicked.connect(lambda _=False, run=command.run: run())

    def show_newest_sessions(self) -> None:
        """Compare the two newest sessions; says so where there are fewer."""
        if len(self._sessions) > 1:
            self.show_sessions(*(session_id for session_id, _ in self._sessions[:2]))
        else:
            self._say("There is only one session.", "A session begins each time that gazeviz is started.")

    def _connect(self) -> None:
        self._archive.changed.connect(self._on_changed)
        self._archive.overview_found.connect(self._on_overview)
        self._model.ranking_changed.connect(self._on_rankings_changed)
        self.runs.open_wanted.connect(self.open_wanted)
        self.runs.report_wanted.connect(self.report_wanted)
        self.runs.back_wanted.connect(self._on_back)
        for page in (self.runs, self.rankings, self.sessions):
            page.close_wanted.connect(self.clear)
        self.rankings.names_wanted.connect(self.show_rankings)
        self.sessions.sessions_wanted.connect(self.show_sessions)
        self.sessions.pair_chosen.connect(self._on_pair)
        self._archive.ask_overview()

    def _turn_to(self, page: QWidget) -> None:
        """Show a page; the others take no room."""
        ignored, preferred = QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        for other in (self._message, self.runs, self.rankings, self.sessions):
            policy = preferred if other is page else ignored
            other.setSizePolicy(policy, policy)
        self._stack.setCurrentWidget(page)
        shows = page is not self._message or self._is_refusal
        if shows != self._shows:
            self._shows = shows
            self.shows_changed.emit(shows)

    # What can be shown

    def clear(self) -> None:
        """Compare nothing: say how to begin."""
        self._latest += 1
        self._ids, self._pair_from = (), None
        self._say(_EMPTY, "Hold Ctrl or Shift while you click to choose several.", is_refusal=False)

    def show_runs(self, ids: Sequence[int]) -> None:
        """Compare two to six runs of the log; fewer end a comparison of runs, and leave any other alone."""
        if len(ids) >= 2:
            self._pair_from = None
            self._ask_runs(tuple(ids))
        elif self._ids and self._pair_from is None:
            self.clear()

    def show_rankings(self, names: Sequence[str] = ()) -> None:
        """Compare two to six rankings of the loaded model, the first six where none is named."""
        self._latest += 1
        self._ids, self._pair_from = (), None
        try:
            self.rankings.show_rankings(names or tuple(self._model.rankings)[:MOST])
        except UserError as error:
            self._say(error.sentence, error.next_step)
        else:
            self._turn_to(self.rankings)

    def show_sessions(self, first: int, second: int) -> None:
        """Compare two sessions, their runs paired by prompt and target."""
        self._ids, self._pair_from = (), (first, second)
        self._ask(lambda reader: read_sessions(reader, first, second), self._on_sessions_read)

    @property
    def shows(self) -> bool:
        """Whether anything is compared."""
        return self._shows

    @property
    def message(self) -> str:
        """The sentence that is shown in the place of a comparison, "" for none."""
        return self._sentence.text() if self._stack.currentWidget() is self._message else ""

    # Asking

    def _ask_runs(self, ids: tuple[int, ...]) -> None:
        self._ids = ids
        known = self._known_grid()
        self._ask(lambda reader: read_runs(reader, ids, known), self._on_runs_read)

    def _ask(self, question: Callable[[Any], _T], answer: Callable[[_T | NotCompared], None]) -> None:
        """Ask the archive; an answer to what is not wanted any more is dropped."""
        self._latest += 1
        request = self._latest

        def on_answer(found: _T | NotCompared) -> None:
            if request == self._latest:
                answer(found)

        self._archive.ask("compare", told(question), on_answer)

    def _known_grid(self) -> KnownGrid | None:
        picture, info, grid = self._model.picture, self._model.model_info, self._model.grid
        if picture is None or info is None or grid is None:
            return None
        return KnownGrid(picture.sha256, info.fingerprint, grid)

    def _on_runs_read(self, comparison: RunComparison | NotCompared) -> None:
        if isinstance(comparison, NotCompared):
            self._say(comparison.sentence, comparison.next_step)
            return
        self.runs.show_comparison(comparison, from_pairs=self._pair_from is not None)
        self._turn_to(self.runs)

    def _on_sessions_read(self, compared: SessionsCompared | NotCompared) -> None:
        if isinstance(compared, NotCompared):
            self._say(compared.sentence, compared.next_step)
            return
        self.sessions.show_sessions(compared)
        self._turn_to(self.sessions)

    def _say(self, sentence: str, next_step: str, is_refusal: bool = True) -> None:
        self._is_refusal = is_refusal
        self._sentence.setText(sentence)
        self._next_step.setText(next_step)
        self._to_rankings.setVisible(len(self._model.rankings) > 1)
        self._to_sessions.setVisible(len(self._sessions) > 1)
        self._turn_to(self._message)

    # What happens elsewhere

    def _on_changed(self, ids: tuple[int, ...]) -> None:
        """Runs that are being written when they are compared are read again."""
        comparison = self.runs.comparison
        if self._stack.currentWidget() is not self.runs or comparison is None or not self._ids:
            return
        if any(run.state in _UNFINISHED and (not ids or run.id in ids) for run in comparison.runs):
            self._ask_runs(self._ids)

    def _on_overview(self, overview: Overview) -> None:
        sessions = tuple((session.id, session.name) for session in overview.sessions)
        if sessions != self._sessions:
            self._sessions = sessions
            self.sessions.offer_sessions(sessions)
        self._to_sessions.setVisible(len(self._sessions) > 1)

    def _on_rankings_changed(self) -> None:
        self._to_rankings.setVisible(len(self._model.rankings) > 1)

    def _on_pair(self, first: int, second: int) -> None:
        self._ask_runs((first, second))

    def _on_back(self) -> None:
        if self._pair_from is not None:
            self.show_sessions(*self._pair_from)
