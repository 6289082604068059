"""The transcript: baseline and steered answer side by side, as tokens that stream in.

A token's colour says where it looks; the cursor on tokens is the cursor of the whole window.
"""

from __future__ import annotations

from typing import cast

from PySide6.QtWidgets import QHBoxLayout, QWidget

from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.ui import theme
from gazeviz.ui.controls import choice_button, hairline
from gazeviz.ui.transcript_column import TranscriptColumn
from gazeviz.ui.transcript_cues import TintBy
from gazeviz.ui.transcript_cursor import COLUMNS, Column, TokenCursor

_TINTS = (("looks_at", "Colour: looks at"), ("target", "Colour: target"))


class TranscriptView(QWidget):
    """Two columns of tokens."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("transcript")
        self._cursor = TokenCursor(model)
        self.columns: dict[Column, TranscriptColumn] = {
            side: TranscriptColumn(side, model, controller, self._cursor) for side in COLUMNS
        }
        self.tint = choice_button(
            "tokenTint",
            "Colour tokens by the region that the chosen heads look at most, or by their target",
            _TINTS,
            self._on_tint,
        )
        self.tint.setProperty("kind", "flat")
        self.tint.setFont(theme.font_ui(12, 500))
        self.columns["baseline"].head_row.insertWidget(1, self.tint)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.columns["baseline"], 1)
        layout.addWidget(hairline(vertical=True))
        layout.addWidget(self.columns["steered"], 1)

    def hasHeightForWidth(self) -> bool:
        """No: it takes what room there is, whatever wraps in it; else parts beside it would be squeezed."""
        return False

    def step_cursor(self, by: int, extend: bool = False) -> None:
        """Move the cursor by some tokens on the side that is looked at; for the window's arrow keys."""
        side = self._cursor.side
        if side is not None:
            self._cursor.step(side, by, extend)

    def go_to_end(self, last: bool, extend: bool = False) -> None:
        """Move the cursor to the first or last token of the side that is looked at."""
        side = self._cursor.side
        if side is not None:
            self._cursor.move_to(side, self._cursor.n_tok(side) - 1 if last else 0, extend)

    def follow_newest(self) -> None:
        """Let everything follow the newest token again."""
        self._cursor.follow()

    def copy_text(self) -> None:
        """Copy the tokens that are selected, or the text of the side that is looked at."""
        side = self._cursor.side
        if side is not None:
            self.columns[side].copy_selection()

    def _on_tint(self, by: str) -> None:
        self.tint.set_current(by)
        for column in self.columns.values():
            column.tint_by(cast(TintBy, by))
