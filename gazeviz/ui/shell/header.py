"""The bar on top: the name, the tabs, and what model computes where."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QMenu, QPushButton, QToolButton, QWidget

from gazeviz.app.session.session_model import SessionModel
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import CARET, named, push_button

HEIGHT_PX = 44


class Header(QWidget):
    """Signals: `tab_wanted(name)`, `model_wanted`, `palette_wanted`."""

    tab_wanted = Signal(str)
    model_wanted = Signal()
    palette_wanted = Signal()

    def __init__(
        self,
        model: SessionModel,
        tabs: Sequence[str],
        menu: QMenu,
        pictures: QMenu,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self.setFixedHeight(HEIGHT_PX)
        self._model = model
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(10, 0, 12, 0)
        self._layout.setSpacing(2 * theme.SPACE)
        self._add_menu(menu)
        self._add_name()
        self._add_tabs(tabs)
        self._layout.addStretch(1)
        picture_chip = self._chip(
            "pictureChip", "Open a picture, a sample or a folder of panels, or choose a panel layout"
        )
        picture_chip.setText(f"Picture {CARET}")
        picture_chip.setMenu(pictures)
        self._model_chip = self._chip("modelChip", "Open a model")
        self._device_chip = self._chip("deviceChip", "Device that the model runs on")
        self._palette = self._chip("paletteChip", "Find a command")
        self._palette.setText("Ctrl K  Find a command")
        for chip in (self._model_chip, self._device_chip):
            chip.clicked.connect(self.model_wanted)
        self._palette.clicked.connect(self.palette_wanted)
        model.model_changed.connect(self._refresh)
        model.worker_changed.connect(self._refresh)
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()
        self._refresh()

    def show_tab(self, name: str) -> None:
        """Mark a tab as the one that is shown."""
        self._tabs[name].setChecked(True)

    def _add_menu(self, menu: QMenu) -> None:
        self._menu_button = named(QToolButton(), "menuButton")
        self._menu_button.setAccessibleName("Menu")
        self._menu_button.setToolTip("All commands  F10")
        self._menu_button.setShortcut("F10")
        self._menu_button.setIconSize(QSize(18, 18))
        self._menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu_button.setMenu(menu)
        self._layout.addWidget(self._menu_button)

    def _add_name(self) -> None:
        self._name = named(QLabel(), "wordMark")
        self._name.setTextFormat(Qt.TextFormat.RichText)
        self._name.setFont(theme.font_ui(15, 600))
        self._layout.addWidget(self._name)
        self._layout.addSpacing(3 * theme.SPACE)

    def _add_tabs(self, tabs: Sequence[str]) -> None:
        self._tabs: dict[str, QPushButton] = {}
        group = QButtonGroup(self)
        for tab in tabs:
            button = push_button(f"tab{tab}", tab, "", spoken=f"Tab {tab}", kind="tab")
            button.setCheckable(True)
            button.clicked.connect(lambda _=False, name=tab: self.tab_wanted.emit(name))
            group.addButton(button)
            self._layout.addWidget(button)
            self._tabs[tab] = button

    def _chip(self, name: str, tip: str) -> QPushButton:
        chip = push_button(name, "", tip, kind="pill")
        self._layout.addWidget(chip)
        return chip

    def _on_theme_changed(self) -> None:
        accent = theme.current().accent.name()
        self._name.setText(f'gaze<span style="color:{accent}">viz</span>')
        self._menu_button.setIcon(theme.icon("menu"))

    def _refresh(self) -> None:
        info = self._model.model_info
        self._device_chip.setVisible(info is not None)
        if info is None:
            loading = self._model.worker_state in ("starting", "loading")
            self._model_chip.setText("loading a model" if loading else "no model")
            return
        n_heads = int(info.heads_present_LH.sum())
        self._model_chip.setText(f"{info.name} \N{MIDDLE DOT} {n_heads} heads")
        self._model_chip.setToolTip(f"{info.path}\nOpen another model")
        self._device_chip.setText(f"{info.device.upper()} \N{MIDDLE DOT} {info.dtype}")
        self._device_chip.setToolTip(info.why_not_gpu or f"The model runs on {info.device}.")
