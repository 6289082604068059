"""The list of models: what is found on disk, what speaks against it, and what it would take."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSettings

from gazeviz.app.runs.model_catalogue import (
    Device,
    ModelCatalogue,
    SidebarModel,
    cache_folder,
    cached_models,
    estimate,
    look_around,
    look_into,
)
from gazeviz.app.session.settings import AppSettings
from tests.patience import PatientBot

GIB = 1024**3
TEXT = {
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 32,
    "vocab_size": 100,
}  # fmt: skip


def write_model(folder: Path, model_type: str = "qwen3_vl", *, dtype: str = "BF16", n: int = 1000,
                **settings: Any) -> Path:  # fmt: skip
    """Files that look like a model's; the weights are a header alone."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_type": model_type, "text_config": TEXT, "vision_config": {}, **settings}
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text("{}")
    (folder / "preprocessor_config.json").write_text('{"size": 1}')
    header = json.dumps({"weight": {"dtype": dtype, "shape": [n]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    return folder


def write_snapshot(cache: Path, repository: str, commit: str, *, main: bool = True, **settings: Any) -> Path:
    """A downloaded model, as the Hugging Face cache lays it out: links into a folder of blobs."""
    root = cache / f"models--{repository.replace('/', '--')}"
    blobs = write_model(root / "blobs" / commit, **settings)
    snapshot = root / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for blob in blobs.iterdir():
        (snapshot / blob.name).symlink_to(blob)
    if main:
        (root / "refs").mkdir()
        (root / "refs" / "main").write_text(commit)
    return snapshot


def test_the_built_in_model_is_described_by_its_files(tmp_path: Path) -> None:
    catalogue = look_around((), (), tmp_path)
    (built_in,) = catalogue.models
    assert (built_in.source, built_in.origin, built_in.name) == (None, "built-in", "comic-vlm")
    assert (built_in.family, built_in.refusal) == ("qwen3_vl", "")
    assert built_in.n_parameters > 1_000_000 and built_in.dtype in ("float32", "bfloat16", "float16")
    assert built_in.sizes is not None and built_in.disk_bytes > 2 * built_in.n_parameters


def test_recent_and_chosen_folders_are_listed_once_and_lost_ones_not(tmp_path: Path) -> None:
    recent, chosen = write_model(tmp_path / "recent"), write_model(tmp_path / "chosen")
    catalogue = look_around((str(recent), str(tmp_path / "gone"), str(chosen)), (str(chosen),), tmp_path)
    assert [(model.name, model.origin) for model in catalogue.models[1:]] == [
        ("chosen", "folder"),
        ("recent", "recent"),
    ]
    found = catalogue.at(recent)
    assert found is not None and found.source == str(recent)
    assert catalogue.at(tmp_path) is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model_type": "mllama"}, "cross-attention"),
        ({"model_type": "phi9_vision"}, "family phi9_vision is not known"),
        ({"model_type": "qwen3_vl", "quantization_config": {"quant_method": "gptq"}}, "quantised"),
    ],
)
def test_what_cannot_be_used_is_listed_with_the_reason(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    folder = write_model(tmp_path / "model", **settings)
    model = look_into(folder, str(folder), "folder")
    assert said in model.refusal and model.dtype == "bfloat16"
    assert look_around((str(folder),), (), tmp_path).models[-1] == look_into(folder, str(folder), "recent")


def test_a_language_model_takes_no_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}')
    assert "takes no pictures" in look_into(folder, str(folder), "folder").refusal


def test_a_folder_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"\x00")
    assert look_into(folder, str(folder), "folder").refusal.endswith("is no safetensors file.")
    (folder / "tokenizer.json").unlink()
    assert "no tokenizer" in look_into(folder, str(folder), "folder").refusal
    (folder / "model.safetensors").unlink()
    assert "no weights" in look_into(folder, str(folder), "folder").refusal
    (folder / "config.json").unlink()
    assert "no config.json" in look_into(folder, str(folder), "folder").refusal


def test_downloaded_models_go_by_their_repository(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path, "some/tiny-2b", "aa")
    (model,) = cached_models(tmp_path)
    assert (model.source, model.name, model.folder) == ("some/tiny-2b", "some/tiny-2b", snapshot)
    assert model.disk_bytes > 0 and model.origin == "cache"


def test_of_several_snapshots_the_main_one_is_offered_if_it_is_complete(tmp_path: Path) -> None:
    main = write_snapshot(tmp_path, "some/tiny", "aa")
    other = write_snapshot(tmp_path, "some/tiny", "bb", main=False)
    os.utime(other, (4e9, 4e9))
    assert [model.folder for model in cached_models(tmp_path)] == [main]
    (main / "model.safetensors").resolve().unlink()
    assert [(model.folder, model.source) for model in cached_models(tmp_path)] == [(other, str(other))]


def test_half_a_download_is_not_offered(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path, "some/tiny", "aa")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    (snapshot / "model-1.safetensors").write_bytes(b"")
    assert list(cached_models(tmp_path)) == []
    (snapshot / "model-2.safetensors").write_bytes(b"")
    assert len(list(cached_models(tmp_path))) == 1
    (snapshot / "model.safetensors.index.json").write_text("{")
    assert list(cached_models(tmp_path)) == []
    assert list(cached_models(tmp_path / "no cache")) == []


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HUGGINGFACE_HUB_CACHE": "/c"}, "/c"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/d"}, "/d/huggingface/hub"),
        ({}, str(Path.home() / ".cache/huggingface/hub")),
    ],
)
def test_the_cache_lies_where_the_hub_puts_it(environment: dict[str, str], folder: str) -> None:
    assert cache_folder(environment) == Path(folder)


@pytest.fixture
def model(tmp_path: Path) -> SidebarModel:
    return look_into(write_model(tmp_path / "model", n=10**9), None, "folder")


def test_the_processor_takes_float32_and_a_gpu_what_is_stored(model: SidebarModel) -> None:
    processor, gpu = Device("cpu", "Processor", 16 * GIB, 3 * GIB), Device("cuda:0", "GPU", 8 * GIB, 6 * GIB)
    on_gpu = estimate(model, (processor, gpu))
    assert on_gpu is not None and (on_gpu.place, on_gpu.dtype, on_gpu.fits) == (gpu, "bfloat16", True)
    assert 2.2e9 < on_gpu.needed_bytes < 2.8e9
    on_processor = estimate(model, (processor, gpu), "cpu")
    assert on_processor is not None and (on_processor.dtype, on_processor.fits) == ("float32", False)
    halved = estimate(model, (processor, gpu), "cpu", "float16")
    assert halved is not None and halved.fits is True


def test_auto_takes_the_gpu_with_the_most_room(model: SidebarModel) -> None:
    gpus = [Device(f"cuda:{i}", "GPU", 80 * GIB, free * GIB) for i, free in enumerate((1, 40, 60, 50))]
    taken = estimate(model, (Device("cpu", "Processor", 16 * GIB, 9 * GIB), *gpus))
    assert taken is not None and taken.place.device == "cuda:2"


def test_what_fits_into_main_memory_as_stored_only_is_held_so(model: SidebarModel) -> None:
    taken = estimate(model, (Device("cpu", "Processor", 16 * GIB, 3 * GIB),))
    assert taken is not None and (taken.dtype, taken.fits) == ("bfloat16", True)
    asked = estimate(model, (Device("cpu", "Processor", 16 * GIB, 3 * GIB),), dtype="float32")
    assert asked is not None and (asked.dtype, asked.fits) == ("float32", False)


def test_a_gpu_that_is_full_is_left_for_the_processor(model: SidebarModel) -> None:
    processor, gpu = Device("cpu", "Processor"), Device("cuda:0", "GPU", 8 * GIB, GIB)
    taken = estimate(model, (processor, gpu))
    assert taken is not None and taken.place == processor and taken.fits is None
    assert estimate(model, (processor,), "cuda:0") is None
    assert estimate(SidebarModel("x", "x", "folder", Path("x")), (processor,)) is None


def names_of(catalogue: ModelCatalogue) -> list[str]:
    return [model.name for model in catalogue.listing.models]


def test_looking_around_does_not_hold_up_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: PatientBot
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    settings = AppSettings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))
    write_snapshot(tmp_path, "some/tiny", "aa")
    catalogue = ModelCatalogue(settings)
    try:
        with qtbot.waitSignal(catalogue.changed):
            catalogue.refresh()
            assert names_of(catalogue) == []
        assert names_of(catalogue) == ["comic-vlm", "some/tiny"]
        with qtbot.waitSignal(catalogue.changed):
            catalogue.add_folder(write_model(tmp_path / "mine"))
            assert catalogue.looking
        assert names_of(catalogue) == ["comic-vlm", "mine", "some/tiny"]
    finally:
        catalogue.close()


@pytest.mark.parametrize("name", ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"])
def test_the_home_of_an_unknown_user_is_a_folder_that_is_not_there(name: str) -> None:
    assert not cache_folder({name: "~nosuchuser/models"}).exists()
