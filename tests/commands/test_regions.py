"""`gazeviz regions`, --regions and --target, and answers for what a shell may pass on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.command_line import Run, answered, command_line

SIZE_PX = (96, 64)
POLYGON = [[2, 2], [20, 2], [20, 20], [2, 20]]


@pytest.fixture
def gazeviz(capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line(capsys)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "pic.png"
    Image.new("RGB", SIZE_PX, "white").save(path)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    shapes = [
        {"label": "cat", "points": POLYGON, "shape_type": "polygon"},
        {"label": "line", "points": [[0, 0], [5, 5]], "shape_type": "line"},
        {"label": "dog", "points": [[30, 4], [60, 40]], "shape_type": "rectangle"},
    ]
    path = tmp_path / "regions.json"
    path.write_text(json.dumps({"shapes": shapes}), encoding="utf-16")
    return path


def test_regions_are_listed_with_what_was_left_out(gazeviz: Run, picture: Path, file: Path) -> None:
    document = answered(gazeviz, "regions", file, "--picture", picture)
    assert document == {
        "regions": [
            {"name": "cat", "n_px": 324, "box_px": [2, 2, 20, 20]},
            {"name": "dog", "n_px": 1080, "box_px": [30, 4, 60, 40]},
        ],
        "left_out": [{"name": "line", "why": "a line covers nothing"}],
    }
    code, out, _ = gazeviz("regions", file, "--picture", picture)
    assert code == 0 and "cat" in out and "left out" in out


@pytest.mark.parametrize("out", ["masks", "again.json", "coco.json"])
def test_they_are_converted_to_every_form(
    gazeviz: Run, picture: Path, file: Path, tmp_path: Path, out: str
) -> None:
    document = answered(gazeviz, "regions", file, "--picture", picture, "--out", tmp_path / out)
    back = answered(gazeviz, "regions", *document["written"], "--picture", picture)
    assert back["regions"] == document["regions"] and back["left_out"] == []


def test_where_nothing_could_be_read_the_code_is_2(gazeviz: Run, picture: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({"shapes": [{"label": "x", "points": [[1, 1]]}]}))
    code, out, err = gazeviz("regions", bad, "--picture", picture, "--json")
    assert code == 2 and json.loads(out)["left_out"][0]["name"] == "x" and "error" in json.loads(err)
    bad.write_text("no JSON")
    code, out, err = gazeviz("regions", bad, "--picture", picture, "--json")
    assert code == 2 and not out and "bad.json" in json.loads(err)["error"]


@pytest.fixture
def steer(gazeviz: Run, untrained_model: Path, picture: Path) -> Run:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        return gazeviz(
            "steer", picture, "-p", "hi", "--model", untrained_model, "--heads", "L1H1",
            "--max-new-tokens", "2", "--no-log", *arguments,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("target", ["dog", "DOG", "2"])
def test_steering_takes_a_region_of_a_file(steer: Run, file: Path, target: str) -> None:
    document = answered(steer, "--regions", file, "--target", target)
    assert {token["target"] for token in document["steered"]["tokens"]} == {"dog"}


def test_of_several_regions_one_must_be_named(steer: Run, file: Path, tmp_path: Path) -> None:
    code, _, err = steer("--regions", file)
    assert code == 2 and "1 cat, 2 dog" in err and "--target" in err
    code, _, err = steer("--regions", file, "--target", "bird")
    assert code == 2 and "bird" in err
    labels = np.zeros(SIZE_PX[::-1], np.uint8)
    labels[2:9, 2:9], labels[20:28, 20:28] = 1, 2
    Image.fromarray(labels).save(tmp_path / "labels.png")
    code, _, err = steer("--mask", tmp_path / "labels.png")
    assert code == 2 and "1 labels 1, 2 labels 2" in err


def test_a_map_tells_the_attention_on_regions(
    gazeviz: Run, untrained_model: Path, picture: Path, file: Path, tmp_path: Path
) -> None:
    document = answered(
        gazeviz, "map", picture, "--model", untrained_model, "--heads", "L1H1", "--max-new-tokens", "2",
        "--no-log", "--regions", file, "--out", tmp_path / "map.png",
    )  # fmt: skip
    masses = document["region_mass"]
    assert list(masses) == ["cat", "dog"]
    assert all(0 < mass < document["image_mass"] for mass in masses.values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["describe", "a.png", "-p", os.fsdecode(b"a\xffb")], "a\\xffb"),
        (["describe", "~nosuchuser/a.png", "-p", "hi"], "~nosuchuser"),
        (["describe", "a" * 300 + ".png", "-p", "hi"], "no file"),
        (["regions", "a" * 300 + ".json", "--picture", "builtin:0"], "too long"),
        (["log", "list", "--log", "~nosuchuser/a.db"], "~nosuchuser"),
        (["log", "list", "--log", "a" * 300 + ".db"], "aaa"),
    ],
)
def test_what_a_shell_may_pass_on_ends_in_a_sentence(gazeviz: Run, arguments: list[str], said: str) -> None:
    code, _, err = gazeviz(*arguments)
    assert code == 2 and said in err and "Internal error" not in err


def test_an_export_onto_a_folder_is_a_sentence(
    gazeviz: Run, picture: Path, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "there.json").mkdir()
    code, _, err = gazeviz("regions", file, "--picture", picture, "--out", tmp_path / "there.json")
    assert code == 2 and "is a folder" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_an_answer_that_cannot_be_written_is_no_success(picture: Path, file: Path) -> None:
    command = [sys.executable, "-c", "from gazeviz.cli import main; raise SystemExit(main())"]
    command += ["regions", str(file), "--picture", str(picture)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "No space left" in done.stderr and "Internal error" not in done.stderr
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command], capture_output=True, text=True, check=False
    )
    assert closed.returncode == 2 and "closed" in closed.stderr


def test_a_deep_picture_is_said_to_be_stretched(gazeviz: Run, file: Path, tmp_path: Path) -> None:
    deep = tmp_path / "deep.png"
    values_HW = np.linspace(0, 4095, SIZE_PX[0] * SIZE_PX[1]).reshape(SIZE_PX[::-1]).astype(np.uint16)
    Image.fromarray(values_HW).save(deep)
    code, _, err = gazeviz("regions", str(file), "--picture", str(deep))
    assert code == 0 and "4095" in err
