"""How runs and sessions are said in the Sessions tab: cells, sentences, moments. Plain text, no markup."""

from __future__ import annotations

from typing import Final

from gazeviz.app.history.log_browser import RunRow, StoredSession
from gazeviz.domain.wording import (
    format_change,
    format_duration,
    format_file_size,
    format_moment,
    plural,
)
from gazeviz.render.style import one_line

_LONGEST: Final = 200
_DASH: Final = "\N{EN DASH}"


def cell_texts(line: RunRow) -> dict[str, str]:
    """A run's text in every column."""
    return {
        "star": "★" if line.starred else "",
        "id": str(line.id),
        "picture": _short(line.picture),
        "prompt": _short(line.prompt),
        "heads": _short(line.heads) or _DASH,
        "target": _short(line.target) or "none",
        "strength": line.strength.replace("_", " ") or _DASH,
        "text": _short(line.text),
        "verdict": verdict_words(line),
        "mass": mass_words(line),
        "tags": ", ".join(line.tags),
        "note": _short(line.note),
        "model": _short(line.model),
        "session": _short(line.session),
        "tokens": str(line.n_tok),
        "seconds": "" if line.seconds is None else format_duration(line.seconds),
        "state": line.state,
        "at": format_moment(line.started_s),
    }


def verdict_words(line: RunRow) -> str:
    """What a judge says; else what is known without one."""
    if line.verdict:
        return one_line(line.verdict, 40) + (" ✓" if line.verdict_ok else "")
    if line.state != "done":
        return line.state
    if line.junk:
        return "junk"
    return "baseline" if line.side == "baseline" else _DASH


def mass_words(line: RunRow) -> str:
    """Mass on the target before and after."""
    if line.mass_before is None or line.mass_after is None:
        return ""
    return format_change(line.mass_before, line.mass_after)


def run_sentence(line: RunRow) -> str:
    """A run in one sentence, for a screen reader."""
    what = f"steered to {line.target}" if line.side == "steered" else "baseline"
    starred = ", starred" if line.starred else ""
    return f"Run {line.id}, {what}: {one_line(line.text, 120) or line.state}{starred}"


def group_sentence(session: StoredSession | None, n_runs: int) -> str:
    """A session's row in words."""
    return f"{session_title(session)}, {plural(n_runs, 'run')}"


def session_title(session: StoredSession | None) -> str:
    """What a session is called."""
    if session is None:
        return "Session"
    return one_line(session.name, 80) or f"Session {session.id}"


def log_words(n_sessions: int, n_bytes: int, backed_up_s: float | None) -> str:
    """What there is to say of the log itself."""
    sessions = plural(n_sessions, "session")
    backup = "" if backed_up_s is None else f" · backed up {format_moment(backed_up_s)}"
    return f"{sessions} · {format_file_size(n_bytes)}{backup}"


def _short(text: str) -> str:
    """A text that fits into a cell; most are plain and need no look at each letter."""
    start = text[: 4 * _LONGEST]
    if start.isascii() and start.isprintable() and len(start) <= _LONGEST:
        return " ".join(start.split())
    return one_line(start, _LONGEST)
