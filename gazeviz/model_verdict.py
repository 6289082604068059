"""The verdict on a model folder: will it work here, what is missing, does it fit, and what to take instead.

Told from files alone, before anything is loaded; asks for no network and imports nothing heavy. Shared by
`gazeviz doctor --model` and by screens that list models. Knows no device but as a number of free bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from gazeviz.adapter_folder import base_of, is_adapter
from gazeviz.domain.model_files import (
    FEWER_BITS,
    ITEM_BYTES,
    PROVEN,
    REFUSED,
    TEXT_TOK,
    TWINS,
    ModelSizes,
    Needs,
    StoredWeights,
    family_name,
    stored_weights,
    takes_pictures,
)
from gazeviz.errors import UserError
from gazeviz.model_folder import (
    check_settings,
    folder_name,
    foreign_format,
    missing_for,
    quantised_form,
    quantised_refusal,
    read_config,
    weight_files,
)

_FAMILY_PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {"smolvlm": ("num2words",)}


@dataclass(frozen=True)
class ModelVerdict:
    """What can be said of a model before it is loaded.

    family: by its config.json, "" where that names none.  form: how its weights are kept, in a few words.
    why: one sentence that says why it cannot work; "" where nothing speaks against it.  instead: what to do.
    missing: Python packages that it needs and that are not installed.
    """

    folder: Path
    name: str
    family: str
    form: str
    why: str = ""
    instead: str = ""
    missing: tuple[str, ...] = ()
    weights: StoredWeights | None = None
    sizes: ModelSizes | None = None

    @property
    def works(self) -> bool:
        """Whether it will load, where the memory for it is there."""
        return not self.why

    def needs(
        self,
        dtype: str,
        n_image_tok: int = 1280,
        n_text_tok: int = TEXT_TOK,
        computed_in: str = "bfloat16",
    ) -> Needs | None:
        """What it takes as one of `ITEM_BYTES` or `FEWER_BITS`, or "auto" (as stored).

        None where its weights are unknown.
        """
        if self.weights is None:
            return None
        return Needs.as_numbers(self.weights, self.sizes, dtype, n_image_tok, n_text_tok, computed_in)

    def fitting_dtypes(self, free_bytes: int, computed_in: str = "bfloat16") -> tuple[str, ...]:
        """The number types in which it fits into so much memory; fewer bits where bitsandbytes is there."""
        fewer = () if missing_for("bitsandbytes") else tuple(FEWER_BITS)
        needs = {dtype: self.needs(dtype, computed_in=computed_in) for dtype in (*ITEM_BYTES, *fewer)}
        return tuple(dtype for dtype, need in needs.items() if need and need.most_bytes <= free_bytes)


def verdict_on(folder: Path) -> ModelVerdict:
    """Look into a folder of model files; never raises for what is in it."""
    name = folder_name(folder)
    if is_adapter(folder) and find_spec("peft") is not None:
        return _of_adapter(folder, name)
    try:
        settings = read_config(folder)
    except UserError as error:
        return ModelVerdict(
            folder, name, "", foreign_format(folder) or "unknown", error.sentence, error.next_step
        )
    except OSError as error:
        return ModelVerdict(
            folder, name, "", "unknown", f"{folder} cannot be read: {error.strerror}.", "Copy it."
        )
    family, sizes = family_name(settings), ModelSizes.of_settings(settings)
    try:
        weights = stored_weights(weight_files(folder))
    except (UserError, OSError, ValueError, RecursionError):
        weights = None  # said below, if nothing graver is to be said
    form = quantised_form(settings) or (weights.dtype if weights else "unknown")
    missing = _missing_packages(folder, family)
    why, instead = _refusal(folder, settings, family, missing)
    return ModelVerdict(folder, name, family, form, why, instead, missing, weights, sizes)


def _of_adapter(folder: Path, name: str) -> ModelVerdict:
    """What can be said of the model that an adapter changes."""
    try:
        base = base_of(folder)
    except UserError as error:
        return ModelVerdict(folder, name, "", "LoRA adapter", error.sentence, error.next_step)
    verdict = verdict_on(base)
    form = f"LoRA adapter on {verdict.name}, {verdict.form}"
    return replace(verdict, folder=folder, name=name, form=form)


def settings_refusal(settings: Mapping[str, Any]) -> tuple[str, str]:
    """Why a model of such a config.json cannot work and what to do; ("", "") where it may."""
    family = family_name(settings)
    if family not in PROVEN:
        return _unknown_family(settings, family)
    return quantised_refusal(settings)


def _refusal(
    folder: Path, settings: Mapping[str, Any], family: str, missing: tuple[str, ...]
) -> tuple[str, str]:
    """Why a model cannot work and what to do, the gravest first; ("", "") where it can."""
    why, instead = settings_refusal(settings)
    if why:
        return why, instead
    if missing:
        needed = " and ".join(missing)
        return f"{family} models need the package {needed}.", f"Install it: pip install {' '.join(missing)}."
    try:
        files = weight_files(folder)
        check_settings(folder)
        stored_weights(files)
    except UserError as error:
        return error.sentence, error.next_step
    except (OSError, ValueError, RecursionError) as error:
        return f"The weights in {folder} cannot be used: {error}.", "Download the model again."
    return "", ""


def _unknown_family(settings: Mapping[str, Any], family: str) -> tuple[str, str]:
    step = f"Take {TWINS[family]}." if family in TWINS else f"Take one of: {', '.join(sorted(PROVEN))}."
    if family in REFUSED:
        return f"A {family} model cannot be used, because {REFUSED[family]}.", step
    if family not in TWINS and not takes_pictures(settings):
        return f"It takes no pictures: {family} is not a vision-language family.", step
    if settings.get("auto_map"):
        return f"A {family} model needs Python code of its own (remote code), which is never run.", step
    return f"The family {family} is not known: where its image tokens lie on a picture is not proven.", step


def _missing_packages(folder: Path, family: str) -> tuple[str, ...]:
    """Packages that a family, or the files of its tokenizer, need and that are not here."""
    needed = list(_FAMILY_PACKAGES.get(family, ()))
    if (folder / "tokenizer.model").is_file() and not (folder / "tokenizer.json").is_file():
        needed.append("sentencepiece")
    return tuple(name for name in needed if find_spec(name) is None)
