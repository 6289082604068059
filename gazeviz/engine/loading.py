"""Loading a model: from a folder to a `LoadedModel` that the rest of the engine works on.

A folder of Hugging Face files, or the built-in model. A repository id works only if it is already in the local cache:
nothing here reaches for the network, no code of a checkpoint is run, only safetensors are read. Knows nothing of
pictures or prompts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from gazeviz.engine.attention import ATTENTION_NAME, AttentionHook, register
from gazeviz.engine.families import Family, family_of
from gazeviz.engine.memory import estimate_memory, free_memory
from gazeviz.engine.processors import load_processor
from gazeviz.errors import UserError
from gazeviz.resources import resource_path

BUILT_IN = ("models", "comic-vlm")
FULL_DIGEST_BYTES = 256 * 2**20
"""Weights up to this size are hashed whole for the fingerprint; of larger ones the headers and sizes."""

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
        why_not_gpu: one sentence if it computes on the processor although that was not asked for, else None.
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

    `device` is "auto" (a GPU if one works and the model fits, else the processor), "cpu", "cuda", "cuda:1", "mps".
    `dtype` is "auto" (float32 on the processor, the checkpoint's own on a GPU), "float32", "bfloat16" or "float16".

    Raises:
        UserError: no such folder, no config.json, a family that is refused or not known, no safetensors, missing
            tokenizer or image processor, a device that does not work here.
    """
    tell = progress or (lambda _what, _part: None)
    folder = find_folder(source)
    family = family_of(read_config(folder))
    weight_files(folder)
    tell("reading the settings", 0.05)
    config = _configuration(folder)
    place, why_not_gpu = choose_device(device, folder)
    number_type = choose_dtype(dtype, place, config)
    processor = load_processor(folder, config)
    tell("loading the weights", 0.15)
    model = _load_weights(folder, config, number_type).to(place)
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


def find_folder(source: str | Path | None) -> Path:
    """Return the folder to load: the built-in model, a folder, or a repository id that the local cache holds.

    Raises:
        UserError: neither; the next step tells how to get the files.
    """
    if source is None:
        return resource_path(*BUILT_IN)
    path = Path(source).expanduser()
    if path.is_dir():
        return path.resolve()
    if path.exists():
        raise UserError(
            f"{path} is a file, not a model folder.", next_step="Choose the folder that it lies in."
        )
    cached = _cached_folder(str(source))
    if cached is not None:
        return cached
    raise UserError(
        f"There is no model folder {source}, nor a downloaded model of that name.",
        next_step=f"Check the path, or download the model first: hf download {source}.",
    )


def _cached_folder(repository: str) -> Path | None:
    """The snapshot folder of a repository id in the local Hugging Face cache, or None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        return None


def read_config(folder: Path) -> dict[str, Any]:
    """Return config.json as plain data, with a `model_type`.

    Raises:
        UserError: it is missing, not JSON, or names no model type.
    """
    path = folder / "config.json"
    step = "Choose the folder that holds config.json, the tokenizer files and the *.safetensors files."
    if not path.is_file():
        raise UserError(f"{folder} is not a model folder: it has no config.json.", next_step=step)
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is damaged: it is not JSON.", next_step="Download the model again."
        ) from error
    if not isinstance(settings, dict) or not isinstance(settings.get("model_type"), str):
        raise UserError(f"{path} names no model type.", next_step=step)
    return settings


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files of a folder, sorted by name.

    Raises:
        UserError: there are none; pickled weights are never read, because reading them can run any code.
    """
    files = tuple(sorted(folder.glob("*.safetensors")))
    if files:
        return files
    pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth"))
    raise UserError(
        f"{folder} has no weights in *.safetensors files"
        + (", only pickled ones, which can run any code when they are read." if pickled else "."),
        next_step="Download the safetensors version of the model, or convert it with transformers' save_pretrained.",
    )


def fingerprint_of(folder: Path) -> str:
    """Return a sha256 (hex) that changes when the model changes.

    Over config.json and every weight file: whole up to `FULL_DIGEST_BYTES` altogether; beyond that each file's
    size and safetensors header (names, shapes, types, offsets), so that a large model costs no minute.
    """
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    files = weight_files(folder)
    whole = sum(path.stat().st_size for path in files) <= FULL_DIGEST_BYTES
    for path in files:
        digest.update(f"{path.name}:{path.stat().st_size};".encode())
        with path.open("rb") as file:
            if whole:
                while block := file.read(2**20):
                    digest.update(block)
            else:
                digest.update(file.read(int.from_bytes(file.read(8), "little")))
    return digest.hexdigest()


def choose_device(asked: str, folder: Path) -> tuple[torch.device, str | None]:
    """Return the device to compute on, and why it is not a GPU where "auto" found none to use.

    Raises:
        UserError: a device that was asked for by name does not work here.
    """
    if asked == "auto":
        return _automatic_device(folder)
    try:
        torch.empty(1, device=asked)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"The device {asked!r} does not work here.", next_step="Use the device 'auto' or 'cpu'."
        ) from error
    return torch.device(asked), None


def _automatic_device(folder: Path) -> tuple[torch.device, str | None]:
    """A GPU if one works and the model fits into its free memory, else the processor and the reason."""
    cpu = torch.device("cpu")
    if torch.cuda.is_available():
        gpu = torch.device("cuda")
    elif torch.backends.mps.is_available():
        gpu = torch.device("mps")
    else:
        built_for = torch.version.cuda or getattr(torch.version, "hip", None)
        if built_for is None:
            return cpu, "This PyTorch is built without GPU support."
        return cpu, "PyTorch found no GPU, or no working driver for it."
    need, free = estimate_memory(folder, None), free_memory(gpu)
    if need > free:
        return (
            cpu,
            f"The model needs about {need / 2**30:.1f} GiB and the GPU has {free / 2**30:.1f} GiB free.",
        )
    return gpu, None


def choose_dtype(asked: str, device: torch.device, config: Any) -> torch.dtype:
    """Return the number type: float32 on the processor, the checkpoint's own on a GPU, or the one asked for.

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
    own = config.dtype or getattr(config.get_text_config(), "dtype", None)
    return own if device.type != "cpu" and isinstance(own, torch.dtype) else torch.float32


def _configuration(folder: Path) -> Any:
    """The checkpoint's configuration, by the installed transformers alone."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (ValueError, KeyError, OSError) as error:
        raise UserError(
            f"The settings in {folder / 'config.json'} cannot be used: {str(error).strip().splitlines()[0]}",
            next_step="Update transformers, or download the model again.",
        ) from error


def _load_weights(folder: Path, config: Any, number_type: torch.dtype) -> Any:
    """Load the weights with our attention in the language model only, and check that it is really there.

    The configuration is passed along, because one that carries an attention choice of its own would win otherwise.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForImageTextToText

    register()
    try:
        model = AutoModelForImageTextToText.from_pretrained(
            folder,
            config=config,
            dtype=number_type,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            attn_implementation={"": "sdpa", "text_config": ATTENTION_NAME, "vision_config": "sdpa"},
        )
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"The weights in {folder} cannot be read: {str(error).strip().splitlines()[0]}",
            next_step="Download the model again; a file is damaged or missing.",
        ) from error
    chosen = model.config.get_text_config()._attn_implementation
    if chosen != ATTENTION_NAME:
        raise RuntimeError(f"the language model runs with {chosen!r} attention, not with {ATTENTION_NAME!r}")
    return model.eval().requires_grad_(False)


@torch.no_grad()
def _probe(model: Any) -> object:
    """Run three text tokens, so that the hook sees which layers call the attention function."""
    ids = torch.arange(1, 4, device=model.device)[None]
    return model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
