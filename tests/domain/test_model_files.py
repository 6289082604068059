"""Memory is told from headers and sizes: weights exactly, the rest by its shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gazeviz.domain.model_files import (
    LOADING_BYTES,
    PROVEN,
    REFUSED,
    ModelSizes,
    Needs,
    family_name,
    needed_bytes,
    stored_weights,
    takes_pictures,
)

# A family's name is told from a checkpoint's settings alone.


def test_no_family_both_works_and_is_refused() -> None:
    assert not PROVEN & set(REFUSED)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"model_type": "qwen3_vl"}, "qwen3_vl"),
        ({"model_type": "llava", "vision_config": {"model_type": "pixtral"}}, "pixtral"),
        ({"model_type": "llava", "vision_config": {"model_type": "clip_vision_model"}}, "llava"),
        ({"model_type": "llava", "vision_config": None}, "llava"),
        ({}, ""),
    ],
)
def test_a_family_is_named_by_its_type_and_its_tower(settings: dict[str, Any], name: str) -> None:
    assert family_name(settings) == name


def test_an_unknown_model_says_whether_it_takes_pictures() -> None:
    assert takes_pictures({"model_type": "phi9", "vision_config": {}})
    assert takes_pictures({"architectures": ["Phi9ForVision2Seq"]})
    assert not takes_pictures({"architectures": ["Phi9ForCausalLM"]})
    assert not takes_pictures({"architectures": "Phi9ForVision2Seq", "vision_config": None})


TEXT = {
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "hidden_size": 32, "vocab_size": 100,
}  # fmt: skip


def write_header(path: Path, header: object) -> Path:
    data = json.dumps(header).encode()
    path.write_bytes(len(data).to_bytes(8, "little") + data)
    return path


def test_weights_are_counted_from_the_headers_of_all_files(tmp_path: Path) -> None:
    first = {"__metadata__": {"format": "pt"}, "a": {"dtype": "BF16", "shape": [3, 5]}}
    second = {"b": {"dtype": "F32", "shape": [2]}, "c": {"dtype": "I64", "shape": [4]}}
    files = [write_header(tmp_path / "1", first), write_header(tmp_path / "2", second)]
    weights = stored_weights(files)
    assert (weights.n_floating, weights.dtype) == (17, "bfloat16")
    assert weights.bytes_as(None) == 15 * 2 + 2 * 4 + 4 * 8
    assert weights.bytes_as(4) == 17 * 4 + 4 * 8


def test_a_scalar_is_one_number_and_no_file_is_none(tmp_path: Path) -> None:
    assert (
        stored_weights([write_header(tmp_path / "1", {"a": {"dtype": "F16", "shape": []}})]).n_floating == 1
    )
    assert stored_weights([]).dtype == ""


@pytest.mark.parametrize("content", [b"", b"\xff" * 16, b"\x02" + b"\x00" * 7 + b"[]", b"\x02" + bytes(7)])
def test_what_is_no_safetensors_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        stored_weights([path])


def test_a_header_that_does_not_say_what_a_tensor_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not say what a is"):
        stored_weights([write_header(tmp_path / "1", {"a": {"dtype": "F16"}})])


def test_the_cache_is_counted_by_its_shape() -> None:
    sizes = ModelSizes.of_settings({"text_config": TEXT, "vision_config": {"hidden_size": 64}})
    assert sizes is not None
    # keys and values of 2 layers, 2 heads of 8 numbers, 100 tokens, 4 bytes
    assert sizes.cache_bytes(100, 4) == 2 * 2 * 2 * 8 * 100 * 4
    assert sizes.vision_width == 64


def test_sizes_are_found_at_the_top_and_missing_ones_are_made_of_others() -> None:
    sizes = ModelSizes.of_settings({**TEXT, "num_key_value_heads": None, "head_dim": None})
    assert sizes is not None
    assert (sizes.n_kv_heads, sizes.head_dim, sizes.intermediate, sizes.vision_width) == (4, 8, 128, 0)
    assert ModelSizes.of_settings({"text_config": {"hidden_size": 32}}) is None


def test_without_sizes_the_weights_alone_are_counted() -> None:
    sizes = ModelSizes.of_settings(TEXT)
    assert needed_bytes(1000, None, 2) == 1000 + LOADING_BYTES
    assert (
        needed_bytes(1000, sizes, 2, 64) < needed_bytes(1000, sizes, 2, 1280) < needed_bytes(1000, sizes, 4)
    )


def test_a_run_grows_with_text_picture_and_steered_heads() -> None:
    sizes = ModelSizes.of_settings(TEXT)
    short, usual, large = (Needs.of(1000, sizes, 4, *tok) for tok in ((64, 20), (64, 512), (1280, 512)))
    assert short.load_bytes == usual.load_bytes == large.load_bytes
    assert short.run_bytes < usual.run_bytes < large.run_bytes <= large.widest_run_bytes <= large.most_bytes
    assert short.discovery_bytes < usual.discovery_bytes < large.discovery_bytes
