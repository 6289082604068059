"""Figures of a report: which there are, that each is written three ways, and that any text can be drawn."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from PIL import Image

from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.render.report.figures import NamedFigure, case_figures, entry_figures, telling_tokens
from gazeviz.render.report.report import Sources
from tests.render.made_runs import (
    CHOSEN,
    PANELS,
    RANKING,
    hostile_report,
    made_picture,
    made_report,
    made_run,
)


def names(figures: tuple[NamedFigure, ...]) -> list[str]:
    return [figure.name for figure in figures]


def test_a_case_has_its_picture_its_heads_and_the_best_heads_matrix() -> None:
    (case,) = made_report().cases
    assert names(case_figures(case)) == ["case-1-picture", "case-1-heads", "case-1-heads-matrix-L1H2"]
    assert "1 Panel 1, 2 Panel 2, 3 Panel 3" in case_figures(case)[0].alt


def test_without_a_ranking_the_chosen_heads_are_drawn_without_scores() -> None:
    (case,) = made_report(sources=Sources(picture=lambda _: made_picture())).cases
    figures = case_figures(case)
    assert names(figures) == ["case-1-picture", "case-1-heads"]
    drawn = figures[1].draw("light")
    assert drawn.axes[0].get_title(loc="left") == "top 2 of mass (no scores kept)"


def test_a_ranking_without_matrices_has_none() -> None:
    bare = HeadRanking("mass", RANKING.scores_LH)
    (case,) = made_report(sources=Sources(lambda _: made_picture(), lambda _: bare)).cases
    assert names(case_figures(case)) == ["case-1-picture", "case-1-heads"]


def test_each_set_of_regions_and_of_heads_is_drawn_once() -> None:
    (case,) = made_report(made_run(1), made_run(2), made_run(3, regions=PANELS[:2], looks=(0, 1, 1, 0))).cases
    figures = case_figures(case)
    assert names(figures) == [
        "case-1-picture",
        "case-1-picture-2",
        "case-1-heads",
        "case-1-heads-matrix-L1H2",
    ]
    assert "(runs 1, 2)" in figures[0].caption
    assert "(runs 3)" in figures[1].caption


def test_a_run_has_its_trajectory_and_its_maps() -> None:
    entry = made_report(made_run(7, Steering(CHOSEN, PANELS[1]))).entries[0]
    assert names(entry_figures(entry)) == ["run-7-trajectory", "run-7-maps"]
    drawn = entry_figures(entry)[0].draw("light").axes[0]
    assert [line.get_linestyle() for line in drawn.lines[:6]] == ["-", "--"] * 3
    assert drawn.get_xlabel() == "answer token   (dashed: the random control)"


def test_a_map_of_a_token_without_text_is_called_by_its_name() -> None:
    run = made_run(7, texts=("a", " cat", "", ""))
    run.model = replace(run.model, special_tokens={103: "<|im_end|>"})
    maps = entry_figures(made_report(run).entries[0], tokens=(1, 2, 3))[1]
    assert maps.caption.endswith("at tokens 1 “cat”, 2 ‹102›, 3 <|im_end|>")
    panels = [panel for panel in maps.draw("light").axes[0].child_axes if isinstance(panel, Axes)]
    assert [panel.get_title(loc="left") for panel in panels] == [
        "token 1 “cat”", "token 2 ‹102›", "token 3 <|im_end|>",
    ]  # fmt: skip


def test_without_a_picture_or_a_grid_there_are_no_maps() -> None:
    entry = made_report(made_run(7), sources=Sources()).entries[0]
    assert names(entry_figures(entry)) == ["run-7-trajectory"]
    unproven = made_report(made_run(8, regions=())).entries[0]
    assert entry_figures(unproven) == ()


def test_tokens_that_tell_most_are_where_the_look_moves() -> None:
    texts = tuple("abcdefgh")
    run = made_run(1, texts=(*texts[:7], ""), looks=(0, 0, 0, 0, 2, 2, 1, 1))
    entry = made_report(run).entries[0]
    assert telling_tokens(entry) == (0, 2, 4, 6)
    assert telling_tokens(entry, 2) == (0, 6)
    assert telling_tokens(made_report(made_run(1, texts=("",), looks=(0,))).entries[0]) == ()


def test_every_figure_is_written_three_ways(tmp_path: Path) -> None:
    (case,) = made_report(
        made_run(1, Steering(CHOSEN, PANELS[0], schedule=Schedule.every(2, PANELS[:2])))
    ).cases
    for figure in (*case_figures(case), *entry_figures(case.entries[0])):
        paths = figure.save(tmp_path)
        assert [path.suffix for path in paths] == [".svg", ".pdf", ".png"]
        assert paths[0].read_bytes().startswith(b"<?xml")
        pdf = paths[1].read_bytes()
        assert b"/FontFile2" in pdf
        assert b"/Type3" not in pdf
        with Image.open(paths[2]) as image:
            image.load()
            assert image.width > 500


def test_a_figure_in_a_page_knows_its_size_and_matches_the_theme() -> None:
    figure = case_figures(made_report().cases[0])[1]
    light, dark = (figure.drawn("svg", theme) for theme in ("light", "dark"))
    assert light.data != dark.data
    assert light.uri.startswith("data:image/svg+xml;base64,")
    width_pt = re.search(rb'width="([\d.]+)pt"', light.data)
    assert width_pt is not None
    assert light.width_px == pytest.approx(float(width_pt[1]) * 96 / 72, abs=1)


def test_a_picture_in_a_page_has_no_ground_of_its_own() -> None:
    figure = case_figures(made_report().cases[0])[0]
    with Image.open(io.BytesIO(figure.drawn("webp").data)) as image:
        assert image.convert("RGBA").getpixel((0, 0))[3] == 0  # type: ignore[index]


def test_any_text_can_be_drawn(tmp_path: Path) -> None:
    report = hostile_report()
    figures = [figure for case in report.cases for figure in case_figures(case)]
    figures += [figure for entry in report.entries for figure in entry_figures(entry)]
    assert len(figures) == 7
    for figure in figures:
        for path in figure.save(tmp_path):
            assert path.stat().st_size > 1000
