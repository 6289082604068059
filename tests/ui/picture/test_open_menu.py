"""Pictures come from the menu, the clipboard and drops; panels from layouts; a large one asks first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSettings, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit, QMenu

from gazeviz.app.runs.picture_opener import samples
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings
from gazeviz.ui.picture.open_menu import DropWindow, PictureMenu
from gazeviz.ui.picture.picture_commands import sample_text
from gazeviz.ui.shell.notice_bar import TokenQuestion
from gazeviz.ui.shell.session_commands import picture_offers
from tests.fakes.fake import FakeBackend
from tests.fakes.scripted import Script
from tests.patience import PatientBot
from tests.ui.fixtures.painting_stage import child_of


class MenuStage:
    """A window with a picture menu over a session with the scripted model."""

    def __init__(self, settings: AppSettings, qtbot: PatientBot) -> None:
        self.qtbot, self.settings, self.model = qtbot, settings, SessionModel()
        self.controller = RunController(self.model, lambda listener: FakeBackend(listener, Script()))
        self.window = DropWindow()
        qtbot.addWidget(self.window)
        self.menu = PictureMenu(self.model, self.controller, settings, self.window)
        self.window.take_drops(self.menu)
        self.question = TokenQuestion(self.model, self.controller, self.window)
        self.window.resize(800, 400)
        self.question.resize(800, 40)
        self.window.show()

    def until_shown(self, name: str) -> None:
        """Wait for the picture of that name."""
        self.qtbot.waitUntil(lambda: self.model.picture is not None and self.model.picture.name == name)

    def entries(self, name: str) -> dict[str, bool]:
        """What a submenu offers now, and what is checked."""
        menu = self.menu.findChild(QMenu, name)
        assert isinstance(menu, QMenu)
        menu.aboutToShow.emit()
        return {action.text(): action.isChecked() for action in menu.actions() if action.text()}

    def trigger(self, name: str, text: str) -> None:
        """Choose an entry of a submenu."""
        self.entries(name)
        menu = self.menu.findChild(QMenu, name)
        assert isinstance(menu, QMenu)
        next(action for action in menu.actions() if action.text().split(" · ")[0] == text).trigger()

    @property
    def notice(self) -> str:
        """The sentence that is shown."""
        return self.model.notice.sentence if self.model.notice is not None else ""

    @property
    def panels(self) -> list[str]:
        """The regions by name."""
        return [region.name for region in self.model.regions]


@pytest.fixture
def stage(tmp_path: Path, qtbot: PatientBot) -> Iterator[MenuStage]:
    settings = AppSettings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    stage = MenuStage(settings, qtbot)
    yield stage
    stage.controller.editor.undo_stack.clear()
    stage.controller.shutdown()


@pytest.fixture
def strip(tmp_path: Path) -> Path:
    """A strip of three panels with white gutters."""
    pixels_HW3 = np.full((64, 192, 3), 255, dtype=np.uint8)
    for number in range(3):
        pixels_HW3[4:60, number * 64 + 4 : number * 64 + 60] = np.random.default_rng(number).integers(
            0, 200, (56, 56, 3)
        )
    Image.fromarray(pixels_HW3).save(tmp_path / "strip.png")
    return tmp_path / "strip.png"


def test_an_opened_picture_is_a_recent_one(stage: MenuStage, strip: Path) -> None:
    assert list(stage.entries("pictureRecent")) == ["Clear recent files"]
    stage.menu.open_path(str(strip))
    stage.until_shown("strip.png")
    assert stage.settings.recent_pictures == (str(strip),)
    assert stage.settings.last_folder == str(strip.parent)
    assert list(stage.entries("pictureRecent")) == ["strip.png", "Clear recent files"]
    stage.trigger("pictureRecent", "Clear recent files")
    assert list(stage.entries("pictureRecent")) == ["Clear recent files"]


def test_a_folder_of_panels_is_a_strip_and_recent(stage: MenuStage, tmp_path: Path) -> None:
    folder = tmp_path / "panels"
    folder.mkdir()
    for number in (1, 2):
        Image.new("RGB", (40, 40), (90 * number, 80, 70)).save(folder / f"p{number}.png")
    stage.menu.open_path(str(folder))
    stage.until_shown("panels")
    assert stage.panels == ["Panel 1", "Panel 2"]
    assert stage.settings.recent_pictures == (str(folder),)


def test_a_picture_that_cannot_be_opened_is_not_remembered(
    stage: MenuStage, strip: Path, tmp_path: Path
) -> None:
    (tmp_path / "no.png").write_bytes(b"no picture")
    stage.menu.open_path(str(strip))
    stage.until_shown("strip.png")
    stage.menu.open_path(str(tmp_path / "no.png"))
    stage.qtbot.waitUntil(lambda: stage.notice != "")
    assert stage.settings.recent_pictures == (str(strip),)
    assert stage.model.picture is not None and stage.model.picture.name == "strip.png"


def test_samples_come_with_panels_and_captions_and_are_not_recent(stage: MenuStage) -> None:
    sample = samples()[0]
    stage.trigger("pictureSamples", sample_text(sample))
    stage.until_shown(sample_text(sample))
    assert stage.model.picture is not None and stage.model.picture.captions == sample.captions
    assert sample.layout is not None and len(stage.panels) == sample.layout.n
    assert stage.settings.recent_pictures == ()


def test_layouts_are_applied_and_the_present_one_is_checked(stage: MenuStage, strip: Path) -> None:
    stage.menu.open_path(str(strip))
    stage.until_shown("strip.png")
    assert stage.entries("pictureLayouts")["1 × 3"]
    stage.trigger("pictureLayouts", "2 × 2")
    assert len(stage.panels) == 4 and stage.entries("pictureLayouts")["2 × 2"]
    stage.trigger("pictureLayouts", "No panels")
    assert stage.panels == []
    stage.trigger("pictureLayouts", "Detect by the gutters")
    stage.qtbot.waitUntil(lambda: len(stage.panels) == 3)
    stage.controller.editor.undo()
    assert stage.panels == []


def test_any_layout_can_be_written(stage: MenuStage, strip: Path) -> None:
    stage.menu.open_path(str(strip))
    stage.until_shown("strip.png")
    stage.entries("pictureLayouts")
    line = child_of(stage.menu, "pictureLayoutText")
    assert isinstance(line, QLineEdit)
    QTest.keyClicks(line, "2x5")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert len(stage.panels) == 10
    stage.menu.apply_layout_text("two")
    assert "is no panel layout" in stage.notice and len(stage.panels) == 10


def test_a_photo_without_gutters_says_so(stage: MenuStage, tmp_path: Path) -> None:
    stage.menu.detect_panels()
    assert stage.notice == "There is no picture."
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    stage.menu.open_path(str(tmp_path / "photo.png"))
    stage.until_shown("photo.png")
    stage.menu.detect_panels()
    stage.qtbot.waitUntil(lambda: "no gutters" in stage.notice)


def test_a_picture_of_the_clipboard_is_pasted(stage: MenuStage, strip: Path) -> None:
    image = QImage(30, 20, QImage.Format.Format_RGB32)
    image.fill(QColor(12, 34, 56))
    QGuiApplication.clipboard().setImage(image)
    stage.menu.paste_action.trigger()
    stage.until_shown("Pasted picture")
    assert stage.model.picture is not None and stage.model.picture.pixels_HW3[3, 3].tolist() == [12, 34, 56]
    files = QMimeData()
    files.setUrls([QUrl.fromLocalFile(str(strip))])
    QGuiApplication.clipboard().setMimeData(files)
    stage.menu.paste()
    stage.until_shown("strip.png")


def test_a_clipboard_without_a_picture_says_so(stage: MenuStage) -> None:
    QGuiApplication.clipboard().setText("words")
    stage.menu.paste()
    assert stage.notice == "The clipboard holds no picture."


def enter(stage: MenuStage, data: QMimeData) -> bool:
    event = QDragEnterEvent(
        QPoint(9, 9),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    event.ignore()
    QApplication.sendEvent(stage.window, event)
    return event.isAccepted()


def test_a_dropped_file_is_opened(stage: MenuStage, strip: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(strip)), QUrl.fromLocalFile(str(strip.with_name("other.png")))])
    assert enter(stage, data) and stage.window.drop_hint.isVisible()
    QApplication.sendEvent(stage.window, QDragLeaveEvent())
    assert stage.window.drop_hint.isHidden()
    enter(stage, data)
    drop = QDropEvent(
        QPointF(9, 9),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(stage.window, drop)
    assert stage.window.drop_hint.isHidden() and "Only strip.png was opened" in stage.notice
    stage.until_shown("strip.png")


def test_words_and_other_files_are_not_taken(stage: MenuStage, tmp_path: Path) -> None:
    words, other = QMimeData(), QMimeData()
    words.setText("words")
    other.setUrls([QUrl.fromLocalFile(str(tmp_path / "model.safetensors")), QUrl("https://x.example/a.png")])
    assert not enter(stage, words) and not enter(stage, other)
    assert stage.window.drop_hint.isHidden()


def open_large(stage: MenuStage, tmp_path: Path) -> None:
    stage.controller.start()
    Image.new("RGB", (800, 600), (90, 80, 70)).save(tmp_path / "large.png")
    stage.menu.open_path(str(tmp_path / "large.png"))
    stage.qtbot.waitUntil(lambda: stage.model.grid is not None)


def question(stage: MenuStage) -> str:
    label = child_of(stage.question, "tokenQuestionText")
    assert isinstance(label, QLabel)
    return label.text()


def answer(stage: MenuStage, name: str) -> None:
    button = child_of(stage.question, name)
    assert isinstance(button, QAbstractButton)
    button.click()


def test_a_large_picture_asks_and_is_fed_larger(stage: MenuStage, tmp_path: Path) -> None:
    open_large(stage, tmp_path)
    grid = stage.model.grid
    assert grid is not None and stage.question.isVisible()
    assert f"to {grid.n_tokens} image tokens; at full size it would take about 1," in question(stage)
    answer(stage, "tokenQuestionAll")
    assert stage.question.isHidden() and (stage.model.max_image_tok or 0) > 1000
    stage.qtbot.waitUntil(lambda: stage.model.grid is not None and stage.model.grid.n_tokens > 1000)
    assert stage.question.isHidden()


def test_it_stays_small_where_that_is_the_answer(stage: MenuStage, tmp_path: Path, strip: Path) -> None:
    open_large(stage, tmp_path)
    QTest.keyClick(child_of(stage.question, "tokenQuestionKeep"), Qt.Key.Key_Escape)
    assert stage.question.isHidden() and stage.model.max_image_tok is None
    stage.menu.open_path(str(strip))
    stage.until_shown("strip.png")
    stage.menu.open_path(str(tmp_path / "large.png"))
    stage.until_shown("large.png")
    stage.qtbot.waitUntil(lambda: stage.model.grid is not None)
    assert stage.question.isHidden()


def test_the_answer_can_be_changed_in_the_menu(stage: MenuStage, tmp_path: Path) -> None:
    open_large(stage, tmp_path)
    answer(stage, "tokenQuestionAll")
    stage.qtbot.waitUntil(lambda: stage.model.grid is not None and stage.model.grid.n_tokens > 1000)
    entries = stage.entries("pictureTokens")
    assert list(entries.values()) == [False, True]
    stage.trigger("pictureTokens", "At most 64, as usual")
    assert stage.model.max_image_tok is None


def test_the_palette_can_do_all_of_it(stage: MenuStage, strip: Path) -> None:
    stage.menu.open_path(str(strip))
    stage.until_shown("strip.png")
    found = picture_offers(stage.model, stage.controller, stage.menu, stage.settings)
    named = {command.title: command for command in found}
    assert len(named) == len(found) and named["Panels 2 × 3"].enabled_when() is None
    named["Panels 2 × 3"].run()
    assert len(stage.panels) == 6
    named["No panels"].run()
    assert stage.panels == []
    named[f"Sample: {sample_text(samples()[1])}"].run()
    stage.until_shown(sample_text(samples()[1]))
