"""What goes into the log comes out the same, to the last bit."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import fields, replace

import numpy as np
import pytest

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.messages import StepArrived
from gazeviz.domain.region import Region
from gazeviz.store import codec
from tests.store.samples import TEXTS, Samples, alike

SEEDS = range(60)


class Kept:
    """Regions and rankings by digest."""

    def __init__(self) -> None:
        self.regions: dict[str, Region] = {}
        self.grids: dict[str, TokenGrid] = {}
        self.rankings: dict[str, HeadRanking] = {}

    def keep(self, region: Region) -> str:
        digest = codec.region_digest(region)
        self.regions[digest] = region
        return digest

    def keep_grid(self, grid: TokenGrid) -> str:
        digest = codec.grid_digest(grid)
        self.grids[digest] = grid
        return digest

    def keep_ranking(self, ranking: HeadRanking) -> str:
        digest = codec.ranking_digest(ranking, "f")
        self.rankings[digest] = ranking
        return digest


@pytest.mark.parametrize("seed", SEEDS)
def test_a_wish_comes_back_as_it_was(seed: int) -> None:
    kept, spec = Kept(), Samples(seed).spec()
    text = codec.spec_text(spec, kept.keep)
    text.encode()  # SQLite takes it
    assert alike(codec.spec_of(text, kept.regions.__getitem__), spec)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_result_comes_back_as_it_was(seed: int) -> None:
    kept, summary = Kept(), Samples(seed).summary()
    text = codec.summary_text(summary, kept.keep, kept.keep_grid)
    text.encode()
    assert alike(codec.summary_of(text, kept.regions.__getitem__, kept.grids.__getitem__), summary)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_token_comes_back_as_it_was_through_sqlite(seed: int) -> None:
    step = Samples(seed).step(seed)
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE TABLE run_steps ({', '.join(codec.STEP_COLUMNS)})")
    marks = ", ".join("?" * len(codec.STEP_COLUMNS))
    database.execute(f"INSERT INTO run_steps VALUES ({marks})", codec.step_row(step))
    row = database.execute("SELECT * FROM run_steps").fetchone()
    database.close()
    assert alike(codec.step_of(row), step)


def test_every_kind_of_float32_survives_as_text() -> None:
    bits = np.random.default_rng(1).integers(0, 2**32, 200_000, dtype=np.uint32)
    edges = np.array([0, 1, 0x80000000, 0x7F7FFFFF, 0x00800000, 0x7F800000, 0xFF800000], dtype=np.uint32)
    values = np.concatenate([bits, edges]).view(np.float32)
    back = codec._floats_of(codec._floats_text(values))
    assert np.array_equal(back, values, equal_nan=True)
    assert np.array_equal(np.signbit(back[~np.isnan(values)]), np.signbit(values[~np.isnan(values)]))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_region_comes_back_from_its_bits(seed: int) -> None:
    region = Samples(seed).region()
    back = codec.region_of(region.name, region.colour, region.size_px, codec.mask_bits(region))
    assert back == region and codec.region_digest(back) == codec.region_digest(region)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_model_comes_back_as_it_was(seed: int) -> None:
    kept, info = Kept(), Samples(seed).info()
    text = codec.model_text(info, kept.keep_ranking)
    back = codec.model_of(text, kept.rankings.__getitem__)
    assert alike(back, info)


def test_a_model_of_an_early_log_names_no_special_tokens() -> None:
    info = replace(Samples(0).info(), default_ranking=None, rankings={})
    data = json.loads(codec.model_text(info, lambda _: ""))
    del data["special_tokens"]
    back = codec.model_of(json.dumps(data), Kept().rankings.__getitem__)
    assert alike(back, replace(info, special_tokens={}))


def test_digests_tell_everything_apart_that_can_differ() -> None:
    samples = Samples(0)
    whole = HeadRanking("a", np.zeros((2, 2)), 3, np.zeros((2, 2, 1, 1)))
    others = [
        HeadRanking("b", np.zeros((2, 2)), 3, np.zeros((2, 2, 1, 1))),
        HeadRanking("a", np.ones((2, 2)), 3, np.zeros((2, 2, 1, 1))),
        HeadRanking("a", np.zeros((2, 2)), 4, np.zeros((2, 2, 1, 1))),
        HeadRanking("a", np.zeros((2, 2)), 3, None),
        HeadRanking("a", np.zeros((2, 2)), 3, np.ones((2, 2, 1, 1))),
        HeadRanking("a", np.zeros((2, 2)), 3, np.zeros((2, 2, 1, 1)), (whole, whole)),
        HeadRanking("a", np.zeros((2, 2)), 3, np.zeros((2, 2, 1, 1)), None, "m"),
    ]
    digests = {codec.ranking_digest(ranking, "f") for ranking in (whole, *others)}
    assert len(digests) == len(others) + 1
    assert codec.ranking_digest(whole, "g") not in digests
    region = samples.region()
    renamed = Region(region.name + "x", region.mask_HW, region.colour)
    assert codec.region_digest(region) != codec.region_digest(renamed)


@pytest.mark.parametrize("text", TEXTS)
def test_texts_survive_columns_and_json(text: str) -> None:
    cell = codec.text_cell(text)
    database = sqlite3.connect(":memory:")
    (back,) = database.execute("SELECT ?", (cell,)).fetchone()
    database.close()
    assert codec.text_of(back) == text
    assert json.loads(codec.dumps([text])) == [text]


def test_a_mask_that_does_not_fill_its_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="no mask"):
        codec.region_of("a", None, (10, 10), np.zeros(3, dtype=np.uint8))


def test_a_token_has_no_field_that_the_log_does_not_know() -> None:
    known = {"index", "job", "token_id", "text", "logprob", "ms", "target", "looks_at", "masses_R",
             "weighted_R", "control_R", "map_P"}  # fmt: skip
    assert {field.name for field in fields(StepArrived)} == known


def test_a_model_that_was_logged_before_a_field_was_added_can_be_read() -> None:
    info = Samples(1).info()
    kept = Kept()
    data = json.loads(codec.model_text(info, kept.keep_ranking))
    del data["recommended_moving"], data["context_tok"]
    back = codec.model_of(json.dumps(data), kept.rankings.__getitem__)
    assert (back.context_tok, back.recommended_moving, back.name) == (0, None, info.name)
