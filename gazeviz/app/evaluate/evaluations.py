"""Experiments as the window lists, starts, pauses and reads them.

An evaluation is computed by `gazeviz evaluate` in a process of its own, so that window and shell do the same
job and write the same rows; what is shown is read from the log, whoever writes it. Knows no widget.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.domain.experiments.paper import EXPERIMENTS, PaperExperiment
from gazeviz.domain.experiments.plan import EvaluationItem, Judgement
from gazeviz.domain.experiments.results import EvaluationResult
from gazeviz.errors import UserError
from gazeviz.store import SessionStore
from gazeviz.store.evaluations import EvaluationLog, StoredEvaluation, evaluation_result, evaluations
from gazeviz.store.reader import LogReader

LOOK_EVERY_MS: Final = 1000
_STOP_MS: Final = 5000
_STALE_S: Final = 15.0
"""An evaluation that says it runs and gets no answer for so long was interrupted."""
PERSON: Final = "person"


@dataclass(frozen=True)
class ExperimentPlan:
    """What is asked of `gazeviz evaluate`, in its own words; name: of the evaluation in the log."""

    name: str
    protocol: str = "vqa"
    pictures: str = "builtin:100@7"
    heads: str = "mass:10"
    controls: str = "uniform:10"
    sweep: tuple[str, ...] = ()
    judge: str = "exact"
    strength: str = "8"
    prompt: str = ""

    def arguments(self, model_path: str, log: str) -> list[str]:
        """The command line behind `python -m gazeviz`."""
        words = [
            "evaluate", self.protocol, "--pictures", self.pictures, "--heads", self.heads,
            "--controls", self.controls or "none", "--judge", self.judge, "--strength", self.strength,
            "--name", self.name, "--model", model_path, "--log", log, "--json",
        ]  # fmt: skip
        for axis in self.sweep:
            words += ["--sweep", axis]
        return [*words, "--prompt", self.prompt] if self.prompt else words


@dataclass(frozen=True)
class ExperimentRow:
    """One line of the list. paper: None for one's own.  stored: None where it was never run.

    state: "not run", "running", "paused", "done" or "failed".
    """

    name: str
    title: str
    paper: PaperExperiment | None
    stored: StoredEvaluation | None
    state: str
    seconds_left: float | None = None


@dataclass(frozen=True)
class _Pace:
    """How far an evaluation was, when it was first seen and when it last moved (monotonic seconds)."""

    first_done: int
    first_s: float
    done: int
    moved_s: float


class Evaluations(QObject):
    """The experiments of a log, and at most one process that computes one.

    changed: the list.  result_found: EvaluationResult of the one that is watched.  failed: UserError.
    """

    changed = Signal()
    result_found = Signal(object)
    failed = Signal(object)

    def __init__(self, archive: LogBrowser, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._archive = archive
        self._stored: dict[str, StoredEvaluation] = {}
        self._pace: dict[str, _Pace] = {}
        self._watched = ""
        self._shown: tuple[str, int, str] = ("", -1, "")
        self._process: QProcess | None = None
        self._running = ""
        self._timer = QTimer(self, interval=LOOK_EVERY_MS)
        self._timer.timeout.connect(self.look)

    # The list

    def rows(self) -> tuple[ExperimentRow, ...]:
        """The paper's experiments that are evaluations, then one's own, the newest first."""
        papers = {name_of(one): one for one in EXPERIMENTS if one.work == "evaluation"}
        rows = [self._row(name, one.title, one) for name, one in papers.items()]
        return (*rows, *(self._row(name, name, None) for name in self._stored if name not in papers))

    def _row(self, name: str, title: str, paper: PaperExperiment | None) -> ExperimentRow:
        stored = self._stored.get(name)
        state = "not run" if stored is None else stored.state
        pace = self._pace.get(name)
        if name == self._running:
            state = "running"
        elif state == "running" and (pace is None or time.monotonic() - pace.moved_s > _STALE_S):
            state = "paused"  # whoever ran it was ended, and could not say so
        left = None
        if state == "running" and pace is not None and stored is not None and pace.done > pace.first_done:
            speed = (pace.done - pace.first_done) / max(pace.moved_s - pace.first_s, 1e-3)
            left = (stored.n_items - stored.n_done) / speed
        return ExperimentRow(name, title, paper, stored, state, left)

    def watch(self, name: str) -> None:
        """Read the results of this one from now on."""
        self._watched, self._shown = name, ("", -1, "")
        self.look()

    def show(self, on: bool) -> None:
        """Look at the log while somebody looks at the tab."""
        if on:
            self._timer.start()
            self.look()
        elif not self._running:
            self._timer.stop()

    def look(self) -> None:
        """Ask the log what there is."""
        self._archive.ask("evaluations", evaluations, self._on_listed)

    def _on_listed(self, listed: tuple[StoredEvaluation, ...]) -> None:
        now = time.monotonic()
        self._stored = {one.name: one for one in listed}
        for one in listed:
            pace = self._pace.get(one.name)
            if pace is None:
                self._pace[one.name] = _Pace(one.n_done, now, one.n_done, now)
            elif one.n_done != pace.done:
                self._pace[one.name] = replace(pace, done=one.n_done, moved_s=now)
        self.changed.emit()
        watched = self._stored.get(self._watched)
        if watched is not None:
            self._read(watched)

    def _read(self, stored: StoredEvaluation, judge: str = "") -> None:
        seen = (stored.name, stored.n_done, stored.state)
        if seen == self._shown and not judge:
            return
        self._shown, name = seen, stored.name

        def read(reader: LogReader) -> EvaluationResult:
            return evaluation_result(reader, name)

        self._archive.ask("evaluation", read, self.result_found.emit)

    # Running

    @property
    def running(self) -> str:
        """The name of the one that this window computes; "" for none."""
        return self._running

    def start(self, plan: ExperimentPlan, model_path: str) -> None:
        """Begin, or go on with what the log has under the plan's name; UserErrors."""
        if self._running:
            raise UserError(f"“{self._running}” is still running.", next_step="Pause it first.")
        if getattr(sys, "frozen", False):
            raise UserError(
                "This build of gazeviz has no Python to compute evaluations with.",
                next_step="Run gazeviz evaluate in a terminal; the tab shows what it writes.",
            )
        process = QProcess(self)
        process.finished.connect(self._on_finished)
        self._process, self._running = process, plan.name
        self._pace.pop(plan.name, None)
        self._shown = ("", -1, "")
        self._timer.start()
        process.start(sys.executable, ["-m", "gazeviz", *plan.arguments(model_path, str(self._archive.path))])
        self.changed.emit()

    def pause(self) -> None:
        """Stop the process; every answer that it has committed stays."""
        process = self._process
        if process is None or process.state() == QProcess.ProcessState.NotRunning:
            return
        if sys.platform == "win32":
            process.kill()
        else:
            os.kill(process.processId(), signal.SIGINT)

    def close(self) -> None:
        """Pause, and wait for the process to end; called before the log is closed."""
        self._timer.stop()
        process = self._process
        if process is not None and process.state() != QProcess.ProcessState.NotRunning:
            process.finished.disconnect(self._on_finished)
            self.pause()
            if not process.waitForFinished(_STOP_MS):
                process.kill()
                process.waitForFinished(_STOP_MS)
        self._process, self._running = None, ""

    def _on_finished(self, code: int) -> None:
        process, name = self._process, self._running
        self._process, self._running = None, ""
        if process is not None:
            told = bytes(process.readAllStandardError().data()).decode("utf-8", "replace").strip()
            process.deleteLater()
            if code not in (0, 130, -signal.SIGINT, signal.SIGINT):
                lines = told.splitlines() or ["It ended without a word."]
                self.failed.emit(UserError(f"“{name}” stopped: {lines[-1]}", next_step="Resume it."))
        self._shown = ("", -1, "")
        self.look()

    # Marking

    def judge(self, result: EvaluationResult, item: EvaluationItem, chosen: int | None) -> None:
        """Write down what a person reads in an answer; it stands beside what other judges said."""
        name = result.spec.name
        stored = self._stored[name]
        said = Judgement(item.key, PERSON, chosen)

        def write(_reader: Any) -> None:
            EvaluationLog(self._store).keep(stored.evaluation_id, (), (said,))

        self._archive.write(write)
        self._shown = ("", -1, "")
        self.look()

    @property
    def _store(self) -> SessionStore:
        return self._archive.store


def name_of(experiment: PaperExperiment) -> str:
    """What `gazeviz reproduce` calls its evaluation in the log."""
    return f"paper {experiment.name}"


def plan_for(experiment: PaperExperiment, pictures: str, heads: str) -> ExperimentPlan:
    """A paper's experiment on a set of pictures."""
    if experiment.pictures == "scenes":
        pictures = pictures.replace("builtin", "scenes", 1)
    return ExperimentPlan(
        name_of(experiment), experiment.protocol, pictures, heads, experiment.controls, experiment.sweep,
        experiment.judge,
    )  # fmt: skip


def plan_again(stored: StoredEvaluation) -> ExperimentPlan | None:
    """The plan that goes on with an evaluation of the log; None where its heads are not of a ranking."""
    spec = stored.spec
    gaze = [one for one in spec.conditions if one.kind == "gaze"]
    if not gaze or gaze[0].treatment.heads is None:
        return None
    origin = gaze[0].treatment.heads.origin
    counts: Mapping[str, int] = _draws(stored)
    others = [
        one.kind for one in spec.conditions if not one.is_draw and one.kind not in ("gaze", "unsteered")
    ]
    controls = [f"{kind}:{n}" for kind, n in counts.items()] + list(dict.fromkeys(others))
    heads = ",".join(str(head) for head in gaze[0].treatment.heads.heads)
    if origin.ranking and origin.n:
        heads = f"{origin.ranking}:{origin.n}"
    return ExperimentPlan(
        spec.name, spec.protocol.name, str(spec.source), heads, ",".join(controls),
        tuple(str(axis) for axis in spec.axes), spec.judge, f"{gaze[0].treatment.strength}",
    )  # fmt: skip


def _draws(stored: StoredEvaluation) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in stored.spec.conditions:
        if one.is_draw:
            counts[one.kind] = max(counts.get(one.kind, 0), one.draw or 0)
    return counts
