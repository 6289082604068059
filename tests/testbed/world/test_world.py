"""The comic world: its grammar reads back, held-out facts stay out, pictures follow from their seeds."""

import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageDraw

from gazeviz.testbed.training.model import fed_size_px
from gazeviz.testbed.world import grammar, wordings
from gazeviz.testbed.world.drawing import draw_object, draw_panel, draw_scene, draw_strip
from gazeviz.testbed.world.grammar import Fact
from gazeviz.testbed.world.placing import find_spots
from gazeviz.testbed.world.world import (
    builtin_scenes,
    builtin_strips,
    drawn_scene,
    drawn_strip,
    write_samples,
)

ALL_FACTS = [
    Fact(colour, character, action, setting)
    for colour in range(8)
    for character in range(8)
    for action in range(8)
    for setting in range(6)
]


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(np.int16)


# Grammar


def test_every_caption_reads_back_to_its_fact_in_every_order():
    for fact in ALL_FACTS:
        for order in grammar.ORDERS:
            assert grammar.parse(fact.caption(order)) == set(fact.attributes())
            assert grammar.matches(fact.caption(order).upper() + "!", fact) == 4


def test_the_three_orders_are_worded_as_a_tokenizer_gives_them_back():
    fact = Fact(0, 0, 0, 0)
    assert [fact.caption(order) for order in grammar.ORDERS] == [
        "red cat jumps in town",
        "in town, red cat jumps",
        "cat, red, jumps in town",
    ]
    with pytest.raises(ValueError, match="word order 3"):
        fact.caption(3)


def test_matches_counts_attributes_one_by_one():
    fact = Fact(0, 0, 0, 0)
    assert grammar.matches("a blue cat jumps by the sea", fact) == 2
    assert grammar.matches("catred jumpsin", fact) == 0


def test_a_triple_in_eight_is_held_out_and_evenly():
    held_out = [fact for fact in ALL_FACTS if grammar.is_held_out(fact)]
    assert len(held_out) * 8 == len(ALL_FACTS)
    for pair in (("colour", "character"), ("colour", "action"), ("character", "action")):
        counts = Counter(tuple(getattr(fact, name) for name in pair) for fact in held_out)
        assert len(counts) == 64
        assert set(counts.values()) == {6}  # once in each setting


def test_training_never_draws_what_is_held_out():
    rng = np.random.default_rng(3)
    for _ in range(5000):
        n = int(rng.integers(1, 9))
        facts = grammar.draw_facts(rng, n, "train", distinct=0.5)
        assert len(facts) == n
        assert not any(grammar.is_held_out(fact) for fact in facts)


def test_training_draws_everything_else():
    rng = np.random.default_rng(4)
    drawn = {
        (fact.colour, fact.character, fact.action)
        for _ in range(2000)
        for fact in grammar.draw_facts(rng, 8, "train")
    }
    assert len(drawn) == 512 - 64


def test_a_held_out_strip_is_held_out_in_every_panel_and_distinct():
    rng = np.random.default_rng(5)
    for _ in range(300):
        facts = grammar.draw_facts(rng, 8, "held_out")
        assert all(grammar.is_held_out(fact) for fact in facts)
        assert len({fact.colour for fact in facts}) == len({fact.character for fact in facts}) == 8


def test_repeats_come_only_when_asked_for():
    rng = np.random.default_rng(6)
    strips = [grammar.draw_facts(rng, 8, "all", distinct=0.0) for _ in range(50)]
    assert any(len({fact.colour for fact in facts}) < 8 for facts in strips)
    with pytest.raises(ValueError, match="1 to 9 panels, not 10"):
        grammar.draw_facts(rng, 10)


def test_questions_name_their_place():
    assert "six-panel" in wordings.fill(wordings.DIRECT[0], 2, 6)
    assert "third panel" in wordings.fill(wordings.DIRECT[0], 2, 6)
    assert wordings.fill("What happens in panel {number}?", 4) == "What happens in panel 5?"
    assert not any("left" in wording for wording in wordings.direct_wordings(one_row=False))
    assert wordings.fill("the {nth} of {count}", 8, 9) == "the 9th of nine"
    assert wordings.direct_wordings(one_row=True) == wordings.DIRECT


def test_narration_runs_both_ways():
    assert grammar.narration(["red cat", "blue dog"]) == "Panel 1: red cat. Panel 2: blue dog."
    assert grammar.narration(["red cat", "blue dog"], reverse=True) == "Panel 2: blue dog. Panel 1: red cat."


def test_objects_are_found_in_a_list_and_in_prose():
    rng = np.random.default_rng(7)
    for _ in range(200):
        objects, _setting = grammar.draw_objects(rng)
        named = [(item.colour, item.character) for item in objects]
        assert grammar.objects_in(grammar.object_list(objects)) == named
        assert len(set(named)) == len(named)
    assert grammar.objects_in("A cat, red. Then the Blue dog and a bird") == [("red", "cat"), ("blue", "dog")]


def test_the_vocabulary_holds_every_word_of_every_prompt_and_answer():
    known = set(grammar.vocabulary())
    texts = [wordings.fill(wording, place, place + 1) for wording in wordings.DIRECT for place in range(8)]
    texts += [grammar.narration([fact.caption(k % 3) for fact in ALL_FACTS[k::500]][:8]) for k in range(500)]
    assert {word for text in texts for word in grammar.tokens(text)} <= known
    assert len(known) == len(grammar.vocabulary())


# Pictures


@pytest.mark.parametrize("size", [(48, 48), (64, 64), (96, 60), (60, 96), (128, 128), (257, 191)])
def test_every_action_and_character_draws_at_every_size(size):
    rng = np.random.default_rng(8)
    for k in range(8):
        image = draw_panel(Fact(k, (3 * k) % 8, k, k % 6), size[0], size[1], rng)
        assert (image.mode, image.size) == ("RGB", size)
        assert pixels(image).std() > 20


def test_a_panel_looks_the_same_large_and_small():
    for k in range(16):
        fact = Fact(k % 8, k // 2, (3 * k) % 8, k % 6)
        small = draw_panel(fact, 64, 64, np.random.default_rng(k))
        large = draw_panel(fact, 256, 256, np.random.default_rng(k)).reduce(4)
        other = draw_panel(fact, 64, 64, np.random.default_rng(k + 100))
        same = np.abs(pixels(small) - pixels(large)).mean()
        assert same < 0.5 * np.abs(pixels(small) - pixels(other)).mean()


def test_each_attribute_changes_the_picture():
    base = Fact(0, 0, 2, 0)
    for changed in (Fact(1, 0, 2, 0), Fact(0, 1, 2, 0), Fact(0, 0, 3, 0), Fact(0, 0, 2, 1)):
        a, b = (pixels(draw_panel(fact, 64, 64, np.random.default_rng(9))) for fact in (base, changed))
        assert (np.abs(a - b).max(axis=2) > 40).mean() > 0.03


def test_the_body_wears_its_colour():
    # Red, green and blue leave no doubt which channel leads, and settings are muted: the lead is the body's.
    for colour, channel in ((0, 0), (3, 1), (4, 2)):
        for character in range(8):
            rgb = pixels(draw_panel(Fact(colour, character, 7, 0), 96, 96, np.random.default_rng(1)))
            others = np.delete(rgb, channel, axis=2).max(axis=2)
            assert (rgb[..., channel] - others > 60).mean() > 0.05


def test_the_cast_of_colours_stays_apart():
    bodies = [draw_panel(Fact(c, 7, 7, 0), 64, 64, np.random.default_rng(2)) for c in range(8)]
    for a in range(8):
        for b in range(a):
            assert np.abs(pixels(bodies[a]) - pixels(bodies[b])).mean() > 3


@pytest.mark.parametrize("layout", [(1, 1), (1, 6), (2, 3), (3, 2), (1, 8), (2, 4)])
def test_a_strip_is_its_panels_side_by_side(layout):
    strip = drawn_strip((0, 4), layout, (70, 60))
    rows, columns = layout
    assert strip.image.size == (70 * columns, 60 * rows)
    assert len(strip.facts) == len(strip.captions) == len(strip.panels) == rows * columns
    assert sum(panel.area_px for panel in strip.panels) == strip.image.width * strip.image.height
    assert [panel.box_px for panel in strip.panels] == list(strip.panel_boxes_px)
    assert strip.strip.captions == strip.captions
    for fact, caption in zip(strip.facts, strip.captions, strict=True):
        assert grammar.matches(caption, fact) == 4


def test_uneven_widths_leave_no_gap():
    rng = np.random.default_rng(10)
    image = draw_strip(grammar.draw_facts(rng, 3), (1, 3), 200, 64, rng)
    assert image.size == (200, 64)
    with pytest.raises(ValueError, match="needs 3 facts, not 2"):
        draw_strip(grammar.draw_facts(rng, 2), (1, 3), 200, 64, rng)


def test_strips_follow_from_the_seed_alone():
    few, many = builtin_strips(2, 11, panel_px=48), builtin_strips(4, 11, panel_px=48)
    for a, b in zip(few, many, strict=False):
        assert a.facts == b.facts
        assert a.image.tobytes() == b.image.tobytes()
    assert len({strip.image.tobytes() for strip in many}) == 4
    assert builtin_strips(1, 12, panel_px=48)[0].image.tobytes() != few[0].image.tobytes()


def test_strips_show_what_was_never_trained_on_unless_asked():
    assert all(grammar.is_held_out(fact) for strip in builtin_strips(20, panel_px=32) for fact in strip.facts)
    trained = builtin_strips(20, panel_px=32, split="train")
    assert not any(grammar.is_held_out(fact) for strip in trained for fact in strip.facts)


# Scenes


def test_scenes_follow_from_the_seed_alone():
    few, many = (
        builtin_scenes(3, 13, width_px=160, height_px=120),
        builtin_scenes(6, 13, width_px=160, height_px=120),
    )
    for a, b in zip(few, many, strict=False):
        assert (a.objects, a.boxes_px, a.setting) == (b.objects, b.boxes_px, b.setting)
        assert a.image.tobytes() == b.image.tobytes()


def test_scene_objects_go_from_left_to_right_inside_the_picture():
    for scene in builtin_scenes(60, 14, width_px=200, height_px=140):
        centres = [left + right for left, _, right, _ in scene.boxes_px]
        assert centres == sorted(centres)
        for left, top, right, bottom in scene.boxes_px:
            assert 0 <= left < right <= 200
            assert 0 <= top < bottom <= 140
        assert [region.name for region in scene.regions] == list(scene.captions)
        assert 2 <= len(scene.objects) <= 5


def test_half_of_every_body_or_more_can_be_seen():
    rng = np.random.default_rng(15)
    size, grey = (384, 288), (120, 121, 122)
    for _ in range(40):
        objects, _setting = grammar.draw_objects(rng, 5)
        spots = find_spots(objects, *size, rng)
        bodies = []
        for item, spot in zip(objects, spots, strict=True):
            alone = Image.new("RGB", size, grey)
            draw_object(ImageDraw.Draw(alone), item, spot, "in town", False, 0.0)
            bodies.append(np.any(np.asarray(alone) != grey, axis=2))
        for body, spot in zip(bodies, spots, strict=True):
            front = [other for other, at in zip(bodies, spots, strict=True) if at.y > spot.y]
            hidden = np.any(front, axis=0) if front else np.zeros_like(body)
            assert (body & ~hidden).sum() >= 0.5 * body.sum()


def test_a_box_holds_its_body():
    for character in range(8):
        item = grammar.SceneObject(4, character)
        image, (box,) = draw_scene([item], 0, 192, 144, np.random.default_rng(16))
        rgb = pixels(image)
        blue = rgb[..., 2] - rgb[..., 0] > 70
        left, top, right, bottom = box
        assert blue.sum() > 100
        assert blue[top:bottom, left:right].sum() > 0.9 * blue.sum()


def test_a_scene_of_more_than_fits_still_ends():
    objects = [grammar.SceneObject(k, k) for k in range(8)]
    image, boxes = draw_scene(objects, "in space", 96, 64, np.random.default_rng(17))
    assert image.size == (96, 64)
    assert len(boxes) == 8


# Samples


def test_samples_say_what_they_show(tmp_path):
    write_samples(tmp_path)
    entries = json.loads((tmp_path / "samples.json").read_text(encoding="utf-8"))
    assert sorted(entry["file"] for entry in entries) == sorted(path.name for path in tmp_path.glob("*.png"))
    for entry in entries:
        path = tmp_path / entry["file"]
        assert path.stat().st_size <= 300_000
        with Image.open(path) as image:
            if entry["kind"] == "scene":
                scene = drawn_scene(tuple(entry["seed"]), *image.size)
                again = scene.image
                assert [item["phrase"] for item in entry["objects"]] == list(scene.captions)
            else:
                rows, columns = (int(number) for number in entry["layout"].split("x"))
                panel_px = (image.width // columns, image.height // rows)
                assert fed_size_px(*image.size)[0] // 32 % columns == 0
                strip = drawn_strip(tuple(entry["seed"]), (rows, columns), panel_px)
                assert [Fact(**fact).caption() for fact in entry["facts"]] == entry["captions"]
                again = strip.image
                assert entry["captions"] == list(strip.captions)
            assert image.tobytes() == again.tobytes()
