"""Runs as a log holds them: answered by a model, token by token, through what the worker uses."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from gazeviz.backend.answering import AnswerJob
from gazeviz.backend.engine_adapter import EngineAdapter, load_engine
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import GenerateSpec, LoadModel, LoggedRun, PictureSource
from gazeviz.domain.region import Region
from gazeviz.domain.strip import Layout
from gazeviz.store import SessionStore

Retargets = Sequence[tuple[int, Region | None]]


class Notebook:
    """A log, in memory unless another one is given, and a model that writes runs into it."""

    def __init__(self, model: Path | None = None, log: SessionStore | None = None) -> None:
        request = LoadModel(1, None if model is None else str(model), "cpu", "float32")
        machine = load_engine(request, lambda: None, lambda _text, _part: None)
        assert isinstance(machine, EngineAdapter)
        self.machine = machine
        self.info = machine.info()
        self.log: SessionStore = SessionStore.temporary() if log is None else log
        if log is None:
            self.log.open_session("A morning with strips")
        self.log.save_model(self.info)
        self.grids: dict[str, TokenGrid] = {}
        self._opened: dict[str, object] = {}

    def open(self, source: PictureSource, layout: Layout | None = None) -> TokenGrid:
        """Open a picture under the name that its source has."""
        picture = self.machine.open_picture(source, None)
        grid, _ = self.machine.lay_out(picture)
        self._opened[source.sha256], self.grids[source.sha256] = picture, grid
        self.log.save_picture(source, grid.picture_size_px, layout, ())
        return grid

    def ranking(self, name: str) -> HeadRanking:
        """A ranking that came with the model, written into the log."""
        ranking = self.info.rankings[name]
        self.log.ranking_saved(ranking, self.info.fingerprint)
        return ranking

    def write(
        self, spec: GenerateSpec, retargets: Retargets = (), stop_after: int | None = None
    ) -> LoggedRun:
        """Answer, and keep everything."""
        run_id = self.log.run_created(spec.side, spec, self.info)
        grid = self.grids[spec.picture_sha256]
        answer = AnswerJob(run_id, spec, self.machine, self._opened[spec.picture_sha256], grid)
        moves = dict(retargets)
        while (step := answer.advance()) is not None:
            self.log.step_appended(run_id, step)
            if step.index + 1 in moves:
                answer.retarget(moves[step.index + 1])
            if step.index + 1 == stop_after:
                answer.cancel()
        summary = answer.finished().run
        state = "cancelled" if summary.finish == "cancelled" else "done"
        self.log.run_ended(run_id, state, summary, "").result()
        return self.log.run(run_id)


def as_png(image: Image.Image) -> bytes:
    """A picture's bytes as a file holds them."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def sha256_of(image: Image.Image) -> str:
    """A picture's name in requests: as RunRequest.image_sha256."""
    from gazeviz.imaging import picture_sha256

    return picture_sha256(image.convert("RGB"))
