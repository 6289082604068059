"""Whether a run can begin, and what is missing where it cannot: in words, before anybody has tried.

Says in advance what RunController.run would say. Reads the session alone; costs next to nothing, so that it
can be asked whenever something changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from PySide6.QtCore import SignalInstance

from gazeviz.app.runs.runner import Which
from gazeviz.app.session.session_model import SessionModel

_Missing: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Readiness:
    """What a request to run would do.

    baseline, steered: whether that answer would be written.
    sentence, next_step: what is missing for all that was wished for; "" where nothing is.
    """

    baseline: bool
    steered: bool
    sentence: str = ""
    next_step: str = ""

    @property
    def can_run(self) -> bool:
        """Whether anything would be written."""
        return self.baseline or self.steered


READY: Final = Readiness(True, True)
LOADING: Final = ("The model is being loaded.", "Wait until it has loaded.")
OTHER_MODEL: Final = "The model of the run on screen is not loaded."


def reasons(model: SessionModel, which: Which = "both") -> tuple[SignalInstance, ...]:
    """Signals after which `readiness` may be another; one more, `worker_changed`, comes with every run."""
    for_any = (
        model.model_changed, model.picture_changed, model.grid_changed,
        model.prompt_changed, model.generation_changed, model.ranking_changed,
    )  # fmt: skip
    if which == "baseline":
        return for_any
    return (
        *for_any, model.regions_changed, model.region_filled, model.target_changed, model.rule_changed,
        model.chosen_changed, model.schedule_changed,
    )  # fmt: skip


def readiness(model: SessionModel, which: Which = "both") -> Readiness:
    """What a request to run would do now, apart from a run that is under way.

    "both" without heads or a target is the baseline alone, and says what is missing for the other.
    """
    missing = _missing_for_any(model)
    if missing is not None:
        return Readiness(False, False, *missing)
    if which == "baseline":
        return Readiness(True, False)
    missing = _missing_for_steering(model)
    if missing is None:
        return Readiness(which == "both", True)
    wanted = len(model.chosen) and model.has_aim
    return Readiness(which == "both" and not wanted, False, *missing)


def _missing_for_any(model: SessionModel) -> _Missing | None:
    """In the order in which the controller looks."""
    if model.worker_state in ("starting", "loading"):
        return LOADING
    if model.worker_state == "lost" or model.model_info is None:
        return "No model is loaded.", "Open one: Ctrl+M."
    if model.worker_state == "none":
        return OTHER_MODEL, f"Load {model.model_info.name} to run it again."
    if model.measured_rankings:
        return "The heads are being measured.", "Wait for it to finish, or cancel it."
    if model.studying:
        return model.studying, "Wait for it to finish, or cancel it."
    if model.picture is None:
        return "There is no picture.", "Open a picture first."
    if model.grid is None:
        return "The picture is not ready yet.", "Wait until the model has processed it."
    if not model.prompt.strip():
        return "The prompt is empty.", "Write a prompt."
    if model.generation.max_new_tokens < 2:
        return "The limit is a single token.", "Allow at least two."
    return None


def _missing_for_steering(model: SessionModel) -> _Missing | None:
    targets = [region_id for _, region_id in model.schedule] + [model.target_region_id]
    aimed_at = [region_id for region_id in dict.fromkeys(targets) if region_id is not None]
    aims = model.has_aim
    if not aims and not len(model.regions):
        return "There is no region.", "Paint one on the picture, or choose a layout of panels."
    if not aims:
        return "No target: steering is off.", "Click a region or press its number."
    if not len(model.chosen):
        return "No head is chosen.", "Choose heads to steer."
    for region_id in aimed_at:
        region = model.regions.get(region_id)
        if region is None or model.cells_of(region_id).size:
            continue
        if region.empty:
            return f"Nothing is painted in the region “{region.name}”.", "Paint it, or choose another target."
        return f"The region “{region.name}” selects no cell.", "Paint it larger, or choose another target."
    return None
