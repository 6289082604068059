"""Tokens without text have a name, or a number."""

from __future__ import annotations

from gazeviz.domain.run import Step
from gazeviz.domain.wording import quoted_token, quoted_tokens, token_sign

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
