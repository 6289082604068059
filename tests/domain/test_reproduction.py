"""Runs as lines to paste: what they say, that shells and Python read them back, when the log is needed."""

import ast
import shlex
import subprocess
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import GenerateSpec, ModelInfo, RunResult
from gazeviz.domain.region import Region
from gazeviz.domain.reproduction import ReplayRequest, cli_line, is_builtin, python_snippet
from gazeviz.domain.run import Finish, RunRequest, Sampling
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.domain.strip import Layout, panel_regions
from tests.render.made_runs import MadeRun, made_steps

PANELS = panel_regions(Layout(1, 3), 60, 20)
HEADS = HeadSet.of("L1H2,L0H3")
BLOB = Region.ellipse("a blob", (3, 3, 17, 15), (60, 20))
HOSTILE = '-what\'s "this"\n$HOME `id` \\n <script>alert(1)</script> =1+1 😀'


def row(steering: Steering | None = None, prompt: str = "What is it?", **more: object) -> MadeRun:
    present_LH = np.ones((2, 4), dtype=bool)
    model = ModelInfo("m", "/models/m", "f", (2, 4), present_LH, "cpu", "float32", None, "f0", 64)
    spec = GenerateSpec("ab", prompt, steering, max_new_tokens=5, **more)  # type: ignore[arg-type]
    return MadeRun(7, spec, (), model=model)


def ended(asked: MadeRun, steering: Steering | None, finish: Finish = "stop", limit: int = 64) -> MadeRun:
    """The same run with what really happened."""
    request = RunRequest(
        "/other/m", "f0", "bfloat16", "cuda", "sdpa", asked.spec.prompt, "ab", (60, 20), (60, 20), steering,
        max_new_tokens=5, max_image_tokens=limit,
    )  # fmt: skip
    return replace(asked, summary=RunResult("t", finish, None, None, (), 1.0, 2, "f0", request))


def options(line: str) -> dict[str, str]:
    words = shlex.split(line)[2:]
    return {name: value for name, value in pairwise(words) if name.startswith("-")}


def arguments(code: str, name: str) -> dict[str, object]:
    """The keyword arguments of the call of a function in a snippet."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    (call,) = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == name]
    return {
        str(pair.arg): ast.literal_eval(pair.value)
        for pair in call.keywords
        if isinstance(pair.value, ast.Constant)
    }


def test_a_baseline_is_described() -> None:
    line = cli_line(row(), "strip.png")
    assert shlex.split(line)[:3] == ["gazeviz", "describe", "strip.png"]
    assert options(line) == {
        "-p": "What is it?", "--max-new-tokens": "5", "--model": "/models/m", "--device": "cpu",
        "--dtype": "float32",
    }  # fmt: skip


def test_a_box_is_written_in_pixels_with_everything_that_steers() -> None:
    asked = row(Steering(HEADS, PANELS[1], strength="hard", scope="decode_only", rule="share", share=0.25))
    said = options(cli_line(asked, "strip.png"))
    assert said["--box"] == "20,0,40,20"
    assert said["--heads"] == "L0H3,L1H2"
    assert (said["--strength"], said["--scope"], said["--rule"], said["--share"]) == (
        "hard", "decode_only", "share", "0.25",
    )  # fmt: skip


def test_the_mode_mass_has_an_alpha_and_no_strength() -> None:
    said = options(cli_line(row(Steering(HEADS, PANELS[0], mode="mass", alpha=0.7)), "strip.png"))
    assert said["--alpha"] == "0.7"
    assert "--strength" not in said


def test_a_painted_target_needs_its_mask_or_the_log() -> None:
    asked = row(Steering(HEADS, BLOB))
    assert cli_line(asked, "strip.png") == "gazeviz replay 7"
    assert options(cli_line(asked, "strip.png", "mask.png"))["--mask"] == "mask.png"


def test_a_moving_target_and_a_picture_of_the_log_need_the_log() -> None:
    moving = Steering(HEADS, PANELS[0], schedule=Schedule.every(3, PANELS))
    assert cli_line(row(moving), "strip.png") == "gazeviz replay 7"
    assert cli_line(row(), None) == "gazeviz replay 7"


def test_a_schedule_that_stays_at_the_target_is_no_obstacle() -> None:
    staying = Steering(HEADS, PANELS[0], schedule=Schedule(((0, PANELS[0]),)))
    assert "--box" in cli_line(row(staying), "strip.png")


def test_what_happened_counts_more_than_what_was_asked() -> None:
    asked = row(Steering(HEADS, PANELS[0]))
    moved = Steering(HEADS, PANELS[0], schedule=Schedule(((0, PANELS[0]), (2, PANELS[1]))))
    run = ended(asked, moved, limit=12)
    assert ReplayRequest.of(run).steering == moved
    assert cli_line(run, "strip.png") == "gazeviz replay 7"
    line = cli_line(ended(asked, asked.spec.steering, limit=12), "strip.png")
    said = options(line)
    assert (said["--device"], said["--dtype"], said["--model"]) == ("cuda", "bfloat16", "/other/m")
    assert said["--max-image-tokens"] == "12"


def test_a_stopped_run_is_repeated_up_to_its_last_token() -> None:
    lost = replace(row(), steps=made_steps(("a", "b"), (0, 1)))
    for run, n_tok in ((lost, "2"), (ended(lost, None, "cancelled"), "2"), (ended(lost, None, "stop"), "5")):
        assert options(cli_line(run, "strip.png"))["--max-new-tokens"] == n_tok


def test_a_seeded_draw_says_its_seed() -> None:
    drawn = row(sampling=Sampling(0.7, 0.9, 11))
    said = options(cli_line(drawn, "strip.png"))
    assert (said["--temperature"], said["--top-p"], said["--seed"]) == ("0.7", "0.9", "11")
    assert "gazeviz.Sampling(0.7, 0.9, 11)" in python_snippet(drawn, "strip.png")
    assert "Sampling" not in python_snippet(row(), "strip.png")


def test_repetition_held_back_is_said_greedily_too() -> None:
    held = row(sampling=Sampling(repetition_penalty=1.2, no_repeat_ngram_tok=3))
    said = options(cli_line(held, "strip.png"))
    assert (said["--repetition-penalty"], said["--no-repeat-ngram"]) == ("1.2", "3")
    assert "--temperature" not in said
    code = python_snippet(held, "strip.png")
    assert "gazeviz.Sampling(0.0, 1.0, 0, repetition_penalty=1.2, no_repeat_ngram_tok=3)" in code


@pytest.mark.parametrize("text", [HOSTILE, "a\tb\x1b[31m", "''", "=1+1", "x" * 3000])
def test_a_shell_reads_back_exactly_what_was_written(text: str) -> None:
    line = cli_line(row(prompt=text), f"/pictures/{text[:40]}.png")
    assert "\n" not in line
    shown = line.replace("gazeviz describe", "printf '%s\\0'", 1)
    words = subprocess.run(["bash", "-c", shown], capture_output=True, check=True).stdout.decode().split("\0")
    prompt = words[2] if words[1] == "-p" else words[1].removeprefix("--prompt=")
    assert prompt == text
    assert words[0] == f"/pictures/{text[:40]}.png"


def test_python_reads_back_exactly_what_was_written() -> None:
    named = Region(HOSTILE, BLOB.mask_HW)
    code = python_snippet(row(Steering(HEADS, named), prompt=HOSTILE), HOSTILE)
    constants = [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]
    assert constants.count(HOSTILE) == 3
    runs = next(ast.literal_eval(node) for node in ast.walk(ast.parse(code)) if _is_runs(node))
    assert runs == BLOB.to_json()["runs"]


def _is_runs(node: ast.AST) -> bool:
    return isinstance(node, ast.List) and len(node.elts) > 2


def test_python_writes_a_schedule_with_each_region_once() -> None:
    turns = Schedule(((0, PANELS[0]), (4, PANELS[2]), (6, None), (8, PANELS[0])))
    code = python_snippet(row(Steering(HEADS, PANELS[0], schedule=turns)), "strip.png")
    assert code.count("Region.box") == 2
    assert "gazeviz.Schedule(((0, region_1), (4, region_2), (6, None), (8, region_1)))" in code
    single = Steering(HEADS, PANELS[0], schedule=Schedule(((0, PANELS[0]),)))
    assert "Schedule(((0, target),))" in python_snippet(row(single), "strip.png")


def test_python_says_how_the_model_is_loaded() -> None:
    run = ended(row(), None, limit=12)
    assert arguments(python_snippet(run, "strip.png"), "load") == {
        "device": "cuda", "dtype": "bfloat16", "max_image_tokens": 12,
    }  # fmt: skip


def test_a_picture_without_a_file_comes_from_the_log() -> None:
    code = python_snippet(row(), None)
    ast.parse(code)
    assert "picture = gazeviz.logged_picture('ab')" in code
    assert "\n    picture,\n" in code
    assert "gazeviz.logged_picture('ab', log='/a log.db')" in python_snippet(row(), None, "/a log.db")
    assert cli_line(row(), None, log="/a log.db") == "gazeviz replay 7 --log '/a log.db'"


@pytest.mark.parametrize(
    ("path", "builtin"),
    [
        ("/opt/gazeviz/resources/models/comic-vlm", True),
        ("C:\\lib\\gazeviz\\_resources\\models\\comic-vlm", True),
        ("/models/comic-vlm", False),
        ("/data/models/other", False),
    ],
)
def test_the_builtin_model_needs_no_folder(path: str, builtin: bool) -> None:
    assert is_builtin(path) is builtin
    asked = row()
    run = replace(asked, model=replace(asked.model, path=path))
    assert ("--model" in cli_line(run, "strip.png")) is not builtin
