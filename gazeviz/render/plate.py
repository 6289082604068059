"""The plate that every figure is drawn on: exact sizes, quiet axes, a legend, saving all or nothing.

It does not know what is drawn on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from gazeviz.errors import UserError
from gazeviz.render.lettering import drawable
from gazeviz.render.palette import Theme, figure_text
from gazeviz.whole_files import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
        (-0.03, figure_text(low), "right"),
        (1.03, f"{figure_text(high)}   {drawable(what)}", "left"),
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
