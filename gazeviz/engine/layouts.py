"""Image-token layouts: which rectangle of the picture each image token shows, in the order of the tokens.

One small class per layout, each knowing three things: which options keep a picture within a number of image tokens,
where the tokens lie, and what the pixels look like that the model is fed. A layout reads what the image processor
returned; it never guesses from the picture's size alone. Which family has which layout stands in `families`; every
pair is proven there by a coordinate picture. Knows nothing of text, prompts or language models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Outputs = Mapping[str, Any]
"""What an image processor returned for one picture: arrays or tensors by name."""


@dataclass(frozen=True)
class Cells:
    """Where the image tokens of one picture lie.

    Attributes:
        boxes_P4: float64 x0, y0, x1, y1 in picture pixels, in image-token order; NaN rows have no place.
        fed_size_px: (width, height) of the pixels that the vision tower receives, tiles put together.
        shape_RC: rows and columns where the tokens form one plain grid, else None.
        note: what a person should know about how this picture is fed; may be empty.
    """

    boxes_P4: NDArray[np.float64]
    fed_size_px: tuple[int, int]
    shape_RC: tuple[int, int] | None
    note: str


class Layout(Protocol):
    """What `prepare` needs of a layout."""

    def options(self, processor: Any, size_px: tuple[int, int], max_tok: int) -> dict[str, Any]:
        """Options for the image processor's call that keep a picture of (width, height) within `max_tok` tokens."""

    def fit(
        self, image: Image.Image, processor: Any
    ) -> tuple[Image.Image, tuple[float, float, float, float]]:
        """The picture to hand to the image processor, and the box that it covers in the given picture's pixels."""

    def cells(self, outputs: Outputs, processor: Any, box_px: tuple[float, float, float, float]) -> Cells:
        """Where the tokens lie, for a processed picture that covers `box_px`."""

    def fed_pixels(self, outputs: Outputs, processor: Any) -> NDArray[np.uint8]:
        """The pixels that the model is fed, as (H, W, 3)."""


def grid_boxes(box_px: tuple[float, float, float, float], n_rows: int, n_cols: int) -> NDArray[np.float64]:
    """Cut a box into n_rows x n_cols equal cells, row by row: float64 (n_rows * n_cols, 4)."""
    x0, y0, x1, y1 = box_px
    xs = np.linspace(x0, x1, n_cols + 1)
    ys = np.linspace(y0, y1, n_rows + 1)
    boxes = np.empty((n_rows, n_cols, 4))
    boxes[..., 0], boxes[..., 2] = xs[:-1], xs[1:]
    boxes[..., 1], boxes[..., 3] = ys[:-1, None], ys[1:, None]
    return boxes.reshape(-1, 4)


def unnormalised(values_CHW: Any, processor: Any) -> NDArray[np.uint8]:
    """Undo a processor's rescaling and normalisation: (3, H, W) floats to (H, W, 3) bytes."""
    values = np.asarray(values_CHW, dtype=np.float64)
    if getattr(processor, "do_normalize", True) and processor.image_mean is not None:
        mean, std = (
            np.asarray(numbers).reshape(-1, 1, 1) for numbers in (processor.image_mean, processor.image_std)
        )
        values = values * std + mean
    if getattr(processor, "do_rescale", True):
        values = values / processor.rescale_factor
    return np.clip(np.rint(values), 0, 255).astype(np.uint8).transpose(1, 2, 0)


def whole(image: Image.Image) -> tuple[float, float, float, float]:
    """The box of a whole picture in its own pixels."""
    return (0.0, 0.0, float(image.width), float(image.height))


@dataclass(frozen=True)
class MergedGrid:
    """One row-major grid of `image_grid_thw` divided by the merge size; the picture is stretched to whole cells.

    `merged_order` tells how the processor lists its patches: the patches of one token next to each other, or all
    patches row by row.
    """

    merged_order: bool = True

    def options(self, processor: Any, size_px: tuple[int, int], max_tok: int) -> dict[str, Any]:
        """Lower the largest number of pixels; the least number stays below it."""
        cell_px = int(processor.patch_size) * int(processor.merge_size)
        limits = {key: int(processor.size[key]) for key in ("shortest_edge", "longest_edge")}
        most = min(limits["longest_edge"], max_tok * cell_px**2)
        return {"size": {"shortest_edge": min(limits["shortest_edge"], most), "longest_edge": most}}

    def fit(
        self, image: Image.Image, processor: Any
    ) -> tuple[Image.Image, tuple[float, float, float, float]]:
        """The picture as it is."""
        return image, whole(image)

    def cells(self, outputs: Outputs, processor: Any, box_px: tuple[float, float, float, float]) -> Cells:
        """The grid's cells; the whole picture is spread over them."""
        n_rows, n_cols = self._patches_RC(outputs)
        merge = int(processor.merge_size)
        patch_px = int(processor.patch_size)
        shape = (n_rows // merge, n_cols // merge)
        return Cells(grid_boxes(box_px, *shape), (n_cols * patch_px, n_rows * patch_px), shape, "")

    def fed_pixels(self, outputs: Outputs, processor: Any) -> NDArray[np.uint8]:
        """Put the flattened patches together again; of the repeated frames the first is taken."""
        n_rows, n_cols = self._patches_RC(outputs)
        merge, patch_px = int(processor.merge_size), int(processor.patch_size)
        patches = np.asarray(outputs["pixel_values"], dtype=np.float32).reshape(n_rows * n_cols, 3, -1)
        first = patches[:, :, : patch_px**2].reshape(-1, 3, patch_px, patch_px)
        block = merge if self.merged_order else 1
        grid = first.reshape(n_rows // block, n_cols // block, block, block, 3, patch_px, patch_px)
        pixels = grid.transpose(4, 0, 2, 5, 1, 3, 6).reshape(3, n_rows * patch_px, n_cols * patch_px)
        return unnormalised(pixels, processor)

    @staticmethod
    def _patches_RC(outputs: Outputs) -> tuple[int, int]:
        _, n_rows, n_cols = (int(number) for number in np.asarray(outputs["image_grid_thw"])[0])
        return n_rows, n_cols
