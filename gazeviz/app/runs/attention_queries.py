"""Maps, masses and galleries: what the worker is asked about the tokens that are shown.

Of each kind one question is under way at most and the newest request waits, so that a mouse running over the
head grid never piles up work. Answers are remembered for a while. Knows what is shown, not how.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from gazeviz.app.runs.worker_jobs import JobEvent, Jobs
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import MapView, RunRecord
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.messages import (
    AskGallery,
    AskMap,
    AskMass,
    Failed,
    GalleryReady,
    MapReady,
    MassReady,
    Request,
)
from gazeviz.domain.wording import plural, quoted_tokens

_REMEMBERED: Final = 128
_FRAME_MS: Final = 33
"""While text streams, maps follow this often: tokens of a small model come faster than anybody looks."""
_GALLERY_EVERY_S: Final = 0.12
"""The same for the gallery, whose dozen of maps costs more than all else."""

_Key = TypeVar("_Key")


class Question(Generic[_Key]):
    """One kind of question: never more than one under way, and of those that wait only the newest.

    A key says all that the answer depends on. on_answer: hears the values, or the sentence that says why
    there are none, and only for what is still wanted.
    """

    def __init__(
        self,
        jobs: Jobs,
        make: Callable[[int, _Key], Request],
        on_answer: Callable[[_Key, NDArray[np.float32] | None, str], None],
    ) -> None:
        self._jobs, self._make, self._on_answer = jobs, make, on_answer
        self._wanted: _Key | None = None
        self._asked: _Key | None = None
        self._answers: OrderedDict[_Key, NDArray[np.float32]] = OrderedDict()

    @property
    def under_way(self) -> bool:
        """Whether an answer is waited for."""
        return self._asked is not None

    def want(self, key: _Key | None) -> None:
        """Ask this; None: nothing any more."""
        if key == self._wanted and (key is None or key == self._asked):
            return
        self._wanted = key
        if key is None:
            return
        known = self._answers.get(key)
        if known is not None:
            self._on_answer(key, known, "")
        elif self._asked is None:
            self._ask(key)

    def _ask(self, key: _Key) -> None:
        self._asked = key
        self._jobs.ask(lambda job: self._make(job, key), self._on_event)

    def _on_event(self, event: JobEvent) -> None:
        asked, self._asked = self._asked, None
        if asked is None:
            return
        values: NDArray[np.float32] | None = None
        why = ""
        match event:
            case MapReady():
                values = event.values_P
            case MassReady():
                values = event.mass_LH
            case GalleryReady():
                values = event.values_HP
            case Failed():
                why = event.sentence
            case _:
                return  # the worker is gone; its successor knows none of these runs
        if values is not None:
            self._remember(asked, values)
        if asked == self._wanted:
            self._on_answer(asked, values, why)
        elif self._wanted is not None and self._wanted not in self._answers:
            self._ask(self._wanted)

    def _remember(self, key: _Key, values: NDArray[np.float32]) -> None:
        self._answers[key] = values
        while len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)


MapKey = tuple[int, tuple[int, ...], tuple[Head, ...]]
MassKey = tuple[int, tuple[int, ...], bytes]


class MapQuestions:
    """Keeps map, live mass and gallery of the session up to date with what is shown."""

    def __init__(self, model: SessionModel, jobs: Jobs) -> None:
        self._model, self._jobs = model, jobs
        self._map: Question[MapKey] = Question(jobs, _ask_map, self._on_map)
        self._mass: Question[MassKey] = Question(jobs, _ask_mass, self._on_mass)
        self._gallery: Question[MapKey] = Question(jobs, _ask_gallery, self._on_gallery)
        self._label = ""
        self._shown_gallery: tuple[MapKey, bytes] | None = None
        # Several signals of one turn of the event loop become one refresh.
        self._frame = model.frames.part(model, self.refresh)
        self._gallery_s = 0.0
        self._listen()

    @property
    def under_way(self) -> bool:
        """Whether an answer is waited for."""
        return any(question.under_way for question in (self._map, self._mass, self._gallery))

    def stop(self) -> None:
        """Ask no more."""
        self._frame.drop()

    def refresh(self) -> None:
        """Ask for what is shown now, as far as it is not known."""
        shown = self._model.shown_steps()
        if shown is None:
            self._show_nothing("")
            return
        record, steps = shown
        self._refresh_map(record, steps)
        asked = self.keeps(record)
        self._refresh_mass(record, steps, asked)
        if record.ended or monotonic() - self._gallery_s >= _GALLERY_EVERY_S:
            self._gallery_s = monotonic()
            self._refresh_gallery(record, steps, asked)

    def _listen(self) -> None:
        model = self._model
        self._frame.follow(
            model.cursor_changed, model.chosen_changed,
            model.hovered_head_changed, model.metric_changed, model.rule_changed, model.grid_changed,
            model.target_changed, model.active_region_changed, model.regions_changed, model.ranking_changed,
            model.worker_changed, model.view_changed,
        )  # fmt: skip
        model.region_painted.connect(self._on_painted)
        # Soon enough for an eye; a run that begins has mostly its first token by then.
        self._frame.follow(model.run_changed, model.step_arrived, wait_ms=_FRAME_MS)

    def _on_painted(self, region_id: int, _box: object) -> None:
        """Masses are summed over one region, and the gallery's over the target: the others may be painted."""
        if region_id in (self._place_id(), self._model.target_region_id):
            self._frame.request()

    def keeps(self, record: RunRecord) -> bool:
        """Whether the worker that is there wrote this run, and so keeps its attention."""
        return record.job is not None and record.worker == self._jobs.worker

    def _show_nothing(self, why: str) -> None:
        model = self._model
        self._map.want(None)
        self._mass.want(None)
        self._gallery.want(None)
        self._show_no_map(why)
        model.live_mass_LH = None
        model.gallery = ()

    # The map

    def _refresh_map(self, record: RunRecord, steps: tuple[int, ...]) -> None:
        model = self._model
        hovered = model.hovered_head
        heads = (hovered,) if hovered is not None else model.chosen.heads
        self._label = _label(model.hovered_head, model.chosen, record, steps)
        if hovered is None and heads == record.chosen.heads:
            self._map.want(None)
            maps_TP = np.array([record.steps[step].map_P for step in steps], dtype=np.float32)
            self._show_map(np.asarray(maps_TP.mean(axis=0)), heads)
        elif self.keeps(record) and record.job is not None:
            self._map.want((record.job, steps, heads))
        else:
            self._map.want(None)
            self._show_no_map("The attention of this run is no longer in memory. Run it again.")

    def _on_map(self, key: MapKey, values: NDArray[np.float32] | None, why: str) -> None:
        if values is None:
            self._show_no_map(why)
        else:
            self._show_map(values, key[2])

    def _show_no_map(self, why: str) -> None:
        before = self._model.map
        if before.values_P is not None or before.label != why:
            self._model.map = MapView(label=why)

    def _show_map(self, values_P: NDArray[np.float32], heads: tuple[Head, ...]) -> None:
        before, label = self._model.map, self._label
        if (
            (before.label, before.heads) == (label, heads)
            and before.values_P is not None
            and np.array_equal(before.values_P, values_P)
        ):
            return
        self._model.map = MapView.of(values_P, label, heads)

    # Which heads look here?

    def _refresh_mass(self, record: RunRecord, steps: tuple[int, ...], can_ask: bool) -> None:
        tokens_P = self._place_tokens()
        if tokens_P is None or not tokens_P.size or not can_ask or record.job is None:
            self._mass.want(None)
            self._model.live_mass_LH = None
            return
        self._mass.want((record.job, steps, tokens_P.astype(np.int64).tobytes()))

    def _place_tokens(self) -> NDArray[np.int64] | None:
        """The image tokens that the head grid asks about; None while it shows a ranking."""
        model = self._model
        if model.grid_metric == "ranking":
            return None
        if model.grid_metric == "look_here" and model.look_at is not None and model.look_at.region_id is None:
            return model.look_at.tokens_P
        return model.cells_of(self._place_id())

    def _place_id(self) -> int | None:
        """The region that the head grid asks about; None while it asks about none."""
        model = self._model
        if model.grid_metric == "ranking":
            return None
        if model.grid_metric == "look_here" and model.look_at is not None:
            return model.look_at.region_id
        return model.active_region_id if model.active_region_id is not None else model.target_region_id

    def _on_mass(self, key: MassKey, values: NDArray[np.float32] | None, why: str) -> None:
        self._model.live_mass_LH = values

    # The gallery

    def gallery_heads(self) -> tuple[Head, ...]:
        """The chosen heads, or all where none is chosen, best of the ranking first, as many as wanted."""
        model = self._model
        wanted = model.gallery_choice
        order = model.ranking.order() if model.ranking is not None else ()
        if wanted.heads == "best" or not len(model.chosen):
            return order[: wanted.n]
        place = {head: number for number, head in enumerate(order)}
        best_first = sorted(model.chosen, key=lambda head: place.get(head, len(place)))
        return tuple(best_first[: wanted.n])

    def _refresh_gallery(self, record: RunRecord, steps: tuple[int, ...], can_ask: bool) -> None:
        heads = self.gallery_heads()
        if not heads or not can_ask or record.job is None:
            self._gallery.want(None)
            self._model.gallery = ()
            return
        self._gallery.want((record.job, steps, heads))

    def _on_gallery(self, key: MapKey, values: NDArray[np.float32] | None, why: str) -> None:
        model = self._model
        if values is None:
            model.gallery = ()
            return
        tokens = model.cells_of(model.target_region_id)
        shown = (key, tokens.tobytes())
        if shown == self._shown_gallery and model.gallery:
            return
        self._shown_gallery = shown
        masses_H = (values[:, tokens] if tokens.size else values).sum(axis=1)
        model.gallery = tuple(
            (head, values_P, float(mass))
            for head, values_P, mass in zip(key[2], values, masses_H, strict=True)
        )


def _ask_map(job: int, key: MapKey) -> Request:
    run_job, steps, heads = key
    return AskMap(job, run_job, steps, HeadSet(heads))


def _ask_mass(job: int, key: MassKey) -> Request:
    run_job, steps, tokens = key
    return AskMass(job, run_job, steps, np.frombuffer(tokens, dtype=np.int64))


def _ask_gallery(job: int, key: MapKey) -> Request:
    return AskGallery(job, *key)


def _label(hovered: Head | None, chosen: HeadSet, record: RunRecord, steps: tuple[int, ...]) -> str:
    """What a map is of: "12 chosen heads, mean - token 3 “ cat”"."""
    heads = str(hovered) if hovered is not None else _count(chosen)
    span = f"tokens {steps[0]}-{steps[-1]}" if len(steps) > 1 else f"token {steps[0]}"
    return f"{heads} · {span} {quoted_tokens([record.steps[step] for step in steps], record.special_tokens)}"


def _count(chosen: HeadSet) -> str:
    if not len(chosen):
        return "all heads, mean"
    return str(chosen) if len(chosen) == 1 else f"{plural(len(chosen), 'chosen head')}, mean"
