"""Two to six runs side by side: texts with the words that differ, maps, curves, heads and settings."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QScrollArea,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.history.comparison import LETTERS, NONE, ComparedSetting, RunComparison, differing
from gazeviz.ui.compare.compare_heads import CompareHeads
from gazeviz.ui.compare.run_column import CompareColumn
from gazeviz.ui.compare.run_curves import ComparePlot
from gazeviz.ui.compare.shared import close_button, make_quiet
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.controls import (
    ColourScale,
    ElidedLabel,
    LabelledSlider,
    choice_button,
    hairline,
    named,
    push_button,
    soft,
)

# The settings of compared runs as a table.
#
# A row that differs has a sign and a ground, and the values that are not those of A are bold.


DIFFERS = "\N{NOT EQUAL TO}"


class CompareSettings(QTableWidget):
    """A row for each setting, those that differ first; a column for each run."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareSettings")
        self.setAccessibleName("Settings of the compared runs")
        make_quiet(self)
        self.setWordWrap(False)
        self._settings: Sequence[ComparedSetting] = ()
        theme.changed.connect(self._fill)

    def show_settings(self, settings: Sequence[ComparedSetting]) -> None:
        """Take the settings of two to six runs."""
        self._settings = sorted(settings, key=lambda setting: not setting.differs)
        self._fill()

    def _fill(self) -> None:
        n_runs = len(self._settings[0].values) if self._settings else 0
        self.setColumnCount(1 + n_runs)
        self.setRowCount(len(self._settings))
        self.setHorizontalHeaderLabels(["", *LETTERS[:n_runs]])
        for row, setting in enumerate(self._settings):
            sign = f"{DIFFERS} " if setting.differs else "= "
            self.setItem(row, 0, _item(sign + setting.name, setting.differs, strong=False))
            for place, text in enumerate(setting.values):
                strong = setting.keys[place] != setting.keys[0]
                self.setItem(row, 1 + place, _item(text, setting.differs, strong))
        header = self.horizontalHeader()
        for column in range(1 + n_runs):
            stretch = QHeaderView.ResizeMode.Stretch
            header.setSectionResizeMode(
                column, stretch if column else QHeaderView.ResizeMode.ResizeToContents
            )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy the chosen rows as lines with tabs, all where none is chosen."""
        if not event.matches(QKeySequence.StandardKey.Copy):
            super().keyPressEvent(event)
            return
        rows = sorted({index.row() for index in self.selectedIndexes()}) or range(len(self._settings))
        lines = [[self._settings[row].name, *self._settings[row].values] for row in rows]
        QGuiApplication.clipboard().setText("\n".join("\t".join(line) for line in lines))


def _item(text: str, differs: bool, strong: bool) -> QTableWidgetItem:
    colours = theme.current()
    item = QTableWidgetItem(text)
    item.setToolTip(text)
    item.setFont(theme.font_ui(12, 600 if strong else 400))
    item.setForeground(colours.ink if differs else colours.soft)
    if differs:
        ground = QColor(colours.accent)
        ground.setAlphaF(0.12)
        item.setBackground(ground)
    return item


_OWN_TARGET = ""
_NAMED = ("model", "picture", "prompt", "heads", "target", "strength", "mode", "scope", "sampling")
"""Settings that a person asks about first; the others are named where they differ."""
_MAP_SHARE = 0.2
_MAP_PX = (34, 150)


class CompareRuns(QWidget):
    """Shows one RunComparison at a time. Everything follows one token, kept while runs are exchanged."""

    open_wanted = Signal(int)
    report_wanted = Signal(tuple)
    back_wanted = Signal()
    close_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareRuns")
        self._comparison: RunComparison | None = None
        self._reference, self._token, self._region = 0, 0, _OWN_TARGET
        self._columns: list[CompareColumn] = []
        self._abouts: tuple[str, ...] = ()
        self._plot, self._heads, self._settings = ComparePlot(), CompareHeads(), CompareSettings()
        self._plot.token_wanted.connect(self.show_token)
        self._make_header()
        self._make_columns_room()
        self._make_token_row()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self._header)
        layout.addWidget(hairline())
        layout.addWidget(self._room, 5)
        layout.addLayout(self._token_row)
        layout.addWidget(hairline())
        layout.addLayout(self._make_lower(), 4)

    # Putting together

    def _make_header(self) -> None:
        self._header = QHBoxLayout()
        self._header.setContentsMargins(16, 6, 12, 6)
        self._header.setSpacing(2 * theme.SPACE)
        self._title = named(QLabel(), "compareTitle")
        self._title.setProperty("role", "strong")
        self._different = named(ElidedLabel(), "compareDifferent")
        self._same = soft(named(ElidedLabel(), "compareSame"))
        self._back = push_button("compareBack", "All pairs", "Go back to the pairs of the two sessions")
        self._back.clicked.connect(self.back_wanted)
        self._back.hide()
        tip = "Write a report of these runs; a preview comes first"
        report = push_button("compareReport", "Report \N{HORIZONTAL ELLIPSIS}", tip)
        report.clicked.connect(self._on_report)
        for widget, stretch in (
            (self._back, 0), (self._title, 0), (self._different, 3), (self._same, 2), (report, 0),
            (close_button(self.close_wanted.emit), 0),
        ):  # fmt: skip
            self._header.addWidget(widget, stretch)

    def _make_columns_room(self) -> None:
        self._room = named(QScrollArea(), "compareColumns")
        self._room.setWidgetResizable(True)
        self._room.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._room.setMinimumHeight(120)
        self._room.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def _make_token_row(self) -> None:
        self._token_row = QHBoxLayout()
        self._token_row.setContentsMargins(16, 2, 16, 6)
        self._token_row.setSpacing(4 * theme.SPACE)
        self._slider = LabelledSlider(
            "compareToken", "Token", 0, 0, "Token shown in all texts, maps and curves"
        )
        self._slider.value_chosen.connect(self.show_token)
        self._scale = ColourScale("compareScale")
        self._scale.setToolTip("Attention per cell, mean of the watched heads; one scale for all maps")
        self._scale.setFixedWidth(190)
        self._token_row.addWidget(self._slider, 1)
        self._token_row.addWidget(self._scale)

    def _make_lower(self) -> QHBoxLayout:
        lower = QHBoxLayout()
        lower.setSpacing(0)
        lower.addWidget(self._make_plot(), 5)
        lower.addWidget(hairline(vertical=True))
        lower.addLayout(self._make_details(), 5)
        return lower

    def _make_plot(self) -> QWidget:
        column, header = QVBoxLayout(), QHBoxLayout()
        column.setContentsMargins(16, 6, 8, 6)
        column.setSpacing(theme.SPACE)
        title = QLabel("Where the heads look")
        title.setProperty("role", "strong")
        self._about = soft(named(ElidedLabel(), "comparePlotAbout"))
        self._regions = choice_button(
            "compareRegion", "The region whose mass is drawn", ((_OWN_TARGET, "Own target"),), self._on_region
        )
        self._regions.setProperty("kind", "flat")
        for widget in (title, self._about, self._regions):
            header.addWidget(widget, int(widget is self._about))
        header.setSpacing(2 * theme.SPACE)
        column.addLayout(header)
        column.addWidget(self._plot, 1)
        self._plot_side = named(QWidget(), "comparePlotSide")
        self._plot_side.setLayout(column)
        return self._plot_side

    def _make_details(self) -> QVBoxLayout:
        column, header = QVBoxLayout(), QHBoxLayout()
        column.setContentsMargins(8, 6, 12, 6)
        column.setSpacing(theme.SPACE)
        self._details = QStackedWidget()
        self._choose_details = choice_button(
            "compareDetails", "What is compared here", (("heads", "Head sets"), ("settings", "Settings")),
            self._on_details,
        )  # fmt: skip
        self._choose_details.setProperty("kind", "flat")
        for widget in (self._heads, self._settings):
            self._details.addWidget(widget)
        header.addWidget(self._choose_details, 0, Qt.AlignmentFlag.AlignLeft)
        header.addWidget(self._heads.figures, 1)
        column.addLayout(header)
        column.addWidget(self._details, 1)
        return column

    # What is shown

    @property
    def comparison(self) -> RunComparison | None:
        """What is shown."""
        return self._comparison

    @property
    def token(self) -> int:
        """The token that is looked at."""
        return self._token

    def show_comparison(self, comparison: RunComparison, from_pairs: bool = False) -> None:
        """Show other runs. from_pairs: whether there is a list of pairs to go back to."""
        before = self._comparison
        self._comparison = comparison
        if before is None or [run.id for run in before.runs] != [run.id for run in comparison.runs]:
            self._reference = 0
        self._back.setVisible(from_pairs)
        self._show_summary(comparison)
        self._fill_columns(comparison)
        self._offer_regions(comparison)
        self._heads.show_heads(comparison.heads)
        self._settings.show_settings(comparison.settings)
        last = max(0, comparison.n_tok - 1)
        self._slider.set_range(0, last)
        self._slider.setEnabled(comparison.n_tok > 0)
        self._show_curves()
        self._show_marks()
        self.show_token(min(self._token, last))

    def _show_summary(self, comparison: RunComparison) -> None:
        self._title.setText(f"Compare {len(comparison.runs)} runs")
        different = differing(comparison.settings)
        differ_at_all = [setting.name for setting in comparison.settings if setting.differs]
        self._different.set_whole(f"different: {', '.join(different)}" if different else "nothing differs")
        same = [n for n in _NAMED if n not in differ_at_all and not _unused(comparison.settings, n)]
        self._same.set_whole(f"same: {', '.join(same)}" if same else "")

    def _fill_columns(self, comparison: RunComparison) -> None:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self._columns = [CompareColumn(comparison, place) for place in range(len(comparison.runs))]
        for column in self._columns:
            if column is not self._columns[0]:
                layout.addWidget(hairline(vertical=True))
            layout.addWidget(column, 1)
            column.token_wanted.connect(self.show_token)
            column.reference_wanted.connect(self._on_reference)
            column.open_wanted.connect(self.open_wanted)
        self._room.setWidget(row)
        self._room.setFrameShape(QFrame.Shape.NoFrame)
        self._fit_maps()

    def _offer_regions(self, comparison: RunComparison) -> None:
        names = comparison.region_names
        self._region = self._region if self._region in names else _OWN_TARGET
        with QSignalBlocker(self._regions):
            self._regions.set_options(((_OWN_TARGET, "Own target"), *((name, name) for name in names)))
        self._regions.set_current(self._region)

    def show_token(self, token: int) -> None:
        """Look at another token, everywhere."""
        self._token = token
        self._slider.set_value(token)
        self._plot.show_token(token)
        steps = [column.step_at(token) for column in self._columns]
        highest = max((float(step.map_P.max(initial=0.0)) for step in steps if step is not None), default=0.0)
        self._scale.set_ends(0.0, highest)
        for column in self._columns:
            column.show_token(token, highest)

    def _show_curves(self) -> None:
        if self._comparison is not None:
            curves = self._comparison.curves(self._region or None)
            self._plot.show_curves(curves, self._comparison.n_tok)
            self._abouts = tuple(curve.about for curve in curves)
            self._show_about()

    def _show_about(self) -> None:
        """What is drawn."""
        about = dict.fromkeys(about for about in self._abouts if about != NONE)
        what = f"mass on {', '.join(about)}" if about else "there were no regions during these runs"
        self._about.set_whole(f"{what}, by token" if about else what)

    def _show_marks(self) -> None:
        if self._comparison is None:
            return
        marked = self._comparison.different(self._reference)
        for place, column in enumerate(self._columns):
            own = place == self._reference
            overlap = None if own else self._comparison.overlap(place, self._reference)
            column.show_marks(marked[place], overlap)

    # What a person does

    def _on_reference(self, place: int) -> None:
        self._reference = place
        self._show_marks()

    def _on_region(self, name: str) -> None:
        self._region = name
        self._regions.set_current(name)
        self._show_curves()

    def _on_details(self, key: str) -> None:
        """Settings of many runs take all of the room."""
        self._choose_details.set_current(key)
        self._details.setCurrentWidget(self._settings if key == "settings" else self._heads)
        self._heads.figures.setVisible(key == "heads")
        self._plot_side.setVisible(key == "heads")

    def _on_report(self) -> None:
        if self._comparison is not None:
            self.report_wanted.emit(tuple(run.id for run in self._comparison.runs))

    # Room

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Maps take their share of the height."""
        super().resizeEvent(event)
        self._fit_maps()

    def _fit_maps(self) -> None:
        if not self._columns:
            return
        lowest, highest = _MAP_PX
        height_px = min(highest, max(lowest, self.height() * _MAP_SHARE))
        for column in self._columns:
            column.fit_map(height_px)


def _unused(settings: tuple[ComparedSetting, ...], name: str) -> bool:
    """Whether a setting is none of any run's."""
    return any(setting.name == name and set(setting.values) == {NONE} for setting in settings)
