"""The sections of a model card that are about strips: unsteered, steered, controls, moving targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gazeviz.domain.evaluation import JudgedAnswer
from gazeviz.domain.experiments.treatment import Treatment
from gazeviz.domain.statistics import bootstrap_interval, cohen_kappa, percentile_of
from gazeviz.engine.evaluation.protocols import controls
from gazeviz.testbed.card.measurement import Figures, Measurement, short
from gazeviz.testbed.card.plan import MAIN_LAYOUT
from gazeviz.testbed.card.settings import Setting, decoding, named_together
from gazeviz.testbed.card.tasks import Pictures, Task, joined
from gazeviz.testbed.world import wordings

MEASURES = ("hit", "described", "right")


def unsteered(measurement: Measurement) -> Figures:
    """What the model can do by itself: direct questions, narrations, lists of objects; and its habit."""
    named = Treatment("panel named in the prompt", names_panel=True)
    layouts = measurement.plan.layouts
    judged = {one: measurement.evaluate(named, one, "direct questions") for one in layouts}
    direct = {_label(one): evaluation.figures() for one, evaluation in judged.items()}
    told = {_label(one): _told(measurement, one) for one in layouts}
    return {
        "direct": direct,
        "misread": misread({one: evaluation.answers for one, evaluation in judged.items()}),
        "narration": told,
        "scenes": _listed(measurement),
        "asked": _asked(measurement),
        "habit": _habit(measurement),
    }


def misread(judged: Mapping[Pictures, Sequence[JudgedAnswer]]) -> Figures:
    """Whether wrong answers to direct questions are spread evenly or belong to a few combinations.

    "missed": all wrong answers; "triples": [colour, character and action in one text, wrong answers, answers]
    of those that were wrong in at least half of their answers, most often wrong first.
    """
    asked, missed = Counter[str](), Counter[str]()
    for pictures, answers in judged.items():
        strips = pictures.draw()
        for answer in answers:
            caption = strips[answer.item - pictures.first].captions[answer.target]
            triple = " ".join(caption.split()[:3])  # the grammar's first three words; the place follows
            asked[triple] += 1
            missed[triple] += not answer.complete
    often = [[one, n, asked[one]] for one, n in missed.most_common() if n and 2 * n >= asked[one]]
    return {"missed": missed.total(), "triples": often}


def steered(measurement: Measurement) -> Figures:
    """The chosen settings on the final strips."""
    by_key = {
        key: measurement.evaluate(measurement.treatment(setting), measurement.plan.final, "final strips")
        for key, setting in measurement.chosen.items()
    }
    return {
        "recommended": measurement.recommended_key,
        "measured": {
            key: {**_named(measurement.chosen[key]), **one.figures()} for key, one in by_key.items()
        },
        "judges": _judges(measurement),
    }


def controlled(measurement: Measurement) -> Figures:
    """The recommended and the best overall setting against their controls."""
    plan = measurement.plan
    shown = {"recommended": measurement.recommended, "overall": measurement.chosen["overall"]}
    return {
        name: _controls(
            measurement, setting, plan.draw_strips if "recommended" in name else plan.overall_draw_strips
        )
        for name, setting in named_together(shown).items()
    }


def elsewhere(measurement: Measurement) -> Figures:
    """The recommended setting on other wordings, sizes and layouts."""
    plan, wish = measurement.plan, measurement.treatment(measurement.recommended)
    small = Pictures(plan.seeds["other"], plan.other_strips)
    asked = {
        question: short(measurement.evaluate(wish, small, "wordings", {"prompt": question}).figures())
        for question in wordings.AMBIGUOUS
    }
    sizes = {
        f"{px} px": short(measurement.evaluate(wish, replace(small, panel_px=px), "sizes").figures())
        for px in (64, 96, 192, 256)
    }
    layouts = {
        _label(one): short(measurement.evaluate(wish, one, "layouts").figures())
        for one in plan.layouts
        if one.layout != MAIN_LAYOUT
    }
    return {"wordings": asked, "sizes": sizes, "layouts": layouts}


def moving(measurement: Measurement) -> Figures:
    """Narrations along a moving target: every ranking on the screening strips, then the best with random
    controls."""
    plan = measurement.plan
    settings = [
        Setting(name, n, scope="decode_only") for name in measurement.rankings for n in plan.moving_counts
    ]
    settings = list(dict.fromkeys([*settings, *map(decoding, measurement.chosen.values())]))
    found = measurement.narrate_all(
        [measurement.treatment(setting) for setting in settings],
        plan.screening,
        plan.every_tok[0],
        "moving target",
    )
    figures = dict(zip(settings, found, strict=True))

    def value(setting: Setting) -> tuple[float, ...]:
        return figures[setting]["on_target"], figures[setting]["rho"], -setting.n

    best = {
        "few": max((setting for setting in settings if setting.n <= measurement.few), key=value),
        "overall": max(settings, key=value),
        "recommended": decoding(measurement.recommended),
    }
    measured = {name: _moving_final(measurement, one) for name, one in named_together(best).items()}
    return {
        "screening": [{**_named(setting), **figures[setting]} for setting in settings],
        "recommended": best["few"].to_json(),
        "measured": measured,
    }


def _controls(measurement: Measurement, setting: Setting, draw_strips: int) -> Figures:
    """Random draws on some of the final strips, the other controls on all of them."""
    plan, treatment = measurement.plan, measurement.treatment(setting)
    some = replace(plan.final, n=min(draw_strips, plan.strips))
    every = _every_control(measurement, setting)
    drawn = [one for one in every if is_drawn(one)]
    fixed = [one for one in every if not is_drawn(one) and not one.names_panel and one.strength != 0.0]
    by_kind: dict[str, list[Figures]] = {"random": [], "layer_matched": []}
    for one, found in zip(drawn, measurement.evaluate_all(drawn, some, "random draws"), strict=True):
        assert one.heads is not None  # a draw has heads
        shared = len(set(one.heads) & set(treatment.heads or ()))
        by_kind[one.heads.origin.kind].append({"name": one.name, "own": shared, **short(found.figures())})
    others = measurement.evaluate_all(fixed, plan.final, "controls")
    here = short(measurement.evaluate(treatment, some, "final strips").figures())
    return {
        **_named(setting),
        "draw_strips": some.n,
        "same_strips": here,
        "draws": by_kind,
        "percentile": {kind: _percentiles(here, rows) for kind, rows in by_kind.items() if rows},
        "fixed": {one.name: short(found.figures()) for one, found in zip(fixed, others, strict=True)},
        "strength_0": _changed(measurement, next(one for one in every if one.strength == 0.0)),
    }


def _every_control(measurement: Measurement, setting: Setting) -> tuple[Treatment, ...]:
    plan = measurement.plan
    return controls(
        measurement.treatment(setting),
        measurement.rankings[setting.ranking],
        n_draws=plan.draws,
        first_seed=plan.seeds["draws"],
        exclude_own=measurement.excludes_own(setting),
    )


def is_drawn(treatment: Treatment) -> bool:
    """Whether a treatment is a random control."""
    return treatment.heads is not None and treatment.heads.origin.kind in ("random", "layer_matched")


def _percentiles(here: Figures, draws: Sequence[Figures]) -> dict[str, float]:
    return {measure: percentile_of(here[measure], [row[measure] for row in draws]) for measure in MEASURES}


def _changed(measurement: Measurement, zero: Treatment) -> dict[str, int]:
    """How many answers strength 0 changed, of how many."""
    parts = measurement.plan.final.parts(measurement.plan.piece)
    rows = joined(
        measurement.crew.do([Task("changed", part, zero.to_json()) for part in parts], "strength 0")
    )
    return {key: sum(row[key] for row in rows) for key in ("changed", "compared")}


def _judges(measurement: Measurement) -> Figures:
    """Cohen's kappa of the exact judge with two others, on steered answers."""
    plan = measurement.plan
    some = replace(plan.final, n=min(12, plan.strips))
    wish = measurement.treatment(measurement.recommended).to_json()
    rows = joined(
        measurement.crew.do([Task("agree", part, wish) for part in some.parts(max(1, some.n // 2))], "judges")
    )
    said = {name: [row[name] for row in rows] for name in ("exact", "lexical", "likelihood")}
    kappas = {f"kappa_{name}": cohen_kappa(said["exact"], said[name]) for name in ("lexical", "likelihood")}
    return {"answers": len(rows), **kappas}


def _told(measurement: Measurement, pictures: Pictures) -> Figures:
    tasks = [Task("told", part) for part in pictures.parts(2 * measurement.plan.piece)]
    rows = joined(measurement.crew.do(tasks, "narrations"))
    right_SR = np.array([row["right"] for row in rows])
    strips = np.repeat(np.arange(len(rows)), right_SR.shape[1])
    return {
        "strips": len(rows),
        "right": float(right_SR.mean()),
        "interval": list(bootstrap_interval(right_SR.ravel(), strips)),
        "by_panel": right_SR.mean(axis=0).tolist(),
        "junk": float(np.mean([row["junk"] is not None for row in rows])),
    }


def _listed(measurement: Measurement) -> Figures:
    parts = measurement.plan.final_scenes.parts(2 * measurement.plan.piece)
    rows = joined(measurement.crew.do([Task("listed", part) for part in parts], "lists of objects"))
    there, named, extra = (sum(row[key] for row in rows) for key in ("there", "named", "extra"))
    return {
        "scenes": len(rows),
        "objects": there,
        "named": named / there,
        "extra_per_scene": extra / len(rows),
    }


def _asked(measurement: Measurement) -> Figures:
    """Questions for one attribute, on some final strips and the scenes: answers and share right by kind."""
    plan = measurement.plan
    some = replace(plan.final, n=min(plan.asked_strips, plan.strips))
    found: Figures = {}
    for where, pictures in (("strips", some), ("scenes", plan.final_scenes)):
        tasks = [Task("asked", part) for part in pictures.parts(plan.piece)]
        rows = joined(measurement.crew.do(tasks, "questions for one attribute"))
        for kind in dict.fromkeys(row["kind"] for row in rows):
            right = [row["right"] for row in rows if row["kind"] == kind]
            found[f"{where}: {kind}"] = {"answers": len(right), "right": float(np.mean(right))}
    return found


def _habit(measurement: Measurement) -> Figures:
    """What the model describes when it is asked about "this panel" and nobody steers."""
    evaluation = measurement.evaluate(Treatment("unsteered"), measurement.plan.final, "unsteered")
    by_strip: dict[int, list[JudgedAnswer]] = {}
    for answer in evaluation.answers:
        by_strip.setdefault(answer.item, []).append(answer)
    # Unsteered, all answers about a strip are one and the same text.
    described = Counter(-1 if rows[0].chosen is None else rows[0].chosen for rows in by_strip.values())
    return {
        "strips": len(by_strip),
        "by_panel": [described[panel] / len(by_strip) for panel in range(6)],
        "unclear": described[-1] / len(by_strip),
        "complete": float(np.mean([any(answer.complete for answer in rows) for rows in by_strip.values()])),
    }


def _moving_final(measurement: Measurement, setting: Setting) -> Figures:
    plan, treatment = measurement.plan, measurement.treatment(setting)
    first, *more = plan.every_tok
    some = replace(plan.final, n=min(plan.moving_draw_strips, plan.strips))
    drawn = [
        one
        for one in _every_control(measurement, setting)
        if is_drawn(one) and one.heads is not None and one.heads.origin.kind == "random"
    ]
    whole = {every: _moved(measurement, treatment, plan.final, every) for every in plan.every_tok}
    here = _moved(measurement, treatment, some, first)
    draws = measurement.narrate_all(drawn, some, first, "moving target, random heads")
    return {
        **_named(setting),
        "every_tok": first,
        **whole[first],
        "other_every_tok": {str(every): whole[every] for every in more},
        "draw_strips": some.n,
        "draws": draws,
        "percentile": {
            key: percentile_of(here[key], [draw[key] for draw in draws]) for key in ("rho", "on_target")
        },
    }


def _moved(measurement: Measurement, treatment: Treatment, pictures: Pictures, every_tok: int) -> Figures:
    return measurement.narrate_all([treatment], pictures, every_tok, "moving target")[0]


def _named(setting: Setting) -> Figures:
    return {"label": setting.label, **setting.to_json()}


def _label(pictures: Pictures) -> str:
    return f"{pictures.layout[0]}x{pictures.layout[1]}"
