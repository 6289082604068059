"""The pages of the help, and how a page is dressed: tables, code and pictures in the theme's colours.

Pages are Markdown files among the resources. Knows no window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PySide6.QtGui import (
    QBrush,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFragment,
    QTextFrameFormat,
    QTextLength,
    QTextTable,
)

from gazeviz.errors import UserError
from gazeviz.resources import resource_path
from gazeviz.ui import theme

DECISIONS: Final = "Decisions"
_FIRST: Final = ("first-steps", "gaze-heads")
_LINE_HEIGHT: Final = 140.0
_BOLD: Final = 600
_HEADING_PX: Final = {1: 22, 2: 17, 3: 15}


@dataclass(frozen=True)
class HelpPage:
    """name: of its file, without the ending.  group: "" for help proper."""

    name: str
    title: str
    text: str
    path: Path
    group: str = ""

    @classmethod
    def read(cls, path: Path, group: str = "") -> HelpPage:
        """Read a Markdown file; its title is its first heading."""
        text = path.read_text("utf-8")
        titles = (line.removeprefix("# ").strip() for line in text.splitlines() if line.startswith("# "))
        return cls(path.stem, next(titles, path.stem.replace("-", " ").capitalize()), text, path, group)

    def hits(self, asked: str) -> int:
        """How often words occur in it, whatever their case; 0 for none asked."""
        return self.text.casefold().count(asked.casefold()) if asked else 0


def help_pages() -> tuple[HelpPage, ...]:
    """All pages that ship with gazeviz, first steps first and decisions last; none where they are missing."""
    try:
        folder = resource_path("help")
    except UserError:
        return ()
    pages = [HelpPage.read(path) for path in sorted(folder.glob("*.md"), key=_order)]
    decisions = [HelpPage.read(path, DECISIONS) for path in sorted((folder / "decisions").glob("*.md"))]
    return (*pages, *decisions)


def _order(path: Path) -> tuple[int, str]:
    return (_FIRST.index(path.stem) if path.stem in _FIRST else len(_FIRST), path.stem)


def dress(document: QTextDocument, colours: theme.Palette, width_px: int) -> None:
    """Give a document made of Markdown its spacing, typefaces and colours; pictures fit the width."""
    edit = QTextCursor(document)
    edit.beginEditBlock()  # laid out once, not after every change
    for table in _tables(document):
        _dress_table(table, colours)
    block = document.begin()
    while block.isValid():
        _dress_block(document, block, colours)
        for fragment in list(_fragments(block)):
            _dress_fragment(document, fragment, colours, width_px)
        block = block.next()
    edit.endEditBlock()


def _tables(document: QTextDocument) -> list[QTextTable]:
    return [frame for frame in document.rootFrame().childFrames() if isinstance(frame, QTextTable)]


def _dress_table(table: QTextTable, colours: theme.Palette) -> None:
    form = table.format()
    form.setCellPadding(6)
    form.setCellSpacing(0)
    form.setBorder(1)
    form.setBorderCollapse(True)
    form.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
    form.setBorderBrush(QBrush(colours.line))
    form.setTopMargin(6)
    form.setBottomMargin(12)
    form.setWidth(QTextLength(QTextLength.Type.PercentageLength, 100))
    table.setFormat(form)
    for column in range(table.columns()):
        cell = table.cellAt(0, column)
        head = cell.format()
        head.setBackground(colours.raised)
        cell.setFormat(head)


def _dress_block(document: QTextDocument, block: QTextBlock, colours: theme.Palette) -> None:
    cursor, form = QTextCursor(block), block.blockFormat()
    level = form.headingLevel()
    changed = QTextBlockFormat()
    if _is_code(block):
        changed.setBackground(colours.raised)
        changed.setNonBreakableLines(True)
    else:
        kind = QTextBlockFormat.LineHeightTypes.ProportionalHeight.value
        changed.setLineHeight(_LINE_HEIGHT, kind)
    in_table = cursor.currentTable() is not None
    if in_table:
        changed.setTopMargin(0)
        changed.setBottomMargin(0)
    elif level:
        changed.setTopMargin(8 if level == 1 else 20)
        changed.setBottomMargin(8)
    cursor.mergeBlockFormat(changed)
    if level:
        letters = QTextCharFormat()
        letters.setFont(theme.font_ui(_HEADING_PX.get(level, 14), 600))
        cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
        cursor.mergeCharFormat(letters)


def _is_code(block: QTextBlock) -> bool:
    form, kinds = block.blockFormat(), QTextFormat.Property
    return form.hasProperty(kinds.BlockCodeFence) or form.hasProperty(kinds.BlockCodeLanguage)


def _fragments(block: QTextBlock) -> Iterator[QTextFragment]:
    iterator = block.begin()
    while not iterator.atEnd():
        yield iterator.fragment()
        iterator += 1


def _dress_fragment(
    document: QTextDocument, fragment: QTextFragment, colours: theme.Palette, width_px: int
) -> None:
    form = fragment.charFormat()
    cursor = QTextCursor(document)
    cursor.setPosition(fragment.position())
    cursor.setPosition(fragment.position() + fragment.length(), QTextCursor.MoveMode.KeepAnchor)
    changed = QTextCharFormat()
    if form.isImageFormat():
        image = form.toImageFormat()
        image.setMaximumWidth(QTextLength(QTextLength.Type.FixedLength, width_px))
        cursor.setCharFormat(image)
        return
    if form.fontWeight() > _BOLD:
        changed.setFontWeight(_BOLD)  # heavier ones are not shipped, and a made-up one looks smeared
    if form.fontFixedPitch() or _is_code(document.findBlock(fragment.position())):
        changed.setFont(theme.font_mono(12))
        changed.setBackground(colours.raised)
    elif form.isAnchor():
        changed.setForeground(colours.accent)
    cursor.mergeCharFormat(changed)
