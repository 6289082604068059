"""The doctor: what it finds, what it advises, and that it works where nothing else does."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

from gazeviz import doctor


def by_name(findings: tuple[doctor.Finding, ...]) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in findings}


def test_every_needed_package_is_named_with_its_version(untrained_model: Path) -> None:
    found = by_name(doctor.examine(untrained_model))
    for name in doctor.DISTRIBUTIONS:
        assert found[name].value == metadata.version(name)


def test_a_missing_package_is_an_error_with_a_next_step(
    untrained_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "DISTRIBUTIONS", ("a-package-that-nobody-wrote",))
    finding = by_name(doctor.examine(untrained_model))["a-package-that-nobody-wrote"]
    assert finding.state == "error" and "pip install" in finding.next_step


def test_a_missing_system_library_names_its_debian_package(
    untrained_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(doctor, "WINDOW_LIBRARIES", {"libnothing-at-all.so.9": "libnothing9"})
    finding = by_name(doctor.examine(untrained_model))["libraries for a window"]
    assert finding.state == "warning"
    assert "libnothing-at-all.so.9" in finding.value and "libnothing9" in finding.next_step


def test_elsewhere_than_on_linux_no_library_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert doctor.missing_libraries({"libnothing-at-all.so.9": "libnothing9"}) == {}


@pytest.mark.parametrize("content", [None, "{}", "no json"])
def test_a_folder_that_is_no_model_is_an_error(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    finding = next(finding for finding in doctor.examine(tmp_path) if finding.section == "Model")
    assert finding.state == "error" and finding.next_step


def test_memory_is_positive_and_free_memory_is_part_of_it() -> None:
    total_bytes, free_bytes = doctor.memory_bytes()
    assert total_bytes is not None and free_bytes is not None
    assert 0 < free_bytes <= total_bytes


def test_it_runs_without_any_package_installed() -> None:
    # -S leaves out site-packages, -I the environment: only the standard library and the file itself remain.
    root = Path(doctor.__file__).parent.parent
    code = f"import sys; sys.path.insert(0, {str(root)!r}); from gazeviz.doctor import main; main()"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert "not installed" in done.stdout and "Install gazeviz again" in done.stdout


def test_missing_packages_are_one_line_for_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--missing-packages"]) == 0
    assert capsys.readouterr().out.split() == list(doctor.missing_libraries().values())


def test_json_holds_every_finding(untrained_model: Path) -> None:
    findings = doctor.examine(untrained_model)
    assert [entry["name"] for entry in json.loads(doctor.as_json(findings))] == [f.name for f in findings]


def test_it_names_the_folder_of_the_session_log(
    untrained_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAZEVIZ_DATA", str(tmp_path / "not" / "yet"))
    finding = by_name(doctor.examine(untrained_model))["session log in"]
    assert finding.value == str(tmp_path / "not" / "yet") and finding.state == "ok"
    monkeypatch.setattr("os.access", lambda *_: False)
    assert by_name(doctor.examine(untrained_model))["session log in"].state == "error"


def fake_devices(monkeypatch: pytest.MonkeyPatch, *free_gib: int) -> None:
    """So many NVIDIA GPUs with so much free memory each; none without numbers."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(free_gib))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free_gib))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"GPU {number}")
    memory = [(gib * doctor.GIB, 80 * doctor.GIB) for gib in free_gib]
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: memory[number])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_every_gpu_is_listed(untrained_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_devices(monkeypatch, 5, 70)
    found = by_name(doctor.examine(untrained_model))
    assert found["device cuda:0"].value == "GPU 0, 5.0 GiB free of 80.0"
    assert found["device cuda:1"].value == "GPU 1, 70.0 GiB free of 80.0"
    assert "70.00 GiB free" in found["on cuda:1 as float32"].value


@pytest.mark.parametrize("system", ["win32", "linux"])
def test_the_line_that_brings_cuda_is_named_where_a_gpu_is(
    system: str, untrained_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_devices(monkeypatch)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None, raising=False)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(doctor, "which", lambda name: name if name == "nvidia-smi" else None)
    (device,) = doctor._devices()
    assert device.value == "processor only: This PyTorch is built without GPU support"
    assert device.next_step == f"Install the build for it: {doctor.CUDA_LINE}"
    monkeypatch.setattr(doctor, "which", lambda _name: None)
    assert [device.next_step for device in doctor._devices()] == [""]
