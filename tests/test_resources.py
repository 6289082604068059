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


def test_a_checkout_keeps_its_data_in_its_own_folder() -> None:
    assert resources.data_folder() == Path(resources.__file__).parent.parent / "sessions"


def test_installed_the_data_go_to_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "site-packages" / "gazeviz")
    assert resources.data_folder().name == "gazeviz"
    assert tmp_path not in resources.data_folder().parents


def test_the_environment_names_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAZEVIZ_DATA", str(tmp_path))
    assert resources.data_folder() == tmp_path
