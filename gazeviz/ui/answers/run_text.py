"""What a transcript says about a run: how it was steered, what a token is, what the audit found.

Sentences and figures made of a run's own record, never of the present settings. No widgets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal, TypeAlias

from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import RunRecord
from gazeviz.domain.messages import StepArrived
from gazeviz.domain.region import region_colour
from gazeviz.domain.run import Account, Audit
from gazeviz.domain.steering import TARGET
from gazeviz.domain.wording import (
    format_duration,
    format_figure,
    format_percent,
    format_sampling,
    format_settings,
    plural,
    quoted_token,
)
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.region_cue import RegionCue

# Regions as a transcript shows them: number and colour, those of the region list while it has the region.
#
# A run keeps its own regions; a region that was renamed or removed since keeps the look it had in the run.


TintBy: TypeAlias = Literal["looks_at", "target"]


class RunCues:
    """The regions of one run, looked up once."""

    def __init__(self, model: SessionModel, record: RunRecord) -> None:
        self._model = model
        self.regions = tuple(
            self._cue(region.name, place, region.colour) for place, region in enumerate(record.regions)
        )
        self._by_name = {cue.name: cue for cue in self.regions}

    def named(self, name: str | None) -> RegionCue | None:
        """The cue of a name, of a target that is no region of the run (the spotlight) too; None for none."""
        if not name:
            return None
        if name not in self._by_name:
            self._by_name[name] = self._cue(name, None, None)
        return self._by_name[name]

    def of_step(self, step: StepArrived, by: TintBy) -> RegionCue | None:
        """The cue that tints a token."""
        if by == "target":
            return self.named(step.target)
        return self.regions[step.looks_at] if step.looks_at is not None else None

    def _cue(self, name: str, place: int | None, colour: str | None) -> RegionCue:
        regions = self._model.regions
        listed = regions.named(name)
        if listed is not None:
            return RegionCue(name, str(regions.number_of(listed.id)), listed.colour)
        if place is None:
            return RegionCue(name, "", theme.current().soft.name())
        return RegionCue(name, str(place + 1), colour or region_colour(place))


def targets_of(record: RunRecord) -> tuple[str | None, ...]:
    """Names of a steered run's targets in the order of their turns, None where the heads were let go.

    What happened, and after it what is still laid out for tokens to come.
    """
    steering = record.spec.steering
    if steering is None:
        return ()
    names: list[str | None] = [step.target for step in record.steps]
    if not names:
        names.append(_name_at(record, 0))
    if not record.ended and steering.schedule is not None:
        later = (turn for turn in steering.schedule.switches if turn[0] >= len(names))
        names.extend(region.name if region is not None else None for _, region in later)
    return _without_repeats(names)


def _name_at(record: RunRecord, step: int) -> str | None:
    steering = record.spec.steering
    region = steering.target_at(step) if steering is not None else None
    return region.name if region is not None else None


def _without_repeats(names: Sequence[str | None]) -> tuple[str | None, ...]:
    return tuple(name for place, name in enumerate(names) if place == 0 or name != names[place - 1])


_SHOWN_TARGETS: Final = 3
_TINY_GAIN: Final = 0.01


@dataclass(frozen=True)
class HeaderPart:
    """A piece of a header: text, or a region."""

    text: str
    cue: RegionCue | None = None


def steering_parts(record: RunRecord, cues: RunCues) -> tuple[HeaderPart, ...]:
    """How a run was steered: "8 heads → Panel 4 · boost/suppress · 8"; before it a logged one's number."""
    steering = record.spec.steering
    logged = f"log, run {record.id} · " if record.logged else ""
    if steering is None:
        return (HeaderPart(f"{logged}no steering"),)
    heads = f"{logged}{plural(len(steering.heads), 'head')}"
    if steering.mode == "knock_out" and steering.schedule is None:
        return (HeaderPart(f"{heads} · {format_settings(steering)}"),)  # its target is none of the person's
    parts = [HeaderPart(f"{heads} → ")]
    names = targets_of(record)
    for place, name in enumerate(names[:_SHOWN_TARGETS]):
        if place:
            parts.append(HeaderPart(" → "))
        parts.append(HeaderPart(name, cues.named(name)) if name else HeaderPart("no target"))
    if len(names) > _SHOWN_TARGETS:
        parts.append(HeaderPart(f" → {len(names) - _SHOWN_TARGETS} more"))
    return (*parts, HeaderPart(f" · {format_settings(steering)}"))


def header_tip(record: RunRecord) -> str:
    """Everything that a run was asked for, shown where the pointer rests on its header."""
    spec, steering = record.spec, record.spec.steering
    length = plural(spec.max_new_tokens, "new token")
    lines = [f"Run {record.id}: “{spec.prompt}”", f"at most {length}, {format_sampling(spec.sampling)}"]
    if steering is not None:
        lines.append(f"{steering.heads.origin}: {steering.heads}")
        lines.append(format_settings(steering))
        names = [name or "no target" for name in targets_of(record)]
        lines.append("targets: " + " → ".join(names))
    return "\n".join(lines)


def token_tip(record: RunRecord, index: int, cues: RunCues) -> str:
    """What is known about a token, as rich text: what it is, how probable, how long, and where it looks."""
    step = record.steps[index]
    head = f"<b>Token {index}</b> &nbsp;<code>{escape(_shown_token(record, step))}</code>"
    if not step.text:
        head += f"<br>adds no text: {_why_no_text(record, step)}"
    took = format_duration(step.ms / 1000)
    facts = f"id {step.token_id} · log p {step.logprob:.2f} ({_probability(step.logprob)}) · {took}" + (
        f"<br>steered to {escape(step.target)}" if step.target else ""
    )
    return f"{head}<br>{facts}{_mass_table(step, cues)}"


def _why_no_text(record: RunRecord, step: StepArrived) -> str:
    if record.summary is not None and record.summary.finish == "stop" and step is record.steps[-1]:
        return "the model ends its answer"
    named = step.token_id in record.special_tokens
    return "a special token" if named else "a special token, or a part of a character"


def _mass_table(step: StepArrived, cues: RunCues) -> str:
    rows = []
    for place, (cue, mass) in enumerate(zip(cues.regions, step.masses_R.tolist(), strict=True)):
        name = escape(cue.name)
        bold = f"<b>{name}</b>" if place == step.looks_at else name
        square = f'<span style="color:{cue.colour}">■</span> {cue.number}'
        rows.append(f"<tr><td>{square}&nbsp;</td><td>{bold}</td>"
                    f'<td align="right">&nbsp;&nbsp;{escape(format_figure(mass))}</td></tr>')  # fmt: skip
    if not rows:
        return "<br>There were no regions to look at."
    rest = max(0.0, 1.0 - float(step.map_P.sum()))
    rows.append(f'<tr><td></td><td>not on the picture</td><td align="right">&nbsp;&nbsp;'
                f"{escape(format_figure(rest))}</td></tr>")  # fmt: skip
    return f"<table cellspacing=0>{''.join(rows)}</table>"


def progress_text(record: RunRecord, followed: bool) -> str:
    """How far a run is that is being written: "token 12 of at most 60 · 11 ms each"."""
    n_tok = len(record.steps)
    pace = sorted(step.ms for step in record.steps[-16:])[min(n_tok, 16) // 2]
    hint = "" if followed else " · Esc follows"
    took, most = format_duration(pace / 1000), record.spec.max_new_tokens
    return f"writing · token {n_tok} of at most {most} · {took} each{hint}"


def audit_text(audit: Audit) -> str:
    """What was touched, so that a person can trust that the steering arrived."""
    return (
        f"{plural(audit.n_heads, 'head')} · {plural(audit.n_rows, 'biased row')}"
        f" · {plural(audit.n_target_tok, 'target cell')}"
    )


def arrived(audit: Audit) -> bool:
    """Whether the bias shows in the attention, as far as there was any mass left to move."""
    return audit.mass_after > audit.mass_before + _TINY_GAIN or audit.mass_before > 1 - 2 * _TINY_GAIN


def rerouting_text(ledger: Account) -> str:
    """Where the target's mass came from: "The target gained .62: .41 from other image tokens, ..."."""
    gained = ledger.gained_G.tolist()
    if gained[TARGET] <= 0:
        return f"The target lost {format_figure(-gained[TARGET])}: the steering did not reach it."
    losses = sorted(
        ((-gain, group) for gain, group in zip(gained, ledger.groups, strict=True) if gain < -0.005),
        reverse=True,
    )
    sources = ", ".join(f"{format_figure(loss)} from {group}" for loss, group in losses)
    return f"The target gained {format_figure(gained[TARGET])}" + (f": {sources}." if sources else ".")


def tokens_table(record: RunRecord, cues: RunCues) -> str:
    """Tokens as lines of tab-separated columns, for a spreadsheet."""
    lines = ["\t".join(("token", "id", "text", "logprob", "ms", "target", *(c.name for c in cues.regions)))]
    for step in record.steps:
        masses = (f"{mass:.4f}" for mass in step.masses_R.tolist())
        cells = (str(step.index), str(step.token_id), _shown_token(record, step), f"{step.logprob:.4f}",
                 f"{step.ms:.1f}", step.target or "", *masses)  # fmt: skip
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def _shown_token(record: RunRecord, step: StepArrived) -> str:
    """A token with what cannot be seen written out, between quotes that do not look like its own."""
    text = step.text.encode("unicode_escape").decode("ascii") if _hidden(step.text) else step.text
    return quoted_token(text, step.token_id, record.special_tokens)


def _hidden(text: str) -> bool:
    return any(not character.isprintable() for character in text)


def _probability(logprob: float) -> str:
    return format_percent(math.exp(min(0.0, logprob)))
