"""The pieces of work that a model card is measured in: each is small, stands alone and answers in JSON.

A task names its pictures by seed and range, so that any process can draw them, and its result depends on
nothing but the task and the model's weights: results can be kept and taken up again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from PIL import Image

from gazeviz.domain.experiments.treatment import PROTOCOLS, Treatment
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.strip import Strip
from gazeviz.engine.engine import Engine
from gazeviz.engine.evaluation.evaluation import Examiner
from gazeviz.engine.evaluation.judges import GrammarJudge, LexicalJudge, LikelihoodJudge
from gazeviz.engine.evaluation.protocols import captions_in
from gazeviz.testbed.world import attribute_questions, grammar, wordings
from gazeviz.testbed.world.world import drawn_scene, drawn_strip

Kind: TypeAlias = Literal["answers", "changed", "narrate", "told", "listed", "asked", "rank", "agree"]
Rows: TypeAlias = list[dict[str, Any]]

SCENES: Final = (0, 0)
"""The layout that stands for free scenes."""

# The longest caption has 9 tokens and its end; what is longer than this loops.
ANSWER_TOK: Final = 24
# The longest sentence of a narration: "Panel 1: cat, red, jumps by the sea." and one to spare.
SENTENCE_TOK: Final = 14
OBJECT_TOK: Final = 12
LIST_TOK: Final = 28
JUDGE: Final = GrammarJudge(grammar.parse)


@dataclass(frozen=True)
class Pictures:
    """Strips (or, with layout SCENES, scenes) number first .. first + n - 1 of a series of held-out
    combinations."""

    seed: int
    n: int
    first: int = 0
    layout: tuple[int, int] = (1, 6)
    panel_px: int | None = None

    def parts(self, size: int) -> tuple[Pictures, ...]:
        """The same pictures in pieces."""
        return tuple(
            Pictures(self.seed, min(size, self.n - start), self.first + start, self.layout, self.panel_px)
            for start in range(0, self.n, size)
        )

    def draw(self) -> tuple[Strip, ...]:
        """The pictures with their regions and captions."""
        return tuple(_drawn(self.seed, self.first + k, self.layout, self.panel_px) for k in range(self.n))


@dataclass(frozen=True)
class Task:
    """One piece of work.

    kind: "answers" steered (or not) and judged; "changed" counts answers that strength 0 changed; "narrate"
        along a moving target; "told": unsteered narrations, judged by position; "listed": unsteered lists of
        a scene's objects; "asked": unsteered questions for one attribute; "rank": head rankings,
        `options["by"]`; "agree": what other judges say of steered answers.
    """

    kind: Kind
    pictures: Pictures
    treatment: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cost(self) -> float:
        """About how long it takes, in units of one short steered answer."""
        n_regions = (
            3.5 if self.pictures.layout == SCENES else self.pictures.layout[0] * self.pictures.layout[1]
        )
        each = {
            "answers": n_regions,
            "changed": n_regions,
            "narrate": 3.0,
            "told": 3.0,
            "listed": 1.5,
            "asked": 8.0,
            "rank": 40.0,
            "agree": 60.0,
        }
        return self.pictures.n * each[self.kind]

    def to_json(self) -> dict[str, Any]:
        """What tells this task from all others."""
        return {
            **asdict(self.pictures),
            "kind": self.kind,
            "treatment": self.treatment,
            "options": self.options,
        }


def run_task(engine: Engine, task: Task) -> dict[str, Any]:
    """Do a task: {"rows": ..., "seconds": ...}."""
    started = time.monotonic()
    rows = _RUN[task.kind](engine, task)
    return {"rows": rows, "seconds": time.monotonic() - started}


def _examiner(engine: Engine, task: Task, new_tok: int) -> Examiner:
    protocol = PROTOCOLS[task.options.get("protocol", "static")]
    return Examiner(
        engine, task.pictures.draw(), JUDGE, protocol, prompt=task.options.get("prompt"), new_tok=new_tok
    )


def _answers(engine: Engine, task: Task) -> Rows:
    examiner = _examiner(engine, task, OBJECT_TOK if task.pictures.layout == SCENES else ANSWER_TOK)
    evaluation = examiner.evaluate(_treatment(task))
    return [{**asdict(answer), "item": answer.item + task.pictures.first} for answer in evaluation.answers]


def _changed(engine: Engine, task: Task) -> Rows:
    changed, compared = _examiner(engine, task, ANSWER_TOK).changed_tokens(_treatment(task))
    return [{"changed": changed, "compared": compared}]


def _narrate(engine: Engine, task: Task) -> Rows:
    examiner = _examiner(engine, task, ANSWER_TOK)
    options = {key: task.options[key] for key in ("every_tok", "seed")}
    segments = examiner.narrate(_treatment(task), first_index=task.pictures.first, **options).segments
    return [{**asdict(segment), "item": segment.item + task.pictures.first} for segment in segments]


def _told(engine: Engine, task: Task) -> Rows:
    """Unsteered narrations: for each panel, whether exactly its caption is told at its number."""
    strips = task.pictures.draw()
    n = len(strips[0].panels)
    runs = engine.generate_many(
        [strip.image for strip in strips], PROTOCOLS["dynamic"].prompt, None, max_new_tokens=SENTENCE_TOK * n
    )
    rows = []
    for index, (strip, run) in enumerate(zip(strips, runs, strict=True)):
        said = captions_in(run.text, n)
        right = [grammar.parse(said.get(k, "")) == grammar.parse(strip.captions[k]) for k in range(n)]
        rows.append({"item": index + task.pictures.first, "right": right, "junk": run.junk, "text": run.text})
    return rows


def _listed(engine: Engine, task: Task) -> Rows:
    """Unsteered lists of a scene's objects: how many are there, named, and named without being there."""
    scenes = task.pictures.draw()
    runs = engine.generate_many(
        [scene.image for scene in scenes], wordings.SCENE_LIST[0], None, max_new_tokens=LIST_TOK
    )
    rows = []
    for index, (scene, run) in enumerate(zip(scenes, runs, strict=True)):
        there = {tuple(caption.split()) for caption in scene.captions}
        said = set(grammar.objects_in(run.text))
        row = {"there": len(there), "named": len(there & said), "extra": len(said - there), "text": run.text}
        rows.append({"item": index + task.pictures.first, **row})
    return rows


def _asked(engine: Engine, task: Task) -> Rows:
    """Unsteered questions for one attribute: of every kind one a picture, where one has a single answer.

    Right: exactly the answer's words; for a caption or a character its attributes and no other, in any order.
    """
    scenes = task.pictures.layout == SCENES
    kinds = attribute_questions.SCENE_KINDS if scenes else attribute_questions.KINDS
    rows: Rows = []
    asked: list[tuple[Image.Image, str]] = []
    for number, picture in enumerate(task.pictures.draw()):
        shown = _shown(task.pictures, number)
        for place, kind in enumerate(kinds):
            rng = np.random.default_rng((task.pictures.seed, task.pictures.first + number, place))
            block = attribute_questions.ask_kind(rng, kind, shown)
            if block is not None:
                asked.append((picture.image, block.question))
                rows.append({"item": number + task.pictures.first, "kind": kind, **block._asdict()})
    runs = engine.generate_many(*map(list, zip(*asked, strict=True)), max_new_tokens=ANSWER_TOK)
    return [
        {**row, "text": run.text, "right": _says(run.text, row)} for row, run in zip(rows, runs, strict=True)
    ]


def _says(text: str, row: Mapping[str, Any]) -> bool:
    if row["kind"] in ("caption", "character"):
        return grammar.parse(text) == grammar.parse(row["answer"])
    return grammar.tokens(text) == grammar.tokens(row["answer"])


def _shown(pictures: Pictures, number: int) -> Sequence[grammar.Fact] | Sequence[grammar.SceneObject]:
    """What one of the pictures shows, in reading order, or from left to right."""
    seed = pictures.seed, pictures.first + number
    return (
        drawn_scene(seed).objects if pictures.layout == SCENES else drawn_strip(seed, pictures.layout).facts
    )


def _rank(engine: Engine, task: Task) -> Rows:
    rankings = engine.rank(task.pictures.draw(), task.options["by"])
    return [ranking_to_json(ranking) for ranking in rankings.values()]


def _agree(engine: Engine, task: Task) -> Rows:
    """What the exact, the lexical and the likelihood judge find described in the same steered answers."""
    examiner = _examiner(engine, task, ANSWER_TOK)
    judges = (JUDGE, LexicalJudge(), LikelihoodJudge(engine, wordings.AMBIGUOUS[2]))
    return [
        {judge.name: judge.judge(answer.text, examiner.items[answer.item]).chosen for judge in judges}
        for answer in examiner.evaluate(_treatment(task)).answers
        if answer.junk is None
    ]


_RUN: Final = {
    "agree": _agree,
    "answers": _answers,
    "asked": _asked,
    "changed": _changed,
    "narrate": _narrate,
    "told": _told,
    "listed": _listed,
    "rank": _rank,
}


def ranking_to_json(ranking: HeadRanking) -> dict[str, Any]:
    """A ranking with its halves, and its matrix to three digits."""
    return {
        "name": ranking.name,
        "n_strips": ranking.n_strips,
        "scores": ranking.scores_LH.tolist(),
        "halves": [half.scores_LH.tolist() for half in ranking.halves] if ranking.halves else None,
        "matrix": None if ranking.matrix_LHRR is None else ranking.matrix_LHRR.round(3).tolist(),
    }


def ranking_from_json(data: Mapping[str, Any]) -> HeadRanking:
    """Rebuild a ranking from `ranking_to_json`."""
    halves = [HeadRanking(data["name"], np.array(scores)) for scores in data["halves"] or ()]
    matrix = None if data["matrix"] is None else np.array(data["matrix"])
    pair = (halves[0], halves[1]) if halves else None
    return HeadRanking(data["name"], np.array(data["scores"]), data["n_strips"], matrix, pair)


def _treatment(task: Task) -> Treatment:
    return Treatment.from_json(task.treatment or Treatment("unsteered").to_json())


@lru_cache(maxsize=700)
def _drawn(seed: int, k: int, layout: tuple[int, int], panel_px: int | None) -> Strip:
    """One picture; kept, because many tasks ask about the same ones."""
    if layout == SCENES:
        scene = drawn_scene((seed, k))
        return Strip(scene.image, scene.regions, scene.captions, f"Scene {seed}-{k}")
    return drawn_strip((seed, k), layout, panel_px).strip


def joined(results: Sequence[Mapping[str, Any]]) -> Rows:
    """The rows of several pieces in one list."""
    return [row for result in results for row in result["rows"]]
