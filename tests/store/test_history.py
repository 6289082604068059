"""What a run was done with stays what it was: its picture's name and path, and the ranking of its heads."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from gazeviz.app.report.sources import log_sources
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import GenerateSpec, PictureSource
from gazeviz.store import RunFilter, SessionStore
from gazeviz.store.reader import LogReader
from gazeviz.store.run_query import RunList
from gazeviz.store.upkeep import check
from tests.store.conftest import OpenStore
from tests.store.older import as_of_schema
from tests.store.samples import SPEC, alike, png, tiny_info

SHA256 = "ab" * 32


def run_on(store: SessionStore, name: str, path: str | None = None) -> int:
    """A run on the same pixels, which are called something else."""
    data = None if path else png((8, 8))
    store.save_picture(PictureSource(SHA256, name, path=path, data=data), (8, 8), None, ())
    return store.run_created("baseline", replace(SPEC, picture_sha256=SHA256), tiny_info())


def test_a_later_run_renames_no_earlier_one(store: SessionStore, tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(png((8, 8)))
    runs = [run_on(store, "kitchen.png"), run_on(store, "b.png", str(tmp_path / "b.png"))]
    assert [line.picture for line in store.list.lines(runs)] == ["kitchen.png", "b.png"]
    assert [line.id for line in store.list.page(RunFilter.parse("picture:kitchen"))] == runs[:1]
    first, second = map(store.run, runs)
    assert (first.picture_name, first.picture_path) == ("kitchen.png", None)
    assert (second.picture_name, second.picture_path) == ("b.png", str(tmp_path / "b.png"))
    assert second.without_paths().picture_path == "b.png"


def test_a_picture_that_was_opened_before_the_program_began_has_its_name(open_store: OpenStore) -> None:
    run_on(open_store(), "kitchen.png")
    again = open_store()
    run_id = again.run_created("baseline", replace(SPEC, picture_sha256=SHA256), tiny_info())
    assert again.run(run_id).picture_name == "kitchen.png"


def test_an_older_log_keeps_the_names_that_it_had(open_store: OpenStore, path: Path) -> None:
    store = open_store()
    run_id = run_on(store, "kitchen.png")
    store.close()
    as_of_schema(path, 2)
    with closing(LogReader(path)) as reader:  # not brought up to date yet
        assert reader.run(run_id).picture_name == "kitchen.png"
        assert [line.picture for line in RunList(reader).page()] == ["kitchen.png"]
        assert RunList(reader).counts().all == 1
    assert check(path) == []
    newer = open_store()
    run_on(newer, "cellar.png")
    assert [line.picture for line in newer.list.page()] == ["cellar.png", "kitchen.png"]


def ranking(seed: int, name: str = "mass") -> HeadRanking:
    return HeadRanking(name, np.random.default_rng(seed).permutation(12).astype(float).reshape(3, 4))


def asked(store: SessionStore, of: HeadRanking) -> int:
    info = tiny_info()
    return store.run_created("steered", GenerateSpec("ab", "What?", chosen=of.top(3)), info)


def test_a_run_keeps_the_ranking_that_it_used(open_store: OpenStore) -> None:
    store, old, new = open_store(), ranking(1), ranking(2)
    fingerprint = tiny_info().fingerprint
    store.ranking_saved(old, fingerprint)
    first = asked(store, old)
    store.ranking_saved(new, fingerprint)
    second = asked(store, new)
    late = asked(store, old)  # heads that were chosen before it was measured again
    again = open_store()
    for run_id, used in ((first, old), (second, new), (late, old)):
        assert alike(again.run(run_id).ranking, used)
        shown = log_sources(again.reader).ranking(again.run(run_id))
        assert alike(shown, used), "a report shows that one"


def test_a_run_of_an_older_log_shows_no_ranking_that_came_after_it(open_store: OpenStore, path: Path) -> None:
    store, old = open_store(), ranking(1)
    fingerprint = tiny_info().fingerprint
    store.ranking_saved(old, fingerprint)
    run_id = asked(store, old)
    store.ranking_saved(ranking(2), fingerprint)
    store.close()
    as_of_schema(path, 2)
    assert alike(open_store().run(run_id).ranking, old)


def test_words_are_found_in_parts_and_without_spaces(open_store: OpenStore, path: Path) -> None:
    store = open_store()
    prompts = ("紫の猫が跳ぶ", "A football match", "Ein Känguru", "what?")
    runs = [store.run_created("baseline", GenerateSpec("ab", prompt), tiny_info()) for prompt in prompts]
    store.note_run(runs[3], "Überall 🐢")
    store.close()
    as_of_schema(path, 2)
    again = open_store()  # what was there before is found as well
    for typed, expected in {
        "猫が跳": [0], "猫": [0], "ball": [1], "otbal": [1], "kang": [2], "KÄNG": [2], "überal": [3],
        "🐢": [3], "?": [], "?!…": [], "「」": [], "ball match": [1], "a%b": [],
    }.items():  # fmt: skip
        found = [line.id for line in again.list.page(RunFilter.parse(typed))]
        assert found == [runs[place] for place in expected], typed
    again.note_run(runs[3], "nothing more")
    again.delete_runs([runs[1]])
    again.write(lambda connection: connection.execute("DELETE FROM runs WHERE id = ?", (runs[1],)))
    assert again.list.count(RunFilter.parse("überal")) == again.list.count(RunFilter.parse("ball")) == 0
    assert check(path) == []
