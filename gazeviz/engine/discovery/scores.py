"""The formulas that turn captured attention rows into one score per head.

Pure numpy on arrays named by their axes: L layer, H head, K asked (or described) panel, R looked-at panel,
Q row, P image token, N map. A head that the model does not have is NaN throughout and stays NaN. Nothing
here knows a model, a picture or where the rows came from. The rankings are those of Gandikota & Bau (arXiv
2606.14703), their two published baselines, and ours; each function names its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# A head with less than this mass on the panels cannot reach a full selectivity score: below it the share of
# the asked panel is a ratio of two numbers near zero, and a head that ignores the picture would rank by
# noise.
IMAGE_MASS_FLOOR: Final = 0.05
# Layers 0 and 1 gather the picture before any question is read; the localization baseline leaves them out.
FIRST_LOCALIZING_LAYER: Final = 2
# How far above its map's mean a cell must be to belong to a part (attention mass), as published.
PART_THRESHOLD: Final = 0.001
# Maps labelled at once: keeps the label arrays of a large model near 10 MB.
_MAPS_AT_ONCE: Final = 1024


def panel_mass(rows_LHQP: NDArray[np.floating], tokens_by_panel: Sequence[NDArray[np.int64]]) -> FloatArray:
    """Attention mass of every row on every panel, (L, H, Q, R): raw sums in 0..1, never renormalised over
    panels.
    """
    sums = [rows_LHQP[..., tokens].sum(axis=-1, dtype=np.float64) for tokens in tokens_by_panel]
    return np.stack(sums, axis=-1)


def diagonal_mean(matrix_LHKR: FloatArray) -> FloatArray:
    """Mean over the asked panels of the mass on the asked panel, (L, H) in 0..1: the paper's `mass` score."""
    diagonal_LHK = np.diagonal(matrix_LHKR, axis1=-2, axis2=-1)
    return np.asarray(diagonal_LHK.mean(axis=-1), dtype=np.float64)


def selectivity(matrix_LHKR: FloatArray, floor: float = IMAGE_MASS_FLOOR) -> FloatArray:
    """Mean over the asked panels of the asked panel's share of the mass on all panels, (L, H) in 0..1.

    A row whose mass on the panels is below `floor` is divided by the floor instead, so its score fades to 0
    with the mass. At the floor and above, a head that looks at all panels alike scores 1 / R whatever its
    mass."""
    on_panels_LHK = np.maximum(matrix_LHKR.sum(axis=-1), floor)
    shares_LHKR = matrix_LHKR / on_panels_LHK[..., None]
    return diagonal_mean(shares_LHKR)


def image_zscore(image_mass_LHQ: FloatArray) -> FloatArray:
    """Mass on all image tokens, z-scored among the heads of a layer for each row, averaged over rows, (L, H).

    Source: the image-heads baseline of arXiv 2606.14703. A layer whose heads are all alike scores 0.
    """
    present_LH = np.asarray(~np.isnan(image_mass_LHQ).any(axis=-1))
    n_L = np.maximum(present_LH.sum(axis=1), 1)[:, None, None]
    filled = np.where(present_LH[..., None], image_mass_LHQ, 0.0)
    mean = filled.sum(axis=1, keepdims=True) / n_L
    centred = np.where(present_LH[..., None], filled - mean, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=1, keepdims=True) / n_L)
    scores = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 1e-12).mean(axis=-1)
    return np.where(present_LH, scores, np.nan)


def above_elbow(values: FloatArray) -> BoolArray:
    """Which values lie above the elbow of their sorted curve; any shape, NaN is never above.

    The elbow is the point of the descending curve farthest from the chord between its ends (its distance to
    the chord and its height above it have the same maximum). A curve that sags under the chord has few high
    values and its elbow is the first low one, which is left out; a curve that bulges has its elbow at the
    last high one, which is kept. Of values that are all equal none is above."""
    present = ~np.isnan(values)
    curve = np.sort(values[present])[::-1]
    if curve.size < 2 or curve[0] - curve[-1] <= 1e-12:
        return np.zeros(values.shape, dtype=np.bool_)
    sag = np.linspace(curve[0], curve[-1], curve.size) - curve
    elbow = int(np.argmax(np.abs(sag)))
    kept = values >= curve[elbow] if sag[elbow] < 0 else values > curve[elbow]
    return np.asarray(present & kept, dtype=np.bool_)


def spatial_entropy(maps_NYX: NDArray[np.floating]) -> FloatArray:
    """Entropy in nats of the mass over the connected regions above each map's mean, (N,): 0 = all in one
    place.

    Regions are 4-connected; a flat map has no cell above its mean and counts as one region per cell. Source
    of the formula: spatial entropy as the localization-heads baseline uses it (arXiv 2503.06287). NaN maps
    stay NaN."""
    entropies = [
        _entropy_of_maps(maps_NYX[start : start + _MAPS_AT_ONCE])
        for start in range(0, len(maps_NYX), _MAPS_AT_ONCE)
    ]
    return np.concatenate(entropies) if entropies else np.zeros(0)


def spatial_entropy_above_mean(maps_NYX: NDArray[np.floating]) -> tuple[FloatArray, BoolArray]:
    """Spatial entropy as the localization-heads paper takes it, and which maps fill their bottom row.

    S = map minus its mean, negative parts 0; parts are 8-connected cells of S above `PART_THRESHOLD`;
    entropy in nats of the parts' sums of S, (N,), that of one part per cell for a map without parts. The
    second (N,) is True where every bottom cell lies inside a part. NaN maps stay NaN. Source: arXiv
    2503.06287, appendix D.2 of arXiv 2606.14703."""
    parts = [
        _entropy_of_excess(maps_NYX[start : start + _MAPS_AT_ONCE])
        for start in range(0, len(maps_NYX), _MAPS_AT_ONCE)
    ]
    entropy = np.concatenate([one for one, _ in parts]) if parts else np.zeros(0)
    return entropy, np.concatenate([two for _, two in parts]) if parts else np.zeros(0, dtype=np.bool_)


def _entropy_of_excess(maps_NYX: NDArray[np.floating]) -> tuple[FloatArray, BoolArray]:
    maps = maps_NYX.astype(np.float64)
    excess = np.maximum(maps - maps.mean(axis=(1, 2), keepdims=True), 0.0)
    above = excess > PART_THRESHOLD
    entropy = _entropy_over(np.where(above, excess, 0.0), connected_regions(above, diagonal=True))
    entropy[np.isnan(maps).any(axis=(1, 2))] = np.nan
    return entropy, np.asarray(above[:, -1, :].all(axis=1))


def _entropy_of_maps(maps_NYX: NDArray[np.floating]) -> FloatArray:
    """The spatial entropy of a few maps, (N,)."""
    maps = maps_NYX.astype(np.float64)
    above = maps > maps.mean(axis=(1, 2), keepdims=True) + 1e-12
    entropy = _entropy_over(np.where(above, maps, 0.0), connected_regions(above))
    entropy[np.isnan(maps).any(axis=(1, 2))] = np.nan
    return entropy


def _entropy_over(weights_NYX: FloatArray, labels_NYX: NDArray[np.int64]) -> FloatArray:
    """Entropy of the weights summed by label, (N,); log of the number of cells where there is no weight."""
    n_maps, n_cells = weights_NYX.shape[0], weights_NYX.shape[1] * weights_NYX.shape[2]
    regions = labels_NYX.reshape(n_maps, n_cells) + n_cells * np.arange(n_maps)[:, None]
    weights = np.nan_to_num(weights_NYX).reshape(n_maps, n_cells)
    mass = np.bincount(regions.ravel(), weights.ravel(), n_maps * n_cells).reshape(n_maps, n_cells)
    total = mass.sum(axis=1, keepdims=True)
    shares = np.divide(mass, total, out=np.zeros_like(mass), where=total > 0)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy = -(shares * logs).sum(axis=1) + 0.0
    entropy[total[:, 0] == 0] = np.log(n_cells)
    return np.asarray(entropy, dtype=np.float64)


def connected_regions(above_NYX: BoolArray, *, diagonal: bool = False) -> NDArray[np.int64]:
    """A label per cell, equal within a connected region of True cells of one map, (N, Y, X); False cells get
    0. Cells touch by their sides, and by their corners too where `diagonal` (8 neighbours instead of 4).

    The label is the region's largest flat cell index, found by sweeping the maximum along whole runs of
    True cells in the four directions until nothing changes, so the number of sweeps follows the number of
    bends and not the size."""
    n_maps, height, width = above_NYX.shape
    labels = np.broadcast_to(np.arange(height * width).reshape(height, width), above_NYX.shape)
    labels = np.where(above_NYX, labels, 0).astype(np.int64)
    while n_maps:
        swept = labels
        for axis in (2, 1):
            swept = _sweep(_sweep(swept, above_NYX, axis), above_NYX[:, ::-1, ::-1], axis)
        if diagonal:
            swept = np.where(above_NYX, _highest_at_corners(swept), 0)
        if np.array_equal(swept, labels):
            break
        labels = swept
    return labels


def _highest_at_corners(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each cell's label or the largest of those that touch its corners."""
    highest = labels.copy()
    for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
        for left, right in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            highest[:, here, left] = np.maximum(highest[:, here, left], labels[:, there, right])
    return highest


def _sweep(labels: NDArray[np.int64], above: BoolArray, axis: int) -> NDArray[np.int64]:
    """Carry the largest label forward along every run of True cells, then turn the maps round for the next
    sweep.
    """
    step = labels.shape[1] * labels.shape[2]
    run = np.cumsum(~above, axis=axis, dtype=np.int64) * step
    carried = np.maximum.accumulate(labels + run, axis=axis) - run
    return np.where(above, carried, 0)[:, ::-1, ::-1]


def bottom_row_share(maps_NYX: NDArray[np.floating]) -> FloatArray:
    """The share of each map's mass that lies in its bottom row, (N,) in 0..1; a map without mass has share
    0.
    """
    total = maps_NYX.sum(axis=(1, 2), dtype=np.float64)
    bottom = maps_NYX[:, -1, :].sum(axis=1, dtype=np.float64)
    shares = np.divide(bottom, total, out=np.where(np.isnan(total), np.nan, 0.0), where=total > 0)
    return np.asarray(shares, dtype=np.float64)


@dataclass(frozen=True)
class Places:
    """Where heads look, averaged over maps: what the localization baseline needs; all (L, H), NaN = no such
    head.
    """

    image_mass_LH: FloatArray
    entropy_LH: FloatArray
    bottom_share_LH: FloatArray
    n_rows: float


def localization(image_mass_LH: FloatArray, entropy_LH: FloatArray, bottom_LH: FloatArray) -> FloatArray:
    """The published baseline: heads that look at one place on the map averaged over strips and questions.

    Scores (L, H): 1 / (1 + entropy) in (0, 1] for the heads that qualify, image mass minus 1 (at most 0) for
    the rest, so that every head keeps a rank. A head qualifies when its image mass lies above the elbow of
    the sorted curve, it is not in layers 0-1, and not every bottom cell of its map lies inside a part
    (`bottom_LH`: share of maps where that is so, of strips with grids of several sizes). Source: arXiv
    2503.06287, appendix D.2 of arXiv 2606.14703."""
    qualifies = above_elbow(image_mass_LH)
    qualifies[:FIRST_LOCALIZING_LAYER] = False
    qualifies &= ~(bottom_LH > 0.5)
    return np.where(qualifies, 1.0 / (1.0 + entropy_LH), image_mass_LH - 1.0)


def localization_by_question(places: Places) -> FloatArray:
    """A variant of `localization`: entropy per question (4-connected, mass above the mean), then averaged.

    A head is left out when the bottom row's share of its mass is nearer to 1 than to an even spread over
    `n_rows` rows. Shares few heads with the published ranking."""
    qualifies = above_elbow(places.image_mass_LH)
    qualifies[:FIRST_LOCALIZING_LAYER] = False
    qualifies &= ~(places.bottom_share_LH > (1.0 + 1.0 / places.n_rows) / 2.0)
    return np.where(qualifies, 1.0 / (1.0 + places.entropy_LH), places.image_mass_LH - 1.0)
