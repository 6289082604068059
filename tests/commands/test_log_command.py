"""Commands write what they do into the log, and `gazeviz log` finds it again."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gazeviz import cli
from gazeviz.app.runs.picture_opener import picture_sha256
from gazeviz.commands import log as log_command
from gazeviz.engine.generation.decoding import Stream
from gazeviz.store import SessionStore
from gazeviz.store.reader import LogReader
from gazeviz.store.upkeep import check
from tests.command_line import Run, answered, command_line
from tests.store.samples import SPEC, Samples, plain_step, tiny_info

QUESTION = "What is happening in this panel of the comic strip?"


@pytest.fixture
def log_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log that commands write to."""
    path = tmp_path / "log" / "gazeviz.db"
    monkeypatch.setenv("GAZEVIZ_LOG", str(path))
    return path


@pytest.fixture
def gazeviz(
    untrained_model: Path, capsys: pytest.CaptureFixture[str], fresh_logging: None, log_path: Path
) -> Run:
    """Run one command line: (exit code, stdout, stderr)."""
    return command_line(capsys, "--model", untrained_model)


def steer(*options: str | Path, picture: str | Path = "builtin:0") -> tuple[str | Path, ...]:
    heads = ("--heads", "L4H1,L3H2", "--panel", "4", "--layout", "1x6")
    return ("steer", picture, "-p", QUESTION, "--max-new-tokens", "4", *heads, *options)


# What commands write


def test_steer_logs_both_runs_as_they_happened(gazeviz: Run, log_path: Path) -> None:
    document = answered(gazeviz, *steer())
    assert document["logged"] == [1, 2]
    with closing(LogReader(log_path)) as reader:
        baseline, steered = reader.run(1), reader.run(2)
        for run, said in ((baseline, document["baseline"]), (steered, document["steered"])):
            assert run.state == "done" and run.summary is not None and run.summary.text == said["text"]
            assert [step.token_id for step in run.steps] == [token["id"] for token in said["tokens"]]
            masses_TR = np.array([step.masses_R for step in run.steps])
            assert np.allclose(masses_TR, said["trajectory"]["masses"], atol=1e-5)
            assert [region.name for region in run.spec.regions] == said["trajectory"]["regions"]
            assert run.summary.request.to_json() == said["request"]
            assert run.spec.picture_sha256 == said["request"]["image_sha256"]
            assert len(run.steps[0].map_P) == 72 or run.steps[0].map_P.size > 0
            assert (run.steps[0].weighted_R > 0).all()
            assert run.spec.control is not None and not set(run.spec.control) & set(run.spec.chosen)
            controls = [step.control_R for step in run.steps]
            assert all(control_R is not None and control_R.shape == (6,) for control_R in controls)
            assert not np.allclose(np.array(controls), masses_TR, atol=1e-4)
        assert (baseline.side, steered.side) == ("baseline", "steered")
        assert steered.spec.steering is not None and steered.spec.steering.target.name == "Panel 4"
        picture = reader.picture(baseline.spec.picture_sha256)
        assert picture.name == "builtin:0" and len(picture.captions) == 6 and picture.source is not None
        assert re.fullmatch(r"Command line \d{4}-\d\d-\d\d", reader.sessions()[0].name)
    assert check(log_path) == []


def test_what_a_text_is_about_is_judged_where_captions_are_known(
    gazeviz: Run, log_path: Path, tmp_path: Path
) -> None:
    answered(gazeviz, *steer())
    picture = tmp_path / "strip.png"
    Image.new("RGB", (300, 60), "white").save(picture)
    asked = ("steer", picture, "-p", "What is there?", "--heads", "L4H1", "--max-new-tokens", "3")
    answered(gazeviz, *asked, "--panel", "1", "--layout", "1x2")
    with closing(LogReader(log_path)) as reader:
        said = reader.rows("SELECT run_id, judge, ok IS NULL, verdict <> '' FROM judgements ORDER BY run_id")
    assert said == [(1, "captions", 1, 1), (2, "captions", 0, 1)]  # a baseline has no target to meet


def test_a_file_is_logged_with_its_own_bytes(gazeviz: Run, log_path: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 384, 3), dtype=np.uint8)
    file = tmp_path / "=1+1 <script>.png"
    Image.fromarray(pixels).save(file)
    document = answered(gazeviz, "describe", file, "-p", QUESTION, "--max-new-tokens", "3")
    assert document["logged"] == [1]
    with closing(LogReader(log_path)) as reader:
        source = reader.picture(picture_sha256(pixels)).source
        assert source is not None and source.data == file.read_bytes() and source.name == file.name
        assert reader.run(1).steps[0].map_P.size == 0  # no head was tracked


def test_narrations_maps_and_rankings_are_logged(gazeviz: Run, log_path: Path, tmp_path: Path) -> None:
    narrate = ("narrate", "builtin:0", "--schedule", "4,2", "--every", "2", "--heads", "L4H1")
    assert answered(gazeviz, *narrate)["logged"] == [1]
    drawn = ("map", "builtin:0", "--heads", "L4H1", "--max-new-tokens", "3", "--out", tmp_path / "m.png")
    assert answered(gazeviz, *drawn)["logged"] == [2]
    answered(gazeviz, "discover", "--strips", "builtin:2", "--by", "mass,selectivity")
    with closing(LogReader(log_path)) as reader:
        told = reader.run(1)
        assert [step.target for step in told.steps] == ["Panel 4", "Panel 4", "Panel 2", "Panel 2"]
        assert told.summary is not None and told.summary.switches == ((2, "Panel 2"),)
        fingerprint = told.model.fingerprint
        assert [ranking.name for ranking in reader.rankings(fingerprint)] == ["selectivity", "mass"]
        assert len(reader.sessions()) == 1


def test_the_demonstration_is_logged(
    gazeviz: Run, log_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gazeviz.demo.N_STRIPS_JUDGED", 1)
    monkeypatch.setattr("gazeviz.demo.N_RANDOM_DRAWS", 2)
    document = answered(gazeviz, "demo", "--strips", "1", "--top", "2", "--out", tmp_path / "demo")
    assert document["logged"] == [1, 2, 3]
    with closing(SessionStore(log_path)) as store:
        narration, steered, baseline = store.list.page()
        assert baseline.text == document["baseline"]["text"] and baseline.verdict
        answer = document["steered"][3]
        assert steered.verdict_ok is (answer["chosen"] == answer["target"])
        assert narration.text.strip() == document["narration"]["text"].strip()
        assert len(store.run(1).spec.regions) in (0, 6)


def test_nothing_is_logged_when_nothing_is_to_be(gazeviz: Run, log_path: Path) -> None:
    assert answered(gazeviz, *steer("--no-log"))["logged"] == []
    assert not log_path.exists()


def test_another_log_can_be_named(gazeviz: Run, log_path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    answered(gazeviz, *steer("--log", other))
    assert not log_path.exists()
    assert answered(gazeviz, "log", "list", "--log", other)["count"] == 2


def test_a_log_that_cannot_be_used_does_not_stand_in_the_way(gazeviz: Run, log_path: Path) -> None:
    log_path.parent.mkdir()
    log_path.write_bytes(b"no database at all, but long enough" * 100)
    code, out, err = gazeviz(*steer("--json"))
    assert code == 0 and json.loads(out)["logged"] == []
    assert "Nothing is logged" in err and "is damaged" in err
    code, _, err = gazeviz(*steer("--log", log_path))  # a person who names it wants it
    assert code == 2 and "is damaged" in err


def test_a_log_that_fills_up_does_not_stand_in_the_way(
    gazeviz: Run, log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gazeviz.store.session_store.SessionStore._picture_columns", full)
    code, out, err = gazeviz(*steer("--json"))
    assert code == 0 and json.loads(out)["steered"]["text"] is not None
    assert err.count("Logging stopped") == 1 and "no space left" in err


@pytest.mark.parametrize(
    ("error", "state", "said"),
    [(KeyboardInterrupt(), "cancelled", "interrupted"), (ValueError("odd"), "failed", "ValueError: odd")],
)
def test_a_run_that_breaks_off_is_logged_as_what_it_is(
    gazeviz: Run, log_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, state: str, said: str
) -> None:
    advance = Stream.__next__

    def break_off(stream: Stream) -> Any:
        step = advance(stream)
        if step.index == 2:
            raise error
        return step

    monkeypatch.setattr(Stream, "__next__", break_off)
    code, _, _ = gazeviz(*steer())
    assert code == (130 if state == "cancelled" else 1)
    with closing(LogReader(log_path)) as reader:
        run = reader.run(1)
        assert (run.state, len(run.steps)) == (state, 2) and said in run.message


# What is found again


@pytest.fixture
def filled(log_path: Path) -> Path:
    """Three runs in two sessions."""
    with closing(SessionStore(log_path)) as store:
        for name in ("morning", "evening [b]"):
            store.open_session(name)
            run_id = store.run_created("steered", SPEC, tiny_info())
            for index in range(3):
                store.step_appended(run_id, plain_step(index))
            store.run_ended(run_id, "done", Samples(run_id).summary(), "").result()
        store.star_runs([1])
        store.tag_runs([1], "odd one")
        store.note_run(1, "a [b]note[/b]")
        store.run_created("baseline", SPEC, tiny_info())
    return log_path


def test_runs_are_listed_filtered_and_sorted(gazeviz: Run, filled: Path) -> None:
    everything = answered(gazeviz, "log", "list")
    assert everything["count"] == 3 and [run["id"] for run in everything["runs"]] == [3, 2, 1]
    assert everything["runs"][0]["state"] == "lost"
    for words, ids in (
        (("is:starred",), [1]),
        (("tag:odd one",), [1]),
        (("--session", "morning"), [1]),
        (("--session", "last"), [3, 2]),
        (("--limit", "1", "--offset", "1"), [2]),
        (("--sort", "started", "--ascending"), [1, 2, 3]),
        (("what", "is:lost"), [3]),
    ):
        assert [run["id"] for run in answered(gazeviz, "log", "list", *words)["runs"]] == ids
    code, out, _ = gazeviz("log", "list")
    assert code == 0 and "3 of 3 runs" in out and "What?" in out
    sessions = answered(gazeviz, "log", "list", "--sessions")["sessions"]
    assert [(session["name"], session["n_runs"]) for session in sessions] == [
        ("evening [b]", 2),
        ("morning", 1),
    ]
    assert "evening [b]" in gazeviz("log", "list", "--sessions")[1]


def test_a_run_is_shown_by_number_and_the_newest_by_last(gazeviz: Run, filled: Path) -> None:
    document = answered(gazeviz, "log", "show", "1")
    assert [token["text"] for token in document["tokens"]] == [" w0", " w1", " w2"]
    assert document["note"] == "a [b]note[/b]" and document["tags"] == ["odd one"]
    assert answered(gazeviz, "log", "show", "last")["id"] == 3
    assert [run["id"] for run in answered(gazeviz, "log", "show", "1-2")["runs"]] == [1, 2]
    code, out, _ = gazeviz("log", "show", "1", "last")
    assert code == 0 and "Run 1" in out and "Run 3" in out and "a [b]note[/b]" in out
    code, _, err = gazeviz("log", "show", "77")
    assert code == 2 and "no run 77" in err


def test_a_log_is_checked_tidied_and_counted(gazeviz: Run, filled: Path) -> None:
    assert answered(gazeviz, "log", "check")["problems"] == []
    assert answered(gazeviz, "log", "stats")["rows"]["runs"] == 3
    assert "runs" in gazeviz("log", "stats")[1]
    with closing(SessionStore(filled)) as store:
        store.delete_runs([2])
    assert answered(gazeviz, "log", "vacuum", "--older-than", "1")["runs"] == 0
    assert answered(gazeviz, "log", "vacuum")["runs"] == 1


def test_damage_is_told_and_helped(gazeviz: Run, filled: Path, tmp_path: Path) -> None:
    written = answered(gazeviz, "log", "backup")["written"]
    assert Path(written).parent.name == "backups"
    with closing(sqlite3.connect(filled)) as database:
        database.execute("UPDATE run_records SET spec = '{}' WHERE run_id = 1")
        database.commit()
    code, out, _ = gazeviz("log", "check")
    assert code == 1 and "run 1 cannot be understood" in out and "--restore" in out
    saved = tmp_path / "saved.db"
    assert answered(gazeviz, "log", "check", "--salvage", saved)["rows"]["runs"] == 3
    assert answered(gazeviz, "log", "check", "--restore")["restored"] == written
    assert answered(gazeviz, "log", "check")["problems"] == []
    assert list(filled.parent.glob("gazeviz.db.damaged-*"))


def test_a_session_moves_to_another_log(gazeviz: Run, filled: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "session.zip", tmp_path / "other" / "gazeviz.db"
    assert answered(gazeviz, "log", "export", "morning", file)["runs"] == 1
    brought = answered(gazeviz, "log", "import", file, "--log", other)
    assert (brought["session"], brought["runs"]) == ("morning", 1)
    assert answered(gazeviz, "log", "list", "--log", other)["runs"][0]["note"] == "a [b]note[/b]"
    code, _, err = gazeviz("log", "import", file, "--log", other)
    assert code == 2 and "in this log already" in err
    assert answered(gazeviz, "log", "backup", tmp_path / "copy.db")["written"] == str(tmp_path / "copy.db")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "--session", "noon"), "No session is called"),
        (("list", "is:blue"), "no mark"),
        (("list", "--limit", "-1"), "cannot be negative"),
        (("list", "--sort", "colour"), "cannot be sorted"),
        (("show", "x"), "is not a run"),
        (("export", "noon", "x.zip"), "No session is called"),
        (("import", "nowhere.zip"), "There is no file"),
        (("list", "--log", "nowhere.db"), "There is no log"),
        (("fly",), "invalid choice"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_a_step(
    gazeviz: Run, filled: Path, words: tuple[str, ...], said: str
) -> None:
    code, _, err = gazeviz("log", *words)
    assert code == 2 and said in err and "Next:" in err


def test_every_action_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for action in log_command.ACTIONS:
        with pytest.raises(SystemExit) as stopped:
            cli.main(["log", action, "--help"])
        assert stopped.value.code == 0 and "--log" in capsys.readouterr().out


def test_datasette_listens_to_this_machine_alone(
    gazeviz: Run, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    def start(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(log_command, "find_spec", lambda _: None)
    code, _, err = gazeviz("log", "browse")
    assert code == 2 and "gazeviz[browse]" in err
    monkeypatch.setattr(log_command, "find_spec", lambda _: object())
    monkeypatch.setattr("gazeviz.commands.log.subprocess.run", start)
    assert gazeviz("log", "browse", "--port", "9001", "--open")[0] == 0
    (command,) = started
    assert command[:4] == [sys.executable, "-m", "datasette", "serve"]
    assert command[command.index("--host") + 1] == "127.0.0.1" and "9001" in command and "--open" in command
