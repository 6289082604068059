"""What the vision tower saw is handed to the model as if it had seen it again."""

import pytest
import torch

from gazeviz.engine.generation.vision_cache import Vision, digest_of
from tests.engine.fixtures.tiny_models import FAMILIES, tiny_model, tiny_prompt


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_seen_pictures_give_the_logits_of_their_pixels(family: str) -> None:
    model = tiny_model(family)
    prompts = [dict(tiny_prompt(family, seed=seed).inputs) for seed in (0, 1, 0)]
    text = {
        name: torch.cat([prompt.pop(name) for prompt in prompts]) for name in ("input_ids", "attention_mask")
    }
    pixels = {name: torch.cat([prompt[name] for prompt in prompts]) for name in prompts[0]}
    expected = model(**text, **pixels).logits
    vision = Vision(model)
    for _ in range(2):
        seen = vision.inputs_for(prompts)
        assert "pixel_values" not in seen
        torch.testing.assert_close(model(**text, **seen).logits, expected, rtol=0, atol=1e-5)


def test_a_model_that_takes_no_outputs_gets_the_pixels() -> None:
    class Plain(torch.nn.Module):
        def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
            return pixel_values

    inputs = Vision(Plain()).inputs_for(
        [{"pixel_values": torch.ones(1, 2)}, {"pixel_values": torch.zeros(1, 2)}]
    )
    assert set(inputs) == {"pixel_values"}
    assert inputs["pixel_values"].tolist() == [[1, 1], [0, 0]]


def test_digests_tell_bytes_names_and_shapes_apart() -> None:
    ones = torch.ones(2, 2, dtype=torch.bfloat16)
    inputs = [{"a": ones}, {"b": ones}, {"a": ones.flatten()}, {"a": ones.float()}, {"a": ones * 2}]
    assert len({digest_of(one) for one in inputs}) == 5
    assert digest_of({"a": ones}) == digest_of({"a": ones.clone().T})
