"""Choosing heads: the best or the lowest of the shown ranking, random draws, whole layers, saved sets.

Every choice is an undo step. UserErrors say what is missing. Knows no grid of cells, only heads.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from gazeviz.app.desk import Desk
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import ModelInfo
from gazeviz.errors import UserError


class HeadChooser:
    """Chooses heads of the loaded model; `gesture` numbers join choices into one undo step."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def top(self, n: int, gesture: int | None = None) -> None:
        """Choose the best of the shown ranking."""
        self._choose(self._ranking().top(n), gesture)

    def bottom(self, n: int, gesture: int | None = None) -> None:
        """Choose the lowest of the shown ranking."""
        self._choose(self._ranking().bottom(n), gesture)

    def random(self, n: int, seed: int, *, layer_matched: bool = False, gesture: int | None = None) -> None:
        """Draw heads at random; layer-matched: as many in each layer as are chosen now, and none of these."""
        if layer_matched:
            like = self._desk.model.chosen
            self._choose(self._pool().random(len(like), seed, like=like), gesture)
        else:
            self._choose(self._pool().random(n, seed), gesture)

    def all(self) -> None:
        """Choose every head."""
        self._choose(HeadSet(self._present(), HeadSet.all(self._info().shape_LH).origin))

    def clear(self) -> None:
        """Choose none."""
        self._choose(HeadSet(()))

    def invert(self) -> None:
        """Choose those that are not chosen."""
        chosen = self._desk.model.chosen
        self.choose(head for head in self._present() if head not in chosen)

    def choose(self, heads: Iterable[Head], *, add: bool = False, gesture: int | None = None) -> None:
        """Choose heads by hand, in the place of those that are chosen or in addition to them."""
        before = self._desk.model.chosen.heads if add else ()
        present = set(self._present())
        self._choose(HeadSet((*before, *(head for head in heads if head in present))), gesture)

    def toggle(self, heads: Iterable[Head], gesture: int | None = None) -> None:
        """Choose those of some heads that are not chosen, and let the others go."""
        present = set(self._present())
        flipped = {head for head in heads if head in present} ^ set(self._desk.model.chosen)
        self._choose(HeadSet(tuple(flipped)), gesture)

    def layer(self, layer: int, *, add: bool = False) -> None:
        """Choose a layer's heads."""
        self.choose((head for head in self._present() if head.layer == layer), add=add)

    def column(self, index: int, *, add: bool = False) -> None:
        """Choose the heads of one index in all layers."""
        self.choose((head for head in self._present() if head.index == index), add=add)

    def save(self, name: str) -> None:
        """Keep the chosen heads under a name; UserErrors for no name and no heads."""
        name, chosen = name.strip(), self._desk.model.chosen
        if not name:
            raise UserError("A head set needs a name.", next_step="Write at least one letter.")
        if not len(chosen):
            raise UserError("No head is chosen.", next_step="Choose heads in the grid first.")
        fingerprint = self._info().fingerprint
        self._desk.model.put_saved_set(name, chosen)
        self._desk.write(lambda log: log.head_set_saved(name, chosen, fingerprint))

    def forget(self, name: str) -> None:
        """Forget a saved set."""
        if name in self._desk.model.saved_sets:
            self._desk.model.put_saved_set(name, None)
            self._desk.write(lambda log: log.head_set_saved(name, None, self._info().fingerprint))

    def recall(self, name: str) -> None:
        """Choose a saved set; UserError where the loaded model lacks one of its heads."""
        self._choose(self._desk.model.saved_sets[name])

    def import_ranking(self, path: Path) -> str:
        """Read a ranking in the published format, show it, and return its name; UserErrors of the file."""
        info = self._info()
        ranking = HeadRanking.load(path, info.shape_LH)
        model = self._desk.model
        model.put_rankings({ranking.name: ranking})
        model.ranking_name = ranking.name
        self._desk.write(lambda log: log.ranking_saved(ranking, info.fingerprint))
        return ranking.name

    def export_ranking(self, path: Path) -> None:
        """Write the shown ranking in the published format; UserErrors of the file."""
        self._ranking().save(path)

    def _choose(self, heads: HeadSet, gesture: int | None = None) -> None:
        self._desk.editor.choose_heads(heads, gesture)

    def _info(self) -> ModelInfo:
        info = self._desk.model.model_info
        if info is None:
            raise UserError("No model is loaded.", next_step="Load a model first.")
        return info

    def _present(self) -> tuple[Head, ...]:
        """All heads that the model has."""
        places = np.argwhere(self._info().heads_present_LH).tolist()
        return tuple(Head(layer, index) for layer, index in places)

    def _pool(self) -> HeadRanking:
        """What random heads are drawn from: the shown ranking, or all heads without scores."""
        ranking = self._desk.model.ranking
        if ranking is not None:
            return ranking
        return HeadRanking("all heads", np.where(self._info().heads_present_LH, 0.0, np.nan))

    def _ranking(self) -> HeadRanking:
        ranking = self._desk.model.ranking
        if ranking is None:
            raise UserError(
                "No head ranking is shown.", next_step="Measure one on strips, or import a ranking file."
            )
        return ranking
