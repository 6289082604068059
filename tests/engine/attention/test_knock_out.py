"""Knocking heads out: equal to what their output projection would get if a hand had overwritten its input."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from gazeviz.engine.attention.hook import CapturePlan, LayerSite, SteerPlan
from tests.engine.attention.test_hook import ANSWER_BT, close, follow
from tests.engine.fixtures.tiny_models import TinyPrompt, group_codes, hooked, read, tiny_model, tiny_prompt

HEADS: dict[int, tuple[int, ...]] = {0: (1, 4), 1: (0, 1, 2, 3, 4, 5), 2: (3,)}
TARGETS = (range(4), range(9, 14))


@pytest.fixture(scope="module", params=["qwen3_vl", "gemma3"])
def family(request: pytest.FixtureRequest) -> str:
    """A family's name."""
    return str(request.param)


@pytest.fixture(scope="module")
def model(family: str) -> PreTrainedModel:
    """A model that calls our attention function."""
    return tiny_model(family)


@pytest.fixture(scope="module")
def prompt(family: str) -> TinyPrompt:
    """Two prompts with one image each."""
    return tiny_prompt(family, batch=2)


def projection(site: LayerSite) -> nn.Linear:
    """The layer that reads all heads' outputs, side by side."""
    layer = site.module.o_proj
    assert isinstance(layer, nn.Linear)
    return layer


def overwrite(
    site: LayerSite, heads: tuple[int, ...], stand_in_hD: Tensor, first_row: int, past: list[int]
) -> Any:
    """Overwrite the heads' parts of the projection's input from an absolute row on."""

    def change(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        changed = inputs[0].clone()
        by_head = changed.view(*changed.shape[:2], site.n_heads, -1)
        by_head[:, max(first_row - past[0], 0) :, list(heads)] = stand_in_hD
        return (changed, *inputs[1:])

    return projection(site).register_forward_pre_hook(change)


@pytest.mark.parametrize("first_row", ["all rows", "after image", "decode only"])
@pytest.mark.parametrize("by_mean", [False, True])
def test_knock_out_equals_an_overwritten_output(
    model: PreTrainedModel, prompt: TinyPrompt, by_mean: bool, first_row: str
) -> None:
    rows = {"all rows": 0, "after image": prompt.image_tok.stop, "decode only": prompt.n_tok}[first_row]
    hook = hooked(model)
    generator = torch.Generator().manual_seed(3)
    size = {site.index: projection(site).in_features // site.n_heads for site in hook.sites}
    means = {
        layer: torch.randn(len(heads), int(size[layer]), generator=generator) * by_mean
        for layer, heads in HEADS.items()
    }
    past = [0]

    def at(past_tok: int) -> None:
        past[0] = past_tok

    by_index = {site.index: site for site in hook.sites}
    hooks = [overwrite(by_index[layer], heads, means[layer], rows, past) for layer, heads in HEADS.items()]
    expected = read(model, prompt, ANSWER_BT, both(follow(hook), at))
    for handle in hooks:
        handle.remove()
    hook.steer = SteerPlan(
        HEADS, group_codes(prompt, *TARGETS), "knock_out", first_row=rows, means=means if by_mean else None
    )
    close(read(model, prompt, ANSWER_BT, follow(hook)), expected)
    hook.steer = None
    plain = read(model, prompt, ANSWER_BT, follow(hook))
    assert (plain - expected)[1:].abs().amax(dim=-1).min() > 1e-3


def both(*calls: Callable[[int], None]) -> Callable[[int], None]:
    """Call each."""

    def every(past_tok: int) -> None:
        for call in calls:
            call(past_tok)

    return every


def test_the_weights_stay_the_heads_own_and_every_row_counts(
    model: PreTrainedModel, prompt: TinyPrompt
) -> None:
    hook = hooked(model)
    hook.capture = CapturePlan(None, "all")
    read(model, prompt, ANSWER_BT[:, :0], follow(hook))
    before = hook.take_rows()[0]
    hook.steer = SteerPlan({0: (1, 4)}, group_codes(prompt, *TARGETS), "knock_out")
    read(model, prompt, ANSWER_BT[:, :0], follow(hook))
    after, account = hook.take_rows()[0], hook.take_account()
    hook.steer = hook.capture = None
    close(after, before)
    assert account is not None
    assert account.n_rows_B.tolist() == [prompt.n_tok, prompt.n_tok]
    close(account.after_BG, account.before_BG)


def test_output_means_are_what_the_projection_receives(model: PreTrainedModel, prompt: TinyPrompt) -> None:
    hook = hooked(model)
    site, seen = hook.sites[0], []
    handle = projection(site).register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    hook.output_means = True
    read(model, prompt, ANSWER_BT[:, :0], follow(hook))
    means_BHD = hook.take_output_means()[site.index]
    hook.output_means = False
    handle.remove()
    close(means_BHD, seen[0].view(*seen[0].shape[:2], site.n_heads, -1).mean(dim=1))
