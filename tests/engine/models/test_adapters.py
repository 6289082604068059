"""A LoRA adapter is merged into its model in memory, or refused in a sentence."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from gazeviz import adapter_folder as adapters
from gazeviz import model_verdict
from gazeviz.engine.models.loading import load_model
from gazeviz.errors import UserError
from tests.engine.fixtures.tiny_checkpoints import write_checkpoint


def write_adapter(folder: Path, **settings: object) -> Path:
    folder.mkdir()
    (folder / adapters.SETTINGS).write_text(json.dumps({"peft_type": "LORA", **settings}))
    (folder / adapters.WEIGHTS).write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"peft_type": "IA3", "base_model_name_or_path": "x"}, "of the kind IA3"),
        ({}, "does not say which model it changes"),
        ({"base_model_name_or_path": "nobody/has-this"}, "There is no model folder nobody/has-this"),
    ],
)
def test_an_adapter_that_cannot_be_used_says_why(
    tmp_path: Path, settings: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "find_spec", lambda name: name)
    with pytest.raises(UserError, match=said):
        load_model(write_adapter(tmp_path / "adapter", **settings))


def test_without_peft_the_line_that_brings_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "find_spec", lambda _name: None)
    with pytest.raises(UserError, match="needs the package peft") as refusal:
        load_model(write_adapter(tmp_path / "adapter"))
    assert "gazeviz[lora]" in refusal.value.next_step


@pytest.mark.filterwarnings("ignore::FutureWarning")  # what peft asks of transformers
@pytest.mark.skipif(find_spec("peft") is None, reason="peft is not installed (the extra lora)")
def test_an_adapter_is_merged_into_its_model(tmp_path: Path) -> None:
    import peft

    base = write_checkpoint(tmp_path / "base", "qwen3_vl")
    plain = load_model(base, device="cpu")
    settings = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    tuned = peft.get_peft_model(load_model(base, device="cpu").model, settings)
    tuned.save_pretrained(str(tmp_path / "adapter"))
    content = json.loads((tmp_path / "adapter" / adapters.SETTINGS).read_text())
    (tmp_path / "adapter" / adapters.SETTINGS).write_text(
        json.dumps({**content, "base_model_name_or_path": str(base)})
    )
    expected = dict(tuned.merge_and_unload().named_parameters())
    merged = load_model(tmp_path / "adapter", device="cpu")
    assert merged.path == (tmp_path / "adapter").resolve() and merged.fingerprint != plain.fingerprint
    changed = 0
    for name, weight in plain.model.named_parameters():
        now = dict(merged.model.named_parameters())[name]
        torch.testing.assert_close(now, expected[name])
        changed += not torch.equal(now, weight)
    assert changed >= 1 and len(merged.hook.sites) == len(plain.hook.sites)
    verdict = model_verdict.verdict_on(tmp_path / "adapter")
    assert verdict.works and verdict.form == "LoRA adapter on base, float32"
