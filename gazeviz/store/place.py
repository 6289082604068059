"""Where the log is: one file for everything that a person does, unless another one is named."""

from __future__ import annotations

from pathlib import Path

from gazeviz.resources import data_folder
from gazeviz.store.arrays import DEFAULT_NAME


def default_path() -> Path:
    """Return `sessions/gazeviz.db` of a checkout, else the one in the user's data folder."""
    return data_folder() / DEFAULT_NAME
