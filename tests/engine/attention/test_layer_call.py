"""One layer call: which keys rows see, where they stand, and what chosen heads compute."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from gazeviz.engine.attention.layer_call import LayerCall, head_indices


class Layer(nn.Module):
    """The little of an attention module that a call reads."""

    def __init__(self, is_causal: bool = True) -> None:
        super().__init__()
        self.is_causal = is_causal
        self.num_key_value_groups = 3


def states(n_rows: int, n_keys: int, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Random query (B, 6, Q, 8), key and value (B, 2, K, 8)."""
    generator = torch.Generator().manual_seed(n_rows * 100 + n_keys)
    sizes = [(batch, 6, n_rows, 8), (batch, 2, n_keys, 8), (batch, 2, n_keys, 8)]
    query, key, value = (torch.randn(size, generator=generator) for size in sizes)
    return query, key, value


def window_mask(n_rows: int, n_keys: int) -> Tensor:
    """Causal from the lower right corner, six keys wide, (2, 1, Q, K)."""
    row, key = torch.arange(n_rows)[:, None] + n_keys - n_rows, torch.arange(n_keys)
    return ((key <= row) & (key > row - 6)).expand(2, 1, -1, -1)


@pytest.mark.parametrize(
    ("n_rows", "n_keys", "mask", "is_causal", "options"),
    [
        (7, 7, None, True, {}),
        (7, 7, None, True, {"is_causal": False}),
        (7, 7, None, False, {}),
        (7, 7, None, False, {"is_causal": True}),
        (7, 7, None, True, {"scaling": 1.0}),
        (5, 12, None, True, {}),  # a static cache whose end is still empty
        (1, 12, None, True, {}),
        (7, 7, window_mask(7, 7), True, {}),
        (4, 9, window_mask(4, 9), True, {"scaling": 0.2}),
        (1, 12, window_mask(1, 12), True, {}),
    ],
)
def test_a_call_attends_as_sdpa_does(
    n_rows: int, n_keys: int, mask: Tensor | None, is_causal: bool, options: dict[str, Any]
) -> None:
    layer, (query, key, value) = Layer(is_causal), states(n_rows, n_keys)
    expected, _ = sdpa_attention_forward(layer, query, key, value, mask, **options)
    call = LayerCall.of(layer, (query, key, value), mask, 0, options)
    torch.testing.assert_close(call.attend(), expected, atol=2e-6, rtol=0)


def test_first_key_stands_where_a_sliding_cache_begins() -> None:
    call = LayerCall.of(Layer(), states(2, 9), None, 20, {})
    assert call.n_keys == 2  # causal without a mask: the cache is a static one
    call = LayerCall.of(Layer(), states(2, 9), window_mask(2, 9), 20, {})
    assert call.first_key_tok == 13
    assert LayerCall.of(Layer(), states(1, 21), None, 20, {}).first_key_tok == 0


def test_more_keys_than_announced_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="21 keys, but past_tok says 19 \\+ 1 tokens"):
        _ = LayerCall.of(Layer(), states(1, 21), None, 19, {}).first_key_tok


def test_a_float_mask_is_refused() -> None:
    call = LayerCall.of(Layer(), states(3, 3), torch.zeros(2, 1, 3, 3), 0, {})
    with pytest.raises(TypeError, match="read as bool"):
        call.visible(range(3))


def test_rows_are_counted_from_either_end_and_must_exist() -> None:
    call = LayerCall.of(Layer(), states(5, 5), None, 0, {})
    assert call.rows("last") == range(4, 5)
    assert call.rows("all") == range(5)
    assert call.rows((0, -1)) == (0, 4)
    with pytest.raises(IndexError):
        call.rows((5,))


def test_scattered_rows_see_and_score_as_their_neighbours_do() -> None:
    heads = head_indices((0, 5), torch.device("cpu"))
    for mask in (None, window_mask(7, 7)):
        call = LayerCall.of(Layer(), states(7, 7), mask, 0, {})
        assert torch.equal(call.visible((1, 6)), call.visible(range(7))[:, :, [1, 6]])
        torch.testing.assert_close(call.scores(heads, (1, 6)), call.scores(heads, range(7))[:, :, [1, 6]])


def test_a_softcap_bends_the_scores() -> None:
    heads = head_indices((2,), torch.device("cpu"))
    query, key, value = states(3, 3)
    plain = LayerCall.of(Layer(), (query, key, value), None, 0, {}).scores(heads, range(3))
    bent = LayerCall.of(Layer(), (query, key, value), None, 0, {"softcap": 0.5}).scores(heads, range(3))
    torch.testing.assert_close(bent, 0.5 * torch.tanh(plain / 0.5))


@pytest.mark.parametrize("n_chosen", [1, 6])
def test_chunks_hold_no_more_scores_than_allowed(monkeypatch: pytest.MonkeyPatch, n_chosen: int) -> None:
    call = LayerCall.of(Layer(), states(50, 50), None, 0, {})
    monkeypatch.setattr("gazeviz.engine.attention.layer_call._SCORES_PER_CHUNK", 2000)
    parts = list(call.chunks(range(3, 50), n_chosen))
    assert [row for part in parts for row in part] == list(range(3, 50))
    assert all(2 * n_chosen * len(part) * 50 <= 2000 for part in parts)
    assert len(parts) > 1
    monkeypatch.setattr("gazeviz.engine.attention.layer_call._SCORES_PER_CHUNK", 1)
    assert all(len(part) == 1 for part in call.chunks((4, 9), n_chosen))
