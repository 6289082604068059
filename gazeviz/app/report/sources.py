"""What a report asks of the log: pictures with their own pixels, the rankings that heads come from, notes.

Knows the store's reader and the report's questions; a picture whose pixels have changed is not believed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gazeviz.app.runs.picture_opener import decoded, picture_sha256
from gazeviz.backend.engine_adapter import decoded_image
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import LoggedRun
from gazeviz.errors import UserError
from gazeviz.render.report.report import ReportedPicture, Sources
from gazeviz.store.connection import default_path
from gazeviz.store.reader import LogReader, StoredRun
from gazeviz.user_paths import user_path


def _unheard(_sentence: str) -> None:
    return None


def log_sources(
    reader: LogReader,
    say: Callable[[str], None] = _unheard,
    *,
    usual: bool = True,
    paths: bool = True,
) -> Sources:
    """Return the sources of a report on runs of a log.

    say: told in a sentence of every picture that cannot be shown, once.
    usual: whether commands find this log without being told where it is.
    paths: whether it is told where pictures and the log lie, or only what they are called.
    """
    pictures: dict[str, ReportedPicture | None] = {}

    def picture(sha256: str) -> ReportedPicture | None:
        if sha256 not in pictures:
            try:
                pictures[sha256] = reported_picture(reader, sha256)
            except UserError as error:
                say(error.sentence)
                pictures[sha256] = None
        return pictures[sha256]

    def named(run: LoggedRun, shown: ReportedPicture) -> ReportedPicture:
        name, path = shown.name, shown.path
        if isinstance(run, StoredRun):
            name = run.picture_name or name
            path = _path_of(run, shown)
        return replace(shown, name=name, path=path if paths or path is None else Path(path).name)

    return Sources(
        picture=picture,
        ranking=lambda run: _ranking(reader, run),
        grid=logged_grid,
        note=lambda run: _note(reader, run.id),
        verdict=lambda run: _verdict(reader, run.id),
        named=named,
        log=None if usual else str(reader.path) if paths else reader.path.name,
    )


def reported_picture(reader: LogReader, sha256: str) -> ReportedPicture:
    """Return a picture of the log with the pixels that its runs saw.

    Raises UserError where the log does not have it, or its file is gone or has changed.
    """
    try:
        kept = reader.picture(sha256)
    except KeyError:
        raise UserError(
            "The picture of this run was not logged.",
            next_step="Run it again with its picture.",
        ) from None
    path = _file_of(reader, sha256)
    if kept.source is None:
        raise UserError(
            f"The log holds neither the picture {kept.name} nor its path.",
            next_step="Open the picture and run it again.",
        )
    pixels_HW3: NDArray[np.uint8] = np.asarray(decoded_image(kept.source), dtype=np.uint8)
    if picture_sha256(pixels_HW3) != sha256:
        raise UserError(
            f"The picture {kept.name} has changed since the run.",
            next_step="Restore the original file to see it.",
        )
    return ReportedPicture(kept.name, pixels_HW3, path if path and _is_same(Path(path), sha256) else None)


def with_baselines(reader: LogReader, runs: Sequence[StoredRun]) -> list[StoredRun]:
    """Return runs with the baseline that each steered one stands beside, where the log has it; sorted.

    It is the newest one before the run, of the same session, model, picture, prompt and way of writing.
    """
    found = {run.id: run for run in runs}
    for run in runs:
        if run.side == "steered" and not any(_is_baseline_of(other, run) for other in found.values()):
            baseline = _baseline_of(reader, run)
            if baseline is not None:
                found[baseline.id] = baseline
    return [found[run_id] for run_id in sorted(found)]


def _baseline_of(reader: LogReader, run: StoredRun) -> StoredRun | None:
    rows = reader.rows(
        "SELECT id FROM runs WHERE session_id = ? AND image_sha256 = ? AND side = 'baseline' AND id < ? "
        "AND deleted_s IS NULL ORDER BY id DESC LIMIT 50",
        (run.session_id, run.spec.picture_sha256, run.id),
    )
    candidates = (reader.run(int(run_id)) for (run_id,) in rows)
    return next((other for other in candidates if _is_baseline_of(other, run)), None)


def _is_baseline_of(other: StoredRun, run: StoredRun) -> bool:
    """Whether the two differ in steering alone."""
    if other.side != "baseline" or other.session_id != run.session_id:
        return False
    one, two = other.spec, run.spec
    return other.model.fingerprint == run.model.fingerprint and (
        (one.picture_sha256, one.prompt, one.sampling, one.max_new_tokens)
        == (two.picture_sha256, two.prompt, two.sampling, two.max_new_tokens)
    )


def _file_of(reader: LogReader, sha256: str) -> str | None:
    """Where a picture's file was, also where its bytes are kept."""
    (path,) = reader.one("SELECT path FROM images WHERE sha256 = ?", sha256)
    return None if path is None else str(path)


def _path_of(run: StoredRun, shown: ReportedPicture) -> str | None:
    """Where the file lies that a run was given, as long as it is there and unchanged."""
    kept = run.picture_path
    if kept is None or kept == shown.path:
        return shown.path
    return kept if _is_same(Path(kept), run.spec.picture_sha256) else shown.path


def _is_same(path: Path, sha256: str) -> bool:
    """Whether a file is still there, with the same pixels."""
    try:
        return path.is_file() and picture_sha256(decoded(path)) == sha256
    except UserError:
        return False


def _ranking(reader: LogReader, run: LoggedRun) -> HeadRanking | None:
    """The ranking that a run's heads come from; for heads chosen by hand the model's own."""
    if run.spec.chosen.origin.ranking is None:
        return run.model.default_ranking
    return reader.run(run.id).ranking


def logged_grid(run: object) -> TokenGrid | None:
    """The token grid of a logged run's maps, if anybody wrote it down; None for a run that kept no maps."""
    from gazeviz.store.reader import StoredRun

    has_maps = isinstance(run, StoredRun) and run.steps and run.steps[0].map_P.size
    return run.grid if isinstance(run, StoredRun) and has_maps else None


def _note(reader: LogReader, run_id: int) -> str | None:
    rows = reader.rows("SELECT text FROM notes WHERE run_id = ?", (run_id,))
    return str(rows[0][0]) if rows else None


def _verdict(reader: LogReader, run_id: int) -> str | None:
    """What each judge says of a run, and whether that is its target."""
    rows = reader.rows(
        "SELECT judge, verdict, ok FROM judgements WHERE run_id = ? ORDER BY judged_s", (run_id,)
    )
    marks = {None: "", 0: " ✗", 1: " ✓"}
    return "; ".join(f"{verdict}{marks[ok]} ({judge})" for judge, verdict, ok in rows) or None


# The log as a notebook asks it: a picture that the log alone has, by its digest.
#
# Reads, and writes nothing.


def logged_picture(sha256: str, log: str | Path | None = None) -> NDArray[np.uint8]:
    """Return a picture that runs of the log are about, uint8 (H, W, 3), with the pixels that they saw.

    log: its file; else what GAZEVIZ_LOG names, else the app's. Raises UserError where the log or the picture
    is not there, or has changed.
    """
    named = log or os.environ.get("GAZEVIZ_LOG")
    reader = LogReader(user_path(named) if named else default_path())
    try:
        return reported_picture(reader, sha256).pixels_HW3
    finally:
        reader.close()
