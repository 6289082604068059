"""A folder of model files: finding it, reading its settings, telling it from others.

Looks at files only, and refuses what cannot be loaded before anything heavy is imported. Knows nothing of
devices, families or tensors. Shared by the engine and by screens that list models.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from gazeviz.errors import UserError
from gazeviz.resources import resource_path

BUILT_IN = ("models", "comic-vlm")
"""Where the built-in model lies among the resources."""
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json")
"""One of these holds the vocabulary."""
FULL_DIGEST_BYTES = 256 * 2**20
"""Weights up to this size are hashed whole for the fingerprint; of larger ones the headers and sizes."""


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


def folder_name(folder: Path) -> str:
    """What a model's folder is called: its own name, or its repository's for a snapshot of the cache."""
    repository = folder.parent.parent.name
    if folder.parent.name == "snapshots" and repository.startswith("models--"):
        return repository.removeprefix("models--").replace("--", "/")
    return folder.name


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


def check_tokenizer(folder: Path) -> None:
    """Refuse a folder without a vocabulary, for which transformers would make up an empty tokenizer."""
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise UserError(
            f"{folder} has no tokenizer.",
            next_step="Download the model again with all of its files, not only the weights.",
        )


def check_unquantised(settings: dict[str, Any]) -> None:
    """Refuse weights of fewer bits, which nobody has tried here."""
    quantised = settings.get("quantization_config")
    if quantised:
        method = (
            quantised.get("quant_method", "an unnamed method") if isinstance(quantised, dict) else quantised
        )
        raise UserError(
            f"The model's weights are quantised ({method}), which gazeviz does not support.",
            next_step="Choose the version of the model with bfloat16, float16 or float32 weights.",
        )


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
        next_step="Download its safetensors version, or convert it with transformers' save_pretrained.",
    )


def fingerprint_of(folder: Path) -> str:
    """Return a sha256 (hex) that changes when the model changes.

    Over config.json and every weight file: whole up to `FULL_DIGEST_BYTES` altogether; beyond that each
    file's size and safetensors header (names, shapes, types, offsets), so that a large model costs no minute.
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
