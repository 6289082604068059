"""A folder of model files: finding it, reading its settings, telling it from others.

Looks at files only, and refuses what cannot be loaded before anything heavy is imported. Knows nothing of
devices, families or tensors. Shared by the engine and by screens that list models.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from gazeviz.errors import UserError
from gazeviz.resources import resource_path
from gazeviz.user_paths import user_path

BUILT_IN = ("models", "comic-vlm")
"""Where the built-in model lies among the resources."""
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json")
"""One of these holds the vocabulary."""
SETTINGS_FILES = (
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "chat_template.json",
    "chat_template.jinja",
    *TOKENIZER_FILES,
)
"""What a model's answers depend on beside its weights and config.json: they are part of its fingerprint."""
PLAIN_WEIGHTS = "Take the version with bfloat16, float16 or float32 weights in *.safetensors files."
"""What to do about weights in a form that is not read."""
PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "several GPUs": ("accelerate",),
    "bitsandbytes": ("accelerate", "bitsandbytes"),
    "fp8": ("accelerate",),
    "awq": ("accelerate", "gptqmodel"),
    "gptq": ("accelerate", "optimum", "gptqmodel"),
    "compressed-tensors": ("accelerate", "compressed_tensors"),
}
"""What transformers needs to hold a model so: spread, or quantised by a method (as config.json names it)."""
SINGLE_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
"""The weights in one file, or the list of the files that they are spread over."""
FULL_DIGEST_BYTES = 256 * 2**20
"""Weights up to this size are hashed whole for the fingerprint; of larger ones the headers and sizes."""


def find_folder(source: str | Path | None) -> Path:
    """Return the folder to load: the built-in model, a folder, or a repository id that the local cache holds.

    Raises:
        UserError: neither; the next step tells how to get the files.
    """
    if source is None:
        return resource_path(*BUILT_IN)
    path = user_path(source)
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
        raise _no_config(folder, step)
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is damaged: it is not JSON.", next_step="Download the model again."
        ) from error
    if not isinstance(settings, dict) or not isinstance(settings.get("model_type"), str):
        raise UserError(f"{path} names no model type.", next_step=step)
    return settings


def foreign_format(folder: Path) -> str:
    """What a folder without config.json holds instead: "LoRA adapter", "GGUF", or ""."""
    if (folder / "adapter_config.json").is_file():
        return "LoRA adapter"
    return "GGUF" if next(folder.glob("*.gguf"), None) is not None else ""


def _no_config(folder: Path, step: str) -> UserError:
    """What to say of a folder that has no config.json."""
    form = foreign_format(folder)
    if form == "GGUF":
        return UserError(f"{folder} holds a GGUF file, which is made for llama.cpp.", next_step=PLAIN_WEIGHTS)
    if form == "LoRA adapter":
        try:
            base = str(_settings(folder / "adapter_config.json").get("base_model_name_or_path") or "")
        except UserError:
            base = ""
        return UserError(
            f"{folder} holds a LoRA adapter, which changes another model{f' ({base})' if base else ''}.",
            next_step='Install peft, which merges it into that model: pip install "gazeviz[lora]".',
        )
    return UserError(f"{folder} is not a model folder: it has no config.json.", next_step=step)


def check_settings(folder: Path) -> None:
    """Refuse a folder whose tokenizer or picture settings are missing or damaged.

    Without them transformers makes up some of its own, and the same weights say something else.

    Raises:
        UserError: no vocabulary (for which transformers would make up an empty tokenizer), no
            tokenizer_config.json, no settings of the image processor, or one of all these is not JSON.
    """
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise _incomplete(folder, "no tokenizer")
    if not (folder / "tokenizer_config.json").is_file():
        raise _incomplete(folder, "no tokenizer_config.json")
    settings = {name: _settings(folder / name) for name in SETTINGS_FILES if name.endswith(".json")}
    pictures = settings["preprocessor_config.json"], settings["processor_config.json"].get("image_processor")
    if not any(pictures):
        raise _incomplete(folder, "no preprocessor_config.json, which tells the image processor its work")


def _settings(path: Path) -> dict[str, Any]:
    """A JSON file of a model folder; {} where there is none, UserError where it is damaged."""
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is damaged: it is not JSON.", next_step="Download the model again."
        ) from error
    if not isinstance(settings, dict):
        raise UserError(f"{path} is damaged: it holds no settings.", next_step="Download the model again.")
    return settings


def _incomplete(folder: Path, lacks: str) -> UserError:
    return UserError(
        f"{folder} has {lacks}.",
        next_step="Download the model again with all of its files, not only the weights.",
    )


def quantised_form(settings: Mapping[str, Any]) -> str:
    """How the weights are quantised ("awq, 4 bit"), "" where they are not."""
    said = settings.get("quantization_config")
    text = settings.get("text_config")
    if not said and isinstance(text, Mapping):
        said = text.get("quantization_config")
    if not said:
        return ""
    if not isinstance(said, Mapping):
        return "an unnamed method"
    method = str(said.get("quant_method") or "an unnamed method")
    bits = said.get("bits") or (said.get("load_in_4bit") and 4) or (said.get("load_in_8bit") and 8)
    return f"{method}, {bits} bit" if bits else method


def quantised_refusal(settings: Mapping[str, Any]) -> tuple[str, str]:
    """Why weights of fewer bits cannot be loaded here and what to do; ("", "") where they can."""
    form = quantised_form(settings)
    if not form:
        return "", ""
    method = form.split(",")[0]
    if method not in PACKAGES:
        return f"The model's weights are quantised ({form}), which gazeviz does not support.", PLAIN_WEIGHTS
    missing = missing_for(method)
    if not missing:
        return "", ""
    extra = '"gazeviz[quant]"' if set(missing) <= {"accelerate", "bitsandbytes"} else " ".join(missing)
    return (
        f"The model's weights are quantised ({form}), which needs {' and '.join(missing)}.",
        f"Install it: pip install {extra}. Or: {PLAIN_WEIGHTS[0].lower()}{PLAIN_WEIGHTS[1:]}",
    )


def check_quantised(settings: Mapping[str, Any]) -> None:
    """Refuse weights of fewer bits that cannot be loaded here; UserError says what would."""
    why, instead = quantised_refusal(settings)
    if why:
        raise UserError(why, next_step=instead)


def missing_for(what: str) -> tuple[str, ...]:
    """The packages that one of `PACKAGES` needs and that are not installed."""
    return tuple(name for name in PACKAGES[what] if find_spec(name) is None)


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors files that a model is loaded from, sorted by name.

    The one file of all weights; else those that the index names, whatever lies beside them (a second copy in
    another layout, as `consolidated.safetensors`, is none of them).

    Raises:
        UserError: there are none, or one that the index names is missing; pickled weights are never read,
            because reading them can run any code.
    """
    if (folder / SINGLE_FILE).is_file():
        return (folder / SINGLE_FILE,)
    if (folder / INDEX_FILE).is_file():
        return _indexed(folder)
    step = "Download its safetensors version, or convert it with transformers' save_pretrained."
    if any(folder.glob("model-*-of-*.safetensors")):
        raise _incomplete(folder, f"parts of the weights, but no {INDEX_FILE} that lists them")
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    if others:
        raise UserError(
            f"{folder} has no {SINGLE_FILE}, only {others[0]}, which is of another layout.", next_step=step
        )
    pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt")) or any(folder.glob("*.pth"))
    raise UserError(
        f"{folder} has no weights in *.safetensors files"
        + (", only pickled ones, which can run any code when they are read." if pickled else "."),
        next_step=step,
    )


def _indexed(folder: Path) -> tuple[Path, ...]:
    """The files that the index names; UserError where one is missing or is not in this folder."""
    places = _settings(folder / INDEX_FILE).get("weight_map")
    names = sorted({str(name) for name in places.values()}) if isinstance(places, dict) else []
    if not names or any(Path(name).name != name for name in names):
        raise UserError(
            f"{folder / INDEX_FILE} is damaged: it does not say where the weights are.",
            next_step="Download the model again.",
        )
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} of the model's {len(names)} weight files are missing, first {missing[0]}.",
            next_step="Download the model again; the download was probably not finished.",
        )
    return tuple(folder / name for name in names)


def fingerprint_of(folder: Path) -> str:
    """Return a sha256 (hex) that changes when the model's answers can.

    Over config.json, the settings of tokenizer, chat template, pictures and generation, and every weight
    file: whole up to `FULL_DIGEST_BYTES` of weights altogether; beyond that each weight file's size and
    safetensors header (names, shapes, types, offsets), so that a large model costs no minute.
    """
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    templates = sorted((folder / "additional_chat_templates").glob("*.jinja"))
    for path in [*(folder / name for name in SETTINGS_FILES), *templates]:
        if path.is_file():
            digest.update(f"{path.name}:{path.stat().st_size};".encode())
            digest.update(path.read_bytes())
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
