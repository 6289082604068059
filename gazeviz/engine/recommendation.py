"""What a model's own folder recommends for steering it: heads, how many, and how.

A model card writes `recommended.json` and `rankings/NAME.json`; a folder with the published
`gaze_head_ranking.json` alone recommends its best heads. Knows files and settings; measures nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.steering import Hard, Mode, Scope
from gazeviz.errors import UserError

RECOMMENDED_FILE: Final = "recommended.json"
RANKINGS_FOLDER: Final = "rankings"
RANKING_FILE: Final = "gaze_head_ranking.json"
"""The file name of the gaze-heads paper's discovery."""

Task: TypeAlias = Literal["answer", "moving", "region"]
"""One question about a strip, a narration with a moving target, a region of a scene."""


@dataclass(frozen=True)
class Recommendation:
    """A setting measured to steer well: the `n` best heads of a ranking, mode, strength and scope."""

    ranking: HeadRanking
    n: int
    mode: Mode = "boost_suppress"
    strength: float | Hard = 8.0
    scope: Scope | None = None
    alpha: float = 0.9

    @property
    def heads(self) -> HeadSet:
        """The recommended heads."""
        return self.ranking.top(self.n)


def usual_count(ranking: HeadRanking) -> int:
    """Return how many heads are steered where nothing was measured: 12, or one in twelve of a larger grid.

    The gaze-heads paper steers 100 of 1152; a small grid needs a larger part (12 of the built-in model's 64).
    """
    n_heads = len(ranking.order())
    return min(n_heads, max(12, round(n_heads / 12)))


def recommendation(folder: Path, shape_LH: tuple[int, int], task: Task = "answer") -> Recommendation | None:
    """Read what the model in `folder` recommends for a task; None where it recommends nothing.

    Raises UserError for files that are damaged or name heads that the model lacks.
    """
    path = folder / RECOMMENDED_FILE
    if path.is_file():
        return _measured(path, shape_LH, task)
    if (folder / RANKING_FILE).is_file():
        ranking = HeadRanking.load(folder / RANKING_FILE, shape_LH)
        return Recommendation(ranking, usual_count(ranking))
    return None


def _measured(path: Path, shape_LH: tuple[int, int], task: Task) -> Recommendation:
    try:
        wanted = _section(json.loads(path.read_text("utf-8")), task)
        name, n = str(wanted["ranking"]), int(wanted["n"])
        how = {key: wanted[key] for key in ("mode", "strength", "scope", "alpha")}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} is no recommendation.", next_step="Write the model card again, or delete the file."
        ) from error
    ranking = HeadRanking.load(path.parent / RANKINGS_FOLDER / f"{name}.json", shape_LH, name)
    return Recommendation(ranking, n, **how)


def _section(data: Mapping[str, Any], task: Task) -> Mapping[str, Any]:
    """What is said of a task; else what is said of answers, but for the rows: the task has its own."""
    return data if task == "answer" else data.get(task) or {**data, "scope": None}
