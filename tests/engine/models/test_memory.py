"""The memory of a model is told from its files: weights exactly, the rest from its sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText, Qwen3VLConfig

from gazeviz.domain.model_files import stored_weights
from gazeviz.engine.models import placement
from gazeviz.engine.models.placement import estimate_memory
from gazeviz.model_folder import weight_files


def test_weights_are_counted_exactly(checkpoint: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(checkpoint)
    n_weights = sum(weight.numel() for weight in model.parameters())
    assert placement._weights_bytes(stored_weights(weight_files(checkpoint)), None) == 4 * n_weights
    assert (
        placement._weights_bytes(stored_weights(weight_files(checkpoint)), placement.Numbers(torch.bfloat16))
        == 2 * n_weights
    )
    assert (
        placement._weights_of_config(AutoConfig.from_pretrained(checkpoint), torch.float16) == 2 * n_weights
    )


def test_folder_and_config_agree(checkpoint: Path) -> None:
    config = AutoConfig.from_pretrained(checkpoint)
    assert estimate_memory(checkpoint) == estimate_memory(str(checkpoint)) == estimate_memory(config)


def test_more_image_tokens_and_wider_numbers_take_more(checkpoint: Path) -> None:
    few, many = (estimate_memory(checkpoint, torch.float16, n) for n in (64, 1280))
    assert few < many < estimate_memory(checkpoint, torch.float32, 1280)


def test_an_8b_model_comes_out_near_its_known_size() -> None:
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": 151_936, "hidden_size": 4096, "intermediate_size": 12_288, "num_hidden_layers": 36,
            "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
        },
        vision_config={"out_hidden_size": 4096},
        dtype="bfloat16",
    )  # fmt: skip
    # 8.77 billion weights of two bytes, and some gigabytes around them
    assert 16.3 * 2**30 < estimate_memory(config) < 22 * 2**30


def test_free_memory_is_asked_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (5, 9))
    assert placement.free_memory(torch.device("cuda")) == 5
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 9)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 2)
    assert placement.free_memory(torch.device("mps")) == 7
