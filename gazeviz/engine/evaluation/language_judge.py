"""A language model as judge, at any OpenAI-compatible address; it sees the picture with its regions numbered.

Sends texts and pictures only where a person has configured an address: nothing here has a default one. Where
it judges by captions alone, they stand in an order of their own for every text, because such judges prefer
some positions (one answered "panel 2" in 49-82 % of the cases, whatever the text).
"""

from __future__ import annotations

import base64
import io
import re
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
from PIL import Image, ImageDraw

from gazeviz.domain.evaluation import Verdict
from gazeviz.engine.evaluation.judges import Judged
from gazeviz.errors import UserError
from gazeviz.imaging import open_picture

_NO_KEY: Final = "none"
_TASK: Final = (
    "A text was written about one panel of a comic. Say which of these panels it describes best.\n\n"
    "{panels}\n\nText: {text}\n\n"
    "Reply with the panel's letter alone, or with 0 if it describes none of them or several equally."
)
_SEEN_TASK: Final = (
    "The regions of this picture are numbered 1 to {n}. A text was written about one of them."
    " Say which region it describes best.\n\nText: {text}\n\nReply with the region's number alone{none}."
)
_NONE: Final = ", or with 0 if it describes none of them or several equally"


@dataclass(frozen=True)
class LanguageModelJudge:
    """Asks a chat model which region a text describes.

    address: the base of the interface, such as "http://localhost:8000/v1".  model: its name there.
    api_key: sent as a bearer token where given; it is left out of `repr`.  timeout_s: for one answer.
    seed: of the captions' shuffled order.  sees: shows the picture with numbered regions; otherwise captions.
    forced: must choose one of the regions, as in the gaze-heads paper; named in the results.
    tries: how often a question is sent before the judge is given up; the client waits between, longer and
        longer, or as long as the address asks for.
    """

    address: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 30.0
    seed: int = 0
    sees: bool = True
    forced: bool = False
    tries: int = 4

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UserError(
                f"“{self.address}” is no address of a judge.",
                next_step="Write it like http://localhost:8000/v1.",
            )
        _openai()

    @property
    def name(self) -> str:
        """The judging model's name, and how it chooses."""
        return f"language model {self.model}" + (" (forced choice)" if self.forced else "")

    def judge(self, text: str, item: Judged) -> Verdict:
        """Ask, several times where the address is busy or fails; an empty text is not sent.

        Raises UserError where captions are needed and missing (or more than 26), and where the address does
        not answer in time, refuses, or answers something that names no region.
        """
        n = len(item.panels)
        if not text.strip():
            return Verdict((0.0,) * n, None)
        chosen = self._seen(text, item, n) if self.sees else self._read(text, item, n)
        return Verdict(tuple(float(region == chosen) for region in range(n)), chosen)

    def _seen(self, text: str, item: Judged, n: int) -> int | None:
        question = _SEEN_TASK.format(n=n, text=text, none="" if self.forced else _NONE)
        picture = base64.b64encode(_png(numbered(item))).decode()
        content: list[dict[str, Any]] = [
            {"type": "text", "text": question},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
        ]
        return _number(self._ask(content), n)

    def _read(self, text: str, item: Judged, n: int) -> int | None:
        if not 1 <= n <= 26 or n != len(item.captions):
            raise UserError(
                f"A language model needs a caption for each of 1 to 26 panels, there are"
                f" {len(item.captions)}.",
                next_step="Write the captions, or choose another judge.",
            )
        order = np.random.default_rng((self.seed, zlib.crc32(text.encode()))).permutation(n).tolist()
        lines = [f"{chr(ord('A') + place)}: {item.captions[panel]}" for place, panel in enumerate(order)]
        reply = self._ask(_TASK.format(panels="\n".join(lines), text=text))
        place = _choice(reply, n)
        return None if place is None else int(order[place])

    def _ask(self, question: str | list[dict[str, Any]]) -> str:
        """Send a question by the client, which waits and tries again where it may help; UserErrors."""
        from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

        try:
            reply = self._client.chat.completions.create(
                model=self.model,
                messages=[{"role": "user", "content": question}],
                temperature=0,
                max_tokens=8,
            )
            return str(reply.choices[0].message.content or "")
        except APITimeoutError as error:
            raise self._failed(f"did not answer within {self.timeout_s:g} seconds") from error
        except APIConnectionError as error:
            raise self._failed(f"cannot be reached ({error.__cause__ or error})") from error
        except APIStatusError as error:
            raise self._failed(f"answered with the error {error.status_code}") from error
        except (APIError, ValueError, IndexError, TypeError, AttributeError) as error:
            raise self._failed("answered something else than a chat completion") from error

    @cached_property
    def _client(self) -> Any:
        return _openai().OpenAI(
            base_url=self.address,
            # The client wants a key; most servers of one's own want none.
            api_key=self.api_key or _NO_KEY,
            timeout=self.timeout_s,
            max_retries=self.tries - 1,
        )

    def _failed(self, what: str) -> UserError:
        return UserError(
            f"The judge at {self.address} {what}.",
            next_step="Check the address, the model's name and the key, or choose another judge.",
        )


def _openai() -> Any:
    """The client's library, which only this judge needs."""
    try:
        import openai
    except ImportError as error:
        raise UserError(
            "A judge at an address needs the client “openai”, which is not installed.",
            next_step='Install it with pip install "gazeviz[judge]", or choose another judge.',
        ) from error
    return openai


def numbered(item: Judged) -> Image.Image:
    """The picture with a frame and a number on every region, from 1."""
    picture = open_picture(item.image).copy()
    draw = ImageDraw.Draw(picture)
    for number, region in enumerate(item.panels, start=1):
        x0, y0, x1, y1 = region.box_px
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline="red", width=2)
        label = draw.textbbox((x0 + 4, y0 + 4), str(number), font_size=18)
        draw.rectangle((label[0] - 3, label[1] - 3, label[2] + 3, label[3] + 3), fill="red")
        draw.text((x0 + 4, y0 + 4), str(number), fill="white", font_size=18)
    return picture


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _number(reply: str, n: int) -> int | None:
    """The region (from 0) that a reply names, None for 0; UserError where it names neither."""
    found = re.search(r"\d+", reply)
    if found is None or int(found[0]) > n:
        raise UserError(
            f"The judge answered “{reply.strip()[:60]}”, which names no region.",
            next_step="Choose a model that follows instructions, or another judge.",
        )
    return int(found[0]) - 1 if int(found[0]) else None


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
