"""Arrays that frozen dataclasses may hold: copied once, then read-only.

Knows nothing of what the numbers mean; only how many axes they have and that nobody writes to them.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Scalar = TypeVar("_Scalar", bound=np.generic)


def read_only(values: ArrayLike, dtype: type[_Scalar], axes: str) -> NDArray[_Scalar]:
    """Return a read-only copy of `values` as `dtype` with one axis per letter of `axes`.

    Raises ValueError when the number of axes differs: that is the caller's mistake, not a person's.
    """
    array = np.array(values, dtype=dtype)
    if array.ndim != len(axes):
        raise ValueError(f"expected axes {axes}, got an array of shape {array.shape}")
    array.setflags(write=False)
    return array


class HoldsArrays:
    """Mixin that keeps a dataclass's arrays read-only through pickling and deep copies."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for held in state.values():
            for value in held.values() if isinstance(held, dict) else (held,):
                if isinstance(value, np.ndarray):
                    value.setflags(write=False)
