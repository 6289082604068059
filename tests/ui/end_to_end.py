"""The whole loop by hand, in the real window on the real built-in model; run as a program of its own.

    python -m tests.ui.end_to_end FOLDER    needs DISPLAY; writes pictures and what.json into FOLDER

Paints a rectangle over panel 6 of a sample strip, chooses the recommended heads, asks the ambiguous question;
then narrates and moves the target while the text streams.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication, QTableView, QWidget

from gazeviz.app.runs.picture_opener import samples
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.values import RunRecord
from gazeviz.commands import gui
from gazeviz.domain.prompts import NARRATION_PROMPT, OPEN_QUESTION
from gazeviz.store import SessionStore
from gazeviz.ui.shell.main_window import MainWindow
from gazeviz.ui.widgets import theme
from tests.ui.fixtures.screen_driver import Hand

PAINTED_PANEL = 5  # the sixth: left alone, the model describes another one
SIZES_PX = {"1280x800": (1280, 800), "1920x1080": (1920, 1080)}


def main(folder: Path) -> None:
    """Do it all, and write down what happened."""
    os.environ["XDG_CONFIG_HOME"] = str(folder / "settings")  # a first start, whoever runs this
    os.environ["GAZEVIZ_DATA"] = str(folder / "data")
    application = gui._application()
    window, controller = gui._window(application, "dark", SessionStore(folder / "log.db", program="gazeviz"))
    session = Session(window, controller, folder)
    window.resize(*SIZES_PX["1280x800"])
    window.move(0, 0)
    window.show()
    controller.start()
    gui._open_first(controller, None, None)
    window.begin()
    try:
        what = session.first_start() | session.steer_to_a_painted_rectangle() | session.move_the_target()
        session.show_looks(application)
        what |= session.look_at_the_log(application)
        what |= session.read_one_head(application)
        what |= session.knock_heads_out()
    finally:
        window.close()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "what.json").write_text(json.dumps(what, indent=1), encoding="utf-8")


class Session:
    """What a person does, step by step."""

    def __init__(self, window: MainWindow, controller: RunController, folder: Path) -> None:
        self._window, self._controller, self._folder = window, controller, folder
        self._model = controller.model
        self._hand = Hand(window)
        self._canvas = window.explore.canvas

    def first_start(self) -> dict[str, object]:
        """The window comes up with everything ready, and a tour that can be skipped."""
        model, hand = self._model, self._hand
        hand.until(lambda: model.worker_state == "ready" and model.grid is not None, "the model is ready")
        hand.until(lambda: model.map.values_P is not None, "a first map is there")
        hand.picture(self._folder / "first-start.png")
        hand.click("tourSkip")
        return {
            "regions": len(model.regions),
            "ranking": model.ranking_name,
            "captions": list(samples()[0].captions),
            "heads": len(model.chosen),
        }

    def steer_to_a_painted_rectangle(self) -> dict[str, object]:
        """A new region, a rectangle over panel 6, the best heads, the ambiguous question."""
        model, hand = self._model, self._hand
        hand.click("newRegion")
        hand.key("r")
        hand.drag(self._canvas, self._across_panel(PAINTED_PANEL))
        painted = model.regions.ids[-1]
        self._choose_top(10)
        hand.click("promptEdit")
        hand.key("ctrl+a")
        hand.type(OPEN_QUESTION)
        hand.click(self._canvas, QPointF(6, 6))
        hand.key(str(len(model.regions)))
        hand.key("v", "space")
        baseline, steered = self._ended("baseline"), self._ended("steered")
        hand.picture(self._folder / "painted.png")
        return {
            "painted_cells": model.cells_of(painted).tolist(),
            "panel_cells": model.cells_of(model.regions.ids[PAINTED_PANEL]).tolist(),
            "target_is_painted": model.target_region_id == painted,
            "baseline": baseline.text,
            "steered": steered.text,
            "audit": [steered.summary.audit.mass_before, steered.summary.audit.mass_after]
            if steered.summary and steered.summary.audit
            else None,
        }

    def move_the_target(self) -> dict[str, object]:
        """A narration steered to panel 2; while it streams, key 5 moves the target."""
        model, hand = self._model, self._hand
        self._choose_ranking("causal")
        self._choose_top(24)
        hand.click("promptEdit")
        hand.key("ctrl+a")
        hand.type(NARRATION_PROMPT)
        hand.click(self._canvas, QPointF(6, 6))
        hand.key("2")
        before = set(model.runs)
        hand.key("ctrl+Return")
        hand.until(lambda: set(model.runs) - before, "the narration is asked for")
        hand.until(lambda: len(self._shown("steered").steps) >= 6, "the narration streams")
        before_key = len(self._shown("steered").steps)
        hand.key("5")
        after_key = len(self._shown("steered").steps)
        record = self._ended("steered")
        hand.picture(self._folder / "narration.png")
        return {
            "asked_between": [before_key, after_key],
            "switches": [list(switch) for switch in record.switches],
            "tokens": [step.text for step in record.steps],
            "targets": [step.target for step in record.steps],
        }

    def show_looks(self, application: QApplication) -> None:
        """Pictures of both themes in two sizes, with a token under the cursor."""
        hand = self._hand
        hand.key("Left", "Left", "Left")
        for size, (width_px, height_px) in SIZES_PX.items():
            self._window.resize(width_px, height_px)
            for choice in ("dark", "light"):
                theme.apply(application, choice)
                hand.rest(0.5)
                hand.picture(self._folder / f"explore-{choice}-{size}.png")

    def look_at_the_log(self, application: QApplication) -> dict[str, object]:
        """All runs in the log, three compared, and one opened again as it was."""
        hand, model = self._hand, self._model
        self._window.resize(*SIZES_PX["1280x800"])
        texts = {record.id: record.text for record in model.runs.values() if record.side != "glance"}
        asked = {record.id: record.spec.prompt for record in model.runs.values()}
        hand.key("alt+2")
        table = self._window.sessions().browser.table
        hand.until(table.isVisible, "the list is shown")
        hand.until(lambda: table.model().rowCount() > len(texts), "the runs are listed")
        hand.rest(1.0)
        rows = range(1, table.model().rowCount())  # the first is the session's
        places = [QPointF(table.visualRect(table.model().index(row, 3)).center()) for row in rows]
        viewport = table.viewport()
        hand.click(viewport, places[0])
        hand.rest(0.5)
        hand.picture(self._folder / "sessions-light.png")
        hand.hold("ctrl", lambda: hand.click_all(viewport, places[1:]))
        hand.click("runCompare")
        hand.until(lambda: self._window.sessions().compare.shows, "the comparison is shown")
        hand.rest(1.0)
        for choice in ("light", "dark"):
            theme.apply(application, choice)
            hand.rest(0.5)
            hand.picture(self._folder / f"compare-{choice}.png")
        first = min(texts)
        self._reopen(table, first)
        reopened = self._shown("baseline")
        return {
            "listed": len(rows),
            "ran": len(texts),
            "reopened": [texts[first], reopened.text],
            "reopened_prompt": [asked[first], model.prompt],
        }

    def read_one_head(self, application: QApplication) -> dict[str, object]:
        """The best head's page by a double click: examples over four strips, a dot, and back."""
        hand, model = self._hand, self._model
        hand.until(lambda: model.worker_state == "ready", "the worker is free")
        assert model.ranking is not None
        head, chosen = model.ranking.order()[0], model.chosen
        grid = self._window.explore.head_panel.grid
        hand.double_click(grid, grid.view.box(head).center())
        hand.until(lambda: _child(self._window, "headPage").isVisible(), "the page is shown")
        hand.click("headPagePictures")
        hand.key("ctrl+a")
        hand.type("builtin:4@7")
        hand.click("headPageCollect")
        studies = self._controller.studies
        hand.until(lambda: studies.examples(head, "builtin:4@7"), "the examples are collected")
        hand.click("headPageMeasure")
        hand.until(lambda: studies.metrics("builtin:4@7"), "the heads are measured")
        for choice in ("light", "dark"):
            theme.apply(application, choice)
            hand.rest(0.5)
            hand.picture(self._folder / f"head-page-{choice}.png")
        examples = studies.examples(head, "builtin:4@7")
        assert examples is not None
        hand.click("headPageNext")
        walked = model.studied_head
        hand.click("headPageBack")
        hand.until(self._window.explore.isVisible, "the picture is shown again")
        return {
            "head_tokens": int(examples.masses_T.size),
            "head_examples": {group: len(examples.of(group)) for group in ("top", "middle", "low")},
            "head_walked": [str(model.ranking.order()[1]), str(walked)],
            "choice_kept": chosen.heads == model.chosen.heads,
        }

    def knock_heads_out(self) -> dict[str, object]:
        """Without a target, the chosen heads' outputs are replaced by zero, then by their means."""
        hand, model = self._hand, self._model
        hand.click(self._canvas, QPointF(6, 6))
        hand.key("0")
        hand.click("steerFold")
        self._choose_entry("steerMode", "knock out")
        texts = [self._steered_now().text]
        hand.click("knockOutPictures")
        hand.key("ctrl+a")
        hand.type("builtin:4@7")
        hand.click("knockOutMeasure")
        hand.until(lambda: model.steering.means is not None, "the means are measured")
        hand.until(lambda: model.worker_state == "ready", "the worker is free")
        record = self._steered_now()
        hand.picture(self._folder / "knocked-out.png")
        steering = record.spec.steering
        assert steering is not None
        return {
            "knocked_out": [*texts, record.text],
            "knock_out_mode": steering.mode,
            "knock_out_target": model.target_region_id,
            "knock_out_means": steering.means.measured_on if steering.means is not None else None,
        }

    def _steered_now(self) -> RunRecord:
        before = set(self._model.runs)
        self._hand.click(self._canvas, QPointF(6, 6))
        self._hand.key("ctrl+Return")
        self._hand.until(lambda: set(self._model.runs) - before, "a run is asked for")
        return self._ended("steered")

    def _choose_entry(self, button: str, text: str) -> None:
        self._hand.click(button)
        menu = QApplication.activePopupWidget()
        assert menu is not None, f"the menu {button} is open"
        action = next(action for action in menu.actions() if action.text() == text)
        self._hand.click(menu, QPointF(menu.actionGeometry(action).center()))  # type: ignore[attr-defined]

    def _reopen(self, table: QTableView, run_id: int) -> None:
        """Double-click the oldest run, which stands last."""
        hand = self._hand
        last = table.visualRect(table.model().index(table.model().rowCount() - 1, 3)).center()
        opened: list[int] = []
        self._window.sessions().explore_wanted.connect(lambda: opened.append(run_id))
        hand.click(table.viewport(), QPointF(last))
        hand.click("runOpen")
        hand.until(lambda: opened, "the run stands in Explore")
        hand.rest(0.5)
        hand.picture(self._folder / "reopened.png")

    # Pieces

    def _shown(self, side: str) -> RunRecord:
        record = self._model.run_of(side)  # type: ignore[arg-type]
        assert record is not None
        return record

    def _ended(self, side: str) -> RunRecord:
        self._hand.until(
            lambda: (record := self._model.run_of(side)) is not None and record.ended,  # type: ignore[arg-type]
            f"the {side} run ends",
        )
        return self._shown(side)

    def _choose_top(self, n: int) -> None:
        number = self._hand.find("topKNumber")
        self._hand.click(number)
        self._hand.key("ctrl+a")
        self._hand.type(str(n))
        self._hand.key("Return")
        self._hand.until(lambda: len(self._model.chosen) == n, f"{n} heads are chosen")

    def _choose_ranking(self, name: str) -> None:
        hand = self._hand
        hand.click("rankingMenu")
        menu = QApplication.activePopupWidget()
        assert menu is not None, "the ranking menu is open"
        action = next(action for action in menu.actions() if action.text() == name)
        hand.click(menu, QPointF(menu.actionGeometry(action).center()))  # type: ignore[attr-defined]
        hand.until(lambda: self._model.ranking_name == name, f"the ranking {name} is shown")

    def _across_panel(self, place: int) -> list[QPointF]:
        """From one corner of a panel to the other, a little inside, on the canvas."""
        region = self._model.regions.of(self._model.regions.ids[place])
        x0, y0, x1, y1 = _box(region.mask_HW)
        corners = ((x0 + 3, y0 + 3), ((x0 + x1) / 2, (y0 + y1) / 2), (x1 - 3, y1 - 3))
        return [self._canvas.view.to_screen(corner) for corner in corners]


def _box(mask_HW: object) -> tuple[int, int, int, int]:
    import numpy as np

    rows, columns = np.nonzero(np.asarray(mask_HW))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def _child(window: QWidget, name: str) -> QWidget:
    found = window.findChild(QWidget, name)
    assert found is not None
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
