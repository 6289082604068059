"""What a report says, in words and numbers that every format shares: cases, runs, settings, repeating them.

A case is one picture and one prompt asked of one model; its runs stand beside each other. Built from runs as
the log keeps them and from a few questions to whoever keeps the rest; knows no log, no format and no file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazeviz import __version__
from gazeviz.domain.evaluation import DynamicEvaluation, Evaluation
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import LoggedRun, StepArrived
from gazeviz.domain.proven_grid import proven_grid
from gazeviz.domain.region import Region, region_colour
from gazeviz.domain.reproduction import cli_line, python_snippet
from gazeviz.domain.run import Audit, Trajectory
from gazeviz.domain.steering import Steering
from gazeviz.domain.wording import (
    MODE_NAMES,
    SCOPE_NAMES,
    format_audit,
    format_duration,
    format_figure,
    format_rule,
    format_sampling,
    format_steering,
    format_strength,
    format_utc,
    plural,
)

# The sentences and rows of a report: settings, audit, tokens with their regions, turns of a target.
#
# Turns values of the domain into plain text. It escapes nothing: that is the business of each format.


BARELY: Final = 0.05
"""Below this mass on every region the heads look at none of them, and a token stays untinted."""
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_PANEL: Final = re.compile(r"\bpanel\s+(\d+)", re.IGNORECASE)
_NAMED_HEADS: Final = 24


@dataclass(frozen=True)
class Chip:
    """A token of an answer. number, colour: of the region looked at, None where there is none.

    begins: whether the token before it looked somewhere else, so that the number is worth showing.
    """

    text: str
    number: int | None
    colour: str | None
    begins: bool
    target: str


def safe_colour(colour: str | None, place: int) -> str:
    """Return a region's colour as #rrggbb: its own where it is one, else that of its place."""
    return colour if colour and _COLOUR.fullmatch(colour) else region_colour(place)


def chips(steps: Sequence[StepArrived], regions: Sequence[Region]) -> tuple[Chip, ...]:
    """Return an answer's tokens with the region that each looks at."""
    made: list[Chip] = []
    before: int | None = None
    for step in steps:
        place = step.looks_at
        if place is None or place >= len(regions) or step.masses_R[place] < BARELY:
            place = None
        colour = None if place is None else safe_colour(regions[place].colour, place)
        number = None if place is None else place + 1
        made.append(
            Chip(step.text, number, colour, number is not None and number != before, step.target or "")
        )
        before = number
    return tuple(made)


def streaks(made: Sequence[Chip]) -> tuple[tuple[str, int | None], ...]:
    """Return an answer in pieces that look at one region each: text and the region's number."""
    pieces: list[tuple[str, int | None]] = []
    for chip in made:
        if pieces and pieces[-1][1] == chip.number:
            pieces[-1] = pieces[-1][0] + chip.text, chip.number
        else:
            pieces.append((chip.text, chip.number))
    return tuple(pieces)


def turns(steps: Sequence[StepArrived]) -> tuple[tuple[int, str], ...]:
    """Return where each target's turn begins: (answer token, region name), "" where the heads were let go."""
    begun: list[tuple[int, str]] = []
    for step in steps:
        if not begun or begun[-1][1] != (step.target or ""):
            begun.append((step.index, step.target or ""))
    return tuple(begun)


def panel_marks(steps: Sequence[StepArrived]) -> tuple[tuple[int, str], ...]:
    """Return where the text itself says "panel 3": (answer token, "Panel 3")."""
    text, starts = "", []
    for step in steps:
        starts.append(len(text))
        text += step.text
    marks = []
    for match in _PANEL.finditer(text):
        place = max(index for index, start in enumerate(starts) if start <= match.start())
        marks.append((steps[place].index, f"Panel {match[1]}"))
    return tuple(marks)


def side_words(side: str, steering: Steering | None) -> str:
    """Say what a run is."""
    if steering is None:
        return "a glance before the answer" if side == "glance" else "baseline"
    if steering.schedule is not None and len(set(steering.schedule.regions)) > 1:
        return "steered along a schedule"
    return f"steered to {steering.target.name}"


def heads_words(heads: HeadSet, longest: int = _NAMED_HEADS) -> str:
    """Name heads, the first ones where they are many, and where they came from."""
    if not len(heads):
        return "all heads"
    named = ", ".join(str(head) for head in heads.heads[:longest])
    more = "" if len(heads) <= longest else f" and {len(heads) - longest} more"
    return f"{len(heads)} ({heads.origin}): {named}{more}"


def steering_words(steering: Steering | None) -> str:
    """Say a steering in one line."""
    return "no steering" if steering is None else format_steering(steering)


def state_words(entry: ReportedRun) -> str:
    """Say how a run ended, and how long it took."""
    run, summary = entry.run, entry.run.summary
    n_tok = summary.n_tok if summary else len(run.steps)
    parts = [run.state, plural(n_tok, "token")]
    if summary is not None:
        parts.append(format_duration(summary.seconds))
        parts.append("stopped by itself" if summary.finish == "stop" else f"ended by {summary.finish}")
        parts.append(f"junk: {summary.junk}" if summary.junk else "no junk")
    if run.message:
        parts.append(run.message)
    return " · ".join(parts)


def audit_words(audit: Audit | None) -> str:
    """Say in one line whether the bias arrived; "" for a baseline."""
    return "" if audit is None else format_audit(audit)


def audit_rows(audit: Audit) -> Rows:
    return (
        ("heads steered", str(audit.n_heads)),
        ("rows biased", str(audit.n_rows)),
        ("image tokens of the target", str(audit.n_target_tok)),
        ("mass on the target before", format_figure(audit.mass_before)),
        ("mass on the target after", format_figure(audit.mass_after)),
    )


def ledger_rows(audit: Audit) -> tuple[tuple[str, ...], ...]:
    """Return the rerouting ledger: group, before, after, gained."""
    ledger = audit.ledger
    return tuple(
        (
            group,
            format_figure(before),
            format_figure(after),
            f"{'+' if gained >= 0 else ''}{format_figure(gained)}",
        )
        for group, before, after, gained in zip(
            ledger.groups, ledger.before_G, ledger.after_G, ledger.gained_G, strict=True
        )
    )


def asked(entry: ReportedRun) -> Rows:
    """Return what all runs of a case share: model, machine, picture, prompt."""
    run, model, summary = entry.run, entry.run.model, entry.run.summary
    n_layers, n_heads = model.shape_LH
    size = f"{model.n_parameters / 1e6:.1f} M parameters, " if model.n_parameters else ""
    rows = [
        ("model", f"{model.name} ({model.family}, {size}{n_layers} layers x {n_heads} heads)"),
        ("weights fingerprint", model.fingerprint),
        ("computed on", f"{model.device} in {model.dtype}"),
    ]
    if summary is not None:
        rows.append(("attention path", summary.request.attention))
        rows.append(
            ("versions", ", ".join(f"{name} {is_}" for name, is_ in summary.request.versions.items()))
        )
    name = entry.picture.name if entry.picture else "not kept"
    rows.append(("picture", f"{name}{_size_words(entry)}"))
    return (*rows, ("picture sha256", run.spec.picture_sha256), ("first asked", format_utc(run.started_s)))


def settings(entry: ReportedRun) -> Rows:
    """Return everything of a run that can change its result, and how it ended."""
    run, spec, steering = entry.run, entry.run.spec, entry.steering
    rows = [("steering", "none")]
    if steering is not None:
        rows = [
            ("heads steered", heads_words(steering.heads)),
            ("target", steering.target.name),
            ("mode", MODE_NAMES[steering.mode]),
            ("strength", format_strength(steering)),
            ("rows", SCOPE_NAMES[steering.scope]),
            ("cells selected by", format_rule(steering.rule, steering.share)),
            *([("schedule", _schedule_words(steering))] if steering.schedule else []),
        ]
    rows.append(("heads watched", heads_words(spec.chosen)))
    rows.append(("random control", "none" if spec.control is None else heads_words(spec.control)))
    rows.append(("sampling", format_sampling(spec.sampling)))
    rows.append(("longest answer", plural(spec.max_new_tokens, "token")))
    rows.append(("started", format_utc(run.started_s)))
    return (*rows, ("ended", state_words(entry)))


def evaluation_rows(evaluation: Evaluation | DynamicEvaluation) -> Rows:
    """Return an evaluation's figures in words."""
    treatment = str(evaluation.treatment.get("name", evaluation.treatment))
    if isinstance(evaluation, DynamicEvaluation):
        figures = evaluation.figures()
        return (
            ("protocol", "dynamic"), ("heads", treatment), ("judge", evaluation.judge),
            ("narrations", str(figures["items"])), ("rho", format_figure(figures["rho"])),
            ("on target", format_figure(figures["on_target"])), ("junk", format_figure(figures["junk"])),
        )  # fmt: skip
    low, high = evaluation.interval()
    interval = (
        f"{format_figure(evaluation.share())} (95 % interval {format_figure(low)} to {format_figure(high)})"
    )
    return (
        ("protocol", evaluation.protocol), ("heads", treatment), ("judge", evaluation.judge),
        ("answers", str(len(evaluation.answers))), ("hit", interval),
        ("chance", format_figure(evaluation.chance)), ("junk", format_figure(evaluation.junk_share)),
        ("unchanged", format_figure(evaluation.unchanged_share)),
    )  # fmt: skip


def _schedule_words(steering: Steering) -> str:
    switches = steering.schedule.switches if steering.schedule else ()
    return ", ".join(
        f"from token {step}: {region.name if region else 'no target'}" for step, region in switches
    )


def _size_words(entry: ReportedRun) -> str:
    summary = entry.run.summary
    if summary is None:
        return ""
    (width, height), (fed_width, fed_height) = summary.request.picture_size_px, summary.request.fed_size_px
    return f", {width} x {height} px, fed as {fed_width} x {fed_height} px"


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


def _as_it_is(_run: LoggedRun, picture: ReportedPicture) -> ReportedPicture:
    return picture


@dataclass(frozen=True)
class Sources:
    """Who is asked for what runs do not hold; each answers None where it is not known (any more).

    picture: by its sha256.  named: a picture as one run called it.
    ranking: the one that a run's chosen heads come from.  grid: a run's token grid;
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
    named: Callable[[LoggedRun, ReportedPicture], ReportedPicture] = _as_it_is


@dataclass(frozen=True, eq=False)
class ReportedRun:
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
        return f"Run {self.run.id}, {side_words(self.run.side, self.steering)}"

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
    def chips(self) -> tuple[Chip, ...]:
        """The answer's tokens, each with the region that the heads look at while it is written."""
        return chips(self.run.steps, self.regions)

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
        return turns(self.run.steps) if self.steering else ()

    @property
    def settings(self) -> Rows:
        """Everything that can change the result."""
        return settings(self)

    @property
    def audit(self) -> Rows:
        """Whether the bias arrived; nothing for a baseline."""
        summary = self.run.summary
        return audit_rows(summary.audit) if summary and summary.audit else ()

    @property
    def ledger(self) -> tuple[tuple[str, ...], ...]:
        """Where the attention went: group, before, after, gained."""
        summary = self.run.summary
        return ledger_rows(summary.audit) if summary and summary.audit else ()

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
    entries: tuple[ReportedRun, ...]

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
        return asked(self.entries[0])


@dataclass(frozen=True, eq=False)
class Report:
    """A report: what it is called, its cases, and evaluations where there are any. made_s: since 1970."""

    title: str
    cases: tuple[Case, ...]
    made_s: float
    evaluations: tuple[Evaluation | DynamicEvaluation, ...] = ()
    version: str = field(default=__version__)

    @property
    def entries(self) -> tuple[ReportedRun, ...]:
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


def _entry(run: LoggedRun, sources: Sources) -> ReportedRun:
    regions = tuple(
        replace(region, colour=safe_colour(region.colour, place))
        for place, region in enumerate(run.spec.regions)
    )
    picture, ranking = sources.picture(run.spec.picture_sha256), sources.ranking(run)
    if picture is not None:
        picture = sources.named(run, picture)
    return ReportedRun(
        run, picture, regions, ranking, sources.note(run) or "", sources.grid(run),
        sources.verdict(run) or "", sources.log,
    )  # fmt: skip
