"""Image-token layouts of families that cut a picture into tiles and also show it once as a whole.

The same task as `layouts`, for families whose tokens overlap: several tiles in reading order, and a view of
the whole picture before or after them. Knows nothing of text, prompts or language models.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazeviz.domain.grid import even_boxes
from gazeviz.engine.models.layouts import (
    Box,
    CellLayout,
    Fed,
    Outputs,
    UnknownLayoutError,
    square_side,
    unnormalised,
)


@dataclass(frozen=True)
class _Tiles(ABC):
    """Tiles of n x n tokens in reading order, and a view of the whole picture where there are several.

    `per_tile` tells the tokens of one tile from the checkpoint's processor; `whole` where the whole view
    stands.
    """

    per_tile: Callable[[Any], int]
    whole: Literal["first", "last"] = "last"

    @abstractmethod
    def options(self, processor: Any, size_px: tuple[int, int], max_tok: int) -> dict[str, Any]:
        """Return the image processor's options that keep within `max_tok` tokens."""

    @abstractmethod
    def tiling(self, outputs: Outputs, processor: Any, fed: Fed) -> tuple[int, int]:
        """Return rows and columns of tiles; (1, 1) where there is only the view of the whole picture."""

    def fit(self, image: Image.Image, processor: Any, max_tok: int) -> Fed:
        """The picture as it is."""
        return Fed.whole(image)

    def cells(self, outputs: Outputs, processor: Any, fed: Fed, n_tok: int) -> CellLayout:
        """The cells of every view, view by view."""
        rows, cols = self.tiling(outputs, processor, fed)
        tiles = _tile_pixels(outputs)
        views = [_box(row) for row in even_boxes((rows, cols), fed.box_px)] if rows * cols > 1 else []
        views = [fed.box_px, *views] if self.whole == "first" else [*views, fed.box_px]
        if len(views) != len(tiles) or n_tok % len(views):
            raise UnknownLayoutError(f"{len(tiles)} tiles, {n_tok} tokens, but {len(views)} views")
        side = square_side(n_tok // len(views))
        boxes = np.concatenate([even_boxes((side, side), view) for view in views])
        height_px, width_px = tiles.shape[-2:]
        shape = (side, side) if len(views) == 1 else None
        note = "The picture is stretched to a square."
        if shape is None:
            note = (
                f"It is cut into {rows} x {cols} tiles of {width_px} x {height_px} pixels, and fed whole too."
            )
        return CellLayout(boxes, (cols * width_px, rows * height_px), shape, note)

    def fed_pixels(self, outputs: Outputs, processor: Any, fed: Fed) -> NDArray[np.uint8]:
        """The tiles put together, without the view of the whole picture if there are several."""
        rows, cols = self.tiling(outputs, processor, fed)
        tiles = _tile_pixels(outputs)
        if rows * cols > 1:
            tiles = tiles[1:] if self.whole == "first" else tiles[:-1]
        return unnormalised(_put_together(tiles, rows, cols), processor.image_processor)


def _tile_pixels(outputs: Outputs) -> NDArray[np.float32]:
    """All views of the one picture as (N, 3, H, W)."""
    pixels = np.asarray(outputs["pixel_values"], dtype=np.float32)
    return pixels.reshape(-1, *pixels.shape[-3:])


def _put_together(tiles_NCHW: NDArray[np.float32], rows: int, cols: int) -> NDArray[np.float32]:
    """Join rows x cols tiles in reading order to one (C, rows * H, cols * W) picture."""
    _, channels, height, width = tiles_NCHW.shape
    grid = tiles_NCHW.reshape(rows, cols, channels, height, width).transpose(2, 0, 3, 1, 4)
    return grid.reshape(channels, rows * height, cols * width)


def _box(row: NDArray[np.float64]) -> Box:
    x0, y0, x1, y1 = (float(edge) for edge in row)
    return x0, y0, x1, y1


def _limited_tiles(processor: Any, most: int) -> dict[str, Any]:
    """Options of the crop_to_patches processors for at most `most` tiles (below two: the whole picture)."""
    image_processor = processor.image_processor
    default = getattr(processor, "images_kwargs", {}).get("crop_to_patches", image_processor.crop_to_patches)
    if not default or min(most, int(image_processor.max_patches)) < 2:
        return {"crop_to_patches": False}
    most = min(most, int(image_processor.max_patches))
    return {
        "crop_to_patches": True,
        "max_patches": most,
        "min_patches": min(most, int(image_processor.min_patches)),
    }


@dataclass(frozen=True)
class CanvasTiles(_Tiles):
    """The canvas of tiles that is nearest in shape; the picture is stretched over it (InternVL, Aya)."""

    def options(self, processor: Any, size_px: tuple[int, int], max_tok: int) -> dict[str, Any]:
        """Fewer tiles; one place is kept for the view of the whole picture."""
        return _limited_tiles(processor, max_tok // self.per_tile(processor) - 1)

    def tiling(self, outputs: Outputs, processor: Any, fed: Fed) -> tuple[int, int]:
        """Ask the processor's own function for the canvas of as many tiles as there are."""
        n_tiles = int(np.asarray(outputs["num_patches"]).flatten()[0])
        if n_tiles == 1:
            return 1, 1
        tap = processor.image_processor
        choose = sys.modules[type(tap.wrapped).__module__].get_optimal_tiled_canvas
        least, most = (
            int(tap.last_options.get(name, getattr(tap, name))) for name in ("min_patches", "max_patches")
        )
        size_HW = (fed.image.height, fed.image.width)
        cols, rows = choose(size_HW, _tile_pixels(outputs).shape[-2:], least, most)
        return rows, cols


@dataclass(frozen=True)
class GridTiles(_Tiles):
    """Tiles whose rows and columns the image processor tells as `grids` (Ovis 2)."""

    def options(self, processor: Any, size_px: tuple[int, int], max_tok: int) -> dict[str, Any]:
        """Fewer tiles; one place is kept for the view of the whole picture."""
        return _limited_tiles(processor, max_tok // self.per_tile(processor) - 1)

    def tiling(self, outputs: Outputs, processor: Any, fed: Fed) -> tuple[int, int]:
        """As the image processor tells."""
        rows, cols = (int(number) for number in np.asarray(outputs["grids"])[0])
        return rows, cols


@dataclass(frozen=True)
class SplitTiles(_Tiles):
    """Tiles of a picture enlarged to a multiple of the tile; `rows` and `cols` are told (Idefics 3,
    SmolVLM)."""

    def options(self, processor: Any, size_px: tuple[int, int], max_tok: int) -> dict[str, Any]:
        """Shrink the picture tile by tile until its tiles and the whole view are few enough."""
        image_processor = processor.image_processor
        tile_px = int(image_processor.max_image_size["longest_edge"])
        longest = int(image_processor.size["longest_edge"])
        most = max_tok // self.per_tile(processor)
        while longest > tile_px and self._n_views(size_px, longest, tile_px) > most:
            longest -= tile_px
        split = bool(image_processor.do_image_splitting) and longest > tile_px
        return {"size": {"longest_edge": longest}, "do_image_splitting": split, "return_row_col_info": True}

    @staticmethod
    def _n_views(size_px: tuple[int, int], longest_px: int, tile_px: int) -> int:
        """Views of a picture scaled to a longest edge: each side rounded up to whole tiles, and the whole."""
        scaled = (-(-side * longest_px // max(size_px)) + 1 for side in size_px)
        across, down = (-(-side // tile_px) for side in scaled)
        return across * down + 1

    def tiling(self, outputs: Outputs, processor: Any, fed: Fed) -> tuple[int, int]:
        """As the image processor tells; 0 x 0 means the whole picture only."""
        rows, cols = (int(np.asarray(outputs[name]).flatten()[0]) for name in ("rows", "cols"))
        return (rows, cols) if rows * cols else (1, 1)


@dataclass(frozen=True)
class AnyResolution:
    """A square base view, then a larger grid without its padding, every row of it ending in a newline token.

    The newline tokens look like image tokens in the prompt and have no place in the picture. Of the larger
    grid the rows or columns that show padding are left out, and a grid that is still too large is scaled down
    (OneVision). LLaVA-NeXT, https://llava-vl.github.io/blog/2024-01-30-llava-next/; OneVision,
    https://arxiv.org/abs/2408.03326.
    """

    def fit(self, image: Image.Image, processor: Any, max_tok: int) -> Fed:
        """Reduce the picture until the resolution that the processor chooses makes few enough tokens."""
        reduced = image
        for share in np.geomspace(1.0, 0.1, 12):
            size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
            if share < 1.0:
                reduced = image.resize(size, Image.Resampling.LANCZOS)
            if self._geometry(size, processor).n_tok <= max_tok:
                break
        return Fed(reduced, Fed.whole(image).box_px)

    def options(self, processor: Any, size_px: tuple[int, int], max_tok: int) -> dict[str, Any]:
        """None: `fit` has reduced the picture, and model and processor must find the same resolution."""
        return {}

    def cells(self, outputs: Outputs, processor: Any, fed: Fed, n_tok: int) -> CellLayout:
        """The base view's cells, then the rows of the larger grid with a place-less token behind each."""
        geometry = self._geometry(fed.image.size, processor)
        if geometry.n_tok != n_tok:
            raise UnknownLayoutError(f"{n_tok} tokens where {geometry.n_tok} were expected")
        rows, cols = geometry.kept_RC
        scale = (fed.box_px[2] / fed.image.width, fed.box_px[3] / fed.image.height) * 2
        kept = even_boxes((rows, cols), geometry.kept_box_px) * np.asarray(scale)
        with_newlines = np.full((rows, cols + 1, 4), np.nan)
        with_newlines[:, :cols] = kept.reshape(rows, cols, 4)
        base = even_boxes((geometry.side, geometry.side), fed.box_px)
        width_px, height_px = geometry.canvas_px
        note = f"It is fed once as a square and once on a canvas of {width_px} x {height_px} pixels."
        return CellLayout(
            np.concatenate([base, with_newlines.reshape(-1, 4)]), geometry.canvas_px, None, note
        )

    def fed_pixels(self, outputs: Outputs, processor: Any, fed: Fed) -> NDArray[np.uint8]:
        """The canvas with its padding, put together from its tiles."""
        tiles = _tile_pixels(outputs)
        width_px, height_px = self._geometry(fed.image.size, processor).canvas_px
        rows, cols = height_px // tiles.shape[-2], width_px // tiles.shape[-1]
        return unnormalised(_put_together(tiles[1 : 1 + rows * cols], rows, cols), processor.image_processor)

    @staticmethod
    def _geometry(size_px: tuple[int, int], processor: Any) -> _LargerView:
        return _LargerView.of(size_px, processor)


@dataclass(frozen=True)
class _LargerView:
    """What becomes of a picture's larger view.

    Attributes:
        side: cells along a side of one tile.
        canvas_px: (width, height) of the canvas that the picture is centred on.
        kept_RC: rows and columns of cells that are left when the padding is cut off.
        kept_box_px: what those cells cover, in pixels of the processed picture.
    """

    side: int
    canvas_px: tuple[int, int]
    kept_RC: tuple[int, int]
    kept_box_px: Box

    @property
    def n_tok(self) -> int:
        """Image tokens of both views, newlines included."""
        rows, cols = self.kept_RC
        return self.side**2 + rows * (cols + 1)

    @classmethod
    def of(cls, size_px: tuple[int, int], processor: Any) -> _LargerView:
        """Follow the processor and the model, by their own functions where they have one."""
        from transformers.image_processing_utils import select_best_resolution

        width, height = size_px
        pinpoints = processor.image_processor.image_grid_pinpoints
        canvas_h, canvas_w = (int(side) for side in select_best_resolution((height, width), pinpoints))
        tile_px = _tile_px(processor.image_processor)
        n_base = getattr(processor, "num_image_tokens", None)
        side = square_side(int(n_base)) if n_base else tile_px // int(processor.patch_size)
        rows, cols = canvas_h // tile_px * side, canvas_w // tile_px * side
        first_row, first_col, kept_rows, kept_cols = _kept(rows, cols, (height, width))
        # The picture is scaled to fit the canvas and centred; a canvas pixel is so many pixels of the
        # picture:
        fit = min(canvas_w / width, canvas_h / height)
        fed_w, fed_h = min(canvas_w, np.ceil(width * fit - 1e-9)), min(canvas_h, np.ceil(height * fit - 1e-9))
        left, top = (canvas_w - fed_w) // 2, (canvas_h - fed_h) // 2
        cell_w, cell_h = canvas_w / cols, canvas_h / rows
        box = (
            (first_col * cell_w - left) * width / fed_w,
            (first_row * cell_h - top) * height / fed_h,
            ((first_col + kept_cols) * cell_w - left) * width / fed_w,
            ((first_row + kept_rows) * cell_h - top) * height / fed_h,
        )
        return cls(side, (canvas_w, canvas_h), _limited_grid(processor, side, kept_rows, kept_cols), box)


def _tile_px(image_processor: Any) -> int:
    """Side of one tile, as the image processors of both families find it."""
    for sizes in (image_processor.crop_size, image_processor.size):
        for name in ("height", "shortest_edge"):
            side = (dict(sizes) if sizes else {}).get(name)
            if side:
                return int(side)
    raise UnknownLayoutError("the image processor names no tile size")


def _kept(rows: int, cols: int, size_HW: tuple[int, int]) -> tuple[int, int, int, int]:
    """First row and column, number of rows and columns that the model keeps of a padded grid of cells."""
    import torch
    from transformers.models.llava_next.modeling_llava_next import unpad_image

    unpad: Any = unpad_image
    kept = unpad(torch.arange(rows * cols).view(1, rows, cols), size_HW)[0]
    first_row, first_col = divmod(int(kept[0, 0]), cols)
    return first_row, first_col, int(kept.shape[0]), int(kept.shape[1])


def _limited_grid(processor: Any, side: int, rows: int, cols: int) -> tuple[int, int]:
    """Scale a grid down that is over 1.1^2 of OneVision's `anyres_max_N` tiles (transformers' own rule)."""
    named = getattr(processor, "vision_aspect_ratio", None)
    if not named:
        return rows, cols
    ratio = float(np.sqrt(rows * cols / (int(named.removeprefix("anyres_max_")) * side**2)))
    return (int(rows // ratio), int(cols // ratio)) if ratio > 1.1 else (rows, cols)
