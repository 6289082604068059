"""Tables: JSON that loses nothing, and CSV that no spreadsheet computes."""

import base64
import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from gazeviz.domain.run import RunRequest
from gazeviz.domain.steering import Steering
from gazeviz.render.report.files import csv_text, json_text, runs_csv, tokens_csv
from tests.render.made_runs import CHOSEN, PANELS, hostile_report, made_picture, made_report, made_run


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_json_holds_requests_tokens_and_pictures() -> None:
    report = made_report()
    document = json.loads(json_text(report))
    assert document["gazeviz_report"] == 1
    baseline, steered = document["runs"]
    summary = report.entries[1].run.summary
    assert summary is not None
    assert RunRequest.from_json(steered["request"]) == summary.request
    assert Steering.from_json(steered["steering"]) == report.entries[1].steering
    assert [token["id"] for token in baseline["tokens"]] == [100, 101, 102, 103]
    assert [token["looks_at"] for token in baseline["tokens"]] == [0, 1, 1, 2]
    assert np.allclose(baseline["tokens"][0]["map"], report.entries[0].run.steps[0].map_P, rtol=1e-5)
    assert baseline["control"]["origin"]["kind"] == "random"
    kept = document["pictures"]["ab"]
    image = Image.open(io.BytesIO(base64.b64decode(kept["png"])))
    assert np.array_equal(np.asarray(image), made_picture().pixels_HW3)


def test_json_of_a_lost_run_says_what_is_known() -> None:
    document = json.loads(json_text(made_report(made_run(9, ended=False)), with_pictures=False))
    (run,) = document["runs"]
    assert (run["state"], run["request"], run["audit"]) == ("lost", None, None)
    assert run["message"] == "The worker was ended by SIGKILL."
    assert len(run["tokens"]) == 4
    assert "png" not in document["pictures"]["ab"]


def test_json_is_strict_and_takes_any_text() -> None:
    run = made_run(1, texts=("\ud83d", "a", "b", "c"))
    text = json_text(made_report(run))
    assert (
        json.loads(text.encode("utf-8"), parse_constant=_refused)["runs"][0]["tokens"][0]["text"] == "\ud83d"
    )


def _refused(constant: str) -> None:
    raise AssertionError(constant)


def test_runs_have_a_row_each() -> None:
    baseline, steered = rows(runs_csv(made_report()))
    assert (baseline["run"], baseline["side"], baseline["target"], baseline["strength"]) == (
        "1",
        "baseline",
        "",
        "",
    )
    assert (steered["target"], steered["strength"], steered["mass_after"]) == ("Panel 2", "8.0", "0.7")
    assert steered["command"].startswith("gazeviz steer /pictures/strip.png")


def test_tokens_have_a_row_for_each_region() -> None:
    table = rows(tokens_csv(made_report()))
    assert len(table) == 2 * 4 * 3
    first = table[0]
    assert (first["token"], first["token_id"], first["text"], first["looks_at"]) == ("0", "100", "a", "1")
    assert float(first["mass"]) == pytest.approx(float(first["weighted_mass"]) / 2, rel=1e-4)
    assert len(rows(tokens_csv(made_report(made_run(3, regions=()))))) == 4


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r1", "\n=1", " =1", "＝1", '=HYPERLINK("http://x")', "-"]
)
def test_a_text_that_looks_like_a_formula_is_marked_as_text(text: str) -> None:
    (row,) = rows(csv_text(("a", "b"), [[text, "x"]]))
    assert row["a"] == f"'{text}"


def test_numbers_and_harmless_texts_stay_as_they_are() -> None:
    text = csv_text(tuple("abcdef"), [[-1.5, 3, None, "a=1", 'quo"te, and\nline', float("nan")]])
    (row,) = rows(text)
    assert list(row.values()) == ["-1.5", "3", "", "a=1", 'quo"te, and\nline', ""]


def test_hostile_runs_hold_no_formula() -> None:
    report = hostile_report()
    for table in (rows(runs_csv(report)), rows(tokens_csv(report))):
        cells = [(name, cell) for row in table for name, cell in row.items()]
        formulas = [
            cell
            for name, cell in cells
            if cell[:1] in tuple("=+@\t") or (cell[:1] == "-" and not _is_number(cell))
        ]
        assert formulas == []
        assert any(cell.startswith("'=1+1") for _, cell in cells) or any(
            cell.startswith("'=<") for _, cell in cells
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_a_steered_run_names_its_heads() -> None:
    (row,) = rows(runs_csv(made_report(made_run(1, Steering(CHOSEN, PANELS[0], mode="mass", alpha=0.7)))))
    assert (row["heads_steered"], row["mode"], row["alpha"]) == ("L0H3,L1H2", "mass", "0.7")


def test_an_empty_text_is_an_empty_field() -> None:
    assert csv_text(("note", "text"), [("", None), ("\t", "=1")]).split("\r\n")[1:3] == [",", "'\t,'=1"]
