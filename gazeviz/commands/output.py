"""How runs are told on the command line: one document for programs, lines and tinted tokens for people.

A token's colour is that of the region that the tracked heads look at most while it is written. It does not
know where the run came from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from gazeviz.commands.terminal import escape, table
from gazeviz.domain.region import Region, region_colour
from gazeviz.domain.wording import (
    format_audit,
    format_duration,
    format_figure,
    format_file_size,
    format_gain,
    format_sampling,
    format_steering,
    format_timestamp,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from gazeviz.domain.run import Audit, Run, Step
    from gazeviz.store.reader import StoredRun, StoredSession
    from gazeviz.store.run_query import RunRow
    from gazeviz.store.upkeep import LogStats


BARELY = 0.05
"""Below this mass on every region the heads look at none of them, and a token stays untinted."""


def run_document(run: Run, regions: Sequence[Region] = ()) -> dict[str, Any]:
    """Return a run as JSON holds it: text, tokens, audit, request, and the mass on each region by token."""
    document: dict[str, Any] = {
        "text": run.text,
        "finish": run.finish,
        "junk": run.junk,
        "tokens": [_token(step) for step in run.tokens],
        "switches": [[step, name] for step, name in run.switches],
        "audit": run.audit and run.audit.to_json(),
        "request": run.request.to_json(),
    }
    if regions and len(run.tracked):
        masses_TR = run.trajectory(regions).masses_TR
        document["trajectory"] = {
            "regions": [region.name for region in regions],
            "masses": np.round(masses_TR.astype(float), 5).tolist(),
        }
    return document


def _token(step: Step) -> dict[str, Any]:
    return {
        "index": step.index,
        "id": step.token_id,
        "text": step.text,
        "logprob": round(step.logprob, 6),
        "target": step.target,
        "ms": round(step.ms, 2),
    }


def tinted(run: Run, regions: Sequence[Region] = ()) -> Text:
    """Return the answer, each token underlined in the colour of the region that its heads look at most."""
    from rich.text import Text

    text = Text()
    if not regions or not len(run.tracked) or not run.tokens:
        return text.append(run.text.strip() or "(no text)")
    masses_TR = run.trajectory(regions).masses_TR
    for step, mass_R in zip(run.tokens, masses_TR, strict=True):
        place = int(mass_R.argmax())
        colour = regions[place].colour or region_colour(place)
        text.append(step.text, style=f"bold {colour}" if mass_R[place] >= BARELY else "")
    text.rstrip()
    return text if text.plain else text.append("(no text)")


def region_key(regions: Sequence[Region]) -> Text:
    """Return the regions' names in their colours: the legend of tinted tokens."""
    from rich.text import Text

    key = Text("looks at  ", style="dim")
    for place, region in enumerate(regions):
        key.append("■ ", style=region.colour or region_colour(place)).append(f"{region.name}   ", style="dim")
    return key


def audit_line(audit: Audit | None, junk: str | None) -> str:
    """Say whether the bias arrived: the mass on the target before and after, rows touched, junk."""
    junk_text = f"junk: {junk}" if junk else "no junk"
    if audit is None:
        return junk_text
    return f"{format_audit(audit)} · {junk_text}"


def ledger_rows(audit: Audit) -> list[tuple[str, str, str, str]]:
    """Return the rerouting ledger: group, before, after, gained."""
    ledger = audit.ledger
    return [
        (
            group,
            format_figure(before),
            format_figure(after),
            format_gain(gained),
        )
        for group, before, after, gained in zip(
            ledger.groups, ledger.before_G, ledger.after_G, ledger.gained_G, strict=True
        )
    ]


# How the log is told on the command line: documents for programs, tables for people.
#
# Knows what the log returns, and nothing of where it is.


_PROMPT_LETTERS, _TEXT_LETTERS = 34, 48
_BARELY = 0.05  # as in shown: below this on every region, a token stays untinted


# Lists


def session_document(session: StoredSession) -> dict[str, Any]:
    """Return a session as JSON holds it."""
    return asdict(session)


def line_document(line: RunRow) -> dict[str, Any]:
    """Return a row of the list as JSON holds it."""
    return asdict(line)


def session_table(sessions: Sequence[StoredSession]) -> RenderableType:
    rows = [
        (str(s.id), format_timestamp(s.started_s), str(s.n_runs), escape(s.name), escape(s.note))
        for s in sessions
    ]
    return table(("session", "started", "runs", "name", "note"), rows, right=(0, 2))


def run_table(lines: Sequence[RunRow]) -> RenderableType:
    """Return the rows of the list as a table."""
    rows = [
        (
            str(line.id),
            "[yellow]★[/]" if line.starred else "",
            format_timestamp(line.started_s),
            escape(_short(line.picture, 24)),
            escape(_short(line.prompt, _PROMPT_LETTERS)),
            escape(line.heads) or "–",
            _target(line),
            escape(line.strength) or "–",
            _outcome(line),
            escape(line.verdict),
        )
        for line in lines
    ]
    columns = ("run", "", "started", "picture", "prompt", "heads", "target", "str.", "text", "judge")
    return table(columns, rows, right=(0,))


def _target(line: RunRow) -> str:
    if not line.target:
        return "[dim]none[/]"
    colour = line.target_colour if _is_colour(line.target_colour) else None
    return f"[{colour}]■[/] {escape(line.target)}" if colour else escape(line.target)


def _is_colour(text: object) -> bool:
    """Whether a log's word for a colour is one, and no markup."""
    return isinstance(text, str) and re.fullmatch("#[0-9a-fA-F]{6}", text) is not None


def _outcome(line: RunRow) -> str:
    text = escape(_short(line.text.strip(), _TEXT_LETTERS))
    if line.state != "done":
        return f"{text} [red]{escape(line.state)}[/]".strip()
    return f"{text} [red]junk: {escape(line.junk)}[/]".strip() if line.junk else text


def _short(text: str, letters: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= letters else flat[: letters - 1] + "…"


# One run


def stored_run_document(run: StoredRun, line: RunRow) -> dict[str, Any]:
    """Return a run as JSON holds it: the row of the list, what was asked, every token with its masses."""
    summary, spec = run.summary, run.spec
    return {
        **line_document(line),
        "text": summary.text if summary else line.text,
        "max_new_tokens": spec.max_new_tokens,
        "sampling": spec.sampling.to_json(),
        "regions": [region.name for region in spec.regions],
        "chosen": [str(head) for head in spec.chosen],
        "steering": spec.steering and spec.steering.to_json(),
        "finish": summary and summary.finish,
        "switches": [[step, name] for step, name in summary.switches] if summary else [],
        "audit": summary and summary.audit and summary.audit.to_json(),
        "request": summary and summary.request.to_json(),
        "tokens": [
            {
                "index": step.index,
                "id": step.token_id,
                "text": step.text,
                "logprob": step.logprob if np.isfinite(step.logprob) else None,
                "target": step.target,
                "ms": round(step.ms, 2),
                "masses": [round(float(mass), 6) for mass in step.masses_R],
            }
            for step in run.steps
        ],
    }


def run_parts(run: StoredRun, line: RunRow) -> list[RenderableType]:
    """Return a run as people read it."""
    rows = [(f"[dim]{name}[/]", value) for name, value in _facts(run, line) if value]
    parts: list[RenderableType] = [
        f"[bold]Run {run.id}[/]  [dim]{escape(line.session)} · {format_timestamp(run.started_s)}[/]",
        table(("", ""), rows),
        _tinted(run, line),
    ]
    summary = run.summary
    if summary is not None and summary.audit is not None:
        parts.append(f"[dim]{escape(audit_line(summary.audit, summary.junk))}[/]")
    return [*parts, ""]


def _facts(run: StoredRun, line: RunRow) -> list[tuple[str, str]]:
    spec, summary = run.spec, run.summary
    how = format_sampling(spec.sampling)
    seconds = "" if line.seconds is None else f", {format_duration(line.seconds)}"
    replayed = "" if line.replay_same is None else "same tokens" if line.replay_same else "other tokens"
    versions = summary.request.versions if summary else {}
    machine = [run.model.device, run.model.dtype, *(f"{name} {text}" for name, text in versions.items())]
    return [
        ("model", escape(f"{run.model.name} · {run.model.fingerprint[:12]}")),
        ("picture", escape(line.picture or line.image_sha256[:12])),
        ("prompt", escape(spec.prompt)),
        ("steering", escape(format_steering(spec.steering)) if spec.steering else "none: a baseline"),
        ("writing", f"{how}, {line.n_tok} of {spec.max_new_tokens} tokens{seconds}"),
        ("machine", escape(", ".join(machine))),
        ("state", escape(f"{line.state}. {run.message}") if run.state != "done" else ""),
        ("judge", escape(line.verdict)),
        ("replay", replayed and f"{replayed}, {format_timestamp(line.replayed_s or 0.0)}"),
        ("tags", escape(", ".join(line.tags))),
        ("note", escape(line.note)),
    ]


def _tinted(run: StoredRun, line: RunRow) -> Text:
    """The text, each token in the colour of the region that its heads look at most."""
    from rich.text import Text

    text, regions = Text(), run.spec.regions
    for step in run.steps:
        place = step.looks_at
        seen = place is not None and place < len(regions) and step.masses_R[place] >= _BARELY
        own = regions[place].colour if seen and place is not None else None
        colour = (own if _is_colour(own) else region_colour(place)) if seen and place is not None else ""
        text.append(step.text, style=f"bold {colour}" if colour else "")
    if not text.plain.strip():
        return Text(line.text.strip() or "(no text)")
    return text


# The whole log


def stats_table(figures: LogStats) -> RenderableType:
    """Return a log's figures as a table."""
    rows = [
        ("log", escape(figures.path)),
        ("runs", f"{figures.rows['runs']:,}, {figures.deleted_runs:,} of them deleted"),
        (
            "from, to",
            f"{format_timestamp(figures.first_s)}, {format_timestamp(figures.last_s or 0.0)}"
            if figures.first_s
            else "",
        ),
        *((name.replace("_", " "), f"{count:,}") for name, count in figures.rows.items() if name != "runs"),
        (
            "database",
            f"{format_file_size(figures.database_bytes)}, {format_file_size(figures.free_bytes)} of it free",
        ),
        ("arrays beside it", format_file_size(figures.arrays_bytes)),
        ("pictures beside it", format_file_size(figures.pictures_bytes)),
        ("backups", escape(", ".join(figures.backups)) or "none"),
    ]
    return table(("", ""), [(f"[dim]{name}[/]", value) for name, value in rows if value])
