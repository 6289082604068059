"""The help: pages, search, links, and both themes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QListWidget, QTextBrowser

from gazeviz.ui.shell.help_window import DECISIONS, HelpPage, HelpView, help_pages
from gazeviz.ui.widgets import theme
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import child_of

FIRST = """# Heads

A head looks. See [the log](log.md#tables) and [the paper](https://example.org/paper).

| name | what |
|---|---|
| `mass` | **much** |

```
gazeviz run
```
"""
SECOND = "# The log\n\nEvery head and every run.\n\n## Tables\n\nA head, a run.\n"


@pytest.fixture
def pages(tmp_path: Path) -> tuple[HelpPage, ...]:
    (tmp_path / "heads.md").write_text(FIRST)
    (tmp_path / "log.md").write_text(SECOND)
    return HelpPage.read(tmp_path / "heads.md"), HelpPage.read(tmp_path / "log.md", DECISIONS)


@pytest.fixture
def view(pages: tuple[HelpPage, ...], qtbot: PatientBot) -> HelpView:
    view = HelpView(pages=pages)
    qtbot.addWidget(view)
    view.show()
    return view


def browser(view: HelpView) -> QTextBrowser:
    found = child_of(view, "helpText")
    assert isinstance(found, QTextBrowser)
    return found


def search(view: HelpView, text: str) -> QLineEdit:
    line = child_of(view, "helpSearch")
    assert isinstance(line, QLineEdit)
    line.clear()
    QTest.keyClicks(line, text)
    return line


def listed(view: HelpView) -> list[str]:
    found = child_of(view, "helpPages")
    assert isinstance(found, QListWidget)
    return [found.item(row).text() for row in range(found.count())]


def name_of(view: HelpView) -> str:
    return view.page.name if view.page is not None else ""


def test_what_ships_is_there_with_decisions_last() -> None:
    pages = help_pages()
    assert pages[0].title == "Finding gaze heads and steering them" or pages[0].name == "first-steps"
    assert "performance" in [page.name for page in pages]
    groups = [page.group for page in pages]
    assert groups == sorted(groups) and groups[-1] == DECISIONS


def test_every_shipped_page_is_shown(qtbot: PatientBot) -> None:
    view = HelpView()
    qtbot.addWidget(view)
    for page in help_pages():
        view.show_page(page.name)
        assert name_of(view) == page.name and len(browser(view).toPlainText()) > 100


def test_pages_are_listed_in_groups_and_chosen_there(view: HelpView) -> None:
    assert listed(view) == ["Heads", DECISIONS, "The log"] and name_of(view) == "heads"
    pages = child_of(view, "helpPages")
    assert isinstance(pages, QListWidget)
    pages.setCurrentRow(2)
    assert name_of(view) == "log" and "Every head" in browser(view).toPlainText()


def test_search_lists_pages_with_hits_and_goes_from_one_to_the_next(view: HelpView) -> None:
    line = search(view, "head")
    assert listed(view) == ["Heads  2", DECISIONS, "The log  2"]
    assert len(browser(view).extraSelections()) == 2
    first = browser(view).textCursor().position()
    QTest.keyClick(line, Qt.Key.Key_Return)
    second = browser(view).textCursor().position()
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert second > first and browser(view).textCursor().position() == first
    assert view.next_hit(backwards=True) and browser(view).textCursor().position() == second


def test_search_shows_a_page_that_has_it(view: HelpView) -> None:
    search(view, "every run")
    assert name_of(view) == "log" and browser(view).textCursor().selectedText() == "every run"


def test_nothing_found_is_said_and_all_comes_back(view: HelpView) -> None:
    line = search(view, "xyzzy")
    assert listed(view) == [] and child_of(view, "helpFound").isVisible()
    line.clear()
    assert len(listed(view)) == 3 and not child_of(view, "helpFound").isVisible()
    assert view.next_hit() is False


def test_links_lead_to_pages_and_to_the_browser(view: HelpView, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    browser(view).anchorClicked.emit(QUrl("https://example.org/paper"))
    assert opened == ["https://example.org/paper"] and name_of(view) == "heads"
    browser(view).anchorClicked.emit(QUrl("log.md#tables"))
    assert name_of(view) == "log" and len(opened) == 1
    browser(view).anchorClicked.emit(QUrl("nowhere.md"))
    assert name_of(view) == "log"


@pytest.mark.parametrize("choice", ["light", "dark"])
def test_code_and_tables_wear_the_theme(view: HelpView, qapp: QApplication, choice: str) -> None:
    theme.apply(qapp, "light" if choice == "light" else "dark")
    document = browser(view).document()
    for word in ("mass", "gazeviz run"):
        form = document.find(word).charFormat()
        assert "JetBrains Mono" in form.fontFamilies()
        assert form.background().color() == theme.current().raised
    bold = document.find("much")
    bold.movePosition(QTextCursor.MoveOperation.NoMove)
    assert bold.charFormat().fontWeight() == 600
    table = document.find("mass").currentTable()
    assert table.format().borderBrush().color() == theme.current().line
