"""Evaluations in the log: found by words, marked, checked, in a session's file, and merged from shards."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from gazeviz.domain.experiments.plan import EvaluationItem, Judgement
from gazeviz.errors import UserError
from gazeviz.store import SessionStore
from gazeviz.store.evaluation_transfer import Merged, merge_log
from gazeviz.store.evaluations import EvaluationLog, evaluations, found_evaluations
from gazeviz.store.faults import LogFault
from gazeviz.store.session_file import export_session, import_session
from gazeviz.store.upkeep import check, stats, vacuum
from tests.evaluate.staging import Kept, picture_set, runner, spec_of


def filled(path: Path, shard: tuple[int, int] = (0, 1), name: str = "first", controls: str = "zero") -> None:
    """A log with one evaluation, or with one shard of it."""
    pictures = picture_set(20)
    spec, kept = spec_of(pictures, controls, name=name), Kept()
    runner(spec, pictures, kept, shard=shard).run()
    with closing(SessionStore(path)) as store:
        log = EvaluationLog(store)
        number = log.begin(spec, pictures, pictures.n_regions * len(spec.conditions))
        log.keep(number, kept.items, kept.judgements)
        log.end(number, "done" if shard == (0, 1) else "paused")


def rows(path: Path, name: str = "first") -> tuple[list[EvaluationItem], list[Judgement]]:
    with closing(SessionStore(path)) as store:
        result = EvaluationLog(store).result(name)
    return sorted(result.items, key=lambda one: one.key), sorted(result.judgements, key=lambda one: one.key)


def test_shards_merged_are_the_whole_and_nothing_is_there_twice(tmp_path: Path) -> None:
    filled(tmp_path / "whole.db")
    for part in range(2):
        filled(tmp_path / f"{part}.db", (part, 2))
    n = len(rows(tmp_path / "whole.db")[0])
    merged = [merge_log(tmp_path / "0.db", tmp_path / "1.db") for _ in range(2)]
    assert merged[0].evaluations == 0 and 0 < merged[0].items == merged[0].judgements < n
    assert merged[1] == Merged(0, 0, 0)
    assert rows(tmp_path / "0.db") == rows(tmp_path / "whole.db")
    with closing(SessionStore(tmp_path / "0.db")) as store:
        assert EvaluationLog(store).all()[0].state == "done"
    assert check(tmp_path / "0.db") == []


def test_another_evaluation_of_the_name_is_not_mixed_in(tmp_path: Path) -> None:
    filled(tmp_path / "a.db")
    filled(tmp_path / "b.db", controls="zero,prompt")
    before = rows(tmp_path / "a.db")
    with pytest.raises(UserError, match="Both logs have an evaluation called “first”"):
        merge_log(tmp_path / "a.db", tmp_path / "b.db")
    assert rows(tmp_path / "a.db") == before
    with pytest.raises(UserError, match="into itself"):
        merge_log(tmp_path / "a.db", tmp_path / "a.db")
    (tmp_path / "no.db").write_bytes(b"no log at all")
    with pytest.raises(LogFault):
        merge_log(tmp_path / "a.db", tmp_path / "no.db")


def test_marks_are_kept_and_found(tmp_path: Path) -> None:
    filled(tmp_path / "log.db")
    filled(tmp_path / "log.db", name="second")
    with closing(SessionStore(tmp_path / "log.db")) as store:
        log, reader = EvaluationLog(store), store.reader
        number = log.number("first")
        assert number is not None and log.number("third") is None
        log.mark(number, starred=True, note="for the talk", tag="odd")

        def found(*words: str) -> list[str]:
            store.flush()
            return [one.name for one in found_evaluations(reader, words)]

        assert found() == ["second", "first"]
        assert found("TALK") == found("tag:odd") == found("is:starred") == ["first"]
        assert found("static", "sec") == ["second"]
        word = log.result("first").items[0].text.split()[0]
        assert found(word.upper()) == ["second", "first"]
        assert found("tag:talk") == []
        log.mark(number, untag="odd", starred=False, deleted=True)
        assert found() == ["second"]
        log.mark(number, deleted=False)
        assert found("tag:odd") == [] and found("first") == ["first"]


def test_a_deleted_one_gives_its_name_free_and_vacuum_removes_it(tmp_path: Path) -> None:
    filled(tmp_path / "log.db")
    with closing(SessionStore(tmp_path / "log.db")) as store:
        log = EvaluationLog(store)
        log.mark(log.number("first") or 0, deleted=True)
    filled(tmp_path / "log.db", controls="zero,prompt")
    assert stats(tmp_path / "log.db").rows["evaluations"] == 2
    vacuum(tmp_path / "log.db")
    assert stats(tmp_path / "log.db").rows["evaluations"] == 1
    assert len(rows(tmp_path / "log.db")[0]) == stats(tmp_path / "log.db").rows["evaluation_items"]


def test_check_tells_answers_that_nobody_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    filled(path)
    assert check(path) == []
    with closing(SessionStore(path)) as store:
        store.write(lambda db: db.execute("UPDATE evaluation_items SET condition = 'x' WHERE id = 1"))
    assert any("has not asked for" in one or "damaged" in one for one in check(path))


def test_check_tells_values_that_no_row_may_hold(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    filled(path)
    with closing(SessionStore(path)) as store:
        store.write(lambda db: db.execute("UPDATE evaluations SET state = 'lively'"))
    assert any("evaluations.state holds 1 value" in one for one in check(path))


def test_an_evaluation_goes_along_with_a_session(tmp_path: Path) -> None:
    filled(tmp_path / "log.db")
    with closing(SessionStore(tmp_path / "log.db")) as store:
        store.open_session("a session")
        store.flush()
        session_id = store.reader.sessions()[0].id
    out = tmp_path / "session.zip"
    export_session(tmp_path / "log.db", session_id, out, evaluations=["first"])
    SessionStore(tmp_path / "other.db").close()
    assert import_session(tmp_path / "other.db", out).n_evaluations == 1
    assert rows(tmp_path / "other.db") == rows(tmp_path / "log.db")
    with closing(SessionStore(tmp_path / "other.db")) as store:
        assert [one.name for one in evaluations(store.reader)] == ["first"]
    with pytest.raises(UserError, match="no evaluation “third”"):
        export_session(tmp_path / "log.db", session_id, tmp_path / "no.zip", evaluations=["third"])
    assert not (tmp_path / "no.zip").exists()
