"""The tools in the left column: one of nine, the brush's size, and how a region selects token cells."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QEnterEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import BRUSH_RANGE_PX, SessionModel
from gazeviz.app.session.values import Tool
from gazeviz.domain.grid import Rule
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.binding import bind
from gazeviz.ui.widgets.controls import named, section_title, soft, tinted
from gazeviz.ui.widgets.number_box import WholeNumberBox, guard_wheel

_COLUMNS = 3
_SLIDER_STEPS = 100


class ToolText(NamedTuple):
    """What a tool is called, its key, and what it does."""

    name: str
    key: str
    does: str


TOOL_TEXTS: Final[dict[Tool, ToolText]] = {
    "move": ToolText("Move", "V", "Click a region to select it, drag it to move it; drag elsewhere to pan."),
    "brush": ToolText(
        "Brush", "B", "Paint into the active region, or a new one where none is active; Alt erases."
    ),
    "erase": ToolText("Erase", "E", "Erase from the active region; Alt paints."),
    "rectangle": ToolText(
        "Rectangle",
        "R",
        "Draw a region; Shift adds to the active one, Alt cuts out. Shift while dragging: a square.",
    ),
    "ellipse": ToolText(
        "Ellipse",
        "O",
        "Draw a region; Shift adds to the active one, Alt cuts out. Shift while dragging: a circle.",
    ),
    "polygon": ToolText(
        "Polygon, lasso",
        "P",
        "Click corners or draw freely; Enter or a double click closes. Shift adds, Alt cuts out.",
    ),
    "cell": ToolText(
        "Fill cell", "C", "Fill token cells into the active region; begin on a filled one to clear."
    ),
    "panel": ToolText("Target", "T", "Click a region to make it the target from the next token on."),
    "spotlight": ToolText("Spotlight", "S", "Hold the button: the area under the brush is the target."),
}
"""In the order of the bar; the keys are the window's actions."""

_RULES: Final[dict[Rule, str]] = {"centre": "centre", "share": "share"}


class ToolBar(QWidget):
    """Chooses the tool, its size and the cells' rule."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("toolBar")
        self._model = model
        self._buttons = {tool: ToolButton(tool, text) for tool, text in TOOL_TEXTS.items()}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(section_title("Tools"))
        layout.addLayout(self._make_grid())
        layout.addLayout(self._make_size())
        layout.addLayout(self._make_rule())
        model.tool_changed.connect(self._on_tool_changed)
        model.rule_changed.connect(self._on_rule_changed)
        self._on_tool_changed()
        self._on_rule_changed()

    def _make_grid(self) -> QGridLayout:
        grid, group = QGridLayout(), QButtonGroup(self)
        grid.setSpacing(theme.SPACE)
        for place, (tool, button) in enumerate(self._buttons.items()):
            group.addButton(button)
            grid.addWidget(button, place // _COLUMNS, place % _COLUMNS)
            button.clicked.connect(lambda _=False, chosen=tool: setattr(self._model, "tool", chosen))
        return grid

    def _make_size(self) -> QHBoxLayout:
        self._slider = named(QSlider(Qt.Orientation.Horizontal), "brushSlider")
        guard_wheel(self._slider)
        self._slider.setRange(0, _SLIDER_STEPS)
        self._slider.setAccessibleName("Brush size")
        self._slider.setToolTip("Diameter of brush, eraser and spotlight in picture pixels  [ and ]")
        self._slider.setMinimumWidth(48)
        brush_changed = self._model.brush_changed
        bind(self._model, "brush_px", brush_changed, self._slider, shown=_step_of, taken=_size_at)
        self._size = named(WholeNumberBox(), "brushSize")
        self._size.setRange(*BRUSH_RANGE_PX)
        self._size.setSuffix(" px")
        self._size.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self._size.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._size.setAccessibleName("Brush size in picture pixels")
        self._size.setToolTip(self._slider.toolTip())
        self._size.setFixedWidth(60)
        bind(self._model, "brush_px", brush_changed, self._size)
        return _row("Size", self._slider, self._size)

    def _make_rule(self) -> QHBoxLayout:
        self._rule = named(QComboBox(), "cellRule")
        guard_wheel(self._rule)
        for rule, text in _RULES.items():
            self._rule.addItem(text, rule)
        self._rule.setAccessibleName("Rule by which a region selects cells")
        self._rule.setToolTip(
            "Which token cells a region selects: those whose centre it covers,\n"
            "or those of whose area it covers at least a share."
        )
        self._rule.activated.connect(lambda place: setattr(self._model, "rule", self._rule.itemData(place)))
        self._share = named(WholeNumberBox(), "cellShare")
        self._share.setRange(1, 100)
        self._share.setSuffix(" %")
        self._share.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self._share.setAccessibleName("Share of a cell's area that must be covered")
        self._share.setToolTip("Least share of a cell's area that a region must cover to select it")
        self._share.setFixedWidth(52)
        bind(self._model, "share", self._model.rule_changed, self._share,
             shown=lambda share: round(share * 100), taken=lambda percent: percent / 100)  # fmt: skip
        return _row("Cells by", self._rule, self._share)

    def _on_tool_changed(self) -> None:
        self._buttons[self._model.tool].setChecked(True)

    def _on_rule_changed(self) -> None:
        self._rule.setCurrentIndex(self._rule.findData(self._model.rule))
        self._share.setVisible(self._model.rule == "share")


class ToolButton(QAbstractButton):
    """A tool's icon with its key in the corner."""

    def __init__(self, tool: Tool, text: ToolText) -> None:
        super().__init__()
        self.setObjectName(f"tool_{tool}")
        self.setCheckable(True)
        self._tool, self._key = tool, text.key
        self.setAccessibleName(text.name)
        self.setAccessibleDescription(text.does)
        self.setToolTip(f"<b>{text.name}</b> &nbsp;{text.key}<br>{text.does}")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Three of them fit into the left column."""
        return QSize(56, 32)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Light up."""
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Go out."""
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw ground, icon and key; the chosen one in the accent."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = colours.accent if self.isChecked() else colours.raised
        if self.underMouse() and not self.isChecked():
            ground = colours.line
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        ink = colours.on_accent if self.isChecked() else colours.ink
        side = 18
        place = QRect((self.width() - side) // 2 - 4, (self.height() - side) // 2, side, side)
        painter.drawPixmap(place, tinted(theme.icon(self._tool), side, ink, self.devicePixelRatioF()))
        painter.setFont(theme.font_mono(10))
        painter.setPen(ink if self.isChecked() else colours.soft)
        corner = QRectF(self.rect()).adjusted(0, 0, -6, -4)
        painter.drawText(corner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, self._key)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colours.on_accent if self.isChecked() else colours.accent, 1.5))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(2, 2, -2, -2), 5, 5)


def _row(text: str, *widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(2 * theme.SPACE)
    row.addWidget(soft(QLabel(text)))
    for widget in widgets:
        row.addWidget(widget, 0 if isinstance(widget, QSpinBox) else 1)
    return row


def _step_of(size_px: int) -> int:
    """The slider's step of a size: even steps multiply."""
    low, high = BRUSH_RANGE_PX
    return round(_SLIDER_STEPS * math.log(size_px / low) / math.log(high / low))


def _size_at(step: int) -> int:
    low, high = BRUSH_RANGE_PX
    return round(low * math.pow(high / low, step / _SLIDER_STEPS))
