"""Experiments as the window lists, starts, pauses and reads them.

An evaluation is computed by `gazeviz evaluate` in a process of its own, so that window and shell do the same
job and write the same rows; what is shown is read from the log, whoever writes it. Knows no widget.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.domain.experiments.conditions import Condition
from gazeviz.domain.experiments.paper import EXPERIMENTS, PaperExperiment
from gazeviz.domain.experiments.picture_set import SetSource
from gazeviz.domain.experiments.plan import EvaluationItem, Judgement
from gazeviz.domain.experiments.results import EvaluationResult
from gazeviz.domain.experiments.treatment import PROTOCOLS, Treatment
from gazeviz.errors import UserError
from gazeviz.store import SessionStore
from gazeviz.store.evaluations import EvaluationLog, StoredEvaluation, evaluation_result, evaluations
from gazeviz.store.reader import LogReader

LOOK_EVERY_MS: Final = 1000
_STOP_MS: Final = 5000
PERSON: Final = "person"


@dataclass(frozen=True)
class ExperimentPlan:
    """What is asked of `gazeviz evaluate`, in its own words.

    name: of the evaluation in the log.  "" is what the protocol, or the command, has by itself.
    categories, sizes, smallest_side, most_regions, number: of a COCO set (number: of comics, too).
    stored: whether the log has its plan already, which is then gone on with as it stands.
    """

    name: str
    protocol: str = "vqa"
    pictures: str = "builtin:100@7"
    heads: str = "mass:10"
    controls: str = "uniform:10"
    sweep: tuple[str, ...] = ()
    judge: str = "exact"
    strength: str = "8"
    prompt: str = ""
    mode: str = "boost_suppress"
    scope: str = ""
    tokens: str = ""
    seed: str = "0"
    like: str = ""
    categories: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    smallest_side: str = ""
    most_regions: str = ""
    number: str = ""
    captions: str = ""
    stored: bool = False

    def arguments(self, model_path: str, log: str) -> list[str]:
        """The command line behind `python -m gazeviz`."""
        places = [f"--model={model_path}", f"--log={log}", "--json"]
        if self.stored:
            words = ["resume", *places]
            if "://" in self.judge:
                words.append(f"--judge={self.judge}")
            if self.captions:
                words.append(f"--captions={self.captions}")
            return [*words, "--", self.name]
        told = {
            "pictures": self.pictures, "heads": self.heads, "controls": self.controls or "none",
            "judge": self.judge, "strength": self.strength, "name": self.name, "mode": self.mode,
            "prompt": self.prompt, "scope": self.scope, "new-tokens": self.tokens, "seed": self.seed,
            "like": self.like, "smallest-side": self.smallest_side, "most-regions": self.most_regions,
            "number": self.number, "captions": self.captions,
        }  # fmt: skip
        words = [f"--{key}={value}" for key, value in told.items() if value]
        for option, values in (("sweep", self.sweep), ("category", self.categories), ("size", self.sizes)):
            words += [f"--{option}={value}" for value in values]
        return ["evaluate", self.protocol, *words, *places]


@dataclass(frozen=True)
class ExperimentRow:
    """One line of the list. paper: None for one's own.  stored: None where it was never run.

    state: "not run", "running", "paused", "done" or "failed".
    ours: what the chosen heads came to, in per cent or as rho; "" where that is not known.
    """

    name: str
    title: str
    paper: PaperExperiment | None
    stored: StoredEvaluation | None
    state: str
    seconds_left: float | None = None
    ours: str = ""


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
        self._ours: dict[str, tuple[str, str]] = {}
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
        elif state == "running" and stored is not None and stored.pid is None:
            state = "paused"  # whoever ran it was ended, and could not say so
        left = None
        if state == "running" and pace is not None and stored is not None and pace.done > pace.first_done:
            speed = (pace.done - pace.first_done) / max(pace.moved_s - pace.first_s, 1e-3)
            left = (stored.n_items - stored.n_done) / speed
        return ExperimentRow(name, title, paper, stored, state, left, self._ours.get(name, ("", ""))[1])

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
        self._sum_up()
        watched = self._stored.get(self._watched)
        if watched is not None:
            self._read(watched)

    def _sum_up(self) -> None:
        """Find out what those at rest came to that have changed since that was asked last."""
        stamps = {
            one.name: f"{one.evaluation_id} {one.n_done}"
            for one in self._stored.values()
            if one.pid is None and one.n_done
        }
        due = [name for name, stamp in stamps.items() if self._ours.get(name, ("", ""))[0] != stamp]
        if not due:
            return

        def read(reader: LogReader) -> dict[str, tuple[str, str]]:
            return {name: (stamps[name], _figure_words(evaluation_result(reader, name))) for name in due}

        self._archive.ask("evaluation figures", read, self._on_summed_up)

    def _on_summed_up(self, found: dict[str, tuple[str, str]]) -> None:
        self._ours |= found
        self.changed.emit()

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

    @property
    def process_id(self) -> int:
        """The number of the process that computes it; 0 for none."""
        return self._process.processId() if self._process is not None else 0

    def start(self, plan: ExperimentPlan, model_path: str) -> None:
        """Begin, or go on with what the log has under the plan's name; UserErrors."""
        if self._running:
            raise UserError(f"“{self._running}” is still running.", next_step="Pause it first.")
        stored = self._stored.get(plan.name)
        if stored is not None and stored.pid is not None:
            raise UserError(
                f"“{plan.name}” is computed by another program (process {stored.pid}).",
                next_step="Watch it here; to stop it, press Ctrl+C there.",
            )
        if getattr(sys, "frozen", False):
            raise UserError(
                "This build of gazeviz has no Python to compute evaluations with.",
                next_step="Run gazeviz evaluate in a terminal; the tab shows what it writes.",
            )
        process = QProcess(self)
        if sys.platform != "win32":
            # A program that a script put into the background ignores interrupts, and its children would, too.
            process.setUnixProcessParameters(QProcess.UnixProcessFlag.ResetSignalHandlers)
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


def _figure_words(result: EvaluationResult) -> str:
    """The chosen heads' figure at their best setting, as the paper gives its own."""
    begun = {item.key.condition for item in result.items}
    gaze = [
        result.figures_of(one) for one in result.spec.conditions if one.kind == "gaze" and one.name in begun
    ]
    if not any(one.n for one in gaze):
        return ""
    best = max(gaze, key=lambda one: one.interval[0])
    return f"{best.accuracy * 100:.0f} %" if best.rho is None else f"ρ {best.rho:.2f}"


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


def plan_again(stored: StoredEvaluation) -> ExperimentPlan:
    """The plan of an evaluation of the log in the words of a person, who reads it and may copy it.

    To go on with the evaluation no word of it is needed: its plan is in the log.
    """
    spec, protocol = stored.spec, PROTOCOLS[stored.spec.protocol.name]
    gaze = next((one.treatment for one in spec.conditions if one.kind == "gaze"), None)
    wanted = spec.source.filter
    usual_tok = protocol.new_tok
    return ExperimentPlan(
        spec.name, protocol.name, str(spec.source), _heads_words(gaze), _control_words(spec.conditions),
        tuple(str(axis) for axis in spec.axes), spec.judge, _number(gaze.strength if gaze else 8.0),
        prompt="" if spec.protocol.prompt == protocol.prompt else spec.protocol.prompt,
        mode=gaze.mode if gaze else "boost_suppress",
        scope=(gaze.scope if gaze else None) or "",
        tokens="" if spec.protocol.new_tok == usual_tok else str(spec.protocol.new_tok),
        seed=str(spec.seed),
        categories=wanted.categories,
        sizes=wanted.sizes,
        smallest_side=_number(wanted.smallest_side_px) if wanted.smallest_side_px else "",
        most_regions=str(wanted.most_regions or ""),
        number=str((wanted.pictures if spec.source.kind == "coco" else _windows(spec.source)) or ""),
        stored=True,
    )  # fmt: skip


def _windows(source: SetSource) -> int | None:
    return source.n if source.kind == "folder" else None


def _heads_words(gaze: Treatment | None) -> str:
    """The chosen heads as `--heads` takes them: by their ranking, by their draw, or one by one."""
    if gaze is None or gaze.heads is None:
        return ""
    origin = gaze.heads.origin
    if origin.kind == "top" and origin.ranking and origin.n:
        return f"{origin.ranking}:{origin.n}"
    if origin.kind == "random" and origin.n and origin.pool in (None, "all"):
        return f"random:{origin.n}@{origin.seed or 0}"
    return "all" if origin.kind == "all" else ",".join(str(head) for head in gaze.heads.heads)


def _control_words(conditions: Sequence[Condition]) -> str:
    """The controls as `--controls` takes them, each kind of draw with its number and its layers."""
    words: dict[str, str] = {}
    for one in conditions:
        if one.kind in ("gaze", "unsteered"):
            continue
        words[one.kind] = one.kind
        if one.is_draw:
            n = max(other.draw or 0 for other in conditions if other.kind == one.kind)
            pool = (one.treatment.heads.origin.pool if one.treatment.heads else None) or ""
            layers = f"@{pool.removeprefix('layers ')}" if one.kind == "range" else ""
            words[one.kind] = f"{one.kind}:{n}{layers}"
    return ",".join(words.values())


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
