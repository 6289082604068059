"""Which panel each token of a narration speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gazeviz.engine.evaluation.protocols import captions_in, narration_of, panel_of_tokens, spans
from gazeviz.testbed.training.model import build_tokenizer


class Pieces:
    """A tokenizer whose tokens are the characters or words that it is given, by their number."""

    def __init__(self, *pieces: str) -> None:
        self._pieces = pieces

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """The pieces joined."""
        return "".join(self._pieces[i] for i in token_ids)


def test_captions_are_told_in_order_with_one_full_stop_each():
    assert narration_of(["red cat sleeps", " It wakes. "]) == "Panel 1: red cat sleeps. Panel 2: It wakes."


@pytest.mark.parametrize(
    "text",
    [
        "Panel 1: a cat. Panel 2: a dog.",
        "**Panel 1:** a cat. **Panel 2:** a dog.",
        "**Panel 1**: a cat.\n\n**Panel 2**: a dog.",
        "Well. panel 1 - a cat.\nPANEL 2 – a dog.",
    ],
)
def test_marks_are_read_in_the_ways_that_models_write_them(text: str):
    assert captions_in(text, 2) == {0: "a cat.", 1: "a dog."}


def test_a_panel_named_inside_a_sentence_is_no_mark():
    assert captions_in("Panel 1: as in panel 2, a cat sleeps.", 2) == {0: "as in panel 2, a cat sleeps."}


def test_marks_of_panels_that_do_not_exist_end_the_passage_before_them():
    assert [(panel, end - start) for panel, start, end in spans("Panel 2: ab Panel 9: cd", 2)] == [(1, 3)]


@pytest.mark.parametrize("text", ["", "a cat sleeps.", "Panel 7: a cat."])
def test_a_text_that_names_no_panel_speaks_of_none(text: str):
    assert captions_in(text, 2) == {}


def test_a_mark_with_nothing_behind_it_says_nothing():
    assert captions_in("Panel 1: Panel 2: a dog.", 2) == {1: "a dog."}


def test_of_a_panel_told_twice_the_first_telling_counts():
    assert captions_in("Panel 2: one. Panel 1: two. Panel 2: three.", 2) == {1: "one.", 0: "two."}


def test_tokens_are_found_whatever_their_cut():
    pieces = Pieces("Hm. ", "Pan", "el 1", ":", " a", " cat", ".", " Panel", " 2:", " do", "g", ".")
    panels = panel_of_tokens(pieces, range(12), 2).tolist()
    assert panels == [-1, -1, -1, -1, 0, 0, 0, -1, -1, 1, 1, 1]


def test_the_built_in_tokenizers_narration_is_aligned():
    tokenizer: Any = build_tokenizer()
    captions = ["red cat jumps in town", "at night, blue dog sleeps", "fish, green, eats by the sea"]
    ids = tokenizer(narration_of(captions), add_special_tokens=False)["input_ids"]
    panels = panel_of_tokens(tokenizer, ids, 3)
    for panel, caption in enumerate(captions):
        told = [token for token, about in zip(ids, panels, strict=True) if about == panel]
        assert tokenizer.decode(told) == f"{caption}."
    assert (panels == -1).sum() == 3 * 3  # "Panel", its number and the colon, three times
