"""The right column of the Sessions tab: the selected run, what is known of it, and what can be done with it.

Says by signals what a person wants done with the runs that are selected; notes, tags, stars and verdicts go
to the archive.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, QTimer
from PySide6.QtGui import QFocusEvent, QHideEvent, QImage, QKeyEvent, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.history.log_browser import LogBrowser, Overview, RunRow
from gazeviz.app.history.run_details import RunFacts
from gazeviz.domain.wording import plural
from gazeviz.errors import UserError
from gazeviz.render.style import visible
from gazeviz.ui.sessions.run_commands import CommandButtons
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command, Entry
from gazeviz.ui.widgets.controls import MenuButton, named, section_title, soft, soft_text

# What a person writes about a run: kept a second after the last key, and when the eye goes elsewhere.


KEEP_MS: Final = 1000
_HEIGHT_PX: Final = 64


class NoteEdit(QPlainTextEdit):
    """The note of one run; what is being written is never replaced by what the log says."""

    def __init__(self, archive: LogBrowser, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runNote")
        self.setAccessibleName("Note about the run")
        self.setToolTip("Stored with the run, searchable, shown in reports  N")
        self.setPlaceholderText("What did you see?")
        self.setTabChangesFocus(True)
        self.setFixedHeight(_HEIGHT_PX)
        self._archive = archive
        self._run_id: int | None = None
        self._kept = ""
        self._on_its_way: str | None = None  # to the log; what is read until it has arrived is older
        self._idle = QTimer(self, singleShot=True, interval=KEEP_MS)
        self._idle.timeout.connect(self.keep)
        self.textChanged.connect(self._idle.start)

    def show_note(self, run_id: int | None, text: str) -> None:
        """Show a run's note; the one of the run before is kept first."""
        if run_id == self._run_id:
            if self._on_its_way is not None and text != self._on_its_way:
                return
            self._on_its_way = None
            if self.toPlainText() == self._kept and text != self._kept:
                self._show(text)
            return
        self.keep()
        self._run_id, self._on_its_way = run_id, None
        self._show(text)

    def keep(self) -> None:
        """Write down what has been typed."""
        self._idle.stop()
        text = self.toPlainText()
        if self._run_id is not None and text != self._kept:
            self._kept = self._on_its_way = text
            self._archive.note(self._run_id, text)

    def _show(self, text: str) -> None:
        self._kept = text
        self.setPlainText(text)
        self._kept = self.toPlainText()  # as the widget writes line ends
        self._idle.stop()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The eye goes elsewhere."""
        super().focusOutEvent(event)
        self.keep()


# Tags of the selected runs: each can be taken away, others are offered, new ones are typed in place.


_SHOWN: Final = 3


class TagRow(QWidget):
    """A button with all tags, ticked where the runs have them, and the line for a new one."""

    def __init__(self, archive: LogBrowser, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runTags")
        self._archive = archive
        self._ids: tuple[int, ...] = ()
        self._tags: dict[str, int] = {}
        self._known: tuple[str, ...] = ()
        self.button = MenuButton("No tags", "runTagMenu", "Tag the selected runs  T")
        self.button.offer(self._entries)
        self.new = named(QLineEdit(), "runNewTag")
        self.new.setPlaceholderText("New tag")
        self.new.setAccessibleName("New tag")
        self.new.setToolTip("New tag for the selected runs: Enter adds it, Esc cancels")
        self.new.setMaxLength(60)
        self.new.returnPressed.connect(self._on_new)
        self.new.installEventFilter(self)
        self.new.hide()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self.button)
        layout.addWidget(self.new, 1)
        layout.addStretch(0)
        layout.setAlignment(self.button, Qt.AlignmentFlag.AlignLeft)
        archive.overview_found.connect(self._on_overview_found)

    def show_runs(self, run_ids: Sequence[int], lines: Sequence[RunRow]) -> None:
        """Be about some runs. lines: what is known of them."""
        if tuple(run_ids) != self._ids:
            self.new.hide()
        self._ids = tuple(run_ids)
        self._tags = {}
        for line in lines:
            for tag in line.tags:
                self._tags[tag] = self._tags.get(tag, 0) + 1
        self.setVisible(bool(run_ids))
        self.button.set_label(self._label())

    def ask(self) -> None:
        """Open the line for a new tag."""
        if self._ids:
            self.new.show()
            self.new.setFocus()
            self.new.selectAll()

    def _label(self) -> str:
        if not self._tags:
            return "No tags"
        some = ", ".join(sorted(self._tags)[:_SHOWN])
        more = len(self._tags) - _SHOWN
        return f"Tags: {some}{f' and {more} more' if more > 0 else ''}"

    def _entries(self) -> list[Entry]:
        tags = [
            Command(f"tags.{tag}", f"Tag the selected runs “{tag}”", "", "Add the tag, or remove it.",
                    partial(self._turn, tag), checked=partial(self._has, tag), label=tag)
            for tag in sorted({*self._known, *self._tags})
        ]  # fmt: skip
        new = Command("tags.new", "New tag ...", "", "Type a tag for the selected runs.", self.ask)
        return [*tags, *([None] if tags else []), new]

    def _has(self, tag: str) -> bool:
        return self._tags.get(tag, 0) == len(self._ids)

    def _turn(self, tag: str) -> None:
        self._archive.tag(self._ids, tag, present=not self._has(tag))

    def _on_new(self) -> None:
        try:
            self._archive.tag(self._ids, self.new.text())
        except UserError:
            return  # nothing was typed: the line stays open
        self.new.clear()
        self.new.hide()

    def _on_overview_found(self, overview: Overview) -> None:
        self._known = tuple(overview.counts.by_tag)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Esc leaves the line."""
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape and watched is self.new:
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                self.new.hide()
                return True
        return False


MOST_COMPARED: Final = 6
_LONGEST_FACT: Final = 240
_PICTURE_HIGH_PX: Final = 190


class RunDetails(QWidget):
    """The column: what is known of the selected runs, and what can be done with them."""

    def __init__(self, archive: LogBrowser, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runDetails")
        self._archive = archive
        self._ids: tuple[int, ...] = ()
        self._title = named(section_title("No run selected"), "runDetailsTitle")
        self.picture = RoundedPicture()
        self._picture_note = soft_text("runPictureNote")
        self._picture_note.setTextFormat(Qt.TextFormat.PlainText)
        self.facts = FactTable()
        self.tags = TagRow(archive)
        self.note = NoteEdit(archive)
        self.commands = CommandButtons()
        self._hint = soft_text("runDetailsHint")
        self._lay_out()
        archive.facts_found.connect(self._on_facts_found)
        archive.changed.connect(self._on_changed)
        self.show_runs(())

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * theme.SPACE, 3 * theme.SPACE, 3 * theme.SPACE, 3 * theme.SPACE)
        layout.setSpacing(2 * theme.SPACE)
        self._note_title = section_title("Note")
        parts = (
            self._title, self._hint, self.picture, self._picture_note, self.facts, self.tags,
            self._note_title, self.note, self.commands,
        )  # fmt: skip
        for part in parts:
            layout.addWidget(part)
        layout.addStretch(1)

    @property
    def ids(self) -> tuple[int, ...]:
        """The runs that it is about."""
        return self._ids

    def show_runs(self, run_ids: Sequence[int], lines: Sequence[RunRow] = (), deleted: bool = False) -> None:
        """Show a run, or what can be done with several. lines: what the table knows of them."""
        run_ids = tuple(run_ids)
        another = run_ids != self._ids
        self._ids = run_ids
        one = len(run_ids) == 1
        self._title.setText(_title(run_ids))
        self._hint.setText(_hint(run_ids))
        self._hint.setVisible(not one)
        for part in (self.facts, self.note, self._note_title):
            part.setVisible(one)
        if another or not one:
            self._picture_note.hide()
            self.picture.show_picture(None)
            self.facts.show_rows(())
        self.tags.show_runs(run_ids, lines)
        self.commands.setVisible(bool(run_ids))
        self.commands.show_deleted(deleted)
        if one and another:
            self.note.show_note(run_ids[0], lines[0].note if lines else "")
        elif another:
            self.note.show_note(None, "")
        if one:
            self._archive.ask_facts(run_ids[0])

    def _on_facts_found(self, facts: RunFacts) -> None:
        if self._ids != (facts.line.id,):
            return
        rows = (*facts.rows, ("Trouble", facts.trouble)) if facts.trouble else facts.rows
        self.facts.show_rows(tuple((name, _cut(value)) for name, value in rows))
        self._picture_note.setText(facts.picture_note)
        self._picture_note.setVisible(bool(facts.picture_note))
        pixels_HW3 = facts.picture_HW3
        if pixels_HW3 is None:
            self.picture.show_picture(self._archive.thumbnail(facts.line.image_sha256))
        else:
            height, width = pixels_HW3.shape[:2]
            image = QImage(pixels_HW3.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
            self.picture.show_picture(image.copy())
        self.note.show_note(facts.line.id, facts.line.note)
        self.tags.show_runs(self._ids, (facts.line,))
        self.commands.refresh()

    def _on_changed(self, run_ids: tuple[int, ...]) -> None:
        """A run that is shown may say something else now."""
        if len(self._ids) == 1 and self.isVisible() and (not run_ids or self._ids[0] in run_ids):
            self._archive.ask_facts(self._ids[0])

    def hideEvent(self, event: QHideEvent) -> None:
        """What was written so far is kept."""
        self.note.keep()
        super().hideEvent(event)


class RoundedPicture(QWidget):
    """A picture as wide as the column, with round corners; nothing where there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("runPicture")
        self.setAccessibleName("The picture of the run, with the mean of its maps")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._image: QImage | None = None
        self.show_picture(None)

    def show_picture(self, image: QImage | None) -> None:
        """Show another picture."""
        self._image = image
        self.setVisible(image is not None)
        self._fit()
        self.update()

    def _fit(self) -> None:
        image = self._image
        if image is None or image.isNull():
            return
        height_px = min(round(max(self.width(), 1) * image.height() / image.width()), _PICTURE_HIGH_PX)
        if height_px != self.height():
            self.setFixedHeight(max(height_px, 8))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw it, all of it."""
        image = self._image
        if image is None:
            return
        self._fit()
        size = image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        box, path = QRectF(0, 0, size.width(), size.height()), QPainterPath()
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        path.addRoundedRect(box, 4, 4)
        painter.setClipPath(path)
        painter.drawImage(box, image)


class FactTable(QWidget):
    """Names and values in two columns; values can be selected and copied."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("runFacts")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(3 * theme.SPACE)
        self._grid.setVerticalSpacing(theme.SPACE)
        self._grid.setColumnStretch(1, 1)
        self._labels: list[tuple[QLabel, QLabel]] = []

    @property
    def rows(self) -> dict[str, str]:
        """What it says."""
        return {name.text(): value.text() for name, value in self._labels if not name.isHidden()}

    def show_rows(self, rows: Sequence[tuple[str, str]]) -> None:
        """Say something else."""
        while len(self._labels) < len(rows):
            self._add()
        for place, (name, value) in enumerate(self._labels):
            shown = place < len(rows)
            name.setVisible(shown)
            value.setVisible(shown)
            if shown:
                name.setText(rows[place][0])
                value.setText(rows[place][1])
                value.setAccessibleName(f"{rows[place][0]}: {rows[place][1]}")

    def _add(self) -> None:
        name, value = soft(QLabel()), QLabel()
        name.setAlignment(Qt.AlignmentFlag.AlignTop)
        name.setMinimumWidth(92)
        value.setTextFormat(Qt.TextFormat.PlainText)
        value.setWordWrap(True)
        value.setFont(theme.font_ui(12, 500))
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = len(self._labels)
        self._grid.addWidget(name, row, 0)
        self._grid.addWidget(value, row, 1)
        self._labels.append((name, value))


def _title(run_ids: Sequence[int]) -> str:
    if not run_ids:
        return "No run selected"
    return f"Run {run_ids[0]}" if len(run_ids) == 1 else plural(len(run_ids), "run")


def _hint(run_ids: Sequence[int]) -> str:
    if not run_ids:
        return "Select a run to see what was asked; hold Ctrl or Shift to select several."
    if len(run_ids) <= MOST_COMPARED:
        return "Compare them, report them, or tag them together."
    return f"Report or tag them together; up to {MOST_COMPARED} can be compared."


def _cut(text: str) -> str:
    shown = visible(text.strip())
    return shown if len(shown) <= _LONGEST_FACT else f"{shown[:_LONGEST_FACT].rstrip()} …"
