"""How good a model of the comic world is on every layout.

    python -m gazeviz.testbed.training.layout_check FOLDER

Greedy answers by the ordinary Hugging Face generation about pictures of held-out combinations, as the program
asks them. Steers nothing.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from PIL import Image

from gazeviz.domain.prompts import MAIN_EVENT_QUESTION, OPEN_QUESTION
from gazeviz.testbed.training.data import GRIDS, ROWS
from gazeviz.testbed.training.model import fed_size_px
from gazeviz.testbed.training.training_check import answer
from gazeviz.testbed.world import attribute_questions, grammar, wordings
from gazeviz.testbed.world.attribute_questions import Block
from gazeviz.testbed.world.world import DrawnStrip, builtin_scenes, builtin_strips, drawn_strip

if TYPE_CHECKING:
    from transformers import Qwen3VLForConditionalGeneration

SEED: Final = 987_654
BATCH: Final = 24
# No training question is put this way: each has parts that were never met, or words that nobody taught.
UNSEEN: Final = (
    "What can you see in the {ordinal} panel?",
    "Could you say what goes on in panel {number}?",
    "The {ordinal} panel: what is going on there?",
    "I want to know what panel {number} is about.",
)


def check_layouts(
    model: Qwen3VLForConditionalGeneration,
    layouts: Sequence[tuple[int, int]] = (*ROWS[1:], *GRIDS),
    n_strips: int = 12,
    seed: int = SEED,
) -> dict[str, dict[str, Any]]:
    """Per layout the shares of right answers to the program's direct question (all, by panel) and of told
    panels, and of open answers that are true of some panel with how often each panel was it."""
    found = {}
    for layout in layouts:
        strips = builtin_strips(n_strips, seed, layout=layout)
        found[f"{layout[0]}x{layout[1]}"] = {
            **check_direct(model, strips),
            **check_narration(model, strips),
            **check_open(model, strips),
        }
    return found


def check_direct(
    model: Qwen3VLForConditionalGeneration, strips: Sequence[DrawnStrip], wording: str = ""
) -> dict[str, Any]:
    """Answers about every panel of every strip: all four attributes and no other."""
    one_row, n = strips[0].layout[0] == 1, len(strips[0].facts)
    asked = wording or wordings.direct_wordings(one_row)[0]
    pairs = [
        (strip, Block(wordings.fill(asked, k, n), caption))
        for strip in strips
        for k, caption in enumerate(strip.captions)
    ]
    right = [
        grammar.parse(text) == grammar.parse(block.answer)
        for text, (_, block) in zip(answers(model, pairs, 14), pairs, strict=True)
    ]
    by_panel = np.array(right).reshape(len(strips), n).mean(axis=0)
    return {"direct": float(np.mean(right)), "direct_by_panel": [round(float(x), 3) for x in by_panel]}


def check_narration(
    model: Qwen3VLForConditionalGeneration, strips: Sequence[DrawnStrip], wording: str = wordings.NARRATION[0]
) -> dict[str, Any]:
    """Panels told right, each under its own number."""
    pairs = [(strip, Block(wording, "")) for strip in strips]
    right = []
    for text, strip in zip(answers(model, pairs, 14 * len(strips[0].facts)), strips, strict=True):
        told = [grammar.parse(part) for part in text.split("panel ")[1:]]
        right += [k < len(told) and told[k] == grammar.parse(c) for k, c in enumerate(strip.captions)]
    return {"narration": float(np.mean(right))}


def check_open(
    model: Qwen3VLForConditionalGeneration,
    strips: Sequence[DrawnStrip],
    questions: Sequence[str] = (OPEN_QUESTION, MAIN_EVENT_QUESTION),
) -> dict[str, Any]:
    """Answers to questions that name no panel: exactly true of some panel, and of which."""
    pairs = [(strip, Block(question, "")) for question in questions for strip in strips]
    chosen: Counter[int] = Counter()
    by_rule = 0
    for text, (strip, _) in zip(answers(model, pairs, 14), pairs, strict=True):
        said = grammar.parse(text)
        panels = [k for k, caption in enumerate(strip.captions) if grammar.parse(caption) == said]
        if panels:
            chosen[panels[0]] += 1
            by_rule += panels[0] == grammar.most_eye_catching(strip.facts)
    return {
        "open": chosen.total() / len(pairs),
        "open_by_rule": by_rule / len(pairs),
        "open_panels": [chosen[k] for k in range(len(strips[0].facts))],
    }


def check_attributes(
    model: Qwen3VLForConditionalGeneration, n_strips: int = 24, seed: int = SEED
) -> dict[str, float]:
    """Right answers to every kind of question for an attribute, on six panels in a row."""
    rng, found = np.random.default_rng(seed), {}
    strips = builtin_strips(n_strips, seed)
    for kind in (*wordings.ATTRIBUTE, "yes_no", "count"):
        options = {"yes_no": wordings.YES_NO, "count": wordings.COUNT}.get(kind) or wordings.ATTRIBUTE[kind]
        pairs = []
        for strip in strips:
            block = attribute_questions.ask(rng, kind, wordings.pick(rng, options), strip.facts)
            if block is not None:
                pairs.append((strip, block))
        texts = answers(model, pairs, 14)
        found[kind] = float(
            np.mean([same(kind, text, b.answer) for text, (_, b) in zip(texts, pairs, strict=True)])
        )
    return found


def same(kind: str, text: str, right: str) -> bool:
    """Whether a text says what the right answer says: the same attributes, or else the same words."""
    if kind in ("panel", "count", "yes_no"):
        return grammar.tokens(text) == grammar.tokens(right)
    return grammar.parse(text) == grammar.parse(right)


def check_scenes(
    model: Qwen3VLForConditionalGeneration, n_scenes: int = 24, seed: int = SEED
) -> dict[str, float]:
    """Objects named, of those shown; wrong ones for each scene; and of the unsteered answers to "this part"
    those that name one that is there."""
    scenes = builtin_scenes(n_scenes, seed)
    shown = named = extra = there_one = 0
    listed = _about(model, [s.image for s in scenes], [wordings.SCENE_LIST[0]] * n_scenes, 24)
    parts = _about(model, [s.image for s in scenes], [wordings.SCENE_PART[0]] * n_scenes, 10)
    for text, part, scene in zip(listed, parts, scenes, strict=True):
        said = set(grammar.objects_in(text))
        there = {(item.colour, item.character) for item in scene.objects}
        shown, named, extra = shown + len(there), named + len(said & there), extra + len(said - there)
        there_one += bool(set(grammar.objects_in(part)) & there)
    return {"scene_named": named / shown, "scene_extra": extra / n_scenes, "scene_part": there_one / n_scenes}


def answers(
    model: Qwen3VLForConditionalGeneration, pairs: Sequence[tuple[DrawnStrip, Block]], n_tok: int
) -> list[str]:
    """One answer to each question about each strip, in their order."""
    return _about(model, [strip.image for strip, _ in pairs], [block.question for _, block in pairs], n_tok)


def _about(
    model: Qwen3VLForConditionalGeneration,
    images: Sequence[Image.Image],
    questions: Sequence[str],
    n_tok: int,
) -> list[str]:
    """Answers by batches of pictures of one size and questions of one length."""
    groups: dict[tuple[tuple[int, int], int], list[int]] = {}
    for index, (image, question) in enumerate(zip(images, questions, strict=True)):
        groups.setdefault((fed_size_px(*image.size), len(grammar.tokens(question))), []).append(index)
    texts = [""] * len(images)
    for indices in groups.values():
        for start in range(0, len(indices), BATCH):
            some = indices[start : start + BATCH]
            found = answer(model, [images[i] for i in some], [questions[i] for i in some], n_tok)
            for index, text in zip(some, found, strict=True):
                texts[index] = text
    return texts


def check_square_panels(
    model: Qwen3VLForConditionalGeneration, n_strips: int = 12, seed: int = SEED
) -> dict[str, float]:
    """Direct questions about strips as people bring them: square panels of several sizes and layouts."""
    cases = [((1, 6), px) for px in (64, 90, 256)] + [
        (layout, 128) for layout in ((1, 4), (1, 5), (1, 8), (2, 2))
    ]
    return {
        f"{layout[0]}x{layout[1]} {px} px": check_direct(
            model, [drawn_strip((seed, k), layout, px) for k in range(n_strips)]
        )["direct"]
        for layout, px in cases
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Print the figures of a folder's model as JSON lines, section by section."""
    from transformers import Qwen3VLForConditionalGeneration

    parser = argparse.ArgumentParser(
        prog="python -m gazeviz.testbed.training.layout_check", description=__doc__
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--strips", type=int, default=12)
    parser.add_argument("--layouts", nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    model = Qwen3VLForConditionalGeneration.from_pretrained(arguments.folder)
    chosen = [tuple(map(int, text.split("x"))) for text in arguments.layouts]
    layouts = [layout for layout in (*ROWS[1:], *GRIDS) if not chosen or layout in chosen]
    for layout in layouts:
        _print(check_layouts(model, [layout], arguments.strips, arguments.seed))
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "attributes": lambda: check_attributes(model, 2 * arguments.strips, arguments.seed),
        "scenes": lambda: check_scenes(model, 2 * arguments.strips, arguments.seed),
        "square panels": lambda: check_square_panels(model, arguments.strips, arguments.seed),
    }
    for name, section in sections.items():
        _print({name: section()})
    strips = builtin_strips(arguments.strips, arguments.seed)
    for wording in (
        wordings.DIRECT[0].replace("{ordinal}", "{nth}"),
        "What happens in panel {number}?",
        *UNSEEN,
    ):
        _print({wording: check_direct(model, strips, wording)})
    for wording in wordings.NARRATION[1:3]:
        _print({wording: check_narration(model, strips, wording)})


def _print(found: dict[str, Any]) -> None:
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
