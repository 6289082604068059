"""What a head does over a set of pictures: where it looks before it answers, and what an answer owes to it.

Arrays are named by their axes: S picture, L layer, H head. A head that the model does not have is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.arrays import HoldsArrays, read_only
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.statistics import bootstrap_interval
from gazeviz.errors import UserError

Metric: TypeAlias = Literal["image", "sink", "text", "previous", "entropy", "peak"]

METRIC_MEANINGS: Final[Mapping[Metric, str]] = {
    "image": "mass on the image tokens",
    "sink": "mass on the sequence's first token",
    "text": "mass on the prompt's text after the first token",
    "previous": "mass on the token before the row's own",
    "entropy": "spread over the picture: entropy of the attention to the image tokens, 0 one token, 1 even",
    "peak": "the largest part of the attention to the image that one image token gets",
}
METRICS: Final[tuple[Metric, ...]] = tuple(METRIC_MEANINGS)


@dataclass(frozen=True)
class HeadEffect:
    """What happens to the answers when a head set is knocked out or steered alone.

    what: "knocked_out": its output is zero, and the change is that of the log-probability of the model's own
        unsteered answer.  "steered": it is pointed at each region in turn, and the change is that of
        log p(the region's caption) - mean log p(another region's caption).
    mean_nats: the change, natural logarithm, mean over the pictures.  low, high: its 95 % bootstrap interval,
        pictures resampled.  n_pictures: how many were measured.
    """

    heads: HeadSet
    what: Literal["knocked_out", "steered"]
    mean_nats: float
    low: float
    high: float
    n_pictures: int

    @classmethod
    def of(
        cls,
        heads: HeadSet,
        what: Literal["knocked_out", "steered"],
        change_N: Sequence[float],
        picture_N: Sequence[int],
    ) -> HeadEffect:
        """Summarize changes, each with the picture that it was measured on; UserError for none."""
        if not change_N:
            raise UserError(
                "There is no answer to measure these heads on.",
                next_step="Choose pictures with captions, or ones that the model says something about.",
            )
        low, high = bootstrap_interval(change_N, picture_N)
        return cls(heads, what, float(np.mean(change_N)), low, high, len(set(picture_N)))

    def to_json(self) -> dict[str, Any]:
        """Return everything as a JSON object, the interval as [low, high]."""
        return {
            "heads": str(self.heads),
            "what": self.what,
            "mean_nats": self.mean_nats,
            "interval": [self.low, self.high],
            "n_pictures": self.n_pictures,
        }


@dataclass(frozen=True, eq=False)
class HeadMetrics(HoldsArrays):
    """Every head's metrics at the last prompt token, picture by picture.

    values: by metric float32 (S, L, H), see `METRIC_MEANINGS`.  names: of the pictures.  measured_on: the
    set in words.  model: whose heads they are.  effects: of the head sets that were asked for.
    """

    values: Mapping[Metric, NDArray[np.float32]]
    names: tuple[str, ...]
    prompt: str
    measured_on: str = ""
    model: str = ""
    effects: tuple[HeadEffect, ...] = ()

    def __post_init__(self) -> None:
        kept = {metric: read_only(values, np.float32, "SLH") for metric, values in self.values.items()}
        if set(kept) != set(METRICS) or {values.shape[0] for values in kept.values()} != {len(self.names)}:
            raise ValueError("metrics of every kind are needed, one of each for every picture")
        object.__setattr__(self, "values", kept)

    @property
    def shape_LH(self) -> tuple[int, int]:
        """Layers and heads."""
        n_layers, n_heads = self.values["image"].shape[1:]
        return n_layers, n_heads

    def mean_LH(self, metric: Metric) -> NDArray[np.float64]:
        """The metric's mean over the pictures, float64 (L, H)."""
        return np.asarray(self.values[metric].mean(axis=0, dtype=np.float64))

    def of(self, head: Head) -> dict[Metric, float]:
        """Return one head's means; UserError for a head that the model lacks."""
        HeadSet((head,)).check(self.shape_LH)
        return {metric: float(self.mean_LH(metric)[head.layer, head.index]) for metric in METRICS}

    def examples(self, head: Head, metric: Metric = "image", n: int = 3) -> dict[str, tuple[int, ...]]:
        """Pictures on which a head's metric is highest, and others at the lower deciles.

        Returns picture numbers by place: "top" (n of them, highest first), then "median" and "lowest decile",
        so that a head is not judged by its best examples alone.
        """
        values_S = self.values[metric][:, head.layer, head.index]
        order = np.argsort(-values_S, kind="stable")
        last = len(order) - 1
        return {
            "top": tuple(int(place) for place in order[:n]),
            "median": (int(order[round(last * 0.5)]),),
            "lowest decile": (int(order[round(last * 0.9)]),),
        }

    def example_names(self, head: Head, metric: Metric = "image", n: int = 3) -> dict[str, list[str]]:
        """The same by name."""
        places = self.examples(head, metric, n)
        return {where: [self.names[place] for place in numbers] for where, numbers in places.items()}

    def to_json(self) -> dict[str, Any]:
        """Return means by metric as nested lists (L, H), NaN as None, and the effects."""
        means = {}
        for metric in METRICS:
            rows = self.mean_LH(metric).tolist()
            means[metric] = [[None if np.isnan(value) else value for value in row] for row in rows]
        return {
            "model": self.model,
            "measured_on": self.measured_on,
            "prompt": self.prompt,
            "pictures": len(self.names),
            "shape": list(self.shape_LH),
            "metrics": means,
            "effects": [effect.to_json() for effect in self.effects],
        }


def look_metrics(
    weights_HK: NDArray[np.float32], image_tok: NDArray[np.int64]
) -> dict[Metric, NDArray[np.float32]]:
    """Measure one layer's last row: float32 (H,) by metric.

    weights_HK: attention of the prompt's last row to all K prompt positions, the row's own among them.
    image_tok: positions of the image tokens.
    """
    n_keys = weights_HK.shape[1]
    is_image = np.zeros(n_keys, dtype=bool)
    is_image[image_tok] = True
    is_text = ~is_image
    is_text[0] = False
    on_image_HP = weights_HK[:, is_image].astype(np.float64)
    image_H = on_image_HP.sum(axis=1)
    share_HP = on_image_HP / np.maximum(image_H, np.finfo(float).tiny)[:, None]
    logs_HP = np.log(share_HP, out=np.zeros_like(share_HP), where=share_HP > 0)
    evenness = max(float(np.log(max(on_image_HP.shape[1], 1))), np.finfo(float).tiny)
    found = {
        "image": image_H,
        "sink": weights_HK[:, 0] * (not is_image[0]),
        "text": weights_HK[:, is_text].sum(axis=1),
        "previous": weights_HK[:, max(n_keys - 2, 0)],
        "entropy": -(share_HP * logs_HP).sum(axis=1) / evenness,
        "peak": share_HP.max(axis=1, initial=0.0),
    }
    return {metric: np.asarray(found[metric], dtype=np.float32) for metric in METRICS}
