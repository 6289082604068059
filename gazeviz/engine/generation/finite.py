"""Noticing that a model's numbers have left the range of their type, in the pass where it happens.

float16 ends at 65 504: a model that was trained in bfloat16 can exceed it, and everything after that is not a
number, up to the choice of a token. Knows numbers and their type; knows no model.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from gazeviz.errors import UserError


def check_logits(logits_BNV: torch.Tensor, dtype: torch.dtype) -> None:
    """Refuse logits of which one is NaN or +inf; -inf is a token that a model forbids itself.

    Raises:
        UserError: naming the number type in which the model computed.
    """
    if not logits_BNV.numel():
        return
    highest = logits_BNV.amax(dim=-1)
    if not (math.isfinite(highest.item()) if highest.numel() == 1 else bool(highest.isfinite().all())):
        raise overflow(dtype)


def check_rows(rows_LHQP: NDArray[np.float32], present_LH: NDArray[np.bool_], dtype: torch.dtype) -> None:
    """Refuse attention rows of heads that the model has of which one is not a number; UserError as above."""
    if not np.isfinite(rows_LHQP[present_LH]).all():
        raise overflow(dtype)


def overflow(dtype: torch.dtype) -> UserError:
    """What to say of numbers that are none."""
    name = str(dtype).removeprefix("torch.")
    if dtype == torch.float16:
        return UserError(
            f"The model's numbers overflow in {name}, so its scores are not numbers.",
            next_step="Load it as bfloat16 or float32: by --dtype, or by the number type in the Open dialog.",
        )
    return UserError(
        f"The model's scores are not numbers in {name}: its weights are damaged, or not made for it.",
        next_step="Download the model again, or load it as float32.",
    )
