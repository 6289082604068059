"""Log lines: which ones are shown, and where they go."""

import logging
import warnings
from pathlib import Path

import pytest

from gazeviz.logging_setup import start_logging

pytestmark = pytest.mark.usefixtures("fresh_logging")


@pytest.mark.parametrize(
    ("verbosity", "shown"), [(0, {"warning"}), (1, {"warning", "info"}), (2, {"warning", "info", "debug"})]
)
def test_verbosity_decides_what_is_shown(
    verbosity: int, shown: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging(verbosity)
    log = logging.getLogger("gazeviz.somewhere")
    for level in ("debug", "info", "warning"):
        getattr(log, level)(f"a {level} line")
    said = capsys.readouterr()
    assert {level for level in ("debug", "info", "warning") if f"a {level} line" in said.err} == shown
    assert said.out == ""


def test_other_libraries_are_quiet_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(1)
    logging.getLogger("PIL.somewhere").warning("chatter")
    warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr().err == ""
    start_logging(2)
    logging.getLogger("PIL.somewhere").warning("chatter")
    assert "chatter" in capsys.readouterr().err


def test_a_file_gets_the_lines_too_and_a_second_start_replaces_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "logs" / "first.log", tmp_path / "second.log"
    start_logging(1, first)
    logging.getLogger("gazeviz").info("one")
    start_logging(1, second)
    logging.getLogger("gazeviz").info("two")
    assert "one" in first.read_text() and "two" not in first.read_text()
    assert "two" in second.read_text()
    assert capsys.readouterr().err.count("two") == 1
