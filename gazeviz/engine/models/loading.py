"""Loading a model: from a folder to a `LoadedModel` that the rest of the engine works on.

A folder of Hugging Face files, or the built-in model. A repository id works only if it is already in the
local cache: nothing here reaches for the network, no code of a checkpoint is run, only safetensors are read.
Knows nothing of pictures or prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from gazeviz.adapter_folder import base_of, is_adapter
from gazeviz.domain.model_files import stored_weights
from gazeviz.engine.attention.hook import ATTENTION_NAME, AttentionHook, register
from gazeviz.engine.models.adapters import merge, with_adapter
from gazeviz.engine.models.chat_template import renderer
from gazeviz.engine.models.families import Family, family_of
from gazeviz.engine.models.placement import (
    Numbers,
    Placement,
    choose_numbers,
    choose_place,
    fit_into_memory,
    is_quantised,
)
from gazeviz.engine.models.processors import load_processor
from gazeviz.errors import UserError
from gazeviz.model_folder import (
    check_quantised,
    check_settings,
    find_folder,
    fingerprint_of,
    read_config,
    weight_files,
)

__all__ = [
    "LoadedModel",
    "Progress",
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
        path: the folder that it was loaded from; of a LoRA adapter, the adapter's.
        fingerprint: sha256 (hex) over config and weights; see `fingerprint_of`.
        place: where it computes.
        numbers: as what its weights are held, and in what it computes.
        why_not_gpu: one sentence if it computes on the CPU although that was not asked for, else None.
        hook: captures and steers its attention layers.
    """

    model: Any = field(repr=False)
    processor: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    family: Family
    path: Path
    fingerprint: str
    place: Placement
    numbers: Numbers
    hook: AttentionHook = field(repr=False)

    @property
    def device(self) -> torch.device:
        """Where its inputs go and its answers come from."""
        return self.place.home

    @property
    def dtype(self) -> torch.dtype:
        """The number type that it computes in."""
        return self.numbers.dtype

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

    `device` is "auto" (a GPU that the model fits into, several if it takes several, else the CPU), "cpu",
    "cuda", "cuda:1", "cuda:0+1" (its layers spread over these GPUs), "mps".
    `dtype` is "auto" (float32 on the CPU, the checkpoint's own on a GPU), "float32", "bfloat16", "float16",
    or "8bit", "4bit": its linear layers held in so many bits by bitsandbytes.

    Raises:
        UserError: no such folder, no config.json, a family that is refused or not known, no safetensors,
            missing tokenizer or image processor, a device that does not work here, a package that is missing.
    """
    tell = progress or (lambda _what, _part: None)
    chosen = find_folder(source)
    adapter = chosen if is_adapter(chosen) else None
    folder = chosen if adapter is None else base_of(adapter)
    settings = read_config(folder)
    family = family_of(settings)
    check_quantised(settings)
    weight_files(folder)
    check_settings(folder)
    _check_weights(folder)
    tell("reading the settings", 0.05)
    config = _configuration(folder)
    place = choose_place(device, folder, choose_numbers(dtype, None, config))
    numbers = choose_numbers(dtype, place, config)
    if place.why_not_gpu is not None:
        numbers, place = fit_into_memory(folder, dtype, numbers, config, place)
    renderer.start()  # ready by the time the weights are
    processor = load_processor(folder, config)
    tell("loading the weights", 0.15)
    model = _load_weights(folder, config, numbers, place)
    if adapter is not None:
        model = merge(model, adapter).eval().requires_grad_(False)
    tell("fingerprint", 0.85)
    fingerprint = fingerprint_of(folder)
    if adapter is not None:
        fingerprint = with_adapter(fingerprint, adapter)
    hook = AttentionHook.attach(model, lambda: _probe(model))
    tell("ready", 1.0)
    return LoadedModel(
        model,
        processor,
        processor.tokenizer,
        family,
        chosen,
        fingerprint,
        place,
        numbers,
        hook,
    )


def _check_weights(folder: Path) -> None:
    """Refuse weight files that are missing or cut short, by their headers."""
    try:
        stored_weights(weight_files(folder))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(folder, str(error).strip().splitlines()[0]) from error


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


def _load_weights(folder: Path, config: Any, numbers: Numbers, place: Placement) -> Any:
    """Load the weights with our attention in the language model only, and check that it is really there.

    The configuration is passed along, because one that carries an attention choice of its own would win
    otherwise.
    """
    from transformers import AutoModelForImageTextToText

    register()
    load: Any = AutoModelForImageTextToText.from_pretrained
    placed = place.options(quantised=numbers.bits is not None or is_quantised(config))
    held = numbers.options(config)
    try:
        with _quiet():
            model, report = load(
                folder,
                config=config,
                dtype=numbers.dtype,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                attn_implementation={"": "sdpa", "text_config": ATTENTION_NAME, "vision_config": "sdpa"},
                output_loading_info=True,
                **held,
                **placed,
            )
            if not placed:
                model = model.to(place.home)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"The model does not fit into the memory of {place}.",
            next_step="Use the device 'cpu', the number type 4bit, or a smaller model.",
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
