"""The style sheet of the whole window, from one theme's colours.

Rules hang on widget kinds and on the properties `role` (labels) and `kind` (buttons). It does not know which
widgets there are.
"""

from __future__ import annotations

from string import Template
from typing import Final

from gazeviz.render.palette import DARK, Theme
from gazeviz.resources import resource_path

_SHEET: Final = Template("""
* { outline: none; }
QWidget { color: $ink; selection-background-color: $accent; selection-color: $on_accent; }
QMainWindow, QDialog, QDockWidget > QWidget, QScrollArea, QScrollArea > QWidget > QWidget { background: $panel; }
QMainWindow::separator { background: $line; width: 1px; height: 1px; }
QMainWindow::separator:hover { background: $accent; }
QSplitter::handle { background: $line; }
QSplitter::handle:hover { background: $accent; }
QToolTip { background: $raised; color: $ink; border: 1px solid $line; border-radius: 4px; padding: 4px 6px; }
QLabel { background: transparent; }
QLabel[role="section"] { color: $soft; font-size: 11px; font-weight: 600; }
QLabel[role="soft"] { color: $soft; font-size: 12px; }
QLabel[role="strong"] { font-weight: 600; }
QLabel[role="mono"] { font-family: "JetBrains Mono"; font-size: 12px; }

QPushButton { background: $raised; border: 1px solid $raised; border-radius: 6px; padding: 4px 10px; min-height: 18px; font-weight: 500; }
QPushButton:hover { border-color: $line; }
QPushButton:pressed { background: $line; }
QPushButton:focus { border-color: $accent; }
QPushButton:disabled { color: $soft; }
QPushButton:checked { background: $accent; color: $on_accent; border-color: $accent; }
QPushButton::menu-indicator { image: none; width: 0; }
QPushButton[kind="primary"] { background: $accent; color: $on_accent; border-color: $accent; font-weight: 600; }
QPushButton[kind="primary"]:hover { border-color: $ink; }
QPushButton[kind="primary"]:disabled { background: $raised; color: $soft; border-color: $raised; }
QPushButton[kind="flat"] { background: transparent; border-color: transparent; }
QPushButton[kind="flat"]:hover { background: $raised; }
QPushButton[kind="flat"]:focus { border-color: $accent; }
QPushButton[kind="danger"] { color: $ink; border-color: $danger; background: transparent; }
QPushButton[kind="tab"] { background: transparent; border-color: transparent; color: $soft; padding: 6px 11px; border-radius: 5px; }
QPushButton[kind="tab"]:hover { color: $ink; }
QPushButton[kind="tab"]:checked { background: $raised; color: $ink; }
QPushButton[kind="tab"]:focus { border-color: $accent; }
QPushButton[kind="pill"] { border-radius: 13px; padding: 3px 11px; font-size: 12px; }
QPushButton[kind="pill"]:checked { background: $accent; color: $on_accent; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 6px; padding: 3px; }
QToolButton:hover { background: $raised; }
QToolButton:pressed { background: $line; }
QToolButton:checked { background: $accent; color: $on_accent; }
QToolButton:focus { border-color: $accent; }
QToolButton::menu-indicator { image: none; width: 0; }

QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox, QAbstractSpinBox {
  background: $raised; border: 1px solid $raised; border-radius: 6px; padding: 3px 7px; min-height: 20px; }
QLineEdit:hover, QPlainTextEdit:hover, QSpinBox:hover, QDoubleSpinBox:hover, QComboBox:hover { border-color: $line; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus { border-color: $accent; }
QLineEdit:disabled, QPlainTextEdit:disabled, QSpinBox:disabled, QComboBox:disabled { color: $soft; }
QComboBox::drop-down { border: none; width: 18px; }
QComboBox::down-arrow { image: url($caret); width: 12px; height: 12px; }
QComboBox QAbstractItemView { background: $panel; border: 1px solid $line; padding: 4px; selection-background-color: $raised; selection-color: $ink; }
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button, QDoubleSpinBox::down-button { width: 0; border: none; }

QCheckBox, QRadioButton { spacing: 6px; background: transparent; }
QCheckBox::indicator, QRadioButton::indicator { width: 14px; height: 14px; border: 1px solid $soft; background: transparent; border-radius: 4px; }
QRadioButton::indicator { border-radius: 8px; }
QCheckBox::indicator:hover, QRadioButton::indicator:hover { border-color: $accent; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url($check); }
QRadioButton::indicator:checked { background: $accent; border: 4px solid $raised; }
QCheckBox:focus, QRadioButton:focus { color: $accent; }
QCheckBox:disabled, QRadioButton:disabled { color: $soft; }

QSlider { background: transparent; min-height: 18px; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $line; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal { width: 12px; height: 12px; margin: -4px 0; border-radius: 6px; background: $accent; }
QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus { background: $ink; }
QSlider::sub-page:horizontal:disabled, QSlider::handle:horizontal:disabled { background: $soft; }

QMenu { background: $panel; border: 1px solid $line; border-radius: 8px; padding: 5px; }
QMenu::item { padding: 5px 22px 5px 10px; border-radius: 5px; }
QMenu::item:selected { background: $raised; }
QMenu::item:disabled { color: $soft; }
QMenu::separator { height: 1px; background: $line; margin: 5px 8px; }
QMenu::indicator { width: 12px; height: 12px; margin-left: 4px; }
QMenuBar { background: $panel; border: none; padding: 2px 6px; }
QMenuBar::item { padding: 4px 8px; border-radius: 5px; background: transparent; }
QMenuBar::item:selected { background: $raised; }

QScrollBar { background: transparent; border: none; }
QScrollBar:vertical { width: 10px; }
QScrollBar:horizontal { height: 10px; }
QScrollBar::handle { background: $line; border-radius: 3px; margin: 2px; min-width: 24px; min-height: 24px; }
QScrollBar::handle:hover { background: $soft; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QScrollArea { border: none; }
QAbstractScrollArea { border: none; }
QAbstractItemView { background: $panel; border: none; alternate-background-color: $panel; }
QAbstractItemView::item:selected { background: $raised; color: $ink; }
QHeaderView { background: $panel; }
QHeaderView::section { background: $panel; color: $soft; border: none; border-bottom: 1px solid $line; padding: 5px 8px; font-size: 11px; font-weight: 600; }
QProgressBar { background: $line; border: none; border-radius: 2px; max-height: 4px; min-height: 4px; text-align: center; color: transparent; }
QProgressBar::chunk { background: $accent; border-radius: 2px; }
QDockWidget { font-size: 11px; font-weight: 600; color: $soft; titlebar-close-icon: none; }
QDockWidget::title { background: $panel; padding: 6px 12px; text-align: left; }
QFrame[role="line"] { background: $line; border: none; }
QTextBrowser { background: $panel; border: none; }
""")

_DANGER: Final = {True: "#e5735c", False: "#b23a1f"}
"""Of what deletes; on dark and light panels, at least 4.5 : 1."""


def style_sheet(theme: Theme, on_accent: str) -> str:
    """Qt style sheet for a theme; on_accent: #rrggbb of text on the accent."""
    dark = theme is DARK
    kind = "dark" if dark else "light"
    return _SHEET.substitute(
        vars(theme),
        on_accent=on_accent,
        danger=_DANGER[dark],
        caret=resource_path("icons", f"caret-{kind}.svg").as_posix(),
        check=resource_path("icons", f"check-{kind}.svg").as_posix(),
    )
