"""The command line, run in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gazeviz import cli

Run = Callable[..., tuple[int, str, str]]


def command_line(capsys: pytest.CaptureFixture[str], *always: str | Path) -> Run:
    """Runs command lines that begin alike: (exit code, stdout, stderr)."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = cli.main([str(argument) for argument in (*always, *arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def answered(gazeviz: Run, *arguments: str | Path) -> dict[str, Any]:
    """The JSON document of a command that succeeds."""
    code, out, err = gazeviz(*arguments, "--json")
    assert code == 0, err
    document = json.loads(out)
    assert isinstance(document, dict)
    return document
