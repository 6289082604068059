"""The question whether a picture may cost more image tokens than usual, asked in place of a dialog.

Nothing waits for the answer: until it is given the picture is fed smaller. Knows how to ask, not how a model
feeds its pictures.
"""

from __future__ import annotations

from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.app.token_cost import TokenCost, token_cost
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, push_button
from gazeviz.ui.controls import ClosedByEscape


class TokenQuestion(ClosedByEscape):
    """Visible while a picture is fed smaller than it is and nobody has said whether that is right."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("tokenQuestion")
        self._model, self._controller = model, controller
        self._answered: set[str] = set()
        self._cost: TokenCost | None = None
        self._text = named(QLabel(), "tokenQuestionText")
        self._text.setWordWrap(True)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._all = push_button(
            "tokenQuestionAll", "", "Runs take longer and more memory; small things are seen better"
        )
        self._keep = push_button("tokenQuestionKeep", "", "The picture stays as small as it is fed now  Esc")
        self._all.clicked.connect(self._on_all)
        self._keep.clicked.connect(self._on_keep)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, theme.SPACE, 2 * theme.SPACE, theme.SPACE)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self._text, 1)
        layout.addWidget(self._all)
        layout.addWidget(self._keep)
        model.grid_changed.connect(self._on_grid_changed)
        model.picture_changed.connect(self._on_grid_changed)
        theme.changed.connect(self.update)
        self._on_grid_changed()

    def _on_grid_changed(self) -> None:
        picture = self._model.picture
        known = picture is not None and picture.sha256 in self._answered
        self._cost = None if known else token_cost(self._model)
        self.setVisible(self._cost is not None)
        if self._cost is not None:
            self._text.setText(question_text(self._cost))
            self.setAccessibleName(self._text.text())
            self._all.setVisible(not self._cost.forced)
            self._name(self._all, f"Use about {self._cost.full_tok:,}")
            self._name(self._keep, "Understood" if self._cost.forced else f"Keep {self._cost.now_tok:,}")

    @staticmethod
    def _name(button: QPushButton, text: str) -> None:
        button.setText(text)
        button.setAccessibleName(f"{text} image tokens")

    def _on_all(self) -> None:
        cost = self._cost
        self._answer()
        if cost is not None:
            self._controller.allow_image_tokens(cost.full_tok)

    def escape_pressed(self) -> None:
        """As its button does."""
        self._on_keep()

    def _on_keep(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if self._model.picture is not None:
            self._answered.add(self._model.picture.sha256)
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the ground, an accent edge and a hairline."""
        painter, colours = QPainter(self), theme.current()
        painter.fillRect(self.rect(), colours.raised)
        painter.fillRect(0, 0, 3, self.height(), colours.accent)
        painter.fillRect(0, self.height() - 1, self.width(), 1, colours.line)


def question_text(cost: TokenCost) -> str:
    """The question in a sentence or two."""
    if cost.forced:
        return (
            f"This model takes the picture in {cost.now_tok:,} image tokens, more than the usual "
            f"{cost.usual_tok:,}. Runs will be slower."
        )
    return (
        f"The picture is fed smaller than it is, in {cost.now_tok:,} image tokens; as it is, it would take "
        f"about {cost.full_tok:,}."
    )
