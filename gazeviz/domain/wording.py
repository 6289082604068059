"""How a token is said that adds no text to an answer: the end of a turn, or a part of a character.

Knows the names of a model's special tokens as a mapping of ids, {2: "<|im_end|>"}, and not whose they are.
Every view says tokens through here, so that one token has one look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class SaidToken(Protocol):
    """A token of an answer."""

    @property
    def token_id(self) -> int: ...
    @property
    def text(self) -> str: ...


def token_sign(token_id: int, special_tokens: Mapping[int, str]) -> str:
    """Return what stands for a token without text: its name, or its number as ‹57› where it has none."""
    return special_tokens.get(token_id) or f"‹{token_id}›"


def quoted_token(text: str, token_id: int, special_tokens: Mapping[int, str]) -> str:
    """Return a token as a sentence names it: “cat”, or without quotes the sign of one without text."""
    return f"“{text}”" if text else token_sign(token_id, special_tokens)


def quoted_tokens(tokens: Sequence[SaidToken], special_tokens: Mapping[int, str]) -> str:
    """Return what tokens read together, spaces around it left out; a single one as `quoted_token` does."""
    text = "".join(token.text for token in tokens).strip()
    return quoted_token(text, tokens[0].token_id, special_tokens) if len(tokens) == 1 else f"“{text}”"
