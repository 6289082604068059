"""Runs an evaluation block by block, from wherever it was broken off, and judges what was written.

A block is computed and handed over as a whole, so that whoever goes on computes the same batches and gets the
same rows. Where rows are kept, and how an evaluation is shown, is not known here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gazeviz.domain.answer_text import junk_kind
from gazeviz.domain.evaluation import Verdict, same_text
from gazeviz.domain.experiments.conditions import Condition
from gazeviz.domain.experiments.picture_set import PictureSet, SetPicture
from gazeviz.domain.experiments.plan import (
    EvaluationItem,
    EvaluationSpec,
    ItemBlock,
    ItemKey,
    Judgement,
    blocks_of,
    regions_of,
)
from gazeviz.domain.experiments.treatment import elsewhere
from gazeviz.domain.prompts import ORDINALS, asked_about, ordinal
from gazeviz.domain.run import Run, Sampling, Step
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.engine.evaluation.evaluation import derangement_of, words_by_step
from gazeviz.engine.evaluation.judges import Judge
from gazeviz.errors import Cancelled, UserError

if TYPE_CHECKING:
    from gazeviz.engine.engine import Engine

Progress = Callable[[int, int, float | None], None]
"""Told items done, items in all, and the seconds left (None until it can be guessed)."""
Keep = Callable[[Sequence[EvaluationItem], Sequence[Judgement]], None]
"""Gets every block's items with their judgements, and judgements that were missing."""


@dataclass
class EvaluationRunner:
    """Computes the items of one evaluation that are not there yet.

    pictures: must be the specification's set.  keep: called when a block has ended.
    known: items that are there.  judged: those that the judge has judged.
    progress, cancelled: asked and told between blocks, `cancelled` also at every token.
    """

    engine: Engine
    spec: EvaluationSpec
    pictures: PictureSet
    judge: Judge
    keep: Keep
    known: Sequence[EvaluationItem] = ()
    judged: Collection[ItemKey] = ()
    progress: Progress | None = None
    cancelled: Callable[[], bool] | None = None
    shard: tuple[int, int] = (0, 1)
    _plain: dict[tuple[str | None, int, int, int], EvaluationItem] = field(default_factory=dict, repr=False)
    _verdicts: dict[tuple[int, str], Verdict] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.pictures.fingerprint != self.spec.set_fingerprint:
            raise UserError(
                f"The pictures of “{self.spec.name}” have changed since it was begun.",
                next_step="Bring them back, or begin another evaluation under a new name.",
            )

    @property
    def n_items(self) -> int:
        """Items of the whole evaluation; as many for every protocol, a segment being an item."""
        return self.pictures.n_regions * len(self.spec.conditions)

    def run(self) -> None:
        """Compute everything that is missing.

        Raises Cancelled, and UserErrors of the engine and the judge; what was done until then has been kept.
        """
        for item in self.known:
            self._note_plain(item)
        self._judge_the_unjudged()
        done = {item.key for item in self.known}
        mine = self._my_blocks()
        todo = [block for block in mine if not self._is_done(block, done)]
        n_left, n_done, started = sum(len(block.cells) for block in todo), 0, time.monotonic()
        n_kept = sum(len(block.cells) for block in mine) - n_left
        for block in todo:
            if self.cancelled is not None and self.cancelled():
                raise Cancelled(
                    f"The evaluation stopped after {n_kept + n_done} of {n_kept + n_left} answers."
                )
            self._hand_over(self._computed(block))
            n_done += len(block.cells)
            if self.progress is not None:
                seconds = (time.monotonic() - started) / n_done * (n_left - n_done)
                self.progress(n_kept + n_done, n_kept + n_left, seconds)

    def _my_blocks(self) -> list[ItemBlock]:
        """All blocks, or those of one shard: whole chunks of pictures, because answers need the unsteered."""
        blocks, (part, parts) = blocks_of(self.spec, regions_of(self.pictures)), self.shard
        n = len(self.spec.conditions)
        return [block for block in blocks if block.number // n % parts == part]

    def _is_done(self, block: ItemBlock, done: Collection[ItemKey]) -> bool:
        return all(key in done for key in self._keys(block))

    def _keys(self, block: ItemBlock) -> list[ItemKey]:
        name = block.condition.name
        if not self._is_dynamic:
            return [ItemKey(picture, name, 0, region) for picture, region in block.cells]
        return [
            ItemKey(picture, name, turn, target)
            for picture in block.pictures
            for turn, target in enumerate(self._order(picture))
        ]

    @property
    def _is_dynamic(self) -> bool:
        return self.spec.protocol.name == "dynamic"

    def _order(self, picture: int) -> tuple[int, ...]:
        return derangement_of(picture, len(self.pictures.pictures[picture].panels), self.spec.seed)

    def _computed(self, block: ItemBlock) -> list[tuple[EvaluationItem, Run]]:
        items = self._narrated(block) if self._is_dynamic else self._answered(block)
        for item, _ in items:
            self._note_plain(item)
        return items

    def _note_plain(self, item: EvaluationItem) -> None:
        condition = self.spec.condition(item.key.condition)
        if condition.kind == "unsteered":
            self._plain[condition.prompt, item.key.picture, item.key.turn, item.key.target] = item

    # Answers about one region each

    def _answered(self, block: ItemBlock) -> list[tuple[EvaluationItem, Run]]:
        condition, pictures = block.condition, self.pictures.pictures
        steerings = [
            condition.treatment.steering(pictures[picture].panels, region, self.spec.protocol.scope)
            for picture, region in block.cells
        ]
        prompts = [self._question(condition, pictures[picture], region) for picture, region in block.cells]
        runs = self._written([picture for picture, _ in block.cells], prompts, steerings, self._new_tok)
        return [
            (
                self._item(
                    condition, ItemKey(picture, condition.name, 0, region), run.text, run.token_ids, run
                ),
                run,
            )
            for (picture, region), run in zip(block.cells, runs, strict=True)
        ]

    def _question(self, condition: Condition, picture: SetPicture, region: int) -> str:
        wording = condition.prompt or self.spec.protocol.prompt
        if condition.treatment.names_panel and wording not in ORDINALS:
            wording = "words"
        return asked_about(wording, picture.panels, region)

    @property
    def _new_tok(self) -> int:
        return self.spec.protocol.new_tok

    def _written(
        self,
        pictures: Sequence[int],
        prompts: Sequence[str],
        steerings: Sequence[Steering | None],
        length: int,
    ) -> list[Run]:
        more: dict[str, Any] = (
            {} if self.spec.sampling.effective == Sampling() else {"sampling": self.spec.sampling}
        )
        return self.engine.generate_many(
            [self.pictures.pictures[picture].image for picture in pictures],
            list(prompts),
            list(steerings),
            max_new_tokens=length,
            cancelled=self.cancelled,
            **more,
        )

    def _item(
        self,
        condition: Condition,
        key: ItemKey,
        text: str,
        token_ids: tuple[int, ...],
        run: Run,
        first: int = 0,
    ) -> EvaluationItem:
        picture = self.pictures.pictures[key.picture]
        plain = self._plain.get((condition.prompt, key.picture, key.turn, key.target))
        steered = condition.kind != "unsteered"
        if steered and plain is None:
            raise ValueError(f"the unsteered answer of {key} comes first")
        return EvaluationItem(
            key=key,
            n_regions=len(picture.panels),
            text=text,
            baseline=plain.text if plain else text,
            junk=junk_kind(text),
            unchanged=steered and plain is not None and same_text(text, plain.text),
            area_px=_area(picture, key.target, run),
            mass_before=run.audit.mass_before if run.audit else None,
            mass_after=run.audit.mass_after if run.audit else None,
            same_tokens=token_ids == plain.token_ids if steered and plain else None,
            first_tok=first,
            n_tok=len(token_ids),
            token_ids=token_ids,
        )

    # Narrations along a schedule

    def _narrated(self, block: ItemBlock) -> list[tuple[EvaluationItem, Run]]:
        """The segments of every narration; those of as many panels are written together."""
        items: list[tuple[EvaluationItem, Run]] = []
        lengths = {picture: len(self._order(picture)) for picture in block.pictures}
        for n_panels in sorted(set(lengths.values())):
            pictures = [picture for picture in block.pictures if lengths[picture] == n_panels]
            steerings = [self._along(block.condition, picture) for picture in pictures]
            prompts = [self._order_in_words(block.condition, picture) for picture in pictures]
            runs = self._written(pictures, prompts, steerings, self._new_tok * n_panels)
            for picture, run in zip(pictures, runs, strict=True):
                items += [(item, run) for item in self._segments(block.condition, picture, run)]
        return items

    def _along(self, condition: Condition, picture: int) -> Steering | None:
        panels, order = self.pictures.pictures[picture].panels, self._order(picture)
        if condition.treatment.aim == "elsewhere":
            order = tuple(elsewhere(panels, target) for target in order)
        steering = replace(condition.treatment, aim="target").steering(
            panels, order[0], self.spec.protocol.scope
        )
        if steering is None:
            return None
        return replace(steering, schedule=Schedule.every(self._new_tok, [panels[panel] for panel in order]))

    def _order_in_words(self, condition: Condition, picture: int) -> str:
        if not condition.treatment.names_panel:
            return condition.prompt or self.spec.protocol.prompt
        named = ", ".join(ordinal(target + 1) for target in self._order(picture))
        return f"Describe the panels in this order, one short sentence each: {named}."

    def _segments(self, condition: Condition, picture: int, run: Run) -> Iterable[EvaluationItem]:
        for turn, target in enumerate(self._order(picture)):
            first = turn * self._new_tok
            steps: tuple[Step, ...] = run.tokens[first : first + self._new_tok]
            text = "".join(step.text for step in steps).strip()
            token_ids = tuple(step.token_id for step in steps)
            key = ItemKey(picture, condition.name, turn, target)
            yield self._item(condition, key, text, token_ids, run, first)

    # Judging

    def _hand_over(self, computed: Sequence[tuple[EvaluationItem, Run]]) -> None:
        """Judge a block's items and keep both; what a judge fails at is kept without judgement."""
        judgements: list[Judgement] = []
        items = [item for item, _ in computed]
        try:
            for item, run in computed:
                latency = self._latency(item, run) if self._is_dynamic else None
                judgements.append(replace(self._judgement(item), latency_tok=latency))
        finally:
            self.keep(items, judgements)

    def _judge_the_unjudged(self) -> None:
        missing = [item for item in self.known if item.key not in self.judged]
        judge_items(
            missing, self.pictures, self.judge, lambda said: self.keep((), said), cancelled=self.cancelled
        )

    def _judgement(self, item: EvaluationItem) -> Judgement:
        return judgement_of(item, self.pictures.pictures[item.key.picture], self.judge, self._verdicts)

    def _latency(self, item: EvaluationItem, run: Run) -> int | None:
        """Tokens of the segment up to and with the first word that only its target calls for."""
        judge_word = getattr(self.judge, "judge_word", None)
        if judge_word is None:
            return None
        picture, first, stop = (
            self.pictures.pictures[item.key.picture],
            item.first_tok,
            item.first_tok + item.n_tok,
        )
        for word, begins, ends in words_by_step(run):
            if first <= begins and ends < stop and judge_word(word, picture) == item.key.target:
                return ends - first + 1
        return None


def narration_of(spec: EvaluationSpec, pictures: PictureSet, picture: int) -> tuple[Steering, int]:
    """How the chosen heads are steered along one picture's schedule, and how many tokens that takes."""
    condition = next(one for one in spec.conditions if one.kind == "gaze")
    panels = pictures.pictures[picture].panels
    order = derangement_of(picture, len(panels), spec.seed)
    steering = condition.treatment.steering(panels, order[0], spec.protocol.scope)
    assert steering is not None
    moving = Schedule.every(spec.protocol.new_tok, [panels[panel] for panel in order])
    return replace(steering, schedule=moving), spec.protocol.new_tok * len(order)


def judge_items(
    items: Sequence[EvaluationItem],
    pictures: PictureSet,
    judge: Judge,
    keep: Callable[[Sequence[Judgement]], None],
    *,
    cancelled: Callable[[], bool] | None = None,
    progress: Progress | None = None,
    at_once: int = 20,
) -> None:
    """Judge stored texts, equal texts about one picture once, without a model; kept every `at_once` texts.

    UserErrors of the judge: what was judged before has been kept.
    """
    said: dict[tuple[int, str], Verdict] = {}
    waiting: list[Judgement] = []
    started = time.monotonic()
    try:
        for done, item in enumerate(items):
            if cancelled is not None and cancelled():
                raise Cancelled(f"Judging stopped after {done} of {len(items)} texts.")
            waiting.append(judgement_of(item, pictures.pictures[item.key.picture], judge, said))
            if len(waiting) >= at_once:
                keep(waiting)
                waiting = []
                if progress is not None:
                    seconds = (time.monotonic() - started) / (done + 1) * (len(items) - done - 1)
                    progress(done + 1, len(items), seconds)
    finally:
        if waiting:
            keep(waiting)


def judgement_of(
    item: EvaluationItem,
    picture: SetPicture,
    judge: Judge,
    said: dict[tuple[int, str], Verdict] | None = None,
) -> Judgement:
    """What a judge says of one item; junk is not shown to it and describes nothing.

    said: verdicts by picture and text, which depend on nothing else, so that each is asked for once.
    """
    if item.junk is not None:
        return Judgement(item.key, judge.name, None, False)
    said = {} if said is None else said
    place, target = (item.key.picture, item.text), item.key.target
    if place not in said:
        said[place] = judge.judge(item.text, picture)
    verdict = said[place]
    # Several regions of one kind share an answer: whichever of them is the target has been described.
    chosen = target if target in verdict.alike else verdict.chosen
    return Judgement(item.key, judge.name, chosen, verdict.complete[target] if verdict.complete else None)


def _area(picture: SetPicture, region: int, run: Run) -> float:
    if picture.areas_px:
        return picture.areas_px[region]
    (width_px, height_px), (fed_width_px, fed_height_px) = run.grid.picture_size_px, run.grid.fed_size_px
    return picture.panels[region].area_px * fed_width_px * fed_height_px / (width_px * height_px)
