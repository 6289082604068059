"""Small parts that the pages of a comparison share."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QToolButton

from gazeviz.ui import theme
from gazeviz.ui.column_parts import named


class CloseButton(QToolButton):
    """Ends a comparison."""

    def __init__(self, on_closed: Callable[[], object]) -> None:
        super().__init__()
        named(self, "compareClose").setAccessibleName("Close the comparison")
        self.setToolTip("Close the comparison; the log keeps everything")
        self.setIconSize(QSize(14, 14))
        self.clicked.connect(on_closed)
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        self.setIcon(theme.icon("close"))
