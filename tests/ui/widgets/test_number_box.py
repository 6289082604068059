"""Number boxes read and write one way in every country."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QLocale, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QSpinBox
from pytestqt.qtbot import QtBot

import gazeviz.ui
from gazeviz.ui.widgets.number_box import NumberBox, WholeNumberBox
from tests.app.fixtures.staging import Stage


@pytest.fixture(params=["de_DE", "en_US", "ar_EG", "C"])
def country(request: pytest.FixtureRequest) -> Iterator[str]:
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield request.param
    QLocale.setDefault(before)


def typed(box: QAbstractSpinBox, text: str) -> None:
    box.selectAll()
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Return)


@pytest.mark.parametrize(
    ("text", "value"), [("1.5", 1.5), ("1,5", 1.5), (".7", 0.7), (",7", 0.7), ("0.95", 0.95), ("2", 2)]
)
def test_point_and_comma_are_read_and_a_point_is_written(
    qtbot: QtBot, country: str, text: str, value: float
) -> None:
    box = NumberBox()
    qtbot.addWidget(box)
    box.show()
    typed(box, text)
    assert box.value() == value and box.text() == f"{value:.2f}"


def test_thousands_have_no_sign_and_none_is_taken_for_one(qtbot: QtBot, country: str) -> None:
    box = WholeNumberBox()
    qtbot.addWidget(box)
    box.setRange(0, 100_000)
    box.setValue(7)
    box.show()
    typed(box, "12345")
    assert box.value() == 12345 and box.text() == "12345"


def test_no_other_box_is_made_anywhere() -> None:
    """A QSpinBox of its own reads as the system's locale does."""
    folder = Path(gazeviz.ui.__file__).parent
    own = folder / "widgets" / "number_box.py"
    for path in folder.rglob("*.py"):
        text = path.read_text("utf-8")
        if path != own:
            assert "QSpinBox()" not in text and "QDoubleSpinBox()" not in text, path
            assert "(QSpinBox)" not in text and "(QDoubleSpinBox)" not in text, path


def test_every_box_of_the_window_reads_alike(stage: Stage, qtbot: QtBot, country: str) -> None:
    from gazeviz.ui.steering.prompt_bar import PromptBar

    bar = PromptBar(stage.model, stage.controller)
    qtbot.addWidget(bar)
    boxes = bar.findChildren(QDoubleSpinBox) + bar.findChildren(QSpinBox)
    assert boxes
    for box in boxes:
        assert isinstance(box, NumberBox | WholeNumberBox)
        assert box.locale().decimalPoint() == "."
