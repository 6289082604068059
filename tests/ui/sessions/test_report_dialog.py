"""The report dialog: a preview first, formats and folder, writing, stopping, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QCheckBox, QLabel, QLineEdit, QPushButton, QTextBrowser, QWidget

from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.app.report.pdf import DrawnReport
from gazeviz.app.report.report_task import Preview, ReportRequest, Written
from gazeviz.app.session.settings import AppSettings
from gazeviz.domain.messages import GenerateSpec
from gazeviz.store import SessionStore
from gazeviz.ui.sessions.report_dialog import ReportDialog, about_preview, place_words, written_words
from tests.store.samples import plain_step, tiny_info

_Widget = TypeVar("_Widget", bound=QWidget)


@pytest.fixture
def store(tmp_path: Path):
    store = SessionStore(tmp_path / "log.db")
    session_id = store.open_session("Cats <b>")
    store.save_model(tiny_info())
    for prompt in ("What is it?", "And <script>this</script>?"):
        run_id = store.run_created("baseline", GenerateSpec("ab" * 32, prompt), tiny_info())
        for index in range(3):
            store.step_appended(run_id, plain_step(index, 0))
        store.run_ended(run_id, "cancelled", None, "It was stopped.").result()
    assert session_id == 1
    yield store
    store.close()


@pytest.fixture
def dialog(store, qtbot, tmp_path):
    settings = AppSettings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    settings.last_folder = str(tmp_path)
    archive = LogBrowser(store)
    dialog = ReportDialog(archive, settings=settings)
    qtbot.addWidget(dialog)
    yield dialog
    dialog.close_work()
    archive.close()


def part(dialog: ReportDialog, kind: type[_Widget], name: str) -> _Widget:
    found = dialog.findChild(kind, name)
    assert isinstance(found, kind), name
    return found


def until_previewed(qtbot, dialog: ReportDialog) -> str:
    about = part(dialog, QLabel, "reportAbout")
    qtbot.waitUntil(lambda: about.toolTip().startswith(("Preview", "The preview")))
    return part(dialog, QTextBrowser, "reportPreview").toPlainText()


def test_the_preview_comes_first_and_follows_what_is_chosen(dialog, qtbot):
    dialog.show_runs([1])
    text = until_previewed(qtbot, dialog)
    assert "What is it?" in text and "script" not in text
    assert part(dialog, QLineEdit, "reportTitle").placeholderText() == "Run 1"
    dialog._what.chosen.emit("session")
    qtbot.waitUntil(
        lambda: "<script>this</script>" in part(dialog, QTextBrowser, "reportPreview").toPlainText(),
    )
    title = part(dialog, QLineEdit, "reportTitle")
    assert dialog.request.run_ids == () and title.placeholderText() == "Cats <b>"
    qtbot.keyClicks(title, "My title")
    qtbot.waitUntil(lambda: "My title" in part(dialog, QTextBrowser, "reportPreview").toPlainText())


def test_paths_of_this_machine_are_told_only_where_that_is_ticked(dialog, store, qtbot):
    preview = part(dialog, QTextBrowser, "reportPreview")
    dialog.show_runs([1])
    assert str(store.path.parent) not in until_previewed(qtbot, dialog)
    part(dialog, QCheckBox, "reportPaths").setChecked(True)
    assert dialog.request.paths
    qtbot.waitUntil(lambda: str(store.path.parent) in preview.toPlainText())


def test_the_ticked_formats_are_written(dialog, qtbot, tmp_path):
    dialog.show_session(1)
    until_previewed(qtbot, dialog)
    part(dialog, QCheckBox, "reportHtml").setChecked(False)
    write = part(dialog, QPushButton, "reportWrite")
    assert not write.isEnabled() and part(dialog, QLabel, "reportThere").text() == "Tick a format."
    for name in ("reportCsv", "reportJson"):
        part(dialog, QCheckBox, name).setChecked(True)
    assert part(dialog, QLabel, "reportThere").text() == "The folder will be created."
    dialog.set_folder(str(tmp_path / "out"))
    qtbot.mouseClick(write, Qt.MouseButton.LeftButton)
    said = part(dialog, QLabel, "reportSaid")
    qtbot.waitUntil(lambda: said.text().startswith("Wrote"))
    assert said.text().startswith("Wrote report.json, runs.csv and tokens.csv.")
    assert said.text().endswith("The picture of this run was not logged.")
    assert (tmp_path / "out" / "report.json").exists()
    assert dialog.focusWidget() is write
    assert part(dialog, QPushButton, "reportShow").isVisible()
    assert "will be replaced: report.json, runs.csv" in part(dialog, QLabel, "reportThere").text()


def test_what_cannot_be_done_is_said_in_place(dialog, qtbot, tmp_path):
    (tmp_path / "file").write_text("no folder")
    dialog.show_runs([77])
    said = part(dialog, QLabel, "reportSaid")
    qtbot.waitUntil(lambda: "Run 77" in said.text())
    dialog.show_runs([1])
    assert said.text() == ""
    until_previewed(qtbot, dialog)
    dialog.set_folder(str(tmp_path / "file" / "out"))
    dialog.write()
    qtbot.waitUntil(lambda: "cannot be created" in said.text())
    assert part(dialog, QPushButton, "reportWrite").isEnabled()


def test_closing_forgets_the_preview_and_the_next_opening_draws_it(dialog, qtbot):
    dialog.show_runs([1])
    dialog.close()
    assert dialog.isHidden() and not dialog._reporting.previewing
    dialog.show_runs([2])
    assert "script" in until_previewed(qtbot, dialog)


def test_everything_has_a_name_and_says_what_it_does(dialog):
    controls = [
        widget
        for kind in (QPushButton, QCheckBox, QLineEdit, QTextBrowser)
        for widget in dialog.findChildren(kind)
        if widget.objectName().startswith("report")
    ]
    assert len(controls) > 10
    for widget in controls:
        assert isinstance(widget, QWidget)
        assert widget.accessibleName() and widget.toolTip(), widget.objectName()


def test_sentences(tmp_path):
    drawn = DrawnReport("", {}, 1)
    assert about_preview(Preview(ReportRequest((1,)), "t", 1, 1, drawn)) == "Preview of 1 run."
    many = Preview(ReportRequest(), "t", 4, 9, drawn, ("The picture is gone.",))
    assert about_preview(many).endswith(
        "first 4 of 9 runs; the report contains all of them. The picture is gone."
    )
    assert written_words(Written(tmp_path, (tmp_path / "a.html",))) == "Wrote a.html."
    files = (tmp_path / "report.md", tmp_path / "images" / "a.png", tmp_path / "images" / "b.png")
    assert written_words(Written(tmp_path, files)) == "Wrote report.md and 2 images."
    assert place_words(tmp_path, ("html",)) == ""
