"""Rows that gazeviz would not write: refused in bundles, told and mended in a log that holds them already."""

from __future__ import annotations

import io
import json
import random
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from gazeviz.store import RunFilter
from gazeviz.store.arrays import beside
from gazeviz.store.backup import salvage
from gazeviz.store.faults import LogFault
from gazeviz.store.reader import LogReader
from gazeviz.store.run_query import RunList
from gazeviz.store.session_file import export_session, import_session
from gazeviz.store.upkeep import check, mend, stats
from tests.store.conftest import OpenStore
from tests.store.samples import SPEC, Samples, plain_step, tiny_info
from tests.store.test_session_file import in_the_database, repacked

FOREIGN = [
    "UPDATE runs SET started_s = 1e300",
    "UPDATE runs SET started_s = -5",
    "UPDATE sessions SET started_s = 9e99",
    "UPDATE runs SET prompt = CAST(x'ff41fe' AS TEXT)",
    "UPDATE sessions SET name = CAST(x'63616665e9' AS TEXT)",
    "UPDATE runs SET n_tok = 9223372036854775807",
    "UPDATE runs SET state = 'sleeping'",
    "UPDATE runs SET side = 'upper'",
    "UPDATE run_steps SET token_id = 99999999999",
    "UPDATE runs SET seconds = 1e300",
    "UPDATE run_steps SET text = x'ff'",
]


@pytest.fixture
def filled(open_store: OpenStore, path: Path) -> Path:
    """A closed log of one session with two runs."""
    store = open_store()
    store.open_session("mine")
    for seed in (1, 2):
        run_id = store.run_created("baseline", SPEC, tiny_info())
        for index in range(3):
            store.step_appended(run_id, plain_step(index))
        store.run_ended(run_id, "done", Samples(seed).summary(), "").result()
    store.close()
    return path


def changed(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(sql)
        database.commit()


@pytest.mark.parametrize("sql", FOREIGN)
def test_a_bundle_with_such_rows_is_refused_and_leaves_nothing(
    filled: Path, tmp_path: Path, sql: str, open_store: OpenStore
) -> None:
    export_session(filled, 1, tmp_path / "good.zip")
    bad = repacked(tmp_path / "good.zip", tmp_path / "bad.zip", in_the_database(sql))
    target = open_store(tmp_path / "other" / "gazeviz.db")
    with pytest.raises(LogFault, match=r"bad\.zip is damaged or was changed"):
        import_session(target.path, bad)
    assert stats(target.path).rows["runs"] == 0 and not list(target.path.parent.glob("arrays/*"))


@pytest.mark.parametrize("sql", FOREIGN)
def test_a_log_that_holds_such_rows_is_listed_checked_and_mended(filled: Path, sql: str) -> None:
    changed(filled, sql)
    with closing(LogReader(filled)) as reader:
        lines = RunList(reader).page(RunFilter(sides=()))
        assert len(lines) == 2 and len(reader.sessions()) == 1
        assert all(0 <= line.started_s < 253402300800 for line in lines)
        for line in lines:
            run = reader.run(line.id)
            assert run.started_s == line.started_s and len(run.steps) == 3
    assert any(" holds " in problem for problem in check(filled))
    backup, mended = mend(filled)
    assert mended and backup.is_file()
    assert check(filled) == []
    assert mend(filled)[1] == {}


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DROP TABLE notes", "The table notes is missing."),
        ("ALTER TABLE runs DROP COLUMN picture_path", "has lost its column picture_path."),
        ("DROP INDEX runs_starred", ""),
        ("DROP TABLE images; DROP TABLE run_tags", "The table images is missing."),
        ("DROP VIEW runs_in_words; ALTER TABLE models DROP COLUMN family", "has lost its column family."),
    ],
)
def test_a_log_that_lacks_tables_or_columns_is_read_as_far_as_it_goes(
    filled: Path, tmp_path: Path, sql: str, said: str
) -> None:
    changed(filled, sql)
    with closing(LogReader(filled)) as reader:
        runs = RunList(reader)
        assert [line.id for line in runs.page()] == [2, 1] and runs.counts().all == 2
        assert len(reader.sessions()) == 1 and len(reader.run(1).steps) == 3
    assert stats(filled).rows["runs"] == 2
    assert said in " ".join(check(filled))
    saved = salvage(filled, tmp_path / "saved.db")
    assert (saved["runs"], saved["run_steps"]) == (2, 6)
    assert check(tmp_path / "saved.db") == []


def test_a_damaged_text_costs_no_row_behind_it(filled: Path, tmp_path: Path) -> None:
    changed(filled, "UPDATE runs SET text = CAST(x'41ff42' AS TEXT) WHERE id = 1")
    assert salvage(filled, tmp_path / "saved.db")["runs"] == 2
    with closing(LogReader(tmp_path / "saved.db")) as reader:
        assert [line.text for line in RunList(reader).page()][-1] == "A\ufffdB"


# What lies in the zip beside the rows


def bomb(n_bytes: int) -> bytes:
    """An array file that is small, and large unpacked."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, values=np.zeros(n_bytes, dtype=np.uint8))
    return buffer.getvalue()


def test_what_would_grow_too_much_is_refused_before_it_does(
    filled: Path, tmp_path: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gazeviz.store import session_file

    export_session(filled, 1, tmp_path / "good.zip")
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(tmp_path / "good.zip") as good:
        contents = {name: good.read(name) for name in good.namelist()}
    contents["pictures/" + "a" * 64 + ".png"] = bytes(80 * 1024**2)
    manifest = json.loads(contents["manifest.json"])
    manifest["files"]["pictures/" + "a" * 64 + ".png"] = {"bytes": 80 * 1024**2, "sha256": "0" * 64}
    contents["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in contents.items():
            packed.writestr(name, data)
    unpacked: list[str] = []
    monkeypatch.setattr(session_file, "_unpack_one", lambda *told: unpacked.append(told[2]))
    with pytest.raises(LogFault, match=r"bad\.zip would grow too much"):
        import_session(open_store(tmp_path / "other.db").path, bad)
    assert unpacked == []


def test_an_array_that_would_grow_too_much_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from gazeviz.store import arrays

    monkeypatch.setattr(arrays, "MOST_ARRAY_BYTES", 1_000_000)
    monkeypatch.setattr(np, "load", lambda *_args, **_named: pytest.fail("it was unpacked"))
    with pytest.raises(ValueError, match="too large"):
        arrays.npz_values(bomb(2_000_000))


def test_files_that_no_row_names_stay_out_and_false_ones_that_are_there_are_replaced(
    filled: Path, tmp_path: Path, open_store: OpenStore
) -> None:
    from gazeviz.domain.heads import HeadRanking
    from tests.store.samples import FINGERPRINT

    store, rng = open_store(), np.random.default_rng(0)
    session_id = store.open_session("with a matrix")
    store.ranking_saved(HeadRanking("mass", rng.random((36, 32)), 5, rng.random((36, 32, 6, 6))), FINGERPRINT)
    store.close()
    export_session(filled, session_id, tmp_path / "good.zip")
    with zipfile.ZipFile(tmp_path / "good.zip") as packed:
        (array,) = [name for name in packed.namelist() if name.startswith("arrays/")]
    extra = "arrays/" + "b" * 64 + ".npz"
    more = repacked(tmp_path / "good.zip", tmp_path / "more.zip", lambda c: c.update({extra: c[array]}))
    target = open_store(tmp_path / "other" / "gazeviz.db")
    there = beside(target.path, "arrays") / array.removeprefix("arrays/")
    there.parent.mkdir(parents=True)
    there.write_bytes(b"something else")
    import_session(target.path, more)
    assert [file.name for file in there.parent.iterdir()] == [there.name]
    assert check(target.path) == []


def test_one_flipped_byte_is_a_sentence(filled: Path, tmp_path: Path, open_store: OpenStore) -> None:
    export_session(filled, 1, tmp_path / "good.zip")
    data, target = (tmp_path / "good.zip").read_bytes(), open_store(tmp_path / "other.db")
    rng, bad, n_refused = random.Random(0), tmp_path / "bad.zip", 0
    places = [*range(0, 60), *range(len(data) - 60, len(data)), *rng.sample(range(len(data)), 60)]
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        bad.write_bytes(flipped)
        try:
            import_session(target.path, bad)
        except LogFault as fault:
            assert fault.sentence.endswith(".") and fault.next_step.endswith(".")
            n_refused += 1
            assert stats(target.path).rows["runs"] == 0
        else:  # a byte that nobody reads, like a time in the zip's directory
            target.write(lambda c: c.execute("DELETE FROM sessions"))
    assert n_refused > len(places) // 2
