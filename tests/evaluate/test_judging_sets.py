"""Judges of pictures with categories, of one region, and at addresses that misbehave."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from gazeviz.domain.experiments.picture_set import SetPicture
from gazeviz.domain.region import Region
from gazeviz.engine.evaluation.category_judge import COCO_WORDS, CategoryJudge
from gazeviz.engine.evaluation.judges import LexicalJudge, lexical_judge
from gazeviz.engine.evaluation.language_judge import LanguageModelJudge
from gazeviz.engine.evaluation.runner import judge_items, judgement_of
from gazeviz.errors import UserError
from tests.engine.evaluation.test_language_judge import completion, serving
from tests.evaluate.staging import Kept, picture_set, result, runner, spec_of


def photo(*categories: str) -> SetPicture:
    size = (20 * len(categories), 20)
    regions = tuple(
        Region.box(f"{name} {place}", (20 * place, 0, 20 * place + 20, 20), size)
        for place, name in enumerate(categories)
    )
    return SetPicture(Image.new("RGB", size), regions, "0" * 64, categories, categories, name="photo")


def test_coco_has_eighty_categories() -> None:
    assert len(COCO_WORDS) == 80


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Two puppies", (0,)),
        ("a hot dog on a plate", (1,)),
        ("hot dogs and a dog", (0, 1)),
        ("A woman with an umbrella.", (2,)),
        ("nothing of the kind", ()),
        ("a hotdog", (1,)),
    ],
)
def test_categories_are_named_in_everyday_words_and_plurals(text: str, named: tuple[int, ...]) -> None:
    assert CategoryJudge().judge(text, photo("dog", "hot dog", "person")).alike == named


def test_a_judge_by_category_needs_categories() -> None:
    with pytest.raises(UserError, match="category for every region"):
        CategoryJudge().judge("a cat", picture_set().pictures[0])


def test_regions_of_one_category_are_one_answer_and_one_region_is_enough() -> None:
    two_cats = LexicalJudge().judge("a cat", photo("cat", "dog", "cat"))
    assert (two_cats.chosen, two_cats.alike) == (0, (0, 2))
    assert LexicalJudge().judge("the cats", photo("cat")).chosen == 0
    assert LexicalJudge().judge("a tree", photo("cat")).chosen is None


def test_words_are_compared_by_their_stems_in_a_language() -> None:
    assert lexical_judge().judge("jumping", photo("jumped", "sat")).chosen == 0
    assert lexical_judge("german").judge("Katzen", photo("Katze", "Hund")).chosen == 0
    with pytest.raises(UserError, match="martian"):
        lexical_judge("martian")


def test_texts_are_judged_again_without_a_model_and_kappa_is_told() -> None:
    pictures = picture_set()
    spec, kept = spec_of(pictures), Kept()
    runner(spec, pictures, kept).run()
    judge_items(kept.items, pictures, LexicalJudge(), lambda said: kept((), said))
    found = result(spec, pictures, kept)
    assert found.judges == ("exact", "lexical")
    assert found.kappa("exact", "lexical") == pytest.approx(1.0)
    assert set(found.to_json()["kappa"]) == {"exact / lexical"}


def test_the_judge_sees_the_picture_with_its_numbers() -> None:
    with serving(lambda body: completion("2")) as server:
        judge = LanguageModelJudge(server.address, "eyes", forced=True)
        assert judge.judge("a dog", picture_set().pictures[0]).chosen == 1
    assert judge.name == "language model eyes (forced choice)"
    text, picture = server.requests[0][2]["messages"][0]["content"]
    assert "numbered 1 to 3" in text["text"] and "or with 0" not in text["text"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")


def test_a_judge_that_is_busy_or_fails_is_asked_again() -> None:
    answers = [(429, b""), (500, b"oops"), completion("3")]
    with serving(lambda body: answers.pop(0)) as server:
        judge = LanguageModelJudge(server.address, "busy")
        assert judge.judge("a bird", picture_set().pictures[0]).chosen == 2
    assert len(server.requests) == 3


def test_a_judge_that_closes_late_is_given_up_with_a_sentence_and_nothing_is_lost() -> None:
    """Twenty answers are judged, then the judge goes away; going on judges the rest and no text twice."""
    pictures = picture_set(8)
    spec, kept = spec_of(pictures, "zero"), Kept()
    n_asked = [0]

    def answer(body: dict[str, Any]) -> tuple[int, bytes]:
        n_asked[0] += 1
        return completion("1") if n_asked[0] <= 20 else (503, b"")

    with serving(answer) as server:
        judge = LanguageModelJudge(server.address, "brittle", tries=3)
        with pytest.raises(UserError, match="answered with the error 503"):
            runner(spec, pictures, kept, judge=judge).run()
        assert len(kept.items) > len(kept.judgements) == 20 + _repeats(kept)
        n_asked[0] = -1000
        runner(spec, pictures, kept, judge=judge).run()
    found = result(spec, pictures, kept)
    assert len({one.key for one in kept.judgements}) == len(kept.judgements) == found.n_items
    assert len(server.requests) <= 20 + 3 + 2 * 8 * 3  # each of two sittings asks a text about a picture once


def _repeats(kept: Kept) -> int:
    """Items that share a text about the same picture with one judged before them."""
    judged = {one.key for one in kept.judgements}
    texts = [(one.key.picture, one.text) for one in kept.items if one.key in judged]
    return len(texts) - len(set(texts))


def test_what_is_no_number_is_refused() -> None:
    with serving(lambda body: completion("the left one")) as server:
        judge = LanguageModelJudge(server.address, "vague")
        with pytest.raises(UserError, match="names no region"):
            judge.judge("a dog", picture_set().pictures[0])
    with serving(lambda body: (401, b"")) as server:
        judge = LanguageModelJudge(server.address, "locked")
        with pytest.raises(UserError, match="401"):
            judge.judge("a dog", picture_set().pictures[0])
        assert len(server.requests) == 1  # a refusal is not asked again


def test_junk_is_not_shown_to_a_judge() -> None:
    class Never:
        name = "never"

        def judge(self, text, item):
            raise AssertionError("asked")

    pictures = picture_set(1)
    kept = Kept()
    runner(spec_of(pictures, ""), pictures, kept, say=lambda *_: None).run()
    assert {one.junk for one in kept.items} == {"empty"}
    assert judgement_of(kept.items[0], pictures.pictures[0], Never()).chosen is None
