"""A machine with several devices, pretended on the CPU: tensors carry the name of a device and refuse to mix.

What a model spread over GPUs demands of code can be tested without a GPU: every tensor computes on the CPU,
says that it lies on "cuda:1", and an operation on tensors of two devices fails as PyTorch's own would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map_only

_PLACE = "_pretended_device"
_CPU = torch.device("cpu")
_GENERATOR = torch.Generator
_DEVICE_OF = torch.Tensor.device.__get__
# What PyTorch lets read another device's tensors, too.
_MOVES = ("to", "copy_", "cpu", "cuda", "__deepcopy__")
_WRITES = ("copy_", "__setitem__")
_READS_CPU_INDICES = ("__getitem__", "__setitem__")
_NEEDS_CPU = ("numpy", "__array__")


class WrongDeviceError(RuntimeError):
    """An operation read tensors of two devices."""


class SplitMachine(TorchFunctionMode):
    """While it is entered, tensors lie where they were put, made or moved to.

    A tensor of one number on the CPU goes with every device, and an index may lie on the CPU, as in PyTorch.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run one operation on the CPU; its result lies on the device that was named, or its operands'."""
        options = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if func is torch.device:
            return func(*args, **options)
        if func == _DEVICE_OF:
            return place_of(args[0])
        if name in _NEEDS_CPU and place_of(args[0]) != _CPU:
            raise WrongDeviceError(f"{name} of a tensor on {place_of(args[0])}")
        place = self._place(name, args, options)
        args, options = (tree_map_only(torch.device, _really, part) for part in (args, options))
        args = tuple(_CPU if _names_gpu(one) else one for one in args)
        result = func(*args, **{key: _CPU if _names_gpu(one) else one for key, one in options.items()})

        def told(tensor: torch.Tensor) -> torch.Tensor:
            if place_of(tensor) == place or name in _WRITES:
                return tensor
            moved = tensor.view_as(tensor) if any(tensor is one for one in args) else tensor
            put(moved, place)
            return moved

        return tree_map_only(torch.Tensor, told, result)

    def _place(self, name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> torch.device:
        named = [
            one for one in (*args, *options.values()) if isinstance(one, torch.device) or _names_gpu(one)
        ]
        flat = [one for one in tree_flatten((args, options))[0] if isinstance(one, torch.Tensor)]
        if name == "cpu":
            return _CPU
        if named and (name in _MOVES or options.get("device") is not None):
            return torch.device(named[-1])
        if name == "to" and len(args) > 1 and isinstance(args[1], torch.Tensor):
            return place_of(args[1])
        if name in _MOVES:
            return place_of(flat[0]) if flat else _CPU
        if name in _READS_CPU_INDICES:
            first, others = flat[0], flat[1:]
            flat = [first, *(one for one in others if place_of(one) != _CPU)]
        places = {place_of(one) for one in flat if one.ndim or place_of(one) != _CPU}
        if len(places) > 1:
            raise WrongDeviceError(
                f"{name} reads tensors on {[(tuple(one.shape), str(place_of(one))) for one in flat]}"
            )
        return places.pop() if places else _CPU


def place_of(tensor: torch.Tensor) -> torch.device:
    """The device that a tensor pretends to lie on."""
    return getattr(tensor, _PLACE, _CPU)


def put(tensor: torch.Tensor, place: torch.device) -> None:
    """Let a tensor pretend to lie on a device."""
    setattr(tensor, _PLACE, place)


@contextmanager
def spread_over(model: Any, places: Mapping[str, str]) -> Iterator[SplitMachine]:
    """Pretend that a model's modules (by name, "" for what no other name covers) lie on these devices.

    accelerate moves what comes into a module, as it does for a model that was loaded with a device map.
    """
    from accelerate.hooks import AlignDevicesHook, add_hook_to_module, remove_hook_from_submodules

    owned: set[int] = set()
    for name, place in sorted(places.items(), key=lambda item: -len(item[0])):
        for tensor in _tensors(model.get_submodule(name)):
            if id(tensor) not in owned:
                owned.add(id(tensor))
                put(tensor, torch.device(place))
    try:
        with SplitMachine() as machine, patch.object(torch, "Generator", lambda _device: _GENERATOR()):
            for name, place in places.items():
                hook = AlignDevicesHook(execution_device=torch.device(place), io_same_device=name == "")
                add_hook_to_module(model.get_submodule(name), hook)
            yield machine
    finally:
        remove_hook_from_submodules(model)
        for tensor in _tensors(model):
            put(tensor, _CPU)


def _tensors(module: Any) -> tuple[torch.Tensor, ...]:
    return (*module.parameters(), *module.buffers())


def _names_gpu(value: object) -> bool:
    return isinstance(value, str) and value.startswith("cuda")


def _really(device: torch.device) -> torch.device:
    return _CPU if device.type == "cuda" else device
