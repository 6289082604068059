"""Where a model can compute, and how much memory is free there: asked of the system, not of torch.

Whether torch can use a GPU is only known once the worker has tried it. Knows no model.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

from gazeviz.doctor import memory_bytes

_SMI: Final = (
    "nvidia-smi",
    "--query-gpu=index,uuid,name,memory.total,memory.free",
    "--format=csv,noheader,nounits",
)
_SMI_S: Final = 5.0
_MIB: Final = 1024**2


@dataclass(frozen=True)
class Place:
    """Somewhere to compute. device: as RunController.load_model takes it; bytes are None where unknown."""

    device: str
    name: str
    total_bytes: int | None = None
    free_bytes: int | None = None


def places() -> tuple[Place, ...]:
    """The processor, and GPUs that the system speaks of: of Nvidia by nvidia-smi, or a Mac's own."""
    total_bytes, free_bytes = memory_bytes()
    processor = Place("cpu", "Processor", total_bytes, free_bytes)
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return processor, Place("mps", "Apple GPU", total_bytes, free_bytes)
    return processor, *nvidia_places(_smi_text(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def nvidia_places(smi_csv: str, visible: str | None = None) -> tuple[Place, ...]:
    """Read nvidia-smi's table (index, uuid, name, MiB in all, MiB free); `visible`: CUDA_VISIBLE_DEVICES.

    Devices are numbered as they are listed there; CUDA may number unequal GPUs by speed instead.
    """
    rows = [[cell.strip() for cell in line.split(",")] for line in smi_csv.splitlines()]
    known = {key: row for row in rows if len(row) == 5 for key in row[:2]}
    wanted = [row[0] for row in rows if len(row) == 5]
    if visible is not None:
        wanted = [key.strip() for key in visible.split(",")]
    found: list[Place] = []
    for key in wanted:
        row = next(
            (row for name, row in known.items() if name == key or (key and name.startswith(key + "-"))), None
        )
        if row is None:
            break  # as CUDA: nothing behind a number that is not there
        found.append(Place(f"cuda:{len(found)}", row[2], _mib(row[3]), _mib(row[4])))
    return tuple(found)


def _mib(text: str) -> int | None:
    return int(text) * _MIB if text.isdigit() else None


def _smi_text() -> str:
    try:
        done = subprocess.run(_SMI, capture_output=True, text=True, timeout=_SMI_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
