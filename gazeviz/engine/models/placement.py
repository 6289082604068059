"""Where a model computes and as what its numbers are held: chosen before it is loaded, by what is free.

On one device, or its layers one after the other on several GPUs (accelerate); as a number type, or its linear
layers in eight or four bits (bitsandbytes). Knows files and devices; loads nothing.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, overload

import torch

from gazeviz.doctor import memory_bytes, without_gpu
from gazeviz.domain.model_files import (
    FEWER_BITS,
    SPREAD_SHARE,
    ModelSizes,
    StoredWeights,
    needed_bytes,
    spread_name,
    stored_weights,
)
from gazeviz.errors import UserError
from gazeviz.model_folder import missing_for, weight_files

TYPES: Final[Mapping[str, torch.dtype]] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_SEVERAL: Final = re.compile(r"cuda:(\d+(?:\+\d+)+)")


@dataclass(frozen=True)
class Numbers:
    """As what a model is held. dtype: what it computes in.  bits: of its linear layers' weights, if fewer."""

    dtype: torch.dtype
    bits: int | None = None

    def __str__(self) -> str:
        return f"{self.bits}bit" if self.bits else str(self.dtype).removeprefix("torch.")

    def options(self, config: Any) -> dict[str, Any]:
        """What tells `from_pretrained` to hold the weights so."""
        if self.bits is None:
            return {}
        if is_quantised(config):
            raise UserError(
                "The model's weights are quantised already.",
                next_step=f"Load it without --dtype {self}.",
            )
        from transformers import BitsAndBytesConfig

        settings: Any = BitsAndBytesConfig
        # The messages of every layer's first call tell the user nothing to do.
        warnings.filterwarnings("ignore", message="MatMul8bitLt")
        if self.bits == 8:
            return {"quantization_config": settings(load_in_8bit=True)}
        four = settings(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=self.dtype)
        return {"quantization_config": four}


@dataclass(frozen=True)
class Placement:
    """The devices of a model, the first one for what goes in and comes out.

    why_not_gpu: one sentence if it computes on the CPU although that was not asked for, else None.
    """

    devices: tuple[torch.device, ...]
    why_not_gpu: str | None = None

    @classmethod
    def on(cls, device: str | torch.device) -> Placement:
        """One device."""
        return cls((torch.device(device),))

    @property
    def home(self) -> torch.device:
        """Where inputs go and answers come from."""
        return self.devices[0]

    @property
    def spread(self) -> bool:
        """Whether its layers lie on several devices."""
        return len(self.devices) > 1

    def __str__(self) -> str:
        return spread_name(device.index for device in self.devices) if self.spread else str(self.home)

    def options(self, *, quantised: bool = False) -> dict[str, Any]:
        """What tells `from_pretrained` to read the weights straight to their devices, where accelerate is
        there to do it: without a copy in main memory.
        """
        if self.spread:
            room = {device.index: int(SPREAD_SHARE * free_memory(device)) for device in self.devices}
            return {"device_map": "balanced", "max_memory": room}
        if quantised or (self.home.type != "cpu" and find_spec("accelerate") is not None):
            return {"device_map": {"": self.home}}
        return {}


def is_quantised(config: Any) -> bool:
    """Whether a checkpoint's own settings say that its weights are held in fewer bits."""
    return bool(getattr(config, "quantization_config", None))


def estimate_memory(
    model: str | Path | Any, numbers: Numbers | torch.dtype | None = None, n_image_tok: int = 1280
) -> int:
    """Return the bytes that a model needs for one picture of `n_image_tok` tokens, weights included.

    `model` is a folder of safetensors (weights counted from their headers) or a transformers configuration
    (weights counted by building it without memory). `numbers` None means as stored (for a configuration: its
    own, or float32).

    Raises:
        OSError, ValueError: a weight file cannot be read.
    """
    wanted = Numbers(numbers) if isinstance(numbers, torch.dtype) else numbers
    if isinstance(model, (str, Path)):
        from transformers import AutoConfig

        folder = Path(model)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        weights = _weights_bytes(stored_weights(weight_files(folder)), wanted)
    else:
        config = model
        weights = _weights_of_config(config, wanted.dtype if wanted else None)
    item_bytes = (wanted.dtype if wanted else _own_dtype(config)).itemsize
    return needed_bytes(weights, _sizes(config), item_bytes, n_image_tok)


def free_memory(device: torch.device) -> int:
    """Return the free bytes of a GPU; of a Mac's shared memory what it recommends at most, less what is
    used."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())


def choose_place(asked: str, folder: Path, numbers: Numbers | None = None) -> Placement:
    """Return the devices to compute on, with why it is not a GPU where "auto" found none to use.

    numbers: as what the model is to be held on a GPU; None: as stored.

    Raises:
        UserError: a device that was asked for by name does not work here, or accelerate is missing for
            several.
    """
    if asked == "auto":
        return _automatic(folder, numbers)
    several = _SEVERAL.fullmatch(asked)
    names = [f"cuda:{number}" for number in several[1].split("+")] if several else [asked]
    try:
        for name in names:
            torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"The device {asked!r} does not work here.", next_step="Use the device 'auto' or 'cpu'."
        ) from error
    if several and missing_for("several GPUs"):
        raise UserError(
            "A model is spread over several GPUs by the package accelerate, which is not installed.",
            next_step='Install it: pip install "gazeviz[big]".',
        )
    return Placement(tuple(torch.device(name) for name in dict.fromkeys(names)))


def _automatic(folder: Path, numbers: Numbers | None) -> Placement:
    """The GPU with the most free memory if the model fits there, else all that it fits into together, else
    the CPU and the reason.
    """
    gpus = _gpus()
    if not gpus:
        why = without_gpu(torch.version.cuda or getattr(torch.version, "hip", None))
        return Placement((torch.device("cpu"),), why)
    room = [free_memory(gpu) for gpu in gpus]
    free, _, best = max((free, -place, gpu) for place, (gpu, free) in enumerate(zip(gpus, room, strict=True)))
    need = estimate_memory(folder, numbers)
    if need <= free:
        return Placement((best,))
    where = "the GPU has" if len(gpus) == 1 else f"the emptiest of {len(gpus)} GPUs has"
    reason = f"The model needs about {need / 2**30:.1f} GiB and {where} {free / 2**30:.1f} GiB free."
    if len(gpus) > 1 and need <= SPREAD_SHARE * sum(room):
        if not missing_for("several GPUs"):
            return Placement(tuple(gpus))
        reason += ' Together they could hold it: pip install "gazeviz[big]".'
    return Placement((torch.device("cpu"),), reason)


def _gpus() -> list[torch.device]:
    """The GPUs that PyTorch can use, in its order."""
    if torch.cuda.is_available():
        n_gpus = torch.cuda.device_count()
        return [torch.device("cuda", i) for i in range(n_gpus)] if n_gpus > 1 else [torch.device("cuda")]
    return [torch.device("mps")] if torch.backends.mps.is_available() else []


def fit_into_memory(
    folder: Path, asked: str, usual: Numbers, config: Any, place: Placement
) -> tuple[Numbers, Placement]:
    """As what a model that found no GPU is held so that it fits into main memory, and the reason with it.

    Raises:
        UserError: it fits in none.
    """
    free = memory_bytes()[1]
    own, reason = Numbers(_own_dtype(config)), place.why_not_gpu
    narrower = asked == "auto" and own.dtype.itemsize < usual.dtype.itemsize
    choices = [usual, own] if narrower else [usual]
    needs = [estimate_memory(folder, numbers) for numbers in choices]
    if free is None or needs[0] <= free:
        return usual, place
    gib = f"{needs[0] / 2**30:.1f} GiB as {usual}"
    if needs[-1] <= free:
        told = f"{reason} On the processor it is held as {choices[-1]}, because it would take {gib}."
        return choices[-1], replace(place, why_not_gpu=told)
    raise UserError(
        f"{reason} On the processor it would take {gib}, and {free / 2**30:.1f} GiB are free.",
        next_step="Close other programs, choose the number type 4bit or a smaller model, or try it with the "
        "device 'cpu'.",
    )


@overload
def choose_numbers(asked: str, place: Placement, config: Any) -> Numbers: ...
@overload
def choose_numbers(asked: str, place: None, config: Any) -> Numbers | None: ...
def choose_numbers(asked: str, place: Placement | None, config: Any) -> Numbers | None:
    """Return as what a model is held: float32 on the CPU, the checkpoint's own on a GPU, or as asked for.

    Without a place: what was asked for, None where that is left open.

    Raises:
        UserError: a name that is none of auto, the number types, 8bit and 4bit; or bitsandbytes is missing.
    """
    if asked in TYPES:
        return Numbers(TYPES[asked])
    if asked in FEWER_BITS:
        if missing := missing_for("bitsandbytes"):
            raise UserError(
                f"Weights in {asked} need the package {missing[0]}, which is not installed.",
                next_step='Install it: pip install "gazeviz[quant]".',
            )
        on_cpu = place is not None and place.home.type == "cpu"
        return Numbers(torch.float32 if on_cpu else torch.bfloat16, int(asked.removesuffix("bit")))
    if asked != "auto":
        known = ", ".join((*TYPES, *FEWER_BITS))
        raise UserError(f"{asked!r} is no number type of a model.", next_step=f"Use one of: auto, {known}.")
    if place is None:
        return None
    own = config.dtype or getattr(config.get_text_config(), "dtype", None)
    return Numbers(own if place.home.type != "cpu" and isinstance(own, torch.dtype) else torch.float32)


def _weights_bytes(weights: StoredWeights, numbers: Numbers | None) -> int:
    """Bytes of all tensors of a folder, as `numbers`."""
    if numbers is None:
        return weights.bytes_as(None)
    return weights.bytes_as(numbers.dtype.itemsize, FEWER_BITS.get(str(numbers)))


def _weights_of_config(config: Any, dtype: torch.dtype | None) -> int:
    """Count the parameters of a model that is built on the meta device, so without memory."""
    from transformers import AutoModelForImageTextToText

    build: Any = AutoModelForImageTextToText.from_config
    with torch.device("meta"):
        model = build(config)
    return int(sum(p.numel() for p in model.parameters()) * (dtype or _own_dtype(config)).itemsize)


def _own_dtype(config: Any) -> torch.dtype:
    own = config.dtype or getattr(config.get_text_config(), "dtype", None)
    return own if isinstance(own, torch.dtype) else torch.float32


def _sizes(config: Any) -> ModelSizes | None:
    # As plain data: configurations whose layers differ raise where a layer's number is asked of the whole.
    vision = getattr(config, "vision_config", None)
    return ModelSizes.of(config.get_text_config().to_dict(), vision.to_dict() if vision is not None else None)
