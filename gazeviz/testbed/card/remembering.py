"""An engine for many questions about few pictures: what depends on the picture alone is computed once.

A measurement asks the same strips thousands of times with other heads and targets. Preparing a picture and
running the vision tower then cost more than the answers; both are remembered here. Answers are those of
`Engine`. Knows the built-in model's architecture (Qwen3-VL), whose picture features come split by picture.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

import torch
from torch import Tensor

from gazeviz.engine.engine import Engine
from gazeviz.engine.models.description import ModelDescription
from gazeviz.engine.models.loading import LoadedModel
from gazeviz.engine.models.prompt import Prepared

_PICTURES: Final = 800


class RememberingEngine(Engine):
    """An engine that remembers its pictures by identity, prepared and seen by the vision tower.

    Inside its prompts "pixel_values" is (patches, 1), the number of a remembered picture: whole pixels would
    be copied and hashed with every batch.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        super().__init__(loaded)
        self._feature_cache = FeatureCache(loaded.model.model.get_image_features)
        loaded.model.model.get_image_features = self._feature_cache.features
        # The picture itself is kept, so that its id is not given to another one.
        self._pictures: OrderedDict[int, tuple[Any, Tensor, dict[str, Prepared]]] = OrderedDict()

    def describe_model(self) -> ModelDescription:
        """As `Engine.describe_model`, made once: every answer's request asks for it."""
        return self._description

    @cached_property
    def _description(self) -> ModelDescription:
        return super().describe_model()

    def prepared(self, image: Any, prompt: str) -> Prepared:
        """As `Engine.prepared`, each picture and prompt once."""
        if id(image) not in self._pictures:
            made = super().prepared(image, prompt)
            self._pictures[id(image)] = (image, self._feature_cache.put(made.inputs), {})
            if len(self._pictures) > _PICTURES:
                _, (_, numbers, _) = self._pictures.popitem(last=False)
                self._feature_cache.drop(numbers)
        self._pictures.move_to_end(id(image))
        _, numbers, by_prompt = self._pictures[id(image)]
        if prompt not in by_prompt:
            made = super().prepared(image, prompt)
            by_prompt[prompt] = replace(made, inputs={**made.inputs, "pixel_values": numbers})
        return by_prompt[prompt]


class FeatureCache:
    """Stands in for `get_image_features` of a Qwen3-VL model and answers for remembered pictures by their
    number."""

    def __init__(self, original: Callable[..., Any]) -> None:
        self._original = original
        self._features: dict[int, tuple[Tensor, ...]] = {}
        self._next = 0

    def put(self, inputs: dict[str, Tensor]) -> Tensor:
        """Look at a picture and remember what was seen; the tensor that stands for its pixels from now on."""
        pixels, grid_thw = inputs["pixel_values"], inputs["image_grid_thw"]
        with torch.inference_mode():
            seen = self._original(pixels, grid_thw, return_dict=True)
        self._features[self._next] = (seen.pooler_output[0], *(layer[0] for layer in seen.deepstack_features))
        self._next += 1
        return pixels.new_full((len(pixels), 1), self._next - 1)

    def drop(self, numbers: Tensor) -> None:
        """Forget a picture."""
        del self._features[int(numbers[0, 0])]

    def features(self, pixel_values: Tensor, image_grid_thw: Tensor, **options: Any) -> Any:
        """Features of every picture of a batch; pictures that come with their pixels are seen by the
        original."""
        if pixel_values.shape[1] != 1:
            return self._original(pixel_values, image_grid_thw, **options)
        first_patch = [0, *image_grid_thw.prod(-1).cumsum(0).tolist()[:-1]]
        found = [self._features[int(number)] for number in pixel_values[first_patch, 0].tolist()]
        pooled, *deep = (tuple(one[layer] for one in found) for layer in range(len(found[0])))
        return Seen(pooled, list(deep))


class Seen:
    """What Qwen3-VL's forward reads of its picture features: one tensor a picture, and so for every deep
    layer."""

    def __init__(
        self, pooler_output: tuple[Tensor, ...], deepstack_features: list[tuple[Tensor, ...]]
    ) -> None:
        self.pooler_output = pooler_output
        self.deepstack_features = deepstack_features
