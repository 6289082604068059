"""Messages as msgpack, by the types that their own dataclasses declare.

A message is written as its class's name and its fields in order; what stands in a field follows from the
field's annotation alone, so nothing is read that no annotation allows, and no bytes choose a class. Numbers
are written big-endian by msgpack and arrays little-endian with dtype and shape, so the two ends may differ in
operating system, processor and Python. Regions are packed one bit a pixel and written once for each message.

Hello and Failed are what two versions say to each other that do not fit: their fields stay as they are.
"""

from __future__ import annotations

import math
import operator
import types
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgpack
import numpy as np

from gazeviz.domain.messages import Event, Request
from gazeviz.domain.region import Region, region_from_bits
from gazeviz.errors import UserError

MAX_ITEMS: Final = 2**17
"""Longest list or map in a message: a list's room is taken before its items are there."""

MAX_ARRAY_BYTES: Final = 2**30
"""What the arrays and masks of one message may take in memory: sixty masks of 16 megapixels."""

_MAX_AXES: Final = 8


class WireError(ValueError):
    """Bytes that are no message of ours."""


class MessageWriter:
    """State while a message is written: regions that it holds already are named by their number."""

    def __init__(self) -> None:
        self.regions: dict[int, int] = {}


@dataclass
class MessageSource:
    """State while a message is read. left_bytes: what its arrays may still take in memory."""

    left_bytes: int
    regions: list[Region] = field(default_factory=list)

    def take(self, n_bytes: int) -> None:
        """Ask for memory before it is taken; WireError where that is too much for one message."""
        if not 0 <= n_bytes <= self.left_bytes:
            raise WireError("arrays that take more memory than one message may")
        self.left_bytes -= n_bytes


class Codec(ABC):
    """Writes and reads the values of one annotation. Reading raises WireError for anything else."""

    @abstractmethod
    def write(self, value: Any, out: MessageWriter) -> Any:
        """Return what msgpack can pack; TypeError or ValueError for a value of another type."""

    @abstractmethod
    def read(self, plain: Any, source: MessageSource) -> Any:
        """Return the value."""


class ScalarCodec(Codec):
    """int, float, str, bool, bytes and None. Only a float may come as an int."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def write(self, value: Any, out: MessageWriter) -> Any:
        """NumPy's numbers become Python's."""
        if self._kind is float and not isinstance(value, str | bytes):
            return float(value)
        if self._kind is int and not isinstance(value, bool):
            return operator.index(value)
        if self._kind is bool and isinstance(value, bool | np.bool_):
            return bool(value)
        if not isinstance(value, self._kind):
            raise TypeError(f"expected {self._kind.__name__}, got {type(value).__name__}")
        return value

    def read(self, plain: Any, source: MessageSource) -> Any:
        """The same type, to the letter: True is no int."""
        if type(plain) is self._kind:
            return plain
        if self._kind is float and type(plain) is int:
            return float(plain)
        raise WireError(f"expected {self._kind.__name__}, got {type(plain).__name__}")


class LiteralCodec(Codec):
    """One of some words."""

    def __init__(self, words: tuple[Any, ...]) -> None:
        self._words = words

    def write(self, value: Any, out: MessageWriter) -> Any:
        """The word itself."""
        return self.checked(value)

    def read(self, plain: Any, source: MessageSource) -> Any:
        """One of the words."""
        return self.checked(plain)

    def checked(self, plain: Any) -> Any:
        """The word, and nothing that only equals one."""
        if any(plain == word and type(plain) is type(word) for word in self._words):
            return plain
        raise WireError(f"expected one of {self._words}, got {type(plain).__name__}")


class UnionCodec(Codec):
    """None or something, or the first of some types that fits."""

    def __init__(self, members: tuple[Codec, ...], *, may_be_none: bool) -> None:
        self._members, self._may_be_none = members, may_be_none

    def write(self, value: Any, out: MessageWriter) -> Any:
        """As the first member that takes it."""
        if value is None and self._may_be_none:
            return None
        for member in self._members[:-1]:
            try:
                return member.write(value, out)
            except (TypeError, ValueError):
                continue
        return self._members[-1].write(value, out)

    def read(self, plain: Any, source: MessageSource) -> Any:
        """As the first member that takes it."""
        if plain is None and self._may_be_none:
            return None
        for member in self._members[:-1]:
            try:
                return member.read(plain, source)
            except WireError:
                continue
        return self._members[-1].read(plain, source)


class TupleCodec(Codec):
    """tuple[X, ...], or one codec for each place."""

    def __init__(self, items: tuple[Codec, ...], *, any_length: bool) -> None:
        self._items, self._any_length = items, any_length

    def write(self, value: Any, out: MessageWriter) -> Any:
        """A list."""
        items = tuple(value)
        return [codec.write(item, out) for codec, item in zip(self._codecs(items), items, strict=True)]

    def read(self, plain: Any, source: MessageSource) -> Any:
        """A tuple."""
        items = _listed(plain)
        return tuple(codec.read(item, source) for codec, item in zip(self._codecs(items), items, strict=True))

    def _codecs(self, items: Any) -> tuple[Codec, ...]:
        if self._any_length:
            return self._items * len(items)
        if len(items) != len(self._items):
            raise WireError(f"expected {len(self._items)} items, got {len(items)}")
        return self._items


class MappingCodec(Codec):
    """A mapping as a list of pairs, so that keys may be of any type."""

    def __init__(self, key: Codec, value: Codec) -> None:
        self._key, self._value = key, value

    def write(self, value: Any, out: MessageWriter) -> Any:
        """A list of keys and values in turn."""
        flat: list[Any] = []
        for key, item in value.items():
            flat += (self._key.write(key, out), self._value.write(item, out))
        return flat

    def read(self, plain: Any, source: MessageSource) -> Any:
        """A dict."""
        flat = _listed(plain)
        if len(flat) % 2:
            raise WireError("a key without a value")
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return {self._key.read(key, source): self._value.read(item, source) for key, item in pairs}


class ArrayCodec(Codec):
    """An array of one dtype: dtype, shape and bytes, row by row, little-endian."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype.newbyteorder("<")
        self._name = self._dtype.str

    def write(self, value: Any, out: MessageWriter) -> Any:
        """Cast to the declared dtype; nothing is copied where it has that already."""
        array = np.ascontiguousarray(value, dtype=self._dtype)
        return [self._name, list(np.shape(value)), array.data.cast("B") if array.size else b""]

    def read(self, plain: Any, source: MessageSource) -> Any:
        """An array on the message's own bytes; the dataclass that takes it makes its own copy."""
        name, shape, data = _listed(plain, 3)
        axes = _listed(shape)
        if name != self._name or len(axes) > _MAX_AXES or not isinstance(data, bytes):
            raise WireError(f"expected an array of {self._name}")
        if any(type(axis) is not int or axis < 0 for axis in axes):
            raise WireError("an array whose shape is none")
        if math.prod(axes) * self._dtype.itemsize != len(data):
            raise WireError(f"{len(data)} bytes for an array of {self._name} {axes}")
        source.take(len(data))
        if self._dtype.kind == "b":  # any byte but 0 is True, and there is only one True
            return (np.frombuffer(data, dtype=np.uint8) != 0).reshape(axes)
        return np.frombuffer(data, dtype=self._dtype).reshape(axes)


class RegionCodec(Codec):
    """A region: one bit for each pixel of its box, or the number of one that the message holds already."""

    def write(self, value: Any, out: MessageWriter) -> Any:
        """Full the first time."""
        if not isinstance(value, Region):
            raise TypeError(f"expected Region, got {type(value).__name__}")
        known = out.regions.get(id(value))
        if known is not None:
            return known
        out.regions[id(value)] = len(out.regions)
        name, shape_HW, box_px, bits, colour = value.packed()
        return [name, list(shape_HW), list(box_px), bits, colour]

    def read(self, plain: Any, source: MessageSource) -> Any:
        """The same object for the same region."""
        if type(plain) is int:
            if not 0 <= plain < len(source.regions):
                raise WireError("a region that the message does not hold")
            return source.regions[plain]
        name, shape, box, bits, colour = _listed(plain, 5)
        height, width = (_count(side) for side in _listed(shape, 2))
        x0, y0, x1, y1 = (_count(edge) for edge in _listed(box, 4))
        n_bits = (y1 - y0) * (x1 - x0)
        if not (x0 < x1 <= width and y0 < y1 <= height and isinstance(bits, bytes)):
            raise WireError("a region outside its picture")
        if len(bits) != -(-n_bits // 8):
            raise WireError(f"{len(bits)} bytes for a mask of {n_bits} pixels")
        source.take(height * width)
        region = region_from_bits(
            _text(name), (height, width), (x0, y0, x1, y1), bits, colour and _text(colour)
        )
        source.regions.append(region)
        return region


class DataclassCodec(Codec):
    """A dataclass: its fields in order. What it refuses itself is refused here."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._codecs: tuple[tuple[str, Codec], ...] | None = None

    @property
    def codecs(self) -> tuple[tuple[str, Codec], ...]:
        """Name and codec of each field; made when first needed, for a class may hold itself."""
        if self._codecs is None:
            hints = get_type_hints(self._kind)
            named = [item.name for item in fields(self._kind) if item.init]
            self._codecs = tuple((name, codec_of(hints[name])) for name in named)
        return self._codecs

    def write(self, value: Any, out: MessageWriter) -> Any:
        """A list of the fields."""
        if type(value) is not self._kind:
            raise TypeError(f"expected {self._kind.__name__}, got {type(value).__name__}")
        return [codec.write(getattr(value, name), out) for name, codec in self.codecs]

    def read(self, plain: Any, source: MessageSource) -> Any:
        """The dataclass, made by its own constructor."""
        items = _listed(plain, len(self.codecs))
        values = {
            name: codec.read(item, source) for (name, codec), item in zip(self.codecs, items, strict=True)
        }
        return self._kind(**values)


def codec_of(annotation: Any) -> Codec:
    """Return what writes and reads values of an annotation; TypeError for one that no message needs yet."""
    if annotation in (int, float, str, bool, bytes):
        return ScalarCodec(annotation)
    if annotation is Region:
        return RegionCodec()
    if isinstance(annotation, type) and hasattr(annotation, "__dataclass_fields__"):
        return _dataclass_codec(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return LiteralCodec(arguments)
    if origin in (Union, types.UnionType):
        members = tuple(codec_of(member) for member in arguments if member is not types.NoneType)
        return UnionCodec(members, may_be_none=types.NoneType in arguments)
    if origin is tuple:
        any_length = arguments[-1:] == (Ellipsis,)
        items = arguments[:1] if any_length else arguments
        return TupleCodec(tuple(codec_of(item) for item in items), any_length=any_length)
    if origin is Mapping:
        return MappingCodec(codec_of(arguments[0]), codec_of(arguments[1]))
    if origin is np.ndarray:
        return ArrayCodec(np.dtype(get_args(arguments[1])[0]))
    raise TypeError(f"no message can hold a {annotation}")


@cache
def _dataclass_codec(kind: type) -> DataclassCodec:
    return DataclassCodec(kind)


@cache
def _message_codecs() -> dict[str, tuple[type, DataclassCodec]]:
    kinds = (*get_args(Request), *get_args(Event))
    return {kind.__name__: (kind, _dataclass_codec(kind)) for kind in kinds}


def pack(message: Any) -> bytes:
    """Return a message as msgpack; TypeError for anything that is no message."""
    name = type(message).__name__
    kind, codec = _message_codecs().get(name, (None, None))
    if codec is None or type(message) is not kind:
        raise TypeError(f"{name} is no message")
    plain = [name, codec.write(message, MessageWriter())]
    packed: bytes = msgpack.packb(plain, use_bin_type=True, unicode_errors="surrogatepass")
    return packed


def unpack(payload: bytes | memoryview, most_bytes: int = MAX_ARRAY_BYTES) -> Any:
    """Return the message that `pack` made bytes of; WireError for all other bytes, whatever they are.

    most_bytes: what its arrays may take in memory, asked for before it is taken.
    """
    try:
        plain = msgpack.unpackb(
            payload,
            raw=False,
            use_list=True,
            strict_map_key=True,
            unicode_errors="surrogatepass",
            max_array_len=MAX_ITEMS,
            max_map_len=0,
            max_ext_len=0,
        )
        name, values = _listed(plain, 2)
        if not isinstance(name, str) or name not in _message_codecs():
            raise WireError("a message of an unknown kind")
        return _message_codecs()[name][1].read(values, MessageSource(most_bytes))
    except WireError:
        raise
    except UserError as error:
        raise WireError(error.sentence) from error
    # A message that its own classes refuse, or that msgpack cannot take apart: all of it is bytes from
    # elsewhere, and no more is to be learnt from the kind of exception.
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, MemoryError) as error:
        raise WireError(f"{type(error).__name__}: {error}") from error


def _listed(plain: Any, n: int | None = None) -> list[Any]:
    if not isinstance(plain, list) or (n is not None and len(plain) != n):
        raise WireError(f"expected a list of {'some' if n is None else n} items")
    return plain


def _count(plain: Any) -> int:
    if type(plain) is not int or plain < 0:
        raise WireError("expected a count")
    return plain


def _text(plain: Any) -> str:
    if not isinstance(plain, str):
        raise WireError("expected a text")
    return plain
