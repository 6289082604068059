"""An answer of an evaluation opens in Explore with all that it was written with, and is written again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gazeviz.app.evaluate.answer_opening import AnswerOpener, view_of
from gazeviz.backend.picture_sets import open_set
from gazeviz.domain.experiments.conditions import Condition, unsteered
from gazeviz.domain.experiments.picture_set import PictureSet, SetSource
from gazeviz.domain.experiments.plan import EvaluationItem, EvaluationSpec, ItemKey
from gazeviz.domain.experiments.results import EvaluationResult
from gazeviz.domain.experiments.treatment import PROTOCOLS, Treatment
from gazeviz.domain.heads import HeadOrigin, HeadSet
from gazeviz.errors import UserError
from gazeviz.store.evaluations import EvaluationLog
from tests.app.fixtures.staging import Stage

HEADS = HeadSet.of("L0H1,L1H0", HeadOrigin("hand"))


@pytest.fixture(scope="module")
def pictures() -> PictureSet:
    return open_set(SetSource.parse("builtin:2@7"))


@pytest.fixture
def opener(stage: Stage) -> Iterator[AnswerOpener]:
    opener = AnswerOpener(stage.controller)
    yield opener
    opener.close()


def result_of(pictures: PictureSet, model: str, protocol: str = "vqa") -> EvaluationResult:
    gaze = Treatment("by hand", HEADS, strength=3.0)
    conditions = (
        unsteered(),
        Condition("gaze", "gaze", gaze),
        Condition("wrong-region", "wrong-region", replace(gaze, aim="elsewhere")),
        Condition("prompt", "prompt", Treatment("prompt", names_panel=True)),
    )
    spec = EvaluationSpec(
        "mine", replace(PROTOCOLS[protocol], new_tok=5), pictures.source, pictures.fingerprint, model,
        conditions,
    )  # fmt: skip
    items = tuple(
        EvaluationItem(ItemKey(1, one.name, turn, 5 - turn), 6, f"text {turn}", "plain")
        for one in conditions
        for turn in range(6)
    )
    return EvaluationResult(spec, items, (), len(items))


def item_of(result: EvaluationResult, condition: str, turn: int = 2) -> EvaluationItem:
    return next(one for one in result.items if (one.key.condition, one.key.turn) == (condition, turn))


def test_it_is_shown_and_written_again(stage: Stage, opener: AnswerOpener, pictures: PictureSet) -> None:
    info = stage.model.model_info
    assert info is not None
    result = result_of(pictures, info.fingerprint)
    opener.open(result, item_of(result, "gaze"))
    stage.until(lambda: stage.model.run_of("steered") is not None)
    record = stage.until_ended()
    model, spec = stage.model, record.spec
    assert model.picture is not None and model.picture.sha256 == pictures.pictures[1].sha256
    assert [one.as_region() for one in model.regions] == list(pictures.pictures[1].panels)
    assert (model.prompt, model.generation.max_new_tokens) == (PROTOCOLS["vqa"].prompt, 5)
    assert spec.steering is not None and spec.steering.strength == 3.0 and spec.steering.heads == HEADS
    assert spec.steering.target == pictures.pictures[1].panels[3]
    assert model.notice is not None and "text 2" in model.notice.sentence


def test_controls_are_as_they_were(stage: Stage, pictures: PictureSet) -> None:
    info, shown = stage.model.model_info, pictures.pictures[1]
    assert info is not None
    result = result_of(pictures, info.fingerprint)
    wrong = view_of(result, item_of(result, "wrong-region"), shown, info).record.spec
    assert wrong.steering is not None and wrong.steering.target != shown.panels[3]
    asked = view_of(result, item_of(result, "prompt"), shown, info).record.spec
    assert asked.steering is None and "fourth" in asked.prompt and asked.chosen == HEADS
    moving = result_of(pictures, info.fingerprint, "dynamic")
    spec = view_of(moving, item_of(moving, "gaze"), shown, info).record.spec
    assert spec.steering is not None and spec.steering.schedule is not None and spec.max_new_tokens == 30
    assert [region for _, region in spec.steering.schedule.switches] == list(reversed(shown.panels))


def test_of_another_model_it_is_refused(stage: Stage, opener: AnswerOpener, pictures: PictureSet) -> None:
    result = result_of(pictures, "another")
    with pytest.raises(UserError, match="another model"):
        opener.open(result, item_of(result, "gaze"))


def test_changed_pictures_are_said(stage: Stage, opener: AnswerOpener, pictures: PictureSet) -> None:
    faults: list[UserError] = []
    info = stage.model.model_info
    assert info is not None
    result = result_of(pictures, info.fingerprint)
    EvaluationLog(stage.controller.log).begin(result.spec, pictures, 24)
    source = SetSource.parse("builtin:2@8")
    changed = replace(result, spec=replace(result.spec, source=source))
    opener.failed.connect(faults.append)
    opener.open(changed, item_of(changed, "gaze"))
    stage.until(lambda: faults)
    assert "have changed" in faults[0].sentence
