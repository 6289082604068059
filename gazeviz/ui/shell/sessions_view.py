"""The Sessions tab put together: the list of runs, comparisons under it, and what can be done with runs.

Opening, replaying and reporting belong to the app; this passes requests on, and says when Explore is wanted.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.app.history.reopening import Reopener
from gazeviz.app.history.replaying import Replayer
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings
from gazeviz.ui.compare.compare_page import CompareView
from gazeviz.ui.sessions.report_dialog import ReportDialog
from gazeviz.ui.sessions.sessions_page import SessionBrowser

_LAYOUT: Final = "sessions"


class SessionsView(QWidget):
    """Everything that was logged. Signal `explore_wanted`: a run stands in Explore."""

    explore_wanted = Signal()

    def __init__(
        self,
        model: SessionModel,
        controller: RunController,
        archive: LogBrowser,
        settings: AppSettings,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("sessions")
        self._archive, self._settings = archive, settings
        self._reopener = Reopener(controller, archive.store, self)
        self._replayer = Replayer(controller, archive.store, self._reopener, self)
        self.browser = SessionBrowser(model, controller, archive)
        self.compare = CompareView(model, controller, archive)
        self.report = ReportDialog(archive, self, settings)
        self.browser.set_lower(self.compare)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.browser)
        layout_before = settings.window_layout(_LAYOUT)
        if layout_before is not None:
            self.browser.restore_state(layout_before)
        self._connect()

    def close_log(self) -> None:
        """Keep what is being written and read nothing more; called before the log is closed."""
        self.browser.keep()
        self._settings.save_window_layout(*self.browser.save_state(), name=_LAYOUT)
        self._reopener.close()
        self.report.close_work()

    def _connect(self) -> None:
        for view in (self.browser, self.compare):
            view.open_wanted.connect(self._reopener.reopen)
            view.report_wanted.connect(self.report.show_runs)
        self.browser.replay_wanted.connect(self._replayer.replay)
        self.browser.compare_wanted.connect(self.compare.show_runs)
        self.browser.compare_sessions_wanted.connect(self.compare.show_sessions)
        self.compare.shows_changed.connect(self.compare.setVisible)
        self.browser.session_report_wanted.connect(self.report.show_session)
        self.browser.explore_wanted.connect(self.explore_wanted)
        self._reopener.opened.connect(lambda _: self.explore_wanted.emit())
