"""Judges: which region a text describes.

Every judge answers the same question with a `Verdict`: one score for each region, and the one that is
described best. Here are those that need no second model: by a known grammar, by rare words, and by the loaded
model's own probabilities. A language model at an address is `engine.language_judge`, a person
`engine.blind_sheet`. Whether the description is a *hit* is not a judge's business (domain.evaluation).
"""

from __future__ import annotations

import json
import math
import re
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

import numpy as np

from gazeviz.domain.evaluation import Verdict, content_words, describes
from gazeviz.domain.region import Region
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.engine.engine import Engine


ABOUT_A_PANEL: Final = "What is happening in this picture?"


class Judged(Protocol):
    """What judges need of a picture: the picture, its regions in order, and one caption for each (or none at
    all)."""

    @property
    def image(self) -> Any: ...
    @property
    def panels(self) -> tuple[Region, ...]: ...
    @property
    def captions(self) -> tuple[str, ...]: ...


class Judge(Protocol):
    """Anything that says which region a text describes."""

    @property
    def name(self) -> str:
        """What it is called in results."""
        ...

    def judge(self, text: str, item: Judged) -> Verdict:
        """Read a text about a picture; UserError where the picture lacks what this judge needs."""
        ...


class WordJudge(Judge, Protocol):
    """A judge that can also judge a single word, which tells how soon a text follows a switch of target."""

    def judge_word(self, word: str, item: Judged) -> int | None:
        """The one region whose caption calls for this word, None where none or several do."""
        ...


@dataclass(frozen=True)
class GrammarJudge:
    """Exact, where captions follow a known grammar: counts the attributes of each caption that a text states.

    parse: from a text to the attributes that it states ("red", "cat", "by the sea").
    A caption is complete when the text states all of its attributes and no other of the grammar.
    """

    parse: Callable[[str], AbstractSet[str]]
    name: str = "exact"

    def judge(self, text: str, item: Judged) -> Verdict:
        """Score = attributes stated; the region with most of them is chosen, a tie is no choice."""
        stated, wanted = self.parse(text), [self.parse(caption) for caption in _captions(item, self.name)]
        return Verdict.best_of([len(stated & one) for one in wanted], [stated == one for one in wanted])

    def judge_word(self, word: str, item: Judged) -> int | None:
        """The one region that has the attribute which this word states."""
        stated = self.parse(word)
        having = [k for k, caption in enumerate(_captions(item, self.name)) if stated & self.parse(caption)]
        return having[0] if len(having) == 1 else None


@dataclass(frozen=True)
class LexicalJudge:
    """By rare words: a word counts the more, the fewer of the picture's captions hold it.

    The score is that of domain.described.
    """

    name: str = "lexical"

    def judge(self, text: str, item: Judged) -> Verdict:
        """Score the overlap with each caption; a tie is no choice."""
        return describes(text, _captions(item, self.name))

    def judge_word(self, word: str, item: Judged) -> int | None:
        """The one region whose caption holds this word."""
        said = content_words(word)
        having = [k for k, caption in enumerate(_captions(item, self.name)) if said & content_words(caption)]
        return having[0] if len(having) == 1 else None


@dataclass(frozen=True)
class LikelihoodJudge:
    """By the loaded model itself: how probable the text is when the model sees one region alone.

    Each region is cut out of the picture by its box and asked about with `prompt`; score = log-probability of
    the text in nats. Needs no captions, but one pass for each region, and it trusts the model's own eyes.
    """

    engine: Engine
    prompt: str = ABOUT_A_PANEL
    name: str = "likelihood"

    def judge(self, text: str, item: Judged) -> Verdict:
        """Choose the region that makes the text most probable; an empty text chooses none."""
        from gazeviz.imaging import open_picture

        if not text.strip():
            return Verdict(tuple(-math.inf for _ in item.panels), None)
        picture = open_picture(item.image)
        crops = [picture.crop(region.box_px) for region in item.panels]
        scores = [self.engine.read(crop, self.prompt, text).logprob for crop in crops]
        return Verdict.best_of(scores, floor=-math.inf)


def _captions(item: Judged, judge: str) -> tuple[str, ...]:
    if len(item.captions) != len(item.panels):
        raise UserError(
            f"The {judge} judge needs a caption for each of the {len(item.panels)} regions, there are"
            f" {len(item.captions)}.",
            next_step="Write the captions, or choose the likelihood judge, which needs none.",
        )
    return item.captions


# A language model as judge, at any OpenAI-compatible address.
#
# Sends texts and captions, never pictures, and only where a person has configured an address: nothing here
# has a default one. The panels are shown to it in an order of their own for every text, because such judges
# prefer some positions (one answered "panel 2" in 49-82 % of the cases, whatever the text).


_MAX_REPLY_BYTES: Final = 1_000_000
_TASK: Final = (
    "A text was written about one panel of a comic. Say which of these panels it describes best.\n\n"
    "{panels}\n\nText: {text}\n\n"
    "Reply with the panel's letter alone, or with 0 if it describes none of them or several equally."
)


@dataclass(frozen=True)
class LanguageModelJudge:
    """Asks a chat model which panel a text describes.

    address: the base of the interface, such as "http://localhost:8000/v1".  model: its name there.
    api_key: sent as a bearer token where given; it is left out of `repr`.  timeout_s: for one answer.
    seed: of the panels' shuffled order.
    """

    address: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 30.0
    seed: int = 0

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UserError(
                f"“{self.address}” is no address of a judge.",
                next_step="Write it like http://localhost:8000/v1.",
            )

    @property
    def name(self) -> str:
        """The judging model's name."""
        return f"language model {self.model}"

    def judge(self, text: str, item: Judged) -> Verdict:
        """Ask once; an empty text is not sent.

        Raises UserError where captions are missing (or more than 26), the address does not answer in time,
        refuses, or answers something that names no panel.
        """
        n = len(item.captions)
        if not 1 <= n <= 26 or n != len(item.panels):
            raise UserError(
                f"A language model needs a caption for each of 1 to 26 panels, there are {n}.",
                next_step="Write the captions, or choose another judge.",
            )
        if not text.strip():
            return Verdict((0.0,) * n, None)
        order = np.random.default_rng((self.seed, zlib.crc32(text.encode()))).permutation(n).tolist()
        lines = [f"{chr(ord('A') + place)}: {item.captions[panel]}" for place, panel in enumerate(order)]
        reply = self._ask(_TASK.format(panels="\n".join(lines), text=text))
        place = _choice(reply, n)
        chosen = None if place is None else order[place]
        return Verdict(tuple(float(panel == chosen) for panel in range(n)), chosen)

    def _ask(self, question: str) -> str:
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": question}],
            "temperature": 0,
            "max_tokens": 8,
        }
        headers = {"Content-Type": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        address = self.address.rstrip("/") + "/chat/completions"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        reply = self._send(request)
        try:
            return str(json.loads(reply)["choices"][0]["message"]["content"])
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise self._failed("answered something else than a chat completion") from error

    def _send(self, request: urllib.request.Request) -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as response:
                return bytes(response.read(_MAX_REPLY_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                raise self._failed(f"answered with the error {error.code}") from error
        except TimeoutError as error:
            raise self._failed(f"did not answer within {self.timeout_s:g} seconds") from error
        except (urllib.error.URLError, OSError) as error:
            reason: Any = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise self._failed(f"did not answer within {self.timeout_s:g} seconds") from error
            raise self._failed(f"cannot be reached ({reason})") from error

    def _failed(self, what: str) -> UserError:
        return UserError(
            f"The judge at {self.address} {what}.",
            next_step="Check the address, the model's name and the key, or choose another judge.",
        )


def _choice(reply: str, n: int) -> int | None:
    """The place that a reply names, None for "0"; UserError where it names neither."""
    letters = "".join(chr(ord("A") + place) for place in range(n))
    found = re.search(rf"\b([{letters}]|0)\b", reply.strip().upper())
    if found is None:
        raise UserError(
            f"The judge answered “{reply.strip()[:60]}”, which names no panel.",
            next_step="Choose a model that follows instructions, or another judge.",
        )
    return None if found[1] == "0" else letters.index(found[1])
