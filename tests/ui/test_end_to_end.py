"""The product's promise, kept by hand: paint a region, and the text follows (see tests/ui/end_to_end.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gazeviz.domain.evaluation import describes
from tests.patience import PATIENCE_S
from tests.ui.fixtures.screen_driver import Screen, can_drive

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not can_drive(), reason="needs an X server and a hand: apt-get install xvfb xdotool"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("end-to-end")


@pytest.fixture(scope="module")
def what(folder: Path) -> dict[str, Any]:
    """What happened in one session of a person at the window, on the built-in model."""
    with Screen((1920, 1080)) as display:
        environment = os.environ | {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
        done = subprocess.run(
            [sys.executable, "-m", "tests.ui.end_to_end", str(folder)],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=15 * PATIENCE_S,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    happened: dict[str, Any] = json.loads((folder / "what.json").read_text(encoding="utf-8"))
    return happened


def test_the_first_start_has_model_strip_panels_and_ranking(what: dict[str, Any]) -> None:
    assert what["regions"] == len(what["captions"]) == 6
    assert what["ranking"] and what["heads"] > 0


def test_a_rectangle_painted_over_panel_6_selects_its_cells(what: dict[str, Any]) -> None:
    painted, panel = set(what["painted_cells"]), set(what["panel_cells"])
    assert what["target_is_painted"] and painted
    assert painted.issubset(panel)


def test_the_steered_text_describes_the_painted_panel_and_the_baseline_does_not(what: dict[str, Any]) -> None:
    assert describes(what["steered"], what["captions"]).chosen == 5, what["steered"]
    assert describes(what["baseline"], what["captions"]).chosen != 5, what["baseline"]
    before, after = what["audit"]
    assert after > before


def test_the_text_follows_a_target_that_is_moved_while_it_streams(what: dict[str, Any]) -> None:
    (step, name), *_ = what["switches"]
    before_key, after_key = what["asked_between"]
    assert name == "Panel 5"
    assert before_key <= step <= after_key + 1  # one token at most was being written meanwhile
    sentences = "".join(what["tokens"][step:]).split(".")[1:-1]  # the first was begun under the old target
    described = [describes(sentence, what["captions"]).chosen for sentence in sentences]
    assert described[:2] == [4, 4], sentences


def test_every_run_is_in_the_log_and_one_is_opened_as_it_was(what: dict[str, Any]) -> None:
    assert what["listed"] == what["ran"] == 3
    text, reopened = what["reopened"]
    asked, shown = what["reopened_prompt"]
    assert (reopened, shown) == (text, asked)


@pytest.mark.parametrize("name", ["dark-1280x800", "light-1280x800", "dark-1920x1080", "light-1920x1080"])
def test_the_screen_was_seen_in_both_themes_and_sizes(what: dict[str, Any], folder: Path, name: str) -> None:
    from PIL import Image

    with Image.open(folder / f"explore-{name}.png") as shot:
        width_px, height_px = (int(side) for side in name.split("-")[1].split("x"))
        assert shot.size == (width_px, height_px)
        colours = shot.convert("RGB").getcolors(maxcolors=width_px * height_px) or []
        edge = shot.convert("L").crop((width_px // 2, 4, width_px // 2 + 1, 5)).tobytes()[0]
    assert len(colours) > 200
    assert (edge > 200) == name.startswith("light")


def test_the_page_of_a_head_shows_what_was_collected_and_leaves_the_choice(what: dict[str, Any]) -> None:
    assert what["head_examples"]["top"] and what["head_examples"]["low"] == 6
    assert what["head_tokens"] >= 30
    expected, walked = what["head_walked"]
    assert walked == expected and what["choice_kept"]


def test_heads_are_knocked_out_without_a_target(what: dict[str, Any]) -> None:
    assert what["knock_out_mode"] == "knock_out" and what["knock_out_target"] is None
    assert what["knock_out_means"] == "builtin:4@7"
    assert all(text.strip() and text != what["baseline"] for text in what["knocked_out"])
