"""Choosing heads: by rank, at random, by hand and by name."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import pytest

from gazeviz.app.editing.editor import HeadChooser, RegionEditor
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import ModelInfo
from gazeviz.errors import UserError
from gazeviz.store import SessionStore
from tests.app.fixtures.staging import logged_rankings

SHAPE_LH = (3, 4)


class Session(NamedTuple):
    """What heads are chosen in."""

    model: SessionModel
    log: SessionStore
    editor: RegionEditor


@pytest.fixture
def session(qtbot, temporary_log) -> Session:
    """A ragged model without L2H3, ranked L0H0 first."""
    model = SessionModel()
    present_LH = np.ones(SHAPE_LH, dtype=bool)
    present_LH[2, 3] = False
    model.model_info = ModelInfo(
        "toy", "toy", "toy", SHAPE_LH, present_LH, "cpu", "float32", None, "f00d", 64
    )
    scores_LH = np.where(present_LH, -np.arange(12.0).reshape(SHAPE_LH), np.nan)
    model.put_rankings({"mass": HeadRanking("mass", scores_LH)})
    return Session(model, temporary_log, RegionEditor(model))


@pytest.fixture
def heads(session) -> HeadChooser:
    return HeadChooser(*session)


def test_by_rank(session, heads):
    heads.top(2)
    assert str(session.model.chosen) == "L0H0,L0H1" and str(session.model.chosen.origin) == "top 2 of mass"
    heads.bottom(2)
    assert str(session.model.chosen) == "L2H1,L2H2"
    with pytest.raises(UserError, match="12 heads"):
        heads.top(12)
    assert str(session.model.chosen) == "L2H1,L2H2"


def test_at_random_repeatable_and_matched_by_layer(session, heads):
    heads.random(4, seed=5)
    first = session.model.chosen
    heads.random(4, seed=6)
    heads.random(4, seed=5)
    assert session.model.chosen == first and first.origin.seed == 5
    heads.choose([Head(1, 0), Head(1, 1), Head(2, 0)])
    like = session.model.chosen
    heads.random(0, seed=1, layer_matched=True)
    drawn = session.model.chosen
    assert not set(drawn) & set(like)
    assert drawn.layer_histogram(3).tolist() == like.layer_histogram(3).tolist()


def test_at_random_without_a_ranking(session, heads):
    session.model.forget_rankings()
    heads.random(11, seed=0)
    assert len(session.model.chosen) == 11 and Head(2, 3) not in session.model.chosen
    with pytest.raises(UserError, match="No head ranking"):
        heads.top(3)


def test_by_hand(session, heads):
    heads.choose([Head(0, 1), Head(2, 3), Head(7, 7)])
    assert str(session.model.chosen) == "L0H1", "only heads that the model has"
    heads.toggle([Head(0, 1), Head(0, 2)])
    assert str(session.model.chosen) == "L0H2"
    heads.choose([Head(1, 1)], add=True)
    assert str(session.model.chosen) == "L0H2,L1H1"
    heads.layer(2)
    assert str(session.model.chosen) == "L2H0,L2H1,L2H2"
    heads.column(3, add=True)
    assert str(session.model.chosen) == "L0H3,L1H3,L2H0,L2H1,L2H2"
    heads.invert()
    assert len(session.model.chosen) == 6
    heads.all()
    assert len(session.model.chosen) == 11 and session.model.chosen.origin.kind == "all"
    heads.clear()
    assert len(session.model.chosen) == 0
    session.editor.undo()
    assert len(session.model.chosen) == 11


def test_a_sliders_drag_is_one_step(session, heads):
    for n in range(1, 9):
        heads.top(n, gesture=1)
    session.editor.undo()
    assert len(session.model.chosen) == 0 and not session.editor.undo_stack.canUndo()


def test_a_drag_that_comes_back_leaves_nothing_to_undo(session, heads):
    heads.top(2)
    for n in (3, 4, 2):
        heads.top(n, gesture=7)
    assert len(session.model.chosen) == 2 and session.editor.undo_stack.count() == 1
    heads.top(5, gesture=7)
    session.editor.undo()
    assert len(session.model.chosen) == 2


def saved_sets(session: Session) -> dict[str, HeadSet]:
    session.log.flush()
    return session.log.reader.head_sets("f00d")


def test_sets_are_saved_recalled_and_forgotten(session, heads):
    with pytest.raises(UserError, match="No head is chosen"):
        heads.save("gaze")
    heads.top(3)
    with pytest.raises(UserError, match="name"):
        heads.save("  ")
    heads.save(" gaze ")
    heads.clear()
    heads.recall("gaze")
    assert len(session.model.chosen) == 3 and saved_sets(session) == {"gaze": session.model.chosen}
    heads.forget("gaze")
    heads.forget("gaze")
    assert not session.model.saved_sets and not saved_sets(session)


def test_a_set_of_another_model_is_refused(session, heads):
    session.model.put_saved_set("big", HeadSet.of("L30H1"))
    with pytest.raises(UserError, match="L30H1"):
        heads.recall("big")


def test_rankings_are_exported_and_imported(session, heads, tmp_path):
    path = tmp_path / "gaze_head_ranking.json"
    heads.export_ranking(path)
    assert json.loads(path.read_text())[0] == {"layer": 0, "head": 0, "score": 0.0}
    assert heads.import_ranking(path) == "gaze_head_ranking"
    assert session.model.ranking_name == "gaze_head_ranking" and logged_rankings(session.log, "f00d") == [
        "gaze_head_ranking"
    ]
    assert session.model.ranking.order() == session.model.rankings["mass"].order()
    path.write_text("[]")
    with pytest.raises(UserError):
        heads.import_ranking(path)


def test_without_a_model_there_are_no_heads(qtbot, temporary_log):
    model = SessionModel()
    heads = HeadChooser(model, temporary_log, RegionEditor(model))
    with pytest.raises(UserError, match="No model"):
        heads.invert()
