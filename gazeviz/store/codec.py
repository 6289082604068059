"""Turns what a run is made of into text for the log and back, to the last bit.

Regions and rankings are not written into it but referred to by their digests, so that a mask that a hundred
runs share is kept once. JSON floats are Python's shortest exact ones; single-precision arrays get nine
significant digits, which always name one float32 (IEEE 754-2019, 5.12.2). Knows no database.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import GenerateSpec, ModelInfo, Recommended, RunResult, StepArrived
from gazeviz.domain.region import Region
from gazeviz.domain.run import Account, Audit, RunRequest, Sampling
from gazeviz.domain.steering import HARD, HeadMeans, Schedule, Steering
from gazeviz.domain.wording import format_heads, format_timestamp

Refer: TypeAlias = Callable[[Region], str]
"""Keeps a region and returns its digest."""
Find: TypeAlias = Callable[[str], Region]
"""Returns the region of a digest."""
LAST_MOMENT_S: Final = 253402214400.0
"""The last day of the year 9999: what follows cannot be written as a date."""
MOST_HEADS: Final = 1_000_000
"""No model has more; what claims to is not believed."""
Cell: TypeAlias = str | bytes | int | float | None

STEP_COLUMNS = (
    "number", "job", "token_id", "text", "logprob", "ms", "target", "looks_at",
    "masses", "weighted", "control", "map",
)  # fmt: skip
"""Columns of run_steps in the order of `step_row`."""


def dumps(data: Any) -> str:
    """Write compact JSON that SQLite can hold: letters as they are, unless there is half a surrogate pair."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text if _encodable(text) else json.dumps(data, separators=(",", ":"))


def text_cell(text: str) -> str | bytes:
    """Return a text for a column: itself, or its bytes where half a surrogate pair forbids text."""
    return text if _encodable(text) else text.encode("utf-8", "surrogatepass")


def text_of(cell: Cell) -> str:
    """Read what `text_cell` made; bytes that are no text at all become the sign for such."""
    if isinstance(cell, str):
        return cell
    if not isinstance(cell, bytes):
        return str(cell)  # SQLite keeps numbers in columns of texts, too
    try:
        return cell.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return cell.decode("utf-8", "replace")


def moment_of(cell: Any) -> float:
    """Read a time, seconds since 1970; one that no calendar holds becomes the nearest that one does."""
    if not isinstance(cell, (int, float)) or cell != cell:
        return 0.0
    return float(min(max(cell, 0.0), LAST_MOMENT_S))


# Regions


def region_digest(region: Region) -> str:
    """Return the hex digest of a region's name, colour, size and pixels."""
    identity = json.dumps([region.name, region.colour, region.sha256])
    return hashlib.sha256(identity.encode()).hexdigest()


def mask_bits(region: Region) -> NDArray[np.uint8]:
    """Return a region's pixels row by row, eight to a byte, uint8 (N,)."""
    return np.packbits(region.mask_HW)


def region_of(name: str, colour: str | None, size_px: tuple[int, int], bits: NDArray[np.uint8]) -> Region:
    """Rebuild a region; ValueError where the bits do not fill its picture."""
    width_px, height_px = size_px
    if len(bits) != -(-width_px * height_px // 8):
        raise ValueError(f"{len(bits)} bytes are no mask of {width_px} x {height_px} px")
    flat = np.unpackbits(bits, count=width_px * height_px)
    return Region(name, flat.reshape(height_px, width_px).astype(bool), colour)


# Runs


def spec_text(spec: GenerateSpec, refer: Refer) -> str:
    """Write what was asked for."""
    return dumps(
        {
            **vars(spec),
            "steering": spec.steering and _steering_data(spec.steering, refer),
            "sampling": spec.sampling.to_json(),
            "chosen": spec.chosen.to_json(),
            "control": None if spec.control is None else spec.control.to_json(),
            "regions": [refer(region) for region in spec.regions],
        }
    )


def spec_of(text: str, find: Find) -> GenerateSpec:
    """Read what `spec_text` wrote."""
    data = json.loads(text)
    return GenerateSpec(
        **{
            **data,
            "steering": data["steering"] and _steering_of(data["steering"], find),
            "sampling": Sampling(**data["sampling"]),
            "chosen": HeadSet.from_json(data["chosen"]),
            "control": data["control"] and HeadSet.from_json(data["control"]),
            "regions": tuple(find(digest) for digest in data["regions"]),
        }
    )


def summary_text(summary: RunResult, refer: Refer, refer_grid: Callable[[TokenGrid], str]) -> str:
    """Write what became of a run, its token grid by its digest."""
    return dumps(
        {
            **vars(summary),
            "audit": summary.audit and summary.audit.to_json(),
            "switches": [[step, name] for step, name in summary.switches],
            "request": _request_data(summary.request, refer),
            "grid": summary.grid and refer_grid(summary.grid),
        }
    )


def summary_of(text: str, find: Find, find_grid: Callable[[str], TokenGrid]) -> RunResult:
    """Read what `summary_text` wrote; logs of the first schema know no grids."""
    data = json.loads(text)
    return RunResult(
        **{
            **data,
            "audit": data["audit"] and _audit_of(data["audit"]),
            "switches": tuple((step, name) for step, name in data["switches"]),
            "request": _request_of(data["request"], find),
            "grid": find_grid(data["grid"]) if data.get("grid") else None,
        }
    )


def step_row(step: StepArrived) -> tuple[Cell, ...]:
    """Return a token as the values of STEP_COLUMNS."""
    return (
        step.index, step.job, step.token_id, text_cell(step.text), step.logprob, step.ms,
        None if step.target is None else text_cell(step.target), step.looks_at,
        _floats_text(step.masses_R), _floats_text(step.weighted_R),
        None if step.control_R is None else _floats_text(step.control_R),
        step.map_P.astype("<f4").tobytes(),
    )  # fmt: skip


def step_of(row: tuple[Any, ...]) -> StepArrived:
    """Read what `step_row` returned."""
    index, job, token_id, text, logprob, ms, target, looks_at, masses, weighted, control, map_bytes = row
    return StepArrived(
        job=job,
        index=index,
        token_id=token_id,
        text=text_of(text),
        logprob=_float_of(logprob),
        ms=_float_of(ms),
        target=None if target is None else text_of(target),
        masses_R=_floats_of(masses),
        weighted_R=_floats_of(weighted),
        control_R=None if control is None else _floats_of(control),
        map_P=np.frombuffer(map_bytes, dtype="<f4").astype(np.float32),
        looks_at=looks_at,
    )


# Models


def model_text(info: ModelInfo, refer: Callable[[HeadRanking], str]) -> str:
    """Write a model, its rankings by their digests; JSON makes texts of the special tokens' ids."""
    advice = {name: value for name, value in vars(info).items() if isinstance(value, Recommended)}
    return dumps(
        {
            **vars(info),
            "shape_LH": list(info.shape_LH),
            "heads_present_LH": np.packbits(info.heads_present_LH).tobytes().hex(),
            "default_ranking": info.default_ranking and refer(info.default_ranking),
            "rankings": {name: refer(ranking) for name, ranking in info.rankings.items()},
            **{name: dict(vars(value)) for name, value in advice.items()},
        }
    )


def model_of(text: str, find: Callable[[str], HeadRanking]) -> ModelInfo:
    """Read what `model_text` wrote; early logs name no special tokens."""
    data = json.loads(text)
    n_layers, n_heads = data["shape_LH"]
    if not 0 < n_layers * n_heads <= MOST_HEADS:
        raise ValueError(f"{n_layers} layers of {n_heads} heads")
    bits = np.frombuffer(bytes.fromhex(data["heads_present_LH"]), dtype=np.uint8)
    present = np.unpackbits(bits, count=n_layers * n_heads).reshape(n_layers, n_heads).astype(bool)
    advice = {name: value for name, value in data.items() if name.startswith("recommended") and value}
    return ModelInfo(
        **{
            **data,
            "shape_LH": (n_layers, n_heads),
            "heads_present_LH": present,
            "default_ranking": data["default_ranking"] and find(data["default_ranking"]),
            **{name: Recommended(**value) for name, value in advice.items()},
            "rankings": {name: find(digest) for name, digest in data["rankings"].items()},
            "special_tokens": {int(key): name for key, name in data.get("special_tokens", {}).items()},
        }
    )


def ranking_digest(ranking: HeadRanking, model_fingerprint: str) -> str:
    """Return the hex digest of a ranking, its halves and matrix included, and of whose it is."""
    halves = [ranking_digest(half, model_fingerprint) for half in ranking.halves or ()]
    named = [ranking.name, ranking.n_strips, ranking.model, model_fingerprint, *ranking.shape_LH, *halves]
    digest = hashlib.sha256(json.dumps(named).encode())
    digest.update(np.ascontiguousarray(ranking.scores_LH).tobytes())
    if ranking.matrix_LHRR is not None:
        digest.update(str(ranking.matrix_LHRR.shape).encode())
        digest.update(np.ascontiguousarray(ranking.matrix_LHRR).tobytes())
    return digest.hexdigest()


def grid_digest(grid: TokenGrid) -> str:
    """Return the hex digest of a token grid's cells, sizes and note."""
    identity = json.dumps([grid.picture_size_px, grid.fed_size_px, grid.shape_RC, grid.note])
    return hashlib.sha256(identity.encode() + np.ascontiguousarray(grid.boxes_P4).tobytes()).hexdigest()


# The words of columns


def hex_digest(data: str | bytes) -> str:
    """Return the hex digest (SHA-256) of a text or bytes."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).hexdigest()


def session_name(model: str, picture: str, started_s: float) -> str:
    """Call a session by its model, its picture and its time."""
    moment = format_timestamp(started_s)
    return " · ".join(part for part in (model, picture, moment) if part)


def steering_columns(steering: Steering | None) -> dict[str, Any]:
    """Return what a run's row says of its steering, to read and to search; empty for a baseline."""
    names = ("heads", "n_heads", "target", "target_colour", "mode", "strength", "strength_number", "scope")
    if steering is None:
        return dict.fromkeys(names)
    targets = _targets(steering)
    strength, number = _strength_cells(steering)
    first = steering.target_at(0) or steering.target
    return {
        "heads": text_cell(format_heads(steering.heads)),
        "n_heads": len(steering.heads),
        "target": text_cell(" → ".join(targets)),
        "target_colour": first.colour,
        "mode": steering.mode,
        "strength": strength,
        "strength_number": number,
        "scope": steering.scope,
    }


def _targets(steering: Steering) -> list[str]:
    turns = steering.schedule.switches if steering.schedule else ()
    regions = [region for _, region in turns]
    if not turns or turns[0][0] > 0:
        regions = [steering.target, *regions]
    return [name for name, _ in groupby("none" if region is None else region.name for region in regions)]


def _strength_cells(steering: Steering) -> tuple[str, float | None]:
    """The strength in words, and as a number to compare: a hard one is above all."""
    if steering.mode == "knock_out":
        return "zero" if steering.means is None else "mean", None
    if steering.mode == "mass":
        return f"alpha {steering.alpha:g}", None
    if steering.strength in HARD:
        return str(steering.strength), math.inf
    return f"{steering.strength:g}", float(steering.strength)


# Pieces


def _steering_data(steering: Steering, refer: Refer) -> dict[str, Any]:
    turns = steering.schedule.switches if steering.schedule else ()
    return {
        "heads": steering.heads.to_json(),
        "target": refer(steering.target),
        "schedule": [[step, None if region is None else refer(region)] for step, region in turns],
        **{key: getattr(steering, key) for key in ("mode", "strength", "scope", "alpha", "rule", "share")},
        **({} if steering.means is None else {"means": steering.means.to_json()}),
    }


def _steering_of(data: Mapping[str, Any], find: Find) -> Steering:
    turns = tuple((step, None if digest is None else find(digest)) for step, digest in data["schedule"])
    return Steering(
        **{
            **data,
            "heads": HeadSet.from_json(data["heads"]),
            "target": find(data["target"]),
            "schedule": Schedule(turns) if turns else None,
            "means": HeadMeans.from_json(data["means"]) if data.get("means") else None,
        }
    )


def _request_data(request: RunRequest, refer: Refer) -> dict[str, Any]:
    return {
        **vars(request),
        "picture_size_px": list(request.picture_size_px),
        "fed_size_px": list(request.fed_size_px),
        "steering": request.steering and _steering_data(request.steering, refer),
        "sampling": request.sampling.to_json(),
        "tracked": request.tracked.to_json(),
        "target_tokens": [[name, [int(token) for token in tokens]] for name, tokens in request.target_tokens],
        "versions": dict(request.versions),
    }


def _request_of(data: Mapping[str, Any], find: Find) -> RunRequest:
    return RunRequest(
        **{
            **data,
            "picture_size_px": tuple(data["picture_size_px"]),
            "fed_size_px": tuple(data["fed_size_px"]),
            "steering": data["steering"] and _steering_of(data["steering"], find),
            "sampling": Sampling(**data["sampling"]),
            "tracked": HeadSet.from_json(data["tracked"]),
            "target_tokens": tuple((name, tuple(tokens)) for name, tokens in data["target_tokens"]),
        }
    )


def _audit_of(data: Mapping[str, Any]) -> Audit:
    ledger = data["ledger"]
    before, after = ([group[end] for group in ledger.values()] for end in ("before", "after"))
    return Audit(**{**data, "ledger": Account(tuple(ledger), np.array(before), np.array(after))})


def _floats_text(values: NDArray[np.float32]) -> str:
    return json.dumps([float(f"{value:.9g}") for value in values.tolist()], separators=(",", ":"))


def _floats_of(text: str) -> NDArray[np.float32]:
    return np.array(json.loads(text), dtype=np.float32)


def _float_of(cell: float | None) -> float:
    """SQLite keeps a number that is none as NULL."""
    return float("nan") if cell is None else cell


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
