"""The Evaluate tab: the paper's experiments and one's own, what they came to, and every answer.

Loading this module loads pyqtgraph. Running and reading belong to the app.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QProgressBar,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.evaluate.answer_opening import AnswerOpener
from gazeviz.app.evaluate.evaluations import Evaluations, ExperimentPlan, ExperimentRow, plan_again, plan_for
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session import notices
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Notice
from gazeviz.domain.experiments.results import EvaluationResult
from gazeviz.domain.messages import ModelInfo
from gazeviz.domain.wording import format_duration
from gazeviz.errors import UserError
from gazeviz.ui.evaluate.answer_table import FILTERS, TEXT_COLUMN, AnswerModel
from gazeviz.ui.evaluate.result_plots import ResultPlot
from gazeviz.ui.widgets.controls import ChoiceButton, named, push_button, section_title, soft_text

# Two lines of fields, each with its share of the line: the list of all controls is the longest text by far.
_FORM: Final = (
    (("name", "Name", 4), ("pictures", "Picture set", 4), ("heads", "Heads", 3),
     ("protocol", "Protocol", 3), ("strength", "Strength", 2)),
    (("controls", "Controls", 12), ("sweep", "Sweep", 3), ("judge", "Judge", 3)),
)  # fmt: skip
_FIELDS: Final = tuple((key, label) for line in _FORM for key, label, _ in line)
_VIEWS: Final = (("conditions", "By condition"), ("panels", "By panel"))
_BESIDE_PX: Final = 8
_MARKS: Final = {"not run": "○", "running": "●", "paused": "Ⅱ", "done": "✓", "failed": "!"}


class EvaluateView(QWidget):
    """Experiments, results and answers. explore_wanted: an answer is shown in Explore."""

    explore_wanted = Signal()

    def __init__(
        self,
        model: SessionModel,
        controller: RunController,
        evaluations: Evaluations,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("evaluate")
        self._model, self._controller, self._evaluations = model, controller, evaluations
        self._rows: tuple[ExperimentRow, ...] = ()
        self._result: EvaluationResult | None = None
        self._wanted = "all"
        self._plan = ExperimentPlan("my experiment")
        self.list = named(QListWidget(), "experimentList")
        self.list.setAccessibleName("Experiments")
        self.fields = {key: named(QLineEdit(), f"plan_{key}") for key, _ in _FIELDS}
        self.title, self.status = section_title(""), soft_text("evaluationStatus")
        self.sentence = soft_text("evaluationSentence")
        self.progress = named(QProgressBar(), "evaluationProgress")
        self.run_button = push_button("evaluationRun", "Run", "Run this experiment, or go on with it")
        self.plot, self.answers = ResultPlot(), AnswerModel()
        self.view = ChoiceButton("resultView", "Show", _VIEWS)
        self._opener = AnswerOpener(controller, self)
        self.filter = ChoiceButton("answerFilter", "Answers", FILTERS)
        self.verdict = named(QLineEdit(), "answerVerdict")
        self._put_together()
        self._connect()

    def _put_together(self) -> None:
        whole = QSplitter(Qt.Orientation.Horizontal)
        for part, width in ((self._left(), 260), (self._middle(), 640), (self._right(), 380)):
            whole.addWidget(part)
            part.setMinimumWidth(width * 3 // 4)
        whole.setSizes([260, 640, 380])
        whole.setStretchFactor(1, 2)
        whole.setStretchFactor(2, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.addWidget(whole)

    def _left(self) -> QWidget:
        new = push_button("newExperiment", "New", "Write an experiment of your own")
        new.clicked.connect(self.new)
        note = soft_text(
            "paperNote",
            "Paper: Qwen3-VL-8B. Another model on other pictures: compare the order, not the digits.",
        )
        return _column(section_title("Experiments"), new, self.list, note, beside=True)

    def _middle(self) -> QWidget:
        form = QWidget()
        rows = QVBoxLayout(form)
        rows.setContentsMargins(0, 0, 0, 0)
        for fields in _FORM:
            line = QHBoxLayout()
            for key, label, share in fields:
                self.fields[key].setAccessibleName(label)
                self.fields[key].setPlaceholderText("none" if key in ("sweep", "controls") else label)
                line.addWidget(_column(soft_text(f"label_{key}", label), self.fields[key]), share)
            rows.addLayout(line)
        save = push_button("evaluationExport", "Save figure ...", "Save as SVG, PDF, PNG or CSV")
        save.clicked.connect(self.save_figure)
        buttons = QWidget()
        line = QHBoxLayout(buttons)
        line.setContentsMargins(0, 0, 0, 0)
        kept = self.progress.sizePolicy()
        kept.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(kept)
        line.addWidget(self.run_button)
        line.addWidget(self.progress, 1)
        line.addWidget(self.view)
        line.addWidget(save)
        return _column(self.title, form, buttons, self.status, self.plot, self.sentence, beside=True)

    def _right(self) -> QWidget:
        self.table = named(QTableView(), "answerTable")
        self.table.setAccessibleName("Answers")
        self.table.setModel(self.answers)
        self.table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(TEXT_COLUMN, QHeaderView.ResizeMode.Stretch)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verdict.setPlaceholderText("About region (number, or none), Enter")
        self.verdict.setAccessibleName("Judge the selected answer: the region that it is about, or none")
        return _column(section_title("Answers"), self.filter, self.table, self.verdict, beside=True)

    def _connect(self) -> None:
        self._evaluations.changed.connect(self._list)
        self._evaluations.result_found.connect(self._show_result)
        self._evaluations.failed.connect(self._say)
        self.list.currentRowChanged.connect(self._choose)
        self.run_button.clicked.connect(self.run_or_pause)
        self.filter.chosen.connect(self._filter)
        self.verdict.returnPressed.connect(self._judge)
        self.table.activated.connect(self._open)
        self.view.chosen.connect(self._show_view)
        self._opener.opened.connect(self.explore_wanted)
        self._opener.failed.connect(self._say)
        self._list()
        self.list.setCurrentRow(0)

    # The list

    def _list(self) -> None:
        before, self._rows = self.row, self._evaluations.rows()
        while self.list.count() < len(self._rows):
            self.list.addItem(QListWidgetItem())
        while self.list.count() > len(self._rows):
            self.list.takeItem(self.list.count() - 1)
        for place, row in enumerate(self._rows):
            item = self.list.item(place)
            item.setText(f"{_MARKS.get(row.state, '!')}  {row.title}\n     {self._line(row)}")
            item.setSizeHint(QSize(0, 44))
        now = self.row
        if before is not None and now is not None and before.stored is None and now.stored is not None:
            self._fill(plan_again(now.stored))  # it was begun since, here or elsewhere
        self._show_state()

    def _line(self, row: ExperimentRow) -> str:
        parts = [row.ours if row.ours and row.state == "done" else row.state]
        if row.ours and row.state != "done":
            parts.append(row.ours)
        if row.stored is not None and row.state != "done":
            parts.append(f"{row.stored.n_done} of {row.stored.n_items}")
        if row.paper is not None and row.paper.published:
            parts.append(f"paper {max(row.paper.published.values()):g} ({row.paper.shows})")
        return " · ".join(parts)

    @property
    def row(self) -> ExperimentRow | None:
        """The experiment that is chosen; None while a new one is written."""
        place = self.list.currentRow()
        return self._rows[place] if 0 <= place < len(self._rows) else None

    def _choose(self, _place: int) -> None:
        row = self.row
        self._show_result(None)
        if row is None:
            return
        if row.stored is not None:
            self._fill(plan_again(row.stored))
        elif row.paper is not None:
            self._fill(plan_for(row.paper, "builtin:100@7", "mass:10"))
        self._evaluations.watch(row.name)
        self._show_state()

    def new(self) -> None:
        self.list.setCurrentRow(-1)
        self._fill(ExperimentPlan("my experiment", pictures="builtin:20@7"))
        self.fields["name"].selectAll()
        self.fields["name"].setFocus()
        self._show_state()

    def _fill(self, plan: ExperimentPlan) -> None:
        self._plan = plan
        for key, _ in _FIELDS:
            value = ";".join(plan.sweep) if key == "sweep" else getattr(plan, key)
            self.fields[key].setText(str(value))
            self.fields[key].setCursorPosition(0)

    def plan(self) -> ExperimentPlan:
        """What the fields say, and beside them what the experiment that they were filled from says."""
        told: dict[str, Any] = {key: field.text().strip() for key, field in self.fields.items()}
        sweep = tuple(part.strip() for part in told.pop("sweep").split(";") if part.strip())
        name = told.pop("name") or "my experiment"
        return replace(self._plan, name=name, **told, sweep=sweep)

    # Running

    def run_or_pause(self) -> None:
        """Pause what this window computes; else run, or go on with, what the fields say."""
        if self._evaluations.running:
            self._evaluations.pause()
            return
        notices.attempt(self._model, self._run, "evaluate")

    def _run(self) -> None:
        info = self._model.model_info
        if info is None:
            raise UserError("There is no model yet.", next_step="Open one: Ctrl+M.")
        if self._controller.place is not None:
            raise UserError(
                f"The model is at {self._controller.place}, and evaluations run on this computer.",
                next_step="Load the model here, or run gazeviz evaluate on that machine.",
            )
        if info.device.startswith("cpu") or not self._controller.loader.loaded or self._may_load_again(info):
            plan = self.plan()
            self._evaluations.start(plan, str(info.path))
            self._evaluations.watch(plan.name)
            self._show_state()

    def _may_load_again(self, info: ModelInfo) -> bool:
        """Ask before a graphics card holds the model twice; returns whether to go on."""
        question = QMessageBox(self)
        question.setObjectName("secondCopyQuestion")
        question.setWindowTitle("gazeviz")
        question.setText(f"{info.name} is on {info.device} already; the evaluation loads a second copy.")
        question.setInformativeText("Unloading it here ends its answers' attention; texts are kept.")
        unload = question.addButton("Unload here, then run", QMessageBox.ButtonRole.AcceptRole)
        second = question.addButton("Load a second copy", QMessageBox.ButtonRole.AcceptRole)
        question.setDefaultButton(question.addButton("Cancel", QMessageBox.ButtonRole.RejectRole))
        question.exec()
        if question.clickedButton() is unload:
            return self._controller.go_to(None)
        return question.clickedButton() is second

    def _say(self, error: UserError) -> None:
        self._model.notice = Notice("error", error.sentence, error.next_step, "evaluate")

    def _show_state(self) -> None:
        row, running = self.row, self._evaluations.running
        stored = row.stored if row is not None else None
        self.title.setText(row.title if row is not None else "An experiment of your own")
        going_on = stored is not None and row is not None and row.state != "done"
        self.run_button.setText("Pause" if running else "Resume" if going_on else "Run")
        for field in self.fields.values():
            field.setReadOnly(stored is not None)
        self.progress.setVisible(stored is not None)
        words = ["Not run yet." if stored is None else f"{stored.n_done} of {stored.n_items} answers"]
        if stored is not None:
            self.progress.setRange(0, max(stored.n_items, 1))
            self.progress.setValue(stored.n_done)
            words.append(stored.message)
        if row is not None and row.seconds_left is not None:
            words.append(f"{format_duration(row.seconds_left)} left")
        if running and (row is None or row.name != running):
            words.append(f"“{running}” is running")
        self.status.setText(" · ".join(word for word in words if word))

    # Results

    def _show_result(self, result: EvaluationResult | None) -> None:
        if result is not None and self.row is not None and result.spec.name != self.row.name:
            return
        self._result = result
        self.plot.show_result(result, self.row.paper if self.row is not None else None)
        self.answers.show_answers(result, self._wanted)
        self.sentence.setText(_sentence(result))

    def _show_view(self, view: str) -> None:
        self.view.set_current(view)
        self.plot.show_by_panel(view == "panels")

    def _filter(self, wanted: str) -> None:
        self._wanted = wanted
        self.filter.set_current(wanted)
        self.answers.show_answers(self._result, wanted)

    def _judge(self) -> None:
        rows = self.table.selectionModel().selectedRows()
        text = self.verdict.text().strip().lower()
        if self._result is None or not rows:
            self._say(UserError("No answer is selected.", next_step="Click one in the table."))
            return
        item = self.answers.items[rows[0].row()]
        if text != "none" and not (text.isdecimal() and 1 <= int(text) <= item.n_regions):
            self._say(
                UserError(f"“{text}” is no region.", next_step=f"Write 1 to {item.n_regions}, or none.")
            )
            return
        self._evaluations.judge(self._result, item, None if text == "none" else int(text) - 1)
        self.verdict.clear()

    def _open(self, index: QModelIndex) -> None:
        if self._result is None:
            return
        try:
            self._opener.open(self._result, self.answers.items[index.row()])
        except UserError as error:
            self._say(error)

    def close_answers(self) -> None:
        """Open no more answers; waits for the one that is being opened."""
        self._opener.close()

    def save_figure(self) -> None:
        if self._result is None:
            self._say(UserError("There is no result yet.", next_step="Run the experiment first."))
            return
        name, _ = QFileDialog.getSaveFileName(
            self, "Save figure", "evaluation.svg", "Figures and data (*.svg *.pdf *.png *.csv)"
        )
        if name:
            notices.attempt(self._controller.model, lambda: self.export(Path(name)), "evaluate")

    def export(self, path: Path) -> None:
        """Write the figure that is shown, or its data as CSV; UserErrors of figures and files."""
        from gazeviz.render import evaluation_figures
        from gazeviz.render.figures import save
        from gazeviz.whole_files import written_whole

        if self._result is None:
            raise UserError("There is no result yet.", next_step="Run the experiment first.")
        if path.suffix.lower() == ".csv":
            with written_whole(path, "data") as unfinished:
                unfinished.write_text(evaluation_figures.data_of(self._result), encoding="utf-8")
        else:
            name = "curve" if self._result.spec.axes else "accuracy"
            save(evaluation_figures.draw(self._result, name), path)

    # Looking at the log only while somebody looks at the tab

    def showEvent(self, event: QShowEvent) -> None:
        """Read the log from now on."""
        super().showEvent(event)
        self._evaluations.show(True)

    def hideEvent(self, event: QHideEvent) -> None:
        """Read it no more than a running evaluation needs."""
        super().hideEvent(event)
        self._evaluations.show(False)


def _sentence(result: EvaluationResult | None) -> str:
    """What the figures come to, in words."""
    gaze = result.best_setting() if result is not None else None
    if result is None or gaze is None:
        return "Results appear with the first answers."
    low, high = gaze.interval
    words = f"{gaze.name}: {100 * gaze.accuracy:.0f} % about the target [{100 * low:.0f}, {100 * high:.0f}]"
    draws = result.draws(gaze.condition.at)
    if draws:
        below = sum(draw.accuracy < gaze.accuracy for draw in draws)
        words += f"; above {below} of {len(draws)} random draws"
    if gaze.mass_before is not None and gaze.mass_after is not None:
        words += f"; mass on target {gaze.mass_before:.2f} → {gaze.mass_after:.2f}"
    return f"{words}."


def _column(*parts: QWidget, beside: bool = False) -> QWidget:
    whole = QWidget()
    layout = QVBoxLayout(whole)
    layout.setContentsMargins(*([_BESIDE_PX, 0] * 2 if beside else [0] * 4))
    for part in parts:
        layout.addWidget(part)
    return whole
