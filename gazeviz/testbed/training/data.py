"""Training batches for the built-in model: freshly drawn pictures, each with several questions and answers.

A batch is a function of (seed, step, phase) alone, so a training run can be resumed at any step without
keeping the state of a generator. Only facts of the training split are drawn. The module knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import torch
from PIL import Image

from gazeviz.testbed.training.model import (
    BOS_TURN,
    CELL_PX,
    EOS_TURN,
    IMAGE_PAD,
    PAD,
    PATCH_PX,
    VISION_END,
    VISION_START,
    build_processor,
    build_tokenizer,
    fed_size_px,
)
from gazeviz.testbed.world import attribute_questions, grammar, wordings
from gazeviz.testbed.world.attribute_questions import Block, sentence
from gazeviz.testbed.world.drawing import draw_scene, draw_strip
from gazeviz.testbed.world.world import panel_ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast

T = TypeVar("T")
Size = tuple[int, int]

# Width to height of the panels that strips are drawn with for training, by layout (rows, columns). The first
# is the project's own (`world.PANEL_RATIOS`) and comes three times in five; the others are what people bring.
OTHER_RATIOS: Final = (1.0, 1.0, 0.8, 1.25, 1.5)
OWN_RATIO_SHARE: Final = 0.7
SOFT_SHARE: Final = 0.12  # drawn at two thirds of the size and enlarged, as small pictures are
ROWS: Final = tuple((1, n) for n in range(1, 9))
GRIDS: Final = ((2, 2), (2, 3), (3, 2), (2, 4), (3, 3))
SCENE: Final = (0, 0)  # in the place of a layout
SCENE_SIZES_PX: Final = ((256, 192), (256, 192), (288, 192), (288, 160), (224, 224), (192, 256), (192, 288))

NARRATED_SHARE: Final = 0.2
REVERSED_SHARE: Final = 0.1
NARRATION_ORDERS: Final = (0, 0, 0, 1, 2)
DIRECT_BLOCKS: Final = 2
FREE_BLOCKS: Final = 3
ATTRIBUTE_BLOCKS: Final = 4
DISTINCT_SHARE: Final = 0.6  # strips in which no colour and no character comes twice; 0.85 at first
# Colours of the other strips, in the order of grammar.COLOURS: most wrong answers were about what a few black
# and white characters do. 2,700 steps with these shares did not mend that.
COLOUR_SHARES: Final = (0.08, 0.08, 0.08, 0.08, 0.08, 0.12, 0.24, 0.24)
# Open questions answered by the grammar's rule, not with any panel; 0.6, 0.2 and 0.1 in earlier stages.
EYE_CATCHING_SHARE: Final = 0.0


@dataclass(frozen=True)
class Phase:
    """One stage of the curriculum: pictures a batch holds, and the weights of the panel layouts.

    `layouts` maps (rows, columns) to a weight; SCENE stands for scenes.
    """

    name: str
    n_pictures: int
    layouts: dict[tuple[int, int], float]


FINAL_LAYOUTS: Final = {
    (1, 6): 0.18,
    (1, 8): 0.09,
    (1, 7): 0.045,
    (1, 5): 0.03,
    (1, 4): 0.03,
    (1, 3): 0.02,
    (1, 2): 0.03,
    (2, 2): 0.05,
    (2, 3): 0.07,
    (3, 2): 0.085,
    (2, 4): 0.12,
    (3, 3): 0.15,
    SCENE: 0.1,
}
PHASES: Final = (
    Phase("one panel", 32, {(1, 1): 1.0}),
    Phase("two panels", 24, {(1, 2): 0.85, (1, 1): 0.15}),
    Phase("three panels", 20, {(1, 3): 0.7, (1, 2): 0.15, SCENE: 0.15}),
    Phase("all", 16, FINAL_LAYOUTS),
)


@dataclass(frozen=True)
class PackedBatch:
    """Pictures of one size with their blocks, ready for the packed pass.

    patches: (B, N, 768) float32, the processor's values and order, of one of its two equal frames.
    grid: patches as (rows, columns). prefix_ids: (n_prefix,) int64, the same for every picture.
    groups: each (B, n_blocks, T) int64, padded at the blocks' ends.
    predicting_positions: (n_targets,) int64, flat positions in (B, S) of the tokens *before* the targets.
    targets: (n_targets,) int64.
    """

    patches: Tensor
    grid: tuple[int, int]
    prefix_ids: Tensor
    groups: tuple[Tensor, ...]
    predicting_positions: Tensor
    targets: Tensor


def describe_shares() -> dict[str, float]:
    """What a batch asks, in plain values: a run resumed under others must show them."""
    return {
        "eye_catching": EYE_CATCHING_SHARE,
        "narrated": NARRATED_SHARE,
        "reversed": REVERSED_SHARE,
        "direct_blocks": DIRECT_BLOCKS,
        "open_blocks": FREE_BLOCKS,
        "attribute_blocks": ATTRIBUTE_BLOCKS,
        "own_ratio": OWN_RATIO_SHARE,
        "soft": SOFT_SHARE,
        "distinct": DISTINCT_SHARE,
        "which_panel": attribute_questions.KINDS["panel"],
        "yes_or_no": attribute_questions.KINDS["yes_no"],
        "dark_or_white": sum(COLOUR_SHARES[-2:]),
        "unknown_word": wordings.UNKNOWN_SHARE,
        "setting_first": grammar.ORDER_SHARES[1],
    }


class BatchSource(torch.utils.data.Dataset[PackedBatch]):
    """The batches of a run by step: item k is the batch of step k, made from (seed, k) alone."""

    def __init__(self, phase_of_step: Sequence[int], seed: int) -> None:
        self.phase_of_step = phase_of_step
        self.seed = seed

    def __len__(self) -> int:
        return len(self.phase_of_step)

    def __getitem__(self, step: int) -> PackedBatch:
        phase = PHASES[self.phase_of_step[step]]
        return draw_batch(np.random.default_rng((self.seed, step)), phase)


@dataclass(frozen=True)
class Asked:
    """The wordings of a batch's questions, the same for all its pictures: their blocks are of a length.

    direct questions name a panel or an object; open ones name none; attributes are (kind, wording) of
    `attribute_questions`; whole asks for everything (or is None).
    """

    direct: tuple[str, ...]
    free: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]
    whole: str | None
    backwards: bool = False


def draw_batch(rng: np.random.Generator, phase: Phase) -> PackedBatch:
    """Draw one batch of a phase: one layout, one picture size, one choice of wordings, fresh facts."""
    layouts = list(phase.layouts)
    weights = np.array(list(phase.layouts.values()))
    layout = layouts[rng.choice(len(layouts), p=weights / weights.sum())]
    if layout == SCENE:
        asked, size_px = _ask_scenes(rng), _pick(rng, SCENE_SIZES_PX)
        drawn = [_draw_scene(rng, size_px, asked) for _ in range(phase.n_pictures)]
    else:
        asked, sizes_px = _ask_strips(rng, layout), _strip_sizes_px(rng, layout)
        drawn = [_draw_strip(rng, layout, sizes_px, asked) for _ in range(phase.n_pictures)]
    by_slot = zip(*(blocks for _, blocks in drawn), strict=True)
    listed = [[[] if block is None else [block] for block in slot] for slot in by_slot]
    return pack([image for image, _ in drawn], listed)


def _strip_sizes_px(rng: np.random.Generator, layout: tuple[int, int]) -> tuple[Size, Size]:
    """The size that a batch's strips are drawn at and the size that the processor makes of such strips."""
    ratio = panel_ratio(layout) if rng.random() < OWN_RATIO_SHARE else _pick(rng, OTHER_RATIOS)
    rows, columns = layout
    fed = fed_size_px(round(256 * columns * ratio), 256 * rows)
    width_px = fed[0] * (0.67 if rng.random() < SOFT_SHARE else 1)
    return (round(width_px), round(width_px * rows / (columns * ratio))), fed


def _ask_strips(rng: np.random.Generator, layout: tuple[int, int]) -> Asked:
    n_panels, one_row = layout[0] * layout[1], layout[0] == 1
    backwards = bool(rng.random() < REVERSED_SHARE)
    narrated = n_panels > 1 and rng.random() < NARRATED_SHARE
    return Asked(
        direct=tuple(wordings.draw_direct(rng, one_row) for _ in range(min(n_panels, DIRECT_BLOCKS))),
        free=tuple(wordings.draw_open(rng) for _ in range(min(n_panels, FREE_BLOCKS))),
        attributes=tuple(attribute_questions.draw_kind(rng, scene=False) for _ in range(ATTRIBUTE_BLOCKS)),
        whole=wordings.draw_narration(rng, backwards) if narrated else None,
        backwards=backwards,
    )


def _ask_scenes(rng: np.random.Generator) -> Asked:
    return Asked(
        direct=tuple(_pick(rng, wordings.SCENE_DIRECT) for _ in range(DIRECT_BLOCKS)),
        free=tuple(_pick(rng, wordings.SCENE_PART) for _ in range(FREE_BLOCKS)),
        attributes=(attribute_questions.draw_kind(rng, scene=True),),
        whole=_pick(rng, wordings.SCENE_LIST),
    )


def _draw_strip(
    rng: np.random.Generator, layout: tuple[int, int], sizes_px: tuple[Size, Size], asked: Asked
) -> tuple[Image.Image, list[Block | None]]:
    facts = grammar.draw_facts(rng, layout[0] * layout[1], "train", DISTINCT_SHARE, COLOUR_SHARES)
    drawn_px, fed_px = sizes_px
    image = draw_strip(facts, layout, *drawn_px, rng)
    if drawn_px != fed_px:
        image = image.resize(fed_px, Image.Resampling.BICUBIC)
    captions = [fact.caption(grammar.draw_order(rng)) for fact in facts]
    blocks = _blocks(rng, asked, captions, facts)
    if asked.whole is not None:
        order = _pick(rng, NARRATION_ORDERS)
        told = grammar.narration([fact.caption(order) for fact in facts], asked.backwards)
        blocks.append(Block(wordings.with_unknown_word(rng, asked.whole), told))
    return image, blocks


def _draw_scene(
    rng: np.random.Generator, size_px: tuple[int, int], asked: Asked
) -> tuple[Image.Image, list[Block | None]]:
    """A scene and its blocks, objects numbered and listed from left to right."""
    objects, setting = grammar.draw_objects(rng)
    image, boxes_px = draw_scene(objects, setting, *size_px, rng)
    ordered = [objects[index] for index in left_to_right(boxes_px)]
    blocks = _blocks(rng, asked, [item.phrase for item in ordered], ordered)
    blocks.append(Block(str(asked.whole), sentence(grammar.object_list(ordered))))
    return image, blocks


def _blocks(
    rng: np.random.Generator,
    asked: Asked,
    phrases: Sequence[str],
    shown: Sequence[grammar.Fact] | Sequence[grammar.SceneObject],
) -> list[Block | None]:
    """Direct questions, each about another panel or object, then open ones, then questions for attributes.

    An open question is answered by the grammar's rule or with any panel, so that there is a choice, and a
    way to make it, but no strong habit. None where a picture has no answer to its batch's question.
    """
    named = rng.permutation(len(phrases)).tolist()
    direct = [
        Block(wordings.fill(wording, position, len(phrases)), sentence(phrases[position]))
        for wording, position in zip(asked.direct, named, strict=False)
    ]
    free = [
        Block(wordings.fill(wording, count=len(phrases)), sentence(phrases[_open_choice(rng, shown)]))
        for wording in asked.free
    ]
    found = [attribute_questions.ask(rng, kind, wording, shown) for kind, wording in asked.attributes]
    blocks: list[Block | None] = [*direct, *free, *found]
    return [
        None if block is None else Block(wordings.with_unknown_word(rng, block.question), block.answer)
        for block in blocks
    ]


def _open_choice(
    rng: np.random.Generator, shown: Sequence[grammar.Fact] | Sequence[grammar.SceneObject]
) -> int:
    if rng.random() < EYE_CATCHING_SHARE:
        return grammar.most_eye_catching(shown)
    return int(rng.integers(len(shown)))


def left_to_right(boxes_px: Sequence[tuple[int, int, int, int]]) -> list[int]:
    """Indices of boxes (left, top, right, bottom) ordered by the columns of their centres."""
    return sorted(range(len(boxes_px)), key=lambda index: boxes_px[index][0] + boxes_px[index][2])


def _pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]


def pack(images: Sequence[Image.Image], blocks: Sequence[Sequence[Sequence[Block]]]) -> PackedBatch:
    """Lay pictures of one size and their blocks out as one batch.

    `blocks` holds one entry per group; a group's entry lists the blocks of every picture. A picture with
    fewer blocks than another gets empty ones, which nothing is learnt from. Groups that are empty for all are
    left out.
    """
    width_px, height_px = images[0].size
    grid = height_px // PATCH_PX, width_px // PATCH_PX
    prefix_ids = image_prefix(grid)
    rows = [[[_encode_block(block) for block in listed] for listed in group] for group in blocks]
    shapes = [(max(map(len, row)), max((len(i) for b in row for i, _ in b), default=0)) for row in rows]
    groups, positions, targets = [], [], []
    n_tokens = len(prefix_ids) + sum(n * length for n, length in shapes)
    start = len(prefix_ids)
    for row, (n_blocks, length) in zip(rows, shapes, strict=True):
        group = np.full((len(images), n_blocks, length), _special_ids()[PAD], dtype=np.int64)
        for picture, listed in enumerate(row):
            for index, (ids, n_answer) in enumerate(listed):
                group[picture, index, : len(ids)] = ids
                end = picture * n_tokens + start + index * length + len(ids) - 1
                positions.append(np.arange(end - n_answer, end))
                targets.append(np.array(ids[-n_answer:]))
        start += n_blocks * length
        if n_blocks:
            groups.append(torch.from_numpy(group))
    return PackedBatch(
        patches=torch.from_numpy(patchify(images)),
        grid=grid,
        prefix_ids=torch.from_numpy(prefix_ids),
        groups=tuple(groups),
        predicting_positions=torch.from_numpy(np.concatenate(positions)),
        targets=torch.from_numpy(np.concatenate(targets)),
    )


def image_prefix(grid: tuple[int, int]) -> NDArray[np.int64]:
    """Token ids from the start of the user's turn to the end of a picture of a patch grid (rows, columns)."""
    special = _special_ids()
    patches_per_cell = CELL_PX // PATCH_PX
    n_image_tokens = grid[0] * grid[1] // patches_per_cell**2
    opening = [special[BOS_TURN], *_ids("user"), special[VISION_START]]
    return np.array([*opening, *[special[IMAGE_PAD]] * n_image_tokens, special[VISION_END]], dtype=np.int64)


def _encode_block(block: Block) -> tuple[list[int], int]:
    """Token ids of a block behind the picture, and how many of them at its end are the answer's."""
    special = _special_ids()
    answer = [*_ids(block.answer), special[EOS_TURN]]
    question = [*_ids(block.question), special[EOS_TURN], special[BOS_TURN], *_ids("assistant")]
    return [*question, *answer], len(answer)


@lru_cache(maxsize=8192)
def _ids(text: str) -> tuple[int, ...]:
    return tuple(_tokenizer()(text)["input_ids"])


@cache
def _tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


@cache
def _special_ids() -> dict[str, int]:
    return dict(_tokenizer().get_added_vocab())


@cache
def _value_table() -> NDArray[np.float32]:
    """The processor's float of every byte, (3, 256): asked of the processor, hence equal to the last bit."""
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(4, axis=0).repeat(4, axis=1)
    image = Image.fromarray(np.stack([ramp] * 3, axis=-1))
    values = np.asarray(
        build_processor()(images=[image], do_resize=False, return_tensors="np")["pixel_values"]
    )
    pixels = _patches(np.stack([ramp] * 3)[None]).reshape(-1, 3, PATCH_PX**2)
    floats = values.astype(np.float32).reshape(-1, 3, 2, PATCH_PX**2)[:, :, 0]
    table = np.empty((3, 256), dtype=np.float32)
    for channel in range(3):
        table[channel, pixels[:, channel]] = floats[:, channel]
    return table


def patchify(images: Sequence[Image.Image]) -> NDArray[np.float32]:
    """Patches (B, N, 768) float32 of RGB pictures of one size, in the processor's order: cell by cell."""
    pixels = np.stack([np.asarray(image) for image in images]).transpose(0, 3, 1, 2)
    table = _value_table()
    return _patches(np.stack([table[c][pixels[:, c]] for c in range(3)], axis=1))


def _patches(values: NDArray[Any]) -> NDArray[Any]:
    """(B, 3, H, W) to (B, N, 3 x 16 x 16); the four patches of a cell follow one another."""
    n_pictures, _, height_px, width_px = values.shape
    cells = values.reshape(
        n_pictures, 3, height_px // CELL_PX, 2, PATCH_PX, width_px // CELL_PX, 2, PATCH_PX
    ).transpose(0, 2, 5, 3, 6, 1, 4, 7)
    return np.ascontiguousarray(cells).reshape(n_pictures, -1, 3 * PATCH_PX**2)
