"""Figures of an evaluation: accuracy by condition, the curve of a sweep, a heat map, confusion, positions.

Each takes an evaluation's result and gives a matplotlib figure; `figures.save` writes it, `data_of` what it
shows as rows. Shares are drawn in per cent; the band of random draws is their range, never one interval.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from gazeviz.domain.experiments.results import EvaluationResult
from gazeviz.errors import UserError
from gazeviz.render.figures import SMALL_PT, STYLE, TINY_PT, entitle, plate, quieten
from gazeviz.render.style import THEMES, ThemeName, drawable

_ROW_INCH: Final = 0.24


def draw(result: EvaluationResult, name: str, theme: ThemeName = "light") -> Figure:
    """Draw a figure of `FIGURES`; UserError for another name, and for what the evaluation does not hold."""
    if name not in FIGURES:
        raise UserError(f"There is no figure “{name}”.", next_step=f"Choose among {', '.join(FIGURES)}.")
    if not result.conditions:
        raise UserError("The evaluation has no judged answer yet.", next_step="Run it first.")
    with rc_context(STYLE):
        return FIGURES[name](result, theme)


def data_of(result: EvaluationResult) -> str:
    """The figures' data as CSV: one line for each condition, draws one by one."""
    columns = ("name", "kind", "heads", "n", "accuracy", "low", "high", "junk", "unchanged", "rho")
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for one in result.conditions:
        n_heads = len(one.condition.treatment.heads or ())
        low, high = one.interval
        writer.writerow(
            (one.name, one.condition.kind, n_heads, one.n, one.accuracy, low, high, one.junk, one.unchanged,
             "" if one.rho is None else one.rho)
        )  # fmt: skip
    return buffer.getvalue()


def _accuracy(result: EvaluationResult, theme: ThemeName) -> Figure:
    """Discs with intervals; random draws as dots with a tick at their mean; chance dashed, junk as a bar."""
    colours, rows = THEMES[theme], result.table()
    figure, axes = plate((4.2, _ROW_INCH * len(rows)), colours, left=1.9, right=0.7, bottom=0.5, top=0.45)
    for place, row in enumerate(rows):
        y = len(rows) - 1 - place
        share, name = 100 * row["accuracy"], row["condition"]
        axes.barh(y - 0.32, 100 * row["junk"], height=0.12, color=colours.line)
        if name.endswith("draws)"):
            kind = name.rsplit(" (", 1)[0]
            drawn = [
                100 * one.accuracy
                for one in result.conditions
                if one.condition.is_draw and one.name.rsplit(" ", 1)[0] == kind
            ]
            axes.plot(drawn, [y] * len(drawn), "o", color=colours.soft, markersize=2.5, alpha=0.6)
            axes.plot([share] * 2, [y - 0.25, y + 0.25], color=colours.soft, linewidth=1.4)
        else:
            ours = colours.accent if name.startswith("gaze") else colours.ink
            axes.plot([100 * row["low"], 100 * row["high"]], [y, y], color=ours, linewidth=1.2)
            axes.plot(share, y, "o", color=ours, markersize=5)
        axes.text(103, y, f"{share:.1f}", va="center", fontsize=SMALL_PT, color=colours.soft)
    axes.axvline(100 * result.conditions[0].chance, color=colours.soft, linewidth=0.7, linestyle=(0, (3, 3)))
    axes.set(xlim=(0, 100), ylim=(-0.7, len(rows) - 0.3))
    axes.set_yticks(range(len(rows)), [drawable(row["condition"]) for row in reversed(rows)])
    quieten(axes, colours)
    axes.set_xlabel("answers about the target, % (dashed: chance; grey bar: junk)", color=colours.soft)
    entitle(axes, result.spec.name, colours)
    return figure


def _curve(result: EvaluationResult, theme: ThemeName) -> Figure:
    """Accuracy along the first swept axis with its 95 % band, against the range of the random draws."""
    if not result.spec.axes:
        raise UserError("The evaluation sweeps nothing.", next_step="Run it with --sweep top=5,10,20.")
    colours, axis = THEMES[theme], result.spec.axes[0]
    gaze = [one for one in result.conditions if one.condition.kind == "gaze"]
    xs = np.arange(len(gaze), dtype=float)
    figure, axes = plate((4.2, 2.4), colours, left=0.6, right=0.4, bottom=0.75, top=0.45)
    draws = [[100 * one.accuracy for one in result.draws(point.condition.at)] for point in gaze]
    if all(draws):
        low, high = [min(one) for one in draws], [max(one) for one in draws]
        axes.fill_between(xs, low, high, color=colours.soft, alpha=0.25, linewidth=0)
        axes.plot(xs, [float(np.mean(one)) for one in draws], color=colours.soft, linewidth=1)
    low, high = [100 * one.interval[0] for one in gaze], [100 * one.interval[1] for one in gaze]
    axes.fill_between(xs, low, high, color=colours.accent, alpha=0.2, linewidth=0)
    shares = [100 * one.accuracy for one in gaze]
    axes.plot(xs, shares, "o-", color=colours.accent, linewidth=1.4, markersize=4)
    axes.plot(xs, [100 * one.junk for one in gaze], color=colours.ink, linewidth=0.8, linestyle=(0, (1, 2)))
    peak = int(np.argmax(shares))
    axes.annotate(
        f"{shares[peak]:.1f}", (float(xs[peak]), shares[peak]), (0, 6), textcoords="offset points",
        ha="center", fontsize=SMALL_PT, color=colours.ink,
    )  # fmt: skip
    labels = [" ".join(value for _, value in one.condition.at) for one in gaze]
    axes.set_xticks(xs, [drawable(label[:24]) for label in labels])
    axes.set(ylim=(0, 105))
    quieten(axes, colours, lines=True)
    axes.set_xlabel(f"{axis.name} (grey: range of random draws; dotted: junk)", color=colours.soft)
    axes.set_ylabel("accuracy, %", color=colours.soft)
    entitle(axes, result.spec.name, colours)
    return figure


def _heat_map(result: EvaluationResult, theme: ThemeName) -> Figure:
    """Accuracy over two swept axes."""
    if len(result.spec.axes) != 2:
        raise UserError("A heat map needs two swept axes.", next_step="Sweep two, or draw the curve.")
    colours, (rows, columns) = THEMES[theme], result.spec.axes
    shares_YX = np.full((len(rows.values), len(columns.values)), np.nan)
    for one in result.conditions:
        if one.condition.kind == "gaze":
            at = dict(one.condition.at)
            shares_YX[rows.values.index(at[rows.name]), columns.values.index(at[columns.name])] = one.accuracy
    size = (0.55 * len(columns.values), 0.36 * len(rows.values))
    figure, axes = plate(size, colours, left=1.0, right=0.4, bottom=0.6, top=0.45)
    axes.imshow(shares_YX, cmap="magma", vmin=0, vmax=1, aspect="auto")
    for y, x in np.ndindex(shares_YX.shape):
        if np.isfinite(shares_YX[y, x]):
            ink = "white" if shares_YX[y, x] < 0.6 else "black"
            text = f"{100 * shares_YX[y, x]:.0f}"
            axes.text(x, y, text, ha="center", va="center", fontsize=SMALL_PT, color=ink)
    axes.set_xticks(range(len(columns.values)), columns.values)
    axes.set_yticks(range(len(rows.values)), rows.values)
    quieten(axes, colours)
    axes.set_xlabel(columns.name, color=colours.soft)
    axes.set_ylabel(rows.name, color=colours.soft)
    entitle(axes, result.spec.name, colours)
    return figure


def _strength_table(result: EvaluationResult, theme: ThemeName) -> Figure:
    """The conditions as a table: accuracy with interval, junk, unchanged."""
    colours, rows = THEMES[theme], result.table()
    figure, axes = plate(
        (5.6, _ROW_INCH * (len(rows) + 1)), colours, left=0.2, right=0.2, bottom=0.1, top=0.4
    )
    axes.set(xlim=(0, 1), ylim=(-0.5, len(rows) + 0.5))
    axes.axis("off")
    places = (0.0, 0.52, 0.78, 0.89, 1.0)
    lines = [("condition", "%", "95 %, or range", "junk", "unchanged")]
    for row in rows:
        between = f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"
        shares = [f"{100 * row[key]:.1f}" for key in ("accuracy", "junk", "unchanged")]
        lines.append((row["condition"], shares[0], between, *shares[1:]))
    for place, line in enumerate(lines):
        for x, text in zip(places, line, strict=True):
            axes.text(
                x, len(rows) - place, drawable(text), ha="left" if x == 0 else "right", va="center",
                fontsize=SMALL_PT if place else TINY_PT, color=colours.ink if place else colours.soft,
            )  # fmt: skip
    entitle(axes, result.spec.name, colours)
    return figure


def _confusion(result: EvaluationResult, theme: ThemeName) -> Figure:
    """Which region was described for each target, by the chosen heads: rows are targets."""
    best = result.best_setting()
    if best is None:
        raise UserError("The chosen heads have no judged answer yet.", next_step="Run the evaluation first.")
    colours, counts = THEMES[theme], np.array(result.confusion(best.name), dtype=float)
    shares_TR = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    n = len(shares_TR)
    figure, axes = plate((0.36 * (n + 1), 0.36 * n), colours, left=0.9, right=0.4, bottom=0.6, top=0.45)
    axes.imshow(shares_TR, cmap="magma", vmin=0, vmax=1)
    for y, x in np.ndindex(shares_TR.shape):
        if shares_TR[y, x] >= 0.02:
            ink = "white" if shares_TR[y, x] < 0.6 else "black"
            text = f"{shares_TR[y, x]:.2f}".removeprefix("0")
            axes.text(x, y, text, ha="center", va="center", fontsize=TINY_PT, color=ink)
    axes.set_xticks(range(n + 1), [*(str(k + 1) for k in range(n)), "none"])
    axes.set_yticks(range(n), [str(k + 1) for k in range(n)])
    quieten(axes, colours)
    axes.set_xlabel("described", color=colours.soft)
    axes.set_ylabel("target", color=colours.soft)
    entitle(axes, result.spec.name, colours)
    return figure


FIGURES: Final[Mapping[str, Callable[[EvaluationResult, ThemeName], Figure]]] = {
    "accuracy": _accuracy,
    "curve": _curve,
    "heat map": _heat_map,
    "table": _strength_table,
    "confusion": _confusion,
}
"""By the name that a person asks with."""
