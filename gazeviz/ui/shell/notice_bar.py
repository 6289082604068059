"""The session's notice in place: a sentence, what to do next, details to unfold, and a way to close it.

Not a dialog: nothing waits for it. It does not know where a notice came from.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QColor,
    QGuiApplication,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.runs.picture_opener import TokenCost, token_cost
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import NoticeKind
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import CloseButton, ClosedByEscape, named, push_button, tinted

# The question whether a picture may cost more image tokens than usual, asked in place of a dialog.
#
# Nothing waits for the answer: until it is given the picture is fed smaller. Knows how to ask, not how a
# model feeds its pictures.


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
            "tokenQuestionAll", "", "Runs take more time and memory, but show finer detail"
        )
        self._keep = push_button("tokenQuestionKeep", "", "Keep the picture downscaled  Esc")
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
        f"The picture is downscaled to {cost.now_tok:,} image tokens; at full size it would take "
        f"about {cost.full_tok:,}."
    )


_ICONS: Final[dict[NoticeKind, str]] = {"info": "info", "warning": "warning", "error": "warning"}
_SPOKEN: Final[dict[NoticeKind, str]] = {"info": "Note", "warning": "Warning", "error": "Error"}
_EDGE_PX: Final = 3
_DETAIL_HEIGHT_PX: Final = 120


class NoticeBar(ClosedByEscape):
    """Shows `model.notice`; hidden while there is none.

    about: only notices about one of these are shown (None: all).  The window shows all, dialogs their own.
    """

    def __init__(
        self,
        model: SessionModel,
        controller: RunController,
        parent: QWidget | None = None,
        *,
        about: Collection[str] | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("noticeBar")
        self._model, self._about = model, about
        self._icon = QLabel()
        self._sentence = _line("noticeSentence", "strong")
        self._next_step = _line("noticeNextStep", "")
        self._detail = named(QPlainTextEdit(), "noticeDetail")
        self._make_detail()
        tip = "Show or hide details"
        self._more = push_button("noticeMore", "Details", tip, spoken="Details of the notice", kind="flat")
        self._more.clicked.connect(lambda: self._show_detail(self._detail.isHidden()))
        tip = "Copy the message and its details for a bug report"
        self._copy = push_button("noticeCopy", "Copy", tip, spoken="Copy of the notice", kind="flat")
        self._copy.clicked.connect(self._on_copy)
        tip = "Dismiss  Esc"
        self._close = CloseButton("noticeClose", tip, self._on_close, spoken="Close the notice")
        self._lay_out()
        model.notice_changed.connect(self._on_notice_changed)
        theme.changed.connect(self._on_theme_changed)
        self._on_notice_changed()

    def _make_detail(self) -> None:
        self._detail.setReadOnly(True)
        self._detail.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._detail.setMaximumHeight(_DETAIL_HEIGHT_PX)
        self._detail.setAccessibleName("Details of the notice")
        self._detail.setToolTip("Technical details of the problem")
        self._detail.setTabChangesFocus(True)
        self._detail.hide()

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self._sentence)
        words.addWidget(self._next_step)
        row = QHBoxLayout()
        row.setSpacing(2 * theme.SPACE)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        for button in (self._more, self._copy, self._close):
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 2 * theme.SPACE, 2 * theme.SPACE, 2 * theme.SPACE)
        layout.setSpacing(2 * theme.SPACE)
        layout.addLayout(row)
        layout.addWidget(self._detail)

    def _on_notice_changed(self) -> None:
        notice = self._model.notice
        if notice is None or (self._about is not None and notice.about not in self._about):
            self.hide()
            return
        self._sentence.setText(notice.sentence)
        self._next_step.setText(notice.next_step)
        self._next_step.setVisible(bool(notice.next_step))
        self._detail.setPlainText(notice.detail.strip())
        self._detail.setFont(theme.font_mono(11))
        self._show_detail(False)
        for button in (self._more, self._copy):
            button.setVisible(bool(notice.detail.strip()))
        spoken = f"{_SPOKEN[notice.kind]}: {notice.sentence} {notice.next_step}".strip()
        self.setAccessibleName(spoken)
        self._on_theme_changed()
        self.show()
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def _on_theme_changed(self) -> None:
        notice = self._model.notice
        if notice is not None:
            icon = theme.icon(_ICONS[notice.kind])
            self._icon.setPixmap(tinted(icon, 18, edge_colour(notice.kind), self.devicePixelRatioF()))
        self.update()

    def _show_detail(self, shown: bool) -> None:
        self._detail.setVisible(shown)
        self._more.setText("Hide details" if shown else "Details")

    def _on_copy(self) -> None:
        notice = self._model.notice
        if notice is not None:
            parts = (notice.sentence, notice.next_step, notice.detail)
            QGuiApplication.clipboard().setText("\n\n".join(part.strip() for part in parts if part.strip()))

    def escape_pressed(self) -> None:
        """As its button does."""
        self._on_close()

    def _on_close(self) -> None:
        self._model.notice = None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the ground, and an edge in the colour of its kind."""
        painter, colours = QPainter(self), theme.current()
        painter.fillRect(self.rect(), colours.raised)
        notice = self._model.notice
        if notice is not None:
            painter.fillRect(QRectF(0, 0, _EDGE_PX, self.height()), edge_colour(notice.kind))
        painter.fillRect(QRectF(0, self.height() - 1, self.width(), 1), colours.line)


def edge_colour(kind: NoticeKind) -> QColor:
    """The colour of a kind of notice; an icon and the words say the same."""
    if kind == "info":
        return theme.current().accent
    return theme.region_colour(1 if kind == "warning" else 3)


def _line(name: str, role: str) -> QLabel:
    label = named(QLabel(), name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    if role:
        label.setProperty("role", role)
    return label
