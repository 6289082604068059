"""How sessions and steerings are called in the log: the words of its columns, to read and to search."""

from __future__ import annotations

import hashlib
import math
import time
from itertools import groupby
from typing import Any

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.steering import HARD, Steering
from gazeviz.store.codec import text_cell

_SPELT_OUT = 3


def hex_digest(data: str | bytes) -> str:
    """Return the hex digest (SHA-256) of a text or bytes."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).hexdigest()


def session_name(model: str, picture: str, started_s: float) -> str:
    """Call a session by its model, its picture and its time."""
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(started_s))
    return " · ".join(part for part in (model, picture, moment) if part)


def steering_words(steering: Steering | None) -> dict[str, Any]:
    """Return what a run's row says of its steering; empty columns for a baseline."""
    names = ("heads", "n_heads", "target", "target_colour", "mode", "strength", "strength_number", "scope")
    if steering is None:
        return dict.fromkeys(names)
    targets = _targets(steering)
    strength, number = _strength(steering)
    first = steering.target_at(0) or steering.target
    return {
        "heads": text_cell(heads_words(steering.heads)),
        "n_heads": len(steering.heads),
        "target": text_cell(" → ".join(targets)),
        "target_colour": first.colour,
        "mode": steering.mode,
        "strength": strength,
        "strength_number": number,
        "scope": steering.scope,
    }


def heads_words(heads: HeadSet) -> str:
    """Say where a head set came from; few heads that were chosen by hand are named."""
    if heads.origin.kind == "hand" and len(heads) <= _SPELT_OUT:
        return str(heads)
    return f"{heads.origin}, {len(heads)} heads" if heads.origin.kind == "hand" else str(heads.origin)


def _targets(steering: Steering) -> list[str]:
    turns = steering.schedule.switches if steering.schedule else ()
    regions = [region for _, region in turns]
    if not turns or turns[0][0] > 0:
        regions = [steering.target, *regions]
    return [name for name, _ in groupby("none" if region is None else region.name for region in regions)]


def _strength(steering: Steering) -> tuple[str, float | None]:
    """The strength in words, and as a number to compare: a hard one is above all."""
    if steering.mode == "mass":
        return f"alpha {steering.alpha:g}", None
    if steering.strength in HARD:
        return str(steering.strength), math.inf
    return f"{steering.strength:g}", float(steering.strength)
