"""How much each head's attention to a panel moves the model's answer towards that panel.

Every head gets a bias of its own on the picture: strength x (+1 on the target panel's image tokens, -1 on
the other image tokens). The gradient of

    log p(answer about the target) - mean log p(answer about another panel)

with respect to all strengths is one backward pass (families page: it agrees with finite differences). It is
local: at strength 0 it says what a small push does alone; averaged over a range of strengths (integrated
gradients, Sundararajan et al. 2017, arXiv 1703.01365) it says what a larger push of all heads together
would do.

The bias acts on the rows behind the picture, whose prefix is cached without gradient. Knows answers as
token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gazeviz.engine.attention.hook import AttentionHook, SteerPlan
from gazeviz.engine.generation.shared_prefix import PicturePrefix
from gazeviz.engine.models.prompt import Prepared


@dataclass(frozen=True)
class Contrast:
    """A question that does not say which panel it is about, and what could be answered.

    answers: token ids of the answer about each panel; None for a panel whose answer nobody knows.
    tokens_by_panel: the image tokens of each panel, indices among the image tokens.
    """

    prompt: Prepared
    answers: tuple[tuple[int, ...] | None, ...]
    tokens_by_panel: tuple[NDArray[np.int64], ...]

    @property
    def answered(self) -> tuple[int, ...]:
        """The panels whose answer is known."""
        return tuple(panel for panel, answer in enumerate(self.answers) if answer)


def effects(
    hook: AttentionHook, prefix: PicturePrefix, contrast: Contrast, strengths: Sequence[float] = (0.0,)
) -> NDArray[np.float64]:
    """Nats per unit of strength that each head moves the contrast, (L, H); NaN = no such head.

    Averaged over the panels with a known answer as the target, and over the strengths at which it is taken
    (the same for all heads at once). ValueError where fewer than two answers are known."""
    panels = contrast.answered
    if len(panels) < 2:
        raise ValueError("a contrast needs the answers about two panels at least")
    total = np.zeros(hook.shape_LH)
    for target in panels:
        for strength in strengths:
            gains_LH = torch.full(hook.shape_LH, float(strength), requires_grad=True)
            with prefix.differentiable():
                difference = contrast_at(hook, prefix, contrast, target, gains_LH)
                (gradient_LH,) = torch.autograd.grad(difference, gains_LH)
            total += gradient_LH.double().numpy()
    return np.where(_present(hook), total / (len(panels) * len(strengths)), np.nan)


def contrast_at(
    hook: AttentionHook, prefix: PicturePrefix, contrast: Contrast, target: int, gains_LH: Tensor
) -> Tensor:
    """log p(answer about the target) - mean log p(answers about the others), with each head's gain: a
    scalar.
    """
    panels = contrast.answered
    hook.steer = SteerPlan(
        heads={site.index: tuple(range(site.n_heads)) for site in hook.sites},
        codes_BK=contrast.prompt.codes_K(contrast.tokens_by_panel[target])[None],
        first_row=prefix.n_tok,
        gains_LH=gains_LH,
        account_rows=None,
    )
    answers = [contrast.answers[panel] or () for panel in panels]
    try:
        difference = torch.zeros(())
        for index, logits_TV in prefix.branch_logits(contrast.prompt, answers):
            weight = 1.0 if panels[index] == target else -1.0 / (len(panels) - 1)
            difference = difference + weight * _log_probability(logits_TV, answers[index])
        return difference
    finally:
        hook.steer = None


def _log_probability(logits_TV: Tensor, token_ids: Sequence[int]) -> Tensor:
    """Sum over the tokens of their log-probability, in float32."""
    ids_T1 = torch.tensor(token_ids, device=logits_TV.device)[:, None]
    return logits_TV.float().log_softmax(dim=-1).gather(1, ids_T1).sum().cpu()


def _present(hook: AttentionHook) -> NDArray[np.bool_]:
    """Which heads the model has, (L, H)."""
    present_LH = np.zeros(hook.shape_LH, dtype=np.bool_)
    for site in hook.sites:
        present_LH[site.index, : site.n_heads] = True
    return present_LH
