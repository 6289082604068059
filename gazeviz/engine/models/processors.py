"""A checkpoint's own processor, with or without torchvision installed.

The processor's class is the family's; only its type check is relaxed, so that the video part may be missing.
Its image processor is wrapped in an `ImageTap`, which remembers the last picture: six questions about one
strip prepare it once, and the layout can read what the processor itself drops. Knows nothing of models or
token grids.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from transformers import ProcessorMixin

from gazeviz.errors import UserError

# A processor for Pixtral and Mistral 3, whose own cannot be used without torchvision.
#
# It takes the same settings and makes the same tokens: every cell of the picture an image token, every row of
# cells closed by a break token, the last one by an end token (https://arxiv.org/abs/2410.07073, section 2.2).
# Knows still pictures only.


class PixtralRows(ProcessorMixin):
    """Expands one picture's placeholder to rows of image tokens.

    `patch_size` is the vision tower's patch in pixels, `spatial_merge_size` how many patches make a cell's
    side.
    """

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        patch_size: int = 16,
        spatial_merge_size: int = 1,
        chat_template: str | None = None,
        image_token: str = "[IMG]",
        image_break_token: str = "[IMG_BREAK]",
        image_end_token: str = "[IMG_END]",
    ) -> None:
        keep_parts: Any = super().__init__
        keep_parts(image_processor, tokenizer, chat_template=chat_template)
        self.patch_size = patch_size
        self.spatial_merge_size = spatial_merge_size
        self.image_token = image_token
        self.image_break_token = image_break_token
        self.image_end_token = image_end_token

    def __call__(
        self,
        images: Any,
        text: list[str],
        images_kwargs: dict[str, Any],
        text_kwargs: dict[str, Any],
        return_tensors: str = "pt",
    ) -> dict[str, Any]:
        """Return input_ids, attention_mask, pixel_values and image_sizes of one picture in one prompt."""
        cell_px = self.patch_size * self.spatial_merge_size
        pictures = self.image_processor(
            images, **{"patch_size": cell_px, "return_tensors": return_tensors, **images_kwargs}
        )
        height_px, width_px = (int(side) for side in pictures["image_sizes"][0])
        row = self.image_token * (width_px // cell_px)
        rows = self.image_break_token.join([row] * (height_px // cell_px)) + self.image_end_token
        expanded = [line.replace(self.image_token, rows, 1) for line in text]
        return {**self.tokenizer(expanded, return_tensors=return_tensors, **text_kwargs), **pictures}


class ImageTap:
    """An image processor that keeps its last result.

    Everything but the call is the wrapped processor's own. `last` holds the arrays of the last picture, also
    those that the family's processor takes out before it hands the inputs on (numbers of tiles and such),
    `last_options` the options that it was called with.
    """

    def __init__(self, image_processor: Any) -> None:
        self.wrapped = image_processor
        self.last: dict[str, Any] = {}
        self.last_options: dict[str, Any] = {}
        self.notes: dict[Any, Any] = {}
        """What was worked out about the last picture, forgotten with it."""
        self._last_key = ""

    def __call__(self, images: Any, *args: Any, **options: Any) -> Any:
        """Process pictures; the same picture with the same options is answered from memory."""
        key = _key_of(images, (args, options))
        if key != self._last_key:
            self.last = dict(self.wrapped(images, *args, **options))
            self.last_options = options
            self.notes = {}
            self._last_key = key
        from transformers.feature_extraction_utils import BatchFeature

        return BatchFeature(data=dict(self.last))

    def __getattr__(self, name: str) -> Any:
        if (
            name.startswith("__") or name == "wrapped"
        ):  # asked for while a copy is made: there is nothing to ask yet
            raise AttributeError(name)
        return getattr(self.wrapped, name)


def _key_of(images: Any, options: Any) -> str:
    """A digest of the pictures' pixels and of the options."""
    digest = hashlib.blake2b(repr(options).encode(), digest_size=16)
    flat = [images]
    while flat:
        item = flat.pop()
        if isinstance(item, (list, tuple)):
            flat.extend(item)
        else:
            pixels = np.ascontiguousarray(np.asarray(item))
            digest.update(repr((pixels.shape, pixels.dtype)).encode())
            digest.update(pixels.data)
    return digest.hexdigest()


def load_processor(folder: Path, config: Any) -> Any:
    """Return the checkpoint's processor, its image processor being an `ImageTap`.

    The Pillow image processor is preferred everywhere, so that a result does not depend on whether
    torchvision is installed. The chat template is the checkpoint's (of the processor, else of the tokenizer),
    or None.

    Raises:
        UserError: files are missing, or a package that the family needs is not installed (named in the next
            step).
    """
    from transformers import AutoImageProcessor, AutoTokenizer

    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        load_image_processor: Any = AutoImageProcessor.from_pretrained
        image_processor = load_image_processor(folder, config=config, backend="pil", **local)
        processor_class = _processor_class(folder, config)
        return _build(processor_class, folder, image_processor, tokenizer)
    except ImportError as error:
        raise _missing_package(config.model_type, str(error)) from error
    except Exception as error:
        # Files by strangers can fail anywhere in the libraries that read them (tokenizers raises Exception).
        raise _incomplete(folder, config.model_type, error) from error


def _missing_package(model_type: str, complaint: str) -> UserError:
    package = next(
        (name for name in ("num2words", "torchvision", "timm", "sentencepiece") if name in complaint), ""
    )
    step = f"Install it: pip install {package}." if package else f"transformers says: {complaint.strip()}"
    return UserError(
        f"Models of the family {model_type} need the package {package or 'named below'}.", next_step=step
    )


def _incomplete(folder: Path, model_type: str, error: Exception) -> UserError:
    if "torchvision" in str(error):
        return _missing_package(model_type, "torchvision")
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return UserError(
        f"The tokenizer or image processor in {folder} cannot be loaded: {reason}",
        next_step="Download the model again with all of its files, not only the weights.",
    )


def _processor_class(folder: Path, config: Any) -> type[Any]:
    """The processor class named by the checkpoint's files, else the family's by its configuration."""
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING, processor_class_from_name

    by_config: Any = PROCESSOR_MAPPING
    by_name: Any = processor_class_from_name
    for name in ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json"):
        path = folder / name
        settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        found: type[Any] | None = (
            by_name(settings["processor_class"]) if "processor_class" in settings else None
        )
        if found is not None:
            return found
    if type(config) in by_config:
        family_class: type[Any] = by_config[type(config)]
        return family_class
    raise ValueError(f"no processor class is known for {config.model_type}")


def _build(processor_class: type[Any], folder: Path, image_processor: Any, tokenizer: Any) -> Any:
    """Make the processor from its parts and saved settings; parts that we lack (video, audio) are None."""
    if processor_class.__name__ == "PixtralProcessor":
        # Also where torchvision is installed and the family's own could be had: one answer on every machine.
        processor_class = PixtralRows
    relaxed: Any = type(
        processor_class.__name__,
        (processor_class,),
        {"check_argument_for_proper_class": _accept_any, "__repr__": _name},
    )
    settings, _ = relaxed.get_processor_dict(folder, local_files_only=True)
    parts = {"image_processor": image_processor, "tokenizer": tokenizer}
    processor = relaxed.from_args_and_dict([parts.get(name) for name in relaxed.get_attributes()], settings)
    processor.image_processor = ImageTap(image_processor)
    processor.chat_template = getattr(processor, "chat_template", None) or tokenizer.chat_template
    return processor


def _name(self: Any) -> str:
    """Stand in for the processors' own form, which asks every part for JSON."""
    return f"<{type(self).__name__}>"


def _accept_any(self: Any, argument_name: str, argument: Any) -> None:
    """Stand in for the processors' type check, which refuses a missing video part."""
