"""The answers of an evaluation as a table: all, misses, junk or unchanged ones, of one condition or all."""

from __future__ import annotations

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from gazeviz.domain.experiments.plan import EvaluationItem, ItemKey, Judgement
from gazeviz.domain.experiments.results import EvaluationResult

FILTERS = (("all", "All"), ("misses", "Misses"), ("junk", "Junk"), ("unchanged", "Unchanged"))
_COLUMNS = ("No.", "To", "Text", "About", "Condition")
TEXT_COLUMN = 2
_Index = QModelIndex | QPersistentModelIndex


class AnswerModel(QAbstractTableModel):
    """The answers that a filter leaves, with what the shown judge, or a person, reads in each."""

    def __init__(self) -> None:
        super().__init__()
        self.items: tuple[EvaluationItem, ...] = ()
        self._judged: dict[ItemKey, Judgement] = {}

    def show_answers(self, result: EvaluationResult | None, wanted: str) -> None:
        """Take the answers of an evaluation."""
        self.beginResetModel()
        self._judged = {}
        for judge in (result.judged_by, "person") if result is not None else ():
            said = result.judgements if result is not None else ()
            self._judged |= {one.key: one for one in said if one.judge == judge}
        self.items = tuple(item for item in (result.items if result else ()) if self._is(item, wanted))
        self.endResetModel()

    def is_hit(self, item: EvaluationItem) -> bool:
        """Whether the text is about the target, and neither junk nor the unsteered text."""
        said = self._judged.get(item.key)
        return said is not None and said.chosen == item.key.target and not item.junk and not item.unchanged

    def _is(self, item: EvaluationItem, wanted: str) -> bool:
        return {
            "misses": not self.is_hit(item) and item.key.condition != "unsteered",
            "junk": item.junk is not None,
            "unchanged": item.unchanged,
        }.get(wanted, True)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - as Qt declares it
        """Answers that are shown."""
        return 0 if parent.isValid() else len(self.items)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - as Qt declares it
        """Picture, target, text, whether it is about that, condition."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> str | None:
        """The columns' names."""
        shown = role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal
        return _COLUMNS[section] if shown else None

    def data(self, index: _Index, role: int = 0) -> str | None:
        """What a cell says; the whole text as its tip."""
        item = self.items[index.row()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{item.text}\nunsteered: {item.baseline}"
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        said, key = self._judged.get(item.key), item.key
        about = "not judged" if said is None else "none" if said.chosen is None else str(said.chosen + 1)
        mark = "junk" if item.junk else "unchanged" if item.unchanged else ""
        if not mark:
            mark = about if said is None else f"{'✓' if self.is_hit(item) else '✗'} {about}"
        return (str(key.picture + 1), str(key.target + 1), item.text, mark, key.condition)[index.column()]
