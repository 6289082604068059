"""The log as a notebook asks it: a picture that the log alone has, by its digest.

Reads, and writes nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gazeviz.app import report_sources
from gazeviz.store.place import default_path
from gazeviz.store.reading import Reader


def logged_picture(sha256: str, log: str | Path | None = None) -> NDArray[np.uint8]:
    """Return a picture that runs of the log are about, uint8 (H, W, 3), with the pixels that they saw.

    log: its file; else what GAZEVIZ_LOG names, else the app's. Raises UserError where the log or the picture
    is not there, or has changed.
    """
    named = log or os.environ.get("GAZEVIZ_LOG")
    reader = Reader(Path(named).expanduser() if named else default_path())
    try:
        return report_sources.logged_picture(reader, sha256).pixels_HW3
    finally:
        reader.close()
