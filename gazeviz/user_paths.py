"""Paths as people write them: `~`, names that no file system takes, folders where a file was meant.

Asking the system about such a path raises what no caller expects (a RuntimeError for an unknown user, an
OSError for a name over 255 bytes). Here each is a plain no, or a UserError.
"""

from __future__ import annotations

from pathlib import Path

from gazeviz.errors import UserError


def user_path(text: str | Path) -> Path:
    """Return a path with its `~` replaced.

    Raises UserError for the home of a user who does not exist, and for bytes that are no text.
    """
    try:
        str(text).encode()
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(
            f"There is no user whose home {text} could mean.", next_step="Write the path in full."
        ) from error
    except UnicodeEncodeError as error:
        raise UserError(
            f"The path {str(text)!a} is not valid UTF-8.",
            next_step="Rename the file, or call it from a folder whose name is text.",
        ) from error
    if "\0" in str(path):
        raise UserError("A path cannot hold a null character.", next_step="Check the path.")
    return path


def is_file(path: Path) -> bool:
    """Whether a path is a file; False also for names that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; False also for names that no folder can have."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
