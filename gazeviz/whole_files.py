"""Files that are there whole or not at all: written beside their place, then put there by one rename."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gazeviz.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file of the same suffix to write, which takes the place of `path` at the end; OSErrors.

    Where anything is raised, what was there stays as it was, and nothing lies beside it.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    unfinished = Path(name)
    try:
        yield unfinished
        unfinished.chmod(0o644)  # mkstemp makes it private; what is written is there to be shared
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def written_whole(path: Path, what: str) -> Iterator[Path]:
    """As `replacing`, for a person; UserError where the file cannot be written. what: it is, in a word."""
    try:
        with replacing(path) as unfinished:
            yield unfinished
    except OSError as error:
        raise UserError(
            f"The {what} could not be written to {path}: {error.strerror or error}.",
            next_step="Choose a folder that exists, that you may write to, and that has space left.",
        ) from error
