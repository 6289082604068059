"""Which panel a narration's tokens speak of, and the controls of a treatment. Runs nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.experiments.treatment import Treatment
from gazeviz.domain.heads import Head, HeadOrigin, HeadRanking, HeadSet, Pool
from gazeviz.engine.generation.decoding import Decoder, Speller
from gazeviz.errors import UserError

# Which panel a narration's tokens speak of.
#
# A narration says "Panel 1: ... Panel 2: ..."; what stands behind a mark, up to the next one, speaks of that
# panel, the mark itself of none. Knows text and tokens; knows no model.


# "Panel 2:", also "**Panel 2**:", "Panel 2 - "; "as in panel 2, it sleeps" is no mark.
_MARK: Final = re.compile(r"\bpanel\s+(\d{1,2})\W{0,3}?(?::|[–—-]\s)\**\s*", re.IGNORECASE)


def narration_of(captions: Sequence[str]) -> str:
    """The captions told in order: "Panel 1: a cat sleeps. Panel 2: it wakes." """
    return " ".join(
        f"Panel {k}: {caption.strip().rstrip('.')}." for k, caption in enumerate(captions, start=1)
    )


def spans(text: str, n_panels: int) -> tuple[tuple[int, int, int], ...]:
    """(panel from 0, first character, character behind the last) of every marked passage about one of the
    panels.
    """
    marks = list(_MARK.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)][: len(marks)]
    return tuple(
        (int(mark[1]) - 1, mark.end(), end)
        for mark, end in zip(marks, ends, strict=True)
        if 1 <= int(mark[1]) <= n_panels and text[mark.end() : end].strip()
    )


def captions_in(text: str, n_panels: int) -> Mapping[int, str]:
    """What a narration says of each panel (from 0), the first time it speaks of it."""
    said: dict[int, str] = {}
    for panel, start, end in spans(text, n_panels):
        said.setdefault(panel, text[start:end].strip(" *\n"))  # a bold mark's stars belong to the mark
    return said


def panel_of_tokens(tokenizer: Decoder, token_ids: Sequence[int], n_panels: int) -> NDArray[np.int64]:
    """The panel (from 0) that each token speaks of, int64 (T,); -1 for marks and what stands before the
    first.

    A token belongs to the passage in which its own text starts, spaces before it left out.
    """
    speller = Speller(tokenizer)
    starts, text = [], ""
    for place, token_id in enumerate(token_ids, start=1):
        added = speller.add(token_id, last=place == len(token_ids))
        starts.append(len(text) + len(added) - len(added.lstrip()))
        text += added
    panels = np.full(len(token_ids), -1, dtype=np.int64)
    for panel, start, end in spans(text, n_panels):
        panels[[place for place, at in enumerate(starts) if start <= at < end]] = panel
    return panels


def controls(
    treatment: Treatment,
    ranking: HeadRanking,
    *,
    n_draws: int = 10,
    first_seed: int = 0,
    pool: Pool = "all",
    exclude_own: bool = True,
) -> tuple[Treatment, ...]:
    """The controls of a treatment: random draws, and everything else an honest comparison shows.

    In this order: uniform draws from the pool (without the treatment's own heads, if `exclude_own`), draws
    matched to its layers (without its heads; with them, where a layer has too few others), all heads, the
    lowest-scoring heads, another region of the same area, strength 0, and the panel named in the prompt. Draw
    i has seed first_seed + i.
    Raises UserError for a treatment without heads, and where the pool is too small for a draw.
    """
    heads = treatment.heads
    if heads is None:
        raise UserError("A control needs heads to stand against.", next_step="Choose heads first.")
    seeds = range(first_seed, first_seed + n_draws)
    own = heads if exclude_own else None
    uniform = [ranking.random(len(heads), seed, exclude=own, pool=pool) for seed in seeds]
    everything = HeadSet(ranking.order(), HeadSet.all(ranking.shape_LH).origin)
    others = (everything, ranking.bottom(len(heads)))
    return (
        *(_with_heads(treatment, one) for one in (*uniform, *_layer_matched(heads, ranking, seeds, pool))),
        *(_with_heads(treatment, one) for one in others),
        replace(treatment, name="another region", aim="elsewhere"),
        replace(treatment, name="strength 0", mode="boost_suppress", strength=0.0),
        Treatment("panel named in the prompt", names_panel=True),
    )


def _with_heads(treatment: Treatment, heads: HeadSet) -> Treatment:
    return replace(treatment, name=str(heads.origin), heads=heads)


def _layer_matched(heads: HeadSet, ranking: HeadRanking, seeds: range, pool: Pool) -> list[HeadSet]:
    try:
        return [ranking.random(len(heads), seed, like=heads, pool=pool) for seed in seeds]
    except UserError:  # a layer most of whose heads are steered has too few others
        return [_within_layers(heads, ranking, seed, pool) for seed in seeds]


def _within_layers(heads: HeadSet, ranking: HeadRanking, seed: int, pool: Pool) -> HeadSet:
    """As many heads of each layer as the set has there, its own among those that can be drawn."""
    rng = np.random.default_rng(seed)
    drawn: list[Head] = []
    for layer, indices in heads.by_layer().items():
        candidates = sorted(head for head in ranking.pool(pool) if head.layer == layer)
        if len(candidates) < len(indices):
            raise UserError(
                f"The pool holds {len(candidates)} heads of layer {layer}, too few to match {len(indices)}.",
                next_step="Choose a larger pool, or fewer heads.",
            )
        drawn += [candidates[i] for i in rng.choice(len(candidates), size=len(indices), replace=False)]
    return HeadSet(tuple(drawn), HeadOrigin("layer_matched", ranking.name, len(heads), seed, pool))
