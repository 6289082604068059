"""The seam: finding layers, keeping out of the way, and equality with eager attention."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

from gazeviz.engine.attention.hook import (
    ATTENTION_NAME,
    AttentionHook,
    CapturePlan,
    SteerPlan,
    gaze_attention,
    register,
)
from gazeviz.errors import UserError
from tests.engine.fixtures.tiny_models import (
    FAMILIES,
    TinyPrompt,
    group_codes,
    hooked,
    read,
    tiny_model,
    tiny_prompt,
)

ANSWER_BT = torch.tensor([[11, 12, 13, 14], [21, 22, 23, 24]])


def follow(hook: AttentionHook) -> Callable[[int], None]:
    """Tell a hook before each pass how far the cache has come."""
    return lambda past_tok: setattr(hook, "past_tok", past_tok)


def close(actual: Tensor, expected: Tensor) -> None:
    """Equal within 1e-5 of the largest expected number."""
    scale = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(actual, expected, atol=1e-5 * scale, rtol=0)


def left_padded(prompt: TinyPrompt, n_padded: int) -> TinyPrompt:
    """Hide the first tokens of the second batch row."""
    mask = prompt.inputs["attention_mask"].clone()
    mask[1, :n_padded] = 0
    return TinyPrompt({**prompt.inputs, "attention_mask": mask}, prompt.image_tok)


class ToyLayer(nn.Module):
    """An attention layer that may know its number."""

    def __init__(self, number: int | None) -> None:
        super().__init__()
        if number is not None:
            self.layer_idx = number


class Toy(nn.Module):
    """Attention layers without layer numbers, or with given ones, that call the function on random states."""

    def __init__(self, numbers: list[int | None]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ToyLayer(number) for number in numbers)

    def forward(self) -> None:
        states = torch.randn(1, 2, 3, 4)
        for layer in self.layers:
            gaze_attention(layer, states, states, states, None)


def test_register_twice_names_function_and_mask() -> None:
    register()
    register()
    assert AttentionInterface()[ATTENTION_NAME] is gaze_attention
    assert AttentionMaskInterface()[ATTENTION_NAME] is sdpa_mask


@pytest.mark.parametrize(("family", "windows"), [("qwen3_vl", [None] * 3), ("gemma3", [8, None, 8])])
def test_attach_finds_the_language_layers(family: str, windows: list[int | None]) -> None:
    hook = hooked(tiny_model(family))
    assert [site.index for site in hook.sites] == [0, 1, 2]
    assert [site.window for site in hook.sites] == windows
    assert {(site.n_heads, site.n_kv_heads) for site in hook.sites} == {(6, 2)}
    assert hook.shape_LH == (3, 6)


def test_attach_refuses_a_model_that_never_calls_the_function() -> None:
    with pytest.raises(UserError, match="cannot be watched or steered"):
        hooked(tiny_model(attention="sdpa"))


def test_attach_ignores_another_model_in_the_probe() -> None:
    toy, other = Toy([0]), Toy([0])
    with pytest.raises(UserError):
        AttentionHook.attach(toy, other)


@pytest.mark.parametrize(
    ("numbers", "indices"), [([None, None], [0, 1]), ([3, 7], [3, 7]), ([0, 0], [0, 1]), ([None, 4], [0, 4])]
)
def test_layers_take_their_own_numbers_or_the_order_of_their_calls(
    numbers: list[int | None], indices: list[int]
) -> None:
    toy = Toy(numbers)
    assert [site.index for site in AttentionHook.attach(toy, toy).sites] == indices


def test_a_layer_called_twice_is_one_layer() -> None:
    toy = Toy([0, 1])
    hook = AttentionHook.attach(toy, lambda: (toy(), toy()))
    assert len(hook.sites) == 2


def test_a_probe_sees_the_plain_model_under_an_older_hook() -> None:
    model, prompt = tiny_model(), tiny_prompt(batch=2)
    older = hooked(model)
    older.steer, older.past_tok = SteerPlan({0: (1,)}, group_codes(prompt, range(4), range(4))), -100
    newer = hooked(model)
    assert torch.equal(read(model, prompt, ANSWER_BT, follow(newer)), read(model, prompt, ANSWER_BT))


def test_a_failed_probe_leaves_no_listener() -> None:
    toy = Toy([0])
    with pytest.raises(RuntimeError, match="no memory"):
        AttentionHook.attach(toy, lambda: (_ for _ in ()).throw(RuntimeError("no memory")))
    toy()
    assert len(AttentionHook.attach(toy, toy).sites) == 1


def test_a_hybrid_model_counts_its_layers_to_the_last_with_attention() -> None:
    toy = Toy([3, 7])
    assert AttentionHook.attach(toy, toy).shape_LH == (8, 2)


@pytest.mark.parametrize("family", FAMILIES)
def test_idle_hook_is_sdpa_bit_for_bit(family: str) -> None:
    prompt = tiny_prompt(family, batch=2)
    model = tiny_model(family)
    hooked(model)
    assert torch.equal(read(model, prompt, ANSWER_BT), read(tiny_model(family, "sdpa"), prompt, ANSWER_BT))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n_padded", [0, 3])
def test_logits_and_rows_equal_eager(family: str, n_padded: int) -> None:
    prompt = left_padded(tiny_prompt(family, batch=2), n_padded)
    model, eager = tiny_model(family), tiny_model(family, "eager")
    hook = hooked(model)
    hook.capture = CapturePlan(rows="all")
    eager_rows: list[dict[int, Tensor]] = []
    rows: list[dict[int, Tensor]] = []
    for layer in (site.index for site in hook.sites):
        text = eager.model.language_model.layers[layer].self_attn
        text.register_forward_hook(_keep_weights(eager_rows, layer))
    logits = read(model, prompt, ANSWER_BT, follow(hook), lambda: rows.append(hook.take_rows()))
    close(logits, read(eager, prompt, ANSWER_BT, lambda _past: eager_rows.append({})))
    assert len(rows) == len(eager_rows) == 5
    for ours, theirs in zip(rows, eager_rows, strict=True):
        for layer, weights in theirs.items():
            _compare_rows(ours[layer], weights, prompt)


def _keep_weights(passes: list[dict[int, Tensor]], layer: int) -> Callable[..., None]:
    def keep(_module: nn.Module, _inputs: Any, outputs: tuple[Tensor, Tensor]) -> None:
        passes[-1][layer] = outputs[1]

    return keep


def _compare_rows(ours: Tensor, eager: Tensor, prompt: TinyPrompt) -> None:
    """Compare rows; a padded row, which sees nothing, is 0 for us and anything for eager."""
    n_outside = ours.shape[-1] - eager.shape[-1]  # a sliding cache holds no older keys
    assert not ours[..., :n_outside].any()
    assert ours.dtype == torch.float32
    if eager.shape[2] > 1:
        sees = prompt.inputs["attention_mask"].bool()[:, None, :, None]
        assert not (ours * ~sees).any()
        eager = eager * sees
    torch.testing.assert_close(ours[..., n_outside:], eager, atol=1e-5, rtol=0)


def test_rows_outside_the_window_are_zero() -> None:
    model, prompt = tiny_model("gemma3"), tiny_prompt("gemma3")
    hook = hooked(model)
    hook.capture = CapturePlan()
    read(model, prompt, ANSWER_BT[:1], follow(hook))
    rows = hook.take_rows()
    assert rows[0].shape == rows[1].shape == (1, 6, 1, prompt.n_tok + 4)
    assert not rows[0][..., :-8].any()
    assert rows[1][..., :-8].any()
    torch.testing.assert_close(rows[0][..., -8:].sum(-1), torch.ones(1, 6, 1))


def test_a_softcap_is_served_as_eager_serves_it() -> None:
    inputs = {"input_ids": torch.arange(5, 25)[None], "token_type_ids": (torch.arange(20) > 9).long()[None]}
    model, eager = tiny_model("paligemma2"), tiny_model("paligemma2", "eager")
    hook = hooked(model)
    hook.capture = CapturePlan(rows="all")
    with torch.no_grad():
        logits = model(**inputs).logits
        expected = eager(**inputs, output_attentions=True)
    close(logits, expected.logits)
    for layer, rows in hook.take_rows().items():
        torch.testing.assert_close(rows, expected.attentions[layer], atol=1e-5, rtol=0)


def test_detach_leaves_plain_sdpa() -> None:
    model, prompt = tiny_model(), tiny_prompt()
    hook = hooked(model)
    plain = read(model, prompt, ANSWER_BT[:1])
    hook.steer = SteerPlan({0: (1,)}, group_codes(prompt, range(4)))
    assert not torch.equal(read(model, prompt, ANSWER_BT[:1], follow(hook)), plain)
    hook.detach()
    assert torch.equal(read(model, prompt, ANSWER_BT[:1]), plain)


def test_detach_leaves_a_later_hook_in_place() -> None:
    model, prompt = tiny_model(), tiny_prompt()
    earlier, later = hooked(model), hooked(model)
    later.capture = CapturePlan()
    earlier.detach()
    read(model, prompt, ANSWER_BT[:1], follow(later))
    assert set(later.take_rows()) == {0, 1, 2}


@pytest.mark.parametrize("heads", [{3: (0,)}, {0: (6,)}, {0: (-1,)}, {0: (2, 1)}, {0: (1, 1)}])
def test_heads_that_the_model_lacks_or_in_disorder_are_refused(heads: dict[int, tuple[int, ...]]) -> None:
    hook = hooked(tiny_model())
    with pytest.raises(ValueError, match="heads, asked for"):
        hook.capture = CapturePlan(heads)
    with pytest.raises(ValueError, match="heads, asked for"):
        hook.steer = SteerPlan(heads, torch.zeros(1, 4))
    assert hook.capture is None
    assert hook.steer is None


def test_what_was_left_belongs_to_the_newest_forward() -> None:
    model, prompt = tiny_model(), tiny_prompt()
    hook = hooked(model)
    hook.capture, hook.capture_values = CapturePlan({0: (1,)}), torch.tensor([0])
    hook.steer = SteerPlan({2: (4,)}, group_codes(prompt, range(4)))
    read(model, prompt, ANSWER_BT[:1, :0], follow(hook))
    hook.capture, hook.capture_values, hook.steer = CapturePlan({1: (2, 3)}), None, None
    read(model, prompt, ANSWER_BT[:1, :0], follow(hook))
    assert set(hook.take_rows()) == {1}
    assert hook.take_rows() == hook.take_value_norms() == {}
    assert hook.take_account() is None


def test_bfloat16_rows_are_computed_in_float32() -> None:
    prompt = tiny_prompt()
    prompt.inputs["pixel_values"] = prompt.inputs["pixel_values"].bfloat16()
    model = tiny_model(dtype=torch.bfloat16)
    hook = hooked(model)
    hook.capture = CapturePlan(rows="all")
    read(model, prompt, ANSWER_BT[:1], follow(hook))
    for rows in hook.take_rows().values():
        assert rows.dtype == torch.float32
        torch.testing.assert_close(rows.sum(-1), torch.ones(rows.shape[:-1]), atol=1e-6, rtol=0)
        assert not torch.equal(rows, rows.bfloat16().float())
