"""A report as PDF: pages, embedded fonts, nothing half written; and hostile text as text."""

import re
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication

from gazeviz.app.report.pdf import report_document, write_pdf
from gazeviz.errors import UserError
from gazeviz.render.report.report import Sources
from gazeviz.render.style import visible
from tests.patience import PatientBot
from tests.render.made_runs import HOSTILE, hostile_report, made_report, made_run

SMALL = made_report(made_run(1, regions=()), sources=Sources())


@pytest.fixture(autouse=True)
def _application(qapp: QGuiApplication) -> None:
    """Fonts need one."""


def test_a_pdf_has_pages_and_carries_its_fonts(tmp_path: Path) -> None:
    path = write_pdf(made_report(), tmp_path / "new" / "report.pdf")
    data = path.read_bytes()
    assert data.startswith(b"%PDF-")
    assert data.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type /Page\b", data)) >= 3
    fonts = set(re.findall(rb"/BaseFont /(?:[A-Z]{6}\+)?([\w-]+)", data))
    assert {b"Inter-Regular", b"JetBrainsMono-Regular"} <= fonts
    assert len(re.findall(rb"/FontFile\d", data)) == data.count(b"/Type /FontDescriptor") >= 2
    assert [entry.name for entry in path.parent.iterdir()] == ["report.pdf"]


def test_the_text_of_a_document_is_what_was_written() -> None:
    text = report_document(hostile_report(), 640).toPlainText()
    assert " ".join(visible(HOSTILE).split()) in " ".join(text.split())
    assert "<script>alert('x')</script>" in text
    assert "\x1b" not in text


def test_a_document_shows_every_figure_within_its_width() -> None:
    document = report_document(made_report(), 500)
    html = document.toHtml()
    widths = [int(width) for width in re.findall(r'<img [^>]*width="(\d+)"', html)]
    assert len(widths) == 7
    assert max(widths) <= 500
    for source in re.findall(r'<img src="([^"]+)"', html):
        assert not document.resource(2, source).isNull()
    assert document.idealWidth() <= 501


def test_a_preview_needs_no_paper(qtbot: PatientBot) -> None:
    from PySide6.QtWidgets import QTextBrowser

    browser = QTextBrowser()
    qtbot.addWidget(browser)
    document = report_document(SMALL, 400)
    browser.setDocument(document)
    assert "A session" in browser.toPlainText()
    browser.setDocument(None)  # type: ignore[arg-type]


def test_what_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "report.pdf").mkdir()
    with pytest.raises(UserError, match="could not be written"):
        write_pdf(SMALL, tmp_path / "report.pdf")
    assert [path.name for path in tmp_path.iterdir()] == ["report.pdf"]
