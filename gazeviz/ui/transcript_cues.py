"""Regions as a transcript shows them: number and colour, those of the region list while it has the region.

A run keeps its own regions; a region that was renamed or removed since keeps the look it had in the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, TypeAlias

from PySide6.QtGui import QColor

from gazeviz.app.session_model import SessionModel
from gazeviz.app.session_parts import RunRecord
from gazeviz.domain.messages import StepArrived
from gazeviz.domain.region import region_colour
from gazeviz.render.overlay import ink_on
from gazeviz.ui import theme

TintBy: TypeAlias = Literal["looks_at", "target"]

_TINT: Final = 0.22


@dataclass(frozen=True)
class RegionCue:
    """How a region is told apart: by colour and by number. number: "" for what is not in the list."""

    name: str
    number: str
    colour: str

    @cached_property
    def solid(self) -> QColor:
        """The colour itself."""
        return QColor(self.colour)

    @cached_property
    def tint(self) -> QColor:
        """The colour behind a text."""
        tint = QColor(self.colour)
        tint.setAlphaF(_TINT)
        return tint

    @cached_property
    def ink(self) -> QColor:
        """Black or white, whichever reads on the colour."""
        return QColor(ink_on(self.colour))


class RunCues:
    """The regions of one run, looked up once."""

    def __init__(self, model: SessionModel, record: RunRecord) -> None:
        self._model = model
        self.regions = tuple(
            self._cue(region.name, place, region.colour) for place, region in enumerate(record.regions)
        )
        self._by_name = {cue.name: cue for cue in self.regions}

    def named(self, name: str | None) -> RegionCue | None:
        """The cue of a name, of a target that is no region of the run (the spotlight) too; None for none."""
        if not name:
            return None
        if name not in self._by_name:
            self._by_name[name] = self._cue(name, None, None)
        return self._by_name[name]

    def of_step(self, step: StepArrived, by: TintBy) -> RegionCue | None:
        """The cue that tints a token."""
        if by == "target":
            return self.named(step.target)
        return self.regions[step.looks_at] if step.looks_at is not None else None

    def _cue(self, name: str, place: int | None, colour: str | None) -> RegionCue:
        regions = self._model.regions
        listed = regions.named(name)
        if listed is not None:
            return RegionCue(name, str(regions.number_of(listed.id)), listed.colour)
        if place is None:
            return RegionCue(name, "", theme.current().soft.name())
        return RegionCue(name, str(place + 1), colour or region_colour(place))


def targets_of(record: RunRecord) -> tuple[str | None, ...]:
    """Names of a steered run's targets in the order of their turns, None where the heads were let go.

    What happened, and after it what is still laid out for tokens to come.
    """
    steering = record.spec.steering
    if steering is None:
        return ()
    names: list[str | None] = [step.target for step in record.steps]
    if not names:
        names.append(_name_at(record, 0))
    if not record.ended and steering.schedule is not None:
        later = (turn for turn in steering.schedule.switches if turn[0] >= len(names))
        names.extend(region.name if region is not None else None for _, region in later)
    return _without_repeats(names)


def _name_at(record: RunRecord, step: int) -> str | None:
    steering = record.spec.steering
    region = steering.target_at(step) if steering is not None else None
    return region.name if region is not None else None


def _without_repeats(names: Sequence[str | None]) -> tuple[str | None, ...]:
    return tuple(name for place, name in enumerate(names) if place == 0 or name != names[place - 1])
