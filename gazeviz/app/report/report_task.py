"""Reports from the app: a preview first, then files, all drawn beside the screen's thread.

One thread draws, one thing at a time; drawing can be stopped at every figure. The preview shows the first
runs only, what is written shows all. Knows the log and the report; no widget.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Qt, QThread, Signal

from gazeviz.app.report.pdf import DrawnReport, drawn_report, write_pdf
from gazeviz.app.report.sources import log_sources, with_baselines
from gazeviz.domain.wording import plural
from gazeviz.errors import UserError
from gazeviz.render.report.report import Report, make_report
from gazeviz.store.connection import default_path
from gazeviz.store.reader import LogReader, StoredRun
from gazeviz.store.session_store import SessionStore

if TYPE_CHECKING:  # what draws is loaded by the thread that draws: it takes half a second
    from gazeviz.render.report.files import Format as Format

FORMATS: Final[tuple[Format, ...]] = ("html", "pdf", "md", "json", "csv", "figures")
MOST_PREVIEWED: Final = 4
_TIMES_DRAWN: Final[dict[Format, int]] = {"html": 2, "pdf": 1, "md": 1, "figures": 1}
"""How often each figure is drawn for a format: a page has it in light and in dark."""


@dataclass(frozen=True)
class ReportRequest:
    """What is reported: some runs, or where there are none a session.

    title: "" for one that says what it is.  baselines: whether the baseline that a steered run stands beside
    is reported with it.  paths: whether it tells where models, pictures and the log lie on this machine.
    """

    run_ids: tuple[int, ...] = ()
    session_id: int | None = None
    title: str = ""
    baselines: bool = True
    paths: bool = False


@dataclass(frozen=True, eq=False)
class Preview:
    """What a report will look like. n_shown of n_runs are in it; notes: what it cannot show, in sentences.

    session_id: of its first run.
    """

    request: ReportRequest
    title: str
    n_shown: int
    n_runs: int
    drawn: DrawnReport
    notes: tuple[str, ...] = ()
    session_id: int | None = None


@dataclass(frozen=True)
class Written:
    """Files of a report, in the order of their formats."""

    folder: Path
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class _Job:
    """Something to be drawn. work: gets what is told of its progress; answer: hears what came of it."""

    kind: str
    work: Callable[[_Job], object]
    answer: Callable[[object], object]
    stop: threading.Event = field(default_factory=threading.Event)
    total: int = 0
    done: int = 0


class _StoppedError(Exception):
    """Nobody waits for this drawing any more."""


class _Drawer(QThread):
    """The thread. A QThread and no other, because text is laid out in it, which needs an event dispatcher."""

    ended = Signal(object, object)  # _Job; what came of it, or the exception
    drew = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.setObjectName("report drawer")
        self.jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()

    def run(self) -> None:
        """Draw what is asked for until nothing more will be."""
        from gazeviz.render.report.figures import before_drawing

        while (job := self.jobs.get()) is not None:
            token = before_drawing.set(self._hook(job))
            try:
                outcome: object = _StoppedError() if job.stop.is_set() else job.work(job)
            except Exception as error:  # noqa: BLE001 - shown or raised where the screen is
                outcome = error
            finally:
                before_drawing.reset(token)
            self.ended.emit(job, outcome)

    def _hook(self, job: _Job) -> Callable[[str], None]:
        def hook(_name: str) -> None:
            if job.stop.is_set():
                raise _StoppedError
            job.done += 1
            self.drew.emit(job)

        return hook


class Reporting(QObject):
    """Draws and writes reports of one log.

    Signals: `previewed` with a Preview; `progressed` with "preview" or "write", the figures drawn and their
    number; `written` with a Written; `failed` with a UserError; `stopped` when writing was stopped.
    """

    previewed = Signal(object)
    progressed = Signal(str, int, int)
    written = Signal(object)
    failed = Signal(object)
    stopped = Signal()

    def __init__(self, store: SessionStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._drawer = _Drawer(self)
        self._waiting: list[_Job] = []
        self._drawer.ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)
        self._drawer.drew.connect(self._on_drew, Qt.ConnectionType.QueuedConnection)

    @property
    def writing(self) -> bool:
        """Whether files are being written."""
        return any(job.kind == "write" for job in self._waiting)

    @property
    def previewing(self) -> bool:
        """Whether a preview is being drawn."""
        return any(job.kind == "preview" and not job.stop.is_set() for job in self._waiting)

    def preview(self, request: ReportRequest, width_px: float, ratio: float = 1.0) -> None:
        """Draw what a report will look like, in the place of what is being drawn.

        width_px: of the page.  ratio: the screen's device pixels per pixel.
        """
        self.forget_preview()

        def work(job: _Job) -> Preview:
            notes: list[str] = []
            report, n_runs = self._report(request, notes, MOST_PREVIEWED)
            job.total = _n_figures(report)
            drawn = drawn_report(report, width_px, ratio=ratio)
            entries = report.entries
            session_id = entries[0].run.session_id
            return Preview(request, report.title, len(entries), n_runs, drawn, tuple(notes), session_id)

        self._begin(_Job("preview", work, self.previewed.emit))

    def write(self, request: ReportRequest, folder: Path, formats: Sequence[Format], dpi: int) -> None:
        """Write a report's files into a folder; RuntimeError while another one is being written.

        dpi: of single figures as PNG.
        """
        if self.writing:
            raise RuntimeError("a report is being written")
        self.forget_preview()

        def work(job: _Job) -> Written:
            from gazeviz.render.report.files import write_report

            notes: list[str] = []
            report, _ = self._report(request, notes)
            job.total = _n_figures(report) * sum(_TIMES_DRAWN.get(kind, 0) for kind in formats)
            files = write_report(report, folder, formats, dpi=dpi)
            if "pdf" in formats:
                files.append(write_pdf(report, folder / "report.pdf"))
            return Written(folder, tuple(files), tuple(notes))

        self._begin(_Job("write", work, self.written.emit))

    def stop(self) -> None:
        """Draw nothing more of what is under way; files that are written already stay."""
        for job in self._waiting:
            job.stop.set()

    def forget_preview(self) -> None:
        """Nobody looks at the preview any more."""
        for job in self._waiting:
            if job.kind == "preview":
                job.stop.set()

    def close(self) -> None:
        """End the thread at the next figure; nothing may be asked after. Without effect when done before."""
        self.stop()
        self._waiting = []
        if self._drawer.isRunning():
            self._drawer.jobs.put(None)
            self._drawer.wait()

    # Pieces

    def _begin(self, job: _Job) -> None:
        self._waiting.append(job)
        self._drawer.jobs.put(job)
        if not self._drawer.isRunning():
            self._drawer.start(QThread.Priority.LowPriority)

    def _on_drew(self, job: _Job) -> None:
        if job in self._waiting and not job.stop.is_set():
            self.progressed.emit(job.kind, min(job.done, job.total), job.total)

    def _on_ended(self, job: _Job, outcome: object) -> None:
        if job not in self._waiting:
            return
        self._waiting.remove(job)
        if isinstance(outcome, _StoppedError) or (job.stop.is_set() and job.kind == "preview"):
            if job.kind == "write":
                self.stopped.emit()
        elif isinstance(outcome, UserError):
            self.failed.emit(outcome)
        elif isinstance(outcome, Exception):
            raise outcome
        else:
            job.answer(outcome)

    def _report(
        self, request: ReportRequest, notes: list[str], most: int | None = None
    ) -> tuple[Report, int]:
        """The report on the first runs of a request, and how many there are; UserErrors. For the thread."""
        self._store.flush()
        reader = LogReader(self._store.path)
        try:
            title, runs = _requested_runs(reader, request)
            chosen = runs[:most]
            if request.run_ids and request.baselines:
                chosen = with_baselines(reader, chosen)
            if not request.paths:
                chosen = [run.without_paths() for run in chosen]
            usual = self._store.path == default_path().absolute()
            sources = log_sources(reader, notes.append, usual=usual, paths=request.paths)
            report = make_report(chosen, sources, request.title.strip() or title, time.time())
            for entry in report.entries:  # read now: the reader is closed before anything is drawn
                _ = entry.run.steps, entry.run.summary, entry.run.model
            return report, max(len(runs), len(chosen))
        finally:
            reader.close()


def _requested_runs(reader: LogReader, request: ReportRequest) -> tuple[str, list[StoredRun]]:
    """A title, and the runs in their order; glances are no runs. UserError where there are none."""
    if request.run_ids:
        ids: Sequence[int] = sorted(set(request.run_ids))
        title = f"Run {ids[0]}" if len(ids) == 1 else plural(len(ids), "run")
    else:
        title, ids = _session(reader, request.session_id)
    runs: list[StoredRun] = []
    for run_id in ids:
        try:
            runs.append(reader.run(int(run_id)))
        except KeyError:
            raise UserError(f"Run {run_id} is no longer in the log.", next_step="Choose others.") from None
    if not runs:
        raise UserError(f"“{title}” has no runs to report.", next_step="Run something in it first.")
    return title, runs


def _session(reader: LogReader, session_id: int | None) -> tuple[str, list[int]]:
    names = {session.id: session.name for session in reader.sessions()}
    rows = reader.rows(
        "SELECT id FROM runs WHERE session_id = ? AND deleted_s IS NULL AND side <> 'glance' ORDER BY id",
        (session_id,),
    )
    return names.get(session_id or 0) or f"Session {session_id}", [row[0] for row in rows]


def _n_figures(report: Report) -> int:
    """How many figures a report has."""
    from gazeviz.render.report.figures import case_figures, entry_figures

    of_cases = sum(len(case_figures(case)) for case in report.cases)
    return of_cases + sum(len(entry_figures(entry)) for entry in report.entries)
