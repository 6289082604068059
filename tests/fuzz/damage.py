"""Damage to files, seeded: bytes flipped, cut, doubled and put elsewhere, and odd values in JSON."""

from __future__ import annotations

import copy
import json
import random
import zlib
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63 - 1, 2**64, -(2**63), 10**30, 0.5, -0.0, 1e300,
    float("nan"), float("inf"), "", "0", "99999999999999999999", "a" * 3000, "\ud800", "\x1b]52;c;aGk=\x07",
    "../../../etc/passwd", "/", "\0", [], [[]], [[[]]], {}, [None], [1, 2], {"": {}},
    "{{ 'a' * 8000000000 }}", "{% for i in range(10**9) %}{% endfor %}",
)  # fmt: skip


def damaged_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to a few places damaged."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(damaged) + 1)
        n = rng.choice((1, 2, 4, 64, 1000))
        kind = rng.randrange(7)
        if kind == 0 and damaged:
            damaged[at % len(damaged)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del damaged[at:]
        elif kind == 2:
            del damaged[at : at + n]
        elif kind == 3:
            damaged[at:at] = rng.randbytes(n)
        elif kind == 4:
            damaged[at : at + n] = bytes(rng.choice((0, 255)) for _ in range(1)) * len(damaged[at : at + n])
        elif kind == 5:
            other = rng.randrange(len(damaged) + 1)
            damaged[at:at] = damaged[other : other + n]
        else:  # a number of four bytes, as sizes and offsets are
            damaged[at : at + 4] = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, 70_000)).to_bytes(
                4, rng.choice(("big", "little"))
            )
    return bytes(damaged)


def with_sums(data: bytes) -> bytes:
    """Return a damaged PNG with checksums that fit, so that its decoder meets the damage."""
    fixed, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        n = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + n]
        if at + 12 + n > len(data):
            break
        fixed += data[at : at + 4] + body + zlib.crc32(body).to_bytes(4, "big")
        at += 12 + n
    return bytes(fixed + data[at:])


def damaged_json(value: Any, rng: random.Random) -> bytes:
    """Return JSON with one to a few values replaced, left out, doubled or nested."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(_places(value))
        if not places:
            return json.dumps(rng.choice(ODD_VALUES)).encode()
        holder, key = rng.choice(places)
        kind = rng.randrange(5)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, list):
            holder *= rng.choice((2, 3, 50))
        elif kind == 2:
            holder[key] = [holder[key]]
        else:
            holder[key] = copy.deepcopy(rng.choice(ODD_VALUES))
    encoding = rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"))
    return json.dumps(value, ensure_ascii=rng.random() < 0.9).encode(encoding, "replace")


def _places(value: Any) -> Any:
    pairs: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, one in list(pairs):
        yield value, key
        yield from _places(one)
