"""Judges on texts whose panel is known."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gazeviz.domain.region import Region
from gazeviz.engine.evaluation.judges import GrammarJudge, LexicalJudge, LikelihoodJudge
from gazeviz.errors import UserError
from gazeviz.testbed.world import grammar

SIZE_PX = (30, 10)
PANELS = tuple(Region.box(f"Panel {k + 1}", (10 * k, 0, 10 * k + 10, 10), size_px=SIZE_PX) for k in range(3))


@dataclass(frozen=True)
class Comic:
    """Three panels and what they show."""

    captions: tuple[str, ...] = (
        "red cat jumps in town",
        "blue dog jumps by the sea",
        "green bird reads in town",
    )
    panels: tuple[Region, ...] = PANELS
    image: Any = None


EXACT = GrammarJudge(grammar.parse)


def test_the_exact_judge_counts_attributes_in_any_word_order() -> None:
    verdict = EXACT.judge("In town, red cat jumps.", Comic())
    assert list(verdict.scores) == [4, 1, 1]
    assert verdict.chosen == 0
    assert verdict.complete == (True, False, False)


def test_a_tie_and_a_text_about_nothing_choose_no_panel() -> None:
    assert EXACT.judge("jumps", Comic()).chosen is None
    assert EXACT.judge("something else entirely", Comic()).chosen is None


def test_complete_means_all_of_it_and_nothing_else() -> None:
    both = EXACT.judge("red cat jumps in town, and a blue dog", Comic())
    assert both.chosen == 0
    assert both.complete == (False, False, False)


def test_the_exact_judge_knows_whose_word_it_is() -> None:
    assert EXACT.judge_word("cat", Comic()) == 0
    assert EXACT.judge_word("sea", Comic()) == 1
    assert EXACT.judge_word("jumps", Comic()) is None
    assert EXACT.judge_word("panel", Comic()) is None


def test_rare_words_outweigh_common_ones() -> None:
    comic = Comic(("the boy waves to a ship", "the boy finds a dog", "the boy feeds the dog"))
    judge = LexicalJudge()
    assert judge.judge("A boy and his dog", comic).chosen is None
    assert judge.judge("A boy feeds his dog", comic).chosen == 2
    assert judge.judge("Boy. Boy. Boy.", comic).chosen is None
    assert judge.judge("Ships are waving", comic).chosen == 0  # the plural counts
    assert judge.judge_word("finds", comic) == 1
    assert judge.judge_word("dog", comic) is None


def test_lexical_scores_are_shares_of_a_caption() -> None:
    scores = LexicalJudge().judge("green bird reads in town", Comic()).scores
    assert scores[2] == pytest.approx(1.0)
    assert all(0 <= score < 1 for score in scores[:2])


@pytest.mark.parametrize("judge", [EXACT, LexicalJudge()])
def test_missing_captions_are_refused(judge: GrammarJudge | LexicalJudge) -> None:
    with pytest.raises(UserError, match="3 regions, there are 0"):
        judge.judge("red cat", Comic(captions=()))


class ColourEngine:
    """Finds a text the more probable, the more of its colour it is shown."""

    def read(self, image: Image.Image, prompt: str, text: str) -> Any:
        assert image.size == (10, 10)
        share = np.asarray(image)[5, 5, ["red", "green", "blue"].index(text)] / 255

        @dataclass
        class Reading:
            logprob: float = math.log(0.01 + share)

        return Reading()


def test_the_likelihood_judge_shows_each_panel_alone() -> None:
    image = Image.new("RGB", SIZE_PX)
    for panel, colour in zip(PANELS, ("#0000ff", "#ff0000", "#000000"), strict=True):
        image.paste(colour, panel.box_px)
    comic = Comic(captions=(), image=image)
    judge = LikelihoodJudge(ColourEngine())  # type: ignore[arg-type]
    assert judge.judge("blue", comic).chosen == 0
    assert judge.judge("red", comic).chosen == 1
    assert judge.judge("green", comic).chosen is None
    empty = judge.judge("  ", comic)
    assert empty.chosen is None
    assert empty.scores == (-math.inf,) * 3
