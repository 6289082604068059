"""The help: the pages that ship with gazeviz, in a window of their own, with a search through all of them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, QUrl
from PySide6.QtGui import (
    QColor,
    QDesktopServices,
    QKeySequence,
    QShortcut,
    QTextCursor,
    QTextDocument,
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

from gazeviz.ui import theme
from gazeviz.ui.column_parts import named, soft
from gazeviz.ui.controls import hairline
from gazeviz.ui.help_pages import HelpPage, dress, help_pages

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
        self._search.setToolTip("Lists the pages that hold these words; Enter goes to the next place  Ctrl+F")
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
        self._found.setText(f"on {n_pages} page{'s' if n_pages != 1 else ''}" if n_pages else "on no page")

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
