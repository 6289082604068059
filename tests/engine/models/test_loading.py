"""A model is loaded with our attention in its language model only, and on a device that works."""

from __future__ import annotations

import json
import random
import re
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from gazeviz.engine.attention.hook import ATTENTION_NAME
from gazeviz.engine.models.loading import load_model
from gazeviz.engine.models.prompt import prepare
from gazeviz.errors import UserError
from tests.engine.fixtures.tiny_checkpoints import edited


def test_a_loaded_model_is_ready(checkpoint: Path) -> None:
    told: list[tuple[str, float]] = []
    loaded = load_model(checkpoint, progress=lambda what, part: told.append((what, part)))
    assert loaded.family.name == "qwen3_vl"
    assert loaded.path == checkpoint
    assert loaded.hook.shape_LH == (2, 4)
    assert (loaded.device.type, loaded.dtype) == ("cpu", torch.float32)
    assert loaded.context_tok == 2048
    names = loaded.special_tokens
    assert names[2] == "</s>" and names[loaded.image_token_id] == loaded.processor.image_token
    assert list(names) == sorted(names) and "cat" not in names.values()
    assert loaded.image_token_id == loaded.tokenizer.convert_tokens_to_ids("<image>")
    assert not loaded.model.training
    assert not any(weight.requires_grad for weight in loaded.model.parameters())
    assert [part for _, part in told] == sorted(part for _, part in told)
    assert told[-1] == ("ready", 1.0)
    assert "qwen3_vl" in repr(loaded)
    assert repr(loaded.processor) == "<Qwen3VLProcessor>"


def test_our_attention_is_in_the_language_model_only(copy: Path) -> None:
    loaded = load_model(edited(copy, _attn_implementation="eager"))  # a checkpoint's own choice must not win
    assert loaded.model.config.text_config._attn_implementation == ATTENTION_NAME
    assert loaded.model.config.vision_config._attn_implementation == "sdpa"


@torch.no_grad()
def test_it_computes_what_transformers_computes(checkpoint: Path) -> None:
    loaded = load_model(checkpoint)
    plain = AutoModelForImageTextToText.from_pretrained(checkpoint, attn_implementation="eager").eval()
    ids = torch.tensor([[4, 6, 8, 9, 10, 5]])
    torch.testing.assert_close(loaded.model(input_ids=ids).logits, plain(input_ids=ids).logits)


def test_no_progress_bar_is_drawn(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_model(checkpoint)
    assert "Loading weights" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("missing", "complaint"),
    [
        ("model.safetensors", "has no weights"),
        ("preprocessor_config.json", r"has no preprocessor_config\.json"),
        ("tokenizer_config.json", r"has no tokenizer_config\.json"),
        ("tokenizer.json", "has no tokenizer"),
        ("config.json", "not a model folder"),
    ],
)
def test_a_missing_file_is_a_sentence(copy: Path, missing: str, complaint: str) -> None:
    (copy / missing).unlink()
    with pytest.raises(UserError, match=complaint):
        load_model(copy)


def test_damaged_weights_are_a_sentence(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"The weights in .* cannot be used"):
        load_model(copy)


def test_tensors_that_nobody_needs_raise_no_alarm(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    weights = load_file(copy / "model.safetensors")
    weights["mtp.layers.0.weight"] = torch.ones(2, 2)
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    capfd.readouterr()
    load_model(copy)
    assert capfd.readouterr() == ("", "")


def damaged(text: bytes, rng: random.Random) -> bytes:
    """A file cut short, with bytes changed, or with a number or text of its JSON put in place of another."""
    place = rng.randrange(len(text))
    kind = rng.randrange(4)
    if kind == 0:
        return text[:place]
    if kind == 1:
        return text[:place] + rng.randbytes(3) + text[place + 3 :]
    parts = re.split(rb'(-?\d+|"[^"]*"|true|false)', text)
    parts[2 * rng.randrange(len(parts) // 2) + 1] = rng.choice(
        [b"-1", b"0", b"null", b"[]", b"{}", b'"x"', b"1e99", b"true"]
    )
    return b"".join(parts)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_model_is_a_sentence_or_loads(copy: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = copy / rng.choice(sorted(path.name for path in copy.iterdir() if path.suffix == ".json"))
    path.write_bytes(damaged(path.read_bytes(), rng))
    with suppress(UserError):
        prepare(load_model(copy), Image.new("RGB", (64, 32)), "what is it ?")


def test_weights_that_lack_a_layer_are_refused(copy: Path) -> None:
    settings = json.loads((copy / "config.json").read_text())
    settings["text_config"] |= {"num_hidden_layers": 3}
    with pytest.raises(UserError, match=r"layers\.2.* is missing"):
        load_model(edited(copy, **settings))


def test_weights_of_another_width_are_refused(copy: Path) -> None:
    settings = json.loads((copy / "config.json").read_text())
    settings["text_config"] |= {"intermediate_size": 64}
    with pytest.raises(UserError, match=r"The weights in .* cannot be used"):
        load_model(edited(copy, **settings))


def test_an_impossible_config_is_a_sentence(copy: Path) -> None:
    settings = json.loads((copy / "config.json").read_text())
    settings["text_config"] |= {"hidden_size": "wide"}
    with pytest.raises(UserError, match=r"The settings in .*config\.json cannot be used"):
        load_model(edited(copy, **settings))


def test_the_code_of_a_checkpoint_is_never_run(copy: Path) -> None:
    (copy / "modeling.py").write_text("raise SystemExit('ran')")
    edited(copy, auto_map={"AutoModelForImageTextToText": "modeling.Model", "AutoConfig": "modeling.Config"})
    assert load_model(copy).family.name == "qwen3_vl"
    with pytest.raises(UserError, match="'house_model' is not known"):
        load_model(edited(copy, model_type="house_model"))


def test_a_quantised_model_is_refused(copy: Path) -> None:
    with pytest.raises(UserError, match="quantised"):
        load_model(edited(copy, quantization_config={"quant_method": "awq"}))


def test_a_model_can_be_loaded_in_half_precision(checkpoint: Path) -> None:
    loaded = load_model(checkpoint, device="cpu", dtype="bfloat16")
    assert loaded.dtype == torch.bfloat16
    assert loaded.model.lm_head.weight.dtype == torch.bfloat16
    assert loaded.place.why_not_gpu is None


def test_a_model_too_large_for_the_device_is_a_sentence(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: torch.nn.Module, _place: torch.device) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(UserError, match="does not fit into the memory of cpu"):
        load_model(checkpoint)
