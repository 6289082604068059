"""Figures for papers and reports: the head grid, a head's matrix, the staircase, attention on a picture.

Each function takes domain values and returns a matplotlib figure that no window knows about; `plate.save`
writes it as SVG, PDF or PNG. Colours are the screen's (palette); scores and attention are always magma,
the scale's ends in figures. Nothing here measures anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.region import Region, region_colour
from gazeviz.domain.run import Trajectory
from gazeviz.domain.wording import format_figure
from gazeviz.errors import UserError
from gazeviz.render.overlay import ink_on, overlay_picture
from gazeviz.render.style import OUTLINE, THEMES, Theme, ThemeName, drawable, one_line
from gazeviz.whole_files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# The plate that every figure is drawn on: exact sizes, quiet axes, a legend, saving all or nothing.
#
# It does not know what is drawn on it.


SUFFIXES = (".svg", ".pdf", ".png")

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 8.5,
    "pdf.fonttype": 42,  # TrueType, embedded: text stays text
    "svg.fonttype": "path",  # glyphs travel as outlines, so that every machine shows the same figure
    "svg.hashsalt": "gazeviz",  # the same figure is the same file
    "text.parse_math": False,  # a region may be called "$x$"
    "axes.linewidth": 0.6,
}
TITLE_PT = 9.5
SMALL_PT = 7.5
TINY_PT = 6.5


def save(figure: Figure, path: str | Path, dpi: int = 200) -> Path:
    """Write a figure by its file's suffix, all or nothing; returns the path.

    dpi: dots per inch of a PNG. UserError for another suffix, or where the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise UserError(
            f"A figure cannot be written as {path.name}.", next_step=f"End its name in {', '.join(SUFFIXES)}."
        )
    # Without the date the same figure is the same file, byte for byte.
    dateless = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}[kind]
    with written_whole(path, "figure") as unfinished, rc_context(STYLE):
        figure.savefig(unfinished, format=kind[1:], dpi=dpi, metadata=dateless, facecolor="auto")
    return path


def plate(
    plot_inch: tuple[float, float], colours: Theme, *, left: float, right: float, bottom: float, top: float
) -> tuple[Figure, Axes]:
    """Return a figure whose single plot has exactly this size, with margins in inches."""
    width, height = max(plot_inch[0] + left + right, 3.0), plot_inch[1] + bottom + top
    figure = Figure(figsize=(width, height), facecolor=colours.panel)
    axes = figure.add_axes((left / width, bottom / height, plot_inch[0] / width, plot_inch[1] / height))
    axes.set_facecolor(colours.panel)
    return figure, axes


def quieten(axes: Axes, colours: Theme, *, lines: bool = False) -> None:
    """Take the box off a plot and soften its ticks; `lines` keeps two edges and adds level hairlines."""
    for side, spine in axes.spines.items():
        spine.set_visible(lines and side in ("left", "bottom"))
        spine.set_color(colours.line)
    axes.tick_params(length=0, colors=colours.soft, labelsize=SMALL_PT, pad=3)
    if lines:
        axes.grid(axis="y", color=colours.line, linewidth=0.6)
        axes.set_axisbelow(True)


def entitle(axes: Axes, text: str, colours: Theme, pad_pt: float = 8) -> None:
    """Put the figure's title at the left above the plot."""
    axes.set_title(drawable(text), loc="left", color=colours.ink, fontsize=TITLE_PT, pad=pad_pt)


def title_inch(text: str) -> float:
    """About how wide a title is: letters of the sans-serif face are half as wide as high on average."""
    return len(text) * TITLE_PT * 0.58 / 72


def legend(
    figure: Figure, axes: Axes, scale: Normalize, colours: Theme, what: str, below_inch: float
) -> None:
    """Draw a thin magma bar under the plot, its two ends in figures and what it measures beside it."""
    width, height = figure.get_size_inches()
    box = axes.get_position()
    place = (box.x0, box.y0 - below_inch / height, min(box.width, 1.4 / width), 0.07 / height)
    bar = figure.add_axes(place)
    shown = figure.colorbar(ScalarMappable(scale, "magma"), cax=bar, orientation="horizontal", ticks=[])
    shown.outline.set_visible(False)
    low, high = float(scale.vmin or 0.0), float(scale.vmax or 1.0)
    for x, text, side in (
        (-0.03, format_figure(low), "right"),
        (1.03, f"{format_figure(high)}   {drawable(what)}", "left"),
    ):
        bar.annotate(
            text,
            (x, 0.5),
            xycoords="axes fraction",
            ha=side,
            va="center",
            fontsize=SMALL_PT,
            color=colours.soft,
        )


# Figures made of the picture: its regions with their legend, and a strip of maps at several tokens.
#
# Like gazeviz.render.figures, from domain values alone; a figure's own colours are the palette's, the
# picture's are left as they are.


_LONGEST_NAME = 17
_NAME_INCH = 1.35
_ROW_INCH = 0.2
_LEGEND_INCH = 3.2


@dataclass(frozen=True, eq=False)
class TokenMap:
    """Attention while one answer token was written. map_HW: float (H, W), in the picture's own pixels."""

    label: str
    map_HW: NDArray[np.floating]


def picture_regions(
    picture: Image.Image, regions: Sequence[Region], title: str = "", theme: ThemeName = "light"
) -> Figure:
    """Draw a picture with its regions' outlines and numbers, and their names beneath it."""
    colours = THEMES[theme]
    width_inch, height_inch = _size_inch(picture, 3.6, 9)
    per_row = max(1, int(width_inch / _NAME_INCH))
    n_rows = -(-len(regions) // per_row)
    with rc_context(STYLE):
        figure, axes = plate(
            (width_inch, height_inch), colours, left=0.2, right=0.2, bottom=0.2 + n_rows * _ROW_INCH, top=0.36
        )
        _show(axes, overlay_picture(picture, None, regions))
        entitle(axes, _cut(title, width_inch), colours, pad_pt=6)
        for place, region in enumerate(regions):
            row, column = divmod(place, per_row)
            down_inch = 0.16 + row * _ROW_INCH
            _name(axes, region, place, (column * _NAME_INCH / width_inch, -down_inch / height_inch), colours)
    return figure


def overlay_strip(
    picture: Image.Image,
    maps: Sequence[TokenMap],
    regions: Sequence[Region] = (),
    title: str = "",
    theme: ThemeName = "light",
    numbers: Sequence[int] | None = None,
) -> Figure:
    """Draw the same picture once for each map, all on one scale: where the heads looked, token by token.

    Wide pictures stand one below the other, others side by side. regions, numbers: outlined in each.
    """
    if not maps:
        raise ValueError("no map to draw")
    colours = THEMES[theme]
    n_columns = 1 if picture.width > 2.5 * picture.height else min(len(maps), 4)
    n_rows = -(-len(maps) // n_columns)
    side, gap, label = _size_inch(picture, 1.7, 6.5 if n_columns == 1 else 2.2), 0.12, 0.22
    width = n_columns * side[0] + (n_columns - 1) * gap
    height = n_rows * (side[1] + label)
    top = max(float(np.nanmax(token.map_HW, initial=0.0)) for token in maps)
    with rc_context(STYLE):
        right = max(0.2, _LEGEND_INCH - width)
        figure, axes = plate((width, height), colours, left=0.3, right=right, bottom=0.42, top=0.42)
        axes.set_axis_off()
        entitle(axes, _cut(title, width), colours, pad_pt=4)
        for place, token in enumerate(maps):
            row, column = divmod(place, n_columns)
            x = column * (side[0] + gap) / width
            y = 1 - ((row + 1) * (side[1] + label)) / height
            panel = axes.inset_axes((x, y, side[0] / width, side[1] / height))
            _show(panel, overlay_picture(picture, token.map_HW, regions, top, numbers=numbers))
            words = drawable(token.label, int(side[0] * 12))
            panel.set_title(words, loc="left", fontsize=SMALL_PT, color=colours.soft, pad=2)
        legend(figure, axes, Normalize(0.0, top or 1.0), colours, "attention per image token", below_inch=0.2)
    return figure


def _size_inch(picture: Image.Image, least: float, most: float) -> tuple[float, float]:
    """A drawn size with the picture's own proportions, not higher than 5 inches."""
    width = float(np.clip(picture.width / 110, least, most))
    height = width * picture.height / picture.width
    shrink = min(1.0, 5.0 / height)
    return width * shrink, height * shrink


def _cut(title: str, width_inch: float) -> str:
    """As much of a title as has room."""
    return one_line(title, max(12, int(len(title) * width_inch / max(title_inch(title), 0.1))))


def _show(axes: Axes, picture: Image.Image) -> None:
    axes.imshow(np.asarray(picture), interpolation="antialiased", aspect="auto")
    axes.set_axis_off()


def _name(axes: Axes, region: Region, place: int, at: tuple[float, float], colours: Theme) -> None:
    """A region's number on its colour, and its name."""
    paint = region.colour or region_colour(place)
    box = {"facecolor": paint, "edgecolor": "none", "boxstyle": "round,pad=0.25"}
    how: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "center"}
    number = str(place + 1)
    axes.annotate(
        number, at, (5, 0), ha="center", fontsize=TINY_PT, color=ink_on(paint), bbox=box, **how,
        annotation_clip=False,
    )  # fmt: skip
    name = drawable(region.name, _LONGEST_NAME)
    axes.annotate(name, at, (14, 0), fontsize=SMALL_PT, color=colours.ink, annotation_clip=False, **how)


__all__ = ["head_grid", "head_matrix", "picture_overlay", "save", "staircase"]

LONGEST_NAME = 16
"""Letters of a region's name beside a plot."""
_DASHES = (0, (3, 2))
_CELL_INCH = {16: 0.26, 32: 0.2, 10_000: 0.13}
"""Side of a grid cell by the larger side of the grid, so that 8 x 8 and 64 x 64 are both readable."""


def head_grid(
    ranking: HeadRanking, chosen: HeadSet | None = None, title: str = "", theme: ThemeName = "light"
) -> Figure:
    """Draw all heads coloured by score: a column per head, layer 0 at the bottom, chosen heads outlined.

    Bars at the right edge count the chosen heads of each layer; a head without a score is hatched.
    """
    colours = THEMES[theme]
    n_layers, n_heads = ranking.shape_LH
    cell_inch = next(inch for side, inch in _CELL_INCH.items() if max(n_layers, n_heads) <= side)
    title = title or _grid_title(ranking, chosen)
    size_inch = (n_heads * cell_inch, n_layers * cell_inch)
    right_inch = max(0.2 if chosen is None else 0.75, title_inch(title) - size_inch[0])
    with rc_context(STYLE):
        figure, axes = plate(size_inch, colours, left=0.5, right=right_inch, bottom=0.78, top=0.45)
        finite = ranking.scores_LH[np.isfinite(ranking.scores_LH)]
        low, high = float(finite.min(initial=0.0)), float(finite.max(initial=0.0))
        scale = Normalize(low, high if high > low else low + 1)
        _draw_cells(axes, ranking.scores_LH, scale, colours)
        for head in chosen or ():
            axes.add_patch(_cell_outline(head))
        _label_heads(axes, n_layers, n_heads, colours)
        entitle(axes, title, colours)
        if finite.size:
            legend(figure, axes, scale, colours, ranking.name, below_inch=0.6)
        if chosen is not None:
            _layer_bars(figure, axes, chosen.layer_histogram(n_layers), colours)
    return figure


def head_matrix(ranking: HeadRanking, head: Head, title: str = "", theme: ThemeName = "light") -> Figure:
    """Draw a head's matrix: asked-about panel down, looked-at panel across, the mean mass in each field.

    A gaze head is bright on the diagonal and dark elsewhere. UserError when the ranking kept no matrices,
    or has no score for the head.
    """
    if ranking.matrix_LHRR is None:
        raise UserError(
            f"The ranking “{ranking.name}” kept no matrices.", next_step="Measure it on strips of one layout."
        )
    score = ranking.score(head)
    matrix_RR = ranking.matrix_LHRR[head.layer, head.index]
    n_panels = len(matrix_RR)
    colours = THEMES[theme]
    with rc_context(STYLE):
        side_inch = n_panels * 0.42
        figure, axes = plate((side_inch, side_inch), colours, left=0.6, right=0.2, bottom=0.85, top=0.45)
        scale = Normalize(0.0, float(np.nanmax(matrix_RR, initial=0.0)) or 1.0)
        for (asked, seen), mass in np.ndenumerate(matrix_RR):
            _draw_field(axes, (seen, n_panels - 1 - asked), float(mass), scale)
        axes.set(xlim=(0, n_panels), ylim=(0, n_panels), aspect="equal")
        names = [str(number) for number in range(1, n_panels + 1)]
        axes.set_xticks(np.arange(n_panels) + 0.475, names)
        axes.set_yticks(np.arange(n_panels) + 0.475, names[::-1])
        quieten(axes, colours)
        axes.set_xlabel("panel looked at", color=colours.soft)
        axes.set_ylabel("panel asked about", color=colours.soft)
        place = f"{head}   {ranking.name} {format_figure(score)}, rank {ranking.rank_of(head)}"
        entitle(axes, title or place, colours)
        legend(figure, axes, scale, colours, "mean mass", below_inch=0.65)
    return figure


def staircase(
    trajectory: Trajectory,
    regions: Sequence[Region],
    switches: Sequence[tuple[int, str]] = (),
    marks: Sequence[tuple[int, str]] = (),
    title: str = "Where the heads look, by token",
    theme: ThemeName = "light",
    control: Trajectory | None = None,
) -> Figure:
    """Draw attention mass per region along the answer: steps where the heads follow the text or a schedule.

    regions: in the order of the trajectory's columns; their colour, and as second cue their number, name
    the lines.
    switches: (answer token, region name) from which that region is the target, blocks on top; "" is no
    target.
    marks: (answer token, text) where the answer itself names something, such as "Panel 3".
    control: the same masses of random heads, drawn dashed.
    """
    colours = THEMES[theme]
    n_tok = len(trajectory.masses_TR)
    highest = float(trajectory.masses_TR.max(initial=0.0)) or 1.0
    top = highest if trajectory.weighted else 1.0
    lines = _Lines.of(regions)
    with rc_context(STYLE):
        width_inch = float(np.clip(n_tok * 0.09, 4.2, 10))
        right_inch = float(np.clip(0.5 + 0.07 * lines.longest_name, 1.1, 1.7))
        figure, axes = plate((width_inch, 1.9), colours, left=0.6, right=right_inch, bottom=0.5, top=0.62)
        axes.set(xlim=(-0.5, max(n_tok - 0.5, 0.5)), ylim=(0, top))
        for place, paint in enumerate(lines.paints):
            axes.plot(trajectory.masses_TR[:, place], color=paint, linewidth=1.4, clip_on=False)
            if control is not None:
                axes.plot(control.masses_TR[:, place], color=paint, linewidth=0.9, linestyle=_DASHES)
        _draw_targets(axes, switches, n_tok, lines, colours)
        _draw_marks(axes, marks, colours)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_yticks([0, top / 2, top], [format_figure(value) for value in (0, top / 2, top)])
        quieten(axes, colours, lines=True)
        dashed = "" if control is None else "   (dashed: the random control)"
        axes.set_xlabel(f"answer token{dashed}", color=colours.soft)
        axes.set_ylabel(
            "value-weighted mass" if trajectory.weighted else "attention mass", color=colours.soft
        )
        entitle(axes, title, colours, pad_pt=24 if switches else 8)
        _name_lines(axes, lines, colours)
    return figure


def picture_overlay(
    picture: Image.Image,
    map_HW: NDArray[np.floating],
    regions: Sequence[Region] = (),
    title: str = "",
    highest: float | None = None,
    numbers: Sequence[int] | None = None,
    theme: ThemeName = "light",
) -> Figure:
    """Draw a picture with attention over it, alpha rising with the value, and the regions' outlines.

    map_HW: float (H, W), attention per image token in the picture's own pixels.
    highest: the value at the bright end of the scale, the map's own maximum unless given.
    numbers: the regions' numbers, 1, 2, 3 ... unless given.
    """
    colours = THEMES[theme]
    top = float(np.nanmax(map_HW, initial=0.0)) if highest is None else highest
    width_inch = float(np.clip(picture.width / 110, 3.2, 10))
    with rc_context(STYLE):
        size_inch = (width_inch, width_inch * picture.height / picture.width)
        figure, axes = plate(size_inch, colours, left=0.3, right=0.2, bottom=0.4, top=0.4)
        drawn = np.asarray(overlay_picture(picture, map_HW, regions, top, numbers=numbers))
        axes.imshow(drawn, interpolation="antialiased", aspect="auto")
        axes.set_axis_off()
        entitle(axes, title, colours, pad_pt=6)
        legend(
            figure, axes, Normalize(0.0, top or 1.0), colours, "attention per image token", below_inch=0.22
        )
    return figure


def _draw_cells(axes: Axes, scores_LH: NDArray[np.float64], scale: Normalize, colours: Theme) -> None:
    """Draw a square per head: one artist for all that have a score, one hatched for the others."""
    scored_LH = np.isfinite(scores_LH)
    paints = colormaps["magma"](scale(scores_LH[scored_LH]))
    axes.add_collection(PatchCollection(_squares(scored_LH), facecolors=paints, linewidths=0))
    if not scored_LH.all():
        quiet: dict[str, Any] = {
            "facecolor": colours.raised,
            "edgecolor": colours.line,
            "hatch": "////",
            "linewidth": 0,
        }
        axes.add_collection(PatchCollection(_squares(~scored_LH), **quiet))


def _squares(where_LH: NDArray[np.bool_]) -> list[Rectangle]:
    return [Rectangle((index, layer), 0.92, 0.92) for layer, index in np.argwhere(where_LH).tolist()]


def _cell_outline(head: Head) -> FancyBboxPatch:
    corner = (head.index + 0.04, head.layer + 0.04)
    shape = "round,pad=0.04,rounding_size=0.08"
    return FancyBboxPatch(corner, 0.84, 0.84, boxstyle=shape, fill=False, edgecolor=OUTLINE, linewidth=1.5)


def _label_heads(axes: Axes, n_layers: int, n_heads: int, colours: Theme) -> None:
    """Number layers and heads, every fourth where they are many."""
    axes.set(xlim=(-0.08, n_heads), ylim=(-0.08, n_layers), aspect="equal")
    for n, put in ((n_heads, axes.set_xticks), (n_layers, axes.set_yticks)):
        places = np.arange(0, n, 1 if n <= 16 else 4)
        put(places + 0.46, [str(place) for place in places])
    quieten(axes, colours)
    axes.set_xlabel("head", color=colours.soft, labelpad=1)
    axes.set_ylabel("layer", color=colours.soft)


def _grid_title(ranking: HeadRanking, chosen: HeadSet | None) -> str:
    parts = [ranking.name]
    if ranking.n_strips is not None:
        parts.append(f"{ranking.n_strips} strips")
    if chosen is not None:
        parts.append(str(chosen.origin))
        agreed = ranking.split_half_overlap(len(chosen)) if chosen.origin.kind == "top" else None
        if agreed is not None:
            parts.append(f"split-half {agreed} / {len(chosen)}")
    return "   ".join(parts)


def _layer_bars(figure: Figure, axes: Axes, counts_L: NDArray[np.int64], colours: Theme) -> None:
    """Draw how many heads are chosen in each layer along the grid's right edge."""
    width_inch = figure.get_size_inches()[0]
    box = axes.get_position()
    place = (box.x1 + 0.06 / width_inch, box.y0, 0.45 / width_inch, box.height)
    beside = figure.add_axes(place, sharey=axes)
    beside.barh(np.arange(len(counts_L)) + 0.46, counts_L, height=0.6, color=colours.accent, alpha=0.8)
    for layer, count in enumerate(counts_L.tolist()):
        if count and len(counts_L) <= 16:
            beside.annotate(
                f" {count}", (count, layer + 0.46), va="center", fontsize=TINY_PT, color=colours.soft
            )
    beside.set(xlim=(0, max(1, int(counts_L.max(initial=0))) * 1.4))
    beside.set_axis_off()


def _draw_field(axes: Axes, corner: tuple[int, int], mass: float, scale: Normalize) -> None:
    paint = to_hex(colormaps["magma"](scale(mass)))
    axes.add_patch(Rectangle(corner, 0.95, 0.95, facecolor=paint))
    middle = (corner[0] + 0.475, corner[1] + 0.475)
    axes.annotate(format_figure(mass), middle, color=ink_on(paint), ha="center", va="center", fontsize=7)


@dataclass(frozen=True)
class _Lines:
    """The regions of a plot: name, paint and number (from 1) of each."""

    names: tuple[str, ...]
    paints: tuple[str, ...]

    @classmethod
    def of(cls, regions: Sequence[Region]) -> _Lines:
        paints = (region.colour or region_colour(place) for place, region in enumerate(regions))
        return cls(tuple(region.name for region in regions), tuple(paints))

    @property
    def longest_name(self) -> int:
        """Letters of the longest name, as it is drawn."""
        return max((min(len(name), LONGEST_NAME) for name in self.names), default=0)


def _draw_targets(
    axes: Axes, switches: Sequence[tuple[int, str]], n_tok: int, lines: _Lines, colours: Theme
) -> None:
    """Draw a block above the plot for each target, and a dotted line at each switch."""
    level = axes.get_xaxis_transform()  # x in answer tokens, y in heights of the plot
    ends = [*(step for step, _ in switches[1:]), n_tok]  # the last turn lasts to the end
    for (step, name), end in zip(switches, ends, strict=False):
        if step > 0:
            axes.axvline(step - 0.5, color=colours.soft, linewidth=0.7, linestyle=(0, (2, 3)))
        if name not in lines.names or min(end, n_tok) <= step:
            continue
        place, width = lines.names.index(name), min(end, n_tok) - step
        paint = lines.paints[place]
        block = Rectangle(
            (step - 0.45, 1.04), width - 0.1, 0.09, facecolor=paint, clip_on=False, transform=level
        )
        axes.add_patch(block)
        axes.text(
            step + width / 2 - 0.5, 1.082, str(place + 1), color=ink_on(paint), fontsize=TINY_PT,
            ha="center", va="center", transform=level,
        )  # fmt: skip


def _draw_marks(axes: Axes, marks: Sequence[tuple[int, str]], colours: Theme) -> None:
    """Draw a short tick and a standing word where the answer itself names something."""
    level = axes.get_xaxis_transform()
    halo = [withStroke(linewidth=2, foreground=colours.panel)]
    for step, text in marks:
        axes.plot([step, step], [0, 0.05], color=colours.ink, linewidth=0.8, transform=level)
        axes.text(
            step, 0.08, drawable(text, LONGEST_NAME), fontsize=TINY_PT, color=colours.ink, rotation=90,
            va="bottom", ha="center", transform=level, path_effects=halo,
        )  # fmt: skip


def _name_lines(axes: Axes, lines: _Lines, colours: Theme) -> None:
    """Name the regions beside the plot, number and colour together."""
    spacing = min(0.16, 1 / max(len(lines.names), 1))
    for place, (name, paint) in enumerate(zip(lines.names, lines.paints, strict=True)):
        y = 0.96 - place * spacing
        box = {"facecolor": paint, "edgecolor": "none", "boxstyle": "round,pad=0.25"}
        at: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "center"}
        axes.annotate(
            str(place + 1),
            (1, y),
            (10, 0),
            ha="center",
            fontsize=TINY_PT,
            color=ink_on(paint),
            bbox=box,
            **at,
        )
        axes.annotate(
            drawable(name, LONGEST_NAME), (1, y), (19, 0), fontsize=SMALL_PT, color=colours.ink, **at
        )
