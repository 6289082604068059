"""The audit of a steered run: that the bias arrived, and where the target's attention came from."""

from __future__ import annotations

from typing import Final, TypeAlias

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gazeviz.domain.answer_text import Junk
from gazeviz.domain.run import Account, Audit
from gazeviz.domain.steering import GROUP_NAMES, TARGET
from gazeviz.domain.wording import format_change, format_figure, format_gain
from gazeviz.ui.answers.run_text import arrived, audit_text, rerouting_text
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import as_written, draw_words, named

_ROW_PX: Final = 18
_LEAST_DETAILS_PX: Final = 3 * _ROW_PX  # the rest is scrolled to
"""The table is always in sight, the sentences below it where there is room."""

_JUDGED_HOW: Final = (
    "junk: the text is empty, loops, or is only a label.\nabout, follows: the panels it describes,"
    " judged by the rare words it shares with their captions; ✓ if that is the target."
)
_ORDER: Final = (TARGET, *(group for group in range(len(GROUP_NAMES)) if group != TARGET))

Pairs: TypeAlias = tuple[tuple[str, str], ...]


class VerdictWords(QWidget):
    """Words and what they are found to be, "junk no"; dots and a tooltip where there is no room for all.

    No label: one that changes with every token would have the whole window laid out anew each time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pairs: Pairs = ()
        self._indent_px = 0
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        theme.changed.connect(self.update)

    def show_pairs(self, pairs: Pairs, indent_px: int) -> None:
        """Take the pairs; one without its first word is a remark."""
        self._pairs, self._indent_px = pairs, indent_px
        text = ", ".join(f"{key} {value}".strip() for key, value in pairs)
        self.setAccessibleName(text)
        self.setToolTip(as_written(f"{text}\n{_JUDGED_HOW}" if any(key for key, _ in pairs) else text))
        self.update()

    def sizeHint(self) -> QSize:
        """One line, as wide as there is room."""
        return QSize(160, _ROW_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw word after word."""
        painter, colours = QPainter(self), theme.current()
        plain, strong = theme.font_ui(12), theme.font_ui(12, 600)
        metrics = QFontMetricsF(plain)
        y_px = (self.height() + metrics.ascent() - metrics.descent()) / 2
        x_px = float(self._indent_px)
        for key, value in self._pairs:
            for text, font, ink in (
                (f"{key} " if key else "", plain, colours.soft),
                (value, strong if key else plain, colours.ink if key else colours.soft),
            ):
                if x_px >= self.width():
                    return
                painter.setFont(font)
                painter.setPen(ink)
                x_px = draw_words(painter, QPointF(x_px, y_px), text, self.width())
            x_px += 3 * theme.SPACE


class VerdictLine(QWidget):
    """What became of a run in one line; the audit's mass is a button that folds the details out."""

    folded_out = Signal(bool)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._fold = named(QToolButton(), f"{name}Audit")
        self._fold.setCheckable(False)
        self._fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._fold.setIconSize(QSize(12, 12))
        self._fold.setToolTip("Attention of the steered heads on the target, before and after the bias; shows"
                              " the audit and where the attention came from")  # fmt: skip
        self._fold.clicked.connect(self._on_clicked)
        self._words = named(VerdictWords(), f"{name}Verdict")
        self._pairs: Pairs = ()
        self._audit: Audit | None = None
        self._open = False
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self._fold)
        layout.addWidget(self._words, 1)
        theme.changed.connect(self._draw)
        self._fold.hide()
        self._draw()

    def sizeHint(self) -> QSize:
        """As high without the button as with it, so that both sides' words stand on one line."""
        return super().sizeHint().expandedTo(QSize(0, self._fold.sizeHint().height()))

    def minimumSizeHint(self) -> QSize:
        """The same height."""
        return super().minimumSizeHint().expandedTo(QSize(0, self._fold.sizeHint().height()))

    @property
    def open(self) -> bool:
        """Whether the details are wanted."""
        return self._open and not self._fold.isHidden()

    def show_nothing(self) -> None:
        self._show((), None)

    def show_progress(self, text: str) -> None:
        """Say how far the run is."""
        self._show((("", text),), None)

    def show_verdict(self, junk: Junk | None, judged: tuple[str, str] | None, audit: Audit | None) -> None:
        """Say what became of it. judged: what its words are about, None where there are no captions."""
        parts = ("junk", junk or "no")
        self._show((parts,) if judged is None else (parts, judged), audit)

    def _show(self, pairs: Pairs, audit: Audit | None) -> None:
        if pairs == self._pairs and audit is self._audit:
            return
        self._pairs, self._audit = pairs, audit
        self._fold.setVisible(audit is not None)
        if audit is not None:
            moved = f"mass on target {format_change(audit.mass_before, audit.mass_after)}"
            self._fold.setText(moved)
            self._fold.setAccessibleName(f"Audit: {moved}")
        self._draw()

    def _draw(self) -> None:
        self._words.show_pairs(self._pairs, 0 if self._audit is not None else theme.SPACE)
        self._fold.setFont(theme.font_ui(12, 500))
        self._fold.setIcon(theme.icon("caret-down" if self._open else "caret-right"))

    def _on_clicked(self) -> None:
        self._open = not self._open
        self._draw()
        self.folded_out.emit(self.open)


class AuditDetails(QScrollArea):
    """The rerouting ledger as a table with bars, and the audit in words."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(f"{name}Ledger")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(_LEAST_DETAILS_PX)
        self._touched, self._rerouted = QLabel(), QLabel()
        self._table = LedgerTable()
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(4, 2, 8, 4)
        layout.setSpacing(theme.SPACE)
        for label in (self._touched, self._rerouted):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._touched.setToolTip(
            "Heads that were steered, query rows that were biased in all passes together, and image tokens of"
            " the target (of the last one, where it moved)"
        )
        self._touched.setProperty("role", "soft")
        for part in (self._table, self._rerouted, self._touched):
            layout.addWidget(part)
        layout.addStretch(1)
        self.setWidget(content)

    @property
    def text(self) -> str:
        """What is said below the table."""
        return f"{self._touched.text()} {self._rerouted.text()}"

    def show_audit(self, audit: Audit) -> None:
        """Show another run's audit."""
        self._touched.setText(audit_text(audit))
        warning = "" if arrived(audit) else " The bias has little effect: check strength, rows and heads."
        self._rerouted.setText(rerouting_text(audit.ledger) + warning)
        self._table.show_ledger(audit.ledger)


class LedgerTable(QWidget):
    """Attention by group of key positions, before and after the bias."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(3 * theme.SPACE)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(4, 1)
        for column, title in enumerate(("attention on", "before", "after", "change")):
            self._grid.addWidget(_cell(title, "section", column > 0), 0, column)
        self._cells = [[_cell("", "mono", column > 0) for column in range(4)] for _ in _ORDER]
        self._bars = [BeforeAfter() for _ in _ORDER]
        for row, (cells, bar) in enumerate(zip(self._cells, self._bars, strict=True), start=1):
            for column, cell in enumerate(cells):
                self._grid.addWidget(cell, row, column)
            self._grid.addWidget(bar, row, 4)

    def show_ledger(self, ledger: Account) -> None:
        """Fill the table."""
        before_G, after_G = ledger.before_G.tolist(), ledger.after_G.tolist()
        for row, group in enumerate(_ORDER):
            before, after = before_G[group], after_G[group]
            change = after - before
            texts = (ledger.groups[group], format_figure(before), format_figure(after),
                     format_gain(change))  # fmt: skip
            for cell, text in zip(self._cells[row], texts, strict=True):
                cell.setText(text)
            self._bars[row].show_masses(before, after)


class BeforeAfter(QWidget):
    """Two bars on one scale from 0 to 1: soft before the bias, in the accent after it."""

    def __init__(self) -> None:
        super().__init__()
        self._before = self._after = 0.0
        self.setMinimumSize(40, _ROW_PX)
        self.setToolTip("Upper bar: before the bias.  Lower bar: after it.  Full width: all attention.")
        theme.changed.connect(self.update)

    def show_masses(self, before: float, after: float) -> None:
        """Take two masses in [0, 1]."""
        self._before, self._after = before, after
        self.setAccessibleName(f"{format_figure(before)} before, {format_figure(after)} after")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw them."""
        painter, colours = QPainter(self), theme.current()
        top = self.height() / 2 - 5
        painter.fillRect(QRectF(0, top - 1, 1, 12), colours.line)
        painter.fillRect(QRectF(1, top, (self.width() - 1) * self._before, 4), colours.soft)
        painter.fillRect(QRectF(1, top + 5, (self.width() - 1) * self._after, 4), colours.accent)


def _cell(text: str, role: str, right: bool) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", role)
    label.setFixedHeight(_ROW_PX)
    side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    label.setAlignment(side | Qt.AlignmentFlag.AlignVCenter)
    return label
