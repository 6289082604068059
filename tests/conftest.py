"""What every test shares: no network, no screen, one thread of arithmetic, the same random numbers."""

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "agg"

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from tests.patience import PatientBot

if TYPE_CHECKING:
    from tests.kept_log import Kept


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> PatientBot:
    """The robot that works the widgets, and waits longer than pytest-qt's own."""
    return PatientBot(request)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def _scratch_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of commands that no test looks at."""
    return tmp_path_factory.mktemp("log") / "gazeviz.db"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, _scratch_log: Path) -> Iterator[None]:
    """A person's own settings of gazeviz never change a test, and no test writes into their log."""
    for name in [name for name in os.environ if name.startswith("GAZEVIZ_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GAZEVIZ_LOG", str(_scratch_log))
    yield


@pytest.fixture(autouse=True)
def _cycles_are_freed_in_this_thread() -> Iterator[None]:
    """A widget that another thread's allocation frees can crash the interpreter: app.session.garbage."""
    gc.disable()
    yield
    gc.collect(0)  # what this test made: nothing of it has been looked at yet, so all of it is young
    gc.enable()


@pytest.fixture(scope="session")
def untrained_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the built-in model's architecture, smaller, and random weights: says nothing."""
    from gazeviz.testbed.training.model import build_model, save_pretrained

    folder = tmp_path_factory.mktemp("models") / "untrained"
    small = {"num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 4}
    save_pretrained(folder, build_model({"text_config": small}))
    return folder


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory, untrained_model: Path) -> Iterator["Kept"]:
    """A log with runs of every kind in it."""
    from tests.kept_log import Kept

    kept = Kept(tmp_path_factory.mktemp("kept"), untrained_model)
    yield kept
    kept.reader.close()


@pytest.fixture
def fresh_logging() -> Iterator[None]:
    """Undo what starting the log changes: handlers, levels and captured warnings."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    for name in ("gazeviz", "py.warnings", *_OUTSIDERS):
        logging.getLogger(name).setLevel(logging.NOTSET)


_OUTSIDERS = ("transformers", "torch", "PIL", "matplotlib", "huggingface_hub", "filelock", "urllib3")
