"""Recorded rows and value norms: chosen heads, rows and positions."""

import pytest
import torch
from torch import Tensor

from gazeviz.engine.attention import layer_call
from gazeviz.engine.attention.hook import CapturePlan, SteerPlan
from tests.engine.attention.test_hook import ANSWER_BT, follow
from tests.engine.fixtures.tiny_models import group_codes, hooked, read, tiny_model, tiny_prompt


@pytest.mark.parametrize("family", ["qwen3_vl", "gemma3"])
def test_a_choice_is_a_cut_of_everything(family: str) -> None:
    model, prompt = tiny_model(family), tiny_prompt(family, batch=2)
    hook = hooked(model)
    hook.capture = CapturePlan(rows="all")
    read(model, prompt, ANSWER_BT[:, :0], follow(hook))
    every = hook.take_rows()
    keys = torch.tensor([20, 5, 26])
    hook.capture = CapturePlan({0: (2, 5), 2: (0,)}, (0, 21, -1), keys)
    read(model, prompt, ANSWER_BT[:, :0], follow(hook))
    chosen = hook.take_rows()
    assert set(chosen) == {0, 2}
    for layer, heads in ((0, [2, 5]), (2, [0])):
        expected = every[layer][:, heads][:, :, [0, 21, 26]][..., keys]
        torch.testing.assert_close(chosen[layer], expected, atol=1e-6, rtol=0)


def test_the_last_row_is_what_a_plan_records_unless_told() -> None:
    model, prompt = tiny_model(), tiny_prompt(batch=2)
    hook = hooked(model)
    shapes = []
    hook.capture = CapturePlan()
    read(model, prompt, ANSWER_BT[:, :2], follow(hook), lambda: shapes.append(hook.take_rows()[1].shape))
    assert shapes == [(2, 6, 1, 27), (2, 6, 1, 28), (2, 6, 1, 29)]


def test_image_positions_behind_the_window_hold_0() -> None:
    model, prompt = tiny_model("gemma3"), tiny_prompt("gemma3")
    hook = hooked(model)
    image_tok = torch.tensor(list(prompt.image_tok))
    hook.capture, hook.capture_values = CapturePlan(keys_tok=image_tok), image_tok
    read(model, prompt, ANSWER_BT[:1], follow(hook))
    rows, norms = hook.take_rows(), hook.take_value_norms()
    assert rows[0].shape == (1, 6, 1, 16)
    assert not rows[0].any()
    assert not norms[0].any()
    assert rows[1].all()
    assert norms[1].all()


def test_rows_recorded_in_chunks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model, prompt = tiny_model(), tiny_prompt(batch=2)
    hook = hooked(model)
    hook.capture = CapturePlan(rows="all")
    hook.steer = SteerPlan({1: (0, 3)}, group_codes(prompt, range(4)), first_row=13)
    read(model, prompt, ANSWER_BT[:, :0], follow(hook))
    whole = hook.take_rows()
    monkeypatch.setattr(layer_call, "_SCORES_PER_CHUNK", 3000)
    read(model, prompt, ANSWER_BT[:, :0], follow(hook))
    for layer, rows in hook.take_rows().items():
        torch.testing.assert_close(rows, whole[layer], atol=1e-5, rtol=0)


def test_value_norms_are_those_of_the_value_projection() -> None:
    model, prompt = tiny_model(), tiny_prompt(batch=2)
    hook = hooked(model)
    values: list[Tensor] = []
    projection = model.model.language_model.layers[1].self_attn.v_proj
    handle = projection.register_forward_hook(lambda _m, _i, output: values.append(output))
    image_tok = torch.tensor(list(prompt.image_tok))
    hook.capture_values = image_tok
    read(model, prompt, ANSWER_BT[:, :0], follow(hook))
    handle.remove()
    norms = hook.take_value_norms()
    assert set(norms) == {0, 1, 2}
    expected_BPG = values[0].unflatten(-1, (2, 8)).norm(dim=-1)[:, image_tok]
    expected_BHP = expected_BPG.transpose(1, 2).repeat_interleave(3, dim=1)
    torch.testing.assert_close(norms[1], expected_BHP)


def test_recording_changes_no_bit_of_the_result() -> None:
    model, prompt = tiny_model(), tiny_prompt(batch=2)
    hook = hooked(model)
    plain = read(model, prompt, ANSWER_BT, follow(hook))
    hook.capture, hook.capture_values = CapturePlan(rows="all"), torch.arange(5, 21)
    assert torch.equal(read(model, prompt, ANSWER_BT, follow(hook)), plain)


def test_recorded_rows_follow_each_heads_own_gain() -> None:
    model, prompt = tiny_model(), tiny_prompt()
    hook = hooked(model)
    gains = torch.arange(18.0).reshape(3, 6)
    hook.steer = SteerPlan({1: (1, 2, 4, 5)}, group_codes(prompt, range(4)), gains_LH=gains)
    rows = []
    for heads in ((1, 2, 4, 5), (0, 2, 5)):
        hook.capture = CapturePlan({1: heads})
        read(model, prompt, ANSWER_BT[:1, :0], follow(hook))
        rows.append(hook.take_rows()[1])
    torch.testing.assert_close(rows[1][:, 1:], rows[0][:, [1, 3]], atol=1e-6, rtol=0)
    assert (rows[0][0, 1:] - rows[0][0, :1]).abs().amax(dim=-1).min() > 1e-3


def test_recorded_rows_hold_no_gradient() -> None:
    model, prompt = tiny_model(), tiny_prompt()
    hook = hooked(model)
    hook.capture = CapturePlan()
    gains = torch.zeros(3, 6, requires_grad=True)
    hook.steer = SteerPlan({1: (2,)}, group_codes(prompt, range(4)), gains_LH=gains)
    assert model(**prompt.inputs).logits.requires_grad
    assert not any(rows.requires_grad for rows in hook.take_rows().values())
    account = hook.take_account()
    assert account is not None
    assert not account.after_BG.requires_grad
