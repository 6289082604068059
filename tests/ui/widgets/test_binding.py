"""A control that mirrors a piece of the session."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QCheckBox, QSlider, QSpinBox

from gazeviz.app.session.session_model import SessionModel
from gazeviz.ui.widgets.binding import bind


def test_a_control_shows_the_session_and_sets_it(qtbot) -> None:
    model, box = SessionModel(), QCheckBox()
    qtbot.addWidget(box)
    bind(model, "show_cells", model.view_changed, box)
    assert not box.isChecked()
    model.show_cells = True
    assert box.isChecked()
    box.click()
    assert not model.show_cells


def test_whole_steps_do_not_round_what_the_session_holds(qtbot) -> None:
    model, slider = SessionModel(), QSlider()
    qtbot.addWidget(slider)
    slider.setRange(0, 100)
    bind(model, "overlay_opacity", model.view_changed, slider,
         shown=lambda share: round(share * 100), taken=lambda percent: percent / 100)  # fmt: skip
    model.overlay_opacity = 0.805
    assert (slider.value(), model.overlay_opacity) == (80, 0.805)
    slider.setValue(30)
    assert model.overlay_opacity == 0.3


def test_a_field_of_the_settings_and_a_control_that_is_gone(qtbot) -> None:
    model, box = SessionModel(), QSpinBox()
    box.setRange(2, 500)
    bind(model, "generation.max_new_tokens", model.generation_changed, box)
    before = model.generation
    box.setValue(77)
    assert model.generation.max_new_tokens == 77 and model.generation.sampling == before.sampling
    box.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    model.generation = before
