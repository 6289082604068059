"""From the log and back: runs replayed, pasted as a line or as Python, and reported."""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gazeviz import cli
from gazeviz.app.report_sources import log_sources, logged_picture
from gazeviz.app.store_port import LoggedRun
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.message_parts import GenerateSpec, PictureSource
from gazeviz.domain.region import Region
from gazeviz.domain.reproduction import cli_line, python_snippet
from gazeviz.domain.run import Sampling
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.errors import UserError
from gazeviz.render.report import make_report
from gazeviz.store.reading import Reader
from gazeviz.store.session_store import SessionStore
from gazeviz.testbed.world import builtin_strips
from tests.logged_runs import Notebook, as_png, sha256_of

PROMPT = 'What\'s "this"?\n<b> =1+1 😀'
HEADS = HeadSet.of("L1H2,L3H0,L5H5")
Said = tuple[int, str, str]


class Kept:
    """A log with runs of every kind in it, and where its pictures are."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.path, self.model = folder / "log.db", model
        store = SessionStore(self.path, program="test")
        store.open_session("A morning")
        notebook = Notebook(model, store)
        strip = builtin_strips(1)[0]
        self.sha256 = sha256_of(strip.image)
        self.file = folder / "a strip's.png"
        strip.image.save(self.file)
        notebook.open(PictureSource(self.sha256, self.file.name, path=str(self.file)), Layout(1, 6))
        self.panels = panel_regions(Layout(1, 6), *strip.image.size)
        ranking = HeadRanking("mass", np.random.default_rng(0).random(notebook.info.shape_LH), 3)
        store.ranking_saved(ranking, notebook.info.fingerprint)
        ids = {name: notebook.write(spec, *more).id for name, spec, *more in self._specs()}
        pasted = Image.fromarray(np.asarray(strip.image)[:, ::-1].copy())
        self.pasted_sha256 = sha256_of(pasted)
        notebook.open(PictureSource(self.pasted_sha256, "pasted", data=as_png(pasted)))
        spec = GenerateSpec(self.pasted_sha256, PROMPT, max_new_tokens=4, chosen=HEADS)
        ids["pasted"] = notebook.write(spec).id
        store.note_run(ids["box"], "the one")
        store.close()
        self.reader = Reader(self.path)
        self.runs: dict[str, LoggedRun] = {name: self.reader.run(run_id) for name, run_id in ids.items()}

    def _specs(self) -> Iterator[tuple[Any, ...]]:
        size_px = self.panels[0].size_px
        plain = GenerateSpec(self.sha256, PROMPT, max_new_tokens=5, chosen=HEADS, regions=self.panels)
        blob = Region.ellipse("a blob", (20, 5, size_px[0] * 0.4, size_px[1] * 0.9), size_px)
        box = Steering(HEADS, self.panels[3])
        yield "baseline", plain
        yield "box", replace(plain, steering=box)
        yield "late", replace(plain, steering=replace(box, scope="decode_only", strength="hard"))
        yield "painted", replace(plain, steering=Steering(HEADS, blob, mode="mass", alpha=0.6))
        yield "moving", replace(plain, steering=replace(box, schedule=Schedule.every(2, self.panels[:3])))
        yield "moved", replace(plain, steering=box), [(2, self.panels[0])]
        yield "stopped", replace(plain, steering=box), (), 2
        yield "drawn", replace(plain, sampling=Sampling(0.9, 0.9, 3))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, untrained_model: Path) -> Iterator[Kept]:
    kept = Kept(tmp_path_factory.mktemp("kept"), untrained_model)
    yield kept
    kept.reader.close()


@pytest.fixture
def gazeviz(kept: Kept, capsys: pytest.CaptureFixture[str], fresh_logging: None) -> Callable[..., Said]:
    def run(*arguments: str | Path) -> Said:
        code = cli.main(list(map(str, arguments)))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


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
def test_a_line_gives_the_same_tokens(
    name: str, kept: Kept, tmp_path: Path, gazeviz: Callable[..., Said]
) -> None:
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


def test_a_report_names_a_log_that_is_not_the_usual_one(
    kept: Kept, tmp_path: Path, gazeviz: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (
        "report",
        str(kept.runs["pasted"].id),
        "--log",
        kept.path,
        "--out",
        tmp_path,
        "--format",
        "json",
    )
    gazeviz(*arguments)
    (run,) = json.loads((tmp_path / "report.json").read_text("utf-8"))["runs"]
    assert run["reproduce"]["shell"] == f"gazeviz replay {run['id']} --log {kept.path}"
    monkeypatch.setattr("gazeviz.store.place.default_path", lambda: kept.path)
    gazeviz(*arguments)
    (run,) = json.loads((tmp_path / "report.json").read_text("utf-8"))["runs"]
    assert run["reproduce"]["shell"] == f"gazeviz replay {run['id']}"


def test_every_run_of_the_log_is_replayed_to_the_same_tokens(
    kept: Kept, gazeviz: Callable[..., Said]
) -> None:
    numbers = [str(run.id) for run in kept.runs.values()]
    code, out, err = gazeviz("replay", *numbers, "--log", kept.path, "--json")
    assert code == 0, err
    document = json.loads(out)
    assert (document["same"], document["of"]) == (len(kept.runs), len(kept.runs))
    assert [run["token_ids"] for run in document["runs"]] == [token_ids(run) for run in kept.runs.values()]
    reader = Reader(kept.path)
    marks = reader.rows(f"SELECT replay_same FROM runs WHERE id IN ({','.join(numbers)})")
    reader.close()
    assert marks == [(1,)] * len(numbers)


def test_a_different_answer_is_found_and_marked(
    kept: Kept, tmp_path: Path, gazeviz: Callable[..., Said]
) -> None:
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


def test_a_report_is_replayed_without_the_log(
    kept: Kept, tmp_path: Path, gazeviz: Callable[..., Said]
) -> None:
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
    assert f"--model {kept.model}" in err.replace("\n", "")
    code, out, err = gazeviz("--model", kept.model, "replay", file, "--json")
    assert code == 0, err
    assert json.loads(out)["same"] == len(kept.runs)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gazeviz_report": 2}, "newer gazeviz"),
        ({"gazeviz_report": None}, "newer gazeviz"),
        ({"runs": [{}]}, "no report that can be replayed"),
        ({"pictures": {}}, "does not hold the picture"),
    ],
)
def test_a_damaged_report_is_refused(
    change: dict[str, Any], said: str, kept: Kept, tmp_path: Path, gazeviz: Callable[..., Said]
) -> None:
    file = tmp_path / "report.json"
    gazeviz(
        "report", str(kept.runs["baseline"].id), "--log", kept.path, "--out", tmp_path, "--format", "json"
    )
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | change), "utf-8")
    code, _, err = gazeviz("--model", kept.model, "replay", file)
    assert code == 2
    assert said in err


def test_a_picture_that_is_not_the_runs_is_refused(
    kept: Kept, tmp_path: Path, gazeviz: Callable[..., Said]
) -> None:
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


def test_other_weights_are_refused(kept: Kept, gazeviz: Callable[..., Said]) -> None:
    from gazeviz.resources import resource_path

    builtin = resource_path("models", "comic-vlm")
    code, _, err = gazeviz("--model", builtin, "replay", str(kept.runs["baseline"].id), "--log", kept.path)
    assert code == 2
    assert "other weights" in err


def test_the_last_run_is_reported_with_its_picture_and_note(
    kept: Kept, tmp_path: Path, gazeviz: Callable[..., Said]
) -> None:
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
    kept: Kept, tmp_path: Path, gazeviz: Callable[..., Said]
) -> None:
    number, baseline = kept.runs["box"].id, kept.runs["baseline"].id
    for more, runs in ((), [baseline, number]), (("--alone",), [number]):
        code, out, err = gazeviz(
            "report", str(number), *more, "--log", kept.path, "--out", tmp_path, "--format", "csv", "--json"
        )
        assert code == 0, err
        assert json.loads(out)["runs"] == runs
        assert json.loads(out)["title"] == f"Run {number}"


def test_a_pdf_comes_from_the_command_line(
    kept: Kept, tmp_path: Path, gazeviz: Callable[..., Said], qapp: object
) -> None:
    code, _, err = gazeviz(
        "report",
        str(kept.runs["pasted"].id),
        "--log",
        kept.path,
        "--out",
        tmp_path,
        "--format",
        "pdf",
        "--title",
        "T",
    )
    assert code == 0, err
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_the_log_is_named_by_the_environment_too(
    kept: Kept, tmp_path: Path, gazeviz: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAZEVIZ_LOG", str(kept.path))
    code, out, _ = gazeviz("report", "1-3", "--out", tmp_path, "--format", "csv", "--json")
    assert code == 0
    assert json.loads(out)["runs"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report"], "Either runs or a session"),
        (["report", "last", "--session", "A morning"], "Either runs or a session"),
        (["report", "999"], "no run 999"),
        (["report", "x"], "names no run"),
        (["report", "5-3"], "no range of runs"),
        (["report", "500-600"], "no run from 500 to 600"),
        (["report", "--session", "no such"], "No session is called"),
        (["report", "last", "--format", "docx"], "no format of a report"),
        (["report", "last", "--format", ","], "no format of a report"),
        (["report", "last", "--tokens", "a"], "names no answer tokens"),
        (["report", "last", "--dpi", "9"], "cannot have 9 dpi"),
        (["replay", "999"], "no run 999"),
        (["replay", "nothing.json"], "no report that can be replayed"),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: list[str], said: str, kept: Kept, gazeviz: Callable[..., Said], tmp_path: Path
) -> None:
    out = ["--out", str(tmp_path)] if arguments[0] == "report" else []
    code, _, err = gazeviz(*arguments, "--log", kept.path, *out)
    assert code == 2
    assert said in err.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_is_not_there_is_not_made(tmp_path: Path, gazeviz: Callable[..., Said]) -> None:
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
    assert logged_picture(store.reader, sha256).path == str(file)
    Image.new("RGB", (60, 20), "blue").save(file)
    with pytest.raises(UserError, match="has changed since"):
        logged_picture(store.reader, sha256)
    file.unlink()
    with pytest.raises(UserError):
        logged_picture(store.reader, sha256)
    with pytest.raises(UserError, match="never written"):
        logged_picture(store.reader, "00")
    store.close()


def test_sources_say_once_what_is_missing(kept: Kept) -> None:
    reader, said = Reader(kept.path), list[str]()
    run = reader.run(kept.runs["box"].id)
    sources = log_sources(reader, said.append)
    assert sources.picture("00") is None
    assert sources.picture("00") is None
    assert said == ["The picture of this run was never written into the log."]
    report = make_report([run], sources, "t", 0.0)
    entry = report.entries[0]
    assert entry.picture is not None
    assert entry.picture.path == str(kept.file)
    assert entry.note == "the one"
    assert entry.grid is not None
    reader.close()
