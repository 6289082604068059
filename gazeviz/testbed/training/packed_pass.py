"""One forward pass over pictures that each carry several questions: the training pass of the built-in model.

The pass uses the weights of an ordinary Qwen3-VL and gives the numbers that its own forward gives for every
question alone, but pays for the vision tower and the image tokens once per picture: each block (question and
answer) sees the image prefix and itself, and its positions go on right behind the prefix. All pictures of a
pass have one grid. It knows no dropout, no padding mask (blocks are padded at their ends) and no cache.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.nn import functional
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb, apply_rotary_pos_emb_vision
from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_position_ids

if TYPE_CHECKING:
    from transformers import Qwen3VLForConditionalGeneration

    from gazeviz.testbed.training.data import PackedBatch


@dataclass(frozen=True)
class Span:
    """Where a group of equally long blocks lies in the packed sequence."""

    start: int
    n_blocks: int
    block_tokens: int

    @property
    def stop(self) -> int:
        """The position behind the group's last token."""
        return self.start + self.n_blocks * self.block_tokens


class PackedPass:
    """The packed forward pass of one model; it keeps the positional tables of the grids that it has met."""

    def __init__(self, model: Qwen3VLForConditionalGeneration) -> None:
        self.model = model
        self._projected = _projected
        self._after_attention = _after_attention
        self._vision_tables: dict[tuple[int, int], tuple[Tensor, Tensor, Tensor, Tensor]] = {}
        self._prefix_positions: dict[tuple[int, int], tuple[Tensor, int]] = {}

    def compile(self) -> None:
        """Fuse the layers' elementwise work: saves a tenth to a fifth of a step, costs a minute at first."""
        self._projected = torch.compile(_projected, dynamic=True)
        self._after_attention = torch.compile(_after_attention, dynamic=True)

    def loss(self, batch: PackedBatch) -> Tensor:
        """Mean cross-entropy over the answers' tokens, the end-of-turn token among them."""
        hidden = self.hidden_states(batch)
        chosen = hidden.reshape(-1, hidden.shape[-1])[batch.predicting_positions]
        return functional.cross_entropy(self.model.lm_head(chosen), batch.targets)

    def hidden_states(self, batch: PackedBatch) -> Tensor:
        """The last hidden states (B, S, D) of the prefix and then of all groups of blocks."""
        language = self.model.model.language_model
        image, deepstack = self.encode(batch.patches, batch.grid)
        n_pictures, n_prefix = batch.patches.shape[0], len(batch.prefix_ids)
        ids = torch.cat(
            [batch.prefix_ids.expand(n_pictures, -1), *(group.flatten(1) for group in batch.groups)], dim=1
        )
        first = int((batch.prefix_ids == self.model.config.image_token_id).nonzero()[0])
        after = first + image.shape[1]
        embedded = language.embed_tokens(ids)
        hidden = torch.cat([embedded[:, :first], image, embedded[:, after:]], dim=1)
        spans = _spans(n_prefix, batch.groups)
        rotary = self._rotary(batch, spans)
        masks = [_block_mask(n_prefix, span, hidden) for span in spans]
        for index, layer in enumerate(language.layers):
            heads = self._projected(layer, hidden, *rotary)
            mixed = _attention(layer.self_attn, heads, n_prefix, spans, masks)
            hidden = self._after_attention(layer, hidden, mixed)
            if index < len(deepstack):
                behind = hidden.shape[1] - after
                hidden = hidden + functional.pad(deepstack[index], (0, 0, first, behind))
        return cast(Tensor, language.norm(hidden))

    def encode(self, patches: Tensor, grid: tuple[int, int]) -> tuple[Tensor, list[Tensor]]:
        """Image tokens (B, P, D) and the deepstack features of patches (B, N, 768) on one patch grid."""
        visual = self.model.model.visual
        indices, weights, cos, sin = self._vision_table(grid)
        # The two frames that the kernel spans are the same in a still picture.
        kernel = visual.patch_embed.proj.weight.sum(2).flatten(1)
        position = (visual.pos_embed(indices) * weights[:, :, None]).sum(1)
        hidden = functional.linear(patches, kernel, visual.patch_embed.proj.bias) + position
        deepstack = []
        for index, block in enumerate(visual.blocks):
            hidden = hidden + _vision_attention(block.attn, block.norm1(hidden), cos, sin)
            hidden = hidden + block.mlp(block.norm2(hidden))
            if index in visual.deepstack_visual_indexes:
                merger = visual.deepstack_merger_list[visual.deepstack_visual_indexes.index(index)]
                deepstack.append(merger(hidden).unflatten(0, (len(hidden), -1)))
        return visual.merger(hidden).unflatten(0, (len(hidden), -1)), deepstack

    def _vision_table(self, grid: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if grid not in self._vision_tables:
            visual = self.model.model.visual
            grid_thw = torch.tensor([[1, *grid]], device=visual.device)
            indices, weights = get_vision_interpolation_indices_and_weights(
                grid_thw,
                num_grid_per_side=visual.num_grid_per_side,
                mode=visual.interpolation_mode,
                align_corners=visual.interpolation_align_corners,
                spatial_merge_size=visual.spatial_merge_size,
            )
            positions = get_vision_position_ids(grid_thw, visual.spatial_merge_size)
            cos, sin = visual.rotary_pos_emb(weights, positions)
            self._vision_tables[grid] = indices, weights, cos, sin
        return self._vision_tables[grid]

    def _rotary(self, batch: PackedBatch, spans: list[Span]) -> tuple[Tensor, Tensor]:
        """Cosines and sines (1, S, head_dim) of the prefix's M-RoPE positions and each block's behind it."""
        if batch.grid not in self._prefix_positions:
            ids = batch.prefix_ids[None]
            positions, _ = self.model.model.get_rope_index(
                ids,
                mm_token_type_ids=(ids == self.model.config.image_token_id).int(),
                image_grid_thw=torch.tensor([[1, *batch.grid]], device=ids.device),
            )
            self._prefix_positions[batch.grid] = positions[:, 0], int(positions.max()) + 1
        prefix, start = self._prefix_positions[batch.grid]
        behind = [torch.arange(start, start + span.block_tokens).repeat(span.n_blocks) for span in spans]
        positions = torch.cat([prefix, torch.cat(behind).to(prefix.device).expand(3, -1)], dim=1)
        rotary_emb = self.model.model.language_model.rotary_emb
        return cast(tuple[Tensor, Tensor], rotary_emb(rotary_emb.inv_freq, positions[:, None]))


def _spans(n_prefix: int, groups: tuple[Tensor, ...]) -> list[Span]:
    spans, start = [], n_prefix
    for group in groups:
        spans.append(Span(start, group.shape[1], group.shape[2]))
        start = spans[-1].stop
    return spans


def _block_mask(n_prefix: int, span: Span, like: Tensor) -> Tensor:
    """Additive causal mask (T, n_prefix + T) of one block behind the prefix."""
    own = torch.full((span.block_tokens, span.block_tokens), -math.inf).triu(1)
    mask = functional.pad(own, (n_prefix, 0))
    return mask.to(like)


def _vision_attention(attention: Any, hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    query, key, value = attention.qkv(hidden).unflatten(-1, (3, attention.num_heads, -1)).unbind(2)
    query, key = apply_rotary_pos_emb_vision(query, key, cos, sin)
    mixed = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), scale=attention.scaling
    )
    return cast(Tensor, attention.proj(mixed.transpose(1, 2).flatten(2)))


def _projected(layer: Any, hidden: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values (B, S, heads, head_dim), normalised and turned to their positions."""
    attention = layer.self_attn
    normed = layer.input_layernorm(hidden)
    query = attention.q_norm(attention.q_proj(normed).unflatten(-1, (-1, attention.head_dim)))
    key = attention.k_norm(attention.k_proj(normed).unflatten(-1, (-1, attention.head_dim)))
    value = attention.v_proj(normed).unflatten(-1, (-1, attention.head_dim))
    query, key = apply_rotary_pos_emb(query, key, cos, sin, unsqueeze_dim=2)
    return query, key, value


def _after_attention(layer: Any, hidden: Tensor, mixed: Tensor) -> Tensor:
    """The residual stream behind a layer: the heads' outputs (B, S, heads x head_dim) and the MLP added."""
    hidden = hidden + layer.self_attn.o_proj(mixed)
    return cast(Tensor, hidden + layer.mlp(layer.post_attention_layernorm(hidden)))


def _attention(
    attention: Any,
    heads: tuple[Tensor, Tensor, Tensor],
    n_prefix: int,
    spans: list[Span],
    masks: list[Tensor],
) -> Tensor:
    """The heads' outputs (B, S, heads x head_dim): the prefix's, then every block's."""
    blocks = [
        _block_attention(*heads, n_prefix, span, mask, attention)
        for span, mask in zip(spans, masks, strict=True)
    ]
    return torch.cat([_prefix_attention(*heads, n_prefix, attention), *blocks], dim=1)


def _prefix_attention(query: Tensor, key: Tensor, value: Tensor, n_prefix: int, attention: Any) -> Tensor:
    """Causal attention of the prefix to itself: (B, n_prefix, heads x head_dim)."""
    groups = attention.num_key_value_groups
    mixed = functional.scaled_dot_product_attention(
        query[:, :n_prefix].transpose(1, 2),
        key[:, :n_prefix].transpose(1, 2).repeat_interleave(groups, dim=1),
        value[:, :n_prefix].transpose(1, 2).repeat_interleave(groups, dim=1),
        is_causal=True,
        scale=attention.scaling,
    )
    return mixed.transpose(1, 2).flatten(2)


def _block_attention(
    query: Tensor, key: Tensor, value: Tensor, n_prefix: int, span: Span, mask: Tensor, attention: Any
) -> Tensor:
    """A group's blocks attending to the prefix and themselves: (B, block tokens, heads x head_dim).

    Query heads that share a key head are laid behind one another as queries: no key is copied for them.
    """
    n_pictures, shared = query.shape[0], attention.num_key_value_groups
    blocks = (span.n_blocks, span.block_tokens)

    def with_prefix(keys: Tensor) -> Tensor:
        own = keys[:, span.start : span.stop].reshape(n_pictures, *blocks, *keys.shape[2:]).transpose(2, 3)
        prefix = keys[:, :n_prefix].transpose(1, 2)[:, None].expand(-1, span.n_blocks, -1, -1, -1)
        return torch.cat([prefix, own], dim=3).flatten(0, 1)

    asked = query[:, span.start : span.stop].reshape(n_pictures, *blocks, -1, shared, query.shape[-1])
    mixed = functional.scaled_dot_product_attention(
        asked.permute(0, 1, 3, 4, 2, 5).flatten(3, 4).flatten(0, 1),
        with_prefix(key),
        with_prefix(value),
        attn_mask=mask.repeat(shared, 1),
        scale=attention.scaling,
    )
    mixed = mixed.reshape(n_pictures, span.n_blocks, -1, shared, span.block_tokens, query.shape[-1])
    return mixed.permute(0, 1, 4, 2, 3, 5).flatten(3).flatten(1, 2)
