"""What a log, a bundle or a model says never steers the terminal, and a full disk never costs an answer."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gazeviz.commands.terminal import FilesBeside, Terminal, escape, table, visible
from gazeviz.errors import UserError
from gazeviz.store import SessionStore
from gazeviz.store.reader import LogReader
from tests.command_line import Run, command_line
from tests.store.samples import SPEC, plain_step, tiny_info

CLIPBOARD = "\x1b]52;c;Y3VybCBldmlsfHNo\x07"
STEERING = ("\x1b[2J", CLIPBOARD, "\x9b31m", "\x00", "\r", "\x7f", "\u202e", "\u2066", "\ud83e")


def unsafe(text: str) -> list[str]:
    """The letters of a text that a terminal would obey."""
    return [letter for letter in text if visible(letter) != letter]


@pytest.mark.parametrize("steering", STEERING)
@pytest.mark.parametrize("as_json", [False, True])
def test_every_way_to_speak_shows_what_would_steer(
    capsys: pytest.CaptureFixture[str], steering: str, as_json: bool
) -> None:
    from rich.text import Text

    terminal, said = Terminal(as_json=as_json), f"a{steering}b"
    terminal.answer({"text": said}, escape(said), Text(said), table(("x",), [(escape(said),)]))
    terminal.note(said)
    terminal.warn(said)
    terminal.complain(said, said)
    out, err = capsys.readouterr()
    assert unsafe(out) == unsafe(err) == []
    if as_json:
        assert json.loads(out) == {"text": said}, "a program gets the text as it is"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A log whose every text steers."""
    path = tmp_path / "hostile.db"
    with closing(SessionStore(path)) as store:
        session_id = store.open_session("name" + CLIPBOARD)
        run_id = store.run_created("baseline", SPEC, tiny_info(name="model" + CLIPBOARD))
        store.step_appended(run_id, plain_step(0))
        store.run_ended(run_id, "failed", None, "message" + CLIPBOARD).result()
        store.note_run(run_id, "[red]note" + CLIPBOARD)
        store.note_session(session_id, CLIPBOARD)
        store.tag_runs([run_id], "tag" + CLIPBOARD)
    with closing(sqlite3.connect(path)) as database:
        for column in ("state", "target", "target_colour", "mode", "strength", "text", "junk", "picture"):
            database.execute(f"UPDATE runs SET {column} = ?", (f"[/x]{column}{CLIPBOARD}",))
        database.execute("UPDATE run_steps SET text = ?", (CLIPBOARD,))
        database.commit()
    return path


@pytest.mark.parametrize("words", [("list",), ("list", "--sessions"), ("show", "1"), ("check",), ("stats",)])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_command_lets_a_log_steer_the_terminal(
    hostile: Path, capsys: pytest.CaptureFixture[str], fresh_logging: None, words: tuple[str, ...],
    form: tuple[str, ...],
) -> None:  # fmt: skip
    gazeviz: Run = command_line(capsys, "log", "--log", hostile)
    code, out, err = gazeviz(*words, *form)
    assert code in (0, 1) and unsafe(out) == unsafe(err) == [] and "Internal error" not in err


def test_a_log_of_impossible_times_is_listed_and_shown(
    hostile: Path, capsys: pytest.CaptureFixture[str], fresh_logging: None
) -> None:
    with closing(sqlite3.connect(hostile)) as database:
        database.execute("UPDATE runs SET started_s = 1e300, replayed_s = 1e300, replay_same = 1")
        database.execute("UPDATE sessions SET started_s = -1e300")
        database.commit()
    gazeviz: Run = command_line(capsys, "log", "--log", hostile)
    for words in (("list",), ("list", "--sessions"), ("show", "1"), ("stats",)):
        code, _, err = gazeviz(*words)
        assert code == 0, err
    code, out, _ = gazeviz("check", "--mend", "--json")
    assert code == 0 and json.loads(out)["mended"]["runs.started_s"] == 1


# The disk is full


def test_a_file_beside_an_answer_does_not_cost_it(tmp_path: Path) -> None:
    files = FilesBeside()
    files.settle()

    def full() -> Path:
        raise OSError(28, "No space left on device", str(tmp_path / "figure.png"))

    files.write(full)
    files.write(lambda: tmp_path / "other.png")
    assert files.written == [tmp_path / "other.png"]
    with pytest.raises(UserError, match=r"figure\.png could not be written: No space left"):
        files.settle()


def test_a_figure_that_cannot_be_written_does_not_cost_the_answer(
    untrained_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fresh_logging: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    gazeviz = command_line(capsys, "--model", untrained_model)
    code, out, err = gazeviz(
        "map", "builtin:0", "-p", "What?", "--heads", "L4H1", "--token", "0", "--max-new-tokens", "2",
        "--out", tmp_path / "map.png", "--no-log", "--json",
    )  # fmt: skip
    assert code == 2, err
    assert json.loads(out)["written"] == [] and json.loads(out)["run"]["tokens"]
    assert "No space left" in json.loads(err.splitlines()[-1])["error"] and not list(tmp_path.glob("*.png"))


def test_a_run_whose_end_finds_no_room_is_marked_as_what_it_is(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "log.db")
    run_id = store.run_created("baseline", SPEC, tiny_info())
    store.step_appended(run_id, plain_step(0))
    store.flush()
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    for index in range(1, 100):
        try:
            store.step_appended(run_id, plain_step(index, n_tok=1280))
        except UserError:
            break
    with pytest.raises(UserError, match=r"log\.db cannot be written: there is no space left"):
        store.run_ended(run_id, "done", None, "").result()
    with pytest.raises(UserError, match="no space left"):
        store.close()
    with closing(LogReader(tmp_path / "log.db")) as reader:
        run = reader.run(run_id)
        assert run.state == "lost" and "could not be written" in run.message


def test_output_of_a_console_is_visible_alone() -> None:
    out = io.StringIO()
    from gazeviz.commands.terminal import _console

    _console(file=out, force_terminal=True, color_system="truecolor", width=80).print("[bold]a\x1b[2Jb[/]")
    assert "\x1b[1m" in out.getvalue() and "\x1b[2J" not in out.getvalue(), "only its own codes are written"
