"""Evaluate: does steering really work on this model? The notebook's face, and what the commands are made of.

    result = gazeviz.evaluate("vqa", "builtin:100@7", "mass:10", controls="uniform:10,zero", log=None)
    result.table(); result.figure("accuracy")

Puts together what the rooms know: pictures, heads, conditions, the runner, the judge and the log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gazeviz.domain.experiments.conditions import (
    CONTROLS,
    DRAWN,
    At,
    Condition,
    Control,
    SweepAxis,
    conditions_for,
    controls_of,
    place_text,
    places,
    unsteered,
)
from gazeviz.domain.experiments.picture_set import PictureSet, SetSource
from gazeviz.domain.experiments.plan import EvaluationItem, EvaluationSpec, ItemKey, Judgement
from gazeviz.domain.experiments.results import EvaluationResult
from gazeviz.domain.experiments.treatment import PROTOCOLS, Protocol, Treatment
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.prompts import ORDINALS
from gazeviz.domain.region import Region
from gazeviz.domain.reproduction import turn_tok
from gazeviz.domain.run import Sampling
from gazeviz.domain.steering import HARD
from gazeviz.errors import Cancelled, UserError
from gazeviz.user_paths import user_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gazeviz.engine.engine import Engine
    from gazeviz.engine.evaluation.judges import Judge
    from gazeviz.store import SessionStore

RANKING_SET: Final = "builtin:24@0"
"""Strips that a ranking is measured on where the model's folder has none of that name."""
LANGUAGE_JUDGE: Final = "language model "
"""How the names of judges at an address begin."""
_COUNTED: Final = re.compile(r"(.+):(\d{1,6})(?:@(\d{1,9}))?")

Progress = Callable[[str, float], None]
"""Told what is being done, and the part done of all of it, 0 to 1."""


def _silent(_what: str, _part: float) -> None:
    """Tell nobody."""


@dataclass
class Heads:
    """Finds the heads that a person writes down, and the rankings that they come from.

    rank_on: a picture set to measure rankings on; None: the model folder's own where it has one, else
        `RANKING_SET`.
    """

    engine: Engine
    rank_on: str | None = None
    progress: Progress = _silent
    _rankings: dict[str, HeadRanking] = field(default_factory=dict)

    def ranking(self, named: str) -> HeadRanking:
        """A ranking by its name or file; measured where there is none. UserErrors of discovery and files."""
        if named not in self._rankings:
            self._rankings[named] = self._found(named)
        return self._rankings[named]

    def _found(self, named: str) -> HeadRanking:
        file = user_path(named)
        if named.lower().endswith(".json") or file.is_file():
            return HeadRanking.load(file, self.engine.shape_LH)
        kept = Path(self.engine.describe_model().path) / "rankings" / f"{named}.json"
        if self.rank_on is None and kept.is_file():
            return HeadRanking.load(kept, self.engine.shape_LH)
        return self.measured(named)

    def measured(self, named: str) -> HeadRanking:
        """A ranking measured here and now, with its matrices, which no ranking's file holds."""
        from gazeviz.backend.picture_sets import open_set

        strips = open_set(SetSource.parse(self.rank_on or RANKING_SET)).pictures
        what = f"ranking heads by {named} on {len(strips)} strips"
        return self.engine.discover(
            strips, named, progress=lambda done, total, _: self.progress(what, done / total)
        )

    def read(self, text: str, like: str | None = None) -> tuple[HeadSet, HeadRanking]:
        """The heads of `mass:10`, `FILE:10`, `random:10@seed`, `all`, or a list like L4H1,L3H2.

        like: with random heads, a set of heads whose layers they match and which are never drawn.
        Returns the heads and the ranking that controls are drawn from. UserError for anything else.
        """
        match = _COUNTED.fullmatch(text.strip())
        if match is None:
            pool = self.ranking("mass")
            if text == "all":
                return HeadSet(pool.order(), self.engine.all_heads().origin), pool
            chosen = HeadSet.of(text)
            chosen.check(self.engine.shape_LH)
            return chosen, pool
        named, n, seed = match[1], int(match[2]), int(match[3] or 0)
        if named != "random":
            ranking = self.ranking(named)
            return ranking.top(n), ranking
        if like is None:
            pool = self.ranking("mass")
            return pool.random(n, seed), pool
        model, ranking = self.read(like)
        if len(model) != n:
            raise UserError(
                f"{n} heads cannot match the layers of {len(model)}.",
                next_step=f"Ask for as many: --heads random:{len(model)}@{seed}.",
            )
        return ranking.random(n, seed, like=model), ranking


@dataclass(frozen=True)
class EvaluationRequest:
    """An evaluation as a person asks for it: the command's options, the notebook's arguments."""

    protocol: str
    pictures: str | SetSource
    heads: str = "mass:10"
    like: str | None = None
    controls: str = CONTROLS
    sweep: tuple[str, ...] = ()
    judge: str = "exact"
    name: str = ""
    mode: str = "boost_suppress"
    strength: str = "8"
    scope: str | None = None
    prompt: str | None = None
    new_tok: int | None = None
    every_tok: int | None = None
    sampling: Sampling = Sampling()  # noqa: RUF009 - frozen
    seed: int = 0

    @property
    def called(self) -> str:
        """Its name; unless given, made of what is asked for."""
        return self.name or f"{self.protocol} on {self.pictures} with {self.heads}"


def plan_of(request: EvaluationRequest, heads: Heads, pictures: PictureSet) -> EvaluationSpec:
    """Turn a request into a plan; UserErrors of heads, controls and sweeps."""
    if request.protocol not in PROTOCOLS:
        raise UserError(
            f"There is no protocol “{request.protocol}”.", next_step=f"Choose among {', '.join(PROTOCOLS)}."
        )
    protocol: Protocol = PROTOCOLS[request.protocol]
    usual_tok = protocol.new_tok
    if protocol.name == "dynamic":
        usual_tok = turn_tok(str(heads.engine.describe_model().path))
    protocol = replace(
        protocol,
        prompt=request.prompt or protocol.prompt,
        new_tok=request.new_tok or request.every_tok or usual_tok,
    )
    axes = tuple(SweepAxis.parse(text) for text in request.sweep)
    wordings = [protocol.prompt, *(value for axis in axes if axis.name == "wording" for value in axis.values)]
    if protocol.name == "dynamic" and not set(ORDINALS).isdisjoint(wordings):
        raise UserError(
            "A narration is not asked about one panel.",
            next_step="Name panels in words or as 4th under vqa, static or region.",
        )
    return EvaluationSpec(
        name=request.called,
        protocol=protocol,
        source=pictures.source,
        set_fingerprint=pictures.fingerprint,
        model_fingerprint=heads.engine.describe_model().fingerprint,
        conditions=_conditions(request, heads, axes),
        judge=request.judge,
        sampling=request.sampling,
        axes=axes,
        seed=request.seed,
    )


def _conditions(request: EvaluationRequest, heads: Heads, axes: Sequence[SweepAxis]) -> tuple[Condition, ...]:
    controls, found = controls_of(request.controls), [unsteered()]
    wordings = next((axis.values for axis in axes if axis.name == "wording"), ())
    found += [unsteered(wording, (("wording", wording),)) for wording in wordings]
    for number, at in enumerate(places(axes)):
        # What a setting does not change is measured once, at the first one.
        wanted = controls if number == 0 else [one for one in controls if one.kind in (*DRAWN, "lowest")]
        found += _at(request, heads, at, wanted)
    return tuple(found)


def _at(
    request: EvaluationRequest, heads: Heads, at: At, controls: Sequence[Control]
) -> tuple[Condition, ...]:
    told = dict(at)
    named, _, count = request.heads.rpartition(":")
    text = request.heads
    if "top" in told or "ranking" in told:
        text = f"{told.get('ranking', named or 'mass')}:{told.get('top', count)}"
    chosen, ranking = heads.read(text, request.like)
    strength = told.get("strength", request.strength)
    treatment = Treatment(
        str(chosen.origin),
        chosen,
        mode=told.get("mode", request.mode),  # type: ignore[arg-type]
        strength=strength if strength in HARD else _number(strength),
        scope=request.scope,  # type: ignore[arg-type]
    )
    made = conditions_for(treatment, ranking, controls, first_seed=request.seed, suffix=place_text(at), at=at)
    return tuple(replace(one, prompt=told["wording"]) for one in made) if "wording" in told else made


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(
            f"“{text}” is no strength.", next_step=f"Write a number, or one of {', '.join(HARD)}."
        ) from None


def judge_of(text: str, engine: Engine | None = None, key: str | None = None) -> Judge:
    """A judge by what a person writes: exact, lexical, lexical:german, category, likelihood, or
    `http://host/v1#model` (`#model!` for a forced choice).

    engine: the likelihood judge's.  key: of an address.  UserError for anything else.
    """
    from gazeviz.engine.evaluation.category_judge import CategoryJudge
    from gazeviz.engine.evaluation.judges import GrammarJudge, LikelihoodJudge, lexical_judge
    from gazeviz.engine.evaluation.language_judge import LanguageModelJudge

    kind, _, more = text.partition(":")
    if kind in ("http", "https"):
        address, _, model = text.partition("#")
        if not model:
            raise UserError("The judge has no model.", next_step="Write http://localhost:8000/v1#MODEL.")
        return LanguageModelJudge(address, model.rstrip("!"), key, forced=model.endswith("!"))
    if kind == "exact":
        from gazeviz.testbed.world.grammar import parse

        return GrammarJudge(parse)
    if kind == "lexical":
        return lexical_judge(more or "english")
    if kind == "category":
        return CategoryJudge()
    if kind == "likelihood":
        if engine is None:
            raise UserError(
                "The likelihood judge needs the model.", next_step="Load the model that wrote the texts."
            )
        return LikelihoodJudge(engine)
    raise UserError(
        f"There is no judge “{text}”.",
        next_step="Choose exact, lexical, category, likelihood, person, or an address: http://host/v1#MODEL.",
    )


class ResultTable(list[dict[str, Any]]):
    """The rows of a result, which print and show themselves as a table; a list for everything else."""

    _COLUMNS: Final = ("condition", "n", "%", "95 %, or range of draws", "junk", "unchanged")

    def _cells(self) -> list[tuple[str, ...]]:
        def share(value: float) -> str:
            return f"{100 * value:.1f}"

        return [
            (
                row["condition"], str(row["n"]), share(row["accuracy"]),
                f"{share(row['low'])} to {share(row['high'])}", share(row["junk"]), share(row["unchanged"]),
                *([] if row["rho"] is None else [f"{row['rho']:.2f}"]),
            )
            for row in self
        ]  # fmt: skip

    def _head(self) -> tuple[str, ...]:
        return (*self._COLUMNS, "rho") if any(row["rho"] is not None for row in self) else self._COLUMNS

    def __str__(self) -> str:
        lines = [self._head(), *self._cells()]
        n = len(lines[0])
        lines = [(*line, *[""] * (n - len(line))) for line in lines]
        widths = [max(len(line[place]) for line in lines) for place in range(n)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        def line(tag: str, cells: tuple[str, ...]) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        return (
            "<table>" + line("th", self._head()) + "".join(line("td", c) for c in self._cells()) + "</table>"
        )


@dataclass(frozen=True, eq=False)
class Evaluated:
    """An evaluation's result as a notebook shows it."""

    result: EvaluationResult

    def table(self) -> ResultTable:
        """One row for each condition; draws of one kind together, with their range for an interval."""
        return ResultTable(self.result.table())

    def figure(self, name: str = "accuracy") -> Figure:
        """A matplotlib figure by its name: see `gazeviz.render.evaluation_figures.FIGURES`."""
        from gazeviz.render.evaluation_figures import draw

        return draw(self.result, name)

    def to_json(self) -> dict[str, Any]:
        """Everything, as `gazeviz evaluate --json` writes it."""
        return self.result.to_json()

    def _repr_html_(self) -> str:
        from html import escape

        from gazeviz.domain.notebook_face import shares_svg

        spec, percentile = self.result.spec, self.result.percentile()
        stands = "" if percentile is None else f"; percentile among the draws {percentile:.0f}"
        shares = [(row["condition"], row["accuracy"], row["low"], row["high"]) for row in self.table()]
        return (
            f"<p><b>{escape(spec.name)}</b>: {escape(str(spec.source))}, judged by"
            f" {escape(self.result.judged_by)}{stands}</p>{shares_svg(shares)}{self.table()._repr_html_()}"
        )


def evaluate(
    protocol: str,
    pictures: str | SetSource | PictureSet,
    heads: str = "mass:10",
    *,
    engine: Engine | None = None,
    log: SessionStore | None = None,
    progress: Progress = _silent,
    cancelled: Callable[[], bool] | None = None,
    rank_on: str | None = None,
    captions: Path | None = None,
    key: str | None = None,
    shard: tuple[int, int] = (0, 1),
    planned: Callable[[EvaluationSpec, int], None] | None = None,
    **options: Any,
) -> Evaluated:
    """Measure whether steering works: an evaluation, run, judged and kept.

    protocol: vqa, static, dynamic or region.  pictures: a set, or how one is written.  heads: mass:10,
    FILE:10, random:10@seed, all, or a list.  engine: left out, the built-in model.  log: where it is kept and
    gone on with under its name; None keeps nothing.  planned: told the plan and how many answers it has
    before the first is written.  options: those of `EvaluationRequest` (controls, sweep, judge ...).
    Raises UserErrors, and Cancelled; what was done until then is in the log.
    """
    from gazeviz.engine.engine import load

    opened = pictures if isinstance(pictures, PictureSet) else None
    source = opened.source if opened else pictures
    assert not isinstance(source, PictureSet)
    if isinstance(options.get("sweep"), str):
        options["sweep"] = (options["sweep"],)
    request = EvaluationRequest(protocol, source, heads, **options)
    engine = engine or load()
    if opened is None:
        opened = open_pictures(source, engine, captions)
    spec = plan_of(request, Heads(engine, rank_on, progress), opened)
    judge = judge_of(request.judge, engine, key)
    spec = replace(spec, judge=judge.name)
    if planned is not None:
        planned(spec, opened.n_regions * len(spec.conditions))
    return Evaluated(carried_out(spec, opened, engine, judge, log, progress, cancelled, shard))


def open_pictures(source: str | SetSource, engine: Engine | None, captions: Path | None = None) -> PictureSet:
    """Open a set as the model's image tokens want it, labelled photos included."""
    from gazeviz.app.editing.region_files import read_regions
    from gazeviz.backend.picture_sets import open_set
    from gazeviz.backend.strips import CELL_PX

    told = SetSource.parse(source) if isinstance(source, str) else source
    eyes = getattr(getattr(engine, "processor", None), "image_processor", None)
    patch, merge = getattr(eyes, "patch_size", None), getattr(eyes, "merge_size", 1)
    cell_px = patch * merge if isinstance(patch, int) and isinstance(merge, int) else CELL_PX

    def labelled(path: Path, size_px: tuple[int, int]) -> tuple[Region, ...]:
        return read_regions([path], size_px, path.stem).needed(path.name).regions

    return open_set(told, cell_px=cell_px, captions=captions, read_regions=labelled)


def carried_out(
    spec: EvaluationSpec,
    pictures: PictureSet,
    engine: Engine,
    judge: Judge,
    log: SessionStore | None,
    progress: Progress = _silent,
    cancelled: Callable[[], bool] | None = None,
    shard: tuple[int, int] = (0, 1),
) -> EvaluationResult:
    """Compute and judge what is missing, and give what is there then; errors as `evaluate`."""
    from gazeviz.engine.evaluation.runner import EvaluationRunner

    n_items = pictures.n_regions * len(spec.conditions)
    place = _LogPlace(log, spec, pictures, n_items) if log is not None else _MemoryPlace(spec, n_items)
    known, judged = place.known(judge.name)

    def told(done: int, total: int, _seconds: float | None) -> None:
        progress(f"{spec.name}: {done} of {total} answers", done / total)

    runner = EvaluationRunner(
        engine, spec, pictures, judge, place.keep, known, judged, told, cancelled, shard
    )
    try:
        runner.run()
    except (Cancelled, KeyboardInterrupt):
        place.end("paused", "")
        raise
    except UserError as error:
        place.end("failed", error.sentence)
        raise
    result = place.result(judge.name)
    place.end("done" if result.is_complete else "paused", "")
    return result


def resumed(
    log: SessionStore,
    name: str,
    engine: Engine,
    *,
    judge: str = "",
    captions: Path | None = None,
    key: str | None = None,
    progress: Progress = _silent,
    cancelled: Callable[[], bool] | None = None,
) -> EvaluationResult:
    """Go on with an evaluation as the log has its plan, heads and draws included: the same rows as ever.

    judge: instead of the one that was asked for; the address of a language model is in no log.
    UserErrors: the model is another, the pictures have changed; and those of `evaluate`.
    """
    from gazeviz.store.evaluations import EvaluationLog

    spec = EvaluationLog(log).result(name).spec
    model = engine.describe_model()
    if model.fingerprint != spec.model_fingerprint:
        raise UserError(
            f"“{name}” was begun with another model than {model.name}.",
            next_step="Load that one, or run the experiment anew under another name.",
        )
    if not judge and spec.judge.startswith(LANGUAGE_JUDGE):
        raise UserError(
            f"“{name}” is judged by a {spec.judge}, and the log does not keep where that is.",
            next_step="Say it: --judge http://host/v1#MODEL.",
        )
    pictures = _same_pictures(spec, engine, captions)
    judging = judge_of(judge or spec.judge, engine, key)
    return carried_out(spec, pictures, engine, judging, log, progress, cancelled)


def _same_pictures(spec: EvaluationSpec, engine: Engine | None, captions: Path | None) -> PictureSet:
    """Open an evaluation's set again; UserError where pictures, regions or captions have changed."""
    pictures = open_pictures(spec.source, engine, captions)
    if pictures.fingerprint != spec.set_fingerprint:
        raise UserError(
            f"The pictures of “{spec.name}” have changed since it was begun.",
            next_step="Bring them back, with the same captions.",
        )
    return pictures


class _MemoryPlace:
    """Keeps an evaluation as long as it runs."""

    def __init__(self, spec: EvaluationSpec, n_items: int) -> None:
        self._spec, self._n_items = spec, n_items
        self._items: list[EvaluationItem] = []
        self._judgements: list[Judgement] = []

    def known(self, judge: str) -> tuple[Sequence[EvaluationItem], set[ItemKey]]:
        """Nothing yet."""
        return (), set()

    def keep(self, items: Sequence[EvaluationItem], judgements: Sequence[Judgement]) -> None:
        """Remember a block."""
        self._items += items
        self._judgements += judgements

    def end(self, state: str, message: str) -> None:
        """Nobody asks."""

    def result(self, judge: str) -> EvaluationResult:
        """What is there."""
        return EvaluationResult(self._spec, tuple(self._items), tuple(self._judgements), self._n_items, judge)


class _LogPlace:
    """Keeps an evaluation in the log, and goes on with what is there under its name."""

    def __init__(self, store: SessionStore, spec: EvaluationSpec, pictures: PictureSet, n_items: int) -> None:
        from gazeviz.store.evaluations import EvaluationLog

        self._log, self._name = EvaluationLog(store), spec.name
        self._number = self._log.begin(spec, pictures, n_items)

    def known(self, judge: str) -> tuple[Sequence[EvaluationItem], set[ItemKey]]:
        """The items that are there, and those that this judge has judged."""
        found = self._log.result(self._name)
        return found.items, {one.key for one in found.judgements if one.judge == judge}

    def keep(self, items: Sequence[EvaluationItem], judgements: Sequence[Judgement]) -> None:
        """Write a block."""
        self._log.keep(self._number, items, judgements)

    def end(self, state: str, message: str) -> None:
        """Say how it stands."""
        self._log.end(self._number, state, message)

    def result(self, judge: str) -> EvaluationResult:
        """What is there."""
        return self._log.result(self._name, judge)


def unjudged(result: EvaluationResult, judge: str) -> list[EvaluationItem]:
    """The items that a judge has not judged."""
    done = {one.key for one in result.judgements if one.judge == judge}
    return [item for item in result.items if item.key not in done]


def _said_before(result: EvaluationResult, judge: str, missing: Sequence[EvaluationItem]) -> list[Judgement]:
    """What a person has said of the same texts about the same pictures in an earlier sitting."""
    judged = {one.key: one for one in result.judgements if one.judge == judge}
    said = {(item.key.picture, item.text): judged[item.key] for item in result.items if item.key in judged}
    return [
        replace(said[place], key=item.key)
        for item in missing
        if (place := (item.key.picture, item.text)) in said
    ]


def judged_again(
    log: SessionStore,
    name: str,
    judge: Judge,
    *,
    captions: Path | None = None,
    progress: Progress = _silent,
    cancelled: Callable[[], bool] | None = None,
    shuffled: bool = False,
    planned: Callable[[int], None] | None = None,
) -> EvaluationResult:
    """Let a judge read the stored texts of an evaluation, without a model; goes on where it stopped.

    shuffled: in a random order, and each judgement is kept at once: for a person.
    planned: told how many questions there are before the first, equal texts about a picture being one.

    UserErrors of the judge and of a set whose pictures have changed.
    """
    from gazeviz.engine.evaluation.runner import judge_items
    from gazeviz.store.evaluations import EvaluationLog

    kept = EvaluationLog(log)
    found = kept.result(name)
    pictures = open_pictures(found.spec.source, None, captions)
    if pictures.fingerprint != found.spec.set_fingerprint and captions is None:
        raise UserError(
            f"The pictures of “{name}” have changed since it was run.", next_step="Bring them back."
        )
    number = next(one.evaluation_id for one in kept.all() if one.name == name)
    missing = unjudged(found, judge.name)
    if planned is not None:
        planned(len({(item.key.picture, item.text) for item in missing if item.junk is None}))
    if shuffled:
        repeated = _said_before(found, judge.name, missing)
        kept.keep(number, (), repeated)
        told = {one.key for one in repeated}
        missing = [item for item in missing if item.key not in told]
        order = np.random.default_rng(0).permutation(len(missing)).tolist()
        missing = [missing[place] for place in order]
    judge_items(
        missing,
        pictures,
        judge,
        lambda said: kept.keep(number, (), said),
        cancelled=cancelled,
        at_once=1 if shuffled else 20,
        progress=lambda done, total, _: progress(f"{judge.name}: {done} of {total} texts", done / total),
    )
    return kept.result(name, judge.name)
