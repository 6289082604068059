"""Loading a model: from a folder to a `LoadedModel` that the rest of the engine works on.

A folder of Hugging Face files, or the built-in model. A repository id works only if it is already in the
local cache: nothing here reaches for the network, no code of a checkpoint is run, only safetensors are read.
Knows nothing of pictures or prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, overload

import torch

from gazeviz.doctor import memory_bytes, without_gpu
from gazeviz.domain.model_files import TEXT_TOK as TEXT_TOK
from gazeviz.domain.model_files import ModelSizes, needed_bytes, stored_weights
from gazeviz.engine.attention.hook import ATTENTION_NAME, AttentionHook, register
from gazeviz.engine.models.chat_template import renderer
from gazeviz.engine.models.families import Family, family_of
from gazeviz.engine.models.processors import load_processor
from gazeviz.errors import UserError
from gazeviz.model_folder import (
    check_settings,
    check_unquantised,
    find_folder,
    fingerprint_of,
    read_config,
    weight_files,
)

# How much memory a model will take, told from its files before it is loaded.
#
# For choosing a device and for the doctor's report. The arithmetic is that of gazeviz.domain.model_files;
# here it is asked about transformers' configurations, which know every family's usual values. Knows nothing
# of what is running at the moment but a device's free memory.


def estimate_memory(
    model: str | Path | Any, dtype: torch.dtype | None = None, n_image_tok: int = 1280
) -> int:
    """Return the bytes that a model needs for one picture of `n_image_tok` tokens, weights included.

    `model` is a folder of safetensors (weights counted from their headers) or a transformers configuration
    (weights counted by building it without memory). `dtype` None means as stored (for a configuration: its
    own, or float32).

    Raises:
        OSError, ValueError: a weight file cannot be read.
    """
    if isinstance(model, (str, Path)):
        from transformers import AutoConfig

        folder = Path(model)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        weights = _weights_of_files(folder, dtype)
    else:
        config = model
        weights = _weights_of_config(config, dtype)
    return needed_bytes(weights, _sizes(config), (dtype or _own_dtype(config)).itemsize, n_image_tok)


def free_memory(device: torch.device) -> int:
    """Return the free bytes of a GPU; of a Mac's shared memory what it recommends at most, less what is
    used."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())


def _weights_of_files(folder: Path, dtype: torch.dtype | None) -> int:
    """Sum over all tensors of a folder; floating ones in `dtype` where one is given."""
    weights = stored_weights(weight_files(folder))
    return weights.bytes_as(dtype.itemsize if dtype is not None else None)


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


__all__ = [
    "LoadedModel",
    "Progress",
    "choose_device",
    "choose_dtype",
    "find_folder",
    "fingerprint_of",
    "load_model",
    "read_config",
    "weight_files",
]

Progress = Callable[[str, float], None]
"""Told what is being done, and the part done of all of it, 0..1."""


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for work.

    Attributes:
        model: the transformers model, in evaluation mode, without gradients on its weights.
        processor: the checkpoint's own; its image processor is an `ImageTap`.
        tokenizer: the processor's tokenizer.
        family: its row of the family table.
        path: the folder that it was loaded from.
        fingerprint: sha256 (hex) over config and weights; see `fingerprint_of`.
        device: where it computes.
        dtype: of its weights.
        why_not_gpu: one sentence if it computes on the CPU although that was not asked for, else None.
        hook: captures and steers its attention layers.
    """

    model: Any = field(repr=False)
    processor: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    family: Family
    path: Path
    fingerprint: str
    device: torch.device
    dtype: torch.dtype
    why_not_gpu: str | None
    hook: AttentionHook = field(repr=False)

    @property
    def image_token_id(self) -> int:
        """Token id of an image token in the prompt."""
        config = self.model.config
        named = getattr(config, "image_token_id", None)
        return int(config.image_token_index if named is None else named)

    @property
    def special_tokens(self) -> dict[int, str]:
        """The tokenizer's names of the tokens that decoding leaves out, by id, the lowest first."""
        added = sorted(self.tokenizer.added_tokens_decoder.items())
        return {token_id: token.content for token_id, token in added if token.special}

    @property
    def context_tok(self) -> int:
        """The longest sequence that the language model was made for, in tokens."""
        return int(self.model.config.get_text_config().max_position_embeddings)


def load_model(
    source: str | Path | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    progress: Progress | None = None,
) -> LoadedModel:
    """Load a model folder (None: the built-in model) and attach the attention hook.

    `device` is "auto" (a GPU if one works and the model fits, else the CPU), "cpu", "cuda", "cuda:1", "mps".
    `dtype` is "auto" (float32 on the CPU, the checkpoint's own on a GPU), "float32", "bfloat16", "float16".

    Raises:
        UserError: no such folder, no config.json, a family that is refused or not known, no safetensors,
            missing tokenizer or image processor, a device that does not work here.
    """
    tell = progress or (lambda _what, _part: None)
    folder = find_folder(source)
    settings = read_config(folder)
    family = family_of(settings)
    check_unquantised(settings)
    weight_files(folder)
    check_settings(folder)
    _check_weights(folder)
    tell("reading the settings", 0.05)
    config = _configuration(folder)
    wanted = choose_dtype(dtype, None, config)
    place, why_not_gpu = choose_device(device, folder, wanted)
    number_type = choose_dtype(dtype, place, config)
    if why_not_gpu is not None:
        number_type, why_not_gpu = _fit_into_memory(folder, dtype, number_type, config, why_not_gpu)
    renderer.start()  # ready by the time the weights are
    processor = load_processor(folder, config)
    tell("loading the weights", 0.15)
    model = _load_weights(folder, config, number_type, place)
    tell("fingerprint", 0.85)
    fingerprint = fingerprint_of(folder)
    hook = AttentionHook.attach(model, lambda: _probe(model))
    tell("ready", 1.0)
    return LoadedModel(
        model,
        processor,
        processor.tokenizer,
        family,
        folder,
        fingerprint,
        place,
        number_type,
        why_not_gpu,
        hook,
    )


def _check_weights(folder: Path) -> None:
    """Refuse weight files that are missing or cut short, by their headers."""
    try:
        stored_weights(weight_files(folder))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(folder, str(error).strip().splitlines()[0]) from error


def choose_device(
    asked: str, folder: Path, dtype: torch.dtype | None = None
) -> tuple[torch.device, str | None]:
    """Return the device to compute on, and why it is not a GPU where "auto" found none to use.

    dtype: in which the model is to be held on a GPU; None: as stored.

    Raises:
        UserError: a device that was asked for by name does not work here.
    """
    if asked == "auto":
        return _automatic_device(folder, dtype)
    try:
        torch.empty(1, device=asked)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"The device {asked!r} does not work here.", next_step="Use the device 'auto' or 'cpu'."
        ) from error
    return torch.device(asked), None


def _automatic_device(folder: Path, dtype: torch.dtype | None) -> tuple[torch.device, str | None]:
    """The GPU with the most free memory if the model fits there, else the CPU and the reason."""
    gpus = _gpus()
    if not gpus:
        return torch.device("cpu"), without_gpu(torch.version.cuda or getattr(torch.version, "hip", None))
    free, _, gpu = max((free_memory(gpu), -place, gpu) for place, gpu in enumerate(gpus))
    need = estimate_memory(folder, dtype)
    if need <= free:
        return gpu, None
    where = "the GPU has" if len(gpus) == 1 else f"the emptiest of {len(gpus)} GPUs has"
    reason = f"The model needs about {need / 2**30:.1f} GiB and {where} {free / 2**30:.1f} GiB free."
    return torch.device("cpu"), reason


def _gpus() -> list[torch.device]:
    """The GPUs that PyTorch can use, in its order."""
    if torch.cuda.is_available():
        n_gpus = torch.cuda.device_count()
        return [torch.device("cuda", i) for i in range(n_gpus)] if n_gpus > 1 else [torch.device("cuda")]
    return [torch.device("mps")] if torch.backends.mps.is_available() else []


def _fit_into_memory(
    folder: Path, asked: str, usual: torch.dtype, config: Any, reason: str
) -> tuple[torch.dtype, str]:
    """The number type in which a model that found no GPU fits into main memory, and the reason with it.

    Raises:
        UserError: it fits in none.
    """
    free = memory_bytes()[1]
    own = _own_dtype(config)
    types = [usual] if asked != "auto" else [usual, own] if own.itemsize < usual.itemsize else [usual]
    needs = [estimate_memory(folder, dtype) for dtype in types]
    if free is None or needs[0] <= free:
        return usual, reason
    gib = f"{needs[0] / 2**30:.1f} GiB as {str(usual).removeprefix('torch.')}"
    if needs[-1] <= free:
        name = str(types[-1]).removeprefix("torch.")
        return types[-1], f"{reason} On the processor it is held as {name}, because it would take {gib}."
    raise UserError(
        f"{reason} On the processor it would take {gib}, and {free / 2**30:.1f} GiB are free.",
        next_step="Close other programs, choose a smaller model, or try it with the device 'cpu'.",
    )


@overload
def choose_dtype(asked: str, device: torch.device, config: Any) -> torch.dtype: ...
@overload
def choose_dtype(asked: str, device: None, config: Any) -> torch.dtype | None: ...
def choose_dtype(asked: str, device: torch.device | None, config: Any) -> torch.dtype | None:
    """Return the number type: float32 on the CPU, the checkpoint's own on a GPU, or the one asked for.

    Without a device: the one asked for, None where that is left open.

    Raises:
        UserError: a name that is none of auto, float32, bfloat16, float16.
    """
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if asked in known:
        return known[asked]
    if asked != "auto":
        raise UserError(
            f"{asked!r} is no number type of a model.", next_step=f"Use one of: auto, {', '.join(known)}."
        )
    if device is None:
        return None
    own = config.dtype or getattr(config.get_text_config(), "dtype", None)
    return own if device.type != "cpu" and isinstance(own, torch.dtype) else torch.float32


def _configuration(folder: Path) -> Any:
    """The checkpoint's configuration, by the installed transformers alone."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        # As for the weights: whatever a stranger's settings lead to in transformers is their own fault.
        raise UserError(
            f"The settings in {folder / 'config.json'} cannot be used: {_first_line(error)}",
            next_step="Update transformers, or download the model again.",
        ) from error


def _load_weights(folder: Path, config: Any, number_type: torch.dtype, place: torch.device) -> Any:
    """Load the weights with our attention in the language model only, and check that it is really there.

    The configuration is passed along, because one that carries an attention choice of its own would win
    otherwise.
    """
    from transformers import AutoModelForImageTextToText

    register()
    load: Any = AutoModelForImageTextToText.from_pretrained
    try:
        with _quiet():
            model, report = load(
                folder,
                config=config,
                dtype=number_type,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                attn_implementation={"": "sdpa", "text_config": ATTENTION_NAME, "vision_config": "sdpa"},
                output_loading_info=True,
                **_straight_to(place),
            )
            model = model.to(place)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"The model does not fit into the memory of {place}.",
            next_step="Use the device 'cpu', or choose a smaller model.",
        ) from error
    except Exception as error:
        # Settings by strangers can fail anywhere in the building of a model, and never by a fault of ours.
        raise _unreadable(folder, _first_line(error)) from error
    if report["missing_keys"]:
        raise _unreadable(folder, f"{sorted(report['missing_keys'])[0]} is missing")
    chosen = model.config.get_text_config()._attn_implementation
    if chosen != ATTENTION_NAME:
        raise RuntimeError(f"the language model runs with {chosen!r} attention, not with {ATTENTION_NAME!r}")
    model.eval()
    return model.requires_grad_(False)


def _first_line(error: Exception) -> str:
    """What an error says, in one line; its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def _unreadable(folder: Path, reason: str) -> UserError:
    return UserError(
        f"The weights in {folder} cannot be used: {reason}.",
        next_step="Download the model again; a file is damaged or missing.",
    )


def _straight_to(place: torch.device) -> dict[str, Any]:
    """The option that reads weights into a GPU without a copy in main memory, where accelerate is there."""
    if place.type == "cpu" or find_spec("accelerate") is None:
        return {}
    return {"device_map": {"": place}}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars, and its report of tensors that nobody needs, off the terminal.

    What is missing is asked for by `_load_weights` itself.
    """
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging
    were_on = logging.is_progress_bar_enabled()
    verbosity = logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if were_on:
            logging.enable_progress_bar()


@torch.no_grad()
def _probe(model: Any) -> object:
    """Run three text tokens, so that the hook sees which layers call the attention function."""
    ids = torch.arange(1, 4, device=model.device)[None]
    return model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
