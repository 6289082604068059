"""The commands on the built-in model: an evaluation, a sweep, another judge, and the list of the paper."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import Run, answered, command_line

SMALL = ("--pictures", "builtin:2@91:1x3", "--new-tokens", "3", "--heads", "mass:4")


@pytest.fixture
def gazeviz(capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line(capsys)


def test_an_evaluation_goes_on_is_judged_again_and_drawn(gazeviz: Run, tmp_path: Path) -> None:
    log = ("--log", tmp_path / "log.db")
    asked = (
        "evaluate", "vqa", *SMALL, "--controls", "uniform:2,zero,prompt", "--name", "small", *log,
        "--figure", f"accuracy={tmp_path / 'a.svg'}", "--figure", f"data={tmp_path / 'a.csv'}",
    )  # fmt: skip
    first = answered(gazeviz, *asked)
    assert {"name", "protocol", "judge", "pictures", "conditions", "percentile"} <= first.keys()
    names = [one["name"] for one in first["conditions"]]
    assert names == ["unsteered", "gaze", "uniform 1", "uniform 2", "zero", "prompt"]
    by_name = {one["name"]: one for one in first["conditions"]}
    assert {one["n"] for one in first["conditions"]} == {6}
    assert by_name["zero"]["different_from_unsteered"] == 0
    assert by_name["zero"]["accuracy"] == 0.0
    assert by_name["gaze"]["mass_after"] > by_name["gaze"]["mass_before"]
    assert (tmp_path / "a.svg").is_file() and len((tmp_path / "a.csv").read_text().splitlines()) == 7
    assert answered(gazeviz, *asked) == first  # nothing is computed again, and nothing changes

    again = answered(gazeviz, "judge", "small", "--judge", "lexical", *log)
    assert again["judge"] == "lexical"
    assert list(again["kappa"]) == ["exact / lexical"]
    listed = answered(gazeviz, "judge", "--list", *log)
    assert listed["evaluations"] == [{"name": "small", "state": "done", "done": 36, "items": 36}]

    code, _, err = gazeviz(*asked, "--strength", "4", "--json")
    assert code == 2 and "another evaluation called" in json.loads(err.splitlines()[-1])["error"]


@pytest.mark.slow
def test_two_workers_come_to_the_same_rows(gazeviz: Run, tmp_path: Path) -> None:
    asked = ("evaluate", "vqa", "--pictures", "builtin:6@91:1x3", *SMALL[2:], "--controls", "zero")
    alone = answered(gazeviz, *asked, "--log", tmp_path / "one.db")
    together = answered(gazeviz, *asked, "--log", tmp_path / "two.db", "--workers", "2")
    assert together == alone
    code, _, err = gazeviz(*asked, "--no-log", "--workers", "2", "--json")
    assert code == 2 and "share the work through the log" in json.loads(err.splitlines()[-1])["error"]


def test_a_sweep_has_a_curve_and_recommends(gazeviz: Run, tmp_path: Path) -> None:
    swept = answered(
        gazeviz, "sweep", "top=2,4", *SMALL, "--controls", "uniform:1", "--no-log", "--figure",
        f"curve={tmp_path / 'k.png'}",
    )  # fmt: skip
    gaze = [one for one in swept["conditions"] if one["kind"] == "gaze"]
    assert [(one["at"], one["heads"]) for one in gaze] == [({"top": "2"}, 2), ({"top": "4"}, 4)]
    assert swept["recommended"] in [one["name"] for one in gaze]
    assert (tmp_path / "k.png").is_file()


def test_wordings_are_each_held_against_their_own_unsteered_answers(gazeviz: Run, tmp_path: Path) -> None:
    found = answered(
        gazeviz, "sweep", "wording=What is it?|Who is there?", *SMALL, "--controls", "none", "--log",
        tmp_path / "w.db",
    )  # fmt: skip
    kinds = [one["kind"] for one in found["conditions"]]
    assert kinds.count("unsteered") == 3 and kinds.count("gaze") == 2


def test_the_best_of_a_sweep_is_kept_for_the_window(gazeviz: Run, tmp_path: Path) -> None:
    from gazeviz.store import SessionStore

    log, asked = tmp_path / "log.db", ("sweep", "top=2,4", *SMALL, "--controls", "none", "--name", "k")
    swept = answered(gazeviz, *asked, "--save-preset", "--log", log)
    store = SessionStore(log)
    try:
        kept = store.reader.head_sets(swept["model_fingerprint"])
    finally:
        store.close()
    assert list(kept) == ["best of sweep k"]
    gaze = [one for one in swept["conditions"] if one["kind"] == "gaze"]
    best = max(gaze, key=lambda one: (one["interval"][0], -one["heads"]))
    assert len(kept["best of sweep k"]) == best["heads"]
    code, _, err = gazeviz(*asked, "--save-preset", "--no-log", "--json")
    assert code == 2 and "kept in the log" in json.loads(err.splitlines()[-1])["error"]


def test_panels_named_in_words_and_in_figures_are_wordings(gazeviz: Run, tmp_path: Path) -> None:
    found = answered(
        gazeviz, "sweep", "wording=words|nth", *SMALL, "--controls", "none", "--log", tmp_path / "w.db"
    )  # fmt: skip
    names = {one["name"] for one in found["conditions"]}
    assert {"gaze wording=words", "gaze wording=nth", "unsteered wording=nth"} <= names
    by_name = {one["name"]: one["accuracy"] for one in found["conditions"]}
    # The question names the panel itself, so the texts describe it without steering.
    assert by_name["unsteered wording=words"] > by_name["unsteered"]


def test_the_paper_is_listed_and_what_needs_no_answers_is_shown(gazeviz: Run, tmp_path: Path) -> None:
    log = ("--log", tmp_path / "log.db")
    listed = answered(gazeviz, "reproduce", "--list", *log)
    assert {"vqa", "dynamic", "k", "strength"} <= {one["name"] for one in listed["experiments"]}
    shown = answered(gazeviz, "reproduce", "layers", "overlap", "--out", tmp_path / "report", *log)
    assert sum(int(row["ours"]) for row in shown["experiments"]["layers"]) == 10
    assert "Overlap of rankings" in (tmp_path / "report" / "report.md").read_text()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--heads", "mass:x"), "does not name a head"),
        (("--heads", "unknown:3"), "no head ranking"),
        (("--controls", "some"), "no control"),
        (("--judge", "oracle"), "no judge"),
        (("--pictures", "builtin:x"), "no picture set"),
        (("--shard", "9/8"), "not a shard"),
    ],
)
def test_what_cannot_be_done_is_said(gazeviz: Run, wrong: tuple[str, ...], said: str) -> None:
    code, _, err = gazeviz("evaluate", "vqa", *SMALL, "--no-log", "--json", *wrong)
    assert code == 2
    assert said in json.loads(err.splitlines()[-1])["error"]


def test_heads_are_written_the_same_way_everywhere(gazeviz: Run, tmp_path: Path) -> None:
    steered = answered(
        gazeviz, "steer", "builtin:0", "--prompt", "What?", "--heads", "random:4@3", "--like", "mass:4",
        "--panel", "2", "--max-new-tokens", "2", "--no-log",
    )  # fmt: skip
    (heads,) = {str(found) for found in head_sets(steered)}
    assert heads.count("layer") == 4


def head_sets(document: object) -> Iterator[list[object]]:
    """Every list of heads in a document."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == "heads" and isinstance(value, list) and value:
                yield value
            else:
                yield from head_sets(value)


def test_evaluations_are_found_marked_compared_and_merged_from_the_shell(
    gazeviz: Run, tmp_path: Path
) -> None:
    log, shard = ("--log", tmp_path / "log.db"), ("--log", tmp_path / "shard.db")
    asked = (
        "evaluate",
        "vqa",
        "--pictures",
        "builtin:17@91:1x3",
        "--new-tokens",
        "1",
        *SMALL[4:],
        "--controls",
        "none",
    )
    answered(gazeviz, *asked, "--name", "a", "--shard", "1/2", *log)
    answered(gazeviz, *asked, "--name", "a", "--shard", "2/2", *shard)
    merged = answered(gazeviz, "log", "merge", tmp_path / "shard.db", *log)
    assert merged["evaluations"] == 0 and merged["items"] == merged["judgements"] > 0
    answered(gazeviz, *asked, "--name", "b", *log)
    marked = answered(
        gazeviz, "log", "evaluations", "tag:odd", "--name", "a", "--tag", "odd", "--note", "n", *log
    )
    assert [(one["name"], one["tags"], one["state"]) for one in marked["evaluations"]] == [
        ("a", ["odd"], "done")
    ]
    compared = answered(gazeviz, "log", "evaluations", "--compare", "a", "b", *log)
    assert [one["name"] for one in compared["conditions"]] == ["unsteered", "gaze"]
    for one in compared["conditions"]:
        assert one["figures"][0] == one["figures"][1]  # two shards together are one evaluation
    code, _, err = gazeviz("log", "evaluations", "--name", "c", "--tag", "x", *log, "--json")
    assert code == 2 and "no evaluation “c”" in err


def test_figures_are_drawn_from_a_stored_evaluation(gazeviz: Run, tmp_path: Path) -> None:
    log = ("--log", tmp_path / "log.db")
    moving = (
        "evaluate",
        "dynamic",
        "--pictures",
        "builtin:1@91:1x3",
        "--new-tokens",
        "3",
        "--heads",
        "mass:4",
    )
    answered(gazeviz, *moving, "--controls", "none", "--name", "moves", *log)
    files = [tmp_path / f"f{suffix}" for suffix in (".svg", ".pdf", ".png", ".csv")]
    out = [word for file in files for word in ("--out", file)]
    for name in ("accuracy", "histogram", "staircase"):
        for file in files:
            file.unlink(missing_ok=True)
        assert answered(gazeviz, "figure", name, "moves", *out, *log)["written"] == [
            str(one) for one in files
        ]
        assert all(file.stat().st_size for file in files)
    lines = files[-1].read_text().splitlines()
    assert lines[0] == (
        "token,text,target,Panel 1,Panel 2,Panel 3,"
        '"Panel 1, random heads","Panel 2, random heads","Panel 3, random heads"'
    )
    assert len(lines) == 1 + 9
    code, _, err = gazeviz("figure", "curve", "moves", *out, *log, "--json")
    assert code == 2 and "sweeps nothing" in err


def test_a_person_judges_blind_stops_and_goes_on_and_reads_equal_texts_once(
    gazeviz: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ("--log", tmp_path / "log.db")
    asked = ("evaluate", "vqa", "--pictures", "builtin:1@91:1x3", "--new-tokens", "6", "--heads", "mass:4")
    rows = answered(gazeviz, *asked, "--controls", "zero", "--name", "small", *log)["rows"]
    texts = {row["text"] for row in rows if row["junk"] is None}
    judge = ("judge", "small", "--judge", "person", *log)

    monkeypatch.setattr("sys.stdin", io.StringIO("9\nq\n"))  # there is no region 9
    code, _, told = gazeviz(*judge)
    assert code == 130 and told.count("Which region, 1 to 3?") == 2
    told = told.replace("gazeviz", "")
    assert not any(word in told for word in ("gaze", "zero", "unsteered", "target"))

    monkeypatch.setattr("sys.stdin", io.StringIO("1\nq\n"))
    code, _, told = gazeviz(*judge)
    assert code == 130 and told.count("Which region") == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("0\n" * (len(texts) - 1)))
    code, out, told = gazeviz(*judge, "--json")
    assert code == 0 and told.count("Which region") == len(texts) - 1
    chosen = {row["text"]: row["described"] for row in json.loads(out)["rows"] if row["junk"] is None}
    assert sorted(chosen.values(), key=str) == [0, *[None] * (len(texts) - 1)]
