"""Batches: what is asked, how it is laid out, and that it is a function of seed and step alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gazeviz.testbed.training import data
from gazeviz.testbed.training.data import (
    GRIDS,
    OTHER_RATIOS,
    PHASES,
    ROWS,
    SCENE_SIZES_PX,
    BatchSource,
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
    fed_size_px,
)
from gazeviz.testbed.world import grammar
from gazeviz.testbed.world.attribute_questions import Block
from gazeviz.testbed.world.world import panel_size_px

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
    processed = build_processor()(images=images, do_resize=False, return_tensors="np")
    frames = processed["pixel_values"].reshape(2, -1, 3, 2, 256)
    assert processed["image_grid_thw"].tolist() == [[1, size_px[1] // 16, size_px[0] // 16]] * 2
    for frame in range(2):
        np.testing.assert_array_equal(frames[:, :, :, frame].reshape(2, -1, 768), patchify(images))


def test_pictures_come_in_sizes_that_the_processor_makes():
    rng = np.random.default_rng(9)
    for layout in (*ROWS, *GRIDS):
        sizes = {fed_size_px(256 * layout[1], 256 * layout[0])}
        sizes |= {fed_size_px(round(256 * layout[1] * r), 256 * layout[0]) for r in OTHER_RATIOS}
        sizes.add(_own_size_px(layout))
        drawn = [draw_batch(rng, Phase("one", 1, {layout: 1.0})).grid for _ in range(4)]
        assert {(16 * columns, 16 * rows) for rows, columns in drawn} <= sizes
    for width_px, height_px in SCENE_SIZES_PX:
        assert width_px % CELL_PX == height_px % CELL_PX == 0
        assert width_px * height_px // CELL_PX**2 <= MAX_IMAGE_TOKENS


def _own_size_px(layout: tuple[int, int]) -> tuple[int, int]:
    width_px, height_px = panel_size_px(layout)
    return fed_size_px(width_px * layout[1], height_px * layout[0])


@pytest.mark.parametrize("layout", [*ROWS, *GRIDS])
@pytest.mark.parametrize("height_px", [192, 256])
def test_borders_of_panels_are_borders_of_cells(layout, height_px):
    """In every layout as the project draws it."""
    width_px, height_px = panel_size_px(layout, height_px)
    fed_px = fed_size_px(width_px * layout[1], height_px * layout[0])
    assert fed_px[0] // CELL_PX % layout[1] == 0
    assert fed_px[1] // CELL_PX % layout[0] == 0


def test_six_square_panels_of_any_size_get_three_columns_each():
    assert {fed_size_px(6 * px, px) for px in range(16, 1500)} == {(18 * CELL_PX, 3 * CELL_PX)}


def test_the_processor_feeds_the_size_that_is_foretold():
    for width_px, height_px in ((1536, 256), (540, 90), (512, 384), (100, 900), (640, 480)):
        grid = build_processor()(images=[_noise(width_px, height_px)], return_tensors="np")["image_grid_thw"]
        assert tuple(16 * grid[0, :0:-1]) == fed_size_px(width_px, height_px)


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


def test_two_direct_questions_name_different_panels():
    rng = np.random.default_rng(0)
    for _ in range(5):
        facts = [frozenset(grammar.parse(answer)) for answer in _answers(draw_batch(rng, STRIPS))[:12]]
        assert all(len(fact) == 4 for fact in facts)
        for picture in range(3):
            assert facts[picture] != facts[picture + 3]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_open_questions_follow_the_rule_in_their_share(monkeypatch, share):
    """Of the others, one in six comes out the same."""
    monkeypatch.setattr(data, "EYE_CATCHING_SHARE", share)
    rng = np.random.default_rng(1)
    facts = [grammar.draw_facts(rng, 6) for _ in range(2000)]
    by_rule = [data._open_choice(rng, listed) == grammar.most_eye_catching(listed) for listed in facts]
    assert np.mean(by_rule) == pytest.approx(share + (1 - share) / 6, abs=0.03)


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


def test_no_word_of_any_batch_is_unknown_but_those_meant_to_be(monkeypatch):
    monkeypatch.setattr("gazeviz.testbed.world.wordings.UNKNOWN_SHARE", 0.0)
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
    direct_and_free, lists = answers[:12], answers[-3:]
    for picture, listed in enumerate(lists):
        single = direct_and_free[picture::3]
        objects = grammar.objects_in(listed)
        assert 2 <= len(objects) <= 5
        assert {pair for text in single for pair in grammar.objects_in(text)} <= set(objects)
