"""A session moved to another log as one file, and files that are not what they say."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazeviz.app.runs.picture_opener import picture_sha256
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import PictureSource
from gazeviz.domain.strip import Layout
from gazeviz.store import RunFilter, SessionStore
from gazeviz.store.connection import SCHEMA
from gazeviz.store.faults import LogFault
from gazeviz.store.session_file import MANIFEST, export_session, import_session
from gazeviz.store.upkeep import check
from tests.store.conftest import OpenStore
from tests.store.samples import FINGERPRINT, Samples, alike

PIXELS = np.random.default_rng(0).integers(0, 255, (300, 600, 3), dtype=np.uint8)
SHA256 = picture_sha256(PIXELS)


def encoded() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SessionStore, Path]]:
    """A log with two sessions, and the file of the second one; no test changes them."""
    folder = tmp_path_factory.mktemp("exported")
    store = SessionStore(folder / "gazeviz.db")
    fill(store)
    file = folder / "session.zip"
    assert export_session(store.path, 2, file) == 11
    yield store, file
    store.close()


def fill(store: SessionStore) -> None:
    """Two sessions, the second one with everything that a session can hold."""
    store.open_session("first")
    other = store.run_created("baseline", Samples(1).spec(), Samples(1).info())
    store.run_ended(other, "done", Samples(1).summary(), "").result()
    session_id = store.open_session('second <script>alert("x")</script>')
    store.save_picture(PictureSource(SHA256, "large", data=encoded()), (600, 300), Layout(1, 6), ("a",))
    rng = np.random.default_rng(0)
    store.ranking_saved(
        HeadRanking("mass", rng.random((36, 32)), 25, rng.random((36, 32, 6, 6))), FINGERPRINT
    )
    store.head_set_saved("gaze", HeadSet.of("L0H0"), FINGERPRINT)
    for seed in range(2, 12):
        samples = Samples(seed)
        store.save_regions(SHA256, samples.regions())
        run_id = store.run_created("steered", samples.spec(), samples.info())
        for index in range(4):
            store.step_appended(run_id, samples.step(index))
        store.run_ended(run_id, "done", samples.summary(), samples.text()).result()
    store.run_created("steered", Samples(12).spec(), Samples(2).info())  # under way
    deleted = store.run_created("steered", Samples(13).spec(), Samples(2).info())
    store.delete_runs([deleted])
    store.star_runs([2])
    store.tag_runs([2], "odd")
    store.note_run(2, "a note of the run")
    store.note_session(session_id, "a note of the session")
    store.judge_run(2, "Panel 4", True)
    store.flush()


def test_a_session_arrives_as_it_left(
    exported: tuple[SessionStore, Path], open_store: OpenStore, tmp_path: Path
) -> None:
    source, file = exported
    target = open_store(tmp_path / "other" / "gazeviz.db")
    target.open_session("mine")
    mine = target.run_created("steered", Samples(40).spec(), Samples(40).info())
    imported = import_session(target.path, file)
    assert imported.n_runs == 11 and imported.name == 'second <script>alert("x")</script>'
    left, came = source.runs(2), target.runs(imported.session_id)
    assert len(came) == 11 and target.run(mine).session_id == 1
    assert (came[0].state, left[0].state) == ("lost", "running")
    for a, b in zip((run.without_paths() for run in left[1:]), came[1:], strict=True):
        assert alike(a.spec, b.spec) and alike(a.summary, b.summary) and alike(a.model, b.model)
        assert alike(tuple(a.steps), tuple(b.steps)) and (a.side, a.state, a.message) == (
            b.side,
            b.state,
            b.message,
        )
    line = target.list.page(RunFilter(starred=True))[0]
    assert (line.tags, line.note, line.verdict) == (("odd",), "a note of the run", "Panel 4")
    assert [entry.id for entry in target.list.page(RunFilter.parse("note of"))] == [line.id]
    session = next(s for s in target.sessions() if s.id == imported.session_id)
    assert (session.note, session.imported_from) == ("a note of the session", "session.zip")
    assert alike(target.reader.rankings(FINGERPRINT)[0], source.reader.rankings(FINGERPRINT)[0])
    assert target.reader.head_sets(FINGERPRINT) == {"gaze": HeadSet.of("L0H0")}
    assert target.reader.regions_of(SHA256) == source.reader.regions_of(SHA256)
    picture = target.reader.picture(SHA256)
    assert picture.source == PictureSource(SHA256, "large", data=encoded())
    target.close()
    assert check(target.path) == []


def test_importing_twice_is_refused(
    exported: tuple[SessionStore, Path], open_store: OpenStore, tmp_path: Path
) -> None:
    source, file = exported
    for log in (source.path, open_store(tmp_path / "other.db").path):
        if log != source.path:
            import_session(log, file)
        with pytest.raises(LogFault, match="in this log already"):
            import_session(log, file)


def test_what_is_not_of_the_session_stays_at_home(
    exported: tuple[SessionStore, Path], tmp_path: Path
) -> None:
    _, file = exported
    with zipfile.ZipFile(file) as packed:
        packed.extract("gazeviz.db", tmp_path / "out")
        manifest = json.loads(packed.read(MANIFEST))
        assert sorted(manifest["files"]) == sorted(set(packed.namelist()) - {MANIFEST})
    with closing(sqlite3.connect(tmp_path / "out" / "gazeviz.db")) as database:
        assert database.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM openings").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM runs WHERE deleted_s IS NOT NULL").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM images WHERE path IS NOT NULL").fetchone() == (0,)
        n_models = database.execute("SELECT count(*) FROM models").fetchone()[0]
        assert n_models == len(set(database.execute("SELECT model_id FROM runs")))


def repacked(file: Path, out: Path, change: Callable[[dict[str, bytes]], None], honest: bool = True) -> Path:
    """The same zip with other contents; `honest` gives it a manifest that fits them."""
    with zipfile.ZipFile(file) as packed:
        contents = {name: packed.read(name) for name in packed.namelist()}
    change(contents)
    if honest:
        manifest = json.loads(contents[MANIFEST])
        manifest["files"] = {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in contents.items()
            if name != MANIFEST
        }
        contents[MANIFEST] = json.dumps(manifest).encode()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in contents.items():
            packed.writestr(name, data)
    return out


def in_the_database(sql: str) -> Callable[[dict[str, bytes]], None]:
    """A change of the log in the zip."""

    def change(contents: dict[str, bytes]) -> None:
        database = sqlite3.connect(":memory:")
        database.deserialize(contents["gazeviz.db"])
        database.executescript(sql)
        database.commit()
        contents["gazeviz.db"] = database.serialize()
        database.close()

    return change


def in_the_manifest(**changed: object) -> Callable[[dict[str, bytes]], None]:
    def change(contents: dict[str, bytes]) -> None:
        contents[MANIFEST] = json.dumps({**json.loads(contents[MANIFEST]), **changed}).encode()

    return change


def first(contents: dict[str, bytes], folder: str) -> str:
    return next(name for name in contents if name.startswith(folder))


def spoil_array(contents: dict[str, bytes]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, values=np.zeros(5))
    contents[first(contents, "arrays/")] = buffer.getvalue()


def pickle_array(contents: dict[str, bytes]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, values=np.array([{"a": 1}], dtype=object))
    contents[first(contents, "arrays/")] = buffer.getvalue()


def spoil_picture(contents: dict[str, bytes]) -> None:
    contents[first(contents, "pictures/")] = b"x" * 400_000


def outside(contents: dict[str, bytes]) -> None:
    contents["../escaped.db"] = b"x"


def absolute(contents: dict[str, bytes]) -> None:
    contents["/tmp/escaped.db"] = b"x"


def flip_last_byte(contents: dict[str, bytes]) -> None:
    contents["gazeviz.db"] = contents["gazeviz.db"][:-1] + b"\1"


def add_trigger(contents: dict[str, bytes]) -> None:
    in_the_database("CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM runs; END")(contents)


def lose_array(contents: dict[str, bytes]) -> None:
    del contents[first(contents, "arrays/")]


@pytest.mark.parametrize(
    ("change", "honest", "said"),
    [
        (outside, True, "names files that no session has"),
        (absolute, True, "names files that no session has"),
        (outside, False, "other files than its manifest"),
        (lose_array, False, "other files than its manifest"),
        (lose_array, True, "has lost"),
        (spoil_array, True, "no longer what was written"),
        (pickle_array, True, "no longer what was written"),
        (spoil_picture, True, "no longer what was written"),
        (spoil_picture, False, "other sizes"),
        (flip_last_byte, False, "is not what its manifest says"),
        (lambda c: c.update({"gazeviz.db": b"no database" * 999}), True, "cannot be read"),
        (in_the_manifest(schema=SCHEMA + 1), False, "newer"),
        (in_the_manifest(format="something else"), False, "no session of gazeviz"),
        (in_the_manifest(files="gazeviz.db"), False, "no manifest that can be understood"),
        (in_the_manifest(files={"gazeviz.db": {}}), False, "no manifest that can be understood"),
        (lambda c: c.update({MANIFEST: b"{"}), False, "no manifest that can be understood"),
        (add_trigger, True, "other tables"),
        (in_the_database("DROP TABLE notes"), True, "other tables"),
        (in_the_database("PRAGMA user_version = 0"), True, "other tables"),
        (in_the_database("DELETE FROM sessions"), True, "instead of one|refers to"),
        (in_the_database("UPDATE runs SET started_s = 'soon'"), True, "no real"),
        (in_the_database("UPDATE runs SET id = id + 1000"), True, "refers to"),
        (in_the_database("UPDATE run_records SET spec = '{}'"), True, "cannot be understood"),
        (in_the_database("UPDATE regions SET colour = '#123456'"), True, "no longer what was written"),
        (in_the_database("UPDATE head_scores SET score = score + 1"), True, "no longer what was written"),
        (in_the_database("UPDATE models SET info = replace(info, 'cpu', 'gpu')"), True, "no longer what"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_what_it_says_leaves_nothing_behind(
    exported: tuple[SessionStore, Path],
    open_store: OpenStore,
    tmp_path: Path,
    change: Callable[[dict[str, bytes]], None],
    honest: bool,
    said: str,
) -> None:
    target = open_store(tmp_path / "other" / "gazeviz.db")
    before = set(target.path.parent.rglob("*"))
    with pytest.raises(LogFault, match=said) as caught:
        import_session(target.path, repacked(exported[1], tmp_path / "changed.zip", change, honest))
    assert "changed.zip" in caught.value.sentence and caught.value.next_step
    assert target.list.count() == 0 and not target.sessions()
    assert set(target.path.parent.rglob("*")) <= before
    assert not (tmp_path / "escaped.db").exists() and not Path("/tmp/escaped.db").exists()


def test_bytes_that_are_another_picture_are_not_taken_for_it(
    exported: tuple[SessionStore, Path], open_store: OpenStore, tmp_path: Path
) -> None:
    other = io.BytesIO()
    Image.new("RGB", (5, 5)).save(other, "PNG")
    false = other.getvalue().hex()
    change = in_the_database(
        f"UPDATE images SET kept = 'bytes', data = x'{false}', path = '/etc/passwd' WHERE sha256 = '{SHA256}'"
    )
    target = open_store(tmp_path / "other.db")
    import_session(target.path, repacked(exported[1], tmp_path / "changed.zip", change))
    assert target.reader.picture(SHA256).source is None
    target.save_picture(PictureSource(SHA256, "large", data=encoded()), (600, 300), None, ())
    target.flush()
    assert target.reader.picture(SHA256).source == PictureSource(SHA256, "large", data=encoded())


def test_other_files_are_no_sessions(store: SessionStore, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("hello")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    for name, said in (
        ("text.zip", "no zip file"),
        ("empty.zip", "no session"),
        ("none.zip", "There is no file"),
    ):
        with pytest.raises(LogFault, match=said):
            import_session(store.path, tmp_path / name)


def test_a_session_that_is_not_there_cannot_be_exported(store: SessionStore, tmp_path: Path) -> None:
    with pytest.raises(LogFault, match="no session 7"):
        export_session(store.path, 7, tmp_path / "x.zip")
    assert not list(tmp_path.glob("*.zip"))


def test_a_session_that_cannot_be_written_leaves_nothing(store: SessionStore, tmp_path: Path) -> None:
    fill(store)
    for array in (store.path.parent / "arrays").iterdir():
        array.unlink()
    with pytest.raises(LogFault, match="has lost"):
        export_session(store.path, 2, tmp_path / "out" / "x.zip")
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(LogFault, match="cannot be written"):
        export_session(store.path, 1, Path("/proc/x.zip"))
