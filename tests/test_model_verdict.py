"""Whether a model will work is told from its files, with what to do where it will not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gazeviz import doctor, model_folder, model_verdict
from gazeviz.domain.model_files import LOADING_BYTES, PROVEN, TWINS, StoredWeights
from gazeviz.model_verdict import verdict_on
from tests.app.runs.test_model_shelf import write_model


@pytest.mark.parametrize("family", sorted(PROVEN - {"pixtral", "smolvlm"}))
def test_every_proven_family_works(tmp_path: Path, family: str) -> None:
    verdict = verdict_on(write_model(tmp_path / "model", family))
    assert verdict.works and (verdict.family, verdict.form) == (family, "bfloat16")
    assert (verdict.why, verdict.instead, verdict.missing) == ("", "", ())


@pytest.mark.parametrize(
    ("settings", "form", "why", "instead"),
    [
        ({"model_type": "internvl_chat", "auto_map": {}}, "bfloat16", "not known", "-hf at the end"),
        ({"model_type": "llava", "mm_vision_tower": "x"}, "bfloat16", "llava_llama", "llava-hf/llava-1.5"),
        ({"model_type": "ovis", "auto_map": {"AutoModel": "m.M"}}, "bfloat16", "remote code", "Ovis2"),
        ({"model_type": "house", "auto_map": {"AutoModel": "m.M"}}, "bfloat16", "never run", "qwen3_vl"),
        ({"model_type": "house"}, "bfloat16", "house is not known", "qwen3_vl"),
        ({"model_type": "mllama"}, "bfloat16", "cross-attention", "Qwen3-VL"),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "awq, 4 bit", "quantised", "float16"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 8}}, "gptq, 8 bit", "quantised", "float16"),
        ({"quantization_config": {"quant_method": "fp8"}}, "fp8", "quantised (fp8)", "bfloat16"),
        (
            {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}},
            "bitsandbytes, 4 bit", "quantised", "bfloat16",
        ),
        ({"text_config": {"quantization_config": {"quant_method": "fp8"}}}, "fp8", "quantised", "float16"),
        ({"quantization_config": {"quant_method": "hqq"}}, "hqq", "does not support", "float16"),
    ],
)  # fmt: skip
def test_what_will_not_work_says_why_and_what_to_take(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    form: str,
    why: str,
    instead: str,
) -> None:
    monkeypatch.setattr(model_folder, "find_spec", lambda _name: None)
    verdict = verdict_on(write_model(tmp_path / "model", **settings))
    assert not verdict.works
    assert (verdict.form, why in verdict.why, instead in verdict.instead) == (form, True, True), verdict


@pytest.mark.parametrize("method", ["bitsandbytes", "fp8", "awq", "gptq", "compressed-tensors"])
def test_quantised_weights_work_where_what_reads_them_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    folder = write_model(tmp_path / "model", quantization_config={"quant_method": method})
    monkeypatch.setattr(model_folder, "find_spec", lambda name: name)
    assert verdict_on(folder).works
    monkeypatch.setattr(model_folder, "find_spec", lambda _name: None)
    why = verdict_on(folder)
    assert not why.works and all(name in why.why for name in model_folder.PACKAGES[method])


def test_other_formats_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "weights.Q4_K_M.gguf").write_bytes(b"GGUF")
    verdict = verdict_on(tmp_path)
    assert verdict.form == "GGUF" and "llama.cpp" in verdict.why and "safetensors" in verdict.instead
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "Qwen/Qwen3-VL-2B"}))
    verdict = verdict_on(tmp_path)
    assert (
        verdict.form == "LoRA adapter" and "(Qwen/Qwen3-VL-2B)" in verdict.why and "peft" in verdict.instead
    )
    (tmp_path / "adapter_config.json").write_text("[")
    assert "holds a LoRA adapter, which changes another model." in verdict_on(tmp_path).why


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_verdict, "find_spec", lambda _name: None)
    verdict = verdict_on(write_model(tmp_path / "smol", "smolvlm"))
    assert verdict.missing == ("num2words",) and verdict.instead == "Install it: pip install num2words."
    folder = write_model(tmp_path / "old")
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    assert verdict_on(folder).missing == ("sentencepiece",)
    monkeypatch.setattr(model_verdict, "find_spec", lambda name: name)
    assert verdict_on(tmp_path / "smol").works


def test_what_is_missing_from_the_folder_is_said(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    (folder / "preprocessor_config.json").unlink()
    assert "has no preprocessor_config.json" in verdict_on(folder).why
    assert "no config.json" in verdict_on(tmp_path / "nowhere").why


def test_memory_is_told_for_loading_running_and_discovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_folder, "find_spec", lambda name: name)
    verdict = verdict_on(write_model(tmp_path / "model", n=10**9))
    stored, wide = verdict.needs("auto"), verdict.needs("float32")
    assert stored is not None and wide is not None
    assert 2e9 < stored.load_bytes < min(stored.run_bytes, stored.discovery_bytes)
    assert wide.load_bytes == 2 * stored.load_bytes - LOADING_BYTES
    few = verdict.needs("auto", n_image_tok=64)
    assert few is not None and few.run_bytes < stored.run_bytes and few.load_bytes == stored.load_bytes
    assert verdict.fitting_dtypes(stored.most_bytes) == ("bfloat16", "float16", "8bit", "4bit")
    assert verdict.fitting_dtypes(stored.most_bytes, "float32") == ("bfloat16", "float16")
    monkeypatch.setattr(model_folder, "find_spec", lambda _name: None)
    assert verdict.fitting_dtypes(stored.most_bytes) == ("bfloat16", "float16")
    assert verdict.fitting_dtypes(2**20) == ()


def test_twins_are_of_what_does_not_work() -> None:
    assert not PROVEN & TWINS.keys()


def broken(folder: Path, dtype: str = "auto") -> list[doctor.Finding]:
    return [
        finding
        for finding in doctor.examine(folder, dtype)
        if finding.section == "Model" and finding.state == "error"
    ]


def test_the_doctor_says_whether_a_model_will_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_model(tmp_path / "model", n=10**9)
    monkeypatch.setattr(doctor, "memory_bytes", lambda: (2**35, 2**34))
    assert not broken(folder)
    monkeypatch.setattr(doctor, "memory_bytes", lambda: (2**35, 3 * 2**30))
    places = [finding for finding in doctor.examine(folder) if finding.name.startswith("on processor")]
    assert not broken(folder) and "--dtype bfloat16" in places[0].next_step
    assert [finding.value for finding in broken(folder, "float32")] == ["it fits nowhere here"]
    monkeypatch.setattr(doctor, "memory_bytes", lambda: (2**35, 2**30))
    assert [finding.name for finding in broken(folder)] == ["memory"]
    (wrong,) = broken(write_model(tmp_path / "other", "internvl_chat"))
    assert "internvl_chat is not known" in wrong.value and "-hf" in wrong.next_step


def test_the_doctor_counts_on_fewer_bits_only_where_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As loading does: "auto" takes the stored type at the narrowest."""
    folder = write_model(tmp_path / "model")
    weights = StoredWeights(10**9, 2 * 10**9, 0, "bfloat16", n_linear=10**9)
    verdict = replace(verdict_on(folder), weights=weights)
    monkeypatch.setattr(model_verdict, "verdict_on", lambda _folder: verdict)
    monkeypatch.setattr(doctor, "memory_bytes", lambda: (2**35, 3 * 2**29))
    assert [finding.name for finding in broken(folder)] == ["memory"]
    assert not broken(folder, "4bit")
