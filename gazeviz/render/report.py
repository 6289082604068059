"""What a report says, in words and numbers that every format shares: cases, runs, settings, repeating them.

A case is one picture and one prompt asked of one model; its runs stand beside each other. Built from runs as
the log keeps them and from a few questions to whoever keeps the rest; knows no log, no format and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazeviz import __version__
from gazeviz.domain.evaluation import DynamicEvaluation, Evaluation
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.logged_run import LoggedRun
from gazeviz.domain.proven_grid import proven_grid
from gazeviz.domain.region import Region
from gazeviz.domain.reproduction import cli_line, python_snippet
from gazeviz.domain.run import Trajectory
from gazeviz.domain.steering import Steering
from gazeviz.render import report_words as words

Rows: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values of a table with two columns."""


@dataclass(frozen=True, eq=False)
class ReportedPicture:
    """A picture of the log. pixels_HW3: uint8 (H, W, 3). path: its file, None where the log alone has it."""

    name: str
    pixels_HW3: NDArray[np.uint8]
    path: str | None = None

    @property
    def image(self) -> Image.Image:
        """As Pillow holds it."""
        return Image.fromarray(self.pixels_HW3)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        height_px, width_px = self.pixels_HW3.shape[:2]
        return width_px, height_px


def _nothing(*_: Any) -> None:
    return None


@dataclass(frozen=True)
class Sources:
    """Who is asked for what runs do not hold; each answers None where it is not known (any more).

    picture: by its sha256.  ranking: the one that a run's chosen heads come from.  grid: a run's token grid;
    where it is not known, what the run itself proves is taken.  note: what a person wrote about a run.
    verdict: what judges say of its text, in words.
    log: the log's file, None where commands find it by themselves.
    """

    picture: Callable[[str], ReportedPicture | None] = _nothing
    ranking: Callable[[LoggedRun], HeadRanking | None] = _nothing
    grid: Callable[[LoggedRun], TokenGrid | None] = _nothing
    note: Callable[[LoggedRun], str | None] = _nothing
    verdict: Callable[[LoggedRun], str | None] = _nothing
    log: str | None = None


@dataclass(frozen=True, eq=False)
class Entry:
    """A run with everything that is said of it.

    regions: what it watched, colours checked.  target_numbers: of the regions that it was pointed at.
    """

    run: LoggedRun
    picture: ReportedPicture | None
    regions: tuple[Region, ...]
    ranking: HeadRanking | None
    note: str
    known_grid: TokenGrid | None = None
    verdict: str = ""
    log: str | None = None

    @property
    def name(self) -> str:
        """As it is called: its number in the log, and what it is."""
        return f"Run {self.run.id}, {words.side_words(self.run.side, self.steering)}"

    @property
    def steering(self) -> Steering | None:
        """What happened, where the run ended; else what was asked for."""
        summary = self.run.summary
        return summary.request.steering if summary else self.run.spec.steering

    @property
    def text(self) -> str:
        """The answer, as far as it came."""
        summary = self.run.summary
        return summary.text if summary else "".join(step.text for step in self.run.steps)

    @cached_property
    def chips(self) -> tuple[words.Chip, ...]:
        """The answer's tokens, each with the region that the heads look at while it is written."""
        return words.chips(self.run.steps, self.regions)

    @property
    def chosen(self) -> HeadSet:
        """The heads that its masses and maps are means of; empty for all."""
        return self.run.spec.chosen

    @cached_property
    def grid(self) -> TokenGrid | None:
        """Where its image tokens lie, if that is known or can be proven."""
        return self.known_grid or proven_grid(self.run)

    @property
    def trajectory(self) -> Trajectory | None:
        """Mass on each region by token; None where there is nothing to draw."""
        if not self.regions or not self.run.steps:
            return None
        masses_TR = np.array([step.masses_R for step in self.run.steps])
        return Trajectory(masses_TR, tuple(region.name for region in self.regions))

    @property
    def control(self) -> Trajectory | None:
        """The same of the random control."""
        masses = [step.control_R for step in self.run.steps if step.control_R is not None]
        if not self.regions or not masses or len(masses) != len(self.run.steps):
            return None
        return Trajectory(np.array(masses), tuple(region.name for region in self.regions))

    @property
    def turns(self) -> tuple[tuple[int, str], ...]:
        """Where each target's turn begins; nothing for a baseline."""
        return words.turns(self.run.steps) if self.steering else ()

    @property
    def settings(self) -> Rows:
        """Everything that can change the result."""
        return words.settings(self)

    @property
    def audit(self) -> Rows:
        """Whether the bias arrived; nothing for a baseline."""
        summary = self.run.summary
        return words.audit_rows(summary.audit) if summary and summary.audit else ()

    @property
    def ledger(self) -> tuple[tuple[str, ...], ...]:
        """Where the attention went: group, before, after, gained."""
        summary = self.run.summary
        return words.ledger_rows(summary.audit) if summary and summary.audit else ()

    @property
    def cli(self) -> str:
        """A line for a shell."""
        return cli_line(self.run, self.picture.path if self.picture else None, log=self.log)

    @property
    def python(self) -> str:
        """The same in Python."""
        return python_snippet(self.run, self.picture.path if self.picture else None, self.log)


@dataclass(frozen=True, eq=False)
class Case:
    """Runs that differ in their steering alone."""

    number: int
    entries: tuple[Entry, ...]

    @property
    def prompt(self) -> str:
        """What was asked."""
        return self.entries[0].run.spec.prompt

    @property
    def picture(self) -> ReportedPicture | None:
        """What it was asked about."""
        return self.entries[0].picture

    @property
    def asked(self) -> Rows:
        """Which model, on which machine, about which picture."""
        return words.asked(self.entries[0])


@dataclass(frozen=True, eq=False)
class Report:
    """A report: what it is called, its cases, and evaluations where there are any. made_s: since 1970."""

    title: str
    cases: tuple[Case, ...]
    made_s: float
    evaluations: tuple[Evaluation | DynamicEvaluation, ...] = ()
    version: str = field(default=__version__)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All runs, in the order of their cases."""
        return tuple(entry for case in self.cases for entry in case.entries)

    @property
    def made(self) -> str:
        """When, to the minute."""
        return datetime.fromtimestamp(self.made_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def make_report(
    runs: Sequence[LoggedRun],
    sources: Sources,
    title: str,
    made_s: float,
    evaluations: Sequence[Evaluation | DynamicEvaluation] = (),
) -> Report:
    """Sort runs into cases, the first asked first, each once."""
    groups: dict[tuple[object, ...], list[LoggedRun]] = {}
    for run in sorted({run.id: run for run in runs}.values(), key=lambda run: run.id):
        groups.setdefault(_case_of(run), []).append(run)
    cases = tuple(
        Case(number, tuple(_entry(run, sources) for run in group))
        for number, group in enumerate(groups.values(), start=1)
    )
    return Report(title, cases, made_s, tuple(evaluations))


def _case_of(run: LoggedRun) -> tuple[object, ...]:
    spec = run.spec
    return run.session_id, spec.picture_sha256, spec.prompt, run.model.fingerprint, run.side == "glance"


def _entry(run: LoggedRun, sources: Sources) -> Entry:
    regions = tuple(
        replace(region, colour=words.safe_colour(region.colour, place))
        for place, region in enumerate(run.spec.regions)
    )
    picture, ranking = sources.picture(run.spec.picture_sha256), sources.ranking(run)
    return Entry(
        run, picture, regions, ranking, sources.note(run) or "", sources.grid(run),
        sources.verdict(run) or "", sources.log,
    )  # fmt: skip
