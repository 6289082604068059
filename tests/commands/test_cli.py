"""The command line, run in this process on a model with random weights: answers, files, refusals, codes."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazeviz import cli
from gazeviz.commands import inputs
from gazeviz.domain.heads import HeadRanking
from gazeviz.errors import Cancelled, RunError
from tests.command_line import Run, answered, command_line

QUESTION = "What is happening in this panel of the comic strip?"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def gazeviz(untrained_model: Path, capsys: pytest.CaptureFixture[str], fresh_logging: None) -> Run:
    """Run one command line on the model with random weights: (exit code, stdout, stderr)."""
    return command_line(capsys, "--model", untrained_model)


def steer(*options: str | Path, picture: str | Path = "builtin:0") -> Sequence[str | Path]:
    return ("steer", picture, "-p", QUESTION, "--max-new-tokens", "4", *options)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert all(f"    {name} " in said for name in cli.COMMANDS)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    assert "--model" in capsys.readouterr().out


def test_describe_gives_the_text_alone_on_standard_output(gazeviz: Run) -> None:
    document = answered(gazeviz, "describe", "builtin:0", "-p", QUESTION, "--max-new-tokens", "5")
    code, out, _ = gazeviz("describe", "builtin:0", "-p", QUESTION, "--max-new-tokens", "5")
    assert code == 0
    assert out.split() == (document["text"].split() or ["(no", "text)"])
    assert document["request"]["prompt"] == QUESTION
    assert "".join(token["text"] for token in document["tokens"]) == document["text"]


def test_steer_moves_attention_to_the_panel_and_proves_it(gazeviz: Run) -> None:
    document = answered(gazeviz, *steer("--heads", "L4H1,L3H2", "--panel", "4", "--layout", "1x6"))
    audit = document["steered"]["audit"]
    assert document["baseline"]["audit"] is None
    assert audit["n_heads"] == 2
    assert audit["mass_after"] > 0.9 > audit["mass_before"]
    assert document["steered"]["request"]["steering"]["heads"]["heads"] == [
        {"layer": 3, "head": 2},
        {"layer": 4, "head": 1},
    ]
    masses_TR = np.array(document["steered"]["trajectory"]["masses"])
    assert (masses_TR.argmax(axis=1) == 3).all()


def test_steering_with_strength_0_changes_nothing(gazeviz: Run) -> None:
    document = answered(gazeviz, *steer("--heads", "all", "--panel", "2", "--strength", "0"))
    assert document["changed"] is False
    assert document["steered"]["tokens"][0]["logprob"] == document["baseline"]["tokens"][0]["logprob"]


def test_a_box_and_a_mask_of_the_same_pixels_steer_alike(gazeviz: Run, tmp_path: Path) -> None:
    picture = inputs.picture("builtin:0").image
    painted = Image.new("L", picture.size)
    painted.paste(255, (100, 10, 400, 180))
    painted.save(tmp_path / "mask.png")
    picture.save(tmp_path / "picture.png")
    by_box, by_mask = (
        answered(gazeviz, *steer("--heads", "L4H1", *target, picture=tmp_path / "picture.png"))["steered"]
        for target in (("--box", "100,10,400,180"), ("--mask", tmp_path / "mask.png"))
    )
    assert by_box["text"] == by_mask["text"]
    assert by_box["audit"] == by_mask["audit"]
    assert by_box["request"]["target_tokens"][0][1] == by_mask["request"]["target_tokens"][0][1]


def test_a_person_sees_both_answers_and_the_ledger(gazeviz: Run) -> None:
    code, out, _ = gazeviz(*steer("--heads", "L4H1", "--panel", "4", "--strength", "hard"))
    assert code == 0
    for part in (
        "Baseline",
        "Steered",
        "Panel 4",
        "boost/suppress · hard",
        "mass on target",
        "other image tokens",
    ):
        assert part in out


def test_discover_writes_a_ranking_that_steer_reads(gazeviz: Run, tmp_path: Path) -> None:
    ranking_file = tmp_path / "ranking.json"
    found = answered(
        gazeviz, "discover", "--strips", "builtin:2", "--out", ranking_file,
        "--figure", tmp_path / "grid.svg", "--matrix", tmp_path / "matrix.pdf", "--top", "5",
    )  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["grid.svg", "matrix.pdf", "ranking.json"]
    best = [entry["head"] for entry in found["rankings"]["mass"]["top"]]
    assert [str(head) for head in HeadRanking.load(ranking_file).order()[:5]] == best
    steered = answered(gazeviz, *steer("--heads", ranking_file, "--top", "5", "--panel", "1"))["steered"]
    heads = [f"L{h['layer']}H{h['head']}" for h in steered["request"]["steering"]["heads"]["heads"]]
    assert sorted(heads) == sorted(best)


def test_discover_writes_one_file_per_ranking(gazeviz: Run, tmp_path: Path) -> None:
    code, out, _ = gazeviz(
        "discover", "--strips", "builtin:2", "--by", "mass,selectivity", "--out", tmp_path / "r.json"
    )
    assert code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r-mass.json", "r-selectivity.json"]
    assert "rank correlation" in out


def test_discover_reads_a_folder_with_its_list_of_layouts(gazeviz: Run, tmp_path: Path) -> None:
    from gazeviz.testbed.world.world import builtin_strips

    strip = builtin_strips(1, layout=(2, 2), panel_px=96)[0]
    strip.image.save(tmp_path / "four.png")
    (tmp_path / "samples.json").write_text(json.dumps([{"file": "four.png", "layout": "2x2"}]))
    document = answered(gazeviz, "discover", "--strips", tmp_path)
    assert document["strips"] == 1


def test_narrate_moves_the_target_on_schedule(gazeviz: Run, tmp_path: Path) -> None:
    document = answered(
        gazeviz, "narrate", "builtin:0", "--schedule", "4,2", "--every", "3", "--heads", "L4H1",
        "--figure", tmp_path / "staircase.svg",
    )  # fmt: skip
    assert [token["target"] for token in document["tokens"]] == (["Panel 4"] * 3 + ["Panel 2"] * 3)[
        : len(document["tokens"])
    ]
    assert document["turns"][0] == {
        "from_token": 0,
        "target": "Panel 4",
        "text": "".join(token["text"] for token in document["tokens"][:3]).strip(),
    }
    assert (tmp_path / "staircase.svg").read_text().count("<svg") == 1


def test_map_draws_the_attention_of_one_token(gazeviz: Run, tmp_path: Path) -> None:
    document = answered(
        gazeviz, "map", "builtin:0", "--heads", "L4H1", "--token", "1", "--out", tmp_path / "map.png",
        "--max-new-tokens", "3",
    )  # fmt: skip
    rows, cols = document["grid"]
    assert len(document["attention"]) == rows * cols
    assert document["image_mass"] == pytest.approx(sum(document["attention"]), abs=1e-3)
    assert Image.open(tmp_path / "map.png").width > 500


def test_map_names_the_token_that_ends_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fresh_logging: None
) -> None:
    asked = ("builtin:0", "-p", QUESTION, "--max-new-tokens", "30")  # the built-in model ends by itself
    assert cli.main(["describe", *asked, "--json"]) == 0
    end = json.loads(capsys.readouterr().out)["tokens"][-1]
    out = str(tmp_path / "map.png")
    assert cli.main(["map", *asked, "--heads", "L4H1", "--token", str(end["index"]), "--out", out]) == 0
    assert f"token {end['index']} <|im_end|>" in capsys.readouterr().out


def test_doctor_reports_the_versions_and_the_model(gazeviz: Run) -> None:
    document = answered(gazeviz, "doctor")
    values = {finding["name"]: finding["value"] for finding in document["findings"]}
    assert document["works"] is True
    assert values["Python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert "8 layers x 8 heads" in values["untrained"]


def test_the_demo_tells_and_draws_the_whole_loop(
    gazeviz: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gazeviz.demo.N_STRIPS_JUDGED", 1)
    monkeypatch.setattr("gazeviz.demo.N_RANDOM_DRAWS", 2)
    monkeypatch.setattr("gazeviz.demo.ANSWER_TOK", 3)
    monkeypatch.setattr("gazeviz.demo.TURN_TOK", 2)
    document = answered(gazeviz, "demo", "--strips", "2", "--out", tmp_path / "made" / "here")
    assert [row["target"] for row in document["steered"]] == [0, 1, 2, 3, 4, 5]
    assert document["controls"]["strength 0"]["unchanged"] == 1.0
    assert sum("random" in name for name in document["controls"]) in (2, 4)
    assert 0 <= document["percentile_among_random_draws"] <= 100
    assert all(Path(written).stat().st_size > 0 for written in document["written"])
    code, out, _ = gazeviz("demo", "--strips", "2", "--out", tmp_path)
    assert code == 0
    assert "staircase.svg" in out and "Controls" in out


REFUSED: dict[str, tuple[Sequence[str | Path], str]] = {
    "unknown command": (("paint",), "invalid choice"),
    "no such picture": (("describe", "nowhere.png", "-p", "?"), "nowhere.png"),
    "no prompt": (("describe", "builtin:0"), "--prompt"),
    "empty prompt": (("describe", "builtin:0", "-p", " "), "prompt"),
    "no target": (steer("--heads", "L4H1"), "--panel"),
    "two targets": (steer("--heads", "L4H1", "--panel", "1", "--box", "0,0,9,9"), "not allowed"),
    "no heads": (steer("--panel", "1"), "No heads"),
    "head that the model lacks": (steer("--heads", "L99H0", "--panel", "1"), "L99H0"),
    "text that is no head": (steer("--heads", "eyes", "--panel", "1"), "eyes"),
    "ranking that is missing": (steer("--heads", "none.json", "--panel", "1"), "none.json"),
    "more heads than there are": (steer("--heads", "all", "--panel", "9"), "panel 9"),
    "strength in words": (steer("--heads", "L4H1", "--panel", "1", "--strength", "very"), "very"),
    "strength below 0": (steer("--heads", "L4H1", "--panel", "1", "--strength=-1"), "-1"),
    "box of three": (steer("--heads", "L4H1", "--box", "1,2,3"), "1,2,3"),
    "box outside": (steer("--heads", "L4H1", "--box", "5000,1,5001,2"), "no pixel"),
    "layout in words": (steer("--heads", "L4H1", "--panel", "1", "--layout", "six"), "six"),
    "no new tokens": (("describe", "builtin:0", "-p", "?", "--max-new-tokens", "0"), "0 new tokens"),
    "cold temperature": (("describe", "builtin:0", "-p", "?", "--temperature=-1"), "temperature"),
    "schedule in words": (("narrate", "builtin:0", "--schedule", "a,b", "--heads", "L4H1"), "a,b"),
    "schedule beyond": (("narrate", "builtin:0", "--schedule", "7", "--heads", "L4H1"), "panel 7"),
    "no strips": (("discover", "--strips", "builtin:0"), "number of strips"),
    "no folder of strips": (("discover", "--strips", "nowhere"), "nowhere"),
    "unknown ranking": (("discover", "--strips", "builtin:1", "--by", "beauty"), "beauty"),
    "ranking without matrices": (
        ("discover", "--strips", "builtin:1", "--by", "causal", "--matrix", "m.svg"), "no matrices"
    ),
    "no kind of figure": (("discover", "--strips", "builtin:1", "--figure", "g.gif"), "g.gif"),
    "no heads to list": (("discover", "--strips", "builtin:1", "--top", "0"), "cannot be listed"),
    "more heads to list than there are": (
        ("discover", "--strips", "builtin:500", "--top", "9999"), "cannot be listed"
    ),
    "folder of the output is missing": (("discover", "--out", "nowhere/r.json"), "nowhere"),
    "token in words": (("map", "builtin:0", "--heads", "L4H1", "--token", "x", "--out", "m.png"), "x"),
    "token beyond": (("map", "builtin:0", "--heads", "L4H1", "--token", "999", "--out", "m.png"), "no such"),
    "demo on nothing": (("demo", "--strips", "0"), "nothing to show"),
    "device that is not here": (("describe", "builtin:0", "-p", "?", "--device", "quantum"), "quantum"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_person_can_put_right_is_a_sentence_a_next_step_and_code_2(
    case: str, gazeviz: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, named = REFUSED[case]
    code, out, err = gazeviz(*arguments)
    assert code == 2
    assert named in err
    assert err.count("Error:") == 1 and err.count("Next:") == 1
    assert "Traceback" not in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_mask_of_another_size_and_a_figure_of_unknown_kind_are_refused(
    gazeviz: Run, tmp_path: Path
) -> None:
    Image.new("L", (10, 10), 255).save(tmp_path / "mask.png")
    assert gazeviz(*steer("--heads", "L4H1", "--mask", tmp_path / "mask.png"))[0] == 2
    code, _, err = gazeviz(
        "map", "builtin:0", "--heads", "L4H1", "--max-new-tokens", "1", "--out", tmp_path / "m.doc"
    )
    assert code == 2 and "m.doc" in err
    assert [path.name for path in tmp_path.iterdir()] == ["mask.png"]


def test_a_folder_that_is_no_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fresh_logging: None
) -> None:
    assert cli.main(["describe", "builtin:0", "-p", "?", "--model", str(tmp_path)]) == 2
    assert "config.json" in capsys.readouterr().err


def test_the_model_may_stand_before_or_after_the_command_or_in_the_environment(
    untrained_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cli.build_parser().parse_args(["--model", "a", "doctor"]).model
    after = cli.build_parser().parse_args(["doctor", "--model", "b"]).model
    monkeypatch.setenv("GAZEVIZ_MODEL", str(untrained_model))
    assert (before, after) == ("a", "b")
    assert cli.build_parser().parse_args(["doctor"]).model == str(untrained_model)


def test_a_program_gets_its_complaint_as_json(gazeviz: Run) -> None:
    code, out, err = gazeviz("describe", "nowhere.png", "-p", "?", "--json")
    assert (code, out) == (2, "")
    assert set(json.loads(err)) == {"error", "next_step"}


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (KeyboardInterrupt(), (130, "Stopped")),
        (Cancelled("enough"), (130, "Stopped")),
        (RunError("out of memory"), (1, "out of memory")),
        (ZeroDivisionError("1 / 0"), (1, "Internal error")),
    ],
)
def test_every_other_end_has_its_code_and_never_a_traceback(
    raised: BaseException, expected: tuple[int, str], gazeviz: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(inputs, "load_engine", fail)
    code, out, err = gazeviz("describe", "builtin:0", "-p", "?")
    assert code == expected[0]
    assert expected[1] in err
    assert "Traceback" not in err and out == ""


def test_a_reader_that_goes_away_leaves_no_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "main.py", "doctor"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
    assert "Traceback" not in said and "Exception ignored" not in said
    assert process.returncode == 1
