"""Which words differ, and in which tokens they are."""

import pytest

from gazeviz.app.history.comparison import different_tokens, words_of


def marked(*answers: str, reference: int = 0) -> list[list[str]]:
    """The marked tokens of answers whose tokens are parted by |."""
    tokens = [answer.split("|") for answer in answers]
    found = different_tokens(tokens, reference)
    return [[tokens[place][index] for index in sorted(indices)] for place, indices in enumerate(found)]


def test_words_that_the_other_text_lacks_are_marked_on_both_sides() -> None:
    assert marked("a| black| cat| eats", "a| purple| dog| eats") == [[" black", " cat"], [" purple", " dog"]]


def test_the_same_texts_cut_into_other_tokens_are_the_same() -> None:
    assert marked("sl|eep|s| well", "sleeps| we|ll") == [[], []]


def test_every_token_of_a_word_that_differs_is_marked() -> None:
    assert marked("it| sleep|s|.", "it| swims|.") == [[" sleep", "s"], [" swims"]]


def test_a_moved_word_differs() -> None:
    assert marked("cat| then| dog", "dog| then| cat")[1] != []


def test_a_word_of_the_reference_is_marked_only_where_no_other_text_has_it() -> None:
    first, second, third = marked("a| red| cat", "a| red| dog", "a| blue| cat")
    assert first == []
    assert (second, third) == ([" dog"], [" blue"])


def test_another_text_can_be_the_one_that_is_compared_with() -> None:
    assert marked("a| cat", "a| dog", "a| dog", reference=1) == [[" cat"], [], []]


def test_capitals_and_punctuation_count() -> None:
    assert marked("Cat|.", "cat|!") == [["Cat", "."], ["cat", "!"]]


def test_scripts_without_spaces_are_compared_character_by_character() -> None:
    assert [word.text for word in words_of("黒い猫 sits")] == ["黒", "い", "猫", "sits"]
    assert marked("黒い|猫", "白い|猫") == [["黒い"], ["白い"]]


@pytest.mark.parametrize("other", ["", "   ", "|"])
def test_an_answer_without_words_has_nothing_to_mark(other: str) -> None:
    assert marked("a| cat", other) == [["a", " cat"], []]


def test_empty_tokens_inside_a_word_are_left_alone() -> None:
    assert different_tokens([["🦒", "", " ok"], ["x", " ok"]])[0] == {0}


def test_an_answer_alone_differs_from_nothing() -> None:
    assert marked("a| cat") == [[]]
