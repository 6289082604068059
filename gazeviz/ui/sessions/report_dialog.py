"""Writing a report: what is reported, in which formats, into which folder, with the pages beside it first.

The preview is drawn anew when what is reported changes; it shows the first runs only. Draws and writes
nothing itself: see app.reporting. The report is on white paper in both themes, as it will be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QSize, Qt, QTimer, QUrl
from PySide6.QtGui import QCloseEvent, QDesktopServices, QHideEvent, QTextDocument
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QTextBrowser,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.app.report.pdf import laid_out
from gazeviz.app.report.report_task import FORMATS, Preview, Reporting, ReportRequest, Written
from gazeviz.app.session.settings import AppSettings
from gazeviz.domain.wording import listed, plural
from gazeviz.errors import UserError
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import (
    ElidedLabel,
    choice_button,
    hairline,
    named,
    push_button,
    section_title,
    side_by_side,
    soft,
    soft_text,
)
from gazeviz.ui.widgets.number_box import WholeNumberBox

if TYPE_CHECKING:
    from gazeviz.app.report.report_task import Format, Preview, Written


# What the report dialog says of previews, files and folders: sentences, no widgets.


FORMAT_WORDS: Final[dict[Format, tuple[str, str]]] = {
    "html": ("Page (HTML)", "One self-contained file that opens offline, in light and dark mode"),
    "pdf": ("PDF", "A4 pages with embedded fonts"),
    "md": ("Markdown", "Text with separate image files, for a repository or a notebook"),
    "json": ("JSON", "All data, including tokens and masks; gazeviz replay reads it"),
    "csv": ("Tables (CSV)", "One row for each run, and one for each token"),
    "figures": ("Single figures", "Each figure as SVG, PDF and PNG, ready for a paper"),
}
"""A label and a tooltip for each."""


def about_preview(preview: Preview) -> str:
    """How much of the report the preview shows, and what it cannot show."""
    shown = (
        f"The preview shows the first {preview.n_shown} of {plural(preview.n_runs, 'run')};"
        " the report contains all of them."
        if preview.n_shown < preview.n_runs
        else f"Preview of {plural(preview.n_runs, 'run')}."
    )
    return " ".join((shown, *preview.notes))


def written_words(written: Written) -> str:
    """What was written, in a sentence."""
    named_files = [path.name for path in written.files if path.parent == written.folder]
    n_more = len(written.files) - len(named_files)
    parts = [*named_files, *([plural(n_more, "image")] if n_more else [])]
    return " ".join((f"Wrote {listed(parts)}.", *written.notes))


def place_words(folder: Path, formats: Sequence[Format]) -> str:
    """What would happen to the folder."""
    if not formats:
        return "Tick a format."
    if not folder.exists():
        return "The folder will be created."
    names = {"html": "report.html", "pdf": "report.pdf", "md": "report.md", "json": "report.json",
             "csv": "runs.csv", "figures": "figures"}  # fmt: skip
    there = [names[kind] for kind in formats if (folder / names[kind]).exists()]
    return f"Existing files will be replaced: {', '.join(there)}." if there else ""


PAGE_PX: Final = 632
_SIZE_PX: Final = QSize(1000, 700)
_LEFT_PX: Final = 296
_TYPING_MS: Final = 500
_PAPER: Final = "background: #ffffff; color: #1b1e24; border: none; padding: 14px 24px;"


class ReportDialog(QDialog):
    """Opened by `show_runs` or `show_session`; the window behind it goes on working."""

    def __init__(
        self, archive: LogBrowser, parent: QWidget | None = None, settings: AppSettings | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("reportDialog")
        self.setWindowTitle("Write a report")
        self.resize(_SIZE_PX)
        self._reporting = Reporting(archive.store, self)
        self._settings = settings if settings is not None else AppSettings()
        self._run_ids: tuple[int, ...] = ()
        self._session_id: int | None = None
        self._whole_session = False
        self._preview: Preview | None = None
        self._document: QTextDocument | None = None
        self._files: QFileDialog | None = None
        self._folder = Path(self._settings.last_folder or Path.home()) / "gazeviz-report"
        self._written: Written | None = None
        self._fell_to: QWidget | None = None  # what had the focus while the button was switched off
        self._typing = QTimer(self, singleShot=True, interval=_TYPING_MS)
        self._typing.timeout.connect(self._ask_preview)
        self._make_choices()
        self._make_preview()
        self._make_progress()
        self._lay_out()
        self._connect()
        self._refresh()

    def show_runs(self, run_ids: Sequence[int]) -> None:
        """Report some runs, or all of their session if that is chosen."""
        self._begin(tuple(run_ids), None)

    def show_session(self, session_id: int) -> None:
        """Report a whole session."""
        self._begin((), session_id)

    def close_work(self) -> None:
        """Draw and write nothing more; called before the log is closed."""
        self._typing.stop()
        self._reporting.close()

    @property
    def request(self) -> ReportRequest:
        """What is reported as it is set now."""
        if self._whole_session:
            return ReportRequest((), self._session_id, self._title.text(), paths=self._paths.isChecked())
        return ReportRequest(
            self._run_ids, None, self._title.text(), self._baselines.isChecked(), self._paths.isChecked()
        )

    @property
    def formats(self) -> tuple[Format, ...]:
        """Those that are ticked."""
        return tuple(kind for kind in FORMATS if self._ticks[kind].isChecked())

    @property
    def folder(self) -> Path:
        """Where it is written."""
        return self._folder

    def set_folder(self, folder: str) -> None:
        """Write there."""
        self._folder = Path(folder)
        self._settings.last_folder = str(self._folder.parent)
        self._refresh()

    # Parts

    def _make_choices(self) -> None:
        self._what = choice_button(
            "reportWhat", "What is reported", [("runs", "the selected runs")], self._on_what
        )
        self._title = named(QLineEdit(), "reportTitle")
        self._title.setAccessibleName("Title of the report")
        self._title.setToolTip("Title of the report; left empty, it names the runs or the session")
        self._title.setMaxLength(200)
        self._baselines = named(QCheckBox("with their baselines"), "reportBaselines")
        self._baselines.setAccessibleName("With their baselines")
        self._baselines.setToolTip("Beside each steered run, the baseline that answers the same question")
        self._baselines.setChecked(True)
        self._paths = named(QCheckBox("with paths of this machine"), "reportPaths")
        self._paths.setAccessibleName("With paths of this machine")
        self._paths.setToolTip("Where model, pictures and log lie, not only what they are called")
        self._ticks = {kind: _tick(kind) for kind in FORMATS}
        self._ticks["html"].setChecked(True)
        self._dpi = named(WholeNumberBox(), "reportDpi")
        self._dpi.setRange(36, 1200)
        self._dpi.setValue(300)
        self._dpi.setSuffix(" dpi")
        self._dpi.setAccessibleName("Dots per inch of single figures as PNG")
        self._dpi.setToolTip(self._dpi.accessibleName())
        self._place = named(ElidedLabel(), "reportFolder")
        self._choose = push_button("reportChoose", "Choose ...", "Choose the folder that the files go into")
        self._there = soft_text("reportThere")

    def _make_preview(self) -> None:
        self._about = soft(named(ElidedLabel(), "reportAbout"))
        self._page = named(QTextBrowser(), "reportPreview")
        self._page.setAccessibleName("Preview of the report")
        self._page.setToolTip("Preview of the report")
        self._page.setOpenLinks(False)
        self._page.setLineWrapMode(QTextEdit.LineWrapMode.FixedPixelWidth)
        self._page.setLineWrapColumnOrWidth(PAGE_PX)
        self._page.setStyleSheet(_PAPER)

    def _make_progress(self) -> None:
        self._bar = named(QProgressBar(), "reportProgress")
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Figures drawn")
        self._message = named(QLabel(), "reportSaid")
        self._message.setWordWrap(True)
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._show_files = push_button(
            "reportShow", "Open it", "Open the page, or the folder of the report", kind="flat"
        )
        self._stop = push_button("reportStop", "Stop", "Stop writing; finished files are kept")
        self._close = push_button("reportClose", "Close", "Close this window; writing continues")
        self._write = push_button(
            "reportWrite", "Write", "Write the ticked formats into the folder", kind="primary"
        )
        self._write.setDefault(True)

    def _lay_out(self) -> None:
        left, formats = QVBoxLayout(), QVBoxLayout()
        left.setSpacing(2 * theme.SPACE)
        left.addWidget(section_title("What"))
        for widget in (self._what, self._title, self._baselines, self._paths):
            left.addWidget(widget)
        left.addSpacing(2 * theme.SPACE)
        left.addWidget(section_title("Formats"))
        formats.setSpacing(theme.SPACE)
        for kind, tick in self._ticks.items():
            formats.addLayout(side_by_side(tick, None, self._dpi if kind == "figures" else None))
        left.addLayout(formats)
        left.addSpacing(2 * theme.SPACE)
        left.addWidget(section_title("Folder"))
        left.addWidget(self._place)
        left.addLayout(side_by_side(self._choose, None))
        left.addWidget(self._there)
        left.addStretch(1)
        column = QWidget()
        column.setFixedWidth(_LEFT_PX)
        column.setLayout(left)
        left.setContentsMargins(16, 14, 16, 14)
        right = QVBoxLayout()
        right.setContentsMargins(0, 10, 0, 0)
        right.setSpacing(2 * theme.SPACE)
        right.addWidget(self._about)
        right.addWidget(self._page, 1)
        self._about.setContentsMargins(16, 0, 16, 0)
        upper = QHBoxLayout()
        upper.setSpacing(0)
        upper.addWidget(column)
        upper.addWidget(hairline(vertical=True))
        upper.addLayout(right, 1)
        foot = side_by_side(self._message, self._show_files, self._stop, self._close, self._write)
        foot.setStretch(0, 1)
        foot.setContentsMargins(16, 2 * theme.SPACE, 16, 3 * theme.SPACE)
        self._bar.setFixedHeight(3)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(upper, 1)
        layout.addWidget(self._bar)
        layout.addWidget(hairline())
        layout.addLayout(foot)

    def _connect(self) -> None:
        reporting = self._reporting
        reporting.previewed.connect(self._on_previewed)
        reporting.progressed.connect(self._on_progressed)
        reporting.written.connect(self._on_written)
        reporting.failed.connect(self._on_failed)
        reporting.stopped.connect(lambda: self._end("Stopped. Finished files are in the folder."))
        self._title.textEdited.connect(lambda _: self._typing.start())
        self._baselines.toggled.connect(lambda _: self._ask_preview())
        self._paths.toggled.connect(lambda _: self._ask_preview())
        for tick in self._ticks.values():
            tick.toggled.connect(lambda _: self._refresh())
        self._choose.clicked.connect(self._on_choose)
        self._write.clicked.connect(self.write)
        self._stop.clicked.connect(reporting.stop)
        self._close.clicked.connect(self.close)
        self._show_files.clicked.connect(self._on_show_files)

    # What is reported

    def _begin(self, run_ids: tuple[int, ...], session_id: int | None) -> None:
        self._run_ids, self._session_id = run_ids, session_id
        self._whole_session = not run_ids
        self._offer_session()
        self._title.clear()
        self._written = None
        self._say("")
        self.show()
        self.raise_()
        self.activateWindow()
        self._ask_preview()

    def _offer_session(self) -> None:
        """The runs, and the session that they belong to once that is known."""
        n_runs = len(self._run_ids)
        label = f"run {self._run_ids[0]}" if n_runs == 1 else plural(n_runs, "selected run")
        options = [("runs", label)] if n_runs else []
        if self._session_id is not None:
            options.append(("session", "the whole session"))
        self._what.set_options(options)
        self._what.set_current("session" if self._whole_session else "runs")
        self._what.setEnabled(len(options) > 1)

    def _on_what(self, key: str) -> None:
        self._whole_session = key == "session"
        self._what.set_current(key)
        self._ask_preview()

    def _ask_preview(self) -> None:
        self._typing.stop()
        self._baselines.setEnabled(not self._whole_session)
        if not self._reporting.writing:
            self._preview = None
            self._bar.setRange(0, 0)
            self._about.set_whole("Drawing the preview")
            self._reporting.preview(self.request, PAGE_PX, self.devicePixelRatioF())
        self._refresh()

    def _on_previewed(self, preview: Preview) -> None:
        if preview.request != self.request:
            return
        self._preview = preview
        if self._session_id is None:
            self._session_id = preview.session_id
            self._offer_session()
        if not self._title.text():
            self._title.setPlaceholderText(preview.title)
        place = self._page.verticalScrollBar().value()
        before, self._document = self._document, laid_out(preview.drawn)
        self._document.setParent(self._page)
        self._page.setDocument(self._document)
        if before is not None:
            before.deleteLater()
        self._page.verticalScrollBar().setValue(place)
        self._about.set_whole(about_preview(preview))
        self._refresh()

    # Writing

    def write(self) -> None:
        """Write what is ticked."""
        if self._reporting.writing or not self.formats:
            return
        self._written = None
        self._say("Writing")
        self._bar.setRange(0, 0)
        self._reporting.write(self.request, self._folder, self.formats, self._dpi.value())
        from_button = self._write.hasFocus()
        self._refresh()
        self._fell_to = self.focusWidget() if from_button else None

    def _on_progressed(self, kind: str, done: int, total: int) -> None:
        self._bar.setRange(0, total)
        self._bar.setValue(done)
        if kind == "write":
            self._say(f"Writing: figure {done} of {total}")
        else:
            self._about.set_whole(f"Drawing the preview: figure {done} of {total}")

    def _on_written(self, written: Written) -> None:
        self._written = written
        self._end(written_words(written))

    def _on_failed(self, error: UserError) -> None:
        if not self._reporting.writing and self._preview is None:
            self._about.set_whole("There is no preview.")
        self._end(f"{error.sentence} {error.next_step or ''}".strip())

    def _end(self, sentence: str) -> None:
        self._say(sentence)
        if self._preview is None and not self._reporting.previewing and sentence and self._written:
            self._ask_preview()  # writing came between
        self._refresh()
        if self._fell_to is not None and self._fell_to is self.focusWidget() and self._write.isEnabled():
            self._write.setFocus()  # where the keyboard was before the button was switched off
            self._fell_to = None

    def _on_choose(self) -> None:
        self._files = QFileDialog(self, "A folder for the report", str(self._folder.parent))
        self._files.setFileMode(QFileDialog.FileMode.Directory)
        self._files.setOption(QFileDialog.Option.ShowDirsOnly)
        self._files.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._files.fileSelected.connect(self.set_folder)
        self._files.open()

    def _on_show_files(self) -> None:
        if self._written is not None:
            pages = [path for path in self._written.files if path.name in ("report.html", "report.pdf")]
            shown = pages[0] if pages else self._written.folder
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(shown)))

    # What is said

    def _say(self, sentence: str) -> None:
        self._message.setText(sentence)

    def _refresh(self) -> None:
        """What can be done now, and what it would do."""
        writing = self._reporting.writing
        self._write.setEnabled(bool(self.formats) and not writing)
        self._stop.setVisible(writing)
        self._show_files.setVisible(self._written is not None and not writing)
        self._dpi.setEnabled(self._ticks["figures"].isChecked())
        busy = writing or self._reporting.previewing
        if not busy:
            self._bar.setRange(0, 1)
            self._bar.setValue(0)
        self._place.set_whole(str(self._folder))
        self._there.setText(place_words(self._folder, self.formats))

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody looks at the preview any more; what is being written goes on."""
        super().hideEvent(event)
        self._typing.stop()
        self._reporting.forget_preview()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Only hide: the next report begins with the same formats and folder."""
        event.ignore()
        self.hide()


def _tick(kind: Format) -> QCheckBox:
    label, tip = FORMAT_WORDS[kind]
    tick = named(QCheckBox(label), f"report{kind.capitalize()}")
    tick.setAccessibleName(label)
    tick.setToolTip(tip)
    return tick
