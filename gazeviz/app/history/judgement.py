"""Which panel the words of a run's text are about, where the picture's captions are known.

For the line beneath a text and for the log's column. A look, not an evaluation: those are in
gazeviz.domain.evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from gazeviz.app.session.values import Picture, RunRecord
from gazeviz.domain.answer_text import named_regions
from gazeviz.domain.evaluation import describes
from gazeviz.domain.messages import RunVerdict
from gazeviz.domain.strip import panel_boxes_px

JUDGE: Final = "captions"
"""How the log calls who judged."""
_SHOWN_TARGETS: Final = 3
_TOLD: Final = 0.6
"""Share of a caption's rare words above which a text tells of it: most, but for a word or two."""


def logged_verdict(record: RunRecord, picture: Picture | None) -> RunVerdict | None:
    """What the log is to say of a run; None where the captions are not known."""
    if not _panel_names(record, picture):
        return None
    kind, words = judgement(record, picture) or ("", "")
    if kind == "follows":
        n_met, _, n_turns = words.partition(" of ")
        return RunVerdict(f"follows {words}", n_met == n_turns, JUDGE)
    met = words.endswith(" ✓")
    return RunVerdict(words.removesuffix(" ✓"), met if record.spec.steering is not None else None, JUDGE)


def judgement(record: RunRecord, picture: Picture | None) -> tuple[str, str] | None:
    """What the words of a text are about: ("about", "Panel 4 ✓"), or ("follows", "4 of 6").

    By the rare words that it shares with the panels' captions; where those are not known, what it calls by
    name: ("names", "Panel 2"), or None.
    """
    names = _panel_names(record, picture)
    if picture is None or not names:
        return _names_in(record)
    turns = _turns(record)
    if len(turns) > 1:
        hits = sum(_described(text, picture.captions, names) == (target,) for target, text in turns)
        return "follows", f"{hits} of {len(turns)}"
    described = _described(record.text, picture.captions, names)
    if not described:
        return "about", "none"
    if len(described) > _SHOWN_TARGETS:
        return "about", f"{len(described)} panels"
    met = " ✓" if turns and described == (_panel_of(record, picture, names, turns[0][0]),) else ""
    return "about", ", ".join(described) + met


def _names_in(record: RunRecord) -> tuple[str, str] | None:
    names = [region.name for region in record.regions]
    found = dict.fromkeys(place for _, place in named_regions([step.text for step in record.steps], names))
    if not found:
        return None
    more = f" and {len(found) - _SHOWN_TARGETS} more" if len(found) > _SHOWN_TARGETS else ""
    return "names", ", ".join(names[place] for place in list(found)[:_SHOWN_TARGETS]) + more


def _panel_names(record: RunRecord, picture: Picture | None) -> tuple[str, ...]:
    """What a run called the panels that have captions; () where the picture is another one or has none."""
    if (
        picture is None
        or picture.layout is None
        or len(picture.captions) != picture.layout.n
        or picture.sha256 != record.spec.picture_sha256
    ):
        return ()
    by_box = {region.box_px: region.name for region in record.regions}
    boxes = panel_boxes_px(picture.layout, *picture.size_px)
    return tuple(by_box.get(box, f"Panel {number}") for number, box in enumerate(boxes, start=1))


def _turns(record: RunRecord) -> list[tuple[str, str]]:
    """The targets that held for some tokens, each with what was written meanwhile."""
    if record.spec.steering is None:
        return []
    turns = groupby(record.steps, key=lambda step: step.target)
    return [(target, "".join(step.text for step in steps)) for target, steps in turns if target]


def _panel_of(record: RunRecord, picture: Picture, names: Sequence[str], target: str) -> str:
    """The panel that a target is, or that holds more of a painted one than any other."""
    region = next((region for region in record.regions if region.name == target), None)
    if target in names or region is None or picture.layout is None:
        return target
    boxes = panel_boxes_px(picture.layout, *picture.size_px)
    held = [int(region.mask_HW[y0:y1, x0:x1].sum()) for x0, y0, x1, y1 in boxes]
    return names[held.index(max(held))]


def _described(text: str, captions: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The panels that a text says most of; else the one that it says more of than of all others."""
    verdict = describes(text, captions)
    described = tuple(name for name, score in zip(names, verdict.scores, strict=True) if score > _TOLD)
    if described:
        return described
    return () if verdict.chosen is None else (names[verdict.chosen],)
