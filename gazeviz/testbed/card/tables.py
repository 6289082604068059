"""Tables and numbers as a model card prints them: in Markdown, shares in per cent, undefined ones a dash."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

Figures = Mapping[str, Any]

MEASURES: Final = ("forced choice", "described", "all right", "unchanged", "junk")
MOVING: Final = ("rho", "segments on target", "median latency (tokens)", "followed", "junk")
REGION: Final = ("answers", "object named", "large", "medium", "small", "junk")


def table(header: Sequence[Any], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def percent(share: float | None) -> str:
    """A share in per cent to one digit."""
    return "-" if share is None or math.isnan(share) else f"{100 * share:.1f} %"


def percents(shares: Iterable[float | None]) -> str:
    """Several shares, one after another."""
    return ", ".join(percent(share) for share in shares)


def number(value: float | None, digits: int = 2) -> str:
    """A plain number."""
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def with_interval(share: float, interval: Sequence[float]) -> str:
    """A share with its interval in brackets."""
    return f"{percent(share)} [{percent(interval[0])}, {percent(interval[1])}]"


def between(values: Sequence[float]) -> str:
    """Mean, lowest and highest of several shares."""
    return f"{percent(sum(values) / len(values))} ({percent(min(values))} to {percent(max(values))})"


def measured(row: Figures) -> tuple[str, ...]:
    """The cells under `MEASURES`."""
    return (
        with_interval(row["hit"], row["hit_interval"]),
        percent(row["described"]),
        with_interval(row["right"], row["right_interval"]),
        percent(row["unchanged"]),
        percent(row["junk"]),
    )


def spread(draws: Sequence[Figures]) -> tuple[str, ...]:
    """The cells under `MEASURES` for several draws together."""
    keys = ("hit", "described", "right", "unchanged", "junk")
    return tuple(between([draw[key] for draw in draws]) for key in keys)


def moved(row: Figures) -> tuple[str, ...]:
    """The cells under `MOVING`."""
    low, high = row["rho_interval"]
    latency = row["latency_median_tok"]
    return (
        f"{number(row['rho'])} [{number(low)}, {number(high)}]",
        with_interval(row["on_target"], row["on_target_interval"]),
        "-" if latency is None else f"{latency:g}",
        percent(row["followed"]),
        percent(row["junk"]),
    )


def in_region(row: Figures) -> tuple[Any, ...]:
    """The cells under `REGION`."""
    pairs = [row["by_size"].get(size) for size in ("large", "medium", "small")]
    sizes = ("-" if pair is None else f"{percent(pair[0])} of {pair[1]}" for pair in pairs)
    return row["answers"], with_interval(row["named"], row["named_interval"]), *sizes, percent(row["junk"])


def confusion(counts: Sequence[Sequence[int]]) -> str:
    """Which panel was described (columns) when which one was meant (rows)."""
    header = ("", *(f"panel {panel}" for panel in range(1, len(counts) + 1)), "none, tie, junk")
    return table(header, [(f"target {target}", *row) for target, row in enumerate(counts, start=1)])
