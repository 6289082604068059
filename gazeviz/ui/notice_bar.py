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
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.run_controller import RunController
from gazeviz.app.session_model import SessionModel
from gazeviz.app.session_parts import NoticeKind
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, push_button, tinted
from gazeviz.ui.controls import CloseButton, ClosedByEscape

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
        tip = "Show or hide what helps to find the cause"
        self._more = push_button("noticeMore", "Details", tip, spoken="Details of the notice", kind="flat")
        self._more.clicked.connect(lambda: self._show_detail(self._detail.isHidden()))
        tip = "Copy the sentence and its details, for a report of the problem"
        self._copy = push_button("noticeCopy", "Copy", tip, spoken="Copy of the notice", kind="flat")
        self._copy.clicked.connect(self._on_copy)
        tip = "Close the notice; nothing else is changed  Esc"
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
        self._detail.setToolTip("What helps to find the cause; it changes nothing")
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
