"""LoRA adapters: small files that change another model's weights, merged into it while it is loaded.

Read by peft, from safetensors only. Nothing is written: the base model's files stay as they are.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

from gazeviz.adapter_folder import SETTINGS, WEIGHTS
from gazeviz.errors import UserError


def merge(model: Any, adapter: Path) -> Any:
    """The model with the adapter's changes added to its weights, in memory.

    Raises:
        UserError: the adapter does not fit the model.
    """
    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # what peft asks of transformers
            warnings.filterwarnings("error", message=".*missing adapter keys.*")
            return PeftModel.from_pretrained(model, str(adapter), use_safetensors=True).merge_and_unload()
    except Exception as error:
        # As for weights: a stranger's adapter can fail anywhere in peft.
        raise UserError(
            f"The LoRA adapter in {adapter} does not fit its model ({type(error).__name__}).",
            next_step="Name the model that it was trained on as its base.",
        ) from error


def with_adapter(fingerprint: str, adapter: Path) -> str:
    """The fingerprint (hex) of a model that an adapter changed: over the model's own and both files."""
    digest = hashlib.sha256(fingerprint.encode())
    for name in (SETTINGS, WEIGHTS):
        digest.update((adapter / name).read_bytes())
    return digest.hexdigest()
