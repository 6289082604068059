"""The Evaluate tab: what it lists, shows of results while they come, filters, and takes from a person."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QProcess, Qt
from PySide6.QtWidgets import QMessageBox

from gazeviz.app.evaluate.evaluations import PERSON, Evaluations, ExperimentPlan, plan_again
from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.app.runs.model_loader import ModelLoader
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.domain.experiments.conditions import Condition, unsteered
from gazeviz.domain.experiments.picture_set import PictureSet, SetPicture, SetSource
from gazeviz.domain.experiments.plan import EvaluationItem, EvaluationSpec, ItemKey, Judgement
from gazeviz.domain.experiments.treatment import VQA, Treatment
from gazeviz.domain.heads import HeadOrigin, HeadSet
from gazeviz.domain.region import Region
from gazeviz.errors import UserError
from gazeviz.store import SessionStore
from gazeviz.store.evaluations import EvaluationLog
from gazeviz.ui.evaluate.evaluate_page import EvaluateView
from gazeviz.ui.widgets import theme
from tests.fakes.fake import FakeBackend
from tests.patience import PatientBot
from tests.store.samples import tiny_info

TEXTS = ("a cat", "a dog")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    store = SessionStore(tmp_path / "log.db")
    yield store
    store.close()


@pytest.fixture
def page(store: SessionStore, qtbot: PatientBot) -> Iterator[EvaluateView]:
    """The tab over a log with one half-done evaluation."""
    write_half_an_evaluation(store)
    archive, model = LogBrowser(store), SessionModel()
    controller, evaluations = RunController(model, FakeBackend), Evaluations(archive)
    page = EvaluateView(model, controller, evaluations)
    page.resize(1280, 700)
    page.show()
    qtbot.waitUntil(lambda: page.list.count() == 10)
    yield page
    page.close()
    evaluations.close()
    page.deleteLater()
    controller.shutdown()
    archive.close()


def write_half_an_evaluation(store: SessionStore, name: str = "mine") -> None:
    """Two regions, three conditions; of "gaze" one answer hits and one is the unsteered text."""
    regions = tuple(
        Region.box(f"Panel {k + 1}", (8 * k, 0, 8 * k + 8, 8), (16, 8), "#ff0000") for k in range(2)
    )
    source = SetSource.parse("builtin:1@7")
    pictures = PictureSet(source, (SetPicture(np.zeros((8, 16, 3), np.uint8), regions, "ab" * 32),))
    heads = HeadSet.of("L0H1", HeadOrigin("top", "mass", 1))
    gaze = Condition("gaze", "gaze", Treatment("top 1 of mass", heads))
    draw = replace(gaze, name="uniform 1", kind="uniform", draw=1)
    spec = EvaluationSpec(name, VQA, source, pictures.fingerprint, "f" * 64, (unsteered(), gaze, draw))
    log = EvaluationLog(store)
    number = log.begin(spec, pictures, 6)
    items, said = [], []
    for condition, texts in (("unsteered", (TEXTS[0],) * 2), ("gaze", (TEXTS[0], TEXTS[1]))):
        for target, text in enumerate(texts):
            key = ItemKey(0, condition, 0, target)
            same = condition == "gaze" and target == 0
            items.append(EvaluationItem(key, 2, text, TEXTS[0], unchanged=same))
            said.append(Judgement(key, "exact", TEXTS.index(text)))
    log.keep(number, items, said)
    log.end(number, "paused")


def open_mine(page: EvaluateView, qtbot: PatientBot) -> None:
    page.list.setCurrentRow(9)
    qtbot.waitUntil(lambda: page.answers.rowCount() == 4)


def test_the_papers_experiments_and_ones_own_are_listed(page: EvaluateView) -> None:
    assert page.list.item(0).text().splitlines()[1].strip() == "not run · paper 83.1 (figure 3)"
    assert "paused" in page.list.item(9).text() and "4 of 6" in page.list.item(9).text()
    assert page.plan().arguments("model", "log.db")[:3] == ["evaluate", "vqa", "--pictures=builtin:100@7"]


def test_half_an_evaluation_shows_what_there_is(page: EvaluateView, qtbot: PatientBot) -> None:
    open_mine(page, qtbot)
    assert page.run_button.text() == "Resume"
    assert "gaze: 50 % about the target" in page.sentence.text()
    assert page.progress.value() == 4 and page.status.text().startswith("4 of 6 answers")


def test_answers_are_filtered(page: EvaluateView, qtbot: PatientBot) -> None:
    open_mine(page, qtbot)
    for wanted, n in (("misses", 1), ("junk", 0), ("unchanged", 1), ("all", 4)):
        page.filter.chosen.emit(wanted)
        assert page.answers.rowCount() == n, wanted


def test_a_person_judges_an_answer(page: EvaluateView, store: SessionStore, qtbot: PatientBot) -> None:
    open_mine(page, qtbot)
    page.table.selectRow(3)
    qtbot.keyClicks(page.verdict, "3")
    qtbot.keyClick(page.verdict, Qt.Key.Key_Return)
    assert page._model.notice is not None and "is no region" in page._model.notice.sentence
    page.verdict.setText("none")
    qtbot.keyClick(page.verdict, Qt.Key.Key_Return)

    def judged() -> list[Judgement]:
        return [one for one in EvaluationLog(store).result("mine").judgements if one.judge == PERSON]

    qtbot.waitUntil(lambda: len(judged()) == 1)
    assert judged()[0].chosen is None


def test_figures_and_data_are_saved(page: EvaluateView, tmp_path: Path, qtbot: PatientBot) -> None:
    with pytest.raises(UserError, match="no result"):
        page.export(tmp_path / "none.svg")
    open_mine(page, qtbot)
    page.export(tmp_path / "figure.svg")
    page.export(tmp_path / "data.csv")
    assert "<svg" in (tmp_path / "figure.svg").read_text("utf-8")
    assert (tmp_path / "data.csv").read_text("utf-8").startswith("name,kind,heads")


def test_the_plan_of_a_stored_evaluation_is_found_again(store: SessionStore) -> None:
    write_half_an_evaluation(store)
    plan = plan_again(EvaluationLog(store).all()[0])
    assert plan == ExperimentPlan(
        "mine", "vqa", "builtin:1@7", "mass:1", "uniform:1", (), "exact", "8", stored=True
    )
    assert plan.arguments("m", "l") == ["resume", "--model=m", "--log=l", "--json", "--", "mine"]


def test_a_frozen_build_refuses_with_a_sentence(page: EvaluateView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(UserError, match="no Python"):
        page._evaluations.start(ExperimentPlan("x"), "model")
    assert page._evaluations.running == "" and page._evaluations.findChildren(QProcess) == []


def test_a_model_on_another_machine_is_refused(page: EvaluateView) -> None:
    page._model.model_info = tiny_info()
    page._controller.place = "ssh://there"
    page.run_or_pause()
    assert page._model.notice is not None and "ssh://there" in page._model.notice.sentence
    assert page._evaluations.running == ""


@pytest.mark.parametrize(("answer", "started"), [("Cancel", []), ("Load a second copy", ["/models/toy"])])
def test_a_second_copy_on_a_graphics_card_is_asked_for(
    page: EvaluateView, monkeypatch: pytest.MonkeyPatch, answer: str, started: list[str]
) -> None:
    page._model.model_info = replace(tiny_info(), device="cuda:0")
    monkeypatch.setattr(ModelLoader, "loaded", True)
    begun: list[str] = []
    monkeypatch.setattr(page._evaluations, "start", lambda plan, path: begun.append(path))

    def click(question: QMessageBox) -> int:
        assert "second copy" in question.text()
        next(button for button in question.buttons() if button.text() == answer).click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", click)
    page.run_or_pause()
    assert begun == started


def test_ours_stands_beside_the_papers(page: EvaluateView, qtbot: PatientBot) -> None:
    qtbot.waitUntil(lambda: "50 %" in page.list.item(9).text())
    assert "paused · 50 % · 4 of 6" in page.list.item(9).text()


def test_an_experiment_that_was_not_run_shows_its_rows_and_the_papers_figures(page: EvaluateView) -> None:
    page.list.setCurrentRow(0)
    item = page.plot.plot.getPlotItem()
    names = [name for _, name in item.getAxis("left")._tickLevels[0]]
    assert {"gaze", "uniform", "all", "unsteered"} <= set(names)
    shown = sorted(float(part.data["x"][0]) for part in item.items if isinstance(part, pg.ScatterPlotItem))
    assert shown == [0.9, 14.6, 83.1]


def test_an_experiment_that_was_begun_elsewhere_shows_its_own_settings(
    page: EvaluateView, store: SessionStore, qtbot: PatientBot
) -> None:
    assert page.fields["pictures"].text() == "builtin:100@7"
    write_half_an_evaluation(store, "paper vqa")
    page._evaluations.look()
    qtbot.waitUntil(lambda: page.fields["pictures"].text() == "builtin:1@7")
    assert page.fields["controls"].text() == "uniform:1" and page.fields["controls"].isReadOnly()


def test_a_sweep_is_drawn_with_its_bands(page: EvaluateView, qtbot: PatientBot) -> None:
    page.plot._band(page.plot.plot.getPlotItem(), [0, 1], [10.0, 20.0], [30.0, 50.0], theme.current().accent)
    band = next(one for one in page.plot.plot.getPlotItem().items if isinstance(one, pg.FillBetweenItem))
    assert band.path().boundingRect().height() == 40


def test_by_panel_shows_what_the_answers_to_each_target_are_about(
    page: EvaluateView, qtbot: PatientBot
) -> None:
    open_mine(page, qtbot)
    page.view.chosen.emit("panels")
    image = next(one for one in page.plot.plot.getPlotItem().items if isinstance(one, pg.ImageItem))
    assert image.image.T.tolist() == [[1, 0, 0], [0, 1, 0]]
    page.view.chosen.emit("conditions")
    assert not any(isinstance(one, pg.ImageItem) for one in page.plot.plot.getPlotItem().items)


def test_all_controls_can_be_read_in_a_small_window(page: EvaluateView, qtbot: PatientBot) -> None:
    """The list of every control fits its field where the window is 1280 wide."""
    page.new()
    field = page.fields["controls"]
    field.setText("uniform:10,layers:10,all,lowest,wrong-region,zero,prompt")
    wanted = field.fontMetrics().horizontalAdvance(field.text())
    qtbot.waitUntil(lambda: field.contentsRect().width() >= wanted)
