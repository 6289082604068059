"""Why something cannot be done now: a sentence and what to do about it, the same for every command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from gazeviz.app.runs.readiness import readiness
from gazeviz.app.runs.runner import Which
from gazeviz.app.session.session_model import SessionModel

Reason: TypeAlias = Callable[[], str | None]
"""None where nothing is in the way."""


def no_picture(model: SessionModel) -> Reason:
    return lambda: None if model.picture is not None else "There is no picture. Open one: Ctrl+O."


def no_cells(model: SessionModel) -> Reason:
    """The model has not divided the picture into image tokens."""
    return lambda: (
        None if model.grid is not None else "The model has not processed the picture yet. Wait a moment."
    )


def no_model(model: SessionModel) -> Reason:
    return lambda: None if model.model_info is not None else "No model is loaded. Open one: Ctrl+M."


def no_active_region(model: SessionModel, unlocked: bool = False) -> Reason:
    """unlocked: a locked one counts as none."""

    def reason() -> str | None:
        region = model.active_region
        if region is None:
            return "No region is active. Click one in the list."
        return "The region is locked. Unlock it first." if unlocked and region.locked else None

    return reason


def no_painted_region(model: SessionModel) -> Reason:
    return lambda: None if model.regions.painted() else "Nothing is painted yet. Paint a region first."


def no_chosen_head(model: SessionModel) -> Reason:
    return lambda: None if len(model.chosen) else "No head is chosen. Choose heads on the grid."


def no_ranking(model: SessionModel) -> Reason:
    """No ranking is shown."""
    return lambda: None if model.ranking is not None else "No ranking is shown. Measure or import one."


def not_ready(model: SessionModel, which: Which = "both") -> Reason:
    """The prompt cannot be run."""

    def reason() -> str | None:
        ready = readiness(model, which)
        return None if ready.can_run else f"{ready.sentence} {ready.next_step}".strip()

    return reason


def first_of(*reasons: Reason) -> Reason:
    """The first of several reasons that holds."""
    return lambda: next((why for why in (reason() for reason in reasons) if why is not None), None)
