"""How runs are told on the command line: one document for programs, lines and tinted tokens for people.

A token's colour is that of the region that the tracked heads look at most while it is written. It does not
know where the run came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gazeviz.domain.region import Region, region_colour
from gazeviz.render.palette import figure_text

if TYPE_CHECKING:
    from rich.text import Text

    from gazeviz.domain.run import Audit, Run, Step
    from gazeviz.domain.steering import Steering

BARELY = 0.05
"""Below this mass on every region the heads look at none of them, and a token stays untinted."""


def run_document(run: Run, regions: Sequence[Region] = ()) -> dict[str, Any]:
    """Return a run as JSON holds it: text, tokens, audit, request, and the mass on each region by token."""
    document: dict[str, Any] = {
        "text": run.text,
        "finish": run.finish,
        "junk": run.junk,
        "tokens": [_token(step) for step in run.tokens],
        "switches": [[step, name] for step, name in run.switches],
        "audit": run.audit and run.audit.to_json(),
        "request": run.request.to_json(),
    }
    if regions and len(run.tracked):
        masses_TR = run.trajectory(regions).masses_TR
        document["trajectory"] = {
            "regions": [region.name for region in regions],
            "masses": np.round(masses_TR.astype(float), 5).tolist(),
        }
    return document


def _token(step: Step) -> dict[str, Any]:
    return {
        "index": step.index,
        "id": step.token_id,
        "text": step.text,
        "logprob": round(step.logprob, 6),
        "target": step.target,
        "ms": round(step.ms, 2),
    }


def tinted(run: Run, regions: Sequence[Region] = ()) -> Text:
    """Return the answer, each token underlined in the colour of the region that its heads look at most."""
    from rich.text import Text

    text = Text()
    if not regions or not len(run.tracked) or not run.tokens:
        return text.append(run.text.strip() or "(no text)")
    masses_TR = run.trajectory(regions).masses_TR
    for step, mass_R in zip(run.tokens, masses_TR, strict=True):
        place = int(mass_R.argmax())
        colour = regions[place].colour or region_colour(place)
        text.append(step.text, style=f"bold {colour}" if mass_R[place] >= BARELY else "")
    text.rstrip()
    return text if text.plain else text.append("(no text)")


def region_key(regions: Sequence[Region]) -> Text:
    """Return the regions' names in their colours: the legend of tinted tokens."""
    from rich.text import Text

    key = Text("looks at  ", style="dim")
    for place, region in enumerate(regions):
        key.append("■ ", style=region.colour or region_colour(place)).append(f"{region.name}   ", style="dim")
    return key


def steering_line(steering: Steering) -> str:
    """Say a steering in one line: which heads, where, how."""
    n_heads = len(steering.heads)
    strength = steering.strength if isinstance(steering.strength, str) else f"{steering.strength:g}"
    how = f"alpha {figure_text(steering.alpha)}" if steering.mode == "mass" else f"strength {strength}"
    where = "a schedule of targets" if steering.schedule else steering.target.name
    origin = f"{n_heads} heads ({steering.heads.origin})" if n_heads > 1 else f"{steering.heads}"
    return f"{origin} → {where} · {steering.mode} · {how} · {steering.scope}".replace("_", " ")


def audit_line(audit: Audit | None, junk: str | None) -> str:
    """Say whether the bias arrived: the mass on the target before and after, rows touched, junk."""
    said = f"junk {junk or 'no'}"
    if audit is None:
        return said
    moved = f"mass on target {figure_text(audit.mass_before)} → {figure_text(audit.mass_after)}"
    return f"{moved} · {audit.n_target_tok} cells · {audit.n_rows} rows biased · {said}"


def ledger_rows(audit: Audit) -> list[tuple[str, str, str, str]]:
    """Return the rerouting ledger: group, before, after, gained."""
    ledger = audit.ledger
    return [
        (group, figure_text(before), figure_text(after), f"{'+' if gained >= 0 else ''}{figure_text(gained)}")
        for group, before, after, gained in zip(
            ledger.groups, ledger.before_G, ledger.after_G, ledger.gained_G, strict=True
        )
    ]
