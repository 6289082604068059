"""The names that notebooks and scripts rely on, and what importing them costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gazeviz

SOURCE = Path(gazeviz.__file__)


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCE.parent.parent
    )
    return done.stdout.strip()


def test_importing_gazeviz_loads_nothing_heavy() -> None:
    heavy = "[n for n in ('torch', 'transformers', 'numpy', 'PIL', 'PySide6') if n in sys.modules]"
    assert python(f"import gazeviz, sys; print({heavy})") == "[]"


def test_the_nouns_need_no_torch() -> None:
    names = (
        "Head",
        "HeadSet",
        "HeadRanking",
        "Region",
        "Layout",
        "Steering",
        "Schedule",
        "Sampling",
        "UserError",
    )
    code = f"import gazeviz, sys; [getattr(gazeviz, n) for n in {names}]; print('torch' in sys.modules)"
    assert python(code) == "False"


def test_builtin_strips_need_no_torch() -> None:
    code = (
        "import gazeviz, sys; print(len(gazeviz.builtin_strips(2, seed=7)[0].panels), 'torch' in sys.modules)"
    )
    assert python(code) == "6 False"


@pytest.mark.parametrize("name", gazeviz.__all__)
def test_every_name_leads_home(name: str) -> None:
    value = getattr(gazeviz, name)
    assert value is getattr(gazeviz, name)
    assert name in dir(gazeviz)
    if name != "__version__":
        assert value.__name__ == name


def test_type_checkers_see_the_same_names() -> None:
    """The lazy table, `__all__` and the typed block say the same."""
    block = next(
        node
        for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    typed = {alias.name: str(node.module) for node in imports for alias in node.names}
    assert typed == gazeviz._HOMES
    assert set(gazeviz.__all__) == {*typed, "__version__"}


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        gazeviz.laod  # noqa: B018


def test_versions_are_numbers() -> None:
    assert all(part.isdigit() for part in gazeviz.__version__.split("."))
