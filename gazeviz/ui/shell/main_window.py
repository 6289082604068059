"""The main window: puts header, tabs, notices and status together, and says what can be done.

Only puts things together: every part listens to the session by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QCloseEvent, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QMenu,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings, ThemeChoice
from gazeviz.app.session.values import Notice
from gazeviz.ui.heads.head_commands import open_page_command, page_commands
from gazeviz.ui.picture.open_menu import DropWindow, PictureMenu
from gazeviz.ui.sessions.session_commands import session_commands
from gazeviz.ui.shell import commands as table
from gazeviz.ui.shell.actions import Actions
from gazeviz.ui.shell.explore_page import ExploreView
from gazeviz.ui.shell.header import Header
from gazeviz.ui.shell.notice_bar import NoticeBar, TokenQuestion
from gazeviz.ui.shell.session_commands import offers, picture_offers, place_offers
from gazeviz.ui.shell.status_bar import StatusBar
from gazeviz.ui.shell.tour import Tour
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.binding import SettingsBinding
from gazeviz.ui.widgets.command import Command
from gazeviz.ui.widgets.controls import hairline

if TYPE_CHECKING:
    from gazeviz.app.evaluate.evaluations import Evaluations
    from gazeviz.domain.heads import Head
    from gazeviz.ui.compare.compare_page import CompareView
    from gazeviz.ui.evaluate.evaluate_page import EvaluateView
    from gazeviz.ui.heads.head_page import HeadPage
    from gazeviz.ui.sessions.sessions_page import SessionBrowser
    from gazeviz.ui.sessions.sidebar import Sidebar
    from gazeviz.ui.shell.command_palette import CommandPalette
    from gazeviz.ui.shell.help_window import HelpView
    from gazeviz.ui.shell.model_dialog import ModelDialog
    from gazeviz.ui.shell.sessions_view import SessionsView

FIRST_SIZE_PX, TITLE_BAR_PX = (1440, 900), 40  # how high the bar is, is only known once it is there


class MainWindow(DropWindow):
    """gazeviz on the screen."""

    def __init__(
        self,
        model: SessionModel,
        controller: RunController,
        settings: AppSettings,
        archive: LogBrowser | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """archive: the log that runs are kept in; None where nothing is logged."""
        super().__init__(parent)
        self.setObjectName("mainWindow")
        self.setWindowTitle("gazeviz")
        self._model, self._controller, self._settings = model, controller, settings
        self.explore = ExploreView(model, controller)
        self.pictures = PictureMenu(model, controller, settings, self)
        self._archive, self._ended = archive, False
        self._sessions: SessionsView | None = None
        self._evaluate: EvaluateView | None = None
        self._evaluations: Evaluations | None = None
        self._head_page: HeadPage | None = None
        self._stack = QStackedWidget()
        self._stack.addWidget(self.explore)
        self._menu = QMenu(self)
        tabs = ("Explore",) if archive is None else ("Explore", "Sessions", "Evaluate")
        self.header = Header(model, tabs, self._menu, self.pictures)
        parts = NoticeBar(model, controller), TokenQuestion(model, controller)
        place = f"{archive.path.parent.name} / {archive.path.name}" if archive else "not logged"
        self._put_together(parts, StatusBar(model, controller, place))
        self.take_drops(self.pictures)
        self.tour = Tour(self, model, controller, settings)
        self.tour.started.connect(partial(self.show_tab, "Explore"))
        self.tour.started.connect(partial(self.explore.set_large, False))
        self._binding = SettingsBinding(model, settings)
        self.actions_ = Actions(self, self._table(), local=table.LOCAL, refuse=self._refuse)
        self._hand_out()
        self.actions_.fill(self._menu)
        self._connect()
        self._restore_layout()
        _keep_focus_from_buttons(self)

    # Putting together

    def _put_together(self, said: Sequence[QWidget], status: StatusBar) -> None:
        whole = QWidget()
        layout = QVBoxLayout(whole)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for part in (self.header, hairline(), *said, self._stack, hairline(), status):
            layout.addWidget(part, 1 if part is self._stack else 0)
        self.setCentralWidget(whole)

    def _connect(self) -> None:
        self.header.tab_wanted.connect(self.show_tab)
        for part in (self.explore.head_panel.grid, self.explore.gallery):
            part.page_wanted.connect(self.open_head)
        self.header.model_wanted.connect(self.choose_model)
        self.header.palette_wanted.connect(self.show_palette)
        self._model.picture_changed.connect(self._name_window)
        self._model.model_changed.connect(self._name_window)
        self.show_tab("Explore")

    def _table(self) -> list[Command]:
        """Every command that is always there, in the order of menu, palette and help."""
        model, controller = self._model, self._controller
        logs = self._archive is not None
        return [
            *table.file_commands(model, self.pictures, self._settings, self),
            *table.explore_commands(model, controller, self.explore),
            open_page_command(model, self.open_head),
            *page_commands(lambda: self._head_page),
            *table.view_commands(model, self.explore.canvas, self.explore),
            *table.window_commands(self, logs=logs),
            *(table.runs_commands(self._browser) if logs else ()),
            *(session_commands(self._sidebar) if logs else ()),
            *(table.compare_commands(model, self._comparison) if logs else ()),
            *(table.evaluate_commands(self._experiments) if logs else ()),
            *table.help_commands(self),
        ]

    def _browser(self) -> SessionBrowser | None:
        return self._sessions.browser if self._sessions is not None else None

    def _sidebar(self) -> Sidebar | None:
        browser = self._browser()
        return browser.sidebar if browser is not None else None

    def _comparison(self) -> CompareView:
        self.show_tab("Sessions")
        return self.sessions().compare

    def _experiments(self) -> EvaluateView:
        self.show_tab("Evaluate")
        return self.evaluate()

    def _refuse(self, reason: str, about: str) -> None:
        """Say why a key does nothing now."""
        sentence, _, next_step = reason.partition(". ")
        self._model.notice = Notice("error", f"{sentence.rstrip('.')}.", next_step, about)

    def _hand_out(self) -> None:
        """Give the parts the commands that they show."""
        self.explore.transcript.show_commands(self.actions_.of("run"))
        self.explore.canvas.place_commands = partial(place_offers, self._model, self._controller)

    # Made when they are first wanted: a start that never opens them does not wait for them

    @cached_property
    def _models(self) -> ModelDialog:
        from gazeviz.ui.shell.model_dialog import ModelDialog

        return ModelDialog(self._model, self._controller, self._settings, self)

    @cached_property
    def _palette(self) -> CommandPalette:
        from gazeviz.ui.shell.command_palette import CommandPalette

        return CommandPalette(self._commands, self)

    @cached_property
    def _help(self) -> HelpView:
        from gazeviz.ui.shell.help_window import HelpPage, HelpView, help_pages, with_page

        keys = HelpPage("keys", "Commands and keys", table.keys_page(self.actions_.commands))
        return HelpView(self, with_page(help_pages(), keys))

    # What the window does

    def begin(self) -> None:
        """The window stands: keys mean the picture, and on a first start the tour begins."""
        self.explore.canvas.setFocus()
        if not self._settings.tour_seen:
            self.tour.start()

    def show_tab(self, name: str) -> None:
        """Show a tab; that of the sessions is made when it is first wanted."""
        if name == "Evaluate":
            page: QWidget = self.evaluate()
        else:
            page = self.explore if name == "Explore" else self.sessions()
        self._stack.setCurrentWidget(page)
        self.header.show_tab(name)
        self.actions_.enable(table.OF_EXPLORE, name == "Explore")

    def sessions(self) -> SessionsView:
        """The Sessions tab; RuntimeError where nothing is logged."""
        if self._archive is None:
            raise RuntimeError("there is no log")
        if self._sessions is None:
            from gazeviz.ui.shell.sessions_view import SessionsView

            self._sessions = SessionsView(self._model, self._controller, self._archive, self._settings)
            self._sessions.browser.show_commands(self.actions_.of("runs"))
            self._sessions.compare.show_commands(self.actions_.of("compare"))
            self._sessions.explore_wanted.connect(partial(self.show_tab, "Explore"))
            self._stack.addWidget(self._sessions)
        return self._sessions

    def evaluate(self) -> EvaluateView:
        """The Evaluate tab; RuntimeError where nothing is logged."""
        if self._archive is None:
            raise RuntimeError("there is no log")
        if self._evaluate is None:
            from gazeviz.app.evaluate.evaluations import Evaluations
            from gazeviz.ui.evaluate.evaluate_page import EvaluateView

            self._evaluations = Evaluations(self._archive, self)
            self._evaluate = EvaluateView(self._model, self._controller, self._evaluations)
            self._evaluate.explore_wanted.connect(partial(self.show_tab, "Explore"))
            self._stack.addWidget(self._evaluate)
        return self._evaluate

    def open_head(self, head: Head) -> None:
        """Show the page of a head in the place of the picture; Explore is the way back."""
        if self._head_page is None:
            from gazeviz.ui.heads.head_page import HeadPage

            self._head_page = HeadPage(self._model, self._controller)
            self._head_page.back_wanted.connect(partial(self.show_tab, "Explore"))
            self._stack.addWidget(self._head_page)
            _keep_focus_from_buttons(self)
        self._head_page.open_head(head)
        self._stack.setCurrentWidget(self._head_page)
        self.header.show_tab("Explore")
        self._head_page.setFocus()
        self.actions_.enable(table.OF_EXPLORE, False)

    def report(self) -> None:
        """Report the runs of this session."""
        if self._archive is not None and self._archive.store.session_id is not None:
            self.sessions().report.show_session(self._archive.store.session_id)

    def choose_model(self) -> None:
        """Open the list of models."""
        self._models.open_dialog()

    def show_palette(self) -> None:
        """Open the command palette."""
        self._palette.open_palette()

    def _commands(self) -> list[Command]:
        """What the palette lists: all commands, those of another tab grey."""
        fixed = [
            replace(command, title=_long_title(command), enabled_when=partial(self.actions_.reason, command))
            for command in self.actions_.commands
        ]
        if self._stack.currentWidget() is not self.explore:
            return fixed
        model, controller = self._model, self._controller
        return [
            *fixed,
            *offers(model, controller, self.explore),
            *picture_offers(model, controller, self.pictures, self._settings),
        ]

    def show_help(self, page: str = "") -> None:
        """Open the help beside the window, at a page where one is named."""
        if page:
            self._help.show_page(page)
        self._help.show()
        self._help.raise_()

    def set_theme(self, choice: ThemeChoice) -> None:
        """Dress the window, and remember it."""
        self._settings.theme = choice
        theme.apply(cast(QApplication, QApplication.instance()), choice)

    def _name_window(self) -> None:
        picture, info = self._model.picture, self._model.model_info
        parts = [picture.name if picture else "", info.name if info else "", "gazeviz"]
        self.setWindowTitle(" \N{EN DASH} ".join(part for part in parts if part))

    # Its place on the screen, and its end

    def _restore_layout(self) -> None:
        layout = self._settings.window_layout()
        room = QGuiApplication.primaryScreen().availableSize()
        self.resize(min(FIRST_SIZE_PX[0], room.width()), min(FIRST_SIZE_PX[1], room.height() - TITLE_BAR_PX))
        if layout is not None:
            self.restoreGeometry(layout[0])
            self.explore.restore(layout[1])

    def changeEvent(self, event: QEvent) -> None:
        """Buttons that were made since are kept from the focus, too."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange:
            _keep_focus_from_buttons(self)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask before a run is ended."""
        if self._controller.busy and not self._may_end():
            event.ignore()
            return
        self.end()
        event.accept()

    def end(self) -> None:
        """Remember where everything stood, and end worker and log without a question. Twice is no fault."""
        if self._ended:
            return
        self._ended = True
        self._settings.save_window_layout(bytes(self.saveGeometry().data()), self.explore.state())
        self._settings.sync()
        if self._sessions is not None:
            self._sessions.close_log()
        if self._evaluate is not None:
            self._evaluate.close_answers()
        if self._evaluations is not None:
            self._evaluations.close()
        if self._archive is not None:
            self._archive.close()
        self._controller.shutdown()

    def _may_end(self) -> bool:
        question = QMessageBox(self)
        question.setObjectName("closeQuestion")
        question.setWindowTitle("gazeviz")
        question.setText("A run is still active.")
        question.setInformativeText("Closing stops it; tokens received so far are kept.")
        end = question.addButton("Close anyway", QMessageBox.ButtonRole.AcceptRole)
        question.setDefaultButton(question.addButton("Keep it running", QMessageBox.ButtonRole.RejectRole))
        question.exec()
        return question.clickedButton() is end


def _long_title(command: Command) -> str:
    """What a command is called where nothing around it says what it is about."""
    return f"Selected runs: {command.title}" if command.group == "runs" else command.title


def _keep_focus_from_buttons(window: QWidget) -> None:
    """A click on a button leaves the focus where it is, so that Space goes on meaning run; Tab reaches it."""
    for button in window.findChildren(QAbstractButton):
        if button.focusPolicy() == Qt.FocusPolicy.StrongFocus:
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
