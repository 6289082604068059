"""A full disk at the beginning costs the row and not the answer, whoever named the log."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

import gazeviz.store
from gazeviz.commands.run_log import _opened
from gazeviz.errors import UserError
from gazeviz.store.faults import FaultKind, log_fault


class Warned:
    """What a terminal is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize(("kind", "goes_on"), [("full", True), ("disk", True), ("read_only", False)])
def test_only_a_full_disk_lets_a_command_go_on(
    kind: FaultKind, goes_on: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, terminal = tmp_path / "a.db", Warned()

    def refusing(*_: Any, **__: Any) -> None:
        raise log_fault(kind, path)

    monkeypatch.setattr(gazeviz.store, "SessionStore", refusing)
    options = argparse.Namespace(no_log=False, log=str(path), command="describe")
    if goes_on:
        assert _opened(options, terminal) is None  # type: ignore[arg-type]
        assert "Nothing is logged" in terminal.said[0] and "a.db" in terminal.said[0]
    else:
        with pytest.raises(UserError):
            _opened(options, terminal)  # type: ignore[arg-type]
