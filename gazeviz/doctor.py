"""Looks at this installation and says what works, what does not, and what to do about it.

Only the standard library at import, so that it runs where nothing else does: `python -m gazeviz.doctor` needs
no package at all. Qt aborts the whole process when one of its system libraries is missing, which nothing can
catch, so the libraries are looked for one by one *before* Qt is touched. It does not repair anything itself.
"""

import ctypes
import json
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Literal

from gazeviz import __version__

if TYPE_CHECKING:
    from gazeviz.model_verdict import ModelVerdict

State = Literal["ok", "note", "warning", "error"]

OFFSCREEN_LIBRARIES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
}
"""What Qt needs to be imported at all: shared object -> Debian package that holds it."""

WINDOW_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
}
"""What Qt needs besides for a window on an X display."""

DISTRIBUTIONS = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "numpy",
    "pillow",
    "matplotlib",
    "rich",
    "PySide6_Essentials",
    "pyqtgraph",
    "sqlite-utils",
)
"""The packages whose versions decide what works."""

CUDA_LINE = "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu130"
"""What brings a PyTorch with CUDA where PyPI's has none, as on Windows."""

NO_GPU_SUPPORT = "This PyTorch is built without GPU support."
NO_GPU_FOUND = "PyTorch found no GPU."
PLAIN_MACHINE = (NO_GPU_SUPPORT, NO_GPU_FOUND)
"""What is true of a machine without a GPU, where nothing can be done about it: not worth a word a command."""

GIB = 1024**3
_INSTALL_AGAIN = "Install gazeviz again: pip install -c constraints.txt ."


@dataclass(frozen=True)
class Finding:
    """One fact about the installation, and the next step where it is not as it should be."""

    section: str
    name: str
    value: str
    state: State = "ok"
    next_step: str = ""


def missing_libraries(wanted: dict[str, str] | None = None) -> dict[str, str]:
    """The Qt system libraries that the loader cannot find, with the Debian package of each.

    Empty outside Linux: there the wheels of Qt bring everything along.
    """
    if not sys.platform.startswith("linux"):
        return {}
    libraries = OFFSCREEN_LIBRARIES | WINDOW_LIBRARIES if wanted is None else wanted
    return {name: package for name, package in libraries.items() if not _loads(name)}


def _loads(shared_object: str) -> bool:
    try:
        ctypes.CDLL(shared_object)
    except OSError:
        return False
    return True


def examine(model: str | Path | None = None, dtype: str = "auto") -> tuple[Finding, ...]:
    """Look at versions, device, memory, the model (the built-in one unless named) and system libraries."""
    return tuple(
        finding
        for look in (_versions, _machine, _data, lambda: _model(model, dtype), _window)
        for finding in look()
    )


def _versions() -> Iterator[Finding]:
    yield Finding("Versions", "gazeviz", __version__)
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding(
        "Versions",
        "Python",
        platform.python_version(),
        "ok" if fits else "error",
        "" if fits else "Make the environment with Python 3.11, 3.12 or 3.13.",
    )
    from importlib import metadata  # slow to import, and every command asks this module for libraries

    for name in DISTRIBUTIONS:
        try:
            yield Finding("Versions", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding("Versions", name, "not installed", "error", _INSTALL_AGAIN)


def _machine() -> Iterator[Finding]:
    yield Finding("Machine", "system", f"{platform.system()} {platform.release()}, {platform.machine()}")
    yield Finding("Machine", "processor cores", str(os.cpu_count() or "unknown"))
    total_bytes, free_bytes = memory_bytes()
    if total_bytes is not None and free_bytes is not None:
        value = f"{free_bytes / GIB:.1f} GiB free of {total_bytes / GIB:.1f}"
        tight = free_bytes < GIB
        yield Finding(
            "Machine",
            "memory",
            value,
            "warning" if tight else "ok",
            "Close other programs: loading torch and the built-in model takes about 1 GiB." if tight else "",
        )
    yield from _devices()


def gpu_advice() -> str:
    """What brings GPU support to a PyTorch that has none, as a sentence with a space before it; "" where
    nothing does."""
    if sys.platform == "darwin":
        return (
            "" if platform.machine() == "arm64" else " On a Mac only Apple's own processors have one for it."
        )
    if which("nvidia-smi"):
        return f" Install the build for it: {CUDA_LINE}"
    if which("rocminfo"):
        return " Install the build for AMD GPUs: its line stands at https://pytorch.org/get-started/locally."
    return ""


def without_gpu(built_for: str | None) -> str:
    """Why a PyTorch built for such a CUDA or ROCm (None: for neither) can use no GPU here, and what would
    help, as sentences."""
    if built_for is None:
        return f"{NO_GPU_SUPPORT}{gpu_advice()}"
    if any(map(which, ("nvidia-smi", "rocminfo"))):
        return f"PyTorch, built for {built_for}, reaches no GPU. Update the GPU's driver, then start again."
    return NO_GPU_FOUND


def _devices() -> Iterator[Finding]:
    """Every GPU that PyTorch can use; where there is none, why."""
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding(
            "Machine",
            "device",
            f"torch cannot be loaded: {error}",
            "error",
            "Install torch again: pip install -c constraints.txt torch",
        )
        return
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free_bytes, total_bytes = torch.cuda.mem_get_info(number)
            memory = f"{free_bytes / GIB:.1f} GiB free of {total_bytes / GIB:.1f}"
            name = torch.cuda.get_device_name(number)
            yield Finding("Machine", f"device cuda:{number}", f"{name}, {memory}")
        return
    if torch.backends.mps.is_available():
        yield Finding("Machine", "device", "Apple GPU (mps)")
        return
    why = without_gpu(torch.version.cuda or getattr(torch.version, "hip", None))
    sentence, _, step = why.partition(". ")
    yield Finding("Machine", "device", f"processor only: {sentence.rstrip('.')}", "note", step)


def memory_bytes() -> tuple[int | None, int | None]:
    """Total and free main memory in bytes; None where the system does not say."""
    if sys.platform == "win32":
        return _windows_memory_bytes()
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        total = page * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None, None
    try:
        fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text("utf-8").splitlines())
        return total, int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return total, None


def _windows_memory_bytes() -> tuple[int | None, int | None]:
    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load_percent", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("free", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 5),
        )

    status = Status(length=ctypes.sizeof(Status))
    if not getattr(ctypes, "windll").kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # noqa: B009
        return None, None
    return status.total, status.free


def _data() -> Iterator[Finding]:
    from gazeviz.resources import data_folder

    try:
        folder = data_folder()
    except ImportError:
        return  # the missing package has been named already
    made = next(place for place in (folder, *folder.parents) if place.exists())
    if os.access(made, os.W_OK):
        yield Finding("Machine", "session log in", str(folder))
    else:
        step = "Name a folder that you may write to: GAZEVIZ_DATA=FOLDER."
        yield Finding("Machine", "session log in", f"{folder}: cannot be written", "error", step)


def _model(source: str | Path | None, dtype: str = "auto") -> Iterator[Finding]:
    """What a model's files say of it, and whether it fits into the memory that is free here."""
    from gazeviz.errors import UserError

    try:
        from gazeviz.model_folder import find_folder
        from gazeviz.model_verdict import verdict_on

        folder = find_folder(source)
    except UserError as error:
        yield Finding(
            "Model", "built-in" if source is None else "folder", error.sentence, "error", error.next_step
        )
        return
    except ImportError:
        return  # the missing package has been named already
    verdict = verdict_on(folder)
    sizes, weights = verdict.sizes, verdict.weights
    parts = [verdict.family, verdict.form]
    if sizes is not None:
        parts.insert(1, f"{sizes.n_layers} layers x {sizes.n_heads} heads")
    if weights is not None:
        parts.append(f"{weights.bytes_as(None) / 1024**2:.0f} MiB")
    about = ", ".join(part for part in parts if part)
    if not verdict.works:
        yield Finding(
            "Model", verdict.name, f"will not work ({about}): {verdict.why}", "error", verdict.instead
        )
        return
    yield Finding("Model", verdict.name, about)
    yield from _room(verdict, dtype)


def _room(verdict: "ModelVerdict", dtype: str) -> Iterator[Finding]:
    """What the model takes on each device, against what is free there."""
    fitting, stored = False, verdict.weights.dtype if verdict.weights else ""
    for name, usual, free_bytes in _places(verdict):
        wanted = usual if dtype == "auto" else dtype
        computed_in = "float32" if name == "processor" else "bfloat16"
        needs = verdict.needs(wanted, computed_in=computed_in)
        if needs is None:
            continue
        counted = {
            "loading": needs.load_bytes, "a run": needs.run_bytes, "discovery": needs.discovery_bytes,
            "a run that steers every head": needs.widest_run_bytes,
        }  # fmt: skip
        taken = ", ".join(f"{what} {n_bytes / GIB:.2f}" for what, n_bytes in counted.items())
        free = "free memory unknown" if free_bytes is None else f"{free_bytes / GIB:.2f} GiB free"
        fits = free_bytes is None or needs.most_bytes <= free_bytes
        fitting |= fits
        others = () if free_bytes is None or fits else verdict.fitting_dtypes(free_bytes, computed_in)
        # "auto" holds a model as it is stored where that fits; fewer bits have to be asked for.
        fitting |= stored in others and dtype == "auto" and name == "processor"
        step = f"It would fit as {others[0]}: --dtype {others[0]}." if others else ""
        yield Finding(
            "Model", f"on {name} as {wanted}", f"GiB for {taken}; {free}", "ok" if fits else "note", step
        )
    if not fitting:
        yield Finding(
            "Model", "memory", "it fits nowhere here", "error",
            "Close other programs, name a smaller number type (--dtype), or choose a smaller model.",
        )  # fmt: skip


def _places(verdict: "ModelVerdict") -> Iterator[tuple[str, str, int | None]]:
    """Every device: its name, the number type that is usual there, and its free bytes."""
    yield "processor", "float32", memory_bytes()[1]
    try:
        import torch
    except (ImportError, OSError):
        return
    from gazeviz.domain.model_files import SPREAD_SHARE, spread_name

    stored = verdict.weights.dtype if verdict.weights else "bfloat16"
    if torch.cuda.is_available():
        free = [int(torch.cuda.mem_get_info(number)[0]) for number in range(torch.cuda.device_count())]
        for number, free_bytes in enumerate(free):
            yield f"cuda:{number}", stored, free_bytes
        if len(free) > 1:
            yield spread_name(range(len(free))), stored, int(SPREAD_SHARE * sum(free))
    elif torch.backends.mps.is_available():
        yield "mps", stored, int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())


def _window() -> Iterator[Finding]:
    for purpose, libraries in (("to start", OFFSCREEN_LIBRARIES), ("for a window", WINDOW_LIBRARIES)):
        missing = missing_libraries(libraries)
        if missing:
            yield Finding(
                "Window",
                f"libraries {purpose}",
                f"missing {', '.join(missing)}",
                "warning",
                f"On Debian: apt-get install {' '.join(missing.values())}",
            )
        else:
            yield Finding("Window", f"libraries {purpose}", "all found")


def as_json(findings: tuple[Finding, ...]) -> str:
    """The findings as one JSON document, for a bug report or a program."""
    return json.dumps([asdict(finding) for finding in findings], indent=2)


def as_text(findings: tuple[Finding, ...]) -> str:
    """The findings as plain lines, one per fact."""
    return "\n".join(
        f"{finding.state:8}{finding.name}: {finding.value}"
        + (f"  -> {finding.next_step}" if finding.next_step else "")
        for finding in findings
    )


def main(arguments: list[str] | None = None) -> int:
    """`python -m gazeviz.doctor [--missing-packages]`: works without any other package installed."""
    given = sys.argv[1:] if arguments is None else arguments
    if given == ["--missing-packages"]:
        print(" ".join(missing_libraries().values()))
        return 0
    findings = examine()
    print(as_text(findings))
    return int(any(finding.state == "error" for finding in findings))


if __name__ == "__main__":
    raise SystemExit(main())
