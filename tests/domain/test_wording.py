"""One thing has one name: tokens, steering, heads, sizes, times, counts."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gazeviz.domain.heads import Head, HeadOrigin, HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.run import Sampling, Step
from gazeviz.domain.steering import HARD, MODES, SCOPES, Steering
from gazeviz.domain.wording import (
    HARD_NAMES,
    MODE_NAMES,
    SCOPE_NAMES,
    format_cell_figure,
    format_change,
    format_count,
    format_duration,
    format_figure,
    format_file_size,
    format_gain,
    format_heads,
    format_memory,
    format_moment,
    format_percent,
    format_ranking_name,
    format_rule,
    format_sampling,
    format_settings,
    format_steering,
    format_timestamp,
    format_utc,
    listed,
    plural,
    quoted_token,
    quoted_tokens,
    token_sign,
)

NAMES = {2: "<|im_end|>"}


def test_a_token_without_text_has_its_name_or_its_number() -> None:
    assert token_sign(2, NAMES) == "<|im_end|>"
    assert token_sign(3, NAMES) == token_sign(3, {}) == "‹3›"


def test_text_is_quoted_so_that_no_text_looks_like_a_name() -> None:
    assert quoted_token("cat", 3, NAMES) == "“cat”"
    assert quoted_token("<|im_end|>", 3, NAMES) == "“<|im_end|>”"
    assert quoted_token("", 2, NAMES) == "<|im_end|>"
    assert quoted_token("", 3, NAMES) == "‹3›"


def test_some_tokens_are_what_they_read_together() -> None:
    cat, end, part = Step(0, 7, " cat", -0.1), Step(1, 2, "", -0.1), Step(2, 3, "", -0.1)
    assert quoted_tokens([cat], NAMES) == quoted_tokens([cat, end], NAMES) == "“cat”"
    assert quoted_tokens([end], NAMES) == "<|im_end|>"
    assert quoted_tokens([part], NAMES) == "‹3›"
    assert quoted_tokens([part, end], NAMES) == quoted_tokens([], NAMES) == "“”"


STEERING = Steering(HeadSet.of("L3H1"), Region("here", np.ones((2, 2), dtype=bool)))


def test_every_setting_has_a_name() -> None:
    assert (set(MODE_NAMES), set(SCOPE_NAMES), set(HARD_NAMES)) == (set(MODES), set(SCOPES), set(HARD))


def test_settings_are_said_in_one_line() -> None:
    assert format_settings(replace(STEERING, strength=8.0)) == "boost/suppress · 8 · all rows"
    assert format_settings(replace(STEERING, strength="hard", scope="after_image")).endswith(
        "hard · rows after the picture"
    )
    assert format_settings(replace(STEERING, mode="mass", alpha=0.5)).startswith("fixed share .5 · ")


def test_heads_are_said_by_where_they_came_from_and_few_by_name() -> None:
    assert format_heads(HeadSet.of("L3H1,L3H4")) == "L3H1,L3H4"
    many = HeadSet(tuple(Head(1, index) for index in range(5)))
    assert format_heads(many) == "5 heads chosen by hand: L1H0, L1H1, L1H2 and 2 more"
    ranked = HeadSet((Head(0, 1),), HeadOrigin("top", "mass", 1))
    assert format_heads(ranked) == "top 1 of mass"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.891, ".89"),
        (0.0, "0"),
        (1.0, "1"),
        (0.001, "<.01"),
        (-0.25, "-.25"),
        (12.34, "12.3"),
        (float("nan"), "none"),
    ],
)
def test_figures_are_written_as_people_do(value: float, text: str) -> None:
    assert format_figure(value) == text


def test_counts_and_sizes_carry_their_nouns_and_units() -> None:
    assert (
        plural(1, "run") == "1 run" and plural(0, "run") == "0 runs" and plural(1200, "run") == "1,200 runs"
    )
    assert plural(2, "matrix", "matrices") == "2 matrices"
    assert format_file_size(1) == "1 byte" and format_file_size(4_200_000) == "4.2 MB"
    assert format_memory(21 * 2**20) == "21 MiB" and format_memory(3.4 * 2**30) == "3.4 GiB"
    assert [format_count(n) for n in (12, 5_300_000, 8_770_000_000)] == ["12", "5.3 M", "8.8 B"]
    assert format_file_size(0) == "0 bytes" and format_memory(8 * 2**30) == "8.0 GiB"
    assert format_duration(0.0004) == "< 1 ms"
    assert [format_duration(s) for s in (0.04, 12.34, 240, 7800)] == [
        "40 ms",
        "12.3 s",
        "4 min",
        "2 h 10 min",
    ]


def test_moments_are_said_and_none_is_beyond_the_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    now_s = 1_772_373_900.0  # 2026-03-01 14:05
    assert format_timestamp(now_s) == "2026-03-01 14:05" and format_utc(now_s) == "2026-03-01 14:05:00 UTC"
    assert format_moment(now_s, now_s) == "14:05"
    assert format_moment(now_s - 86_400, now_s) == "28 Feb" and format_moment(0.0, now_s) == "Jan 1970"
    for beyond in (1e300, -1e300, float("inf"), float("nan")):
        assert (format_timestamp(beyond), format_utc(beyond), format_moment(beyond)) == ("", "", "")


def test_lists_changes_and_shares_read_as_a_sentence_does() -> None:
    assert [listed("abc"[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert format_change(0.19, 0.81) == ".19 → .81" and (format_gain(0.62), format_gain(-0.1)) == (
        "+.62",
        "-.1",
    )
    assert [format_percent(share) for share in (0.0, 0.004, 0.351, 1.0)] == ["0 %", "< 1 %", "35 %", "100 %"]
    assert [format_cell_figure(x) for x in (0.0, 0.0001, 0.0042, 1.0)] == ["0", "<.001", ".004", "1"]


def test_what_a_run_was_asked_for_is_said_in_a_line() -> None:
    assert format_steering(STEERING) == "L3H1 → here · boost/suppress · 8 · all rows"
    many = replace(STEERING, heads=HeadSet((Head(0, 1), Head(0, 2)), HeadOrigin("top", "mass", 2)))
    assert format_steering(many).startswith("2 heads (top 2 of mass) → here · ")
    out = replace(STEERING, mode="knock_out")
    assert format_steering(out) == "L3H1 · knock out · output zero · all rows"
    assert format_rule("centre", 0.5) == "by centre" and format_rule("share", 0.5) == "by .5 of a cell's area"
    assert format_sampling(Sampling()) == "greedy"
    assert format_sampling(Sampling(0.8, 0.9, 3)) == "temperature .8, top-p .9, seed 3"
    held = Sampling(repetition_penalty=1.2, no_repeat_ngram_tok=3)
    assert format_sampling(held) == "greedy, repetition penalty 1.2, no 3 tokens in a row twice"
    assert format_ranking_name("image_heads") == "image heads" and format_heads(HeadSet(())) == "all heads"
