"""Steering whole models: equality with eager attention, what stays untouched, the account, the gradient."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from gazeviz.domain.steering import DECODED, GROUP_NAMES, OTHER_IMAGE, TARGET
from gazeviz.engine.attention import layer_call
from gazeviz.engine.attention.hook import AttentionHook, CapturePlan, PassAccount, SteerPlan
from gazeviz.engine.attention.layer_call import head_indices
from tests.engine.attention.test_hook import ANSWER_BT, close, follow, left_padded
from tests.engine.fixtures.eager_reference import REFERENCE_NAME, reset_reference
from tests.engine.fixtures.tiny_models import (
    TinyPrompt,
    group_codes,
    hooked,
    read,
    tiny_model,
    tiny_prompt,
)

SOME_HEADS: dict[int, tuple[int, ...]] = {0: (1, 4), 1: (0, 1, 2, 3, 4, 5), 2: (3,)}
TARGETS = (range(4), range(9, 14))
SETTINGS: list[tuple[Any, Any]] = [
    ("boost_suppress", 8.0),
    ("boost_suppress", "hard"),
    ("boost_suppress", "hard_uniform"),
    ("suppress_image", 3.0),
    ("suppress_image", "hard"),
    ("suppress_all", 3.0),
    ("suppress_all", "hard"),
    ("max_suppress_all", 3.0),
    ("max_suppress_all", "hard"),
    ("mass", 8.0),
]


@pytest.fixture(scope="module", params=["qwen3_vl", "gemma3"])
def family(request: pytest.FixtureRequest) -> str:
    """A family's name; its models are kept for all tests of the module."""
    return str(request.param)


@pytest.fixture(scope="module")
def model(family: str) -> PreTrainedModel:
    """A model that calls our attention function."""
    return tiny_model(family)


@pytest.fixture(scope="module")
def prompt(family: str) -> TinyPrompt:
    """Two prompts with one image each."""
    return tiny_prompt(family, batch=2)


@pytest.fixture(scope="module")
def unsteered(model: PreTrainedModel, prompt: TinyPrompt) -> Tensor:
    """Logits of the model left alone, (T + 1, B, V)."""
    return steered(model, prompt, None)


@pytest.fixture(scope="module")
def reference_model(family: str) -> PreTrainedModel:
    """The same weights under the slow reference."""
    reset_reference()
    return tiny_model(family, REFERENCE_NAME)


def steered(
    model: PreTrainedModel, prompt: TinyPrompt, plan: SteerPlan | None, answer_BT: Tensor = ANSWER_BT
) -> Tensor:
    """Logits of a model read under a plan, (T + 1, B, V)."""
    hook = hooked(model)
    hook.steer = plan
    return read(model, prompt, answer_BT, follow(hook))


@pytest.mark.parametrize("first_row", ["all rows", "after image", "decode only"])
@pytest.mark.parametrize(("mode", "strength"), SETTINGS)
def test_steering_equals_a_bias_in_eagers_mask(
    model: PreTrainedModel,
    reference_model: PreTrainedModel,
    prompt: TinyPrompt,
    unsteered: Tensor,
    mode: Any,
    strength: Any,
    first_row: str,
) -> None:
    rows = {"all rows": 0, "after image": prompt.image_tok.stop, "decode only": prompt.n_tok}
    codes = group_codes(prompt, *TARGETS)
    plan = SteerPlan(SOME_HEADS, codes, mode, strength, 0.8, rows[first_row])
    reference = reset_reference(
        heads=SOME_HEADS,
        codes_BK=codes,
        mode=mode,
        strength=strength,
        alpha=0.8,
        first_row=rows[first_row],
    )
    expected = read(
        reference_model, prompt, ANSWER_BT, lambda past_tok: setattr(reference, "past_tok", past_tok)
    )
    logits = steered(model, prompt, plan)
    close(logits, expected)
    biased = slice(1, None) if first_row == "decode only" else slice(None)
    assert (logits - unsteered)[biased].abs().amax(dim=-1).min() > 1e-3
    assert torch.equal(logits[:1], unsteered[:1]) == (first_row == "decode only")


def test_steering_equals_the_reference_under_padding(
    model: PreTrainedModel, reference_model: PreTrainedModel, prompt: TinyPrompt
) -> None:
    prompt = left_padded(prompt, 3)
    codes = group_codes(prompt, *TARGETS)
    reference = reset_reference(heads=SOME_HEADS, codes_BK=codes, strength=8.0)
    expected = read(
        reference_model, prompt, ANSWER_BT, lambda past_tok: setattr(reference, "past_tok", past_tok)
    )
    close(steered(model, prompt, SteerPlan(SOME_HEADS, codes)), expected)


def test_recorded_rows_are_the_steered_ones(
    model: PreTrainedModel, reference_model: PreTrainedModel, prompt: TinyPrompt
) -> None:
    codes = group_codes(prompt, *TARGETS)
    reference = reset_reference(heads=SOME_HEADS, codes_BK=codes, first_row=prompt.image_tok.stop)
    hook = hooked(model)
    hook.steer = SteerPlan(SOME_HEADS, codes, first_row=prompt.image_tok.stop)
    for plan in (
        CapturePlan(rows="all"),
        CapturePlan(SOME_HEADS),
        CapturePlan({0: (1, 2), 2: (0,)}, (3, -1)),
    ):
        hook.capture = plan
        read(model, prompt, ANSWER_BT[:, :0], follow(hook))
        read(reference_model, prompt, ANSWER_BT[:, :0])
        rows = {"all": slice(None), "last": slice(-1, None)}.get(str(plan.rows), [3, -1])
        for layer, recorded in hook.take_rows().items():
            heads = slice(None) if plan.heads is None else list(plan.heads[layer])
            expected = reference.weights[layer][:, heads][:, :, rows]
            torch.testing.assert_close(recorded, expected, atol=1e-5, rtol=0)


def test_bias_0_changes_no_bit(model: PreTrainedModel, prompt: TinyPrompt, unsteered: Tensor) -> None:
    plan = SteerPlan(SOME_HEADS, group_codes(prompt, *TARGETS), strength=0.0)
    assert torch.equal(steered(model, prompt, plan), unsteered)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_unsteered_heads_keep_every_bit(model: PreTrainedModel, prompt: TinyPrompt, n_targets: int) -> None:
    before_projection: list[Tensor] = []
    hook = hooked(model)
    projection = hook.sites[1].module.o_proj
    assert isinstance(projection, nn.Module)
    handle = projection.register_forward_pre_hook(lambda _m, inputs: before_projection.append(inputs[0]))
    codes = group_codes(prompt, *TARGETS[:n_targets])
    read(model, prompt, ANSWER_BT, follow(hook))
    hook.steer = SteerPlan({1: (1, 4)}, codes, first_row=7)
    read(model, prompt, ANSWER_BT, follow(hook))
    handle.remove()
    n_passes = len(before_projection) // 2
    for past, (plain, changed) in enumerate(
        zip(before_projection[:n_passes], before_projection[n_passes:], strict=True)
    ):
        plain_BQHD, changed_BQHD = plain.unflatten(-1, (6, 8)), changed.unflatten(-1, (6, 8))
        assert torch.equal(plain_BQHD[:, :, [0, 2, 3, 5]], changed_BQHD[:, :, [0, 2, 3, 5]])
        if past == 0:
            assert torch.equal(plain_BQHD[:, :7], changed_BQHD[:, :7])
            assert not torch.equal(plain_BQHD[:, 7:, 1], changed_BQHD[:, 7:, 1])


def test_a_batch_of_targets_equals_one_by_one() -> None:
    model, prompt = tiny_model(), tiny_prompt(batch=2)
    plan = SteerPlan(SOME_HEADS, group_codes(prompt, *TARGETS))
    together = steered(model, prompt, plan)
    for row in range(2):
        alone = TinyPrompt(
            {
                name: tensor.chunk(2)[row] if name == "pixel_values" else tensor[row : row + 1]
                for name, tensor in prompt.inputs.items()
            },
            prompt.image_tok,
        )
        plan = SteerPlan(SOME_HEADS, group_codes(alone, TARGETS[row]))
        close(steered(model, alone, plan, ANSWER_BT[row : row + 1])[:, 0], together[:, row])


@pytest.mark.parametrize(("mode", "strength"), SETTINGS)
def test_rows_before_the_target_are_never_empty(mode: Any, strength: Any) -> None:
    model, prompt = tiny_model(), left_padded(tiny_prompt(batch=2), 2)
    hook = hooked(model)
    hook.capture = CapturePlan(rows="all")
    codes = group_codes(prompt, range(15, 16), range(16))
    codes[1, :] = TARGET  # nothing but target, which padded rows cannot see either
    hook.steer = SteerPlan(SOME_HEADS, codes, mode, strength, alpha=1.0)
    logits = read(model, prompt, ANSWER_BT[:, :0], follow(hook))
    assert logits.isfinite().all()
    for rows in hook.take_rows().values():
        sums = rows.sum(-1)
        torch.testing.assert_close(sums[0], torch.ones_like(sums[0]))
        torch.testing.assert_close(sums[1, :, 2:], torch.ones_like(sums[1, :, 2:]))
        assert not sums[1, :, :2].any()


def test_hard_and_hard_uniform_differ_in_bfloat16_too() -> None:
    prompt = tiny_prompt()
    prompt.inputs["pixel_values"] = prompt.inputs["pixel_values"].bfloat16()
    model = tiny_model(dtype=torch.bfloat16)
    hook = hooked(model)
    target = list(range(5, 9))
    last: dict[Any, Tensor] = {}
    for strength in ("hard", 10_000.0, "hard_uniform"):
        hook.capture = CapturePlan({0: (1,)}, keys_tok=torch.tensor(target))
        hook.steer = SteerPlan({0: (1,)}, group_codes(prompt, range(4)), strength=strength)
        assert read(model, prompt, ANSWER_BT[:1], follow(hook)).isfinite().all()
        last[strength] = hook.take_rows()[0][0, 0, 0]
    torch.testing.assert_close(last["hard_uniform"], torch.full((4,), 0.25))
    torch.testing.assert_close(last["hard"], last[10_000.0], atol=1e-6, rtol=0)
    assert (last["hard"] - 0.25).abs().max() > 0.01


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, prompt = tiny_model(), tiny_prompt(batch=2)
    plan = SteerPlan(SOME_HEADS, group_codes(prompt, *TARGETS))
    whole = steered(model, prompt, plan)
    monkeypatch.setattr(layer_call, "_SCORES_PER_CHUNK", 1500)
    close(steered(model, prompt, plan), whole)


def accounts(model: PreTrainedModel, hook: AttentionHook, prompt: TinyPrompt) -> list[PassAccount]:
    """The account of every pass over a prompt and its answer."""
    taken: list[PassAccount | None] = []
    batch = len(prompt.inputs["input_ids"])
    read(model, prompt, ANSWER_BT[:batch], follow(hook), lambda: taken.append(hook.take_account()))
    return [account for account in taken if account is not None]


def test_account_is_the_mass_of_the_last_rows_before_and_after() -> None:
    model, prompt = tiny_model(), tiny_prompt(batch=2)
    hook = hooked(model)
    codes = group_codes(prompt, *TARGETS)
    hook.capture = CapturePlan({0: (1, 4)})
    read(model, prompt, ANSWER_BT[:, :2], follow(hook))
    plain = hook.take_rows()[0][:, :, 0].sum(1)
    hook.steer = SteerPlan({0: (1, 4)}, codes, strength=3.0)
    read(model, prompt, ANSWER_BT[:, :2], follow(hook))
    after = hook.take_rows()[0][:, :, 0].sum(1)
    account = hook.take_account()
    assert account is not None
    assert account.n_heads == 2
    all_codes = torch.cat([codes, torch.full((2, 2), DECODED)], dim=1)
    for group in range(len(GROUP_NAMES)):
        member = all_codes == group
        torch.testing.assert_close(account.before_BG[:, group], (plain * member).sum(1), atol=1e-6, rtol=0)
        torch.testing.assert_close(account.after_BG[:, group], (after * member).sum(1), atol=1e-6, rtol=0)
    assert (account.after_BG[:, TARGET] > account.before_BG[:, TARGET]).all()
    assert (account.after_BG[:, OTHER_IMAGE] < account.before_BG[:, OTHER_IMAGE]).all()


@pytest.mark.parametrize(("first_row", "touched"), [(0, 22), (21, 6), (27, 0), (1000, 0)])
def test_account_counts_rows_that_see_a_bias(first_row: int, touched: int) -> None:
    model, prompt = tiny_model(), tiny_prompt(batch=2)
    hook = hooked(model)
    hook.steer = SteerPlan(SOME_HEADS, group_codes(prompt, *TARGETS), first_row=first_row)
    counted = [account.n_rows_B.tolist() for account in accounts(model, hook, prompt)]
    decoded = [[1, 1]] * 4 if first_row < 1000 else [[0, 0]] * 4
    assert counted == [[touched, touched], *decoded]


def test_account_counts_a_row_if_any_layer_biases_it() -> None:
    model, prompt = tiny_model("gemma3"), tiny_prompt("gemma3")
    hook = hooked(model)
    codes = group_codes(prompt, range(4))
    hook.steer = SteerPlan({0: (1,)}, codes)
    sliding = [int(account.n_rows_B) for account in accounts(model, hook, prompt)]
    hook.steer = SteerPlan({0: (1,), 1: (1,), 2: (1,)}, codes)
    both = accounts(model, hook, prompt)
    assert sliding == [22, 1, 0, 0, 0]  # the window of 8 leaves the image behind
    assert [int(account.n_rows_B) for account in both] == [22, 1, 1, 1, 1]
    assert both[-1].n_heads == 3


def test_account_outside_the_scope_shows_no_change() -> None:
    model, prompt = tiny_model(), tiny_prompt()
    hook = hooked(model)
    hook.steer = SteerPlan(SOME_HEADS, group_codes(prompt, range(4)), first_row=prompt.n_tok)
    prefill, decode, *_ = accounts(model, hook, prompt)
    assert torch.equal(prefill.before_BG, prefill.after_BG)
    assert not torch.equal(decode.before_BG, decode.after_BG)
    for account in (prefill, decode):
        torch.testing.assert_close(account.after_BG.sum(1), torch.full((1,), 9.0), atol=1e-5, rtol=0)


def test_no_account_where_nobody_reads_it() -> None:
    model, prompt = tiny_model(), tiny_prompt()
    hook = hooked(model)
    hook.steer = SteerPlan(SOME_HEADS, group_codes(prompt, range(4)), account_rows=None)
    assert accounts(model, hook, prompt) == []


@pytest.mark.parametrize("first_row", [0, 21])
def test_gradient_of_gains_equals_finite_differences(first_row: int) -> None:
    model, prompt = tiny_model(dtype=torch.float64), tiny_prompt()
    prompt.inputs["pixel_values"] = prompt.inputs["pixel_values"].double()
    hook = hooked(model)
    codes = group_codes(prompt, range(4))
    every = {layer: tuple(range(6)) for layer in range(3)}

    def log_probability(gains_LH: Tensor) -> Tensor:
        hook.steer = SteerPlan(every, codes, first_row=first_row, gains_LH=gains_LH, account_rows=None)
        logits: Tensor = model(**prompt.inputs).logits
        return logits[0, -1].log_softmax(-1)[17]

    gains = torch.zeros(3, 6, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(log_probability(gains), gains)
    step = 0.02  # wide, with the five-point rule: the model's norms are float32 even here
    with torch.no_grad():
        for layer, head in [(0, 0), (0, 5), (1, 2), (2, 3), (2, 4)]:
            nudge = torch.zeros_like(gains)
            nudge[layer, head] = step
            near = log_probability(nudge) - log_probability(-nudge)
            far = log_probability(2 * nudge) - log_probability(-2 * nudge)
            slope = (8 * near - far) / (12 * step)
            torch.testing.assert_close(gradient[layer, head], slope, atol=3e-5, rtol=1e-3)
    assert (gradient.abs() > 1e-3).sum() > 12


def test_gradient_leaves_the_graph_of_unsteered_heads_whole() -> None:
    model, prompt = tiny_model(dtype=torch.float64), tiny_prompt()
    prompt.inputs["pixel_values"] = prompt.inputs["pixel_values"].double()
    hook = hooked(model)
    weight = model.get_parameter("model.language_model.layers.0.self_attn.v_proj.weight")

    def gradient() -> Tensor:
        model.zero_grad()
        model(**prompt.inputs).logits[0, -1, 17].backward()
        assert weight.grad is not None
        return weight.grad.clone()

    plain = gradient()
    nothing = torch.zeros(3, 6, dtype=torch.float64)
    hook.steer = SteerPlan({0: (1, 4)}, group_codes(prompt, range(4)), gains_LH=nothing)
    torch.testing.assert_close(gradient(), plain, atol=1e-9, rtol=1e-7)


def test_a_gradient_may_follow_a_pass_in_inference_mode() -> None:
    head_indices.cache_clear()
    model, prompt = tiny_model(), tiny_prompt()
    hook = hooked(model)
    gains = torch.zeros(3, 6, requires_grad=True)
    hook.steer = SteerPlan({0: (1, 4)}, group_codes(prompt, range(4)), gains_LH=gains)
    with torch.inference_mode():
        model(**prompt.inputs)
    model(**prompt.inputs).logits[0, -1, 17].backward()
    assert gains.grad is not None
    assert gains.grad[0, [1, 4]].all()


def test_a_forgotten_past_is_noticed() -> None:
    model, prompt = tiny_model(), tiny_prompt()
    hook = hooked(model)
    hook.steer = SteerPlan({0: (1,)}, group_codes(prompt, range(4)))
    with pytest.raises(ValueError, match="past_tok says 0"):
        read(model, prompt, ANSWER_BT[:1])
