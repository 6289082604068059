"""Finds what ships with gazeviz: the built-in model, sample strips, icons, help pages.

From a checkout these lie in `resources/` beside the package, from a wheel inside the package. It does not
know what the files mean.
"""

from pathlib import Path

from gazeviz.errors import UserError

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
