"""The prompts that steering is tried with."""

from __future__ import annotations

import subprocess
import sys

from gazeviz.domain.prompts import NARRATION, PRESETS
from gazeviz.domain.steering import SCOPES


def test_every_preset_can_be_found_and_told_apart():
    assert [preset.key for preset in PRESETS.values()] == list(PRESETS)
    presets = PRESETS.values()
    for texts in ([preset.name for preset in presets], [preset.wording for preset in presets]):
        assert len(set(texts)) == len(PRESETS)
    assert all(preset.scope in SCOPES and preset.new_tok > 1 for preset in PRESETS.values())


def test_a_narration_is_as_long_as_its_panels_ask_for():
    assert NARRATION.length_tok(6) == 6 * NARRATION.new_tok
    assert NARRATION.length_tok(0) == NARRATION.new_tok
    assert PRESETS["main_event"].length_tok(6) == 15


def test_the_command_line_can_read_them_without_numpy():
    code = "import gazeviz.domain.prompts, sys; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
