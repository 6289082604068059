"""What a model's folder recommends: the card's setting, a published ranking, or nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gazeviz.domain.heads import HeadRanking
from gazeviz.engine.models.description import recommendation, usual_count
from gazeviz.errors import UserError

SHAPE_LH = (4, 4)
SETTING: dict[str, Any] = {
    "ranking": "mass", "n": 3, "mode": "suppress_image", "strength": "hard", "scope": "after_image",
    "alpha": 0.8,
}  # fmt: skip


@pytest.fixture
def ranking(rng: np.random.Generator) -> HeadRanking:
    return HeadRanking("mass", rng.random(SHAPE_LH))


def test_a_folder_without_files_recommends_nothing(tmp_path: Path) -> None:
    assert recommendation(tmp_path, SHAPE_LH) is None


def test_the_cards_setting_is_read_for_each_task(tmp_path: Path, ranking: HeadRanking) -> None:
    moving = SETTING | {"n": 5, "scope": "decode_only"}
    (tmp_path / "recommended.json").write_text(json.dumps(SETTING | {"moving": moving}))
    (tmp_path / "rankings").mkdir()
    ranking.save(tmp_path / "rankings" / "mass.json")
    still, wandering = (recommendation(tmp_path, SHAPE_LH, task) for task in ("answer", "moving"))
    assert still is not None and wandering is not None
    assert set(still.heads) == set(ranking.top(3))
    assert str(still.heads.origin) == "top 3 of mass"
    assert (still.mode, still.strength, still.scope, still.alpha) == (
        "suppress_image",
        "hard",
        "after_image",
        0.8,
    )
    assert (len(wandering.heads), wandering.scope) == (5, "decode_only")


def test_a_task_that_the_card_is_silent_about_has_its_own_rows(tmp_path: Path, ranking: HeadRanking) -> None:
    (tmp_path / "recommended.json").write_text(json.dumps(SETTING))
    (tmp_path / "rankings").mkdir()
    ranking.save(tmp_path / "rankings" / "mass.json")
    still, moving = (recommendation(tmp_path, SHAPE_LH, task) for task in ("answer", "moving"))
    assert still is not None and moving is not None
    assert set(moving.heads) == set(still.heads) and (still.scope, moving.scope) == ("after_image", None)


def test_a_published_ranking_alone_recommends_its_best_heads(tmp_path: Path, ranking: HeadRanking) -> None:
    ranking.save(tmp_path / "gaze_head_ranking.json")
    read = recommendation(tmp_path, SHAPE_LH)
    assert read is not None
    assert set(read.heads) == set(ranking.top(12))
    assert read.scope is None


@pytest.mark.parametrize("text", ["no json", "{}", "[1]", json.dumps(SETTING | {"n": "many"})])
def test_a_damaged_recommendation_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "recommended.json").write_text(text)
    with pytest.raises(UserError, match="no recommendation"):
        recommendation(tmp_path, SHAPE_LH)


def test_a_ranking_of_another_model_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    HeadRanking("mass", rng.random((9, 9))).save(tmp_path / "gaze_head_ranking.json")
    with pytest.raises(UserError, match="has no L"):
        recommendation(tmp_path, SHAPE_LH)


@pytest.mark.parametrize(("shape_LH", "count"), [((2, 2), 4), ((8, 8), 12), ((36, 32), 96)])
def test_small_grids_are_steered_with_a_larger_part(shape_LH: tuple[int, int], count: int) -> None:
    assert usual_count(HeadRanking("mass", np.ones(shape_LH))) == count
