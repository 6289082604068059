"""A checkpoint's own processor works without its video part, and remembers its last picture."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from transformers import AutoConfig, ProcessorMixin

from gazeviz.engine.models.processors import ImageTap, load_processor
from gazeviz.errors import UserError
from tests.engine.fixtures.tiny_checkpoints import write_checkpoint


class Counting:
    """Stands in for an image processor: doubles the pixels and counts its calls."""

    patch_size = 16

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, images: Any, **options: Any) -> dict[str, Any]:
        """Two arrays: the pixels, and a number that the caller will take out."""
        self.calls += 1
        return {"pixel_values": np.asarray(images[0]) * 2, "num_patches": [options.get("n", 1)]}


def test_the_same_picture_is_processed_once() -> None:
    counting = Counting()
    tap = ImageTap(counting)
    picture = Image.new("RGB", (4, 4), (1, 2, 3))
    first = tap([picture], n=2)
    assert first.pop("num_patches") == [2]
    assert tap([picture.copy()], n=2)["num_patches"] == [2]  # what was taken out is there again
    assert (counting.calls, tap.last["num_patches"], tap.last_options) == (1, [2], {"n": 2})
    tap([picture], n=3)
    tap([Image.new("RGB", (4, 4), (1, 2, 4))], n=3)
    tap([[Image.new("RGB", (2, 8), (1, 2, 4))]], n=3)
    assert counting.calls == 4


def test_everything_else_is_the_wrapped_processors() -> None:
    tap = ImageTap(Counting())
    assert tap.patch_size == 16
    assert copy.copy(tap).patch_size == 16
    with pytest.raises(AttributeError):
        _ = tap.merge_size


def test_the_familys_own_class_is_kept(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "qwen3_vl")
    processor = load_processor(tmp_path, AutoConfig.from_pretrained(tmp_path))
    assert type(processor).__mro__[1].__module__ == "transformers.models.qwen3_vl.processing_qwen3_vl"
    assert processor.video_processor is None
    assert "user" in processor.chat_template


def test_the_class_is_found_by_the_config_where_no_file_names_it(tmp_path: Path) -> None:
    for name in ("processor_config.json", "preprocessor_config.json"):
        path = write_checkpoint(tmp_path, "glm4v") / name
        path.write_text(path.read_text().replace("processor_class", "once_processor_class"))
    processor = load_processor(tmp_path, AutoConfig.from_pretrained(tmp_path))
    assert type(processor).__name__ == "Glm4vProcessor"


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.models.smolvlm.processing_smolvlm.num2words", None)
    write_checkpoint(tmp_path, "smolvlm")
    with pytest.raises(UserError, match=r"smolvlm need the package num2words.*pip install num2words"):
        load_processor(tmp_path, AutoConfig.from_pretrained(tmp_path))


def test_an_image_processor_that_is_not_known_is_a_sentence(tmp_path: Path) -> None:
    settings = write_checkpoint(tmp_path, "qwen3_vl") / "preprocessor_config.json"
    settings.write_text("{}")
    (tmp_path / "processor_config.json").write_text("{")
    with pytest.raises(UserError, match="cannot be loaded"):
        load_processor(tmp_path, AutoConfig.from_pretrained(tmp_path))


@pytest.mark.parametrize("family", ["pixtral", "mistral3"])
def test_an_installed_torchvision_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    """With it transformers has a class of its own for these; the tokens must be those without it."""
    import gazeviz.engine.models.processors as processors

    class PixtralProcessor(ProcessorMixin):
        """Stands in for the class that can be used where torchvision is installed."""

        is_dummy = False

        def __call__(self, *args: Any, **options: Any) -> Any:
            raise AssertionError("the family's own processor was used")

    write_checkpoint(tmp_path, family)
    config = AutoConfig.from_pretrained(tmp_path)
    without = load_processor(tmp_path, config)
    monkeypatch.setattr(processors, "_processor_class", lambda *_: PixtralProcessor)
    with_it = load_processor(tmp_path, config)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 48, 3), dtype=np.uint8))
    first, second = (
        one(images=[picture], text=["user <image> what ?"], images_kwargs={}, text_kwargs={})
        for one in (without, with_it)
    )
    assert first["input_ids"].tolist() == second["input_ids"].tolist()
    np.testing.assert_array_equal(first["pixel_values"], second["pixel_values"])
