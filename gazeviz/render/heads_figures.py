"""Figures of rankings and of several evaluations: matrices, histogram, scores by layer, overlap, models.

Like gazeviz.render.figures, from domain values alone. Heads that are steered are drawn in the accent colour;
`data_of_heads` gives what is drawn as rows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from gazeviz.domain.experiments.results import EvaluationResult
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.wording import format_figure
from gazeviz.errors import UserError
from gazeviz.render.figures import SMALL_PT, STYLE, TINY_PT, entitle, plate, quieten
from gazeviz.render.style import THEMES, ThemeName, drawable

_SIDE_INCH: Final = 1.15
_MATRICES: Final = 4
"""Heads of each kind whose matrices are drawn: the highest and the lowest."""


@dataclass(frozen=True)
class RankedHeads:
    """What figures of heads are drawn from: rankings by name, the first one's chosen heads, and a model."""

    rankings: Mapping[str, HeadRanking]
    chosen: HeadSet
    model: str = ""

    @property
    def first(self) -> HeadRanking:
        """The ranking that the heads were chosen from."""
        return next(iter(self.rankings.values()))


def draw_heads(heads: RankedHeads, name: str, theme: ThemeName = "light") -> Figure:
    """Draw a figure of `HEADS_FIGURES`; UserError for another name, and for what the ranking has not kept."""
    if name not in HEADS_FIGURES:
        raise UserError(
            f"There is no figure “{name}” of heads.", next_step=f"Choose among {', '.join(HEADS_FIGURES)}."
        )
    with rc_context(STYLE):
        return HEADS_FIGURES[name](heads, theme)


def data_of_heads(heads: RankedHeads) -> str:
    """Every head with its score and rank by each ranking, and whether it is chosen, as CSV."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(
        (
            "layer",
            "head",
            "chosen",
            *(f"{name} {what}" for name in heads.rankings for what in ("score", "rank")),
        )
    )
    for head in sorted(heads.first.order()):
        row: list[object] = [head.layer, head.index, int(head in heads.chosen)]
        for ranking in heads.rankings.values():
            scored = bool(np.isfinite(ranking.scores_LH[head.layer, head.index]))
            row += [ranking.score(head), ranking.rank_of(head)] if scored else ["", ""]
        writer.writerow(row)
    return buffer.getvalue()


def matrix_data(ranking: HeadRanking, heads: Sequence[Head]) -> str:
    """The matrices of heads as CSV: one line for each field."""
    matrix_LHRR = _matrices_of(ranking)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(("layer", "head", "asked about", "looked at", "mean mass"))
    for head in heads:
        for (asked, seen), mass in np.ndenumerate(matrix_LHRR[head.layer, head.index]):
            writer.writerow((head.layer, head.index, asked + 1, seen + 1, float(mass)))
    return buffer.getvalue()


def shown_heads(heads: RankedHeads) -> tuple[tuple[Head, ...], tuple[Head, ...]]:
    """The heads whose matrices are drawn: the best of those chosen, and the lowest of all others."""
    best = [head for head in heads.first.order() if head in heads.chosen]
    others = [head for head in heads.first.order() if head not in heads.chosen]
    return tuple(best[:_MATRICES]), tuple(others[-_MATRICES:])


def _matrices_of(ranking: HeadRanking) -> np.ndarray:
    if ranking.matrix_LHRR is None:
        raise UserError(
            f"The ranking “{ranking.name}” kept no matrices.", next_step="Measure it on strips of one layout."
        )
    return ranking.matrix_LHRR


def _matrices(heads: RankedHeads, theme: ThemeName) -> Figure:
    """Two rows of matrices on one scale: chosen heads above, the lowest of the others below."""
    colours, ranking = THEMES[theme], heads.first
    matrix_LHRR, rows = _matrices_of(ranking), shown_heads(heads)
    across = max(len(row) for row in rows)
    width, height = 0.75 + across * (_SIDE_INCH + 0.2), 0.75 + 2 * (_SIDE_INCH + 0.45)
    figure = Figure(figsize=(max(width, 3.4), height), facecolor=colours.panel)
    shown = [matrix_LHRR[head.layer, head.index] for row in rows for head in row]
    highest = max(float(np.nanmax(one, initial=0.0)) for one in shown) or 1.0
    for line, (row, kind) in enumerate(zip(rows, ("chosen", "lowest"), strict=True)):
        for place, head in enumerate(row):
            left = 0.65 + place * (_SIDE_INCH + 0.2)
            bottom = height - 0.65 - (line + 1) * _SIDE_INCH - line * 0.45
            wide = figure.get_figwidth()
            axes = figure.add_axes((left / wide, bottom / height, _SIDE_INCH / wide, _SIDE_INCH / height))
            matrix_RR = matrix_LHRR[head.layer, head.index]
            axes.imshow(matrix_RR, cmap="magma", vmin=0, vmax=highest)
            ticks = range(len(matrix_RR))
            axes.set_xticks(ticks, [str(k + 1) for k in ticks] if line else [])
            axes.set_yticks(ticks, [] if place else [str(k + 1) for k in ticks])
            quieten(axes, colours)
            score = format_figure(ranking.score(head))
            axes.set_title(f"{head}  {score}", fontsize=SMALL_PT, color=colours.ink, loc="left", pad=4)
            if place == 0:
                axes.set_ylabel(f"{kind}\nasked about", color=colours.soft, fontsize=SMALL_PT)
            if line:
                axes.set_xlabel("looked at", color=colours.soft, fontsize=SMALL_PT)
    title = f"{ranking.name}: mean mass on a panel, 0 to {format_figure(highest)}"
    figure.text(
        0.1 / figure.get_figwidth(), 1 - 0.25 / height, drawable(title), color=colours.ink, va="center"
    )
    return figure


def _histogram(heads: RankedHeads, theme: ThemeName) -> Figure:
    """How many heads have which score, and where the chosen ones begin."""
    colours, ranking = THEMES[theme], heads.first
    scores = ranking.scores_LH[np.isfinite(ranking.scores_LH)]
    figure, axes = plate((4.2, 2.0), colours, left=0.6, right=0.4, bottom=0.6, top=0.45)
    counts, _, bars = axes.hist(scores, bins=40, color=colours.soft)
    cut = min(ranking.score(head) for head in heads.chosen)
    for bar in cast("Any", bars):
        if bar.get_x() + bar.get_width() > cut:
            bar.set_facecolor(colours.accent)
    axes.axvline(cut, color=colours.accent, linewidth=1, linestyle=(0, (3, 2)))
    axes.annotate(
        f"{len(heads.chosen)} heads from {format_figure(cut)}", (cut, float(np.max(counts))), (5, -2),
        textcoords="offset points", fontsize=SMALL_PT, color=colours.ink, va="top",
        ha="left" if cut < float(np.mean(axes.get_xlim())) else "right",
    )  # fmt: skip
    axes.set_yscale("symlog", linthresh=10)
    axes.set_yticks(
        ticks := [one for one in (0, 5, 10, 50, 100, 500) if one <= np.max(counts)], map(str, ticks)
    )
    axes.minorticks_off()
    quieten(axes, colours, lines=True)
    axes.set_xlabel(f"score: {ranking.name}", color=colours.soft)
    axes.set_ylabel("heads", color=colours.soft)
    entitle(axes, heads.model or f"Scores of {scores.size} heads", colours)
    return figure


def _by_layer(heads: RankedHeads, theme: ThemeName) -> Figure:
    """A dot for each head by its layer, the layer's mean as a line, chosen heads in the accent colour."""
    colours, ranking = THEMES[theme], heads.first
    figure, axes = plate((4.2, 2.2), colours, left=0.7, right=0.4, bottom=0.6, top=0.45)
    layers = np.repeat(np.arange(ranking.shape_LH[0]), ranking.shape_LH[1])
    axes.plot(layers, ranking.scores_LH.ravel(), "o", color=colours.soft, markersize=2.2, alpha=0.6)
    chosen = list(heads.chosen)
    axes.plot(
        [head.layer for head in chosen], [ranking.score(head) for head in chosen], "o",
        color=colours.accent, markersize=4,
    )  # fmt: skip
    means = [float(np.nanmean(row)) if np.isfinite(row).any() else np.nan for row in ranking.scores_LH]
    axes.plot(range(len(means)), means, color=colours.ink, linewidth=1)
    quieten(axes, colours, lines=True)
    axes.set_xlabel("layer (line: its mean)", color=colours.soft)
    axes.set_ylabel(f"score: {ranking.name}", color=colours.soft)
    entitle(axes, heads.model or "Where the heads sit", colours)
    return figure


def jaccard(one: HeadSet, other: HeadSet) -> float:
    """Heads in both sets over heads in either; 1 for two empty ones."""
    first, second = set(one), set(other)
    return len(first & second) / len(first | second) if first | second else 1.0


def common_core(heads: RankedHeads) -> tuple[Head, ...]:
    """The heads that are among as many of the best by every ranking, in the first one's order."""
    tops = [set(ranking.top(len(heads.chosen))) for ranking in heads.rankings.values()]
    return tuple(head for head in heads.first.order() if all(head in top for top in tops))


def _overlap(heads: RankedHeads, theme: ThemeName) -> Figure:
    """Jaccard index of the best heads of every two rankings, and how many all of them share."""
    colours, names, n = THEMES[theme], list(heads.rankings), len(heads.chosen)
    if len(names) < 2:
        raise UserError("One ranking overlaps with nothing.", next_step="Name two or more with --rankings.")
    tops = [ranking.top(n) for ranking in heads.rankings.values()]
    side = 0.5 * len(names)
    figure, axes = plate((side, side), colours, left=1.2, right=1.3, bottom=1.1, top=0.45)
    shares_RR = np.array([[jaccard(one, other) for other in tops] for one in tops])
    axes.imshow(shares_RR, cmap="magma", vmin=0, vmax=1)
    for y, x in np.ndindex(shares_RR.shape):
        ink = "white" if shares_RR[y, x] < 0.6 else "black"
        text = f"{shares_RR[y, x]:.2f}"
        axes.text(x, y, text, ha="center", va="center", fontsize=TINY_PT, color=ink)
    axes.set_xticks(range(len(names)), [drawable(name) for name in names], rotation=40, ha="right")
    axes.set_yticks(range(len(names)), [drawable(name) for name in names])
    quieten(axes, colours)
    core = common_core(heads)
    entitle(axes, f"Jaccard of the best {n}; in all: {len(core)}", colours)
    return figure


def several(results: Mapping[str, EvaluationResult], theme: ThemeName = "light") -> Figure:
    """The chosen heads of several models or evaluations in one figure, above the band of their random draws.

    results: by the name that is shown. With a swept axis a line each over the values that it has, else a disc
    each with its interval. UserError where one has no judged answer of its chosen heads.
    """
    colours = THEMES[theme]
    for name, result in results.items():
        if result.best_setting() is None:
            raise UserError(f"“{name}” has no judged answer yet.", next_step="Run it first.")
    swept = {result.spec.axes[0].name if result.spec.axes else "" for result in results.values()}
    if len(swept) > 1:
        raise UserError(
            "The evaluations sweep different things.", next_step="Name those of one sweep, or of none."
        )
    with rc_context(STYLE):
        if swept != {""}:
            return _several_curves(results, theme)
        figure, axes = plate((4.2, 0.3 * len(results)), colours, left=1.9, right=0.7, bottom=0.5, top=0.45)
        for place, (_, result) in enumerate(results.items()):
            y, gaze = len(results) - 1 - place, result.best_setting()
            assert gaze is not None
            drawn = [100 * one.accuracy for one in result.draws(gaze.condition.at)]
            if drawn:
                axes.barh(y, max(drawn) - min(drawn), left=min(drawn), height=0.3, color=colours.line)
            axes.plot([100 * end for end in gaze.interval], [y, y], color=colours.accent, linewidth=1.2)
            axes.plot(100 * gaze.accuracy, y, "o", color=colours.accent, markersize=5)
            axes.text(
                103, y, f"{100 * gaze.accuracy:.1f}", va="center", fontsize=SMALL_PT, color=colours.soft
            )
        axes.set(xlim=(0, 100), ylim=(-0.7, len(results) - 0.3))
        axes.set_yticks(range(len(results)), [drawable(name) for name in reversed(list(results))])
        quieten(axes, colours)
        axes.set_xlabel("answers about the target, % (grey: range of random draws)", color=colours.soft)
        entitle(axes, "Chosen heads", colours)
        return figure


def _several_curves(results: Mapping[str, EvaluationResult], theme: ThemeName) -> Figure:
    colours = THEMES[theme]
    values = list(dict.fromkeys(v for result in results.values() for v in result.spec.axes[0].values))
    figure, axes = plate((4.2, 2.4), colours, left=0.6, right=1.7, bottom=0.6, top=0.45)
    for place, (name, result) in enumerate(results.items()):
        axis = result.spec.axes[0].name
        points = [one for one in result.conditions if one.condition.kind == "gaze"]
        xs = [values.index(dict(one.condition.at)[axis]) for one in points]
        style = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (4, 1, 1, 1)))[place % 4]
        paint = (colours.accent, colours.ink, colours.soft)[place // 4 % 3]
        shares = [100 * one.accuracy for one in points]
        axes.plot(xs, shares, marker="o", markersize=3, color=paint, linestyle=style, linewidth=1.3)
        axes.annotate(
            drawable(name[:24]), (xs[-1], shares[-1]), (8, 0), textcoords="offset points", va="center",
            fontsize=SMALL_PT, color=paint,
        )  # fmt: skip
    axes.set_xticks(range(len(values)), [drawable(value[:16]) for value in values])
    axes.set(ylim=(0, 105))
    quieten(axes, colours, lines=True)
    axes.set_xlabel(next(iter(results.values())).spec.axes[0].name, color=colours.soft)
    axes.set_ylabel("accuracy, %", color=colours.soft)
    entitle(axes, "Chosen heads", colours)
    return figure


HEADS_FIGURES: Final[Mapping[str, Callable[[RankedHeads, ThemeName], Figure]]] = {
    "matrices": _matrices,
    "histogram": _histogram,
    "layers": _by_layer,
    "overlap": _overlap,
}
"""By the name that a person asks with."""
