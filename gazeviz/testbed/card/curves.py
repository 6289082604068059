"""The picture of a training run beside its model card: the loss, and the shares of right answers, by step.

An SVG made of lines and words, from `training.json`. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

Points = Sequence[tuple[float, float]]

CURVES_FILE: Final = "training.svg"
WIDTH_PX: Final = 720
HEIGHT_PX: Final = 300
_PLOT_PX: Final = (56, 24, 280, 220)  # left, top, width, height of the first plot; the second stands beside
_SECOND_PX: Final = 348
# Colours that people who see few can tell apart (Okabe & Ito), with a shape of line for each.
_LINES: Final = (
    ("direct", "direct question", "#0072b2", ""),
    ("narration", "narration", "#d55e00", "6 3"),
    ("ambiguous", "“this panel”, true of one", "#009e73", "2 2"),
    ("scene_list", "objects of a scene", "#666666", "8 3 2 3"),
)


def curves(training: Mapping[str, Any]) -> str:
    """The SVG of a training record with "losses" ([step, loss] each) and "checks"."""
    losses = [(float(step), float(loss)) for step, loss in training["losses"]]
    checks = training["checks"]
    last = max([step for step, _ in losses] + [check["step"] for check in checks])
    highest = max(loss for _, loss in losses)
    parts = [_frame(0, "Loss", last, f"{highest:.2f}"), _line(0, losses, last, highest, "#0072b2", "")]
    parts.append(_frame(_SECOND_PX, "Right answers", last, "100 %"))
    for row, (key, words, colour, dashes) in enumerate(_LINES):
        points = [(check["step"], check[key]) for check in checks if key in check]
        parts.append(_line(_SECOND_PX, points, last, 1.0, colour, dashes))
        parts.append(_legend(row, words, colour, dashes))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_PX}" height="{HEIGHT_PX}"'
        f' viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _frame(shift_px: int, title: str, last: float, top: str) -> str:
    left, y, width, height = _PLOT_PX
    x = left + shift_px
    return "\n".join(
        (
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="none" stroke="#888"/>',
            f'<text x="{x}" y="{y - 8}">{title}</text>',
            f'<text x="{x - 6}" y="{y + 10}" text-anchor="end">{top}</text>',
            f'<text x="{x - 6}" y="{y + height}" text-anchor="end">0</text>',
            f'<text x="{x + width}" y="{y + height + 16}" text-anchor="end">step {last:g}</text>',
        )
    )


def _line(shift_px: int, points: Points, last: float, highest: float, colour: str, dashes: str) -> str:
    """A line through the points; none where two steps do not follow one another."""
    assert all(before[0] <= after[0] for before, after in pairwise(points))
    left, top, width, height = _PLOT_PX
    spots = " ".join(
        f"{left + shift_px + width * step / last:.1f},{top + height * (1 - value / highest):.1f}"
        for step, value in points
    )
    return f'<polyline points="{spots}" fill="none" stroke="{colour}" stroke-width="1.5"{_dashed(dashes)}/>'


def _legend(row: int, words: str, colour: str, dashes: str) -> str:
    left, top, _, height = _PLOT_PX
    x, y = left + _SECOND_PX + 108, top + height - 66 + 16 * row
    return (
        f'<line x1="{x}" y1="{y - 4}" x2="{x + 22}" y2="{y - 4}" stroke="{colour}"{_dashed(dashes)}/>'
        f'<text x="{x + 28}" y="{y}" font-size="11">{words}</text>'
    )


def _dashed(dashes: str) -> str:
    return f' stroke-dasharray="{dashes}"' if dashes else ""
