"""What a loaded model is, and what exactly was asked of it: the facts that every result is stored with.

Knows the loaded model and prepared prompts; runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.run import RunRequest, Sampling
from gazeviz.domain.steering import Hard, Mode, Scope, Steering
from gazeviz.engine.attention.hook import ATTENTION_NAME
from gazeviz.errors import UserError
from gazeviz.imaging import picture_sha256
from gazeviz.model_folder import folder_name

if TYPE_CHECKING:
    from gazeviz.engine.models.loading import LoadedModel
    from gazeviz.engine.models.prompt import Prepared


# What a model's own folder recommends for steering it: heads, how many, and how.
#
# A model card writes `recommended.json` and `rankings/NAME.json`; a folder with the published
# `gaze_head_ranking.json` alone recommends its best heads. Knows files and settings; measures nothing.


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


# A run depends on what computes, on what holds the models, and on what makes their inputs.
_LIBRARIES = ("numpy", "pillow", "tokenizers", "torch", "transformers")


@dataclass(frozen=True, eq=False)
class ModelDescription:
    """What a loaded model is, in numbers and words.

    present_LH: bool (L, H), which heads exist (some families lack attention in some layers).
    windows_L: how many keys each layer's heads see, None for all (and for layers without attention).
    why_not_gpu: one sentence if it computes on the processor although nobody asked for that.
    """

    name: str
    path: Path
    family: str
    fingerprint: str
    n_parameters: int
    present_LH: NDArray[np.bool_]
    windows_L: tuple[int | None, ...]
    context_tok: int
    max_image_tokens: int
    device: str
    dtype: str
    why_not_gpu: str | None

    @classmethod
    def of(cls, loaded: LoadedModel, max_image_tokens: int) -> ModelDescription:
        """Describe a loaded model."""
        present_LH = np.zeros(loaded.hook.shape_LH, dtype=bool)
        windows_L: list[int | None] = [None] * len(present_LH)
        for site in loaded.hook.sites:
            present_LH[site.index, : site.n_heads] = True
            windows_L[site.index] = site.window
        return cls(
            name=folder_name(loaded.path),
            path=loaded.path,
            family=loaded.family.name,
            fingerprint=loaded.fingerprint,
            n_parameters=sum(weight.numel() for weight in loaded.model.parameters()),
            present_LH=present_LH,
            windows_L=tuple(windows_L),
            context_tok=loaded.context_tok,
            max_image_tokens=max_image_tokens,
            device=str(loaded.place),
            dtype=str(loaded.numbers),
            why_not_gpu=loaded.place.why_not_gpu,
        )

    @property
    def shape_LH(self) -> tuple[int, int]:
        """Layers, and heads of the widest layer."""
        n_layers, n_heads = self.present_LH.shape
        return n_layers, n_heads

    def all_heads(self) -> HeadSet:
        """Every head that the model has."""
        every = HeadSet.all(self.shape_LH)
        present = tuple(head for head in every if self.present_LH[head.layer, head.index])
        return HeadSet(present, every.origin)

    def __str__(self) -> str:
        n_layers, n_heads = self.shape_LH
        return (
            f"{self.name} ({self.family}, {self.n_parameters / 1e6:.1f} M parameters, {n_layers} layers x "
            f"{n_heads} heads) on {self.device} in {self.dtype}"
        )


def request_for(
    model: ModelDescription,
    prepared: Prepared,
    prompt: str,
    steering: Steering | None,
    sampling: Sampling,
    max_new_tokens: int,
    tracked: HeadSet,
) -> RunRequest:
    """Write down everything that can change the result of a run."""
    return RunRequest(
        model_path=str(model.path),
        model_fingerprint=model.fingerprint,
        dtype=model.dtype,
        device=model.device,
        attention=f"{ATTENTION_NAME}/sdpa",
        prompt=prompt,
        image_sha256=picture_sha256(prepared.picture),
        picture_size_px=prepared.grid.picture_size_px,
        fed_size_px=prepared.grid.fed_size_px,
        steering=steering,
        sampling=sampling,
        max_new_tokens=max_new_tokens,
        tracked=tracked,
        max_image_tokens=model.max_image_tokens,
        versions=library_versions(),
    )


@cache
def library_versions() -> dict[str, str]:
    """Versions of what a result depends on, gazeviz's own first."""
    from gazeviz import __version__

    return {"gazeviz": __version__, **{name: version(name) for name in _LIBRARIES}}
