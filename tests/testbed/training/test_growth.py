"""A grown model gives the answers of the model that it was grown from, until it is trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gazeviz.testbed.training.data import Phase, draw_batch
from gazeviz.testbed.training.growth import digest, grow_from, layer_origins
from gazeviz.testbed.training.model import build_model, save_pretrained
from gazeviz.testbed.training.packed_pass import PackedPass
from gazeviz.testbed.training.train import Settings, Trainer

VISION = {"depth": 2, "hidden_size": 64, "intermediate_size": 96}
TEXT = {"hidden_size": 64, "intermediate_size": 96, "num_key_value_heads": 2, "head_dim": 32}


def _model(n_layers: int, n_heads: int, seed: int = 0):
    text = {**TEXT, "num_hidden_layers": n_layers, "num_attention_heads": n_heads}
    return build_model({"text_config": text, "vision_config": VISION}, seed)


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    save_pretrained(folder, _model(4, 4, seed=1))
    return folder


def test_a_grown_model_computes_what_the_small_one_did(small_folder):
    small, grown = _model(4, 4, seed=1), _model(6, 8, seed=2)
    grow_from(small_folder, grown)
    batch = draw_batch(np.random.default_rng(0), Phase("any", 2, {(1, 3): 1.0}))
    with torch.no_grad():
        ours, theirs = PackedPass(grown).hidden_states(batch), PackedPass(small).hidden_states(batch)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_new_heads_and_layers_learn_from_the_first_step(small_folder):
    grown = _model(6, 8, seed=2)
    grow_from(small_folder, grown)
    batch = draw_batch(np.random.default_rng(0), Phase("any", 2, {(1, 3): 1.0}))
    PackedPass(grown).loss(batch).backward()
    for layer in grown.model.language_model.layers:
        gradient = layer.self_attn.o_proj.weight.grad.unflatten(1, (8, 32)).norm(dim=(0, 2))
        assert bool((gradient > 0).all())


def test_layers_are_added_behind_the_middle_ones():
    assert [old for old, copy in layer_origins(8, 12) if copy] == [2, 3, 4, 5]
    assert layer_origins(3, 3) == [(0, False), (1, False), (2, False)]
    for sizes in ((8, 7), (8, 17), (2, 4)):
        with pytest.raises(ValueError, match="cannot grow"):
            layer_origins(*sizes)


def test_what_is_no_larger_form_is_refused(small_folder):
    other = build_model(
        {"text_config": {**TEXT, "intermediate_size": 128, "num_hidden_layers": 4}, "vision_config": VISION}
    )
    with pytest.raises(ValueError, match="cannot grow"):
        grow_from(small_folder, other)


def test_a_run_remembers_what_it_was_grown_from(small_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("gazeviz.testbed.training.train.build_model", lambda seed: _model(6, 8, seed))
    trainer = Trainer(tmp_path, Settings(), source=small_folder)
    assert trainer.settings.source_sha256 == digest(small_folder)
    trainer.save()
    resumed = Trainer(tmp_path, Settings())
    resumed.resume()
    assert resumed.settings.source_sha256 == digest(small_folder)
