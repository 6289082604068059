"""What a model's folder recommends, and what is usual where it says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gazeviz.app.runs.model_loader import kept_rankings
from gazeviz.app.runs.presets import recommended_heads, recommended_ranking, recommended_steering
from gazeviz.app.session.values import SteeringSettings
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import LoadModel, ModelInfo, Recommended
from gazeviz.errors import UserError
from gazeviz.store import SessionStore
from tests.fakes.scripted import Script, ScriptedModel


@pytest.fixture
def info() -> ModelInfo:
    return ScriptedModel(Script(), LoadModel(1)).info()


def test_the_folder_says_how_many_heads(info):
    assert recommended_heads(replace(info, recommended=Recommended(3))) == info.default_ranking.top(3)
    assert len(recommended_heads(replace(info, recommended=Recommended(500)))) == 64


def test_a_ranking_alone_gives_the_usual_number(info):
    assert len(recommended_heads(replace(info, recommended=None))) == 12


def test_without_a_ranking_nothing_is_recommended(info):
    with pytest.raises(UserError, match="comes without a ranking"):
        recommended_heads(replace(info, default_ranking=None, recommended=None))
    with pytest.raises(UserError, match="No model is loaded"):
        recommended_heads(None)


def test_rows_are_those_of_the_prompt_unless_the_folder_names_some(info):
    plain = replace(info, recommended=Recommended(5, "mass", "hard", None, 0.7))
    assert recommended_steering(plain, "decode_only") == SteeringSettings("mass", "hard", 0.7, "decode_only")
    named = replace(info, recommended=Recommended(5, scope="after_image"))
    assert recommended_steering(named, "decode_only").scope == "after_image"
    assert recommended_steering(replace(info, recommended=None), "all_rows") == SteeringSettings()


def test_a_narration_may_be_steered_in_another_way(info):
    causal = Recommended(5, scope="decode_only", ranking="causal")
    both = replace(info, recommended=Recommended(3, scope="after_image"), recommended_moving=causal)
    assert recommended_heads(both) == info.rankings["mass"].top(3)
    assert recommended_heads(both, moving=True) == info.rankings["causal"].top(5)
    assert recommended_ranking(both, moving=True) is info.rankings["causal"]
    assert recommended_steering(both, "all_rows").scope == "after_image"
    assert recommended_steering(both, "all_rows", moving=True).scope == "decode_only"


def test_a_narration_that_nothing_is_said_of_keeps_its_rows(info):
    still = replace(info, recommended=Recommended(3, strength=5.0, scope="after_image"))
    assert recommended_heads(still, moving=True) == recommended_heads(still)
    expected = SteeringSettings(strength=5.0, scope="decode_only")
    assert recommended_steering(still, "decode_only", moving=True) == expected
    elsewhere = replace(info, recommended_moving=Recommended(4, ranking="not in the folder"))
    assert recommended_heads(elsewhere, moving=True) == info.default_ranking.top(4)


def test_a_model_comes_up_as_its_folder_recommends(open_stage):
    stage = open_stage(start=False)
    stage.model.steering = SteeringSettings("mass", "hard", 0.3, "decode_only")
    stage.controller.start()
    stage.until(lambda: stage.model.worker_state == "ready")
    assert stage.model.chosen == recommended_heads(stage.model.model_info)
    assert stage.model.steering == SteeringSettings(scope="decode_only")


def test_of_a_log_the_newest_of_each_name_is_kept_and_what_was_shipped_is_not_doubled():
    shipped = HeadRanking("mass", np.arange(4.0).reshape(2, 2), 24)
    mine, older = HeadRanking("mine", np.ones((2, 2))), HeadRanking("mine", np.zeros((2, 2)))
    measured = HeadRanking("mass", np.ones((2, 2)), 3)
    kept = kept_rankings([mine, measured, older, replace(shipped)], {"mass": shipped})
    assert list(kept) == ["mine", "mass (3 strips)"]
    assert (kept["mine"].scores_LH == 1).all()
    assert kept["mass (3 strips)"].name == "mass (3 strips)"


def test_what_was_measured_and_saved_is_offered_when_the_model_is_loaded_again(open_stage):
    first = open_stage()
    first.until(lambda: first.model.model_info is not None)
    info = first.model.model_info
    measured, pair = HeadRanking("mine", np.ones(info.shape_LH), 3), HeadSet.of("L0H1,L1H2")
    first.log.ranking_saved(measured, info.fingerprint)
    first.log.head_set_saved("pair", pair, info.fingerprint)
    first.log.head_set_saved("other model's", pair, "another")
    first.log.flush()
    second = open_stage(log=SessionStore(first.log.path))
    second.until(lambda: second.model.model_info is not None)
    assert second.model.saved_sets == {"pair": pair}
    assert (second.model.rankings["mine"].scores_LH == 1).all()
    assert second.model.ranking_name == info.default_ranking.name
    assert set(second.model.rankings) == {*info.rankings, "mine"}
