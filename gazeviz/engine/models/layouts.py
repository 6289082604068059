"""Image-token layouts: which rectangle of the picture each image token shows, in the order of the tokens.

One small class per plain layout, each knowing how to keep a picture within a number of image tokens, where
the tokens lie, and what the pixels look like that the model is fed. A layout reads what the image processor
returned; it never guesses from the picture's size alone. Tiled layouts are in `tiled_layouts`; which family
has which layout stands in `families`. Knows nothing of text, prompts or language models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazeviz.domain.grid import even_boxes

Outputs: TypeAlias = Mapping[str, Any]
"""What an image processor returned for one picture: arrays or tensors by name."""
Box: TypeAlias = tuple[float, float, float, float]
"""x0, y0, x1, y1 in the pixels of the opened picture; may reach beyond it."""


@dataclass(frozen=True)
class Fed:
    """A picture as it is handed to the image processor.

    Attributes:
        image: the picture, perhaps padded to a square or reduced.
        box_px: what it covers, in pixels of the opened picture (beyond it where it was padded).
    """

    image: Image.Image
    box_px: Box

    @classmethod
    def whole(cls, image: Image.Image) -> Fed:
        """Hand over a picture as it is."""
        return cls(image, (0.0, 0.0, float(image.width), float(image.height)))


@dataclass(frozen=True)
class CellLayout:
    """Where the image tokens of one picture lie.

    Attributes:
        boxes_P4: float64 x0, y0, x1, y1 in pixels of the opened picture, in image-token order; NaN rows: no
            place.
        fed_size_px: (width, height) of the pixels that the vision tower receives, tiles put together.
        shape_RC: rows and columns where the tokens form one plain grid, else None.
        note: what a person should know about how this picture is fed; may be empty.
    """

    boxes_P4: NDArray[np.float64]
    fed_size_px: tuple[int, int]
    shape_RC: tuple[int, int] | None
    note: str = ""


class UnknownLayoutError(Exception):
    """The image processor's result is not of the shape that a layout was proven for."""


class TokenLayout(Protocol):
    """What `prepare` needs of a layout. `processor` is the checkpoint's whole processor."""

    def fit(self, image: Image.Image, processor: Any, max_tok: int) -> Fed:
        """Return the picture to hand to the image processor."""

    def options(self, processor: Any, size_px: tuple[int, int], max_tok: int) -> dict[str, Any]:
        """Return the image processor's options that keep a (width, height) picture within `max_tok`."""

    def cells(self, outputs: Outputs, processor: Any, fed: Fed, n_tok: int) -> CellLayout:
        """Return where the `n_tok` image tokens lie; UnknownLayoutError where that cannot be told."""

    def fed_pixels(self, outputs: Outputs, processor: Any, fed: Fed) -> NDArray[np.uint8]:
        """Return the pixels that the model is fed, as (H, W, 3)."""


def unnormalised(values_CHW: Any, image_processor: Any) -> NDArray[np.uint8]:
    """Undo an image processor's rescaling and normalisation: (3, H, W) floats to (H, W, 3) bytes."""
    values = np.asarray(values_CHW, dtype=np.float32)
    if image_processor.do_normalize and image_processor.image_mean is not None:
        mean = np.asarray(image_processor.image_mean, dtype=np.float32).reshape(-1, 1, 1)
        std = np.asarray(image_processor.image_std, dtype=np.float32).reshape(-1, 1, 1)
        values = values * std + mean
    if image_processor.do_rescale:
        values = values / image_processor.rescale_factor
    return np.clip(np.rint(values), 0, 255).astype(np.uint8).transpose(1, 2, 0)


def square_side(n_tok: int) -> int:
    """Return the side of a square grid of n_tok cells; UnknownLayoutError if there is none."""
    side = isqrt(n_tok)
    if side * side != n_tok or not n_tok:
        raise UnknownLayoutError(f"{n_tok} tokens are no square")
    return side


@dataclass(frozen=True)
class MergedGrid:
    """One row-major grid of `image_grid_thw` by the merge size; the picture is stretched to whole cells.

    `merged_order`: the processor lists the patches of one token next to each other, else all patches row by
    row. `counts_frames`: its limit of pixels counts every repeated frame of a still picture (GLM).
    """

    merged_order: bool = True
    counts_frames: bool = False

    def fit(self, image: Image.Image, processor: Any, max_tok: int) -> Fed:
        """The picture as it is."""
        return Fed.whole(image)

    def options(self, processor: Any, size_px: tuple[int, int], max_tok: int) -> dict[str, Any]:
        """Lower the largest number of pixels, and the least number below it."""
        image_processor = processor.image_processor
        frames = int(image_processor.temporal_patch_size) if self.counts_frames else 1
        cell_px = int(image_processor.patch_size) * int(image_processor.merge_size)
        most = min(int(image_processor.size["longest_edge"]), max_tok * cell_px**2 * frames)
        return {
            "size": {
                "shortest_edge": min(int(image_processor.size["shortest_edge"]), most),
                "longest_edge": most,
            }
        }

    def cells(self, outputs: Outputs, processor: Any, fed: Fed, n_tok: int) -> CellLayout:
        """The grid's cells; the whole picture is spread over them."""
        n_rows, n_cols = _patches_RC(outputs)
        merge, patch_px = int(processor.image_processor.merge_size), int(processor.image_processor.patch_size)
        shape = (n_rows // merge, n_cols // merge)
        return CellLayout(even_boxes(shape, fed.box_px), (n_cols * patch_px, n_rows * patch_px), shape)

    def fed_pixels(self, outputs: Outputs, processor: Any, fed: Fed) -> NDArray[np.uint8]:
        """Put the flattened patches together again; of repeated frames the first is taken."""
        n_rows, n_cols = _patches_RC(outputs)
        merge, patch_px = int(processor.image_processor.merge_size), int(processor.image_processor.patch_size)
        patches = np.asarray(outputs["pixel_values"], dtype=np.float32).reshape(n_rows * n_cols, 3, -1)
        first_frame = patches[:, :, : patch_px**2]
        block = merge if self.merged_order else 1
        grid = first_frame.reshape(n_rows // block, n_cols // block, block, block, 3, patch_px, patch_px)
        pixels = grid.transpose(4, 0, 2, 5, 1, 3, 6).reshape(3, n_rows * patch_px, n_cols * patch_px)
        return unnormalised(pixels, processor.image_processor)


def _patches_RC(outputs: Outputs) -> tuple[int, int]:
    """Rows and columns of patches of the one picture."""
    _, n_rows, n_cols = (int(number) for number in np.asarray(outputs["image_grid_thw"])[0])
    return n_rows, n_cols


@dataclass(frozen=True)
class Square:
    """A square of n x n cells, row by row; always the same number of tokens.

    A processor that crops the centre would cut the ends off a strip, so its picture is padded to a square
    first (as LLaVA 1.5 was trained, https://arxiv.org/abs/2310.03744); any other stretches the picture to the
    square.
    """

    def fit(self, image: Image.Image, processor: Any, max_tok: int) -> Fed:
        """Pad the picture to a square of the processor's mean colour where its centre would be cropped."""
        image_processor = processor.image_processor
        if not getattr(image_processor, "do_center_crop", False) or image.width == image.height:
            return Fed.whole(image)
        side = max(image.size)
        left, top = (side - image.width) // 2, (side - image.height) // 2
        colour = tuple(round(255 * float(mean)) for mean in image_processor.image_mean)
        padded = Image.new("RGB", (side, side), colour)
        padded.paste(image, (left, top))
        return Fed(padded, (-float(left), -float(top), float(side - left), float(side - top)))

    def options(self, processor: Any, size_px: tuple[int, int], max_tok: int) -> dict[str, Any]:
        """None: the number of tokens is fixed."""
        return {}

    def cells(self, outputs: Outputs, processor: Any, fed: Fed, n_tok: int) -> CellLayout:
        """The square's cells over the padded or stretched picture, less what a centre crop takes off."""
        image_processor = processor.image_processor
        pixels = np.asarray(outputs["pixel_values"])
        if pixels.shape[0] != 1 or pixels.ndim != 4:
            raise UnknownLayoutError(f"pixel values of shape {pixels.shape}")
        height_px, width_px = pixels.shape[-2:]
        box_px, note = fed.box_px, "The picture is stretched to a square."
        if getattr(image_processor, "do_center_crop", False):
            sizes = dict(image_processor.size)
            resized_px = int(sizes.get("shortest_edge") or sizes["height"])
            box_px = _cropped(box_px, width_px / resized_px)
            note = "The picture is padded to a square, so that no part of it is cropped."
        shape = (square_side(n_tok),) * 2
        return CellLayout(even_boxes(shape, box_px), (width_px, height_px), shape, note)

    def fed_pixels(self, outputs: Outputs, processor: Any, fed: Fed) -> NDArray[np.uint8]:
        """The one picture of the batch."""
        return unnormalised(np.asarray(outputs["pixel_values"])[0], processor.image_processor)


def _cropped(box_px: Box, share: float) -> Box:
    """Keep the centred `share` of a box's sides (a centre crop after resizing the shorter side)."""
    x0, y0, x1, y1 = box_px
    dx, dy = (x1 - x0) * (1 - share) / 2, (y1 - y0) * (1 - share) / 2
    return x0 + dx, y0 + dy, x1 - dx, y1 - dy


@dataclass(frozen=True)
class BreakRows:
    """A row-major grid whose rows end in a break token of another kind; the aspect ratio is kept
    (Pixtral)."""

    def fit(self, image: Image.Image, processor: Any, max_tok: int) -> Fed:
        """The picture as it is."""
        return Fed.whole(image)

    def options(self, processor: Any, size_px: tuple[int, int], max_tok: int) -> dict[str, Any]:
        """Lower the longest edge until the cells that cover the picture are few enough."""
        cell_px = int(processor.patch_size) * int(processor.spatial_merge_size)
        longest = int(processor.image_processor.size["longest_edge"])

        def n_cells(longest_px: int) -> int:
            shrink = max(1.0, max(size_px) / longest_px)
            width, height = (max(1, int(side / shrink)) for side in size_px)
            return -(-width // cell_px) * -(-height // cell_px)

        while longest > cell_px and n_cells(longest) > max_tok:
            longest -= cell_px
        return {"size": {"longest_edge": max(longest, cell_px)}}

    def cells(self, outputs: Outputs, processor: Any, fed: Fed, n_tok: int) -> CellLayout:
        """The grid's cells; the whole picture is spread over them."""
        height_px, width_px = (int(side) for side in np.asarray(outputs["image_sizes"])[0])
        cell_px = int(processor.patch_size) * int(processor.spatial_merge_size)
        shape = (height_px // cell_px, width_px // cell_px)
        return CellLayout(even_boxes(shape, fed.box_px), (width_px, height_px), shape)

    def fed_pixels(self, outputs: Outputs, processor: Any, fed: Fed) -> NDArray[np.uint8]:
        """The one picture of the batch, without the padding behind it."""
        height_px, width_px = (int(side) for side in np.asarray(outputs["image_sizes"])[0])
        pixels = np.asarray(outputs["pixel_values"])[0][:, :height_px, :width_px]
        return unnormalised(pixels, processor.image_processor)


@dataclass(frozen=True)
class PooledGrid:
    """A row-major grid of patches pooled k x k, at most one of a few budgets of tokens; the aspect is kept
    (Gemma 4)."""

    budgets_tok: tuple[int, ...] = (70, 140, 280, 560, 1120)

    def fit(self, image: Image.Image, processor: Any, max_tok: int) -> Fed:
        """The picture as it is."""
        return Fed.whole(image)

    def options(self, processor: Any, size_px: tuple[int, int], max_tok: int) -> dict[str, Any]:
        """The largest budget within both limits, else the smallest one."""
        most = min(max_tok, int(processor.image_processor.max_soft_tokens))
        return {
            "max_soft_tokens": max((n for n in self.budgets_tok if n <= most), default=self.budgets_tok[0])
        }

    def cells(self, outputs: Outputs, processor: Any, fed: Fed, n_tok: int) -> CellLayout:
        """The grid's cells; the whole picture is spread over them."""
        n_rows, n_cols = self._patches_RC(outputs)
        pool, patch_px = (
            int(getattr(processor.image_processor, k)) for k in ("pooling_kernel_size", "patch_size")
        )
        shape = (n_rows // pool, n_cols // pool)
        return CellLayout(even_boxes(shape, fed.box_px), (n_cols * patch_px, n_rows * patch_px), shape)

    def fed_pixels(self, outputs: Outputs, processor: Any, fed: Fed) -> NDArray[np.uint8]:
        """Put the patches (channels last) together again."""
        n_rows, n_cols = self._patches_RC(outputs)
        patch_px = int(processor.image_processor.patch_size)
        patches = np.asarray(outputs["pixel_values"])[0][: n_rows * n_cols]
        grid = patches.reshape(n_rows, n_cols, patch_px, patch_px, 3).transpose(4, 0, 2, 1, 3)
        return unnormalised(grid.reshape(3, n_rows * patch_px, n_cols * patch_px), processor.image_processor)

    @staticmethod
    def _patches_RC(outputs: Outputs) -> tuple[int, int]:
        n_cols, n_rows = (
            int(number) + 1 for number in np.asarray(outputs["image_position_ids"])[0].max(axis=0)
        )
        return n_rows, n_cols
