"""The help: the pages that ship with gazeviz, in a window of their own, with a search through all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PySide6.QtCore import QSize, Qt, QUrl
from PySide6.QtGui import (
    QBrush,
    QColor,
    QDesktopServices,
    QKeySequence,
    QShortcut,
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
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QTextBrowser,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from gazeviz.domain.wording import plural
from gazeviz.errors import UserError
from gazeviz.resources import resource_path
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import hairline, named, soft

# The pages of the help, and how a page is dressed: tables, code and pictures in the theme's colours.
#
# Pages are Markdown files among the resources. Knows no window.


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
    path: Path = Path()
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


def with_page(pages: Sequence[HelpPage], page: HelpPage) -> tuple[HelpPage, ...]:
    """Return the pages with one more among those that are help proper."""
    at = sum(not other.group for other in pages)
    return (*pages[:at], page, *pages[at:])


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


_PAGE_ROLE = int(Qt.ItemDataRole.UserRole)
_LIST_PX = 248
_ROW_PX = 28
_TEXT_PX = 720


class HelpView(QWidget):
    """A list of pages, a search line, and the page."""

    def __init__(self, parent: QWidget | None = None, pages: tuple[HelpPage, ...] | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setObjectName("helpView")
        self.setWindowTitle("gazeviz help")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.resize(1000, 720)
        self._pages = help_pages() if pages is None else pages
        self._page: HelpPage | None = None
        self._search = named(QLineEdit(), "helpSearch")
        self._list = named(QListWidget(), "helpPages")
        self._found = soft(named(QLabel(), "helpFound"))
        self._text = named(QTextBrowser(), "helpText")
        self._make_parts()
        self._lay_out()
        theme.changed.connect(self._show_again)
        self._fill()
        if self._pages:
            self.show_page(self._pages[0].name)

    @property
    def page(self) -> HelpPage | None:
        """The page that is shown."""
        return self._page

    def show_page(self, name: str, anchor: str = "") -> None:
        """Show the page of that file name ("gaze-heads"); without effect where there is none."""
        page = next((page for page in self._pages if page.name == name), None)
        if page is None:
            return
        self._page = page
        self._draw(page)
        for row in range(self._list.count()):
            if self._list.item(row).data(_PAGE_ROLE) == name:
                self._list.setCurrentRow(row)
        if anchor:
            self._text.scrollToAnchor(anchor)
        else:
            self._text.moveCursor(QTextCursor.MoveOperation.Start)

    def next_hit(self, backwards: bool = False) -> bool:
        """Go to the next place of this page that has what is searched for, round its end if need be."""
        asked = self._search.text().strip()
        if not asked:
            return False
        flag = QTextDocument.FindFlag.FindBackward if backwards else QTextDocument.FindFlag(0)
        if self._text.find(asked, flag):
            return True
        end = QTextCursor.MoveOperation.End if backwards else QTextCursor.MoveOperation.Start
        self._text.moveCursor(end)
        return self._text.find(asked, flag)

    # Parts

    def _make_parts(self) -> None:
        self._search.setPlaceholderText("Search the help")
        self._search.setAccessibleName("Search the help")
        self._search.setToolTip(
            "List the pages that contain these words; Enter goes to the next match  Ctrl+F"
        )
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._on_search)
        self._search.returnPressed.connect(self.next_hit)
        self._list.setAccessibleName("Pages of the help")
        self._list.setToolTip("Choose a page to read")
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._list.itemSelectionChanged.connect(self._on_page_chosen)
        self._text.setAccessibleName("The page")
        self._text.setToolTip("")
        self._text.setOpenLinks(False)
        self._text.anchorClicked.connect(self._on_link)
        for keys, done in (
            (QKeySequence.StandardKey.Find, self._search.setFocus),
            (QKeySequence.StandardKey.FindNext, self.next_hit),
            (QKeySequence.StandardKey.FindPrevious, lambda: self.next_hit(backwards=True)),
            (QKeySequence(Qt.Key.Key_Escape), self.close),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(done)

    def _lay_out(self) -> None:
        column = QWidget()
        column.setFixedWidth(_LIST_PX)
        left = QVBoxLayout(column)
        left.setContentsMargins(12, 12, 12, 12)
        left.setSpacing(2 * theme.SPACE)
        for widget in (self._search, self._found, self._list):
            left.addWidget(widget)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(column)
        layout.addWidget(hairline(vertical=True))
        layout.addWidget(self._text, 1)

    # The list

    def _fill(self) -> None:
        asked = self._search.text().strip()
        hits = {page.name: page.hits(asked) for page in self._pages}
        self._list.blockSignals(True)
        self._list.clear()
        group = ""
        for page in self._pages:
            if asked and not hits[page.name]:
                continue
            if page.group != group:
                group = page.group
                self._add_group(group)
            item = QListWidgetItem(f"{page.title}  {hits[page.name]}" if asked else page.title)
            item.setData(_PAGE_ROLE, page.name)
            item.setToolTip(page.title)
            item.setSizeHint(QSize(0, _ROW_PX))
            self._list.addItem(item)
            if self._page is page:
                self._list.setCurrentItem(item)
        self._list.blockSignals(False)
        n_pages = sum(bool(n) for n in hits.values())
        self._found.setVisible(bool(asked))
        self._found.setText(f"on {plural(n_pages, 'page')}" if n_pages else "no matches")

    def _add_group(self, group: str) -> None:
        header = QListWidgetItem(group)
        header.setFlags(Qt.ItemFlag.NoItemFlags)
        header.setFont(theme.font_ui(11, 600))
        header.setForeground(theme.current().soft)
        header.setSizeHint(QSize(0, _ROW_PX + 2 * theme.SPACE))
        header.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom)
        self._list.addItem(header)

    def _on_page_chosen(self) -> None:
        for item in self._list.selectedItems():
            name = item.data(_PAGE_ROLE)
            if name and (self._page is None or name != self._page.name):
                self.show_page(str(name))

    def _on_search(self) -> None:
        self._fill()
        names = [self._list.item(row).data(_PAGE_ROLE) for row in range(self._list.count())]
        found = [str(name) for name in names if name]
        if found and (self._page is None or self._page.name not in found):
            self.show_page(found[0])
        self._mark_hits()
        self._text.moveCursor(QTextCursor.MoveOperation.Start)
        self.next_hit()

    # The page

    def _draw(self, page: HelpPage) -> None:
        document = self._text.document()
        self._text.setSearchPaths([str(page.path.parent)])
        document.setDefaultFont(theme.font_ui(14))
        document.setDocumentMargin(28)
        self._text.setMarkdown(page.text)
        dress(document, theme.current(), _TEXT_PX)
        self._mark_hits()

    def _show_again(self) -> None:
        self._fill()
        if self._page is not None:
            at = self._text.verticalScrollBar().value()
            self._draw(self._page)
            self._text.verticalScrollBar().setValue(at)

    def _mark_hits(self) -> None:
        asked = self._search.text().strip()
        colour = QColor(theme.current().accent)
        colour.setAlphaF(0.3)
        marks = []
        document = self._text.document()
        cursor = document.find(asked) if asked else QTextCursor()
        while not cursor.isNull():
            mark = QTextEdit.ExtraSelection()
            mark.cursor = cursor
            mark.format.setBackground(colour)
            marks.append(mark)
            cursor = document.find(asked, cursor)
        self._text.setExtraSelections(marks)

    def _on_link(self, url: QUrl) -> None:
        if url.isRelative():
            path = Path(url.path())
            self.show_page(
                path.stem if path.name else (self._page.name if self._page else ""), url.fragment()
            )
        else:
            QDesktopServices.openUrl(url)
