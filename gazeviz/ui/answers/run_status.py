"""What a column of the transcript says while there is no finished text: a sentence, and what to do next.

Every state of a run is put into words here. Reads the session; the column shows what comes out and does what
its button says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from gazeviz.app.runs.readiness import readiness
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import RunRecord, SteeringSettings
from gazeviz.domain.answer_text import Junk
from gazeviz.domain.steering import HARD
from gazeviz.domain.wording import plural
from gazeviz.ui.answers.token_cursor import Column

Tone: TypeAlias = Literal["quiet", "warning", "error"]
_GENTLE: Final = 8.0


@dataclass(frozen=True)
class Situation:
    """What is said: a sentence, the next step, and the id of the button's command ("" for no button)."""

    sentence: str
    next_step: str = ""
    command: str = ""
    tone: Tone = "quiet"


def situation(model: SessionModel, side: Column, record: RunRecord | None) -> Situation | None:
    """What a column has to say; None where the text speaks for itself."""
    if record is None:
        return _nothing_yet(model, side)
    n_tok = len(record.steps)
    match record.state:
        case "queued":
            before = model.run_of("baseline") if side == "steered" else None
            waits = (
                "Waiting for the baseline."
                if before is not None and not before.ended
                else "Waiting in the queue."
            )
            return Situation(waits, "It starts automatically.", "run.stop")
        case "loading":
            return Situation(
                "The model is reading the picture and the prompt.", "The first token follows.", "run.stop"
            )
        case "running":
            return None
        case "cancelled":
            happened = record.message or ("" if n_tok else "Stopped before the first token.")
            return Situation(happened or f"Stopped after {plural(n_tok, 'token')}.", "", _again(record))
        case "failed":
            return Situation(record.message or "The run failed.", "", _again(record), "error")
        case "lost":
            return _lost(model, record)
        case "done":
            return _done(record)


def _nothing_yet(model: SessionModel, side: Column) -> Situation:
    if model.worker_state == "lost":
        return Situation(model.worker_message or "The worker has ended.", "", "run.restart_worker", "error")
    ready = readiness(model, side)
    if not ready.can_run:
        return Situation(ready.sentence, ready.next_step)
    if side == "baseline":
        return Situation("No answer yet.", "Run asks the model without steering.", "run.both")
    target = model.target_region
    where = "the scheduled targets" if model.schedule or target is None else target.name
    n_heads = len(model.chosen)
    heads = plural(n_heads, "head")
    return Situation(f"{heads} will be pointed at {where}.", "", "run.both")


def _lost(model: SessionModel, record: RunRecord) -> Situation:
    message = record.message or "The worker was lost."
    match model.worker_state:
        case "lost":
            return Situation(message, "", "run.restart_worker", "error")
        case "ready":
            return Situation(message, "A new worker is ready.", _again(record), "error")
        case "busy":
            return Situation(message, "", "", "error")
        case _:
            return Situation(message, "A new worker is starting.", "", "error")


def _done(record: RunRecord) -> Situation | None:
    summary = record.summary
    if summary is None:
        return None
    if summary.junk is not None:
        return junk_warning(record, summary.junk)
    if summary.finish == "length":
        return Situation(
            f"Stopped at {plural(len(record.steps), 'token')}.", "Raise the limit to let it finish."
        )
    return None


def junk_warning(record: RunRecord, junk: Junk) -> Situation:
    """What to say of a text that says nothing."""
    what = {
        "empty": "The text is empty.",
        "looping": "The text loops.",
        "label only": "The text is only a label.",
    }
    if record.spec.steering is None:
        return Situation(what[junk], "Steering is not the cause: rephrase the prompt.", "", "warning")
    weaken = "run.weaker" if record.ended else ""
    return Situation(
        f"Junk: {what[junk].lower()}", "Reduce the strength or steer fewer heads.", weaken, "warning"
    )


def weaker(record: RunRecord, settings: SteeringSettings) -> SteeringSettings:
    """The present settings with half of a run's strength (alpha, where that is what counts)."""
    steering = record.spec.steering
    if steering is None or steering.mode == "knock_out":
        return settings
    if steering.mode == "mass":
        return replace(settings, mode="mass", alpha=round(steering.alpha / 2, 2))
    if steering.strength in HARD or isinstance(steering.strength, str):
        return replace(settings, strength=_GENTLE)
    return replace(settings, strength=steering.strength / 2)


def _again(record: RunRecord) -> str:
    """The command that runs the same side once more."""
    return f"run.{record.side}"
