"""Maps at this token: single heads' attention over the picture, side by side and on one scale.

Shows what the session's gallery holds; pointing at a map points at its head everywhere, a click keeps
it so, and Ctrl and click chooses the head or lets it go. Knows neither how maps are asked for nor who else
shows the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import GalleryMap
from gazeviz.domain.heads import Head
from gazeviz.domain.wording import format_figure
from gazeviz.ui.heads.gallery_tile import LABEL_PX, MapTile, TileImage, TileText
from gazeviz.ui.heads.head_commands import gallery_menu
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import (
    MagmaBar,
    MenuButton,
    named,
    push_button,
    section_title,
    side_by_side,
    soft_text,
)
from gazeviz.ui.widgets.map_painter import MapPainter, dimmed
from gazeviz.ui.widgets.region_badge import PicturePlace, PlaceLabel, place_of

# What stands over the gallery: which heads are shown, how many, and the scale of their colours.


class GalleryScale(QWidget):
    """The legend of the maps: magma, and the figure of its bright end."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("galleryScale")
        low, self._high = named(QLabel("0"), "galleryScaleLow"), named(QLabel(), "galleryScaleHigh")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * theme.SPACE)
        for label in (low, self._high):
            label.setProperty("role", "mono")
        for widget in (low, MagmaBar(64), self._high):
            layout.addWidget(widget)

    def show_end(self, highest: float | None) -> None:
        """Say what the brightest colour stands for; None: every map's own highest value."""
        if highest is None:
            self._high.setText("own max")
            tip = "Attention to a cell. Every map has its own scale, from 0 to its highest cell: the colours "
            tip += "of two maps cannot be compared, their figures can."
        else:
            self._high.setText(f"{format_figure(highest)}+")
            tip = "Attention to a cell, on one scale for all maps: the brightest hundredth of the cells that "
            tip += f"are shown have {format_figure(highest)} or more."
        self.setToolTip(tip)
        self.setAccessibleName(tip)


class GalleryMenu(MenuButton):
    """Says which heads are shown, and lets another choice be made."""

    def __init__(self, model: SessionModel) -> None:
        super().__init__("", "galleryChoice", "Which heads the maps are of, how many, and their scale")
        self._model = model
        self.offer(partial(gallery_menu, model))
        for signal in (model.view_changed, model.chosen_changed, model.ranking_changed):
            signal.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        self.set_label(self._choice_label())

    def _choice_label(self) -> str:
        choice, n_chosen, ranking = self._model.gallery_choice, len(self._model.chosen), self._model.ranking
        if choice.heads == "best" or not n_chosen:
            return f"best {choice.n} of {ranking.name}" if ranking is not None else f"best {choice.n}"
        return f"best {choice.n} of {n_chosen} chosen" if n_chosen > choice.n else f"{n_chosen} chosen"


_GAP_PX = 2 * theme.SPACE
_SHARED_QUANTILE = 0.99
_MOST_COLUMNS = 4
_LEAST_HEIGHT_PX = 24  # of a map: a 6:1 strip goes twice into the column, a portrait four times
_MOST_HEIGHT_PX = 112


class Gallery(QWidget):
    """Title, choice of heads, legend and maps. Signal `page_wanted(head)`: a map was double-clicked."""

    page_wanted = Signal(object)

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gallery")
        self._model, self._controller = model, controller
        self._stale = True
        self._frame = model.frames.part(self, self._on_changed)
        self._scaled: tuple[tuple[GalleryMap, ...], float] = ((), 0.0)
        self._choice = GalleryMenu(model)
        self._place = PlaceLabel("galleryPlace")
        self._scale = GalleryScale()
        self._note = soft_text("galleryNote")
        tip = "Run again with the current settings: it keeps every head's maps"
        self._again = push_button("galleryRunAgain", "Run again", tip, spoken="Run again to see single heads")
        self._again.clicked.connect(self._on_again)
        self._tiles = TileGrid(model, controller)
        self._tiles.page_wanted.connect(self.page_wanted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACE)
        layout.addLayout(side_by_side(section_title("Maps at this token"), None, self._choice))
        layout.addLayout(side_by_side(self._place, self._scale))
        for widget in (self._tiles, self._note):
            layout.addWidget(widget)
        layout.addWidget(self._again, 0, Qt.AlignmentFlag.AlignLeft)
        self._listen()

    def _listen(self) -> None:
        model = self._model
        for signal in (
            model.view_changed, model.target_changed, model.regions_changed,
            model.grid_changed, model.picture_changed, model.chosen_changed, model.ranking_changed,
            model.cursor_changed, model.prompt_changed,
        ):  # fmt: skip
            signal.connect(self._on_changed)
        self._frame.follow(model.gallery_changed, model.run_changed, model.worker_changed)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what has changed while nobody looked."""
        super().showEvent(event)
        if self._stale:
            self._refresh()

    def _on_changed(self, *_: Any) -> None:
        self._stale = True
        if self.isVisible():
            self._refresh()

    def _refresh(self) -> None:
        self._stale = False
        self._frame.drop()
        model = self._model
        own = model.gallery_choice.own_scale
        maps = self._fitting_maps()
        highest = None if own else self._shared_end(maps)
        place = self._asked_place()
        there = bool(maps)
        self._place.show_place("mass on", place)
        self._scale.show_end(highest)
        self._place.setVisible(there)
        self._scale.setVisible(there)
        self._tiles.show_maps(maps, place, highest)
        self._note.setText("" if there else self._why_empty())
        self._note.setVisible(not there)
        self._again.setVisible(not there and self._is_not_kept() and not self._controller.runs.active)

    def _fitting_maps(self) -> tuple[GalleryMap, ...]:
        """The maps, unless they are still those of another picture or another grid."""
        grid, maps = self._model.grid, self._model.gallery
        if grid is None or self._model.picture is None:
            return ()
        return maps if all(len(values_P) == grid.n_tokens for _, values_P, _ in maps) else ()

    def _shared_end(self, maps: tuple[GalleryMap, ...]) -> float:
        """The bright end of one scale for these maps: found once, as most changes leave the maps alone."""
        if self._scaled[0] is not maps:
            self._scaled = maps, shared_end([values_P for _, values_P, _ in maps])
        return self._scaled[1]

    def _asked_place(self) -> PicturePlace:
        """What the figures are about: the target, or the whole picture where there is none."""
        region_id = self._model.target_region_id
        if not self._model.cells_of(region_id).size:
            region_id = None
        return place_of(self._model, region_id, "the whole picture")

    def _is_not_kept(self) -> bool:
        """Whether the run that is shown can tell of no single head any more."""
        shown = self._model.shown_steps()
        return shown is not None and not self._controller.maps.keeps(shown[0])

    def _on_again(self) -> None:
        shown = self._model.shown_steps()
        if shown is not None:
            self._controller.run("steered" if shown[0].side == "steered" else "baseline")

    def _why_empty(self) -> str:
        """What is missing, and what to do."""
        shown = self._model.shown_steps()
        if self._model.picture is None or not self._model.prompt.strip():
            return "Open a picture and write a prompt: the maps of its first token appear here."
        if shown is None:
            return "The maps appear as soon as the model has processed the picture."
        if self._is_not_kept():
            if shown[0].logged:
                return "The log keeps the chosen heads' mean map. Run it again to see single heads."
            return "The attention of this run is no longer in memory. Run it again to see its maps."
        if not len(self._model.chosen) and self._model.ranking is None:
            return "No head is chosen and no ranking is shown. Choose heads in the grid, or measure them."
        return "Computing the maps …"


class TileGrid(QWidget):
    """The maps in as many columns as the picture's shape allows."""

    page_wanted = Signal(object)

    def __init__(self, model: SessionModel, controller: RunController) -> None:
        super().__init__()
        self.setObjectName("galleryMaps")
        self.setAccessibleName("Attention maps of single heads")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._model, self._controller = model, controller
        self._tiles: list[MapTile] = []
        self._maps: tuple[GalleryMap, ...] = ()
        self._place, self._highest = PicturePlace(""), 0.0
        self._pinned: Head | None = None  # its map stays over the picture while nothing is pointed at
        self._pointing = False
        self._filled: tuple[tuple[GalleryMap, ...], object, tuple[object, ...]] | None = None
        self._painter: tuple[object, MapPainter] | None = None
        self._ground: tuple[object, Any] | None = None
        model.hovered_head_changed.connect(self._on_hovered)
        model.chosen_changed.connect(self._on_chosen)
        theme.changed.connect(self.update)

    def show_maps(self, maps: tuple[GalleryMap, ...], place: PicturePlace, highest: float | None) -> None:
        """Show some maps; highest: the bright end of the scale, None for each map's own."""
        self._maps = maps
        if self._pinned not in [head for head, _, _ in maps]:
            self._pin(None)
        self._place, self._highest = place, highest if highest is not None else -1.0
        self._lay_out()

    @property
    def tiles(self) -> tuple[MapTile, ...]:
        """Those that are shown."""
        return tuple(self._tiles[: len(self._maps)])

    @property
    def columns(self) -> int:
        """How many maps stand beside each other."""
        return columns_for(self._aspect(), self.width())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the maps to the new width."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._lay_out()

    def hideEvent(self, event: QHideEvent) -> None:
        """What is hidden points at nothing."""
        super().hideEvent(event)
        self._pin(None)
        if self._model.hovered_head in {tile.head for tile in self.tiles if tile.underMouse()}:
            self._model.hovered_head = None

    def _aspect(self) -> float:
        picture = self._model.picture
        return picture.size_px[0] / picture.size_px[1] if picture is not None else 1.0

    def _lay_out(self) -> None:
        """Place as many tiles as there are maps, and fill them."""
        while len(self._tiles) < len(self._maps):
            self._tiles.append(self._make_tile())
        columns = self.columns
        size = map_size(self._aspect(), self.width(), columns)
        pitch = QSize((self.width() + _GAP_PX) // columns, size.height() + LABEL_PX + theme.SPACE)
        for place, tile in enumerate(self._tiles):
            if place < len(self._maps):
                row, column = divmod(place, columns)
                tile.setGeometry(column * pitch.width(), row * pitch.height(),
                                 size.width(), size.height() + LABEL_PX)  # fmt: skip
                tile.setFocusPolicy(Qt.FocusPolicy.TabFocus if not place else Qt.FocusPolicy.NoFocus)
            tile.setVisible(place < len(self._maps))
        rows = -(-len(self._maps) // columns)
        self.setFixedHeight(max(0, rows * pitch.height() - theme.SPACE))
        self._fill(size)

    def _fill(self, size: QSize) -> None:
        grid, picture = self._model.grid, self._model.picture
        if not self._maps or grid is None or picture is None:
            return
        # Most of what the gallery listens to changes nothing here.
        rest = (self._place, self._highest, size, picture.sha256, self._model.chosen.heads,
                self._model.hovered_head, self.devicePixelRatioF())  # fmt: skip
        last = self._filled
        if last is not None and last[0] is self._maps and last[1] is grid and last[2] == rest:
            return
        self._filled = self._maps, grid, rest
        if self._painter is None or self._painter[0] is not grid:
            self._painter = grid, MapPainter(grid)
        painter, ratio = self._painter[1], self.devicePixelRatioF()
        key = (picture.sha256, size.width(), size.height(), ratio)
        if self._ground is None or self._ground[0] != key:
            self._ground = key, dimmed(picture.pixels_HW3, size, ratio)
        mixed = any(head not in self._model.chosen for head, _, _ in self._maps)
        for tile, (head, values_P, mass) in zip(self._tiles, self._maps, strict=False):
            before = tile.head
            highest = self._highest if self._highest >= 0 else float(values_P.max())
            image = TileImage(self._ground[1], painter.image(values_P, highest), painter.part)
            tile.outlined = mixed
            tile.setChecked(head in self._model.chosen)
            tile.show_map(self._words(head, mass, highest), image)
            tile.set_lit(self._model.hovered_head == head)
            if before != head and tile.underMouse() and self._model.hovered_head == before:
                self._model.hovered_head = head

    def _words(self, head: Head, mass: float, highest: float) -> TileText:
        figure = format_figure(mass)
        number = "" if self._place.number is None else f"{self._place.number} "
        chosen = "chosen" if head in self._model.chosen else "not chosen"
        sentence = f"{head}: {figure} of its attention on {number}{self._place.name}, {chosen}"
        return TileText(head, figure, sentence)

    def _make_tile(self) -> MapTile:
        tile = MapTile(self)
        tile.setToolTip(
            "This head's attention to the picture at the tokens that are shown.\n"
            "Point: its map over the picture. Click or Enter: keep it there until the next click.\n"
            "Double click: the page of the head. "
            "Ctrl+click: add the head to the choice, or remove it."
        )
        tile.pointed.connect(lambda here: self._on_pointed(tile, here))
        tile.page_wanted.connect(self.page_wanted)
        tile.taken.connect(lambda choose: self._on_clicked(tile.head, choose))
        tile.step_wanted.connect(lambda down, right: self._on_step(tile, down, right))
        return tile

    def _on_pointed(self, tile: MapTile, here: bool) -> None:
        self._pointing = True
        if here:
            self._model.hovered_head = tile.head
        elif self._model.hovered_head == tile.head:
            self._model.hovered_head = self._pinned
        self._pointing = False

    def _on_clicked(self, head: Head, choose: bool) -> None:
        """Keep the head's map over the picture, or let it go; with Ctrl change what is chosen."""
        if choose:
            notices.attempt(
                self._controller.model, lambda: self._controller.heads.toggle([head]), about="heads"
            )
        else:
            self._pin(None if head == self._pinned else head)

    def _pin(self, head: Head | None) -> None:
        before, self._pinned = self._pinned, head
        if head is not None:
            self._model.hovered_head = head
        elif before is not None and self._model.hovered_head == before:
            self._model.hovered_head = None

    def _on_step(self, tile: MapTile, down: int, right: int) -> None:
        place = self._tiles.index(tile) + down * self.columns + right
        if 0 <= place < len(self._maps):
            self._tiles[place].setFocus(Qt.FocusReason.TabFocusReason)

    def _on_hovered(self) -> None:
        if self._model.hovered_head != self._pinned and not self._pointing:
            self._pinned = None  # another part of the window points elsewhere
        for tile in self.tiles:
            tile.set_lit(tile.head == self._model.hovered_head)

    def _on_chosen(self) -> None:
        for tile in self.tiles:
            tile.setChecked(tile.head in self._model.chosen)


def shared_end(maps: Sequence[NDArray[np.float32]]) -> float:
    """The bright end of one scale for several maps: what a hundredth of their cells reach.

    Not the highest of all, or one head that stares at a single cell would leave the others dark.
    """
    if not maps:
        return 0.0
    cells = np.concatenate(maps)
    end = float(np.quantile(cells, _SHARED_QUANTILE))
    return end if end > 0 else float(cells.max())


def columns_for(aspect: float, width_px: int) -> int:
    """As many columns as leave a map its least height, four at most. aspect: the picture's width / height."""
    for columns in range(_MOST_COLUMNS, 1, -1):
        if (width_px - (columns - 1) * _GAP_PX) / columns / aspect >= _LEAST_HEIGHT_PX:
            return columns
    return 1


def map_size(aspect: float, width_px: int, columns: int) -> QSize:
    """A map's size in its column: the picture's shape, no higher than _MOST_HEIGHT_PX."""
    width = max(1, (width_px - (columns - 1) * _GAP_PX) // columns)
    height = max(1, round(width / aspect))
    if height <= _MOST_HEIGHT_PX:
        return QSize(width, height)
    return QSize(max(1, round(_MOST_HEIGHT_PX * aspect)), _MOST_HEIGHT_PX)
