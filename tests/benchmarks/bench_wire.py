"""What the wire costs: msgpack by declared types beside Python's pickle, the same messages in one run.

    python -m tests.benchmarks.bench_wire

Small: a token with the map of a picture of 1280 image tokens. Large: 3.5 MB of attention rows. Masks: twelve
of 16 megapixels. Both ways are compressed alike where masks are in it.
"""

from __future__ import annotations

import pickle
import sys
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from gazeviz.backend.wire import decode, encode
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import GalleryReady, Generate, GenerateSpec, JobProgress, StepArrived
from gazeviz.domain.region import Region
from gazeviz.domain.steering import Steering


def messages() -> dict[str, Any]:
    """What is measured, by name."""
    rng = np.random.default_rng(0)
    row_P = rng.random(1280, dtype=np.float32)
    row_R = rng.random(6, dtype=np.float32)
    disc = np.hypot(*np.ogrid[-128:128, -128:128]) < 100
    mask = disc.repeat(16, axis=0).repeat(16, axis=1)
    regions = tuple(Region(f"Region {number}", mask) for number in range(12))
    heads = HeadSet.all((36, 32))
    return {
        "progress": JobProgress(1, 3, 100, "loading"),
        "a token, 1280 image tokens": StepArrived(
            1, 3, 17, " cat", -0.5, 11.0, "Panel 4", row_R, row_R, row_R, row_P, 1
        ),
        "attention rows, 3.5 MB": GalleryReady(2, rng.random((1152, 760), dtype=np.float32)),
        "a run of 1152 heads, 12 masks of 16 megapixels": Generate(
            1, GenerateSpec("ab", "?", Steering(heads, regions[0]), chosen=heads, regions=regions)
        ),
    }


def pickled(message: Any) -> bytes:
    """As messages crossed before."""
    plain = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return zlib.compress(plain, level=1) if isinstance(message, Generate) else plain


def unpickled(payload: bytes) -> Any:
    """The way back."""
    return pickle.loads(zlib.decompress(payload) if payload[:1] == b"x" else payload)


def middle_us(action: Callable[[], object], seconds: float = 1.0) -> float:
    """Median microseconds of an action, repeated for a while."""
    action()
    taken: list[float] = []
    while sum(taken) < seconds and len(taken) < 3000:
        begun_s = time.perf_counter()
        action()
        taken.append(time.perf_counter() - begun_s)
    return 1e6 * float(np.median(taken))


def main() -> int:
    """Print one line for each message."""
    print(f"{'microseconds (to bytes + back), bytes':<50} {'msgpack':>28} {'pickle':>28}")
    for name, message in messages().items():
        ours, theirs = encode(message), pickled(message)
        figures = [
            (middle_us(lambda m=message: encode(m)), middle_us(lambda p=ours: decode(p)), len(ours)),  # type: ignore[misc]
            (middle_us(lambda m=message: pickled(m)), middle_us(lambda p=theirs: unpickled(p)), len(theirs)),  # type: ignore[misc]
        ]
        shown = " ".join(f"{to:>9.0f} + {back:>6.0f}, {size:>8}" for to, back, size in figures)
        print(f"{name:<50} {shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
