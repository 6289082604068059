"""Evaluations run block by block: what they come to, and that being broken off changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gazeviz.domain.experiments.conditions import (
    CONTROLS,
    SweepAxis,
    conditions_for,
    controls_of,
    place_text,
    places,
)
from gazeviz.domain.experiments.plan import EvaluationSpec, blocks_of
from gazeviz.domain.experiments.treatment import Treatment
from gazeviz.domain.steering import Steering
from gazeviz.errors import Cancelled, UserError
from gazeviz.store import SessionStore
from gazeviz.store.evaluations import EvaluationLog, evaluations
from gazeviz.store.reader import LogReader
from gazeviz.store.upkeep import check
from tests.engine.fixtures.scripted_engine import CAPTIONS, panel_of
from tests.evaluate.staging import RANKING, Kept, picture_set, result, runner, spec_of
from tests.store.older import as_of_schema


def test_chosen_heads_are_never_drawn_by_any_control() -> None:
    gaze = Treatment("gaze", RANKING.top(4))
    drawn = conditions_for(gaze, RANKING, controls_of("uniform:6,layers:6,range:6@3-7,lower:6"))
    assert all(not set(gaze.heads or ()) & set(one.treatment.heads or ()) for one in drawn if one.is_draw)
    ranged = [one.treatment.heads or () for one in drawn if one.kind == "range"]
    assert len(ranged) == 6 and all(head.layer >= 3 for heads in ranged for head in heads)
    with pytest.raises(UserError, match="bottom 5 percent"):  # holds four of 64
        conditions_for(Treatment("gaze", RANKING.top(5)), RANKING, controls_of("bottom:1"))
    with pytest.raises(UserError, match="layers 7 to 7"):
        conditions_for(Treatment("gaze", RANKING.top(5)), RANKING, controls_of("range:1@7-7"))


def test_a_layer_with_too_few_other_heads_is_matched_from_its_neighbours() -> None:
    gaze = Treatment("gaze", RANKING.top(6))  # six of the eight heads of layer 7
    (_, drawn) = conditions_for(gaze, RANKING, controls_of("layers:1"))
    heads = drawn.treatment.heads
    assert heads is not None and not set(heads) & set(gaze.heads or ())
    assert {layer: len(found) for layer, found in heads.by_layer().items()} == {7: 2, 6: 4}
    assert "nearest layers" in str(heads.origin)


def test_controls_and_sweeps_read_as_they_are_written() -> None:
    assert ",".join(map(str, controls_of(CONTROLS))) == CONTROLS
    for wrong in ("uniform:0", "range:3", "some", "gaze"):
        with pytest.raises(UserError):
            controls_of(wrong)
    axes = (SweepAxis.parse("top=5,10"), SweepAxis.parse("strength=8,hard"))
    assert [place_text(at) for at in places(axes)][1] == " top=5 strength=hard"
    for wrong in ("top=x", "depth=3", "strength=-1", "top="):
        with pytest.raises(UserError):
            SweepAxis.parse(wrong)


def test_blocks_go_round_the_conditions_unsteered_first() -> None:
    spec = spec_of(picture_set(), "zero,all")
    blocks = blocks_of(spec, (3, 3, 3), rows=6)
    assert [block.condition.name for block in blocks] == ["unsteered", "gaze", "zero", "all"] * 2
    assert blocks[0].pictures == (0, 1)
    assert blocks[4].cells == ((2, 0), (2, 1), (2, 2))


def test_perfect_steering_is_told_from_its_controls() -> None:
    pictures = picture_set()
    spec, kept = spec_of(pictures), Kept()
    runner(spec, pictures, kept).run()
    found = result(spec, pictures, kept)
    assert found.is_complete
    told = found.to_json()
    names = [one["name"] for one in told["conditions"]]
    assert names == ["unsteered", "gaze", "uniform 1", "uniform 2", "zero", "prompt"]
    by_name = {one["name"]: one for one in told["conditions"]}
    assert by_name["gaze"]["accuracy"] == pytest.approx(2 / 3)
    assert by_name["unsteered"]["accuracy"] == pytest.approx(1 / 3)
    assert told["percentile"] == 50.0
    assert json.loads(json.dumps(told)) == told
    assert EvaluationSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_an_evaluation_broken_off_after_every_block_gives_the_same_rows() -> None:
    pictures = picture_set(20)
    spec, whole, pieces = spec_of(pictures), Kept(), Kept()
    runner(spec, pictures, whole).run()
    n_broken = 0
    while len(pieces.items) < len(whole.items):
        piece = Kept(stop_after=1)
        piece.items, piece.judgements = pieces.items, pieces.judgements
        try:
            runner(spec, pictures, piece, cancelled=piece.stopped).run()
        except Cancelled:
            n_broken += 1
        pieces = piece
    assert n_broken > 5
    assert sorted(pieces.items, key=lambda one: one.key) == sorted(whole.items, key=lambda one: one.key)
    assert {one.key for one in pieces.judgements} == {one.key for one in whole.items}


def test_shards_together_are_the_whole() -> None:
    pictures = picture_set(40)
    spec, whole, parts = spec_of(pictures), Kept(), Kept()
    runner(spec, pictures, whole).run()
    for number in range(3):
        runner(spec, pictures, parts, shard=(number, 3)).run()
    assert sorted(parts.items, key=lambda one: one.key) == sorted(whole.items, key=lambda one: one.key)


def test_a_moving_target_is_told_segment_by_segment() -> None:
    pictures = picture_set(4)
    spec = spec_of(pictures, "uniform:1,zero,prompt", "dynamic")
    spec = replace(spec, protocol=replace(spec.protocol, new_tok=5))
    kept = Kept()

    def narrates(prompt: str, steering: Steering | None, step: int) -> str | None:
        panel = panel_of(steering, step) or 0
        return CAPTIONS[panel].split()[step % 5]

    runner(spec, pictures, kept, narrates).run()
    found = result(spec, pictures, kept)
    gaze = found.gaze()
    assert found.is_complete and gaze is not None
    assert gaze.rho == pytest.approx(1.0)
    assert gaze.latency_tok == 1
    assert {one.turn for one in found.narrations("gaze").segments} == {0, 1, 2}


def test_other_pictures_under_the_same_plan_are_refused() -> None:
    with pytest.raises(UserError, match="have changed"):
        runner(spec_of(picture_set(3)), picture_set(4), Kept())


def test_the_log_keeps_items_once_and_knows_whose_name_it_is(tmp_path: Path) -> None:
    pictures = picture_set()
    spec, kept = spec_of(pictures), Kept()
    runner(spec, pictures, kept).run()
    path = tmp_path / "log.db"
    store = SessionStore(path)
    log = EvaluationLog(store)
    number = log.begin(spec, pictures, len(kept.items))
    log.keep(number, kept.items, kept.judgements)
    log.keep(number, kept.items, kept.judgements)
    log.end(number, "paused")
    assert log.begin(spec, pictures, len(kept.items)) == number
    found = log.result("first")
    assert sorted(found.items, key=lambda one: one.key) == sorted(kept.items, key=lambda one: one.key)
    assert found.to_json()["conditions"] == result(spec, pictures, kept).to_json()["conditions"]
    log.mark(number, starred=True, note="look", tag="paper")
    (listed,) = log.all()
    assert (listed.n_done, listed.starred, listed.note, listed.tags) == (
        len(kept.items),
        True,
        "look",
        ("paper",),
    )
    with pytest.raises(UserError, match="another evaluation called"):
        log.begin(spec_of(pictures, "zero"), pictures, 1)
    with pytest.raises(UserError, match="no evaluation"):
        log.result("other")
    store.close()
    assert check(path) == []


def test_a_log_from_before_evaluations_has_none_and_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    SessionStore(path).close()
    as_of_schema(path, 3)
    reader = LogReader(path)
    assert evaluations(reader) == ()
    reader.close()
    store = SessionStore(path)
    pictures = picture_set()
    assert EvaluationLog(store).begin(spec_of(pictures), pictures, 3) == 1
    store.close()
    assert check(path) == []
