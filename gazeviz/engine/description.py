"""What a loaded model is, and what exactly was asked of it: the facts that every result is stored with.

Knows the loaded model and prepared prompts; runs nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.run import RunRequest, Sampling
from gazeviz.domain.steering import Steering
from gazeviz.engine.attention import ATTENTION_NAME
from gazeviz.model_folder import folder_name

if TYPE_CHECKING:
    from PIL import Image

    from gazeviz.engine.loading import LoadedModel
    from gazeviz.engine.prompt import Prepared

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
            device=str(loaded.device),
            dtype=str(loaded.dtype).removeprefix("torch."),
            why_not_gpu=loaded.why_not_gpu,
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


def picture_sha256(picture: Image.Image) -> str:
    """Digest of an RGB picture: "WxH:" and its bytes, row by row."""
    return hashlib.sha256(f"{picture.width}x{picture.height}:".encode() + picture.tobytes()).hexdigest()


@cache
def library_versions() -> dict[str, str]:
    """Versions of what a result depends on, gazeviz's own first."""
    from gazeviz import __version__

    return {"gazeviz": __version__, **{name: version(name) for name in _LIBRARIES}}
