"""Collecting examples of one head: every picture of a set is described, and the head watched at each token.

The model's own answers are read, unsteered. What is kept of all tokens is one row of attention each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from gazeviz.domain.experiments.head_examples import (
    ExampleGroup,
    HeadExample,
    HeadExamples,
    TokenLook,
    choose_looks,
)
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.engine.discovery.measurements import maps_of
from gazeviz.errors import Cancelled, UserError
from gazeviz.imaging import open_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gazeviz.domain.grid import TokenGrid
    from gazeviz.domain.run import Run
    from gazeviz.engine.discovery.discovery import PanelledPicture
    from gazeviz.engine.engine import Engine

THUMBNAIL_PX = 240
_CONTEXT_TOK = 3


@dataclass(frozen=True)
class _Described:
    """What is kept of one picture: its answer's texts, the head's rows, and where the image tokens lie."""

    tokens: tuple[str, ...]
    rows_TP: NDArray[np.float16]
    grid: TokenGrid


def examples_over(
    engine: Engine,
    pictures: Sequence[PanelledPicture],
    prompt: str,
    head: Head,
    *,
    names: Sequence[str] = (),
    measured_on: str = "",
    max_new_tokens: int = 300,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> HeadExamples:
    """Describe every picture and choose the head's examples.

    max_new_tokens: the longest answer.  Raises UserError for no picture, a head that the model lacks, and
    where nothing was said about any picture; Cancelled when told so.
    """
    if not pictures:
        raise UserError("There is no picture to look at.", next_step="Choose a set of pictures.")
    heads = HeadSet((head,))
    engine.check_heads(heads)
    described: list[_Described] = []
    looks: list[TokenLook] = []
    for number, picture in enumerate(pictures):
        if cancelled is not None and cancelled():
            raise Cancelled("Collecting examples was cancelled.")
        run = engine.generate(picture.image, prompt, max_new_tokens=max_new_tokens, track=heads)
        texts = tuple(token.text for token in run.tokens)
        described.append(_Described(texts, run.rows_THP[:, 0].astype(np.float16), run.grid))
        looks += _looks(number, run, picture)
        if progress is not None:
            progress(number + 1, len(pictures))
    if not looks:
        raise UserError(
            "The model said nothing about these pictures.",
            next_step="Choose another prompt or other pictures.",
        )
    told = tuple(names) or tuple(f"picture {number}" for number in range(1, len(pictures) + 1))
    chosen = choose_looks(looks, seed)
    return HeadExamples(
        head,
        measured_on,
        prompt,
        len(pictures),
        np.array([look.mass for look in looks], dtype=np.float32),
        tuple(
            _shown(group, look, described[look.picture], pictures[look.picture], told[look.picture])
            for group, some in chosen.items()
            for look in some
        ),
        seed,
    )


def _looks(number: int, run: Run, picture: PanelledPicture) -> list[TokenLook]:
    """Every token's largest mass on a region; on the whole picture where it has none."""
    rows_TP = run.rows_THP[:, 0].astype(np.float64)
    if not picture.panels:
        return [TokenLook(number, token, -1, float(mass)) for token, mass in enumerate(rows_TP.sum(axis=1))]
    masses_TR = np.stack(
        [rows_TP[:, run.grid.tokens(region)].sum(axis=1) for region in picture.panels], axis=1
    )
    best_T = masses_TR.argmax(axis=1)
    return [
        TokenLook(number, token, int(region), float(masses_TR[token, region]))
        for token, region in enumerate(best_T)
    ]


def _shown(
    group: ExampleGroup, look: TokenLook, described: _Described, picture: PanelledPicture, name: str
) -> HeadExample:
    tokens, at = described.tokens, look.token
    row_P = described.rows_TP[at].astype(np.float32)
    return HeadExample(
        group,
        name,
        "".join(tokens[max(0, at - _CONTEXT_TOK) : at]),
        tokens[at],
        "".join(tokens[at + 1 : at + 1 + _CONTEXT_TOK]),
        look.region,
        picture.panels[look.region].name if look.region >= 0 else "",
        look.mass,
        maps_of(row_P[None, None, None], described.grid)[0],
        _thumbnail(picture.image),
    )


def _thumbnail(image: Any) -> NDArray[np.uint8]:
    """The picture, at most `THUMBNAIL_PX` wide and high, uint8 (H, W, 3)."""
    small = open_picture(image).convert("RGB")
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    return np.asarray(small, dtype=np.uint8)
