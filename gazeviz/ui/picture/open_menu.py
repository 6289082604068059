"""Opening pictures and saying where their panels are: a menu, the clipboard, and what is dropped.

Decides nothing about pictures: files are opened, and refused with a sentence, by the controller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Final

from PySide6.QtCore import QBuffer, QIODevice, QMimeData, QRectF, Qt, QUrl, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
    QImage,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMainWindow,
    QMenu,
    QWidget,
    QWidgetAction,
)

from gazeviz.app.runs.picture_opener import SUFFIXES, Sample, picture_data, picture_file
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings
from gazeviz.app.session.values import Notice
from gazeviz.domain.strip import Layout, gutters
from gazeviz.errors import UserError
from gazeviz.resources import resource_path
from gazeviz.ui.picture.picture_commands import (
    clear_recent_command,
    detect_command,
    layout_commands,
    no_layout_command,
    opening_commands,
    recent_commands,
    sample_commands,
    sample_text,
    token_commands,
)
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Heading, add_commands, refill
from gazeviz.ui.widgets.controls import named

_PICTURES: Final = f"Pictures ({' '.join(f'*{suffix}' for suffix in SUFFIXES)})"


class PictureMenu(QMenu):
    """What can be done with the picture; the window puts it behind a button and binds keys to its actions."""

    _looked = Signal(str, object)  # the picture's sha256; Layout or None

    def __init__(
        self,
        model: SessionModel,
        controller: RunController,
        settings: AppSettings,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Picture", parent)
        self.setObjectName("pictureMenu")
        self.setToolTipsVisible(True)
        self._model, self._controller, self._settings = model, controller, settings
        self._asked_for = ""
        self._files: QFileDialog | None = None
        self.open_action, self.folder_action, self.paste_action = add_commands(self, opening_commands(self))
        self._recent = self._submenu("Recent", "pictureRecent", self._fill_recent)
        self._samples = self._submenu("Samples", "pictureSamples", self._fill_samples)
        self.addSeparator()
        self._layouts = self._submenu("Panels", "pictureLayouts", self._fill_layouts)
        self._tokens = self._submenu("Image tokens", "pictureTokens", self._fill_tokens)
        self.aboutToShow.connect(self._on_about_to_show)
        self._looked.connect(self._on_looked, Qt.ConnectionType.QueuedConnection)
        model.picture_changed.connect(self._on_picture_changed)

    # What it does

    def choose_picture(self) -> None:
        """Ask for a picture file."""
        self._ask("Open a picture", QFileDialog.FileMode.ExistingFile)

    def choose_folder(self) -> None:
        """Ask for a folder of panels."""
        self._ask("Open a folder of panels", QFileDialog.FileMode.Directory)

    def open_path(self, path: str) -> None:
        """Open a picture file or a folder of panels."""
        self._asked_for = path
        self._settings.last_folder = str(Path(path).parent)
        self._controller.open_picture(path)

    def open_sample(self, sample: Sample) -> None:
        """Open a picture that ships with gazeviz, with its panels and captions."""
        self._controller.pictures.open(
            lambda: picture_file(sample.path, sample.layout, sample.captions, sample_text(sample))
        )

    def paste(self) -> None:
        """Open the picture, or the file, of the clipboard."""
        if not self.take(QGuiApplication.clipboard().mimeData(), "Pasted picture"):
            self._model.notice = Notice(
                "error", "The clipboard holds no picture.", "Copy a picture or its file first.", "picture"
            )

    def take(self, data: QMimeData, name: str) -> bool:
        """Open what was pasted or dropped: files, a folder, regions, or pixels; False where it is none."""
        paths = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
        regions = [path for path in paths if path.lower().endswith(".json")]
        pictures = [path for path in paths if path not in regions]
        if regions:
            self._controller.import_regions(regions)
        if pictures:
            self._open_one_of(pictures)
        elif not regions and data.hasImage():
            image = QImage(data.imageData())
            self._controller.pictures.open(lambda: picture_data(encoded(image), name))
            return not image.isNull()
        return bool(pictures or regions)

    def apply_layout_text(self, text: str) -> None:
        """Apply a layout as it is written, "2x3"; a notice where it is none."""
        notices.attempt(
            self._controller.model, lambda: self._controller.apply_layout(Layout.parse(text)), "picture"
        )

    def detect_panels(self) -> None:
        """Apply the layout that the picture's gutters show; a notice where they show none.

        Looked for in another thread: it takes most of a second in a picture of 4096 x 4096.
        """
        picture = self._model.picture
        if picture is None:
            self._model.notice = Notice("error", "There is no picture.", "Open one first.", "picture")
            return

        def look() -> None:
            layout = gutters(picture.pixels_HW3)
            with suppress(RuntimeError):  # the menu may have been deleted meanwhile
                self._looked.emit(picture.sha256, layout)

        Thread(target=look, name="panel detection", daemon=True).start()

    # Pieces

    def _ask(self, title: str, mode: QFileDialog.FileMode) -> None:
        files = QFileDialog(self.parentWidget(), title, self._settings.last_folder)
        files.setFileMode(mode)
        files.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if mode == QFileDialog.FileMode.Directory:
            files.setOption(QFileDialog.Option.ShowDirsOnly)
        else:
            files.setNameFilters([_PICTURES, "All files (*)"])
        files.fileSelected.connect(self.open_path)
        self._files = files
        files.open()

    def _open_one_of(self, paths: Sequence[str]) -> None:
        self.open_path(paths[0])
        if len(paths) > 1:
            self._model.notice = Notice(
                "info",
                f"Only {Path(paths[0]).name} was opened: one picture is shown at a time.",
                "To join several into one strip, put them in a folder and open the folder.",
                "picture",
            )

    def _on_looked(self, sha256: str, layout: Layout | None) -> None:
        picture = self._model.picture
        if picture is None or picture.sha256 != sha256:
            return
        if layout is not None:
            self._controller.apply_layout(layout)
            return
        sentence = "The picture has no gutters."
        self._model.notice = Notice("error", sentence, "Choose a layout, or paint the panels.", "picture")

    def _on_picture_changed(self) -> None:
        picture, asked_for = self._model.picture, self._asked_for
        self._asked_for = ""
        if picture is None:
            return
        path = picture.source.path or (asked_for if Path(asked_for).name == picture.name else "")
        if path and not _ships_with_gazeviz(path):
            self._settings.note_picture(path)

    # The menu

    def _submenu(self, title: str, name: str, fill: Callable[[], object]) -> QMenu:
        menu = named(QMenu(title, self), name)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(fill)
        self.addMenu(menu)
        return menu

    def _on_about_to_show(self) -> None:
        self._recent.setEnabled(bool(self._settings.recent_pictures))
        self._layouts.setEnabled(self._model.picture is not None)
        self._tokens.setEnabled(self._model.grid is not None)

    def _fill_recent(self) -> None:
        recent = recent_commands(self, self._settings)
        refill(self._recent, (*recent, None, clear_recent_command(self._settings)))

    def _fill_samples(self) -> None:
        refill(self._samples, sample_commands(self) or [Heading("This installation has no samples")])

    def _fill_layouts(self) -> None:
        menu, model, controller = self._layouts, self._model, self._controller
        detect, layouts = detect_command(model, self), layout_commands(model, controller)
        refill(menu, (no_layout_command(model, controller), detect, None, *layouts))
        menu.addAction(self._other_layout(menu))

    def _other_layout(self, menu: QMenu) -> QWidgetAction:
        """A line of the menu in which any layout can be written."""
        line = named(QLineEdit(), "pictureLayoutText")
        line.setPlaceholderText("2 x 4")
        line.setAccessibleName("Other layout: rows x columns")
        line.setToolTip("Rows x columns of panels, as 2x4; Enter makes them regions")
        line.setFixedWidth(72)
        line.returnPressed.connect(lambda: self.apply_layout_text(line.text()))
        line.returnPressed.connect(self.close)
        line.returnPressed.connect(menu.close)
        row = QWidget(menu)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(28, 2 * theme.SPACE, 10, theme.SPACE)
        label = QLabel("Other")
        layout.addWidget(label)
        layout.addStretch(1)
        layout.addWidget(line)
        action = QWidgetAction(menu)
        action.setDefaultWidget(row)
        return action

    def _fill_tokens(self) -> None:
        refill(self._tokens, token_commands(self._model, self._controller))


def encoded(image: QImage) -> bytes:
    """An image as PNG; may be called from any thread."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(buffer.data().data())


def can_take(data: QMimeData) -> bool:
    """Whether something dropped could be a picture, a folder of panels, or regions."""
    return data.hasImage() or any(_is_wanted(url) for url in data.urls())


def _is_wanted(url: QUrl) -> bool:
    path = Path(url.toLocalFile())
    return url.isLocalFile() and (path.suffix.lower() in (*SUFFIXES, ".json") or path.is_dir())


def _ships_with_gazeviz(path: str) -> bool:
    try:
        return Path(path).is_relative_to(resource_path())
    except UserError:
        return False


# Pictures, folders of panels and region files dropped on the window, with a frame that says so meanwhile.
#
# Watches a window for drags; what is dropped is opened by the picture menu.


class DropWindow(QMainWindow):
    """A window that takes pictures that are dropped on it, once it was given a menu that opens them."""

    def take_drops(self, menu: PictureMenu) -> None:
        """Begin to take them."""
        self._drops = menu
        self.drop_hint = DropHint(self)
        """The frame that is shown while something is held over the window."""
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take what could be a picture."""
        self._on_held(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Take what could be a picture."""
        self._on_held(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Nothing is held over the window any more."""
        self.drop_hint.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        self.drop_hint.hide()
        if can_take(event.mimeData()):
            event.acceptProposedAction()
            self._drops.take(event.mimeData(), "Dropped picture")

    def _on_held(self, event: QDropEvent) -> None:
        if can_take(event.mimeData()):
            event.acceptProposedAction()
            if self.drop_hint.isHidden():
                self.drop_hint.show_over()


class DropHint(QWidget):
    """A frame over the window."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("dropHint")
        self.setAccessibleName("Drop to open")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._window = window
        self.hide()

    def show_over(self) -> None:
        """Cover the window."""
        self.setGeometry(self._window.rect())
        self.show()
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a veil, a frame and a sentence."""
        painter, colours = QPainter(self), theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(0.82)
        painter.fillRect(self.rect(), colours.window)
        painter.setOpacity(1.0)
        painter.setPen(QPen(colours.accent, 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(16, 16, -16, -16), 8, 8)
        painter.setFont(theme.font_ui(16, 600))
        painter.setPen(colours.ink)
        text = "Drop a picture, a folder of panels, or a file of regions"
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, text)
