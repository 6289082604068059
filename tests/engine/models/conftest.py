"""The tiny checkpoint that tests of loading share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.engine.fixtures.tiny_checkpoints import write_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3-VL as files."""
    return write_checkpoint(tmp_path_factory.mktemp("qwen3_vl"), "qwen3_vl")


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    return shutil.copytree(checkpoint, tmp_path / "copy")
