"""`gazeviz models`: the cache as a list, and fetching from a hub on the loopback address."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gazeviz.resources import resource_path
from tests.fakes.local_hub import COMMIT, LocalHub, serving

ROOT = Path(__file__).parents[3]
REPOSITORY = "someone/comic-vlm"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LocalHub]:
    """The built-in model's files, with others beside them that no model needs."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for path in resource_path("models", "comic-vlm").iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    (folder / "modeling.py").write_text("raise SystemExit")
    with serving(LocalHub(REPOSITORY, folder)) as served:
        yield served


def models(hub: LocalHub, tmp_path: Path, *arguments: str) -> tuple[int, str, str]:
    """The command in a process of its own, which alone may go online."""
    program = "import sys; from gazeviz.cli import main; sys.exit(main(sys.argv[1:]))"
    known = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS"))}
    known |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program, "models", *arguments],
        env=known, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def answered(hub: LocalHub, tmp_path: Path, *arguments: str) -> dict[str, Any]:
    code, out, err = models(hub, tmp_path, *arguments, "--json")
    assert code == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def test_a_model_is_fetched_pinned_and_found_by_name(hub: LocalHub, tmp_path: Path) -> None:
    got = answered(hub, tmp_path, "get", REPOSITORY, "--yes")
    assert got["commit"] == COMMIT and got["works"]
    assert Path(got["folder"]).name == COMMIT
    names = {path.name for path in Path(got["folder"]).iterdir()}
    assert "model.safetensors" in names and not names & {"pytorch_model.bin", "modeling.py"}
    listed = {model["name"]: model for model in answered(hub, tmp_path)["models"]}
    assert listed[REPOSITORY]["works"] and listed[REPOSITORY]["family"] == "qwen3_vl"
    n_asked = len(hub.asked)
    answered(hub, tmp_path, "get", REPOSITORY, "--yes")
    assert len(hub.asked) == n_asked, "what is here is not fetched again"


def test_an_interrupted_file_goes_on_where_it_stopped(hub: LocalHub, tmp_path: Path) -> None:
    hub.breaks_at = 15_000_000
    code, _, err = models(hub, tmp_path, "get", REPOSITORY, "--yes")
    assert code == 2 and "goes on where it stopped" in err
    assert REPOSITORY not in {model["name"] for model in answered(hub, tmp_path)["models"]}
    hub.mended()
    hub.asked.clear()
    code, _, err = models(hub, tmp_path, "get", REPOSITORY, "--yes", "--lines")
    assert code == 0, err
    [(_, wanted)] = [asked for asked in hub.asked if asked[0] == "model.safetensors"]
    assert int(wanted.removeprefix("bytes=").split("-")[0]) >= 10_000_000
    told = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert told[-1]["done"] == told[-1]["total"] > 20_000_000


def test_a_file_that_arrives_damaged_is_not_kept(hub: LocalHub, tmp_path: Path) -> None:
    hub.breaks_at = 15_000_000
    models(hub, tmp_path, "get", REPOSITORY, "--yes")
    hub.mended()
    [part] = (tmp_path / "hf").rglob("*.part")
    with part.open("r+b") as file:
        file.write(b"damaged!")
    code, _, err = models(hub, tmp_path, "get", REPOSITORY, "--yes")
    assert code == 2 and "arrived damaged" in err
    assert answered(hub, tmp_path, "get", REPOSITORY, "--yes")["works"]


def test_nothing_is_fetched_without_consent(hub: LocalHub, tmp_path: Path) -> None:
    code, _, err = models(hub, tmp_path, "get", REPOSITORY)
    assert code == 2 and "Agree to that with --yes" in err and COMMIT[:12] in err
    assert {name for name, _ in hub.asked} <= {"config.json"}


def test_what_would_not_work_is_said_before_anything_large_is_fetched(hub: LocalHub, tmp_path: Path) -> None:
    (hub.folder / "config.json").write_text(json.dumps({"model_type": "internvl_chat"}))
    code, _, err = models(hub, tmp_path, "get", REPOSITORY, "--yes")
    assert code == 2 and "-hf" in err
    assert {name for name, _ in hub.asked} <= {"config.json"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("get", "someone/else", "--yes"), "knows no model someone/else"),
        (("get", REPOSITORY, "--revision", "v9", "--yes"), "has no revision"),
        (("get", "a b/c", "--yes"), "is no name of a repository"),
        (("get",), "No model is named"),
        (("list", REPOSITORY), "A list names no model"),
    ],
)
def test_what_cannot_be_fetched_is_a_sentence(
    hub: LocalHub, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, _, err = models(hub, tmp_path, *arguments)
    assert code == 2 and said in err.replace("\n", " ")


def test_a_gated_model_says_how_it_is_opened(hub: LocalHub, tmp_path: Path) -> None:
    hub.gated = True
    code, _, err = models(hub, tmp_path, "get", REPOSITORY, "--yes")
    assert code == 2 and "hf auth login" in err


def test_a_hub_that_is_not_there(hub: LocalHub, tmp_path: Path) -> None:
    hub.address = "http://127.0.0.1:9"
    code, _, err = models(hub, tmp_path, "get", REPOSITORY, "--yes")
    assert code == 2 and "could not be fetched" in err
