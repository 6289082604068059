"""Shelves: what was computed about a picture, kept within a number of bytes for the next question about it.

Knows sizes and keys; knows nothing of what lies on it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import torch

_T = TypeVar("_T")


class Shelf(Generic[_T]):
    """Keeps the values that were asked for last, as many as fit; the newest is kept however large it is."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._kept: OrderedDict[str, tuple[_T, int]] = OrderedDict()

    def get(self, key: str) -> _T | None:
        """The value of that key if it is still here."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: str, value: _T, other_bytes: int = 0) -> None:
        """Keep a value of tensors and `other_bytes`, and forget those that were not asked for the longest."""
        self._kept[key] = (value, tensor_bytes(value) + other_bytes)
        while len(self._kept) > 1 and self.n_bytes > self._capacity_bytes:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget all, which frees their memory."""
        self._kept.clear()

    @property
    def n_bytes(self) -> int:
        """Bytes of all that is on the shelf."""
        return sum(size for _, size in self._kept.values())


def tensor_bytes(value: Any) -> int:
    """Bytes of all tensors in a value: in mappings, sequences and the attributes of objects, three levels
    deep.
    """
    return sum(tensor.nbytes for tensor in _tensors(value, 4))


def _tensors(value: Any, depth: int) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if depth == 0:
        return []
    if isinstance(value, Mapping):
        parts = list(value.values())
    elif isinstance(value, (list, tuple)):
        parts = list(value)
    else:
        parts = list(vars(value).values()) if hasattr(value, "__dict__") else []
    return [tensor for part in parts for tensor in _tensors(part, depth - 1)]
