"""Writing a report: the files of each format, whole or not at all."""

import json
from pathlib import Path

import pytest

from gazeviz.errors import UserError
from gazeviz.render.report.files import FORMATS, write_report, write_whole
from gazeviz.render.report.report import Sources
from tests.render.made_runs import made_report, made_run

SMALL = made_report(made_run(1, regions=()), sources=Sources())


def test_each_format_has_its_files(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    folder = tmp_path / "a" / "b"
    formats = [kind for kind in FORMATS if kind != "pdf"]
    written = write_report(SMALL, folder, formats, told=lambda what, part: told.append((what, part)))
    assert [str(path.relative_to(folder)) for path in written] == [
        "report.html", "report.md", "images/case-1-heads.png", "report.json", "runs.csv", "tokens.csv",
        "figures/case-1-heads.svg", "figures/case-1-heads.pdf", "figures/case-1-heads.png",
    ]  # fmt: skip
    assert all(path.stat().st_size for path in written)
    assert told[0] == ("writing html", 0.0)
    assert len(told) == 5
    assert json.loads((folder / "report.json").read_text("utf-8"))["title"] == "A session"
    assert (folder / "runs.csv").read_bytes().startswith(b"\xef\xbb\xbfrun,")


def test_nothing_is_written_that_was_not_asked_for(tmp_path: Path) -> None:
    write_report(SMALL, tmp_path, ["json"])
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be created"):
        write_report(SMALL, tmp_path / "file" / "folder", ["json"])


def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(UserError, match="could not be written"):
        write_whole(tmp_path / "report.json", "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
