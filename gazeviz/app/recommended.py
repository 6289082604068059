"""How a model is steered before anybody has chosen otherwise: as its own folder recommends.

Knows no worker and no widget.
"""

from __future__ import annotations

from typing import Final

from gazeviz.app.session_parts import SteeringSettings
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import ModelInfo, Recommended
from gazeviz.domain.steering import Scope
from gazeviz.errors import UserError

FEWEST_CHOSEN: Final = 12
DEFAULT_SHARE: Final = 12
"""Where a ranking comes without a number, one head in so many is chosen, as the published 100 of 1152; small
grids need a larger part."""


def recommended_heads(info: ModelInfo | None, *, moving: bool = False) -> HeadSet:
    """The heads that the model's folder recommends; UserError where it ranks none.

    moving: for narrations whose target moves.
    """
    if info is None:
        raise UserError("No model is loaded.", next_step="Load a model first.")
    ranking = recommended_ranking(info, moving=moving)
    if ranking is None:
        raise UserError(
            f"{info.name} comes without a ranking of its heads.",
            next_step="Measure one on strips, or import a ranking file.",
        )
    n_heads, advice = len(ranking.order()), _advice(info, moving)
    n = advice.n if advice else max(FEWEST_CHOSEN, round(n_heads / DEFAULT_SHARE))
    return ranking.top(min(n, n_heads))


def recommended_ranking(info: ModelInfo, *, moving: bool = False) -> HeadRanking | None:
    """The ranking whose best heads are recommended; None where the model comes without one."""
    advice = _advice(info, moving)
    return info.rankings.get(advice.ranking, info.default_ranking) if advice else info.default_ranking


def recommended_steering(info: ModelInfo, scope: Scope, *, moving: bool = False) -> SteeringSettings:
    """Mode, strength and rows that the model's folder recommends, else the usual ones.

    scope: the rows of what is asked, where the folder names none for it.
    """
    advice = _advice(info, moving)
    if advice is None:
        return SteeringSettings(scope=scope)
    named = advice.scope if not moving or advice is info.recommended_moving else None
    return SteeringSettings(advice.mode, advice.strength, advice.alpha, named or scope)


def _advice(info: ModelInfo, moving: bool) -> Recommended | None:
    return (info.recommended_moving if moving else None) or info.recommended
