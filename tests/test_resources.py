"""What ships with gazeviz is found in a checkout and in a wheel."""

from pathlib import Path

import pytest

from gazeviz import resources
from gazeviz.errors import UserError


def test_a_checkout_finds_its_samples() -> None:
    assert resources.resource_path("samples", "samples.json").is_file()


def test_an_installed_package_prefers_what_lies_inside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, beside = tmp_path / "_resources", tmp_path / "resources"
    for root in (inside, beside):
        root.mkdir()
        (root / "page.md").write_text(root.name)
    (beside / "only.md").write_text("beside")
    monkeypatch.setattr(resources, "_ROOTS", (inside, beside))
    assert resources.resource_path("page.md") == inside / "page.md"
    assert resources.resource_path("only.md") == beside / "only.md"


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UserError, match="models/of-nobody"):
        resources.resource_path("models", "of-nobody")
