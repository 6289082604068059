"""The main window: puts header, tabs, notices and status together, and says what can be done.

Only puts things together: every part listens to the session by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QCloseEvent, QGuiApplication
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QMainWindow,
    QMenu,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import THEME_CHOICES, AppSettings, ThemeChoice
from gazeviz.ui.picture.open_menu import PictureDrop, PictureMenu
from gazeviz.ui.shell import commands
from gazeviz.ui.shell.command_palette import Command
from gazeviz.ui.shell.commands import OF_EXPLORE, Actions, Deed
from gazeviz.ui.shell.explore_page import ExploreView
from gazeviz.ui.shell.header import Header
from gazeviz.ui.shell.notice_bar import NoticeBar, TokenQuestion
from gazeviz.ui.shell.session_commands import offers, run_offers
from gazeviz.ui.shell.status_bar import StatusBar
from gazeviz.ui.shell.tour import Tour
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.binding import SettingsBinding
from gazeviz.ui.widgets.controls import hairline

if TYPE_CHECKING:
    from gazeviz.ui.sessions.sessions_page import SessionsView
    from gazeviz.ui.shell.command_palette import CommandPalette
    from gazeviz.ui.shell.help_window import HelpView
    from gazeviz.ui.shell.model_dialog import ModelDialog

FIRST_SIZE_PX, TITLE_BAR_PX = (1440, 900), 40  # how high the bar is, is only known once it is there


class MainWindow(QMainWindow):
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
        self._stack = QStackedWidget()
        self._stack.addWidget(self.explore)
        self._menu = QMenu(self)
        tabs = ("Explore",) if archive is None else ("Explore", "Sessions")
        self.header = Header(model, tabs, self._menu, self.pictures)
        said = NoticeBar(model, controller), TokenQuestion(model, controller)
        place = f"{archive.path.parent.name} / {archive.path.name}" if archive else "nothing is logged"
        self._put_together(said, StatusBar(model, controller, place))
        self._drop = PictureDrop(self, self.pictures)
        self.tour = Tour(self, model, controller, settings)
        self.tour.started.connect(partial(self.show_tab, "Explore"))
        self.tour.started.connect(partial(self.explore.set_large, False))
        self._binding = SettingsBinding(model, settings)
        self.actions_ = Actions(self, self._deeds())
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
        self.header.model_wanted.connect(self.choose_model)
        self.header.palette_wanted.connect(self.show_palette)
        self._model.picture_changed.connect(self._name_window)
        self._model.model_changed.connect(self._name_window)
        self.show_tab("Explore")

    def _deeds(self) -> Sequence[Deed]:
        model, controller = self._model, self._controller
        editor = controller.editor
        return [
            Deed("File", "Open a model ...", "Ctrl+M", "Load another model.", self.choose_model),
            *self.pictures.deeds(),
            Deed("File", "Quit", "Ctrl+Q", "End gazeviz.", self.close),
            Deed("Edit", "Undo", "Ctrl+Z", "Undo the last edit of regions or heads.", editor.undo),
            Deed("Edit", "Redo", "Ctrl+Shift+Z", "Redo the last undone edit.", editor.redo),
            *commands.run_deeds(controller),
            *commands.tool_deeds(model),
            *commands.target_deeds(model, controller),
            *commands.head_deeds(model, controller),
            *commands.cursor_deeds(model),
            *commands.picture_deeds(model, self.explore.canvas),
            *(
                Deed("View", f"Theme: {choice}", "", f"Colours: {choice}.", partial(self.set_theme, choice),
                     partial(_is_theme, choice))
                for choice in THEME_CHOICES
            ),
            *self.explore.deeds(),
            *self._session_deeds(),
            Deed("Help", "Find a command", "Ctrl+K", "Search all commands.",
                 self.show_palette),
            Deed("Help", "Guided tour", "", "Run, choose heads, paint, steer: four steps.", self.tour.start),
            Deed("Help", "Help", "F1", "Read the help.", self.show_help),
        ]  # fmt: skip

    def _session_deeds(self) -> Sequence[Deed]:
        if self._archive is None:
            return ()
        return [
            Deed("View", "Explore", "Alt+1", "One picture and its runs.", partial(self.show_tab, "Explore")),
            Deed("View", "Sessions", "Alt+2", "Every run that was logged.",
                 partial(self.show_tab, "Sessions")),
            Deed("View", "Compare head rankings", "", "Lay the model's rankings over each other.",
                 self.compare_rankings),
            Deed("File", "Report of this session ...", "Ctrl+R",
                 "Write this session's runs as pages and figures.",
                 self.report),
        ]  # fmt: skip

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
        from gazeviz.ui.shell.help_window import HelpView

        return HelpView(self)

    # What the window does

    def begin(self) -> None:
        """The window stands: keys mean the picture, and on a first start the tour begins."""
        self.explore.canvas.setFocus()
        if not self._settings.tour_seen:
            self.tour.start()

    def show_tab(self, name: str) -> None:
        """Show a tab; that of the sessions is made when it is first wanted."""
        page: QWidget = self.explore if name == "Explore" else self.sessions()
        self._stack.setCurrentWidget(page)
        self.header.show_tab(name)
        self.actions_.enable(OF_EXPLORE, name == "Explore")

    def sessions(self) -> SessionsView:
        """The Sessions tab; RuntimeError where nothing is logged."""
        if self._archive is None:
            raise RuntimeError("there is no log")
        if self._sessions is None:
            from gazeviz.ui.sessions.sessions_page import SessionsView

            self._sessions = SessionsView(self._model, self._controller, self._archive, self._settings)
            self._sessions.explore_wanted.connect(partial(self.show_tab, "Explore"))
            self._stack.addWidget(self._sessions)
        return self._sessions

    def compare_rankings(self) -> None:
        """Compare the rankings of the loaded model, on the Sessions tab."""
        self.show_tab("Sessions")
        self.sessions().compare.show_rankings()

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
        deeds = [
            Command(deed.name, deed.key, deed.does, self.actions_.action(deed.name).trigger)
            for deed in self.actions_.deeds
            if self.actions_.action(deed.name).isEnabled()
        ]
        if self._stack.currentWidget() is not self.explore:
            return [*deeds, *run_offers(self.sessions().browser)]
        return [*deeds, *offers(self._model, self._controller, self.explore), *self.pictures.commands()]

    def show_help(self) -> None:
        """Open the help beside the window."""
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


def _is_theme(choice: ThemeChoice) -> bool:
    return theme.choice() == choice


def _keep_focus_from_buttons(window: QWidget) -> None:
    """A click on a button leaves the focus where it is, so that Space goes on meaning run; Tab reaches it."""
    for button in window.findChildren(QAbstractButton):
        if button.focusPolicy() == Qt.FocusPolicy.StrongFocus:
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
