"""The section of a model card about free scenes: is the object named on which a region was painted?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from gazeviz.domain.evaluation import Evaluation
from gazeviz.domain.experiments.treatment import Treatment
from gazeviz.domain.statistics import percentile_of
from gazeviz.engine.evaluation.protocols import controls
from gazeviz.testbed.card.measurement import Figures, Measurement, short
from gazeviz.testbed.card.settings import Setting, first_round, named_together
from gazeviz.testbed.card.tasks import SCENES, Pictures

_PROTOCOL: Final[Mapping[str, str]] = {"protocol": "region"}
_FEWEST: Final = 8  # heads: fewer were never best on strips, and every setting costs as much again


def regions(measurement: Measurement) -> Figures:
    """Objects of free scenes, painted one by one: settings by screening, then the best with their
    controls."""
    plan = measurement.plan
    pictures = Pictures(plan.seeds["screening_scenes"], plan.screening_scenes, layout=SCENES)
    counts = [n for n in plan.moving_counts if n >= _FEWEST]
    settings = list(dict.fromkeys([*first_round(measurement.rankings, counts), *measurement.chosen.values()]))
    treatments = [measurement.treatment(setting) for setting in settings]
    found = measurement.evaluate_all(treatments, pictures, "scenes, screening", _PROTOCOL)
    screened = {setting: short(one.figures()) for setting, one in zip(settings, found, strict=True)}

    def value(setting: Setting) -> tuple[float, float, int]:
        return screened[setting]["complete"], screened[setting]["hit"], -setting.n

    shown = {
        "recommended": measurement.recommended,
        "few": max((one for one in settings if one.n <= measurement.few), key=value),
        "overall": max(settings, key=value),
    }
    return {
        "screening": [{"label": one.label, **one.to_json(), **screened[one]} for one in settings],
        "recommended": shown["few"].to_json(),
        "measured": {name: _measured(measurement, one) for name, one in named_together(shown).items()},
    }


def _measured(measurement: Measurement, setting: Setting) -> Figures:
    plan, treatment = measurement.plan, measurement.treatment(setting)
    every = controls(
        treatment,
        measurement.rankings[setting.ranking],
        n_draws=plan.draws,
        first_seed=plan.seeds["draws"],
        exclude_own=measurement.excludes_own(setting),
    )
    others = [
        one for one in every if not one.names_panel and one.strength != 0.0 and _kind(one) != "layer_matched"
    ]
    own, plain, *found = measurement.evaluate_all(
        [treatment, Treatment("unsteered"), *others], plan.final_scenes, "scenes", _PROTOCOL
    )
    rows = [(one, figures_of(evaluation)) for one, evaluation in zip(others, found, strict=True)]
    draws = [row for one, row in rows if _kind(one) == "random"]
    return {
        "label": setting.label,
        **setting.to_json(),
        **figures_of(own),
        "unsteered": figures_of(plain),
        "controls": {one.name: row for one, row in rows if _kind(one) != "random"},
        "draws": draws,
        "percentile": percentile_of(own.share("complete"), [draw["named"] for draw in draws]),
    }


def _kind(treatment: Treatment) -> str:
    """Where a treatment's heads come from; another region has the setting's own heads."""
    return treatment.heads.origin.kind if treatment.heads and treatment.aim == "target" else ""


def figures_of(evaluation: Evaluation) -> Figures:
    """Share of painted objects that are named (and no other), by size too."""
    return {
        "answers": len(evaluation.answers),
        "chance": evaluation.chance,
        "named": evaluation.share("complete"),
        "named_interval": list(evaluation.interval("complete")),
        "named_and_changed": evaluation.share("right"),
        "by_size": {size: list(pair) for size, pair in evaluation.by_size("complete").items()},
        "area_thirds": area_thirds(evaluation),
        "junk": evaluation.junk_share,
    }


def area_thirds(evaluation: Evaluation) -> list[Figures]:
    """Share named in each third of the targets by their area in fed pixels, smallest first."""
    ordered = sorted(evaluation.answers, key=lambda answer: answer.area_px)
    thirds = [part.tolist() for part in np.array_split(np.arange(len(ordered)), 3) if part.size]
    return [
        {
            "from_px": ordered[part[0]].area_px,
            "to_px": ordered[part[-1]].area_px,
            "named": float(np.mean([bool(ordered[place].complete) for place in part])),
        }
        for part in thirds
    ]
