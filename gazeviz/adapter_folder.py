"""A folder that holds a LoRA adapter: telling it from a model's, and finding the model that it changes.

Looks at files only; merging is the engine's. Shared by the engine and by the verdict on a folder.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from gazeviz.errors import UserError
from gazeviz.model_folder import find_folder

SETTINGS: Final = "adapter_config.json"
WEIGHTS: Final = "adapter_model.safetensors"


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model of its own."""
    return (folder / SETTINGS).is_file() and not (folder / "config.json").is_file()


def base_of(adapter: Path) -> Path:
    """The folder of the model that an adapter changes.

    Raises:
        UserError: peft is not installed, it is no LoRA adapter, its weights are pickled or missing, or the
            base is neither a folder nor in the local cache.
    """
    if find_spec("peft") is None:
        raise UserError(
            f"{adapter} holds a LoRA adapter, which needs the package peft.",
            next_step='Install it: pip install "gazeviz[lora]".',
        )
    try:
        settings = json.loads((adapter / SETTINGS).read_text(encoding="utf-8"))
        kind, base = str(settings.get("peft_type")), str(settings.get("base_model_name_or_path") or "")
    except (ValueError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{adapter / SETTINGS} is damaged.", next_step="Download the adapter again."
        ) from error
    if kind != "LORA":
        raise UserError(f"{adapter} holds an adapter of the kind {kind}.", next_step="Take a LoRA adapter.")
    if not (adapter / WEIGHTS).is_file():
        raise UserError(f"{adapter} has no {WEIGHTS}.", next_step="Save the adapter as safetensors.")
    if not base:
        raise UserError(
            f"The adapter in {adapter} does not say which model it changes.",
            next_step=f"Write that model's folder into base_model_name_or_path of its {SETTINGS}.",
        )
    folder = find_folder(base)
    if is_adapter(folder):
        raise UserError(
            f"The adapter in {adapter} changes another adapter.", next_step="Merge that one with peft first."
        )
    return folder
