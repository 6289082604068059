"""Messages as bytes: unchanged, small, and refused where they are large."""

import numpy as np
import pytest

from gazeviz.backend.wire import MAX_MESSAGE_BYTES, decode, encode
from gazeviz.domain.messages import GalleryReady, Generate, GenerateSpec, OpenPicture, PictureSource, Retarget
from gazeviz.domain.region import Region
from gazeviz.errors import UserError


def painted(number: int, side_px: int, scale: int = 1) -> Region:
    """A disc with a ragged edge, as a brush leaves it."""
    y, x = np.ogrid[:side_px, :side_px]
    radius = side_px / 4 + side_px / 20 * np.sin(np.arctan2(y - side_px / 2, x - side_px / 2) * (7 + number))
    disc = (y - side_px / 2) ** 2 + (x - side_px / 2) ** 2 < radius**2
    return Region(f"Region {number}", disc.repeat(scale, axis=0).repeat(scale, axis=1))


def test_what_is_encoded_comes_back() -> None:
    region = painted(1, 64)
    assert decode(encode(Retarget(3, region))) == Retarget(3, region)
    values = np.random.default_rng(0).random((4, 9), dtype=np.float32)
    assert np.array_equal(decode(encode(GalleryReady(2, values))).values_HP, values)


def test_twelve_regions_of_a_large_picture_cross_in_one_message() -> None:
    regions = tuple(painted(number, 256, scale=16) for number in range(12))
    payload = encode(Generate(1, GenerateSpec("ab", "?", regions=regions)))
    assert len(payload) < 1_000_000  # 25 MB as one bit a pixel
    assert decode(payload).spec.regions == regions


def test_a_large_message_is_refused_with_a_next_step() -> None:
    picture = PictureSource("ab", "photo", data=bytes(MAX_MESSAGE_BYTES))
    with pytest.raises(UserError) as refused:
        encode(OpenPicture(1, picture))
    assert "10.0 MB" in refused.value.sentence
    assert refused.value.next_step == "Save the picture as a file and open that."


def test_the_largest_message_passes() -> None:
    overhead = len(encode(OpenPicture(1, PictureSource("ab", "photo", data=bytes(2**20))))) - 2**20
    assert overhead < 2000
    fits = OpenPicture(1, PictureSource("ab", "photo", data=bytes(MAX_MESSAGE_BYTES - overhead)))
    assert len(encode(fits)) == MAX_MESSAGE_BYTES
