"""Where an answer names a region."""

import pytest

from gazeviz.domain.answer_text import named_regions

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
