"""Opening a model: what there is on this computer, what it would take, and where to compute.

Stays open while a model is loaded, with its progress, and closes once it is there. What goes wrong is said
in it. It loads nothing itself and knows no torch: see app.runs.model_catalogue.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSignalBlocker, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.runs.model_catalogue import (
    DTYPES,
    Device,
    Estimate,
    ModelCatalogue,
    Origin,
    PromptLength,
    SidebarModel,
    estimate,
    estimates,
)
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings
from gazeviz.domain.wording import format_count, format_file_size, format_memory
from gazeviz.ui.shell.fetch_model import FetchModel
from gazeviz.ui.shell.notice_bar import NoticeBar
from gazeviz.ui.shell.other_machine import OtherMachine
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import (
    choice_button,
    named,
    push_button,
    section_title,
    side_by_side,
    soft,
    soft_text,
)

# A model in the list of models: its name, what it is, and what it would take, in two lines.
#
# Words and drawing alone; which models there are is the catalogue's business.


ROW_PX: Final = 48
ROW_ROLE: Final = int(Qt.ItemDataRole.UserRole)
ORIGINS: Final[dict[Origin, str]] = {
    "built-in": "built-in",
    "recent": "recent folder",
    "cache": "downloaded",
    "folder": "folder",
}
_KIB: Final = 1024


class ModelRow(NamedTuple):
    """What a row shows."""

    model: SidebarModel
    taken: Estimate | None
    loaded: bool


def model_text(model: SidebarModel) -> str:
    """What a model is, in one line: family, heads, weights, number type, size on disk."""
    parts = [model.family]
    if model.sizes is not None:
        parts.append(f"{model.sizes.n_layers} × {model.sizes.n_heads} heads")
    if model.n_parameters:
        parts.append(f"{format_count(model.n_parameters)} weights in {model.dtype}")
    if model.disk_bytes:
        parts.append(f"{format_file_size(model.disk_bytes)} on disk")
    return " · ".join(part for part in parts if part)


def taken_text(taken: Estimate | None) -> str:
    """What a model would take and what is free, in a sentence."""
    if taken is None:
        return "Its memory use cannot be estimated from its files."
    need = f"About {format_memory(taken.needed_bytes)} as {taken.dtype}"
    free_bytes = taken.place.free_bytes
    where = "the processor" if taken.place.device == "cpu" else taken.place.name
    if free_bytes is None:
        return f"{need} on {where}; free memory there is unknown."
    verdict = "" if taken.fits else " It will probably not fit."
    return f"{need}, {format_memory(free_bytes)} free on {where}.{verdict}"


def parts_text(taken: Estimate, what: str) -> str:
    """What a place would give to loading, a run of `what` and a ranking, of what is free there."""
    needs, free_bytes = taken.needs, taken.place.free_bytes
    name = "Processor" if taken.place.device == "cpu" else taken.place.name
    free = "unknown" if free_bytes is None else format_memory(free_bytes)
    return (
        f"{name}, {taken.dtype}: loading {format_memory(needs.load_bytes)},"
        f" a run of {what} {format_memory(needs.run_bytes)},"
        f" ranking heads {format_memory(needs.discovery_bytes)}; free: {free}"
    )


class ModelRowDelegate(QStyledItemDelegate):
    """Draws a ModelRow."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """All rows are of one height."""
        return QSize(240, ROW_PX)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one row."""
        row: ModelRow = index.data(ROW_ROLE)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = QRectF(option.rect).adjusted(0, 1, 0, -1)
        self._draw_ground(painter, room, option.state)
        room.adjust(14, 5, -12, -5)
        usable = not row.model.refusal
        colours = theme.current()
        upper, lower = QRectF(room), QRectF(room)
        upper.setHeight(room.height() / 2)
        lower.setTop(upper.bottom())
        left = _draw_right(painter, upper, _state_text(row), theme.font_ui(11, 500), _state_colour(row))
        upper.setRight(left - 12)
        _draw_left(
            painter, upper, row.model.name, theme.font_ui(13, 600), colours.ink if usable else colours.soft
        )
        if usable and row.taken is not None:
            verdict = "" if row.taken.fits is not False else "does not fit  "
            need = f"{verdict}≈ {format_memory(row.taken.needed_bytes)}"
            lower.setRight(_draw_right(painter, lower, need, theme.font_mono(11), colours.ink) - 12)
        text = model_text(row.model) if usable else row.model.refusal
        _draw_left(painter, lower, text, theme.font_ui(12), colours.soft)
        painter.restore()

    @staticmethod
    def _draw_ground(painter: QPainter, room: QRectF, state: QStyle.StateFlag) -> None:
        colours = theme.current()
        painter.setPen(Qt.PenStyle.NoPen)
        if state & QStyle.StateFlag.State_Selected:
            painter.setBrush(colours.raised)
            painter.drawRoundedRect(room, 6, 6)
            painter.setBrush(colours.accent)
            painter.drawRoundedRect(QRectF(room.left(), room.top() + 9, 3, room.height() - 18), 1.5, 1.5)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(colours.window)
            painter.drawRoundedRect(room, 6, 6)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(colours.accent)
            painter.drawRoundedRect(room.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)


def _state_text(row: ModelRow) -> str:
    return (
        "loaded" if row.loaded else ORIGINS[row.model.origin] if not row.model.refusal else "cannot be used"
    )


def _state_colour(row: ModelRow) -> QColor:
    return theme.current().accent if row.loaded else theme.current().soft


def _draw_left(painter: QPainter, room: QRectF, text: str, font: QFont, colour: QColor) -> None:
    painter.setFont(font)
    painter.setPen(colour)
    shown = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, room.width())
    painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)


def _draw_right(painter: QPainter, room: QRectF, text: str, font: QFont, colour: QColor) -> float:
    """Draw a text at the right; returns its left edge."""
    painter.setFont(font)
    painter.setPen(colour)
    painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text)
    return room.right() - QFontMetricsF(font).horizontalAdvance(text)


_BUSY: Final = ("starting", "loading")
_SIZE_PX: Final = QSize(720, 540)


class ModelDialog(QDialog):
    """Opened by `open_dialog`, or by `open` in front of its window."""

    def __init__(
        self,
        model: SessionModel,
        controller: RunController,
        settings: AppSettings,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("modelDialog")
        self.setWindowTitle("Open a model")
        self.resize(_SIZE_PX)
        self._model, self._controller, self._settings = model, controller, settings
        self._device, self._dtype = "auto", "auto"
        self._waits_for: SidebarModel | None = None
        self._files: QFileDialog | None = None
        self._added: Path | None = None
        self.catalogue = ModelCatalogue(settings, self)
        """What is listed."""
        self._list = named(QListWidget(), "modelList")
        self._message = soft_text("modelSaid")
        self._memory = MemoryBar()
        self._taken = named(QLabel(), "modelTaken")
        self._progress = named(QProgressBar(), "modelProgress")
        self._progress_text = soft_text("modelProgressText")
        self._make_parts()
        self._lay_out()
        self._connect()
        self._on_worker_changed()

    def open_dialog(self) -> None:
        """Show it above the window, which goes on working."""
        self.show()
        self.raise_()
        self.activateWindow()

    def showEvent(self, event: QShowEvent) -> None:
        """Look around anew."""
        super().showEvent(event)
        self.catalogue.refresh()
        self._on_catalogue_changed()
        self._list.setFocus(Qt.FocusReason.PopupFocusReason)

    @property
    def chosen(self) -> SidebarModel | None:
        """The model that is selected in the list."""
        row = self._list.currentRow()
        return _row_of(self._list.item(row)).model if row >= 0 else None

    def load_chosen(self) -> None:
        """Load the selected model where and as it was chosen."""
        chosen = self.chosen
        if chosen is not None and not chosen.refusal:
            self._model.notice = None
            self._controller.load_model(chosen.source, self._device, self._dtype)
            self._waits_for = chosen  # only now: until it has begun, nothing seems to be loading

    # Parts

    def _make_parts(self) -> None:
        self._list.setItemDelegate(ModelRowDelegate(self._list))
        self._list.setMouseTracking(True)
        self._list.setUniformItemSizes(True)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setAccessibleName("Models on this computer")
        self._list.setToolTip("Choose the model whose heads are shown and steered; Enter loads it")
        self._taken.setWordWrap(True)
        self._progress.setTextVisible(False)
        self._progress.setAccessibleName("Progress of loading")
        self._device_button = choice_button(
            "modelDevice", "Device that the model runs on", [("auto", "Automatic")], self._on_device
        )
        self._dtype_button = choice_button(
            "modelDtype",
            "Number type of the weights: fewer bits use less memory and round the attention",
            [(name, "Automatic" if name == "auto" else name) for name in DTYPES],
            self._on_dtype,
        )
        self._folder = push_button(
            "modelFolder", "Other folder …", "Add a folder of model files from anywhere"
        )
        self._again = push_button("modelAgain", "Refresh", "Refresh models and free memory", kind="flat")
        self._close = push_button("modelClose", "Close", "Close this window; loading continues")
        self._load = push_button(
            "modelLoad", "Load", "Load this model and unload the current one", kind="primary"
        )
        self._cancel = push_button("modelCancel", "Cancel", "Stop loading")
        self._elsewhere = push_button(
            "modelElsewhere",
            "On another machine …",
            "Run models on a machine that you reach over SSH",
            kind="flat",
        )
        self._other = OtherMachine(self._model, self._controller, self.catalogue)
        self._fetch = FetchModel()
        self._get = push_button(
            "modelGet", "Get a model …", "Fetch a model from huggingface.co, once you have seen its size",
            kind="flat",
        )  # fmt: skip
        self._title = section_title(self._other.title)
        for button in (
            self._folder, self._again, self._elsewhere, self._get, self._close, self._load, self._cancel,
        ):  # fmt: skip
            button.setAccessibleName(button.text())
            button.setAutoDefault(False)
        self._load.setDefault(True)
        self._on_place()

    def _on_place(self) -> None:
        """This computer's folders and cache serve a worker of this computer only."""
        for button in (self._folder, self._get):
            button.setEnabled(self._controller.place is None)

    def _lay_out(self) -> None:
        self._notice = NoticeBar(self._model, self._controller, about=("model", "worker"))
        body = QVBoxLayout()
        body.setContentsMargins(16, 14, 16, 14)
        body.setSpacing(2 * theme.SPACE)
        body.addWidget(self._title)
        body.addWidget(self._other)
        body.addWidget(self._fetch)
        body.addWidget(self._list, 1)
        body.addWidget(self._message)
        device, dtype = self._device_button, self._dtype_button
        body.addLayout(side_by_side(soft(QLabel("Device")), device, soft(QLabel("Numbers")), dtype, None))
        body.addWidget(self._memory)
        body.addWidget(self._taken)
        self._loading = QWidget()
        bar = side_by_side(self._progress_text, None, self._cancel)
        bar.setContentsMargins(0, 0, 0, 0)
        inside = QVBoxLayout(self._loading)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(bar)
        inside.addWidget(self._progress)
        body.addWidget(self._loading)
        body.addSpacing(theme.SPACE)
        body.addLayout(
            side_by_side(self._folder, self._again, self._elsewhere, self._get, None, self._close, self._load)
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._notice)
        layout.addLayout(body, 1)

    def _connect(self) -> None:
        self.catalogue.changed.connect(self._on_catalogue_changed)
        self._list.currentItemChanged.connect(lambda *_: self._on_choice_changed())
        self._list.itemDoubleClicked.connect(lambda _: self.load_chosen())  # Enter is the default button's
        self._folder.clicked.connect(self._on_folder)
        self._again.clicked.connect(self._on_again)
        self._elsewhere.clicked.connect(self._other.ask)
        self._other.moved.connect(self._on_moved)
        self._get.clicked.connect(self._fetch.ask)
        self._fetch.fetched.connect(self.add_folder_fetched)
        self._load.clicked.connect(self.load_chosen)
        self._close.clicked.connect(self.reject)
        self._cancel.clicked.connect(self._controller.loader.cancel)
        self._model.worker_changed.connect(self._on_worker_changed)
        self._model.model_changed.connect(self._on_model_changed)
        theme.changed.connect(self._list.viewport().update)

    # The list

    def _on_catalogue_changed(self) -> None:
        before = self.chosen
        loaded = self._loaded_folder()
        wanted = self._added or (before.folder if before is not None else loaded)
        self._offer_places(self.catalogue.listing.places)
        with QSignalBlocker(self._list):
            self._list.clear()
            for model in self.catalogue.listing.models:
                self._add_row(model, model.folder == loaded)
            rows = [
                place for place, model in enumerate(self.catalogue.listing.models) if model.folder == wanted
            ]
            self._list.setCurrentRow(rows[0] if rows else 0)
        if not self.catalogue.looking:
            self._added = None
        self._on_choice_changed()

    def _add_row(self, model: SidebarModel, loaded: bool) -> None:
        taken = self._estimate(model)
        item = QListWidgetItem(model.name)
        item.setData(ROW_ROLE, ModelRow(model, taken, loaded))
        about = model.refusal or f"{model_text(model)}. {taken_text(taken)}"
        item.setToolTip(f"{model.folder}\n{about}")
        item.setData(
            Qt.ItemDataRole.AccessibleTextRole, f"{model.name}{', loaded' if loaded else ''}. {about}"
        )
        self._list.addItem(item)

    def _estimate(self, model: SidebarModel) -> Estimate | None:
        """As the worker will choose, as far as it has shown what it can use."""
        places, device = self.catalogue.listing.places, self._device
        loaded, info = self._loaded_folder(), self._model.model_info
        if device == "auto" and loaded is not None and info is not None and info.why_not_gpu:
            before = self.catalogue.listing.at(loaded)
            expected = estimate(before, places) if before is not None else None
            if expected is not None and expected.place.device != info.device:
                device = "cpu"  # a GPU that the last model would have fitted into was not used
        return estimate(model, places, device, self._dtype, self._asked())

    def _asked(self) -> PromptLength:
        """The picture and prompt that are on the screen; the usual ones where there are none."""
        grid, prompt = self._model.grid, self._model.prompt
        n_text_tok = len(prompt.encode()) // 3 + 40 + self._model.generation.max_new_tokens
        return PromptLength(grid.n_tokens, n_text_tok) if grid is not None else PromptLength()

    def _offer_places(self, places: tuple[Device, ...]) -> None:
        offered = [(place.device, _place_text(place)) for place in places]
        self._device_button.set_options([("auto", "Automatic"), *offered])
        if self._device not in [key for key, _ in offered]:
            self._device = "auto"
        self._device_button.set_current(self._device)

    def _loaded_folder(self) -> Path | None:
        info = self._model.model_info
        return Path(info.path) if info is not None else None

    def _on_choice_changed(self) -> None:
        chosen = self.chosen
        taken = self._estimate(chosen) if chosen else None
        self._load.setEnabled(chosen is not None and not chosen.refusal)
        if chosen is None:
            self._message.setText("Searching …" if self.catalogue.looking else "No models found.")
        else:
            self._message.setText(_message_of(chosen))
        self._memory.show_estimate(taken)
        self._taken.setText(self._taken_text(chosen, taken))

    def _taken_text(self, chosen: SidebarModel | None, taken: Estimate | None) -> str:
        if chosen is None or chosen.refusal:
            return ""
        info = self._model.model_info
        why_not = info.why_not_gpu if info is not None and self._device == "auto" else None
        what = "a large picture" if self._model.grid is None else "this picture and prompt"
        places = self.catalogue.listing.places
        parts = estimates(chosen, places, self._dtype, self._asked())
        lines = [parts_text(part, what) for part in parts]
        return "\n".join([" ".join(filter(None, (taken_text(taken), why_not))), *lines])

    def _on_device(self, device: str) -> None:
        self._device = device
        self._device_button.set_current(device)
        self._on_catalogue_changed()

    def _on_dtype(self, dtype: str) -> None:
        self._dtype = dtype
        self._dtype_button.set_current(dtype)
        self._on_catalogue_changed()

    def _on_again(self) -> None:
        self.catalogue.refresh()
        self._on_choice_changed()

    def _on_moved(self) -> None:
        self._title.setText(self._other.title)
        self._list.setAccessibleName(self._other.title)
        self._on_place()
        self._on_catalogue_changed()

    def _on_folder(self) -> None:
        self._files = QFileDialog(self, "A folder of model files", self._settings.last_folder)
        self._files.setFileMode(QFileDialog.FileMode.Directory)
        self._files.setOption(QFileDialog.Option.ShowDirsOnly)
        self._files.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._files.fileSelected.connect(self.add_folder)
        self._files.open()

    def add_folder_fetched(self, folder: str) -> None:
        """List and choose a model that has just come."""
        self._added = Path(folder)
        self.catalogue.refresh()

    def add_folder(self, folder: str) -> None:
        """List another folder of model files."""
        self._settings.last_folder = str(Path(folder).parent)
        self._added = Path(folder).resolve()
        self.catalogue.add_folder(folder)
        self._on_choice_changed()

    # The worker

    def _on_worker_changed(self) -> None:
        model = self._model
        loading = model.worker_state in _BUSY
        self._loading.setVisible(loading)
        progress = model.progress
        total = progress.total if progress is not None else 0
        self._progress.setRange(0, total)
        self._progress.setValue(progress.done if progress is not None else 0)
        text = progress.text if progress is not None else "Starting the worker"
        left = f", about {progress.seconds_left:.0f} s left" if progress and progress.seconds_left else ""
        self._progress_text.setText(f"{text}{left}")
        if not loading:
            self._waits_for = None

    def _on_model_changed(self) -> None:
        if self._model.model_info is not None and self._waits_for is not None:
            self._waits_for = None
            self.accept()
        elif self.isVisible():
            self._on_catalogue_changed()


class MemoryBar(QWidget):
    """What a model would take of the memory that is free; the sentence beneath says it in figures."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("modelMemory")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._taken: Estimate | None = None
        theme.changed.connect(self.update)

    def show_estimate(self, taken: Estimate | None) -> None:
        """Take another estimate; None hides the bar."""
        self._taken = taken
        self.setVisible(taken is not None and taken.place.free_bytes is not None)
        text = taken_text(taken)
        self.setAccessibleName(text)
        self.setToolTip(
            f"{text}\nWeights are exact; cache and activations are estimated, with every head steered.\n"
            "PyTorch itself needs a few hundred MiB more."
        )
        self.update()

    def sizeHint(self) -> QSize:
        """A thin line."""
        return QSize(200, 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what is free, and what is needed of it."""
        taken = self._taken
        if taken is None or not taken.place.free_bytes:
            return
        painter, colours, room = QPainter(self), theme.current(), QRectF(self.rect())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.line)
        painter.drawRoundedRect(room, 3, 3)
        share = min(1.0, taken.needed_bytes / taken.place.free_bytes)
        painter.setBrush(colours.accent if taken.fits else theme.region_colour(3))
        painter.drawRoundedRect(QRectF(0, 0, max(6.0, share * room.width()), room.height()), 3, 3)


def _row_of(item: QListWidgetItem) -> ModelRow:
    row: ModelRow = item.data(ROW_ROLE)
    return row


def _message_of(model: SidebarModel) -> str:
    """Where a model lies; of one that will not work, why, and what to take instead."""
    if not model.refusal:
        return str(model.folder)
    instead = model.verdict.instead if model.verdict is not None else ""
    return f"{model.refusal} {instead}".strip()


def _place_text(place: Device) -> str:
    free = f", {format_memory(place.free_bytes)} free" if place.free_bytes is not None else ""
    return f"{place.name}{free}" if place.device in ("cpu", "mps") else f"{place.name} ({place.device}){free}"
