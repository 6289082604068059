"""What the vision tower makes of a picture, computed once for all the questions and targets that follow.

Steering every row of a prompt changes what the language model makes of the picture, never what the vision
tower does; so its output is kept by picture and handed to the model instead of the pixels. Knows the tower's
inputs and outputs; knows nothing of prompts, heads or steering.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import torch

# Caches: what was computed about a picture, kept within a number of bytes for the next question about it.
#
# Knows sizes and keys; knows nothing of what lies on it.


_T = TypeVar("_T")


class ByteCache(Generic[_T]):
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
        """Bytes of everything that is kept."""
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


_KEPT_BYTES = 128 * 2**20
_OUTPUTS = ("pooler_output", "deepstack_features")
"""What a language model reads of a vision tower's output: the image tokens, and in Qwen3-VL some earlier
layers.
"""


class Vision:
    """The vision tower of one model, with a memory for pictures."""

    def __init__(self, model: Any) -> None:
        self._tower = getattr(model, "model", model)
        takes_outputs = "mm_encoder_outputs" in inspect.signature(model.forward).parameters
        method = getattr(self._tower, "get_image_features", None)
        self._wanted = set(inspect.signature(method).parameters) if takes_outputs and method else set()
        self._seen: ByteCache[Any] = ByteCache(_KEPT_BYTES)

    def inputs_for(self, pictures: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, Any]:
        """What to pass to the model for a batch of prompts with these picture inputs, one picture each.

        The inputs joined along the batch, their pixels replaced by what the tower sees in them; or with the
        pixels, where this model takes no outputs of its tower.
        """
        joined: dict[str, Any] = {name: torch.cat([one[name] for one in pictures]) for name in pictures[0]}
        if "pixel_values" not in self._wanted:
            return joined
        outputs = _together([self._see(one) for one in pictures])
        if outputs is None:
            return joined
        others = {name: value for name, value in joined.items() if not name.startswith("pixel_")}
        return {**others, "mm_encoder_outputs": {"image": outputs}}

    def forget(self) -> None:
        """Give the memory back."""
        self._seen.clear()

    def _see(self, picture: Mapping[str, torch.Tensor]) -> Any:
        """The tower's output for one picture, from memory if it was seen before."""
        tower_inputs = {name: value for name, value in picture.items() if name in self._wanted}
        key = digest_of(tower_inputs)
        output = self._seen.get(key)
        if output is None:
            output = self._tower.get_image_features(**tower_inputs, return_dict=True)
            self._seen.put(key, output)
        return output


def digest_of(inputs: Mapping[str, torch.Tensor]) -> str:
    """A digest of named tensors: names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, value in sorted(inputs.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _together(outputs: Sequence[Any]) -> Any | None:
    """One output for several pictures, or None if this tower's outputs have a shape that is not known."""
    merged = copy.copy(outputs[0])
    for name in _OUTPUTS:
        parts = [getattr(output, name, None) for output in outputs]
        if all(part is None for part in parts):
            continue
        value = _joined(parts, by_layer=name == "deepstack_features")
        if value is None:
            return None
        setattr(merged, name, value)
    return merged


def _joined(parts: Sequence[Any], *, by_layer: bool) -> Any | None:
    """Join tensors along their pictures, sequences (a tensor a picture) end to end, and layers one by one."""
    if by_layer:
        layers = [_joined(layer, by_layer=False) for layer in zip(*parts, strict=True)]
        return None if any(layer is None for layer in layers) else layers
    if all(isinstance(part, torch.Tensor) for part in parts):
        return torch.cat(list(parts))
    if all(isinstance(part, (list, tuple)) for part in parts):
        return [tensor for part in parts for tensor in part]
    return None
