"""Muon for many small matrices on a CPU: momentum whose singular values are all pulled to about one.

The same update as torch.optim.Muon, in float32 and with equally shaped matrices orthogonalised together:
torch's works in bfloat16, which few CPUs are quick at, and on one matrix at a time.
Source: K. Jordan and others, "Muon: An optimizer for hidden layers in neural networks" (2024), and for the
scale 0.2 sqrt(max(rows, columns)) J. Liu and others, "Muon is Scalable for LLM Training" (arXiv 2502.16982).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, cast

import torch
from torch import Tensor

# Coefficients of the quintic Newton-Schulz step, as published.
QUINTIC: Final = (3.4445, -4.7750, 2.0315)


def orthogonalised(matrices: Tensor, steps: int = 5) -> Tensor:
    """Matrices (n, rows, columns) with their singular vectors kept and their singular values near one."""
    tall = matrices.shape[1] > matrices.shape[2]
    result: Tensor = matrices.mT if tall else matrices
    result = result / result.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    linear, cubic, quintic = QUINTIC
    for _ in range(steps):
        gram = result @ result.mT
        result = linear * result + torch.baddbmm(cubic * gram, gram, gram, alpha=quintic) @ result
    return result.mT if tall else result


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, with decoupled weight decay; the learning rate is on AdamW's scale.

    Takes matrices only; ValueError for a parameter of another rank.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.05
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for group in self.param_groups:
            if any(parameter.ndim != 2 for parameter in group["params"]):
                raise ValueError("Muon takes matrices only")

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient; `closure` is not used."""
        for group in self.param_groups:
            by_shape: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[tuple(parameter.shape)].append(parameter)
            for shape, parameters in by_shape.items():
                self._update(parameters, group, 0.2 * math.sqrt(max(shape)))

    def _update(self, parameters: list[Tensor], group: dict[str, Any], scale: float) -> None:
        directions = []
        for parameter in parameters:
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            gradient = cast(Tensor, parameter.grad)
            average = state["momentum"].lerp_(gradient, 1 - group["momentum"])
            directions.append(torch.lerp(gradient, average, group["momentum"]))
        updates = orthogonalised(torch.stack(directions))
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(parameters, list(updates.unbind()), alpha=-group["lr"] * scale)
