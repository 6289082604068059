"""Batches: what is asked, how it is laid out, and that it is a function of seed and step alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gazeviz.testbed.training.data import (
    GRID_SIZES_PX,
    PHASES,
    ROW_SIZES_PX,
    SCENE_SIZES_PX,
    BatchSource,
    Block,
    Phase,
    draw_batch,
    image_prefix,
    left_to_right,
    pack,
    patchify,
)
from gazeviz.testbed.training.model import (
    CELL_PX,
    IMAGE_PAD,
    MAX_IMAGE_TOKENS,
    build_processor,
    build_tokenizer,
)
from gazeviz.testbed.world import grammar

TOKENIZER: Any = build_tokenizer()
STRIPS = Phase("strips", 3, {(1, 6): 1.0})
SCENES = Phase("scenes", 3, {(0, 0): 1.0})


def _answers(batch):
    """The answers that the targets spell, split at the end-of-turn token."""
    text = TOKENIZER.decode(batch.targets)
    return [part.strip() for part in text.split("<|im_end|>") if part.strip()]


def _noise(width_px: int, height_px: int) -> Image.Image:
    rng = np.random.default_rng(width_px)
    return Image.fromarray(rng.integers(0, 256, (height_px, width_px, 3), dtype=np.uint8))


@pytest.mark.parametrize("size_px", [(576, 96), (96, 96), (192, 288), (704, 64)])
def test_patches_are_the_processors_to_the_last_bit(size_px):
    images = [_noise(*size_px), _noise(*size_px).transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    processed = build_processor()(images=images, return_tensors="np")
    frames = processed["pixel_values"].reshape(2, -1, 3, 2, 256)
    assert processed["image_grid_thw"].tolist() == [[1, size_px[1] // 16, size_px[0] // 16]] * 2
    for frame in range(2):
        np.testing.assert_array_equal(frames[:, :, :, frame].reshape(2, -1, 768), patchify(images))


def test_every_training_size_is_one_that_the_processor_leaves_alone():
    rows = [size for sizes in ROW_SIZES_PX.values() for size in sizes]
    grids = [size for sizes in GRID_SIZES_PX.values() for size in sizes]
    for width_px, height_px in {*rows, *grids, *SCENE_SIZES_PX}:
        assert width_px % CELL_PX == height_px % CELL_PX == 0
        assert 4 <= width_px * height_px // CELL_PX**2 <= MAX_IMAGE_TOKENS


def test_a_batch_depends_on_seed_and_step_alone():
    source = BatchSource([0, 2, 3, 3], seed=5)
    forwards = [source[step] for step in range(4)]
    again = BatchSource([0, 2, 3, 3], seed=5)
    for step in (3, 1):
        assert torch.equal(again[step].patches, forwards[step].patches)
        assert torch.equal(again[step].targets, forwards[step].targets)
    assert not torch.equal(BatchSource([0] * 4, seed=6)[0].targets, forwards[0].targets)


def test_targets_are_the_tokens_right_behind_the_predicting_positions():
    batch = draw_batch(np.random.default_rng(3), STRIPS)
    n_pictures = len(batch.patches)
    ids = torch.cat(
        [batch.prefix_ids.expand(n_pictures, -1), *(group.flatten(1) for group in batch.groups)], dim=1
    )
    assert torch.equal(ids.flatten()[batch.predicting_positions + 1], batch.targets)
    assert int(batch.predicting_positions.max()) < ids.numel()


def test_the_prefix_is_the_chat_templates():
    text = TOKENIZER.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is here?"}]}],
        tokenize=False,
        add_generation_prompt=True,
    ).replace(IMAGE_PAD, IMAGE_PAD * 54)
    batch = pack([_noise(576, 96)], [[[Block("What is here?", "red cat.")]]])
    ids = TOKENIZER(text)["input_ids"]
    prefix = image_prefix((6, 36)).tolist()
    assert ids[: len(prefix)] == prefix == batch.prefix_ids.tolist()
    assert batch.groups[0][0, 0].tolist()[: len(ids) - len(prefix)] == ids[len(prefix) :]
    assert _answers(batch) == ["red cat."]


def test_blocks_of_one_question_name_different_panels():
    """Two direct and two ambiguous questions a picture, never twice about one panel."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        batch = draw_batch(rng, STRIPS)
        assert [group.shape[:2] for group in batch.groups[:4]] == [(3, 1)] * 4
        facts = [frozenset(grammar.parse(answer)) for answer in _answers(batch)[:12]]
        assert all(len(fact) == 4 for fact in facts)
        for picture in range(3):
            direct, free = facts[picture:6:3], facts[6 + picture : 12 : 3]
            assert direct[0] != direct[1] or free[0] != free[1]


def test_only_training_facts_are_answered():
    rng = np.random.default_rng(1)
    for _ in range(20):
        for answer in _answers(draw_batch(rng, STRIPS)):
            for told in answer.split("panel "):
                words = grammar.parse(told)
                if len(words) == 4:
                    colour, character, action = (
                        next(index for index, word in enumerate(names) if word in words)
                        for names in (grammar.COLOURS, grammar.CHARACTERS, grammar.ACTIONS)
                    )
                    assert action != grammar.held_out_action(colour, character)


def test_no_word_of_any_batch_is_unknown():
    unknown: int = TOKENIZER.convert_tokens_to_ids("<unk>")
    rng = np.random.default_rng(2)
    for phase in (*PHASES, SCENES):
        for _ in range(3):
            batch = draw_batch(rng, phase)
            assert all(int((group == unknown).sum()) == 0 for group in batch.groups)


def test_scenes_list_objects_from_left_to_right():
    assert left_to_right([(50, 0, 70, 9), (0, 0, 90, 9), (10, 5, 30, 9)]) == [2, 1, 0]
    batch = draw_batch(np.random.default_rng(4), SCENES)
    answers = _answers(batch)
    assert len(answers) == 15
    for picture in range(3):
        *single, listed = answers[picture::3]
        objects = grammar.objects_in(listed)
        assert 2 <= len(objects) <= 5
        assert {pair for text in single for pair in grammar.objects_in(text)} <= set(objects)
