"""A language model as judge, at any OpenAI-compatible address.

Sends texts and captions, never pictures, and only where a person has configured an address: nothing here has
a default one. The panels are shown to it in an order of their own for every text, because such judges prefer
some positions (one answered "panel 2" in 49-82 % of the cases, whatever the text).
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
import zlib
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np

from gazeviz.domain.evaluation import Verdict
from gazeviz.engine.judging import Judged
from gazeviz.errors import UserError

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
