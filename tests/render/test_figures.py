"""Figures: what is on them, that they are written whole, and that the same figure is the same file."""

import re
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from matplotlib.text import Text
from PIL import Image

from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.run import Trajectory
from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.domain.wording import format_figure
from gazeviz.errors import UserError
from gazeviz.render import figures
from gazeviz.render.figures import save
from gazeviz.render.style import ThemeName, magma_256x3

PANELS = panel_regions(Layout(1, 3), 300, 100)


@pytest.fixture
def ranking(rng: np.random.Generator) -> HeadRanking:
    scores_LH = rng.random((4, 6)) * 0.8
    scores_LH[3, 5] = np.nan
    scores_LH[0, 0] = 0.9
    matrix_LHRR = rng.random((4, 6, 3, 3))
    return HeadRanking("mass", scores_LH, 12, matrix_LHRR)


@pytest.fixture
def trajectory() -> Trajectory:
    masses_TR = np.full((9, 3), 0.05, dtype=np.float32)
    for step in range(9):
        masses_TR[step, step // 3] = 0.8
    return Trajectory(masses_TR, tuple(panel.name for panel in PANELS))


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts] + [
        axes.get_title(loc="left") for axes in figure.axes
    ]


def cells(axes: Axes) -> list[dict[tuple[int, int], str]]:
    """Lower left corner (head, layer) -> colour, of the scored cells and of the hatched ones."""
    found = []
    for squares in axes.collections:
        corners = [np.asarray(path.vertices).min(axis=0).round().astype(int) for path in squares.get_paths()]
        paints = [to_hex(paint) for paint in np.asarray(squares.get_facecolor())]
        found.append({(int(x), int(y)): paint for (x, y), paint in zip(corners, cycle(paints), strict=False)})
    return found


def test_the_grid_has_a_cell_per_head_with_layer_0_at_the_bottom(ranking: HeadRanking) -> None:
    axes = figures.head_grid(ranking).axes[0]
    scored, hatched = cells(axes)
    assert {**scored, **hatched}.keys() == {(head, layer) for layer in range(4) for head in range(6)}
    low, high = axes.get_ylim()
    assert low < high
    assert scored[(0, 0)] == "#{:02x}{:02x}{:02x}".format(*magma_256x3()[255])
    assert list(scored.values()).count(scored[(0, 0)]) == 1


def test_a_head_without_a_score_is_hatched_not_coloured(ranking: HeadRanking) -> None:
    axes = figures.head_grid(ranking).axes[0]
    assert list(cells(axes)[1]) == [(5, 3)]
    assert [squares.get_hatch() for squares in axes.collections] == [None, "////"]


def test_chosen_heads_are_outlined_and_counted_by_layer(ranking: HeadRanking) -> None:
    chosen = HeadSet.of([Head(1, 2), Head(1, 3), Head(2, 0)])
    figure = figures.head_grid(ranking, chosen)
    outlines = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    places = [outline.get_path().get_extents().p0 for outline in outlines]
    assert [tuple(np.round(place).astype(int)) for place in places] == [(2, 1), (3, 1), (0, 2)]
    assert "chosen by hand" in figure.axes[0].get_title(loc="left")
    bars = [bar.get_width() for bar in figure.axes[-1].patches if isinstance(bar, Rectangle)]
    assert bars == [0, 2, 1, 0]


def test_every_scale_says_its_ends_in_figures(ranking: HeadRanking, trajectory: Trajectory) -> None:
    assert {"0", ".9   mass"} <= set(texts(figures.head_grid(ranking)))
    assert ranking.matrix_LHRR is not None
    highest = format_figure(float(ranking.matrix_LHRR[0, 0].max()))
    assert f"{highest}   mean mass" in texts(figures.head_matrix(ranking, Head(0, 0)))
    picture = Image.new("RGB", (60, 40))
    overlay = figures.picture_overlay(picture, np.full((40, 60), 0.31), title="here")
    assert {".31   attention per image token", "here"} <= set(texts(overlay))
    ticks = figures.staircase(trajectory, PANELS).axes[0].get_yticklabels()
    assert [tick.get_text() for tick in ticks] == ["0", ".5", "1"]


def test_the_matrix_has_the_asked_panel_down_and_the_looked_at_panel_across() -> None:
    matrix_RR = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]])
    ranking = HeadRanking("mass", np.ones((1, 1)), 1, matrix_RR[None, None])
    axes = figures.head_matrix(ranking, Head(0, 0)).axes[0]
    said = {(text.xy[1], text.xy[0]): text.get_text() for text in axes.texts}  # type: ignore[attr-defined]
    rows = [
        [said[key] for key in sorted(said) if key[0] == y] for y in sorted({y for y, _ in said}, reverse=True)
    ]
    assert rows == [[".1", ".2", ".3"], [".4", ".5", ".6"], [".7", ".8", ".9"]]


def test_a_matrix_that_was_not_kept_is_refused_with_a_next_step() -> None:
    with pytest.raises(UserError, match="kept no matrices"):
        figures.head_matrix(HeadRanking("mass", np.ones((2, 2))), Head(0, 0))


def test_the_staircase_draws_lines_targets_and_marks(trajectory: Trajectory) -> None:
    figure = figures.staircase(
        trajectory, PANELS, [(0, "Panel 3"), (3, "Panel 1"), (6, "")], [(4, "Panel 2")], title="steps"
    )
    axes = figure.axes[0]
    drawn = {to_hex(line.get_color()): line for line in axes.lines if len(line.get_xdata()) == 9}  # type: ignore[arg-type]
    assert list(drawn) == [str(panel.colour).lower() for panel in PANELS]
    blocks = [(patch.get_x(), patch.get_width()) for patch in axes.patches if isinstance(patch, Rectangle)]
    np.testing.assert_allclose(blocks, [(-0.45, 2.9), (2.55, 2.9)])
    assert {"Panel 2", "steps", "3", "1"} <= set(texts(figure))


def test_each_line_is_named_by_number_colour_and_name(trajectory: Trajectory) -> None:
    said = texts(figures.staircase(trajectory, PANELS))
    assert [said.count(part) for part in ("1", "2", "3", "Panel 1", "Panel 2", "Panel 3")] == [1] * 6


def test_an_empty_answer_still_gives_a_figure() -> None:
    empty = Trajectory(np.zeros((0, 3), dtype=np.float32), tuple(panel.name for panel in PANELS))
    assert figures.staircase(empty, PANELS).axes


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_the_same_figure_is_the_same_file(suffix: str, ranking: HeadRanking, tmp_path: Path) -> None:
    first, second = (save(figures.head_grid(ranking), tmp_path / f"{name}{suffix}") for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) > 3000
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a{suffix}", f"b{suffix}"]


def test_a_pdf_carries_its_fonts_and_an_svg_needs_none(ranking: HeadRanking, tmp_path: Path) -> None:
    pdf = save(figures.head_grid(ranking), tmp_path / "grid.pdf").read_bytes()
    assert b"/Subtype /Type0" in pdf and b"/FontFile2" in pdf
    svg = save(figures.head_grid(ranking), tmp_path / "grid.svg").read_text()
    assert "<text" not in svg and "font-family" not in svg


def test_a_figure_that_cannot_be_written_leaves_nothing(ranking: HeadRanking, tmp_path: Path) -> None:
    figure = figures.head_grid(ranking)
    with pytest.raises(UserError, match=r"\.svg, \.pdf, \.png"):
        save(figure, tmp_path / "grid.doc")
    with pytest.raises(UserError, match="could not be written"):
        save(figure, tmp_path / "nowhere" / "grid.svg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape_LH", [(8, 8), (36, 32), (64, 64), (2, 1)])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_grids_of_every_size_are_drawn_inside_their_figure(
    shape_LH: tuple[int, int], theme: ThemeName, rng: np.random.Generator
) -> None:
    ranking = HeadRanking("mass", rng.random(shape_LH))
    figure = figures.head_grid(ranking, ranking.top(1), theme=theme)
    for axes in figure.axes:
        box = axes.get_position()
        assert 0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == [str(head) for head in range(0, shape_LH[1], 1 if shape_LH[1] <= 16 else 4)]
    assert re.fullmatch(r"mass +top 1 of mass", figure.axes[0].get_title(loc="left"))


def test_a_long_title_has_room(rng: np.random.Generator) -> None:
    halves = tuple(HeadRanking("mass", rng.random((8, 8))) for _ in range(2))
    ranking = HeadRanking("mass", rng.random((8, 8)), 24, halves=(halves[0], halves[1]))
    figure = figures.head_grid(ranking, ranking.top(10))
    figure.canvas.draw()
    title = next(child for child in figure.axes[0].get_children() if "split-half" in _said(child))
    assert title.get_window_extent().x1 <= figure.bbox.x1


def _said(artist: Artist) -> str:
    return artist.get_text() if isinstance(artist, Text) else ""


def test_a_control_is_dashed_and_named(trajectory: Trajectory) -> None:
    figure = figures.staircase(trajectory, PANELS, control=trajectory)
    assert [line.get_linestyle() for line in figure.axes[0].lines] == ["-", "--"] * 3
    assert "dashed: the random control" in figure.axes[0].get_xlabel()


def test_names_that_look_like_formulas_are_drawn_as_they_are(
    ranking: HeadRanking, trajectory: Trajectory, tmp_path: Path
) -> None:
    named = tuple(Region(f"$x^{place}$ \\frac", panel.mask_HW) for place, panel in enumerate(PANELS))
    staircase = figures.staircase(trajectory, named, marks=[(1, "$\\")], title="$_$")
    for figure in (staircase, figures.head_grid(ranking, title="$\\alpha$")):
        save(figure, tmp_path / "figure.svg")
    assert "$x^0$ \\frac" in texts(staircase)


def test_tokens_are_counted_in_whole_numbers() -> None:
    short = Trajectory(np.eye(3, dtype=np.float32)[:2], tuple(panel.name for panel in PANELS))
    axes = figures.staircase(short, PANELS).axes[0]
    assert all(float(tick).is_integer() for tick in axes.get_xticks())
