"""A person as judge, blind to the targets: texts in random order, with nothing that gives the target away.

The sheet is what a window shows; `graded` puts the person's choices back where they belong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gazeviz.domain.evaluation import Evaluation, JudgedAnswer
from gazeviz.domain.statistics import cohen_kappa
from gazeviz.errors import UserError


@dataclass(frozen=True)
class BlindItem:
    """One text to judge: its number on the sheet, the picture it is about, and how many regions that has."""

    number: int
    item: int
    n_regions: int
    text: str


@dataclass(frozen=True)
class BlindSheet:
    """The answers of one or several evaluations, shuffled together; which is which stays hidden in `_key`.

    Equal texts about one picture are shown once: they deserve one judgement.
    """

    items: tuple[BlindItem, ...]
    _key: tuple[tuple[tuple[int, int], ...], ...] = field(repr=False)
    _evaluations: tuple[Evaluation, ...] = field(repr=False)

    @classmethod
    def of(cls, evaluations: Sequence[Evaluation], seed: int = 0) -> BlindSheet:
        """Shuffle the answers of all evaluations; junk needs no judge and is left out."""
        places: dict[tuple[int, str], list[tuple[int, int]]] = {}
        n_regions: dict[tuple[int, str], int] = {}
        for e, evaluation in enumerate(evaluations):
            for a, answer in enumerate(evaluation.answers):
                if answer.junk is None:
                    places.setdefault((answer.item, answer.text), []).append((e, a))
                    n_regions[answer.item, answer.text] = answer.n_regions
        texts = sorted(places)
        order = np.random.default_rng(seed).permutation(len(texts)).tolist()
        shown = [texts[place] for place in order]
        items = tuple(
            BlindItem(number, item, n_regions[item, text], text) for number, (item, text) in enumerate(shown)
        )
        return cls(items, tuple(tuple(places[one]) for one in shown), tuple(evaluations))

    def graded(self, choices: Mapping[int, int | None], judge: str = "person") -> tuple[Evaluation, ...]:
        """The evaluations as the person judged them.

        choices: for every number of the sheet the region described (from 0), None for none.
        Answers are kept only where they were judged, junk included.  Raises UserError for a choice that the
        picture does not have, and when nothing was judged.
        """
        self._check(choices)
        judged = {
            place: choices[item.number]
            for item, places in zip(self.items, self._key, strict=True)
            if item.number in choices
            for place in places
        }
        graded = []
        for e, evaluation in enumerate(self._evaluations):
            answers = tuple(
                replace(answer, chosen=judged.get((e, a)), complete=None)
                for a, answer in enumerate(evaluation.answers)
                if answer.junk is not None or (e, a) in judged
            )
            graded.append(replace(evaluation, judge=judge, answers=answers))
        return tuple(graded)

    def _check(self, choices: Mapping[int, int | None]) -> None:
        if not choices:
            raise UserError("Nothing has been judged yet.", next_step="Judge one text at least.")
        for number, chosen in choices.items():
            if not 0 <= number < len(self.items):
                raise UserError(
                    f"The sheet has no text {number}.", next_step="Judge the texts of this sheet."
                )
            n = self.items[number].n_regions
            if chosen is not None and not 0 <= chosen < n:
                raise UserError(
                    f"Text {number} is about a picture of {n} regions, not {chosen + 1}.",
                    next_step="Choose one of its regions, or none.",
                )


def agreement(first: Evaluation, second: Evaluation) -> float:
    """Cohen's kappa of two judges over the answers that both judged, junk left out.

    Both must come from the same answers: rows are matched by item, target and text.  NaN where none is
    shared.
    """
    theirs = {_row(answer): answer.chosen for answer in second.answers if answer.junk is None}
    pairs = [
        (answer.chosen, theirs[_row(answer)])
        for answer in first.answers
        if answer.junk is None and _row(answer) in theirs
    ]
    return cohen_kappa([a for a, _ in pairs], [b for _, b in pairs])


def _row(answer: JudgedAnswer) -> tuple[int, int, str]:
    return answer.item, answer.target, answer.text
