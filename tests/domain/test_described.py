"""Which region a text describes: rare words decide, ties and words that all captions share do not."""

import math

import pytest

from gazeviz.domain.evaluation import content_words, describes, rarity

CAPTIONS = ("a red cat sleeps in the snow", "a blue fish sleeps by the sea", "a red bird sings in the snow")


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("The cat is red.", 0),
        ("A FISH swims by the sea!", 1),
        ("some birds singing in snow", 2),
        ("a picture of the panel", None),
        ("", None),
    ],
)
def test_the_caption_with_the_rarest_shared_words_is_described(text: str, region: int | None) -> None:
    assert describes(text, CAPTIONS).chosen == region


def test_a_whole_caption_scores_one_and_what_all_captions_say_counts_nothing() -> None:
    verdict = describes("a cat on the moon", ("a cat on the moon", "a cat at home"))
    assert verdict.scores == (1.0, 0.0)
    assert describes("a cat", ("a cat", "the cat")).scores == (0.0, 0.0)


def test_two_captions_that_share_as_much_are_no_choice() -> None:
    assert describes("something red", ("a red cat", "a red dog", "a blue cow")).chosen is None


def test_words_lose_their_plural_and_weigh_by_how_few_captions_hold_them() -> None:
    assert content_words("The cats sleeps, is it his bus?") == {"cat", "sleep", "bus"}
    weights = rarity([content_words(caption) for caption in CAPTIONS])
    assert weights["fish"] == pytest.approx(math.log(3))
    assert weights["red"] == pytest.approx(math.log(1.5))
