"""`gazeviz heads` and the mode knock_out of `gazeviz steer`, on the built-in model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from gazeviz.resources import resource_path
from tests.command_line import Run, answered, command_line

STRIP = "strip-1-1x6.png"


@pytest.fixture
def gazeviz(capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line(capsys)


def test_metrics_effects_and_files(gazeviz: Run, tmp_path: Path) -> None:
    out = tmp_path / "heads.json"
    document = answered(
        gazeviz, "heads", "--over", "builtin:2@7:1x2", "--heads", "mass:2", "--effects", "--out", out
    )
    assert document["pictures"] == 2
    assert [entry["what"] for entry in document["effects"]] == ["knocked_out", "steered"] * 3
    assert set(document["heads"][0]["examples"]) == {"top", "median", "lowest decile"}
    assert json.loads(out.read_text("utf-8"))["metrics"] == document["metrics"]
    n_layers, n_heads = document["shape"]
    for values in document["metrics"].values():
        assert len(values) == n_layers and all(len(row) == n_heads for row in values)


def test_heads_are_listed_by_a_metric_and_written_as_a_table(gazeviz: Run, tmp_path: Path) -> None:
    out = tmp_path / "heads.csv"
    document = answered(gazeviz, "heads", "--over", "scenes:2@7", "--by", "peak", "--list", "3", "--out", out)
    listed = [entry["peak"] for entry in document["heads"]]
    assert listed == sorted(listed, reverse=True) and len(listed) == 3
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    assert len(rows) == document["shape"][0] * document["shape"][1]
    best = max(rows, key=lambda row: float(row["peak"]))
    assert best["head"] == document["heads"][0]["head"]


def test_what_makes_no_sense_is_refused(gazeviz: Run, tmp_path: Path) -> None:
    for words, said in (
        (("--effects",), "chosen heads"),
        (("--out", tmp_path / "heads.txt"), "neither .json nor .csv"),
    ):
        code, _, err = gazeviz("heads", "--over", "builtin:2@7:1x2", *words)
        assert code == 2 and said in err


def test_a_knock_out_needs_no_target_and_replays(gazeviz: Run, tmp_path: Path) -> None:
    strip, log = resource_path("samples") / STRIP, tmp_path / "log.db"
    words = (strip, "-p", "What?", "--max-new-tokens", "4", "--heads", "mass:4", "--log", log)
    document = answered(gazeviz, "steer", *words, "--mode", "knock_out", "--mean-over", "builtin:2@7:1x2")
    assert document["steered"]["tokens"]
    assert gazeviz("replay", "2", "--log", log)[0] == 0
    code, _, err = gazeviz("steer", *words)
    assert code == 2 and "No target is named" in err
