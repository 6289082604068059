"""The sentences and rows of a report: settings, audit, tokens with their regions, turns of a target.

Turns values of the domain into plain text. It escapes nothing: that is the business of each format.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from gazeviz.domain.evaluation import DynamicEvaluation, Evaluation
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import StepArrived
from gazeviz.domain.region import Region, region_colour
from gazeviz.domain.run import Audit, Sampling
from gazeviz.domain.steering import Steering
from gazeviz.render.palette import figure_text

if TYPE_CHECKING:
    from gazeviz.render.report import Entry, Rows

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


def strength_words(steering: Steering) -> str:
    """Say how strongly: beta, or the share of each row."""
    if steering.mode == "mass":
        return f"alpha {figure_text(steering.alpha)}"
    return (
        steering.strength.replace("_", " ")
        if isinstance(steering.strength, str)
        else f"{steering.strength:g}"
    )


def steering_words(steering: Steering | None) -> str:
    """Say a steering in one line."""
    if steering is None:
        return "no steering"
    many = steering.schedule is not None and len(set(steering.schedule.regions)) > 1
    where = "a schedule of targets" if many else steering.target.name
    how = f"{steering.mode} · {strength_words(steering)} · {steering.scope}".replace("_", " ")
    return f"{len(steering.heads)} heads ({steering.heads.origin}) → {where} · {how}"


def sampling_words(sampling: Sampling) -> str:
    """Say how tokens were chosen."""
    if sampling.greedy:
        return "greedy"
    return f"temperature {sampling.temperature:g}, top-p {sampling.top_p:g}, seed {sampling.seed}"


def state_words(entry: Entry) -> str:
    """Say how a run ended, and how long it took."""
    run, summary = entry.run, entry.run.summary
    n_tok = summary.n_tok if summary else len(run.steps)
    said = [run.state, f"{n_tok} tokens" if n_tok != 1 else "1 token"]
    if summary is not None:
        said.append(f"{summary.seconds:.2f} s")
        said.append("stopped by itself" if summary.finish == "stop" else f"ended by {summary.finish}")
        said.append(f"junk: {summary.junk}" if summary.junk else "no junk")
    if run.message:
        said.append(run.message)
    return " · ".join(said)


def audit_words(audit: Audit | None) -> str:
    """Say in one line whether the bias arrived; "" for a baseline."""
    if audit is None:
        return ""
    before, after = figure_text(audit.mass_before), figure_text(audit.mass_after)
    return f"mass on target {before} → {after} · {audit.n_target_tok} cells · {audit.n_rows} rows biased"


def audit_rows(audit: Audit) -> Rows:
    """Return the audit as rows."""
    return (
        ("heads steered", str(audit.n_heads)),
        ("rows biased", str(audit.n_rows)),
        ("image tokens of the target", str(audit.n_target_tok)),
        ("mass on the target before", figure_text(audit.mass_before)),
        ("mass on the target after", figure_text(audit.mass_after)),
    )


def ledger_rows(audit: Audit) -> tuple[tuple[str, ...], ...]:
    """Return the rerouting ledger: group, before, after, gained."""
    ledger = audit.ledger
    return tuple(
        (group, figure_text(before), figure_text(after), f"{'+' if gained >= 0 else ''}{figure_text(gained)}")
        for group, before, after, gained in zip(
            ledger.groups, ledger.before_G, ledger.after_G, ledger.gained_G, strict=True
        )
    )


def asked(entry: Entry) -> Rows:
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
    return (*rows, ("picture sha256", run.spec.picture_sha256), ("first asked", _time_words(run.started_s)))


def settings(entry: Entry) -> Rows:
    """Return everything of a run that can change its result, and how it ended."""
    run, spec, steering = entry.run, entry.run.spec, entry.steering
    rows = [("steering", "none")]
    if steering is not None:
        rows = [
            ("heads steered", heads_words(steering.heads)),
            ("target", steering.target.name),
            ("mode", steering.mode.replace("_", " ")),
            ("strength", strength_words(steering)),
            ("scope", steering.scope.replace("_", " ")),
            ("cells selected by", _rule_words(steering.rule, steering.share)),
            *([("schedule", _schedule_words(steering))] if steering.schedule else []),
        ]
    rows.append(("heads watched", heads_words(spec.chosen)))
    rows.append(("random control", "none" if spec.control is None else heads_words(spec.control)))
    rows.append(("sampling", sampling_words(spec.sampling)))
    rows.append(("longest answer", f"{spec.max_new_tokens} tokens"))
    rows.append(("started", _time_words(run.started_s)))
    return (*rows, ("ended", state_words(entry)))


def evaluation_rows(evaluation: Evaluation | DynamicEvaluation) -> Rows:
    """Return an evaluation's figures in words."""
    treatment = str(evaluation.treatment.get("name", evaluation.treatment))
    if isinstance(evaluation, DynamicEvaluation):
        figures = evaluation.figures()
        return (
            ("protocol", "dynamic"), ("heads", treatment), ("judge", evaluation.judge),
            ("narrations", str(figures["items"])), ("rho", figure_text(figures["rho"])),
            ("on target", figure_text(figures["on_target"])), ("junk", figure_text(figures["junk"])),
        )  # fmt: skip
    low, high = evaluation.interval()
    interval = f"{figure_text(evaluation.share())} (95 % interval {figure_text(low)} to {figure_text(high)})"
    return (
        ("protocol", evaluation.protocol), ("heads", treatment), ("judge", evaluation.judge),
        ("answers", str(len(evaluation.answers))), ("hit", interval),
        ("chance", figure_text(evaluation.chance)), ("junk", figure_text(evaluation.junk_share)),
        ("unchanged", figure_text(evaluation.unchanged_share)),
    )  # fmt: skip


def _rule_words(rule: str, share: float) -> str:
    return "centre" if rule == "centre" else f"share of {share:g} or more"


def _schedule_words(steering: Steering) -> str:
    switches = steering.schedule.switches if steering.schedule else ()
    return ", ".join(f"from token {step}: {region.name if region else 'let go'}" for step, region in switches)


def _size_words(entry: Entry) -> str:
    summary = entry.run.summary
    if summary is None:
        return ""
    (width, height), (fed_width, fed_height) = summary.request.picture_size_px, summary.request.fed_size_px
    return f", {width} x {height} px, fed as {fed_width} x {fed_height} px"


def _time_words(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
