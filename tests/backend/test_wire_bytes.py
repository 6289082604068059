"""The bytes of the wire: every message crosses unchanged, and what is no message is refused."""

import math
import pickle
import random
import struct
import tracemalloc
import zlib
from typing import Any, get_args

import msgpack
import numpy as np
import pytest

from gazeviz.backend.message_codec import WireError, codec_of, pack, unpack
from gazeviz.backend.wire import MAX_MESSAGE_BYTES, decode, encode
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import (
    Failed,
    GalleryReady,
    Generate,
    GenerateSpec,
    Hello,
    LoadModel,
    ModelForgotten,
    RankingsFinished,
    Request,
    Retarget,
    RunFinished,
    StepArrived,
)
from gazeviz.domain.region import Region
from gazeviz.domain.steering import Schedule, Steering
from tests.domain.test_messages import ALL, REQUESTS, RUN, arrays_in, named, same

LEFT = Region.box("Left", (0, 0, 10, 8), (20, 8))
RIGHT = Region.box("Right", (10, 0, 20, 8), (20, 8), "#0072B2")


@pytest.mark.parametrize("message", ALL, ids=named)
def test_every_message_crosses_unchanged_and_read_only(message: Any) -> None:
    again = decode(encode(message))
    assert same(again, message)
    assert not any(array.flags.writeable for array in arrays_in(again))


def test_numpys_numbers_nans_and_half_letters_cross() -> None:
    row = np.array([np.nan, 0.5], dtype=np.float32)
    step = StepArrived(
        np.int64(3), 0, np.int32(9), "\udce2", np.float32(-0.5), 1, None, row, row, None, row, None  # type: ignore[arg-type]
    )  # fmt: skip
    again = decode(encode(step))
    assert (again.job, again.token_id, again.text, again.logprob) == (3, 9, "\udce2", -0.5)
    assert type(again.ms) is float
    assert np.array_equal(again.map_P, row, equal_nan=True)


def test_scores_without_a_head_and_halves_cross() -> None:
    scores_LH = np.array([[0.25, np.nan], [1.0, -2.0]])
    half = HeadRanking("mass", scores_LH)
    ranking = HeadRanking("mass", scores_LH, 4, np.zeros((2, 2, 6, 6)), (half, half), "a model")
    again = decode(encode(RankingsFinished(1, {"mass": ranking}))).rankings["mass"]
    assert again.order() == ranking.order()
    assert again.split_half_overlap(2) == 2
    assert np.array_equal(again.scores_LH, scores_LH, equal_nan=True)


def test_an_array_of_another_layout_crosses_as_its_values() -> None:
    values_HP = np.arange(12, dtype=">f4").reshape(3, 4).T
    assert np.array_equal(decode(encode(GalleryReady(1, values_HP))).values_HP, values_HP)
    empty = decode(encode(GalleryReady(1, np.zeros((0, 7), dtype=np.float32)))).values_HP
    assert empty.shape == (0, 7)


def test_a_region_that_a_message_holds_often_crosses_once() -> None:
    rng = np.random.default_rng(0)
    region = Region("Noise", rng.random((512, 512)) < 0.5)
    steering = Steering(HeadSet.of("L1H2"), region, schedule=Schedule(((4, region), (9, None), (12, region))))
    payload = encode(Generate(1, GenerateSpec("ab", "?", steering, regions=(region, LEFT, region))))
    assert len(payload) < 1.1 * 512 * 512 / 8
    spec = decode(payload).spec
    assert spec.steering.target is spec.regions[0] is spec.regions[2] is spec.steering.schedule.switches[0][1]
    assert spec.regions == (region, LEFT, region)


@pytest.mark.parametrize("side_px", [(1, 1), (7, 3), (8, 8), (1000, 1)])
def test_masks_of_any_shape_cross(side_px: tuple[int, int]) -> None:
    region = Region("Dot", np.arange(math.prod(side_px)).reshape(side_px) % 3 == 0, "#123456")
    assert decode(encode(Retarget(3, region))).region == region


# What is no message


def test_a_pickle_is_refused() -> None:
    for payload in (pickle.dumps(Hello()), b"p" + pickle.dumps(Hello()), b"m" + pickle.dumps(Hello())):
        with pytest.raises(WireError):
            decode(payload)


def test_what_is_no_message_of_ours_is_not_written() -> None:
    for other in ("Hello", 3, LEFT, RUN, Steering(HeadSet.of("L1H2"), LEFT)):
        with pytest.raises(TypeError):
            pack(other)
    with pytest.raises(TypeError):
        encode(LoadModel(1, b"folder"))  # type: ignore[arg-type]


def raw(*plain: Any) -> bytes:
    """Bytes of a message as somebody else might write it."""
    packed: bytes = msgpack.packb(list(plain), use_bin_type=True)
    return b"m" + packed


STEP = [3, 0, 17, " cat", -0.5, 11.0, None]
ROW = ["<f4", [2], b"\0" * 8]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"m",
        b"z",
        b"q\x90",
        raw(),
        raw("Hello"),
        raw("Hello", []),
        raw("Hello", [2, 0, 0]),
        raw("Hello", ["2", 0]),
        raw("Hello", [True, 0]),
        raw("Hello", [2, 0]) + b"\0",
        raw("Popen", [["sh"], 0]),
        raw("HeadSet", [[], None]),
        raw(3, [2, 0]),
        raw("Cancel", {"job": 3}),
        raw("Failed", [1, "unheard of", "No.", "Try.", "why"]),
        raw("StepArrived", [*STEP, ROW, ROW, None, ["<f8", [1], b"\0" * 8], None]),
        raw("StepArrived", [*STEP, ROW, ROW, None, ["<f4", [3], b"\0" * 8], None]),
        raw("StepArrived", [*STEP, ROW, ROW, None, ["<f4", [-2], b"\0" * 8], None]),
        raw("StepArrived", [*STEP, ROW, ROW, None, ["<f4", [2.0], b"\0" * 8], None]),
        raw("StepArrived", [*STEP, ROW, ROW, None, ["<f4", [1, 2], b"\0" * 8], None]),
        raw("StepArrived", [*STEP, ROW, ROW, None, ["<f4", [2**62, 2**62], b"\0" * 8], None]),
        raw("StepArrived", [*STEP, ROW, ROW, None, ["|O", [1], b"\0" * 8], None]),
        raw("StepArrived", [*STEP, ROW, ROW, None, ["<f4", [2], "\0" * 8], None]),
        raw("StepArrived", [*STEP, ROW, ROW, None, ["<f4", [1] * 70, b"\0" * 4], None]),
        raw("Retarget", [3, 0, None]),
        raw("Retarget", [3, ["A", [8, 8], [0, 0, 8, 8], b"\0" * 8, None], None]),
        raw("Retarget", [3, ["A", [8, 8], [0, 0, 8, 9], b"\1" * 9, None], None]),
        raw("Retarget", [3, ["A", [8, 8], [4, 4, 4, 4], b"", None], None]),
        raw("Retarget", [3, ["A", [8, 8], [0, 0, 8, 8], b"\1" * 7, None], None]),
        raw("Retarget", [3, ["A", [2**20, 2**20], [0, 0, 8, 8], b"\1" * 8, None], None]),
        raw("Retarget", [3, [b"A", [8, 8], [0, 0, 8, 8], b"\1" * 8, None], None]),
        raw("AskMap", [1, 2, [0], [[[-1, 0]], ["hand", None, None, None, None]]]),
        b"m" + msgpack.packb(["Hello", [2, 0], 1]),
        b"m" + msgpack.packb(["Hello", [2, msgpack.ExtType(1, b"x")]]),
        b"m" + msgpack.packb(msgpack.Timestamp(1, 2)),
        b"m" + b"\xdd" + struct.pack(">I", 2**32 - 1),
        b"m" + b"\xdd\x00\x01\xff\xff" * 500,
        b"m" + b"\x91" * 100_000,
        b"m" + b"\xc6" + struct.pack(">I", 2**32 - 1) + b"abc",
        b"z" + zlib.compress(b"\x92"),
        b"z" + zlib.compress(pack(Hello()))[:-1],
        b"z" + zlib.compress(pack(Hello())) + b"more",
        bytes(MAX_MESSAGE_BYTES + 1),
    ],
)  # fmt: skip
def test_malformed_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        decode(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"\xdd\x00\xff\xff\xff" * 900,
        raw("Retarget", [3, ["A", [2**13, 2**12], [0, 0, 8, 8], b"\1" * 8, None], None])[1:],
        raw("Generate", [1, ["ab", "?", None, [0.0, 1.0, 0], 1, [[], ["hand", *[None] * 4]], None,
            [["A", [2**11, 2**11], [0, 0, 8, 8], b"\1" * 8, None]] * 40, "centre", 0.5]])[1:],
    ],
    ids=["lists in lists", "a mask of large emptiness", "many masks"],
)  # fmt: skip
def test_little_cannot_ask_for_much(payload: bytes) -> None:
    most_bytes = 2**24
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            unpack(payload, most_bytes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * most_bytes


def test_a_bomb_of_zeros_is_not_blown_up() -> None:
    with pytest.raises(WireError):
        decode(b"z" + zlib.compress(bytes(2**28 + 1), 9))


def test_nothing_but_messages_comes_of_damaged_bytes() -> None:
    """Bytes changed, cut, put in and torn out of every message: a message, or a refusal; nothing else."""
    rng = random.Random(0)
    kinds, refused = tuple(type(message) for message in ALL), 0
    for payload in (encode(message) for message in ALL):
        plain = zlib.decompress(payload[1:]) if payload[:1] == b"z" else payload[1:]
        for _ in range(400):
            damaged = bytearray(plain)
            for _ in range(rng.randint(1, 4)):
                place = rng.randrange(len(damaged))
                match rng.randrange(4):
                    case 0:
                        damaged[place] = rng.randrange(256)
                    case 1:
                        damaged[place:place] = rng.randbytes(rng.randint(1, 8))
                    case 2:
                        del damaged[place : place + rng.randint(1, 8)]
                    case _:
                        damaged[place] ^= 1 << rng.randrange(8)
                damaged = damaged or bytearray(1)
            try:
                assert type(unpack(bytes(damaged))) in kinds
            except WireError:
                refused += 1
    assert refused > 100 * len(ALL)


def test_noise_is_refused() -> None:
    rng = random.Random(1)
    for _ in range(2000):
        noise = rng.randbytes(rng.randint(0, 60))
        with pytest.raises(WireError):
            decode(rng.choice((b"m", b"z", b"")) + noise)


def test_the_first_words_stay_as_they_are() -> None:
    """What two versions that do not fit say to each other; to change this is to break old workers."""
    assert encode(Hello(7)) == raw("Hello", [7, 0])
    assert encode(Failed(0, "fatal", "No.", "Try.")) == raw("Failed", [0, "fatal", "No.", "Try.", ""])


def test_an_annotation_that_no_codec_knows_is_found_where_it_is_declared() -> None:
    with pytest.raises(TypeError, match="no message can hold"):
        codec_of(set[int])
    assert {type(message) for message in REQUESTS} == set(get_args(Request))
    assert same(decode(encode(ModelForgotten(2))), ModelForgotten(2))
    assert decode(encode(RunFinished(3, RUN))).run.request.steering == RUN.request.steering
