"""The right column of the Sessions tab: the selected run, what is known of it, and what can be done with it.

Says by signals what a person wants done with the runs that are selected; notes, tags, stars and verdicts go
to the archive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QHideEvent, QImage, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gazeviz.app.archive import Archive, RunLine
from gazeviz.app.run_facts import RunFacts
from gazeviz.render.lettering import visible
from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, section_title, soft, soft_text
from gazeviz.ui.session_deeds import DeedButtons
from gazeviz.ui.session_note import NoteEdit
from gazeviz.ui.session_tags import TagRow
from gazeviz.ui.session_words import runs_words

MOST_COMPARED: Final = 6
_LONGEST_FACT: Final = 240
_PICTURE_HIGH_PX: Final = 190


class RunDetails(QWidget):
    """The column. deed_wanted: a name of session_table.DEED_KEYS, for the runs that are selected."""

    deed_wanted = Signal(str)

    def __init__(self, archive: Archive, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("runDetails")
        self._archive = archive
        self._ids: tuple[int, ...] = ()
        self._title = named(section_title("No run selected"), "runDetailsTitle")
        self.picture = PictureView()
        self._picture_note = soft_text("runPictureNote")
        self._picture_note.setTextFormat(Qt.TextFormat.PlainText)
        self.facts = FactTable()
        self.tags = TagRow(archive)
        self.note = NoteEdit(archive)
        self.deeds = DeedButtons(archive)
        self._hint = soft_text("runDetailsHint")
        self._lay_out()
        self.deeds.deed_wanted.connect(self.deed_wanted)
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
            self._note_title, self.note, self.deeds,
        )  # fmt: skip
        for part in parts:
            layout.addWidget(part)
        layout.addStretch(1)

    @property
    def ids(self) -> tuple[int, ...]:
        """The runs that it is about."""
        return self._ids

    def show_runs(self, run_ids: Sequence[int], lines: Sequence[RunLine] = (), deleted: bool = False) -> None:
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
        self.deeds.show_runs(run_ids, lines, deleted)
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
        self.deeds.show_runs(self._ids, (facts.line,), self.deeds.deleted)

    def _on_changed(self, run_ids: tuple[int, ...]) -> None:
        """A run that is shown may say something else now."""
        if len(self._ids) == 1 and self.isVisible() and (not run_ids or self._ids[0] in run_ids):
            self._archive.ask_facts(self._ids[0])

    def hideEvent(self, event: QHideEvent) -> None:
        """What was written so far is kept."""
        self.note.keep()
        super().hideEvent(event)


class PictureView(QWidget):
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
    return f"Run {run_ids[0]}" if len(run_ids) == 1 else runs_words(len(run_ids))


def _hint(run_ids: Sequence[int]) -> str:
    if not run_ids:
        return "Select a run to see what was asked; hold Ctrl or Shift to select several."
    if len(run_ids) <= MOST_COMPARED:
        return "Compare them, put them into one report, or mark them together."
    return f"Put them into one report, or mark them together; up to {MOST_COMPARED} can be compared."


def _cut(text: str) -> str:
    shown = visible(text.strip())
    return shown if len(shown) <= _LONGEST_FACT else f"{shown[:_LONGEST_FACT].rstrip()} …"
