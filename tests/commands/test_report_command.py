"""Reports of the log from the command line, and what they are made from."""

import json
from pathlib import Path

import pytest
from PIL import Image

from gazeviz.app.report.sources import log_sources, reported_picture
from gazeviz.domain.messages import PictureSource
from gazeviz.errors import UserError
from gazeviz.render.report.report import make_report
from gazeviz.store.reader import LogReader
from gazeviz.store.session_store import SessionStore
from tests.command_line import Run, command_line
from tests.kept_log import Kept
from tests.logged_runs import sha256_of


@pytest.fixture
def gazeviz(capsys: pytest.CaptureFixture[str], fresh_logging: None) -> Run:
    return command_line(capsys)


def of_the_pasted(kept: Kept, folder: Path, form: str) -> tuple[str | Path, ...]:
    """The words that report the run on a pasted picture."""
    number = str(kept.runs["pasted"].id)
    return "report", number, "--log", kept.path, "--out", folder, "--format", form


def test_a_report_names_a_log_that_is_not_the_usual_one(
    kept: Kept, tmp_path: Path, gazeviz: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = of_the_pasted(kept, tmp_path, "json")
    for more, told in (((), kept.path.name), (("--paths",), str(kept.path))):
        gazeviz(*arguments, *more)
        (run,) = json.loads((tmp_path / "report.json").read_text("utf-8"))["runs"]
        assert run["reproduce"]["shell"] == f"gazeviz replay {run['id']} --log {told}"
    monkeypatch.setattr("gazeviz.store.connection.default_path", lambda: kept.path)
    gazeviz(*arguments)
    (run,) = json.loads((tmp_path / "report.json").read_text("utf-8"))["runs"]
    assert run["reproduce"]["shell"] == f"gazeviz replay {run['id']}"


def test_the_last_run_is_reported_with_its_picture_and_note(kept: Kept, tmp_path: Path, gazeviz: Run) -> None:
    code, _, err = gazeviz(
        "report",
        "last",
        str(kept.runs["box"].id),
        "--log",
        kept.path,
        "--out",
        tmp_path / "r",
        "--format",
        "html,csv",
    )
    assert code == 0, err
    assert [path.name for path in sorted((tmp_path / "r").iterdir())] == [
        "report.html",
        "runs.csv",
        "tokens.csv",
    ]
    page = (tmp_path / "r" / "report.html").read_text("utf-8")
    assert "the one" in page
    assert "<title>2 runs</title>" in page
    assert "gazeviz steer" in page


def test_a_steered_run_brings_its_baseline_unless_it_is_to_stand_alone(
    kept: Kept, tmp_path: Path, gazeviz: Run
) -> None:
    number, baseline = kept.runs["box"].id, kept.runs["baseline"].id
    for more, runs in ((), [baseline, number]), (("--alone",), [number]):
        code, out, err = gazeviz(
            "report", str(number), *more, "--log", kept.path, "--out", tmp_path, "--format", "csv", "--json"
        )
        assert code == 0, err
        assert json.loads(out)["runs"] == runs
        assert json.loads(out)["title"] == f"Run {number}"


def test_a_pdf_comes_from_the_command_line(kept: Kept, tmp_path: Path, gazeviz: Run, qapp: object) -> None:
    code, _, err = gazeviz(*of_the_pasted(kept, tmp_path, "pdf"), "--title", "T")
    assert code == 0, err
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_the_log_is_named_by_the_environment_too(
    kept: Kept, tmp_path: Path, gazeviz: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAZEVIZ_LOG", str(kept.path))
    code, out, _ = gazeviz("report", "1-3", "--out", tmp_path, "--format", "csv", "--json")
    assert code == 0
    assert json.loads(out)["runs"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name the runs or the session"),
        (["last", "--session", "A morning"], "Name the runs or the session"),
        (["999"], "no run 999"),
        (["x"], "is not a run"),
        (["5-3"], "not a range of runs"),
        (["500-600"], "no run from 500 to 600"),
        (["--session", "no such"], "No session is called"),
        (["last", "--format", "docx"], "not a report format"),
        (["last", "--format", ","], "not a report format"),
        (["last", "--tokens", "a"], "names no answer tokens"),
        (["last", "--dpi", "9"], "cannot have 9 dpi"),
    ],
)
def test_what_cannot_be_reported_is_told(
    arguments: list[str], said: str, kept: Kept, gazeviz: Run, tmp_path: Path
) -> None:
    code, _, err = gazeviz("report", *arguments, "--log", kept.path, "--out", tmp_path)
    assert code == 2
    assert said in err.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_is_not_there_is_not_made(tmp_path: Path, gazeviz: Run) -> None:
    code, _, err = gazeviz("report", "last", "--log", tmp_path / "no.db", "--out", tmp_path / "r")
    assert code == 2
    assert "no log" in err
    assert list(tmp_path.iterdir()) == []


def test_a_picture_whose_file_changed_has_no_path_and_a_changed_one_is_not_shown(
    kept: Kept, tmp_path: Path, untrained_model: Path
) -> None:
    store = SessionStore(tmp_path / "log.db", keep_pictures=False)
    file = tmp_path / "p.png"
    Image.new("RGB", (60, 20), "red").save(file)
    sha256 = sha256_of(Image.open(file))
    store.save_picture(PictureSource(sha256, "p.png", path=str(file)), (60, 20), None, ())
    store.flush()
    assert reported_picture(store.reader, sha256).path == str(file)
    Image.new("RGB", (60, 20), "blue").save(file)
    with pytest.raises(UserError, match="has changed since"):
        reported_picture(store.reader, sha256)
    file.unlink()
    with pytest.raises(UserError):
        reported_picture(store.reader, sha256)
    with pytest.raises(UserError, match="was not logged"):
        reported_picture(store.reader, "00")
    store.close()


def test_sources_say_once_what_is_missing(kept: Kept) -> None:
    reader, said = LogReader(kept.path), list[str]()
    run = reader.run(kept.runs["box"].id)
    sources = log_sources(reader, said.append)
    assert sources.picture("00") is None
    assert sources.picture("00") is None
    assert said == ["The picture of this run was not logged."]
    report = make_report([run], sources, "t", 0.0)
    entry = report.entries[0]
    assert entry.picture is not None
    assert entry.picture.path == str(kept.file)
    assert entry.note == "the one"
    assert entry.grid is not None
    reader.close()
