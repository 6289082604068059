"""The published file format of a head ranking: a JSON list of {"layer", "head", "score"}, best first.

The format of `gaze_head_ranking.json`, written by the gaze-heads paper's discovery, so that rankings
travel between tools.  Knows the file and its entries, not what a model's heads are.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from gazeviz.errors import UserError
from gazeviz.whole_files import written_whole

_FORMAT = 'a JSON list of {"layer": 4, "head": 1, "score": 0.5}'
_MAX_INDEX = 2000  # far beyond any model; keeps a nonsense file from asking for a giant grid

Entry = tuple[int, int, float]  # layer, head, score


def read_ranking_file(path: Path) -> list[Entry]:
    """Return the (layer, head, score) entries of `path`, in the file's order.

    Raises UserError when the file cannot be read, is not JSON or not such a list, or lists a head twice.
    """
    entries = [_entry(path, place, raw) for place, raw in enumerate(_json_list(path), start=1)]
    seen: set[tuple[int, int]] = set()
    for layer, head, _ in entries:
        if (layer, head) in seen:
            raise _refused(path, f"lists L{layer}H{head} twice", "Keep one entry for each head.")
        seen.add((layer, head))
    return entries


def write_ranking_file(path: Path, entries: Iterable[Entry]) -> None:
    """Write the entries to `path`, replacing it whole or leaving it as it was.

    Raises UserError when the folder is missing or the file cannot be written.
    """
    rows = [json.dumps({"layer": layer, "head": head, "score": score}) for layer, head, score in entries]
    text = "[\n" + ",\n".join(rows) + "\n]\n"
    with written_whole(path, "ranking") as unfinished, unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _json_list(path: Path) -> list[object]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(
            f"The head ranking {path} could not be read: {error.strerror or error}.",
            next_step="Check the path, or choose another file.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise _refused(path, "is not JSON", f"Choose a head ranking: {_FORMAT}.") from error
    if not isinstance(data, list) or not data:
        raise _refused(path, "is not a list of heads", f"Choose a head ranking: {_FORMAT}.")
    return data


def _entry(path: Path, place: int, raw: object) -> Entry:
    fix = f"Correct the file: it must be {_FORMAT}."
    if not isinstance(raw, dict) or not {"layer", "head", "score"} <= raw.keys():
        raise _refused(path, f"lacks “layer”, “head” or “score” in entry {place}", fix)
    layer, head, score = raw["layer"], raw["head"], raw["score"]
    for index in (layer, head):
        if type(index) is not int or not 0 <= index < _MAX_INDEX:
            raise _refused(path, f"names no head in entry {place} (layer {layer!r}, head {head!r})", fix)
    if type(score) not in (int, float) or not abs(score) <= sys.float_info.max:
        raise _refused(path, f"has a score that is no finite number in entry {place}", fix)
    return layer, head, float(score)


def _refused(path: Path, why: str, next_step: str) -> UserError:
    return UserError(f"The head ranking {path} {why}.", next_step=next_step)
