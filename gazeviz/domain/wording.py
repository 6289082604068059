"""How things are said that every view names: tokens, heads, steering, sizes, times, counts.

Screen, command line and report say them through here, so that one thing has one name. Knows values of the
domain and no view; what a text needs to be safe or drawable is the business of each format.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from gazeviz.domain.experiments.head_metrics import Metric
    from gazeviz.domain.grid import Rule
    from gazeviz.domain.heads import HeadSet
    from gazeviz.domain.run import Audit, Sampling
    from gazeviz.domain.steering import Hard, HeadMeans, Mode, Scope, Steering

# Tokens that add no text to an answer: the end of a turn, or a part of a character. The names of a model's
# special tokens are a mapping of ids, {2: "<|im_end|>"}.


class TextToken(Protocol):
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


def quoted_tokens(tokens: Sequence[TextToken], special_tokens: Mapping[int, str]) -> str:
    """Return what tokens read together, spaces around it left out; a single one as `quoted_token` does."""
    text = "".join(token.text for token in tokens).strip()
    return quoted_token(text, tokens[0].token_id, special_tokens) if len(tokens) == 1 else f"“{text}”"


# Steering: one name for each setting, on the screen, in the shell and in reports


MODE_NAMES: Final[Mapping[Mode, str]] = {
    "boost_suppress": "boost/suppress",
    "suppress_image": "suppress picture",
    "suppress_all": "suppress picture and prompt",
    "max_suppress_all": "suppress everything else",
    "knock_out": "knock out",
    "mass": "fixed share",
}
SCOPE_NAMES: Final[Mapping[Scope, str]] = {
    "all_rows": "all rows",
    "decode_only": "answer's rows",
    "after_image": "rows after the picture",
}
METRIC_NAMES: Final[Mapping[Metric, str]] = {
    "image": "on the picture",
    "sink": "on the first token",
    "text": "on the prompt's text",
    "previous": "on the previous token",
    "entropy": "spread over the picture",
    "peak": "peak of its map",
}
HARD_NAMES: Final[Mapping[Hard, str]] = {"hard": "hard", "hard_uniform": "hard uniform"}


class SteeringLike(Protocol):
    """How heads are steered: a `Steering`, or the settings that one will be made of."""

    @property
    def mode(self) -> Mode: ...
    @property
    def strength(self) -> float | Hard: ...
    @property
    def alpha(self) -> float: ...
    @property
    def scope(self) -> Scope: ...
    @property
    def means(self) -> HeadMeans | None: ...


def format_strength(steering: SteeringLike) -> str:
    """Return how strongly heads are steered: "8", "hard", or the share of each row, "share .5"."""
    if steering.mode == "knock_out":
        return "output zero" if steering.means is None else "output mean"
    if steering.mode == "mass":
        return f"share {format_figure(steering.alpha)}"
    if isinstance(steering.strength, str):
        return HARD_NAMES[steering.strength]
    return f"{steering.strength:g}"


def format_settings(steering: SteeringLike) -> str:
    """Return mode, strength and rows: "boost/suppress · 8 · all rows", "fixed share .5 · all rows"."""
    rows = SCOPE_NAMES[steering.scope]
    if steering.mode == "mass":
        return f"{MODE_NAMES['mass']} {format_figure(steering.alpha)} · {rows}"
    return f"{MODE_NAMES[steering.mode]} · {format_strength(steering)} · {rows}"


def format_steering(steering: Steering) -> str:
    """Return heads, target and settings in a line: "10 heads (top 10 of mass) → Panel 4 · ..."."""
    heads, schedule = steering.heads, steering.schedule
    named = str(heads) if len(heads) == 1 else f"{plural(len(heads), 'head')} ({heads.origin})"
    if steering.mode == "knock_out" and schedule is None:
        return f"{named} · {format_settings(steering)}"
    moves = schedule is not None and len(set(schedule.regions)) > 1
    where = "a schedule of targets" if moves else steering.target.name
    return f"{named} → {where} · {format_settings(steering)}"


def format_audit(audit: Audit) -> str:
    """Return whether the bias arrived: "mass on target .19 → .81 · 24 target cells · 31 biased rows"."""
    moved = f"mass on target {format_change(audit.mass_before, audit.mass_after)}"
    return f"{moved} · {plural(audit.n_target_tok, 'target cell')} · {plural(audit.n_rows, 'biased row')}"


def format_rule(rule: Rule, share: float) -> str:
    """Return how regions select cells: "by centre", "by .5 of a cell's area"."""
    return "by centre" if rule == "centre" else f"by {format_figure(share)} of a cell's area"


def format_sampling(sampling: Sampling) -> str:
    """Return how tokens are chosen: "greedy", or "temperature .8, top-p .9, seed 3"; then what holds
    repetition back: "greedy, repetition penalty 1.2".
    """
    words = ["greedy"]
    if not sampling.greedy:
        temperature, top_p = format_figure(sampling.temperature), format_figure(sampling.top_p)
        words = [f"temperature {temperature}", f"top-p {top_p}", f"seed {sampling.seed}"]
    if sampling.repetition_penalty != 1:
        words.append(f"repetition penalty {format_figure(sampling.repetition_penalty)}")
    if sampling.no_repeat_ngram_tok:
        words.append(f"no {plural(sampling.no_repeat_ngram_tok, 'token')} in a row twice")
    return ", ".join(words)


def format_ranking_name(name: str) -> str:
    """Return a ranking's name as a sentence names it: "image heads" for image_heads."""
    return name.replace("_", " ")


def format_heads(heads: HeadSet, n_named: int = 3) -> str:
    """Return a head set in a line: where it came from, and the first `n_named` of heads chosen by hand.

    "top 10 of mass", "L3H1,L3H4", "12 heads chosen by hand: L3H1, L3H4, L3H6 and 9 more"; none chosen count
    as "all heads".
    """
    if not len(heads):
        return "all heads"
    if heads.origin.kind != "hand":
        return str(heads.origin)
    if len(heads) <= n_named:
        return str(heads)
    named = ", ".join(str(head) for head in heads.heads[:n_named])
    return f"{plural(len(heads), 'head')} chosen by hand: {named} and {len(heads) - n_named} more"


# Numbers, sizes and times


def format_figure(value: float) -> str:
    """Write a score as people do: `.89`, `0`, `1`, `<.01` for what rounds to nothing, `12.3` from ten on."""
    if not math.isfinite(value):
        return "none"
    if value != 0 and abs(value) < 0.005:
        return "<.01" if value > 0 else ">\N{MINUS SIGN}.01"  # a hyphen would make an arrow of it
    if abs(value) >= 10:
        return f"{value:.1f}"
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def format_cell_figure(value: float) -> str:
    """Return the attention of one cell, `.004`: three places, since most get less than a hundredth."""
    if 0 < value < 0.0005:
        return "<.001"
    return f"{value:.3f}".removeprefix("0") if 0 < value < 0.995 else format_figure(value)


def format_change(before: float, after: float) -> str:
    """Return two scores as before and after: ".19 → .81"."""
    return f"{format_figure(before)} → {format_figure(after)}"


def format_gain(gain: float) -> str:
    """Return a signed score: "+.62", "-.1"."""
    return f"{'+' if gain > 0 else ''}{format_figure(gain)}"


def format_percent(share: float) -> str:
    """Return a share of 0 to 1 in per cent: "35 %", "< 1 %" for what is less."""
    return "< 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def format_count(n: float) -> str:
    """Return a large number, of weights for example, with three digits at most: "812", "5.2 M", "8.8 B"."""
    for unit in ("", " K", " M"):
        if n < 1000:
            return f"{n:.0f}{unit}" if n >= 100 or not unit else f"{n:.1f}{unit}"
        n /= 1000
    return f"{n:.1f} B"


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them: "a", "a and b", "a, b and c"."""
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]])


def plural(n: int, noun: str, nouns: str = "") -> str:
    """Return a count with its noun: "1 run", "1,200 runs", "2 matrices" where the plural is given."""
    return f"{n:,} {noun if n == 1 else nouns or noun + 's'}"


def format_file_size(n_bytes: int) -> str:
    """Return the size of a file in decimal units, as file managers do: "812 bytes", "4.2 MB"."""
    size, units = float(n_bytes), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return plural(n_bytes, "byte") if units[0] == "bytes" else f"{size:.1f} {units[0]}"


def format_memory(n_bytes: float) -> str:
    """Return an amount of memory in binary units, as systems report it: "21 MiB", "3.4 GiB"."""
    size, units = float(n_bytes), ["B", "KiB", "MiB", "GiB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.1f} {units[0]}" if units[0] == "GiB" and size < 100 else f"{size:.0f} {units[0]}"


def format_duration(seconds: float) -> str:
    """Return how long something takes: "< 1 ms", "40 ms", "12.3 s", "4 min", "2 h 10 min"."""
    if 0 < seconds < 0.001:
        return "< 1 ms"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def format_timestamp(moment_s: float) -> str:
    """Return a moment in the local zone, to the minute: "2026-03-01 14:05"; "" beyond any calendar."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment_s))
    except (OverflowError, OSError, ValueError):
        return ""


def format_moment(moment_s: float, now_s: float | None = None) -> str:
    """Return a moment as a list shows it: the time of today, the day of this year, the month of another."""
    try:
        moment, now = time.localtime(moment_s), time.localtime(now_s)
    except (OverflowError, OSError, ValueError):
        return ""
    if moment[:3] == now[:3]:
        return time.strftime("%H:%M", moment)
    return time.strftime("%d %b" if moment[0] == now[0] else "%b %Y", moment)


def format_utc(moment_s: float) -> str:
    """Return a moment that means the same everywhere: "2026-03-01 13:05:00 UTC"; "" beyond any calendar."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment_s))
    except (OverflowError, OSError, ValueError):
        return ""
