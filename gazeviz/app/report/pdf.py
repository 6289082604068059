"""A report as PDF, and as the text document that the app previews: Qt lays it out and writes it.

QTextDocument knows few tags and little CSS, so it has a template of its own (resources/report/document.html).
Needs a QGuiApplication for its fonts; it shows no window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QMarginsF, QRectF, QSize, QSizeF, Qt, QUrl
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QImage,
    QPageLayout,
    QPageSize,
    QPainter,
    QPdfWriter,
    QTextDocument,
    QTextOption,
)

from gazeviz import __version__
from gazeviz.render.style import LIGHT, one_line
from gazeviz.resources import resource_path
from gazeviz.whole_files import written_whole

if TYPE_CHECKING:  # what draws is loaded when it is needed, and not when a window opens
    from gazeviz.render.report.figures import NamedFigure
    from gazeviz.render.report.report import Report

SCREEN_DPI: Final = 96
"""The document is laid out in pixels of this size, and scaled to the paper's."""
PAPER_DPI: Final = 600
FIGURE_DPI: Final = 220
MARGINS_MM: Final = QMarginsF(18, 16, 18, 18)
_FOOTER_PX: Final = 26
_BODY_PX: Final = 12
_MARGIN_PX: Final = 5
_fonts_loaded: list[int] = []


@dataclass(frozen=True, eq=False)
class DrawnReport:
    """A report whose figures are drawn, which takes long, for a document of a width, not laid out yet."""

    html: str
    images: Mapping[str, QImage]
    width_px: float


def drawn_report(
    report: Report, width_px: float, tokens: Sequence[int] | None = None, *, ratio: float | None = None
) -> DrawnReport:
    """Draw a report's figures for a document of a width; may be called in any thread.

    tokens: at which maps are shown, None for those that tell most.
    ratio: a screen's device pixels per pixel, for figures that are not to be scaled on it; None for paper.
    """
    from gazeviz.render.report.pages import document_html

    images: dict[str, QImage] = {}

    def kept(figure: NamedFigure) -> dict[str, Any]:
        return _keep(images, figure, width_px - 2 * _MARGIN_PX, ratio)

    return DrawnReport(document_html(report, kept, tokens), images, width_px)


def report_document(report: Report, width_px: float, tokens: Sequence[int] | None = None) -> QTextDocument:
    """Return a report as a document of a width, its figures inside: for a preview, and for paper.

    tokens: at which maps are shown, None for those that tell most.
    """
    return laid_out(drawn_report(report, width_px, tokens))


def laid_out(drawn: DrawnReport) -> QTextDocument:
    """Lay a drawn report out."""
    _load_fonts()
    document = QTextDocument()
    document.setDocumentMargin(_MARGIN_PX)  # a tinted line reaches a little above itself
    document.setUseDesignMetrics(True)  # so that lines break on paper where they break on the screen
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    document.setDefaultTextOption(option)
    font = QFont("Inter")
    font.setPixelSize(_BODY_PX)
    document.setDefaultFont(font)
    document.setDefaultStyleSheet(resource_path("report", "document.css").read_text("utf-8"))
    for file, image in drawn.images.items():
        document.addResource(QTextDocument.ResourceType.ImageResource.value, QUrl(file), image)
    document.setHtml(drawn.html)
    document.setTextWidth(drawn.width_px)
    return document


def write_pdf(report: Report, path: Path, tokens: Sequence[int] | None = None) -> Path:
    """Write a report as PDF on A4, all or nothing, fonts embedded; returns the path.

    Raises UserError where the file cannot be written.
    """
    from gazeviz.render.report.files import make_folder

    make_folder(path.parent)
    with written_whole(path, "report") as unfinished:
        _print(report, unfinished, tokens)
    return path


def _print(report: Report, path: Path, tokens: Sequence[int] | None) -> None:
    writer = QPdfWriter(str(path))
    writer.setResolution(PAPER_DPI)
    writer.setPageLayout(
        QPageLayout(
            QPageSize(QPageSize.PageSizeId.A4),
            QPageLayout.Orientation.Portrait,
            MARGINS_MM,
            QPageLayout.Unit.Millimeter,
        )
    )
    writer.setTitle(one_line(report.title))
    writer.setCreator(f"gazeviz {__version__}")
    scale = PAPER_DPI / SCREEN_DPI
    page = QSizeF(writer.width() / scale, writer.height() / scale)
    document = report_document(report, page.width(), tokens)
    document.setPageSize(QSizeF(page.width(), page.height() - _FOOTER_PX))
    painter = QPainter()
    if not painter.begin(writer):
        raise OSError("the file cannot be opened")
    try:
        painter.scale(scale, scale)
        for number in range(document.pageCount()):
            if number:
                writer.newPage()
            _draw_page(painter, document, page, number)
            _draw_footer(painter, page, f"{one_line(report.title, 80)}", number + 1, document.pageCount())
    finally:
        painter.end()


def _draw_page(painter: QPainter, document: QTextDocument, page: QSizeF, number: int) -> None:
    height_px = document.pageSize().height()
    painter.save()
    painter.translate(0, -number * height_px)
    document.drawContents(painter, QRectF(0, number * height_px, page.width(), height_px))
    painter.restore()


def _draw_footer(painter: QPainter, page: QSizeF, title: str, number: int, n_pages: int) -> None:
    font = QFont("Inter")
    font.setPixelSize(10)
    painter.setFont(font)
    painter.setPen(QColor(LIGHT.soft))
    line = QRectF(0, page.height() - 14, page.width(), 14)
    painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, title)
    place = f"{number} / {n_pages}"
    painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, place)


def _keep(
    images: dict[str, QImage], figure: NamedFigure, width_px: float, ratio: float | None
) -> dict[str, Any]:
    """Draw a figure where the document finds it, not wider than the page."""
    drawn = figure.drawn("png", dpi=FIGURE_DPI)
    file = f"{figure.name}.png"
    # Without an alpha channel the writer compresses it as a picture: a quarter of the size.
    image = QImage.fromData(drawn.data).convertToFormat(QImage.Format.Format_RGB32)
    shrink = min(1.0, 0.85 * width_px / drawn.width_px)
    size = QSize(round(drawn.width_px * shrink), round(drawn.height_px * shrink))
    if ratio is not None:
        how = Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
        image = image.scaled(size * ratio, *how)
        image.setDevicePixelRatio(ratio)
    images[file] = image
    return {
        "file": file,
        "width": size.width(),
        "height": size.height(),
        "caption": figure.caption,
        "alt": figure.alt,
    }


def _load_fonts() -> None:
    """Make the bundled typefaces known once, so that every machine's report looks the same."""
    if not _fonts_loaded:
        for file in sorted(resource_path("fonts").glob("*.[ot]tf")):
            _fonts_loaded.append(QFontDatabase.addApplicationFont(str(file)))
