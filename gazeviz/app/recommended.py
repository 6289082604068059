"""How a model is steered before anybody has chosen otherwise: as its own folder recommends.

Knows no worker and no widget.
"""

from __future__ import annotations

from typing import Final

from gazeviz.app.session_parts import SteeringSettings
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import ModelInfo
from gazeviz.domain.steering import Scope
from gazeviz.errors import UserError

FEWEST_CHOSEN: Final = 12
DEFAULT_SHARE: Final = 12
"""Where a ranking comes without a number, one head in so many is chosen, as the published 100 of 1152; small
grids need a larger part."""


def recommended_heads(info: ModelInfo | None) -> HeadSet:
    """The heads that the model's folder recommends; UserError where it ranks none."""
    if info is None:
        raise UserError("No model is loaded.", next_step="Load a model first.")
    ranking = info.default_ranking
    if ranking is None:
        raise UserError(
            f"{info.name} comes without a ranking of its heads.",
            next_step="Measure one on strips, or import a ranking file.",
        )
    n_heads = len(ranking.order())
    n = info.recommended.n if info.recommended else max(FEWEST_CHOSEN, round(n_heads / DEFAULT_SHARE))
    return ranking.top(min(n, n_heads))


def recommended_steering(info: ModelInfo, scope: Scope) -> SteeringSettings:
    """Mode, strength and rows that the model's folder recommends, else the usual ones.

    scope: the rows of what is asked, where the folder names none.
    """
    advice = info.recommended
    if advice is None:
        return SteeringSettings(scope=scope)
    return SteeringSettings(advice.mode, advice.strength, advice.alpha, advice.scope or scope)
