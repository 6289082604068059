"""Shelves keep what was asked for last, within their bytes."""

from types import SimpleNamespace

import torch

from gazeviz.engine.generation.vision_cache import ByteCache, tensor_bytes


def kilobytes(n: int) -> torch.Tensor:
    return torch.zeros(n * 256)


def test_the_longest_forgotten_leaves_first() -> None:
    cache: ByteCache[torch.Tensor] = ByteCache(3 * 1024)
    for name in "abc":
        cache.put(name, kilobytes(1))
    assert cache.get("a") is not None
    cache.put("d", kilobytes(1))
    assert cache.get("b") is None
    assert all(cache.get(name) is not None for name in "acd")
    assert cache.n_bytes == 3 * 1024


def test_the_newest_stays_however_large() -> None:
    cache: ByteCache[torch.Tensor] = ByteCache(1024)
    cache.put("small", kilobytes(1))
    cache.put("large", kilobytes(9))
    assert cache.get("small") is None
    assert cache.get("large") is not None
    cache.clear()
    assert cache.get("large") is None
    assert cache.n_bytes == 0


def test_putting_again_replaces_and_other_bytes_count() -> None:
    cache: ByteCache[torch.Tensor] = ByteCache(4 * 1024)
    cache.put("a", kilobytes(1), other_bytes=100)
    cache.put("a", kilobytes(2), other_bytes=100)
    assert cache.n_bytes == 2 * 1024 + 100


def test_tensors_are_found_inside_objects() -> None:
    layer = SimpleNamespace(keys=kilobytes(1), values=kilobytes(2), seen=3)
    cache = SimpleNamespace(layers=[layer, layer])
    assert tensor_bytes({"cache": cache, "norms": (kilobytes(1), "text")}) == 7 * 1024
