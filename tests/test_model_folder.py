"""A folder of model files is found and told from others, or refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gazeviz import model_folder
from gazeviz.errors import UserError
from gazeviz.model_folder import (
    check_quantised,
    check_settings,
    find_folder,
    fingerprint_of,
    folder_name,
    read_config,
    weight_files,
)


def folder_with(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_a_folder_is_found_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model").mkdir()
    assert find_folder(tmp_path / "model") == find_folder("~/model") == (tmp_path / "model").resolve()


def test_no_source_means_the_built_in_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folder, "resource_path", tmp_path.joinpath)
    assert find_folder(None) == tmp_path / "models" / "comic-vlm"


def test_what_is_neither_folder_nor_download_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model folder no/such-model.*hf download no/such-model"):
        find_folder("no/such-model")
    with pytest.raises(UserError, match="no model folder"):
        find_folder("not a repository/at all/")
    with pytest.raises(UserError, match=r"is a file, not a model folder\. Choose the folder"):
        find_folder(folder_with(tmp_path, config__json="{}") / "config.json")


def test_a_downloaded_repository_is_found_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "a" * 40
    repository = tmp_path / "models--somebody--tiny"
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert find_folder("somebody/tiny") == repository / "snapshots" / commit


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, "has no config.json"),
        ({"config__json": "{"}, "is damaged: it is not JSON"),
        ({"config__json": "[]"}, "names no model type"),
        ({"config__json": "{}"}, "names no model type"),
        ({"config__json": '{"model_type": 3}'}, "names no model type"),
    ],
)
def test_a_config_that_says_nothing_is_refused(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        read_config(folder_with(tmp_path, **files))


def test_a_config_is_read_as_it_is(tmp_path: Path) -> None:
    settings = {"model_type": "qwen3_vl", "other": [1, 2]}
    assert read_config(folder_with(tmp_path, config__json=json.dumps(settings))) == settings


def test_only_safetensors_are_weights(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no weights in \*\.safetensors files\."):
        weight_files(tmp_path)
    folder_with(tmp_path, pytorch_model__bin="x")
    with pytest.raises(UserError, match="only pickled ones, which can run any code"):
        weight_files(tmp_path)
    folder_with(tmp_path, consolidated__safetensors="x")
    with pytest.raises(UserError, match=r"only consolidated.safetensors, which is of another layout"):
        weight_files(tmp_path)
    folder_with(tmp_path, model__safetensors="x")
    assert weight_files(tmp_path) == (tmp_path / "model.safetensors",)


def shards(folder: Path, *names: str) -> Path:
    places = {f"layer.{number}": name for number, name in enumerate(("b.safetensors", "a.safetensors"))}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    for name in names:
        (folder / name).write_text("x")
    return folder


def test_the_index_decides_what_the_weights_are(tmp_path: Path) -> None:
    shards(tmp_path, "a.safetensors", "b.safetensors", "consolidated.safetensors")
    assert [path.name for path in weight_files(tmp_path)] == ["a.safetensors", "b.safetensors"]


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"1 of the model's 2 weight files are missing, first a\."):
        weight_files(shards(tmp_path, "b.safetensors"))


@pytest.mark.parametrize(
    "index", ["{", "[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": "../elsewhere.safetensors"}}']
)
def test_a_damaged_index_is_a_sentence(tmp_path: Path, index: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(UserError, match=r"index\.json is damaged"):
        weight_files(tmp_path)


COMPLETE = {
    "tokenizer__json": "{}",
    "tokenizer_config__json": "{}",
    "preprocessor_config__json": '{"size": 1}',
}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"tokenizer__json": None}, "has no tokenizer"),
        ({"tokenizer_config__json": None}, r"has no tokenizer_config\.json"),
        ({"preprocessor_config__json": None}, r"has no preprocessor_config\.json"),
        ({"tokenizer_config__json": "{"}, r"tokenizer_config\.json is damaged"),
        ({"tokenizer__json": "[" * 100_000}, r"tokenizer\.json is damaged"),
        ({"generation_config__json": "[]"}, r"generation_config\.json is damaged: it holds no settings"),
        ({"chat_template__json": "no"}, r"chat_template\.json is damaged"),
    ],
)
def test_missing_or_damaged_settings_are_refused(
    tmp_path: Path, changes: dict[str, str | None], complaint: str
) -> None:
    files = {name: text for name, text in {**COMPLETE, **changes}.items() if text is not None}
    with pytest.raises(UserError, match=complaint):
        check_settings(folder_with(tmp_path, **files))


def test_complete_settings_are_taken(tmp_path: Path) -> None:
    check_settings(folder_with(tmp_path, **COMPLETE))
    (tmp_path / "preprocessor_config.json").unlink()  # newer processors keep it inside their own settings
    check_settings(folder_with(tmp_path, processor_config__json='{"image_processor": {"size": 1}}'))


@pytest.mark.parametrize("quantised", [{"quant_method": "gptq", "bits": 4}, {"bits": 4}])
def test_quantised_weights_are_refused(quantised: dict[str, object]) -> None:
    check_quantised({"model_type": "qwen3_vl"})
    with pytest.raises(UserError, match=f"quantised .{quantised.get('quant_method', 'an unnamed method')}."):
        check_quantised({"model_type": "qwen3_vl", "quantization_config": quantised})


@pytest.mark.parametrize("whole", [True, False])
def test_a_fingerprint_tells_models_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    if not whole:
        monkeypatch.setattr(model_folder, "FULL_DIGEST_BYTES", 0)
    header = b'{"a": 1}'

    def written(config: str, header: bytes, numbers: bytes) -> str:
        folder_with(tmp_path, config__json=config)
        content = len(header).to_bytes(8, "little") + header + numbers
        (tmp_path / "model.safetensors").write_bytes(content)
        return fingerprint_of(tmp_path)

    first = written("{}", header, b"0000")
    assert first == written("{}", header, b"0000")
    assert first != written('{"x": 1}', header, b"0000")
    assert first != written("{}", b'{"b": 1}', b"0000")
    assert first != written("{}", header, b"00000")
    # Of a large model only sizes and headers are looked at.
    assert (first != written("{}", header, b"1111")) == whole


@pytest.mark.parametrize("name", [*model_folder.SETTINGS_FILES, "additional_chat_templates/short.jinja"])
def test_a_fingerprint_covers_everything_that_changes_answers(tmp_path: Path, name: str) -> None:
    folder_with(tmp_path, config__json="{}", model__safetensors="weights")
    (tmp_path / "additional_chat_templates").mkdir()
    without = fingerprint_of(tmp_path)
    (tmp_path / name).write_text("one")
    first = fingerprint_of(tmp_path)
    (tmp_path / name).write_text("two")
    assert len({without, first, fingerprint_of(tmp_path)}) == 3


def test_a_snapshot_is_called_as_its_repository() -> None:
    assert folder_name(Path("/somewhere/comic-vlm")) == "comic-vlm"
    assert folder_name(Path("/hub/models--some-body--tiny-2b/snapshots/abc")) == "some-body/tiny-2b"
    assert folder_name(Path("/hub/models/snapshots/abc")) == "abc"
