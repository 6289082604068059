"""Training: the packed pass equals the plain one, a run resumes exactly, the files load by themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

from gazeviz.testbed.training.data import PHASES, Phase, draw_batch
from gazeviz.testbed.training.model import (
    CELL_PX,
    MAX_IMAGE_TOKENS,
    build_model,
    build_tokenizer,
    save_pretrained,
)
from gazeviz.testbed.training.muon import Muon, orthogonalised
from gazeviz.testbed.training.packed_pass import PackedPass
from gazeviz.testbed.training.train import DECAY_REQUEST, Progress, Settings, Trainer
from gazeviz.testbed.training.training_check import check

TINY = {
    "text_config": {"num_hidden_layers": 3, "hidden_size": 64, "intermediate_size": 96},
    "vision_config": {"depth": 2, "hidden_size": 64, "intermediate_size": 96},
}
STEP_TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def tiny():
    return build_model(TINY)


@pytest.fixture
def tiny_runs(monkeypatch):
    """Trainers that train the tiny model on small batches."""
    small = [Phase("small", 2, {(1, 2): 1.0})] * len(PHASES)
    monkeypatch.setattr("gazeviz.testbed.training.data.PHASES", small)
    monkeypatch.setattr("gazeviz.testbed.training.train.build_model", lambda seed: build_model(TINY, seed))


@pytest.mark.parametrize("layout", [(1, 6), (2, 3), (0, 0)])
def test_packed_pass_gives_the_plain_pass_of_every_question(tiny, layout):
    batch = _batch_with_narration(Phase("any", 2, {layout: 1.0}))
    packed = PackedPass(tiny).hidden_states(batch)
    start = len(batch.prefix_ids)
    for group in batch.groups:
        for block in range(group.shape[1]):
            ids = torch.cat([batch.prefix_ids.expand(2, -1), group[:, block]], dim=1)
            plain = _plain_hidden_states(tiny, batch, ids)
            stop = start + group.shape[2]
            mine = torch.cat([packed[:, : len(batch.prefix_ids)], packed[:, start:stop]], dim=1)
            torch.testing.assert_close(mine, plain, atol=STEP_TOLERANCE, rtol=1e-4)
            start = stop
    assert start == packed.shape[1]


def test_packed_gradient_is_the_plain_one(tiny):
    batch = draw_batch(np.random.default_rng(0), Phase("one", 2, {(1, 1): 1.0}))
    tiny.zero_grad()
    PackedPass(tiny).loss(batch).backward()
    packed = {name: p.grad.clone() for name, p in tiny.named_parameters() if p.grad is not None}
    tiny.zero_grad()
    _plain_loss(tiny, batch).backward()
    assert len(packed) > 50
    for name, parameter in tiny.named_parameters():
        if name in packed:
            torch.testing.assert_close(packed[name], parameter.grad, atol=STEP_TOLERANCE, rtol=1e-3)
    tiny.zero_grad()


def _batch_with_narration(phase):
    for seed in range(20):
        batch = draw_batch(np.random.default_rng(seed), phase)
        if len({group.shape[2] for group in batch.groups}) > 2:  # questions and answers of many lengths
            return batch
    raise AssertionError("no batch asks for answers of many lengths")


def _plain_hidden_states(model, batch, ids):
    n_pictures = len(batch.patches)
    frames = batch.patches.unflatten(-1, (3, 1, 256)).expand(-1, -1, -1, 2, -1)
    return model.model(
        input_ids=ids,
        pixel_values=frames.reshape(-1, 3 * 2 * 256),
        image_grid_thw=torch.tensor([[1, *batch.grid]] * n_pictures),
        mm_token_type_ids=(ids == model.config.image_token_id).int(),
    ).last_hidden_state


def _plain_loss(model, batch):
    """The packed loss, with every block in a sequence of its own."""
    n_prefix = len(batch.prefix_ids)
    prefix_ids = batch.prefix_ids.expand(2, -1)
    hidden = [
        _plain_hidden_states(model, batch, torch.cat([prefix_ids, group.flatten(1)], dim=1))
        for group in batch.groups
    ]
    laid_out = torch.cat([hidden[0][:, :n_prefix], *(h[:, n_prefix:] for h in hidden)], dim=1)
    logits = model.lm_head(laid_out.flatten(0, 1)[batch.predicting_positions])
    return torch.nn.functional.cross_entropy(logits, batch.targets)


def test_orthogonalised_pulls_singular_values_to_one():
    matrices = torch.randn(3, 40, 20, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(matrices))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_orthogonalised_agrees_with_torchs_muon():
    """One step of both from zero momentum, with torch's scale for AdamW's rates; torch's runs in bfloat16."""
    generator = torch.Generator().manual_seed(1)
    ours = torch.nn.Parameter(torch.randn(48, 32, generator=generator))
    theirs = torch.nn.Parameter(ours.detach().clone())
    ours.grad = torch.randn(48, 32, generator=generator)
    theirs.grad = ours.grad.clone()
    before = ours.detach().clone()
    Muon([ours], lr=0.1, weight_decay=0.0).step()
    torch.optim.Muon([theirs], lr=0.1, weight_decay=0.0, adjust_lr_fn="match_rms_adamw").step()
    mine, reference = ours.detach() - before, theirs.detach() - before
    assert torch.nn.functional.cosine_similarity(mine.flatten(), reference.flatten(), dim=0) > 0.999
    assert abs(float(mine.norm() / reference.norm()) - 1) < 0.02


def test_muon_takes_matrices_only():
    with pytest.raises(ValueError, match="matrices"):
        Muon([torch.nn.Parameter(torch.zeros(3))], lr=0.1)


def test_rate_warms_up_stays_and_falls_to_zero():
    settings = Settings(warmup_steps=10)
    assert Progress(step=4).rate(settings) == pytest.approx(0.5)
    assert Progress(step=500).rate(settings) == 1.0
    assert Progress(step=150, decay_start=100, decay_steps=200).rate(settings) == pytest.approx(0.75)
    assert Progress(step=300, decay_start=100, decay_steps=200).rate(settings) == 0.0
    assert Progress(decay_start=100, decay_steps=200).ends_at(1000) == 300


def test_a_resumed_run_ends_with_the_same_weights(tiny_runs, tmp_path):
    settings = Settings(phase_steps=(1, 1, 1), warmup_steps=2)
    whole = Trainer(tmp_path / "whole", settings)
    whole.run(4, check_every=1000)
    Trainer(tmp_path / "cut", settings).run(2, check_every=1000)
    resumed = Trainer(tmp_path / "cut", settings)
    resumed.resume()
    resumed.run(4, check_every=1000)
    assert resumed.progress.step == whole.progress.step == 4
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


def test_training_lowers_the_loss(tiny_runs, tmp_path):
    trainer = Trainer(tmp_path, Settings(warmup_steps=5))
    batch = draw_batch(np.random.default_rng(0), Phase("one", 4, {(1, 1): 1.0}))
    losses = [trainer.step(batch) for _ in range(25)]
    assert losses[-1] < 0.6 * losses[0]


def test_decay_can_be_asked_for_by_a_file(tiny_runs, tmp_path):
    trainer = Trainer(tmp_path, Settings(warmup_steps=1))
    (tmp_path / DECAY_REQUEST).write_text("2")
    trainer._read_decay_request()
    trainer.run(1000, check_every=10_000)
    assert trainer.progress.step == 2
    assert not (tmp_path / DECAY_REQUEST).exists()


def test_snapshots_load_and_old_ones_go(tiny_runs, tmp_path):
    snapshot = tmp_path / "kept" / "tiny"
    trainer = Trainer(tmp_path / "run", Settings(warmup_steps=1), snapshot=snapshot)
    trainer.run(1, check_every=1000)
    trainer.run(2, check_every=1000)
    assert sorted(path.name for path in snapshot.parent.iterdir()) == ["tiny", "tiny-step2"]
    loaded = AutoModelForImageTextToText.from_pretrained(snapshot)
    for name, tensor in trainer.model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])
    assert json.loads((snapshot / "training.json").read_text())["progress"]["step"] == 2


def test_the_files_load_without_code_of_ours(tiny, tmp_path):
    save_pretrained(tmp_path, tiny)
    text = "Panel 1: In town, red cat jumps. What is it?"
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, trust_remote_code=False)
    assert tokenizer(text)["input_ids"] == build_tokenizer()(text)["input_ids"]
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text.lower()
    assert tokenizer.eos_token == "<|im_end|>"
    processor = AutoImageProcessor.from_pretrained(tmp_path, trust_remote_code=False)
    assert processor.size["longest_edge"] == MAX_IMAGE_TOKENS * CELL_PX**2
    model = AutoModelForImageTextToText.from_pretrained(tmp_path, trust_remote_code=False)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.dtype == torch.float32


def test_a_message_of_text_alone_keeps_its_role_apart():
    messages = [{"role": "user", "content": "What is here?"}]
    text = str(build_tokenizer().apply_chat_template(messages, tokenize=False))
    assert build_tokenizer().tokenize(text)[:3] == ["<|im_start|>", "user", "what"]


def test_an_untrained_model_is_right_about_nothing(tiny):
    found = check(tiny.eval(), n_strips=6)
    assert found["direct"] == found["narration"] == 0.0
    assert found["ambiguous_panels"] == [0] * 6
