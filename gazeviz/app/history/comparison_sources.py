"""What a comparison asks of the log: runs with pictures, grids and rankings, and the rows of two sessions.

Each function is a question for the archive's thread and reads everything there, so that nothing is read while
the screen is drawn. `told` makes what is wrong an answer, too, to be shown where the comparison would be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from gazeviz.app.history.comparison import RunComparison, check_count, steering_of
from gazeviz.app.history.session_pairs import Pairing, pair_sessions
from gazeviz.app.report.sources import log_sources, logged_grid
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import LoggedRun
from gazeviz.domain.proven_grid import proven_grid
from gazeviz.errors import UserError
from gazeviz.imaging import open_encoded
from gazeviz.render.report.report import Sources
from gazeviz.store.reader import LogReader, StoredSession
from gazeviz.store.run_query import RunFilter, RunList, RunRow

_T = TypeVar("_T")
_WIDEST_PX: Final = 1200
"""Pictures are kept for small maps: more of their pixels are never shown."""
_AT_ONCE: Final = 1000
"""Rows of one query; SQLite takes no more than 32766 numbers."""


@dataclass(frozen=True, eq=False)
class KnownGrid:
    """The grid of the picture that the session shows, so that its runs need no proof."""

    picture_sha256: str
    model_fingerprint: str
    grid: TokenGrid


@dataclass(frozen=True, eq=False)
class SessionsCompared:
    """Two sessions by name, and their runs in pairs."""

    first: StoredSession
    second: StoredSession
    pairing: Pairing


@dataclass(frozen=True)
class NotCompared:
    """Why something cannot be compared, and what to do about it."""

    sentence: str
    next_step: str


def told(question: Callable[[LogReader], _T]) -> Callable[[LogReader], _T | NotCompared]:
    """Make a question whose UserErrors are answers, so that they are shown in place."""

    def ask(reader: LogReader) -> _T | NotCompared:
        try:
            return question(reader)
        except UserError as error:
            return NotCompared(error.sentence, error.next_step)

    return ask


def read_runs(reader: LogReader, ids: Sequence[int], known: KnownGrid | None = None) -> RunComparison:
    """Read two to six runs and all that is drawn of them.

    Raises UserError for a number of runs that cannot be compared, one that is not in the log, and what cannot
    be read.
    """
    numbers = list(dict.fromkeys(ids))
    check_count(len(numbers), "runs")
    runs = tuple(_read_run(reader, run_id) for run_id in numbers)
    sources = log_sources(reader)
    names, pictures = _read_pictures(reader, sources, runs)
    grids = tuple(_grid_of(run, known) for run in runs)
    return RunComparison(runs, names, pictures, grids, tuple(_ranking_of(sources, run) for run in runs))


def read_sessions(reader: LogReader, first: int, second: int) -> SessionsCompared:
    """Read the rows of two sessions and pair them; UserError for one that is not in the log, or for twice
    the same."""
    if first == second:
        raise UserError("A session cannot be compared with itself.", next_step="Choose another one.")
    sessions = {session.id: session for session in reader.sessions()}
    if first not in sessions or second not in sessions:
        raise UserError("One of the sessions was deleted.", next_step="Choose two of the list.")
    pairing = pair_sessions(_lines_of(reader, first), _lines_of(reader, second))
    return SessionsCompared(sessions[first], sessions[second], pairing)


def _lines_of(reader: LogReader, session_id: int) -> list[RunRow]:
    """A session's rows, the oldest first."""
    runs = RunList(reader)
    ids = runs.ids(RunFilter(session_id=session_id), descending=False)
    return [
        line for start in range(0, len(ids), _AT_ONCE) for line in runs.lines(ids[start : start + _AT_ONCE])
    ]


def _read_run(reader: LogReader, run_id: int) -> LoggedRun:
    """A run with everything of it read."""
    try:
        run = reader.run(run_id)
        # What is read once is kept by the run: nothing is left to be read by whoever draws it.
        _ = run.spec, run.model, run.steps, run.summary, run.grid
    except KeyError:
        raise UserError(f"Run {run_id} is not in the log.", next_step="Choose others.") from None
    return run


def _read_pictures(
    reader: LogReader, sources: Sources, runs: Sequence[LoggedRun]
) -> tuple[dict[str, str], dict[str, NDArray[np.uint8]]]:
    """Names and small pixels of the runs' pictures, of those that are known."""
    names: dict[str, str] = {}
    pictures: dict[str, NDArray[np.uint8]] = {}
    for sha256 in dict.fromkeys(run.spec.picture_sha256 for run in runs):
        picture = sources.picture(sha256)
        if picture is not None:
            step = -(-picture.pixels_HW3.shape[1] // _WIDEST_PX)
            names[sha256], pictures[sha256] = picture.name, picture.pixels_HW3[::step, ::step].copy()
        elif (small := _thumbnail(reader, sha256)) is not None:
            pictures[sha256] = small
    return names, pictures


def _thumbnail(reader: LogReader, sha256: str) -> NDArray[np.uint8] | None:
    """What the log itself keeps of a picture whose pixels cannot be had any more."""
    data = reader.thumbnails([sha256]).get(sha256)
    if data is None:
        return None
    try:
        return np.asarray(open_encoded(data), dtype=np.uint8)
    except UserError:  # a log from elsewhere may hold anything
        return None


def _grid_of(run: LoggedRun, known: KnownGrid | None) -> TokenGrid | None:
    if known is not None and run.steps:
        asked = known.picture_sha256, known.model_fingerprint, known.grid.n_tokens
        if asked == (run.spec.picture_sha256, run.model.fingerprint, len(run.steps[0].map_P)):
            return known.grid
    return logged_grid(run) or proven_grid(run)


def _ranking_of(sources: Sources, run: LoggedRun) -> HeadRanking | None:
    """The ranking that a run's heads are the best or worst of; a random draw from one has none."""
    steering = steering_of(run)
    origin = (steering.heads if steering else run.spec.chosen).origin
    ranking = sources.ranking(run) if origin.kind in ("top", "bottom") else None
    return ranking if ranking is not None and ranking.name == origin.ranking else None
