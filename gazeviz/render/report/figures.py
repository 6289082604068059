"""The figures of a report, each with a name, a caption and words for those who cannot see it.

Every format takes the same ones: a page embeds them, a folder keeps each as SVG, PDF and PNG.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import StepArrived
from gazeviz.domain.region import Region
from gazeviz.domain.wording import quoted_token
from gazeviz.render import figures
from gazeviz.render.figures import STYLE, SUFFIXES, TokenMap, overlay_strip, picture_regions
from gazeviz.render.report.report import Case, ReportedPicture, ReportedRun, panel_marks, side_words
from gazeviz.render.style import ThemeName, one_line

MAPS_SHOWN: Final = 4
FIGURE_DPI: Final = 200
FigureKind: TypeAlias = Literal["svg", "pdf", "png", "webp"]


@dataclass(frozen=True)
class DrawnFigure:
    """A figure as a file holds it, and how large it is meant to be seen."""

    kind: FigureKind
    data: bytes
    size_inch: tuple[float, float]

    @property
    def width_px(self) -> int:
        """Its width on a page of 96 pixels per inch."""
        return round(self.size_inch[0] * 96)

    @property
    def height_px(self) -> int:
        """Its height on such a page."""
        return round(self.size_inch[1] * 96)

    @property
    def uri(self) -> str:
        """The figure as a data: address, which needs no file."""
        mime = {"svg": "image/svg+xml", "pdf": "application/pdf"}.get(self.kind, f"image/{self.kind}")
        return f"data:{mime};base64,{base64.b64encode(self.data).decode('ascii')}"


def _unheard(_name: str) -> None:
    return None


before_drawing: ContextVar[Callable[[str], None]] = ContextVar("before_drawing", default=_unheard)
"""Told the name of every figure that this thread is about to draw; ends the drawing by raising."""


@dataclass(frozen=True, eq=False)
class NamedFigure:
    """A figure of a report. name: of its files.  has_picture: whether pixels are most of it."""

    name: str
    caption: str
    alt: str
    draw: Callable[[ThemeName], Figure]
    has_picture: bool = False

    def drawn(self, kind: FigureKind, theme: ThemeName = "light", dpi: int = FIGURE_DPI) -> DrawnFigure:
        """Return the figure as a file's bytes."""
        before_drawing.get()(self.name)
        buffer, figure = io.BytesIO(), self.draw(theme)
        how: dict[str, Any] = {"facecolor": "auto"}
        if kind == "webp":
            # A lossy ground would not quite match the page's: only the picture is painted.
            how = {"pil_kwargs": {"quality": 88, "method": 4}, "transparent": True}
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
        with rc_context(STYLE):
            figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata, **how)
        width_inch, height_inch = figure.get_size_inches()
        return DrawnFigure(kind, buffer.getvalue(), (float(width_inch), float(height_inch)))

    def save(self, folder: Path, theme: ThemeName = "light", dpi: int = FIGURE_DPI) -> list[Path]:
        """Write SVG, PDF and PNG into a folder; UserErrors of plate.save."""
        before_drawing.get()(self.name)
        drawn = self.draw(theme)
        return [figures.save(drawn, folder / f"{self.name}{suffix}", dpi) for suffix in SUFFIXES]


def case_figures(case: Case) -> tuple[NamedFigure, ...]:
    """Return what the runs of a case share: the picture with its regions, and the chosen heads."""
    return (*_picture_figures(case), *_head_figures(case))


def entry_figures(entry: ReportedRun, tokens: Sequence[int] | None = None) -> tuple[NamedFigure, ...]:
    """Return what belongs to one run: its trajectory, and maps at some tokens (None: the most telling)."""
    return (*_trajectory_figure(entry), *_maps_figure(entry, tokens))


def telling_tokens(entry: ReportedRun, n: int = MAPS_SHOWN) -> tuple[int, ...]:
    """Return up to `n` tokens whose maps tell most: where the look moves to another region, then evenly."""
    seen = [index for index, chip in enumerate(entry.chips) if chip.text.strip()]  # an end has no text
    if not seen:
        return ()
    chosen = dict.fromkeys(_evenly([index for index in seen if entry.chips[index].begins], n))
    for index in _evenly(seen, n):
        if len(chosen) < n:
            chosen.setdefault(index)
    return tuple(sorted(chosen))


def _evenly(indices: Sequence[int], n: int) -> list[int]:
    """At most `n` of them, first and last among them."""
    if len(indices) <= n:
        return list(indices)
    return [indices[place] for place in np.linspace(0, len(indices) - 1, n).round().astype(int).tolist()]


def _picture_figures(case: Case) -> Iterator[NamedFigure]:
    """The picture once for each set of regions that runs watched."""
    seen: dict[tuple[Region, ...], list[ReportedRun]] = {}
    for entry in case.entries:
        seen.setdefault(_fitting(entry), []).append(entry)
    for number, (regions, entries) in enumerate(seen.items(), start=1):
        picture = entries[0].picture
        if picture is None:
            continue
        names = ", ".join(f"{place} {region.name}" for place, region in enumerate(regions, start=1))
        runs = "" if len(seen) == 1 else f" (runs {', '.join(str(entry.run.id) for entry in entries)})"
        yield NamedFigure(
            f"case-{case.number}-picture" + ("" if number == 1 else f"-{number}"),
            f"{picture.name}: the picture and its regions{runs}",
            f"The picture with its regions outlined: {names or 'none'}.",
            _drawn_picture(picture, regions),
            has_picture=True,
        )


def _drawn_picture(picture: ReportedPicture, regions: Sequence[Region]) -> Callable[[ThemeName], Figure]:
    return lambda theme: picture_regions(picture.image, regions, one_line(picture.name, 60), theme)


def _head_figures(case: Case) -> Iterator[NamedFigure]:
    """The grid once for each head set that runs watched, and the matrix of its best head."""
    seen: dict[tuple[Head, ...], ReportedRun] = {}
    for entry in case.entries:
        if len(entry.chosen) and entry.chosen.heads not in seen:
            seen[entry.chosen.heads] = entry
    for number, entry in enumerate(seen.values(), start=1):
        name = f"case-{case.number}-heads" + ("" if number == 1 else f"-{number}")
        ranking = entry.ranking or _without_scores(entry)
        yield NamedFigure(
            name,
            f"Chosen heads, {entry.chosen.origin}",
            f"All heads coloured by score, layer 0 at the bottom; chosen: {entry.chosen}.",
            _drawn_grid(ranking, entry.chosen, entry.ranking is not None),
        )
        if entry.ranking is not None and entry.ranking.matrix_LHRR is not None:
            best = _best(entry.ranking, entry.chosen)
            yield NamedFigure(
                f"{name}-matrix-{best}",
                f"{best}, the best chosen head: where it looks when each panel is asked about",
                f"Matrix of head {best}: panel asked about down, panel looked at across.",
                _drawn_matrix(entry.ranking, best),
            )


def _drawn_grid(ranking: HeadRanking, chosen: HeadSet, scored: bool) -> Callable[[ThemeName], Figure]:
    title = "" if scored else f"{chosen.origin} (no scores kept)"
    return lambda theme: figures.head_grid(ranking, chosen, title, theme)


def _drawn_matrix(ranking: HeadRanking, head: Head) -> Callable[[ThemeName], Figure]:
    return lambda theme: figures.head_matrix(ranking, head, theme=theme)


def _without_scores(entry: ReportedRun) -> HeadRanking:
    return HeadRanking("heads", np.full(entry.run.model.shape_LH, np.nan))


def _best(ranking: HeadRanking, chosen: HeadSet) -> Head:
    """The chosen head with the highest score."""
    scored = {head: place for place, head in enumerate(ranking.order())}
    return min(chosen, key=lambda head: scored.get(head, len(scored)))


def _trajectory_figure(entry: ReportedRun) -> Iterator[NamedFigure]:
    trajectory = entry.trajectory
    if trajectory is None:
        return
    control, turns, marks = entry.control, entry.turns, panel_marks(entry.run.steps)
    title = f"Run {entry.run.id}, {one_line(side_words(entry.run.side, entry.steering), 40)}"
    leaders = ", ".join(sorted({trajectory.names[place] for place in trajectory.leader_T.tolist()}))
    yield NamedFigure(
        f"run-{entry.run.id}-trajectory",
        f"{entry.name}: attention mass on each region by token",
        f"Lines of attention mass by answer token; most mass lies on: {leaders}.",
        lambda theme: figures.staircase(trajectory, entry.regions, turns, marks, title, theme, control),
    )


def _maps_figure(entry: ReportedRun, tokens: Sequence[int] | None) -> Iterator[NamedFigure]:
    grid, picture = entry.grid, entry.picture
    if grid is None or picture is None or not entry.run.steps or grid.picture_size_px != picture.size_px:
        return
    steps = entry.run.steps
    wanted = telling_tokens(entry) if tokens is None else [index for index in tokens if index < len(steps)]
    if not wanted:
        return
    read = ", ".join(f"{index} {_token_label(entry, steps[index])}" for index in wanted)
    title = f"Run {entry.run.id}, {one_line(side_words(entry.run.side, entry.steering), 40)}"
    yield NamedFigure(
        f"run-{entry.run.id}-maps",
        f"{entry.name}: where the heads looked at tokens {read}",
        f"The picture with attention laid over it at tokens {read}.",
        lambda theme: _drawn_maps(entry, picture, grid, wanted, title, theme),
        has_picture=True,
    )


def _drawn_maps(
    entry: ReportedRun,
    picture: ReportedPicture,
    grid: TokenGrid,
    wanted: Sequence[int],
    title: str,
    theme: ThemeName,
) -> Figure:
    steps = entry.run.steps
    maps = [
        TokenMap(f"token {index} {_token_label(entry, steps[index])}", grid.picture_map(steps[index].map_P))
        for index in wanted
    ]
    shown = [
        (number, region)
        for number, region in enumerate(_fitting(entry), start=1)
        if _is_target(entry, region)
    ]
    numbers = [number for number, _ in shown]
    return overlay_strip(picture.image, maps, [region for _, region in shown], title, theme, numbers)


def _token_label(entry: ReportedRun, step: StepArrived) -> str:
    return quoted_token(one_line(step.text), step.token_id, entry.run.model.special_tokens)


def _is_target(entry: ReportedRun, region: Region) -> bool:
    return entry.steering is not None and region.name in {name for _, name in entry.turns}


def _fitting(entry: ReportedRun) -> tuple[Region, ...]:
    """The regions that belong to the picture as it was kept."""
    size_px = entry.picture.size_px if entry.picture else None
    return tuple(region for region in entry.regions if size_px is None or region.size_px == size_px)
