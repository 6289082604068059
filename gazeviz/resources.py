"""Finds what ships with gazeviz (built-in model, sample strips, icons, help), and where a person's data go.

From a checkout these lie in `resources/` beside the package, from a wheel inside the package. It does not
know what the files mean.
"""

import os
from pathlib import Path

from gazeviz.errors import UserError
from gazeviz.user_paths import user_path

_PACKAGE = Path(__file__).resolve().parent
_ROOTS = (_PACKAGE / "_resources", _PACKAGE.parent / "resources")
"""Inside a wheel, then in a checkout."""


def resource_path(*parts: str) -> Path:
    """Path of a shipped file or folder, as `resource_path("models", "comic-vlm")`.

    UserError when this installation lacks it.
    """
    for root in _ROOTS:
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise UserError(
        f"This installation of gazeviz lacks {'/'.join(parts) or 'its resources'}.",
        next_step="Install gazeviz again, or run it from a complete checkout.",
    )


def data_folder() -> Path:
    """Folder of the session log and its arrays: `sessions/` of a checkout, else the user's data folder.

    GAZEVIZ_DATA overrides both. The folder is not made here.
    """
    named = os.environ.get("GAZEVIZ_DATA")
    if named:
        return user_path(named)
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "sessions").is_dir():
        return checkout / "sessions"
    from platformdirs import user_data_path

    return user_data_path("gazeviz", appauthor=False)
