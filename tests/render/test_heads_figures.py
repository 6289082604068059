"""Figures of heads and of several evaluations: what they show, as data and as a picture."""

from __future__ import annotations

import csv
import io
from typing import cast

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from gazeviz.domain.experiments.conditions import SweepAxis
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.errors import UserError
from gazeviz.render.heads_figures import (
    HEADS_FIGURES,
    RankedHeads,
    common_core,
    data_of_heads,
    draw_heads,
    jaccard,
    matrix_data,
    several,
    shown_heads,
)
from tests.evaluate.staging import Kept, picture_set, result, runner, spec_of

SCORES = np.arange(32, dtype=float).reshape(4, 8)
MATRIX = np.broadcast_to(np.eye(3), (4, 8, 3, 3)) * SCORES[..., None, None] / 32
FIRST = HeadRanking("mass", SCORES, matrix_LHRR=MATRIX)
OTHER = HeadRanking("other", np.roll(SCORES, 2))
HEADS = RankedHeads({"mass": FIRST, "other": OTHER}, FIRST.top(6))


@pytest.mark.parametrize("name", HEADS_FIGURES)
def test_every_figure_is_drawn_in_both_themes(name: str) -> None:
    for theme in ("light", "dark"):
        figure = draw_heads(HEADS, name, theme)
        assert figure.axes


def test_matrices_show_chosen_heads_above_the_lowest_of_the_others() -> None:
    chosen, lowest = shown_heads(HEADS)
    assert chosen == FIRST.order()[:4] and set(lowest) == set(FIRST.bottom(4))
    assert len(draw_heads(HEADS, "matrices").axes) == 8
    rows = list(csv.DictReader(io.StringIO(matrix_data(FIRST, chosen))))
    assert len(rows) == 4 * 9
    assert float(rows[0]["mean mass"]) == pytest.approx(31 / 32)
    with pytest.raises(UserError, match="kept no matrices"):
        draw_heads(RankedHeads({"other": OTHER}, OTHER.top(2)), "matrices")


def test_the_histogram_marks_where_the_chosen_heads_begin() -> None:
    axes = draw_heads(HEADS, "histogram").axes[0]
    assert sum(cast(Rectangle, bar).get_height() for bar in axes.patches) == 32
    (cut,) = (line for line in axes.lines)
    assert np.asarray(cut.get_xdata()).tolist() == [26, 26]


def test_overlap_is_jaccard_with_the_heads_that_all_share() -> None:
    assert jaccard(FIRST.top(6), FIRST.top(6)) == 1.0
    assert jaccard(HeadSet((Head(0, 0), Head(0, 1))), HeadSet((Head(0, 1), Head(0, 2)))) == pytest.approx(
        1 / 3
    )
    core = common_core(HEADS)
    assert set(core) == set(FIRST.top(6)) & set(OTHER.top(6)) and len(core) == 4
    with pytest.raises(UserError, match="overlaps with nothing"):
        draw_heads(RankedHeads({"mass": FIRST}, FIRST.top(2)), "overlap")


def test_the_data_names_every_head_with_its_ranks() -> None:
    rows = list(csv.DictReader(io.StringIO(data_of_heads(HEADS))))
    assert len(rows) == 32
    assert sum(int(row["chosen"]) for row in rows) == 6
    last = rows[-1]
    assert (last["mass rank"], last["other rank"]) == ("1", "3")


def test_several_evaluations_stand_in_one_figure() -> None:
    pictures = picture_set(2)
    spec, kept = spec_of(pictures, "uniform:2"), Kept()
    runner(spec, pictures, kept).run()
    found = result(spec, pictures, kept)
    figure = several({"one model": found, "another": found})
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["another", "one model"]
    from dataclasses import replace

    swept = replace(found, spec=replace(spec, axes=(SweepAxis("top", ("5",)),)))
    with pytest.raises(UserError, match="sweep different things"):
        several({"one": found, "other": swept})
