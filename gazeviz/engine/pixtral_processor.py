"""A processor for Pixtral and Mistral 3, whose own cannot be imported without torchvision.

It takes the same settings and makes the same tokens: every cell of the picture an image token, every row of
cells closed by a break token, the last one by an end token (https://arxiv.org/abs/2410.07073, section 2.2).
Knows still pictures only.
"""

from __future__ import annotations

from typing import Any

from transformers import ProcessorMixin


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
