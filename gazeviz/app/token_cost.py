"""What a picture would cost in image tokens if it were not fed smaller, told from how it is fed.

The worker feeds a picture smaller where it would take more image tokens than a model's usual limit. Asking it
for the full size would mean to lay the picture out twice, so the number here is an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gazeviz.app.session_model import SessionModel
from gazeviz.domain.footprint import TEXT_TOK

_AT_LIMIT: Final = 0.75
"""A picture that takes this part of the limit was reduced by it: grids are whole rows, tiles whole tiles."""
_WORTH_ASKING: Final = 1.15


@dataclass(frozen=True)
class TokenCost:
    """now_tok: image tokens as it is fed.  full_tok: about what it would cost as it is.

    forced: the model cannot take it in fewer tokens than now, which is more than usual.
    """

    now_tok: int
    full_tok: int
    usual_tok: int
    forced: bool = False


def token_cost(model: SessionModel) -> TokenCost | None:
    """Return what the session's picture costs and would cost; None where it is fed as it is.

    Never more than the model's context holds beside prompt and answer.
    """
    picture, grid, info = model.picture, model.grid, model.model_info
    if picture is None or grid is None or info is None:
        return None
    now_tok, usual_tok = grid.n_tokens, info.max_image_tok
    limit_tok = model.max_image_tok or usual_tok
    if now_tok > limit_tok:
        return TokenCost(now_tok, now_tok, usual_tok, forced=True)
    (width_px, height_px), (fed_width_px, fed_height_px) = picture.size_px, grid.fed_size_px
    growth = width_px * height_px / (fed_width_px * fed_height_px)
    if now_tok < _AT_LIMIT * limit_tok or growth < _WORTH_ASKING:
        return None
    full_tok = round(now_tok * growth)
    if info.context_tok:
        full_tok = min(full_tok, info.context_tok - TEXT_TOK)
    return TokenCost(now_tok, full_tok, usual_tok) if full_tok > limit_tok else None
