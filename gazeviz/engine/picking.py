"""Choosing the next token from its logits, and spelling it out as text.

Knows one sequence's sampling settings and its tokenizer. Does not know the model, the picture or the
steering.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Protocol

import torch
from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

from gazeviz.domain.run import Sampling

_UNFINISHED = "\ufffd"  # what a decoder prints for the first bytes of a character that is not complete yet


class Decoder(Protocol):
    """The one thing asked of a tokenizer here."""

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """The tokens as text."""
        ...


class Picker:
    """Chooses the tokens of one sequence, greedily or by sampling.

    Parity: on one device, `torch.manual_seed(seed)` and `model.generate(do_sample=True, temperature=...,
    top_p=..., top_k=0)` draw the same tokens, because the warpers are transformers' own in its order and each
    token costs one `torch.multinomial` draw from a generator seeded alike. A checkpoint's other generation
    settings (repetition penalty, top-k) are deliberately left out: they would change what the model says for
    reasons no run records.
    """

    def __init__(self, sampling: Sampling, device: torch.device) -> None:
        self._greedy = sampling.temperature == 0.0
        self._warpers = LogitsProcessorList()
        if not self._greedy and sampling.temperature != 1.0:
            self._warpers.append(TemperatureLogitsWarper(float(sampling.temperature)))
        if not self._greedy and sampling.top_p < 1.0:
            self._warpers.append(TopPLogitsWarper(top_p=float(sampling.top_p)))
        self._generator = torch.Generator(device).manual_seed(sampling.seed)
        self._no_ids: Any = torch.empty((1, 0), dtype=torch.long, device=device)

    def pick(self, logits_V: torch.Tensor) -> int:
        """The next token's id, from float32 logits of one sequence."""
        if self._greedy:
            return int(logits_V.argmax())
        # Neither temperature nor top-p looks at the tokens so far, so the warpers get none.
        scores_1V = self._warpers(self._no_ids, logits_V[None])
        return int(torch.multinomial(scores_1V.softmax(-1), num_samples=1, generator=self._generator))


class Speller:
    """Turns a growing list of tokens into what each of them adds to the decoded text.

    A token that ends inside a character adds nothing; the one that completes it adds the whole character. For
    decoders that never change what they have already said, the additions join to `text`.
    """

    def __init__(self, tokenizer: Decoder) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._said = ""

    @property
    def text(self) -> str:
        """All tokens so far as one text, special tokens left out."""
        return self._tokenizer.decode(self._ids, skip_special_tokens=True)

    def add(self, token_id: int, *, last: bool) -> str:
        """What this token adds; the `last` one also gives up waiting for the rest of a character."""
        self._ids.append(token_id)
        text = self.text
        if text.endswith(_UNFINISHED) and not last:
            return ""
        # A decoder may take back what it said (a space before a mark): only what is new can be added.
        n_kept = sum(
            1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._said, text, strict=False))
        )
        added = text[n_kept:]
        self._said = text
        return added
