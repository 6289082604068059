"""The built-in architecture with random weights, and strips to measure it on: real files, no training."""

from __future__ import annotations

from pathlib import Path

import torch

from gazeviz.engine.models.loading import LoadedModel, load_model
from gazeviz.testbed.training.model import build_model, save_pretrained
from gazeviz.testbed.world.world import DrawnStrip, builtin_strips


def random_comic_model(folder: Path, n_layers: int = 4, seed: int = 0) -> LoadedModel:
    """Write and load a model whose attention is far from uniform, so that every mistake shows."""
    model = build_model({"text_config": {"num_hidden_layers": n_layers}})
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, weight in sorted(model.model.language_model.named_parameters()):
            if weight.ndim > 1:
                weight.normal_(std=0.5 if "embed" in name else 1.5 / weight[0].numel() ** 0.5)
    save_pretrained(folder, model)
    return load_model(folder, device="cpu")


def strips(n: int, layout: tuple[int, int] = (1, 3)) -> tuple[DrawnStrip, ...]:
    """Small strips of the comic world."""
    return builtin_strips(n, layout=layout, panel_px=64)
