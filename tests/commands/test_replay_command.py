"""From the log and back: runs replayed, and pasted as a line or as Python, give the same tokens."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gazeviz.domain.messages import LoggedRun
from gazeviz.domain.reproduction import cli_line, python_snippet
from gazeviz.store.reader import LogReader
from tests.command_line import Run, command_line
from tests.kept_log import Kept


@pytest.fixture
def gazeviz(capsys: pytest.CaptureFixture[str], fresh_logging: None) -> Run:
    return command_line(capsys)


def token_ids(run: LoggedRun) -> list[int]:
    return [step.token_id for step in run.steps]


def shell_words(line: str) -> list[str]:
    """The words of a line as the shell reads them."""
    printed = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True).stdout
    return printed.decode().split("\0")[:-1]


def mask_of(run: LoggedRun, folder: Path) -> str | None:
    if run.spec.steering is None:
        return None
    path = folder / "mask.png"
    Image.fromarray(run.spec.steering.target.mask_HW).save(path)
    return str(path)


@pytest.mark.parametrize("name", ["baseline", "box", "late", "painted", "stopped", "drawn"])
def test_a_line_gives_the_same_tokens(name: str, kept: Kept, tmp_path: Path, gazeviz: Run) -> None:
    run = kept.runs[name]
    words = shell_words(cli_line(run, str(kept.file), mask_of(run, tmp_path)))
    code, out, err = gazeviz(*words[1:], "--json")
    assert code == 0, err
    document = json.loads(out)
    assert [token["id"] for token in document.get("steered", document)["tokens"]] == token_ids(run)


@pytest.mark.parametrize("name", ["baseline", "box", "painted", "moving", "moved", "stopped", "drawn"])
def test_python_gives_the_same_tokens(name: str, kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    run = kept.runs[name]
    exec(compile(python_snippet(run, str(kept.file)), "snippet", "exec"), {})
    assert capsys.readouterr().out.splitlines()[-1] == str(tuple(token_ids(run)))


def test_python_takes_a_picture_that_the_log_alone_has(
    kept: Kept, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = kept.runs["pasted"]
    exec(compile(python_snippet(run, None, str(kept.path)), "snippet", "exec"), {})
    monkeypatch.setenv("GAZEVIZ_LOG", str(kept.path))
    exec(compile(python_snippet(run, None), "snippet", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == printed[3] == str(tuple(token_ids(run)))


def test_every_run_of_the_log_is_replayed_to_the_same_tokens(kept: Kept, gazeviz: Run) -> None:
    numbers = [str(run.id) for run in kept.runs.values()]
    code, out, err = gazeviz("replay", *numbers, "--log", kept.path, "--json")
    assert code == 0, err
    document = json.loads(out)
    assert (document["same"], document["of"]) == (len(kept.runs), len(kept.runs))
    assert [run["token_ids"] for run in document["runs"]] == [token_ids(run) for run in kept.runs.values()]
    reader = LogReader(kept.path)
    marks = reader.rows(f"SELECT replay_same FROM runs WHERE id IN ({','.join(numbers)})")
    reader.close()
    assert marks == [(1,)] * len(numbers)


def test_a_different_answer_is_found_and_marked(kept: Kept, tmp_path: Path, gazeviz: Run) -> None:
    import sqlite3

    log = tmp_path / "log.db"
    source = sqlite3.connect(kept.path)
    copy = sqlite3.connect(log)
    source.backup(copy)
    run = kept.runs["baseline"]
    copy.execute("UPDATE run_steps SET token_id = token_id + 1 WHERE run_id = ? AND number = 2", (run.id,))
    copy.commit()
    source.close()
    copy.close()
    code, out, err = gazeviz("replay", str(run.id), "--log", log)
    assert code == 1, err
    assert "different from token 2 on" in out


def test_a_report_is_replayed_without_the_log(kept: Kept, tmp_path: Path, gazeviz: Run) -> None:
    code, out, err = gazeviz(
        "report",
        "--session",
        "A morning",
        "--log",
        kept.path,
        "--out",
        tmp_path,
        "--format",
        "json",
        "--json",
    )
    assert code == 0, err
    assert sorted(json.loads(out)["runs"]) == [run.id for run in kept.runs.values()]
    file = tmp_path / "report.json"
    code, _, err = gazeviz("replay", file)
    assert code == 2
    assert kept.model is not None
    assert f"--model {kept.model.name}." in err.replace("\n", ""), "where it lay is not handed on"
    code, out, err = gazeviz("--model", kept.model, "replay", file, "--json")
    assert code == 0, err
    assert json.loads(out)["same"] == len(kept.runs)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gazeviz_report": 2}, "newer gazeviz"),
        ({"gazeviz_report": None}, "newer gazeviz"),
        ({"runs": [{}]}, "not a report that can be replayed"),
        ({"pictures": {}}, "does not hold the picture"),
    ],
)
def test_a_damaged_report_is_refused(
    change: dict[str, Any], said: str, kept: Kept, tmp_path: Path, gazeviz: Run
) -> None:
    file = tmp_path / "report.json"
    gazeviz(
        "report", str(kept.runs["baseline"].id), "--log", kept.path, "--out", tmp_path, "--format", "json"
    )
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | change), "utf-8")
    code, _, err = gazeviz("--model", kept.model, "replay", file)
    assert code == 2
    assert said in err


def test_a_picture_that_is_not_the_runs_is_refused(kept: Kept, tmp_path: Path, gazeviz: Run) -> None:
    file = tmp_path / "report.json"
    for name in ("baseline", "pasted"):
        gazeviz("report", str(kept.runs[name].id), "--log", kept.path, "--out", tmp_path, "--format", "json")
        document = json.loads(file.read_text("utf-8"))
        if name == "baseline":
            other = document["pictures"][kept.sha256]
    document["pictures"][kept.pasted_sha256] = other
    file.write_text(json.dumps(document), "utf-8")
    code, _, err = gazeviz("--model", kept.model, "replay", file)
    assert code == 2
    assert "is not the one that the run saw" in err


def test_other_weights_are_refused(kept: Kept, gazeviz: Run) -> None:
    from gazeviz.resources import resource_path

    builtin = resource_path("models", "comic-vlm")
    code, _, err = gazeviz("--model", builtin, "replay", str(kept.runs["baseline"].id), "--log", kept.path)
    assert code == 2
    assert "other weights" in err


@pytest.mark.parametrize(
    ("what", "said"), [("999", "no run 999"), ("nothing.json", "not a report that can be replayed")]
)
def test_what_cannot_be_replayed_is_told(what: str, said: str, kept: Kept, gazeviz: Run) -> None:
    code, _, err = gazeviz("replay", what, "--log", kept.path)
    assert code == 2
    assert said in err.replace("\n", " ")
