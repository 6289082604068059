"""How runs and rankings show themselves in a notebook: a line, and a small page of HTML.

Runs hold no picture, so small copies of the last ones that an engine was shown are remembered here by their
digest. Knows pixels and numbers; draws SVG and PNG by itself, so that nouns need no imaging library.
"""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.region import region_colour

if TYPE_CHECKING:
    from gazeviz.domain.heads import HeadRanking
    from gazeviz.domain.region import Region
    from gazeviz.domain.run import Run

_WIDEST_PX: Final = 480
_KEPT: Final = 32
_LONGEST_TEXT: Final = 80
_CURVE_PX: Final = (480, 90)
_FIRST_HEADS: Final = 10
_small_pictures: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()


def remember_picture(sha256: str, pixels_HW3: NDArray[np.uint8]) -> None:
    """Keep a small copy of a picture for the runs on it; the oldest are forgotten."""
    if sha256 not in _small_pictures:
        step = -(-max(pixels_HW3.shape[:2]) // _WIDEST_PX)
        _small_pictures[sha256] = pixels_HW3[::step, ::step].copy()
    _small_pictures.move_to_end(sha256)
    while len(_small_pictures) > _KEPT:
        _small_pictures.popitem(last=False)


def short(text: str) -> str:
    """A text as it fits on a line, quoted."""
    return repr(text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}\N{HORIZONTAL ELLIPSIS}")


def run_html(run: Run) -> str:
    """A run: its text, what it was, the picture with target, cells and attention, and the target's curve."""
    request = run.request
    facts = [f"{len(run.tokens)} tokens, {run.finish}"]
    if request.steering is not None:
        facts.append(f"steered: {request.steering.heads} \N{RIGHTWARDS ARROW} {request.steering.target.name}")
    if run.audit is not None:
        facts.append(f"mass on the target {run.audit.mass_before:.3f}"
                     f" \N{RIGHTWARDS ARROW} {run.audit.mass_after:.3f}")  # fmt: skip
    return (
        f"<div><p><b>{html.escape(request.prompt)}</b><br>{html.escape(run.text)}</p>"
        f"<p><small>{html.escape(' · '.join(facts))}</small></p>{_picture(run)}{_curve(run)}</div>"
    )


def ranking_html(ranking: HeadRanking) -> str:
    """A ranking: its heads as a grid of scores, and the best of them."""
    scores_LH = ranking.scores_LH
    known = scores_LH[np.isfinite(scores_LH)]
    low, high = float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))
    if not known.size:
        low = high = 0.0
    level_LH = np.nan_to_num((scores_LH - low) / max(high - low, 1e-12))
    ink = np.array([0, 114, 178])
    pixels = np.rint(255 + level_LH[..., None] * (ink - 255)).astype(np.uint8)
    side = max(4, min(14, 480 // scores_LH.shape[1]))
    rows = "".join(
        f"<tr><td>{head}</td><td>{ranking.scores_LH[head.layer, head.index]:.4f}</td></tr>"
        for head in ranking.top(min(_FIRST_HEADS, int(np.isfinite(scores_LH).sum())))
    )
    return (
        f"<div><p><b>{html.escape(ranking.name)}</b> <small>{scores_LH.shape[0]} layers x "
        f"{scores_LH.shape[1]} heads, {low:.4f} to {high:.4f}</small></p>"
        f'<img alt="scores, a row for each layer" src="{_png_url(pixels)}" style="image-rendering:pixelated;'
        f'width:{side * scores_LH.shape[1]}px;height:{side * scores_LH.shape[0]}px">'
        f"<table><tr><th>head</th><th>score</th></tr>{rows}</table></div>"
    )


def _picture(run: Run) -> str:
    """The picture, small, with the grid, what the tracked heads looked at on average, and the target."""
    width, height = run.request.picture_size_px
    shown_px = min(width, _WIDEST_PX)
    pixels = _small_pictures.get(run.request.image_sha256)
    parts = []
    if pixels is not None:
        parts.append(f'<image href="{_png_url(pixels)}" width="{width}" height="{height}" '
                     'preserveAspectRatio="none"/>')  # fmt: skip
    rows = [step.rows_HP for step in run.tokens if step.rows_HP is not None and len(step.rows_HP)]
    mass_P = np.mean([row.mean(axis=0) for row in rows], axis=0) if rows else np.zeros(run.grid.n_tokens)
    top = max(float(mass_P.max(initial=0.0)), 1e-12)
    for (x0, y0, x1, y1), mass in zip(run.grid.boxes_P4.tolist(), mass_P.tolist(), strict=True):
        if x0 == x0:  # a token without a place has none
            parts.append(f'<rect x="{x0:g}" y="{y0:g}" width="{x1 - x0:g}" height="{y1 - y0:g}" '
                         f'fill="#D55E00" fill-opacity="{0.7 * mass / top:.2f}" stroke="#888" '
                         'stroke-opacity="0.35" vector-effect="non-scaling-stroke" '
                         'stroke-width="0.5"/>')  # fmt: skip
    parts += [_outline(region, number) for number, region in enumerate(_targets(run))]
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{shown_px}" height="{shown_px * height / width:.0f}" '
        f'role="img" aria-label="the picture">{"".join(parts)}</svg>'
    )


def _outline(region: Region, number: int) -> str:
    x0, y0, x1, y1 = region.box_px
    colour = region.colour or region_colour(number)
    return (
        f'<rect x="{x0}" y="{y0}" width="{x1 - x0}" height="{y1 - y0}" fill="none" stroke="{colour}" '
        'stroke-width="2" vector-effect="non-scaling-stroke">'
        f"<title>{html.escape(region.name)}</title></rect>"
    )


def _targets(run: Run) -> list[Region]:
    """The regions that a run was pointed at: its target, and those that its schedule names."""
    steering = run.request.steering
    if steering is None:
        return []
    switches = steering.schedule.switches if steering.schedule is not None else ()
    named = [steering.target, *(region for _, region in switches if region is not None)]
    return list({region.name: region for region in named}.values())


def _curve(run: Run) -> str:
    """The mass on each target at each token; "" where there is none or nothing was tracked."""
    targets = _targets(run)
    if not targets or not len(run.tracked) or any(step.rows_HP is None for step in run.tokens):
        return ""
    masses_TR = run.trajectory(targets).masses_TR
    if len(masses_TR) < 2:
        return ""
    width, height = _CURVE_PX
    top = max(float(masses_TR.max()), 1e-12)
    lines = []
    for number, (region, masses_T) in enumerate(zip(targets, masses_TR.T.tolist(), strict=True)):
        points = " ".join(
            f"{index * width / (len(masses_T) - 1):.1f},{height - mass / top * (height - 4):.1f}"
            for index, mass in enumerate(masses_T)
        )
        colour = region.colour or region_colour(number)
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2">'
            f"<title>{html.escape(region.name)}</title></polyline>"
        )
    names = html.escape(", ".join(region.name for region in targets))
    return (
        f"<p><small>mass on {names} by token, up to {top:.3f}</small></p>"
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="mass by token">{"".join(lines)}</svg>'
    )


def shares_svg(rows: Sequence[tuple[str, float, float, float]]) -> str:
    """Shares between 0 and 1 with their intervals, a line for each: name, value, low, high."""
    width, line, left = 480, 18, 200
    parts = []
    known = [row for row in rows if row[1] == row[1]]  # a share of nothing is no number
    for number, (name, value, low, high) in enumerate(known):
        y = number * line + line / 2
        at, begin, end = (left + (width - left - 10) * max(0.0, min(1.0, x)) for x in (value, low, high))
        parts.append(
            f'<text x="{left - 8}" y="{y + 4:g}" text-anchor="end" font-size="11" fill="currentColor">'
            f'{html.escape(name[:32])}</text><line x1="{begin:.1f}" x2="{end:.1f}" y1="{y:g}" y2="{y:g}" '
            f'stroke="#0072B2" stroke-width="2"/><circle cx="{at:.1f}" cy="{y:g}" r="4" fill="#0072B2"/>'
        )
    height = line * max(1, len(known))
    axis = f'<path d="M{left} 0V{height}M{width - 10} 0V{height}" stroke="#888" stroke-opacity="0.4"/>'
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="accuracy from 0 to 1 with its interval">{axis}{"".join(parts)}</svg>'
    )


def _png_url(pixels_HW3: NDArray[np.uint8]) -> str:
    """Pixels as a PNG in a data address (PNG specification, third edition: IHDR, IDAT, IEND)."""
    height, width = pixels_HW3.shape[:2]
    lines = np.hstack([np.zeros((height, 1), np.uint8), pixels_HW3.reshape(height, -1)])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
