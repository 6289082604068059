"""How many files of gazeviz an act in the window enters: what a reader of the code has to follow."""

from __future__ import annotations

from pathlib import Path

from tests.ui.traces import ACTS, trace

MOST_FILES = dict(zip(ACTS, (42, 86, 58, 50), strict=True))
"""A little above what the acts enter today; before the rooms were made they entered 63, 119, 65 and 25."""


def test_no_act_wanders_through_more_files_than_it_did(tmp_path: Path, qtbot: object) -> None:
    entered = trace(tmp_path)
    assert tuple(entered) == ACTS
    assert {act: len(files) for act, files in entered.items() if len(files) > MOST_FILES[act]} == {}
    assert "app/editing/editor.py" in entered["a brush stroke"]
    assert "backend/answering.py" in entered["a steered run"]
