"""Opening an answer of an evaluation in Explore: its picture, regions, heads, settings and prompt.

The log of an evaluation keeps texts and no attention, so that the answer is written once more, and its text
compared with the one that was kept. Knows no widget.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtCore import QObject, Qt, Signal

from gazeviz.app.history.reopening import LoggedView
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.values import Picture, RunRecord
from gazeviz.domain.experiments.picture_set import PictureSet, SetPicture
from gazeviz.domain.experiments.plan import EvaluationItem
from gazeviz.domain.experiments.results import EvaluationResult
from gazeviz.domain.experiments.treatment import elsewhere
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import GenerateSpec, ModelInfo, PictureSource
from gazeviz.domain.prompts import ordinal, panel_questions
from gazeviz.domain.region import Region
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.errors import UserError
from gazeviz.store.reader import LogReader

_CELLS_PX = (32, 28, 16, 14)
"""Sides of image tokens of the families that there are, the commonest first."""
NOT_IN_THE_LOG = 0
"""The number of a run that no log has yet."""


class AnswerOpener(QObject):
    """Opens pictures of sets in a thread and has Explore show an answer; of several requests the newest.

    opened: Explore shows it, and asks the model.  failed: UserError.
    """

    opened = Signal()
    failed = Signal(object)
    _found = Signal(int, object)

    def __init__(self, controller: RunController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._pool = ThreadPoolExecutor(1, "picture set reader")
        self._latest = 0
        self._wanted: tuple[EvaluationResult, EvaluationItem] | None = None
        self._opened: PictureSet | None = None
        self._found.connect(self._show, Qt.ConnectionType.QueuedConnection)

    def open(self, result: EvaluationResult, item: EvaluationItem) -> None:
        """Show an answer; UserErrors where the model of the evaluation is not loaded, or something runs."""
        info = self._controller.model.model_info
        if info is None or info.fingerprint != result.spec.model_fingerprint:
            raise UserError(
                f"“{result.spec.name}” was written by another model than the one that is loaded.",
                next_step="Load that one, then open the answer.",
            )
        if self._controller.busy:
            raise UserError("A run is still active.", next_step="Stop it, then open the answer.")
        self._latest += 1
        number, self._wanted, known = self._latest, (result, item), self._opened
        log = self._controller.log

        def work() -> None:
            try:
                digest = _digest(log.reader, result, item)
                found: PictureSet | UserError = _same_set(result, item, known, digest)
            except UserError as error:
                found = error
            self._found.emit(number, found)

        self._pool.submit(work)

    def close(self) -> None:
        """Open no more; waits for what is being opened."""
        self._latest += 1
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _show(self, number: int, found: PictureSet | UserError) -> None:
        if number != self._latest or self._wanted is None:
            return
        if isinstance(found, UserError):
            self.failed.emit(found)
            return
        self._opened = found
        result, item = self._wanted
        model, controller = self._controller.model, self._controller
        assert model.model_info is not None
        view = view_of(result, item, found.pictures[item.key.picture], model.model_info)
        if not controller.reopen(view):
            return
        model.show_run(view.record.side, None)  # it stood for the settings; the answer itself is written now
        self.opened.emit()
        _when_laid_out(controller, lambda: self._ask(number, result, item))

    def _ask(self, number: int, result: EvaluationResult, item: EvaluationItem) -> None:
        if number != self._latest:
            return
        self._controller.run("baseline" if item.key.condition.startswith("unsteered") else "both")
        notices.say(
            self._controller.model, "info",
            f"“{result.spec.name}” has this answer: {item.text.strip() or 'nothing'}",
            f"It is written again here, for its attention: {item.key.condition}.", about="evaluate",
        )  # fmt: skip


def _when_laid_out(controller: RunController, then: Callable[[], None]) -> None:
    """Call once the worker has laid the picture out."""
    model = controller.model
    if model.grid is not None:
        then()
        return

    def look() -> None:
        if model.grid is not None:
            model.grid_changed.disconnect(look)
            then()

    model.grid_changed.connect(look)


def _same_set(
    result: EvaluationResult, item: EvaluationItem, known: PictureSet | None, digest: str
) -> PictureSet:
    """The evaluation's pictures; UserErrors of sets, and where the answer's picture has changed.

    digest: of the answer's picture as the log has it, "" where it does not say.
    """
    from gazeviz.app.editing.region_files import read_regions
    from gazeviz.backend.picture_sets import open_set

    spec, place = result.spec, item.key.picture
    if known is not None and known.fingerprint == spec.set_fingerprint:
        return known

    def labelled(path: Path, size_px: tuple[int, int]) -> tuple[Region, ...]:
        return read_regions([path], size_px, path.stem).needed(path.name).regions

    # Panels were joined to the model's own cells, of which only the worker knows the size.
    for cell_px in _CELLS_PX if spec.source.kind == "folder" else _CELLS_PX[:1]:
        found = open_set(spec.source, cell_px=cell_px, read_regions=labelled)
        if place < len(found) and digest in ("", found.pictures[place].sha256):
            return found
    raise UserError(f"The pictures of “{spec.name}” have changed since it was run.",
                    next_step="Bring them back.")  # fmt: skip


def _digest(reader: LogReader, result: EvaluationResult, item: EvaluationItem) -> str:
    """The digest of an answer's picture as the log lists the set; "" where it lists none."""
    rows = reader.rows(
        "SELECT pictures FROM picture_sets WHERE fingerprint = ?", (result.spec.set_fingerprint,)
    )
    return str(json.loads(rows[0][0])[item.key.picture]["sha256"]) if rows else ""


def view_of(result: EvaluationResult, item: EvaluationItem, shown: SetPicture, info: ModelInfo) -> LoggedView:
    """What Explore shows of an answer, before the answer itself."""
    spec, condition = result.spec, result.spec.condition(item.key.condition)
    steering, prompt = _asked(result, item, shown)
    n_turns = len(shown.panels) if spec.protocol.name == "dynamic" else 1
    heads = condition.treatment.heads or _gaze_heads(result)
    asked = GenerateSpec(
        shown.sha256, prompt, steering, spec.sampling, spec.protocol.new_tok * n_turns, heads,
        regions=tuple(shown.panels),
    )  # fmt: skip
    record = RunRecord(NOT_IN_THE_LOG, asked.side, asked, "done", logged=True)
    title = f"Answer of “{spec.name}”"
    return LoggedView(_as_picture(shown), info, (record,), info.rankings, title=title)


def _gaze_heads(result: EvaluationResult) -> HeadSet:
    """Those that stay chosen beside an answer that steers none."""
    chosen = (one.treatment.heads for one in result.spec.conditions if one.kind == "gaze")
    return next((heads for heads in chosen if heads is not None), HeadSet(()))


def _asked(result: EvaluationResult, item: EvaluationItem, shown: SetPicture) -> tuple[Steering | None, str]:
    """How it was steered and what was asked; a moving target with its whole schedule."""
    spec, condition, target = result.spec, result.spec.condition(item.key.condition), item.key.target
    treatment, prompt = condition.treatment, condition.prompt or spec.protocol.prompt
    if spec.protocol.name != "dynamic":
        if treatment.names_panel:
            prompt = panel_questions(shown.panels)[target]
        return treatment.steering(shown.panels, target, spec.protocol.scope), prompt
    turns = {
        one.key.turn: one.key.target
        for one in result.items
        if (one.key.picture, one.key.condition) == (item.key.picture, item.key.condition)
    }
    order = [turns[turn] for turn in sorted(turns)]
    if treatment.names_panel:
        named = ", ".join(ordinal(one + 1) for one in order)
        prompt = f"Describe the panels in this order, one short sentence each: {named}."
    if treatment.aim == "elsewhere":
        order = [elsewhere(shown.panels, one) for one in order]
    steering = replace(treatment, aim="target").steering(shown.panels, order[0], spec.protocol.scope)
    if steering is not None:
        panels: list[Region] = [shown.panels[one] for one in order]
        steering = replace(steering, schedule=Schedule.every(spec.protocol.new_tok, panels))
    return steering, prompt


def _as_picture(shown: SetPicture) -> Picture:
    image = shown.image if isinstance(shown.image, Image.Image) else Image.fromarray(shown.image)
    encoded = io.BytesIO()
    image.convert("RGB").save(encoded, "PNG")
    pixels_HW3 = np.asarray(image.convert("RGB"))
    pixels_HW3.setflags(write=False)
    source = PictureSource(shown.sha256, shown.name, data=encoded.getvalue())
    return Picture(shown.name, pixels_HW3, shown.sha256, source, captions=shown.captions)
