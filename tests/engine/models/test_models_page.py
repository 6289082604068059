"""The help page of families says what the tables and the trials say."""

from pathlib import Path

import pytest

from gazeviz.domain.model_files import PROVEN, REFUSED, TWINS
from tests.engine.models.models_page import PAGE, try_family


def rows_of(first: str) -> list[str]:
    return [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| {first} |")]


def test_every_family_has_its_row() -> None:
    assert all(rows_of(name) for name in (*PROVEN, *REFUSED, *TWINS))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qwen3_vl", "gemma3", "paligemma"])
def test_a_row_is_what_a_trial_gives(name: str, tmp_path: Path) -> None:
    assert rows_of(name) == [try_family(name, tmp_path).row]
