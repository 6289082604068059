"""What one strip tells about every head, and how strips add up to the scores of a ranking.

Strips may differ in their number of panels: each strip counts once, ratios are taken among strips with the
same number. Pure numpy; axes as in `gazeviz.engine.discovery.scores`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.grid import TokenGrid
from gazeviz.engine.discovery import scores as rankings
from gazeviz.engine.discovery.scores import FloatArray, Places


@dataclass(frozen=True)
class Looks:
    """Where every head looks at the last prompt token of the panel questions about one strip.

    matrix_LHKR: mass on panel R when panel K was asked about; image_z_LH: see `rankings.image_zscore`;
    places, mean_map_LHYX: None where nobody asked for the localization rankings, which cost more than the
    others together. The map is the mean over the questions, float32.
    """

    matrix_LHKR: FloatArray
    image_z_LH: FloatArray
    places: Places | None
    mean_map_LHYX: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Narrated:
    """Where every head looks while panel K is described.

    matrix_LHKR: mean mass over the tokens about panel K; 0 where nothing is said of it. n_tok_K: how many
    tokens."""

    matrix_LHKR: FloatArray
    n_tok_K: NDArray[np.int64]


@dataclass(frozen=True)
class Effect:
    """What every head's attention does to the answers about one strip: see `causal.effects`."""

    effect_LH: FloatArray


Sample = Looks | Narrated | Effect


def looks_of(
    rows_LHKP: NDArray[np.float32],
    tokens_by_panel: Sequence[NDArray[np.int64]],
    grid: TokenGrid,
    *,
    with_places: bool = True,
) -> Looks:
    """Measure one strip from the last prompt token's rows, one for each asked panel."""
    image_mass_LHK = rows_LHKP.sum(axis=-1, dtype=np.float64)
    return Looks(
        matrix_LHKR=rankings.panel_mass(rows_LHKP, tokens_by_panel),
        image_z_LH=rankings.image_zscore(image_mass_LHK),
        places=_places(rows_LHKP, image_mass_LHK, grid) if with_places else None,
        mean_map_LHYX=_mean_map(rows_LHKP, grid) if with_places else None,
    )


def _places(rows_LHKP: NDArray[np.float32], image_mass_LHK: FloatArray, grid: TokenGrid) -> Places:
    maps_NYX = maps_of(rows_LHKP, grid)
    shape_LHK = rows_LHKP.shape[:3]
    return Places(
        image_mass_LH=image_mass_LHK.mean(axis=-1),
        entropy_LH=rankings.spatial_entropy(maps_NYX).reshape(shape_LHK).mean(axis=-1),
        bottom_share_LH=rankings.bottom_row_share(maps_NYX).reshape(shape_LHK).mean(axis=-1),
        n_rows=float(maps_NYX.shape[1]),
    )


def _mean_map(rows_LHKP: NDArray[np.float32], grid: TokenGrid) -> NDArray[np.float32]:
    mean_LH1P = rows_LHKP.mean(axis=2, keepdims=True)
    maps_NYX = maps_of(mean_LH1P, grid)
    return maps_NYX.reshape(*rows_LHKP.shape[:2], *maps_NYX.shape[1:]).astype(np.float32)


def maps_of(rows_LHKP: NDArray[np.float32], grid: TokenGrid) -> NDArray[np.float32]:
    """Every row as a map, (N, Y, X) with N = L x H x K.

    Where the tokens are no plain grid (tiles beside a thumbnail, tokens without a place), each point of a
    raster as fine as the smallest cells takes the smallest cell above it, and 0 where there is none."""
    n_maps, n_tok = int(np.prod(rows_LHKP.shape[:3])), rows_LHKP.shape[3]
    rows_NP = rows_LHKP.reshape(n_maps, n_tok)
    if grid.shape_RC is not None:
        return rows_NP.reshape(n_maps, *grid.shape_RC)
    token_YX = _smallest_cells(grid)
    padded = np.concatenate([rows_NP, np.zeros((n_maps, 1), dtype=np.float32)], axis=1)
    return padded[:, token_YX.ravel()].reshape(n_maps, *token_YX.shape)


def _smallest_cells(grid: TokenGrid) -> NDArray[np.int64]:
    """The token shown at each point of a raster of cells, (Y, X); -1 where there is none."""
    sizes_P2 = grid.boxes_P4[:, 2:] - grid.boxes_P4[:, :2]
    width_px, height_px = np.nanmin(sizes_P2, axis=0)
    n_columns = max(1, round(grid.picture_size_px[0] / float(width_px)))
    n_rows = max(1, round(grid.picture_size_px[1] / float(height_px)))
    area_P = sizes_P2.prod(axis=1)
    token_YX = np.full((n_rows, n_columns), -1, dtype=np.int64)
    for y in range(n_rows):
        for x in range(n_columns):
            centre = (
                (x + 0.5) / n_columns * grid.picture_size_px[0],
                (y + 0.5) / n_rows * grid.picture_size_px[1],
            )
            here = grid.token_at(*centre)
            if here.size:
                token_YX[y, x] = here[np.argmin(area_P[here])]
    return token_YX


def narrated_of(mass_LHTR: FloatArray, panel_T: NDArray[np.int64]) -> Narrated:
    """Measure one narration from the panel masses of the row that produced each of its T tokens about a
    panel.
    """
    n_panels = mass_LHTR.shape[-1]
    n_tok_K = np.bincount(panel_T, minlength=n_panels)
    about_TK = (panel_T[:, None] == np.arange(n_panels)) / np.maximum(n_tok_K, 1)
    return Narrated(np.einsum("lhtr,tk->lhkr", mass_LHTR, about_TK), n_tok_K)


def scores(name: str, samples: Sequence[Sample]) -> FloatArray:
    """The scores of a ranking from the samples that it is made of, (L, H)."""
    return _SCORES[name](samples)


def matrix(samples: Sequence[Sample]) -> FloatArray | None:
    """Mean A[l, h, asked or described panel, looked-at panel]; None where strips differ in their number of
    panels.

    Also None for samples without such a matrix, and where some panel was never described.
    """
    looking = [sample for sample in samples if isinstance(sample, Looks | Narrated)]
    if not looking or len({sample.matrix_LHKR.shape for sample in looking}) > 1:
        return None
    weights_SK = np.array(
        [s.n_tok_K > 0 if isinstance(s, Narrated) else np.ones(s.matrix_LHKR.shape[2]) for s in looking]
    ).astype(np.float64)
    if not weights_SK.any(axis=0).all():
        return None
    total = sum(s.matrix_LHKR * w[:, None] for s, w in zip(looking, weights_SK, strict=True))
    return np.asarray(total / weights_SK.sum(axis=0)[:, None])


def _mass(samples: Sequence[Looks]) -> FloatArray:
    return _mean([rankings.diagonal_mean(sample.matrix_LHKR) for sample in samples])


def _selectivity(samples: Sequence[Looks]) -> FloatArray:
    groups: dict[int, list[FloatArray]] = {}
    for sample in samples:
        groups.setdefault(sample.matrix_LHKR.shape[-1], []).append(sample.matrix_LHKR)
    total = sum(len(group) * rankings.selectivity(_mean(group)) for group in groups.values())
    return np.asarray(total / len(samples))


def _tracking(samples: Sequence[Narrated]) -> FloatArray:
    per_strip = [
        np.diagonal(sample.matrix_LHKR, axis1=-2, axis2=-1) @ (sample.n_tok_K / sample.n_tok_K.sum())
        for sample in samples
    ]
    return _mean(per_strip)


def _localization(samples: Sequence[Looks]) -> FloatArray:
    """Maps averaged first; strips of several grid sizes average within each, then count by their number."""
    groups: dict[tuple[int, ...], list[FloatArray]] = {}
    for sample in samples:
        if sample.mean_map_LHYX is not None:
            maps = sample.mean_map_LHYX.astype(np.float64)
            groups.setdefault(maps.shape, []).append(maps)
    n_L, n_H = next(iter(groups))[:2]
    entropy_LH, bottom_LH = np.zeros((n_L, n_H)), np.zeros((n_L, n_H))
    for shape, alike in groups.items():
        entropy, bottom = rankings.spatial_entropy_above_mean(_mean(alike).reshape(-1, *shape[2:]))
        part = len(alike) / len(samples)
        entropy_LH += part * entropy.reshape(n_L, n_H)
        bottom_LH += part * bottom.reshape(n_L, n_H)
    mass_LH = _mean([sample.places.image_mass_LH for sample in samples if sample.places is not None])
    return rankings.localization(mass_LH, entropy_LH, bottom_LH)


def _localization_by_question(samples: Sequence[Looks]) -> FloatArray:
    places = [sample.places for sample in samples if sample.places is not None]
    return rankings.localization_by_question(
        Places(
            image_mass_LH=_mean([place.image_mass_LH for place in places]),
            entropy_LH=_mean([place.entropy_LH for place in places]),
            bottom_share_LH=_mean([place.bottom_share_LH for place in places]),
            n_rows=float(np.mean([place.n_rows for place in places])),
        )
    )


def _mean(arrays: Sequence[FloatArray]) -> FloatArray:
    return np.asarray(sum(arrays[1:], start=arrays[0]) / len(arrays))


_SCORES: Mapping[str, Callable[..., FloatArray]] = {
    "mass": _mass,
    "selectivity": _selectivity,
    "tracking": _tracking,
    "causal": lambda samples: _mean([sample.effect_LH for sample in samples]),
    "image_heads": lambda samples: _mean([sample.image_z_LH for sample in samples]),
    "localization": _localization,
    "localization_by_question": _localization_by_question,
}
