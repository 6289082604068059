"""How good the built-in model is while it trains: greedy answers about pictures of held-out combinations.

Answers come from the ordinary Hugging Face generation, not from the training pass, so that a fault of the
latter would show here. It knows no heads and steers nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from gazeviz.testbed.training.data import left_to_right
from gazeviz.testbed.training.model import IMAGE_PAD, build_processor, build_tokenizer
from gazeviz.testbed.world import grammar, wordings
from gazeviz.testbed.world.drawing import draw_scene, draw_strip

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

STRIP_PX = (576, 96)
SCENE_PX = (256, 192)


def check(
    model: Qwen3VLForConditionalGeneration, n_strips: int = 36, seed: int = 10_000
) -> dict[str, object]:
    """Shares in 0..1 of right answers on 1 x 6 strips and scenes, and how often each panel was chosen freely.

    direct, narration: all four attributes of the panel asked for are stated (`*_attributes`: mean share of
    the four); ambiguous: the text states all four of some panel; scene_list: objects named, of those shown;
    scene_false: objects not shown, of those named.
    """
    rng = np.random.default_rng(seed)
    strips = [_held_out_strip(rng) for _ in range(n_strips)]
    images, facts = [image for image, _ in strips], [listed for _, listed in strips]
    return {
        **_check_direct(model, images, facts),
        **_check_ambiguous(model, images, facts),
        **_check_narration(model, images[: n_strips // 3], facts),
        **_check_scenes(model, rng, n_strips // 2),
    }


def answer(
    model: Qwen3VLForConditionalGeneration,
    images: Sequence[Image.Image],
    questions: Sequence[str],
    max_new_tokens: int,
) -> list[str]:
    """Greedy answers to one question per picture; all questions must come to the same number of tokens."""
    tokenizer, processor = build_tokenizer(), build_processor()
    pixels = processor(images=list(images), return_tensors="pt").to(model.device)
    grid_thw = pixels["image_grid_thw"]
    n_image_tokens = int(grid_thw[0].prod()) // processor.merge_size**2
    prompts = [_prompt(tokenizer, question, n_image_tokens) for question in questions]
    inputs = tokenizer(prompts, return_tensors="pt", return_token_type_ids=False).to(model.device)
    is_image = inputs["input_ids"] == model.config.image_token_id
    with torch.no_grad():
        ids = model.generate(  # type: ignore[misc]
            **inputs, **pixels, mm_token_type_ids=is_image.int(), max_new_tokens=max_new_tokens
        )
    new = ids[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]


def _prompt(tokenizer: PreTrainedTokenizerFast, question: str, n_image_tokens: int) -> str:
    content: Any = [{"type": "image"}, {"type": "text", "text": question}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    return str(text).replace(IMAGE_PAD, IMAGE_PAD * n_image_tokens)


def _held_out_strip(rng: np.random.Generator) -> tuple[Image.Image, tuple[grammar.Fact, ...]]:
    facts = grammar.draw_facts(rng, 6, "held_out")
    return draw_strip(facts, (1, 6), *STRIP_PX, rng), facts


def _check_direct(
    model: Qwen3VLForConditionalGeneration,
    images: Sequence[Image.Image],
    facts: Sequence[Sequence[grammar.Fact]],
) -> dict[str, object]:
    positions = [index % 6 for index in range(len(images))]
    questions = [wordings.fill(wordings.DIRECT[0], position, 6) for position in positions]
    texts = answer(model, images, questions, 16)
    asked = [listed[position] for listed, position in zip(facts, positions, strict=True)]
    stated = [grammar.matches(text, fact) for text, fact in zip(texts, asked, strict=True)]
    return {
        "direct": float(np.mean(np.array(stated) == 4)),
        "direct_attributes": float(np.mean(stated) / 4),
        "direct_example": f"{texts[1]} | {asked[1].caption()}",
    }


def _check_ambiguous(
    model: Qwen3VLForConditionalGeneration,
    images: Sequence[Image.Image],
    facts: Sequence[Sequence[grammar.Fact]],
) -> dict[str, object]:
    texts = answer(model, images, [wordings.AMBIGUOUS[0]] * len(images), 16)
    chosen = [0] * 6
    for text, listed in zip(texts, facts, strict=True):
        stated = [grammar.matches(text, fact) for fact in listed]
        if max(stated) == 4:
            chosen[stated.index(4)] += 1
    return {"ambiguous": sum(chosen) / len(images), "ambiguous_panels": chosen}


def _check_narration(
    model: Qwen3VLForConditionalGeneration,
    images: Sequence[Image.Image],
    facts: Sequence[Sequence[grammar.Fact]],
) -> dict[str, object]:
    texts = answer(model, images, [wordings.NARRATION[0]] * len(images), 100)
    stated = []
    for text, listed in zip(texts, facts, strict=False):
        told = text.lower().split("panel ")[1:7]
        told += [""] * (6 - len(told))
        stated.append([grammar.matches(part, fact) for part, fact in zip(told, listed, strict=True)])
    by_panel = (np.array(stated) == 4).mean(axis=0)
    return {"narration": float(by_panel.mean()), "narration_by_panel": [round(float(x), 2) for x in by_panel]}


def _check_scenes(
    model: Qwen3VLForConditionalGeneration, rng: np.random.Generator, n_scenes: int
) -> dict[str, object]:
    scenes = []
    for _ in range(n_scenes):
        objects, setting = grammar.draw_objects(rng)
        image, boxes_px = draw_scene(objects, setting, *SCENE_PX, rng)
        scenes.append((image, [objects[index] for index in left_to_right(boxes_px)]))
    texts = answer(model, [image for image, _ in scenes], [wordings.SCENE_LIST[0]] * n_scenes, 24)
    shown = named = false = 0
    for text, (_, ordered) in zip(texts, scenes, strict=True):
        said, there = set(grammar.objects_in(text)), {(item.colour, item.character) for item in ordered}
        shown, named, false = shown + len(there), named + len(said & there), false + len(said - there)
    return {"scene_list": named / shown, "scene_false": false / max(1, named + false)}
