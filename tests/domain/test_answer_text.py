"""Junk is told by form alone: empty, a label and nothing more, or a loop."""

import pytest

from gazeviz.domain.answer_text import junk_kind, named_regions

# Where an answer names a region.


PANELS = tuple(f"Panel {number}" for number in range(1, 13))


def tokens(text: str) -> list[str]:
    """A token for each word, spaces in front."""
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Panel 1: a cat. Panel 2: a dog.", [(0, 0), (4, 1)]),
        ("In the third panel it rains, in panel two not", [(2, 2), (7, 1)]),
        ("the 2nd panel and PANEL 12", [(1, 1), (4, 11)]),
        ("a panel, panels 3, panel 13", []),
        ("", []),
    ],
)
def test_panels_are_found_by_number_and_by_ordinal(text, found):
    assert list(named_regions(tokens(text), PANELS)) == found


def test_a_name_that_is_cut_into_tokens_is_marked_where_it_begins():
    assert named_regions(["The", " red", " ro", "bot", " and", " a ro", "bots"], ["Robot", "red robot"]) == (
        (1, 1),
        (2, 0),
    )


def test_signs_in_a_name_are_only_signs():
    assert named_regions(["see", " a+b", " (2)"], ["a+b (2)", "."]) == ((1, 0),)


@pytest.mark.parametrize("text", ["", "   \n", "...", "!?!?!?!?", "- - -", "…", "“”"])
def test_empty(text):
    assert junk_kind(text) == "empty"


@pytest.mark.parametrize(
    "text",
    [
        "Panel 2",
        "panel two:",
        "The second panel.",
        "2",
        "Image 3",
        "This is panel 4",
        "the 3rd panel",
        "Panel 1, Panel 2,",
    ],
)
def test_label_only(text):
    assert junk_kind(text) == "label only"


@pytest.mark.parametrize(
    "text",
    [
        "cat cat cat cat cat",
        "the red the red the red the red",
        "A cat sits. A cat sits. A cat sits. A cat sits.",
        "A red cat jumps at night and and and and and and and and",
        "nightnightnightnightnightnightnight",
        "aaaaaaaaaaaa",
        "红猫红猫红猫红猫红猫红猫红猫",
        " ".join(["one two three four five six seven eight nine ten cat dog"] * 3),
    ],
)
def test_looping(text):
    assert junk_kind(text) == "looping"


@pytest.mark.parametrize(
    "text",
    [
        "red cat jumps at night",
        "A cat.",
        "no no no",
        "very very big dog in the rain",
        "Panel 2: the red cat jumps at night",
        "the first dog",
        "Panel 1: red cat jumps at night. Panel 2: red cat jumps at night. Panel 3: red cat jumps at night.",
        "一只红色的猫在夜里跳跃",
        "ha ha ha said the green robot when it saw the yellow bird fly over the snow",
    ],
)
def test_an_answer_is_no_junk_however_wrong(text):
    assert junk_kind(text) is None


def test_a_loop_after_a_long_answer_counts_from_half_of_the_text():
    answer = "red cat jumps at night near the old blue house with flowers"
    assert junk_kind(answer + " and" * 5) is None
    assert junk_kind(answer + " and" * 13) == "looping"


def test_one_loop_after_the_other_is_junk_as_one_loop_is() -> None:
    moving = " ".join([*["rabbit"] * 12, "in town", *["fish"] * 12, *["ghost"] * 9, "by the sea"])
    assert junk_kind(moving) == "looping"
    half_said = "panel 1 white cat juggles in the snow panel 2 no no no no and then it rains"
    assert junk_kind(half_said) is None


def test_a_list_that_ends_in_repeats_is_an_answer_and_a_list_of_one_thing_is_a_loop() -> None:
    assert junk_kind("cat, tractor, bike, bike, bike, bike") is None
    assert junk_kind("cat, tractor, " + ", ".join(["bike"] * 20)) == "looping"
    assert junk_kind("cat, bike, bike, bike, bike, bike") == "looping"
