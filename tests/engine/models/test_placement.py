"""Where a model computes, and as what it is held."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from gazeviz import doctor, model_folder
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.model_files import stored_weights
from gazeviz.domain.steering import Steering
from gazeviz.engine.engine import load
from gazeviz.engine.models import placement
from gazeviz.engine.models.loading import load_model
from gazeviz.engine.models.placement import Numbers, Placement, choose_numbers, choose_place, estimate_memory
from gazeviz.errors import UserError
from gazeviz.model_folder import weight_files
from gazeviz.model_verdict import verdict_on
from gazeviz.testbed.world.world import drawn_strip
from tests.engine.fixtures.tiny_checkpoints import edited

STRIP = drawn_strip((17, 0)).strip
PICTURE = STRIP.image
PROMPT = "What is happening in this panel of the comic strip?"


def test_the_number_type_follows_the_device_unless_asked_for(checkpoint: Path) -> None:
    config = AutoConfig.from_pretrained(checkpoint)
    config.dtype = torch.bfloat16
    assert choose_numbers("auto", Placement.on("cpu"), config) == Numbers(torch.float32)
    assert choose_numbers("auto", Placement.on("cuda"), config) == Numbers(torch.bfloat16)
    assert choose_numbers("float16", Placement.on("cpu"), config) == Numbers(torch.float16)
    with pytest.raises(UserError, match="'int4' is no number type"):
        choose_numbers("int4", Placement.on("cpu"), config)


def test_a_device_that_does_not_work_is_refused(checkpoint: Path) -> None:
    for name in ("cuda:77", "abacus"):
        with pytest.raises(UserError, match=f"The device '{name}' does not work here"):
            choose_place(name, checkpoint)
    assert choose_place("cpu", checkpoint) == Placement.on("cpu")


def test_auto_takes_a_gpu_if_the_model_fits(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(placement, "free_memory", lambda _device: 2**34)
    assert choose_place("auto", checkpoint) == Placement.on("cuda")
    monkeypatch.setattr(placement, "free_memory", lambda _device: 2**10)
    place = choose_place("auto", checkpoint)
    assert place.home.type == "cpu"
    assert place.why_not_gpu is not None and "GiB free" in place.why_not_gpu


def test_auto_takes_the_gpu_with_the_most_free_memory(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {0: 2**30, 1: 2**34, 2: 2**33}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(placement, "free_memory", lambda device: free[device.index])
    assert choose_place("auto", checkpoint) == Placement.on("cuda:1")
    free.update({0: 10, 1: 2**20, 2: 10})
    place = choose_place("auto", checkpoint)
    assert (
        place.home.type == "cpu"
        and place.why_not_gpu is not None
        and "the emptiest of 3 GPUs has" in place.why_not_gpu
    )


def test_the_number_type_that_is_asked_for_counts(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs = [estimate_memory(checkpoint, dtype) for dtype in (torch.float32, torch.bfloat16)]
    assert needs[1] < needs[0]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(placement, "free_memory", lambda _device: needs[1])
    assert choose_place("auto", checkpoint, Numbers(torch.bfloat16)).home.type == "cuda"
    assert choose_place("auto", checkpoint, Numbers(torch.float32)).home.type == "cpu"


@pytest.fixture
def bfloat16(copy: Path) -> Path:
    """The tiny model with its weights in bfloat16, where no GPU is."""
    weights = {name: weight.bfloat16() for name, weight in load_file(copy / "model.safetensors").items()}
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    return edited(copy, dtype="bfloat16")


def test_without_a_gpu_a_type_is_taken_that_fits(bfloat16: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide, stored = (estimate_memory(bfloat16, dtype) for dtype in (torch.float32, torch.bfloat16))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(placement, "memory_bytes", lambda: (2**40, wide))
    assert load_model(bfloat16).dtype == torch.float32
    monkeypatch.setattr(placement, "memory_bytes", lambda: (2**40, stored))
    loaded = load_model(bfloat16)
    assert loaded.dtype == torch.bfloat16
    assert loaded.place.why_not_gpu is not None and "it is held as bfloat16" in loaded.place.why_not_gpu
    with pytest.raises(UserError, match=r"On the processor it would take .* as float32"):
        load_model(bfloat16, dtype="float32")
    monkeypatch.setattr(placement, "memory_bytes", lambda: (2**40, 2**10))
    with pytest.raises(UserError, match="GiB are free"):
        load_model(bfloat16)
    assert load_model(bfloat16, device="cpu").dtype == torch.float32  # who asks for it by name gets it


def test_gpu_support_that_could_be_had_is_named(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(doctor, "which", lambda name: name if name == "nvidia-smi" else None)
    reason = choose_place("auto", checkpoint).why_not_gpu
    assert str(reason).endswith(f"Install the build for it: {doctor.CUDA_LINE}")


def test_auto_says_why_there_is_no_gpu(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None, raising=False)
    monkeypatch.setattr(doctor, "which", lambda _name: None)
    assert choose_place("auto", checkpoint).why_not_gpu == "This PyTorch is built without GPU support."
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    assert choose_place("auto", checkpoint).why_not_gpu == "PyTorch found no GPU."
    monkeypatch.setattr(doctor, "which", lambda name: name if name == "nvidia-smi" else None)
    assert "Update the GPU's driver" in str(choose_place("auto", checkpoint).why_not_gpu)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """Free bytes of two GPUs, which a test may change."""
    free = {0: 2**34, 1: 2**34}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(placement, "free_memory", lambda device: free[device.index])
    return free


def test_auto_spreads_a_model_that_fits_on_no_gpu_alone(checkpoint: Path, two_gpus: dict[int, int]) -> None:
    need = estimate_memory(checkpoint)
    two_gpus.update({0: int(0.7 * need), 1: int(0.6 * need)})
    place = choose_place("auto", checkpoint)
    assert place.spread and str(place) == "cuda:0+1" and place.home == torch.device("cuda:0")
    assert place.options() == {
        "device_map": "balanced",
        "max_memory": {0: int(0.9 * two_gpus[0]), 1: int(0.9 * two_gpus[1])},
    }
    two_gpus.update({0: need // 2, 1: need // 2})  # no slack for what each of them holds besides
    assert choose_place("auto", checkpoint).home.type == "cpu"


def test_what_spreads_a_model_is_named_where_it_is_missing(
    checkpoint: Path, two_gpus: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_folder, "find_spec", lambda _name: None)
    need = estimate_memory(checkpoint)
    two_gpus.update({0: int(0.7 * need), 1: int(0.7 * need)})
    place = choose_place("auto", checkpoint)
    assert place.home.type == "cpu" and str(place.why_not_gpu).endswith('pip install "gazeviz[big]".')
    monkeypatch.setattr(torch, "empty", lambda *_shape, device: device)
    with pytest.raises(UserError, match="accelerate"):
        choose_place("cuda:0+1", checkpoint)


def test_several_gpus_are_named_by_their_numbers(
    checkpoint: Path, two_gpus: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "empty", lambda *_shape, device: device)
    assert choose_place("cuda:1+0", checkpoint).devices == (torch.device("cuda:1"), torch.device("cuda:0"))
    assert not choose_place("cuda:1+1", checkpoint).spread
    with pytest.raises(UserError, match="abacus"):
        monkeypatch.undo()
        choose_place("abacus:0+1", checkpoint)


def test_a_device_map_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In two parts, both on the processor here."""
    asked = []

    def two_parts(place: Placement, *, quantised: bool = False) -> dict[str, object]:
        asked.append((place, quantised))
        return {"device_map": {"model.visual": "cpu", "model.language_model": "cpu", "lm_head": "cpu"}}

    plain = load(None, device="cpu").generate(PICTURE, PROMPT, max_new_tokens=4)
    monkeypatch.setattr(Placement, "options", two_parts)
    engine = load(None, device="cpu")
    assert asked == [(Placement.on("cpu"), False)]
    assert engine.generate(PICTURE, PROMPT, max_new_tokens=4).text == plain.text


@pytest.mark.parametrize("bits", [8, 4])
def test_linear_layers_are_held_in_fewer_bits(bits: int) -> None:
    engine = load(None, device="cpu", dtype=f"{bits}bit")
    kind = {8: "Linear8bitLt", 4: "Linear4bit"}[bits]
    assert type(engine.model.model.language_model.layers[3].mlp.up_proj).__name__ == kind
    assert engine.describe_model().dtype == f"{bits}bit" and engine.dtype == torch.float32
    heads = HeadSet.of("L2H6,L4H9,L4H10,L8H9,L10H0")
    masses = [
        engine.generate(PICTURE, PROMPT, steering=steering, track=heads, max_new_tokens=3).rows_THP
        for steering in (None, Steering(heads, STRIP.panels[4], strength=8.0))
    ]
    inside_P = engine.grid(PICTURE).tokens(STRIP.panels[4])
    assert masses[1][0][:, inside_P].sum() > masses[0][0][:, inside_P].sum() + 1
    held = engine.model.get_memory_footprint()
    told = placement._weights_bytes(stored_weights(weight_files(engine.loaded.path)), engine.loaded.numbers)
    assert abs(told - held) < 0.15 * held


def test_a_checkpoint_stored_in_four_bits_is_loaded_as_it_is(tmp_path: Path) -> None:
    engine = load(None, device="cpu", dtype="4bit")
    folder = Path(shutil.copytree(engine.loaded.path, tmp_path / "stored"))
    (folder / "model.safetensors").unlink()
    engine.model.save_pretrained(folder)
    assert "bitsandbytes, 4 bit" in verdict_on(folder).form and verdict_on(folder).works
    again = load(folder, device="cpu")
    assert again.describe_model().dtype == "float32"
    texts = [one.generate(PICTURE, PROMPT, max_new_tokens=6).text for one in (engine, again)]
    assert texts[0] == texts[1]
    with pytest.raises(UserError, match=r"^The model's weights are quantised already\."):
        load(folder, device="cpu", dtype="8bit")


def test_packages_of_quantised_weights_are_named(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"awq, 4 bit\), which needs gptqmodel") as caught:
        load_model(edited(copy, quantization_config={"quant_method": "awq", "bits": 4}))
    assert "pip install gptqmodel" in str(caught.value.next_step)
    monkeypatch.setattr(model_folder, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match="which needs accelerate and bitsandbytes") as caught:
        load_model(edited(copy, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True}))
    assert 'pip install "gazeviz[quant]"' in str(caught.value.next_step)
    with pytest.raises(UserError, match="Weights in 4bit need the package accelerate"):
        load_model(edited(copy, quantization_config=None), dtype="4bit")
    with pytest.raises(UserError, match=r"\(hqq\), which gazeviz does not support"):
        load_model(edited(copy, quantization_config={"quant_method": "hqq"}))
