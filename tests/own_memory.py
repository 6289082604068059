"""What a process holds in memory by itself: its peak is not that of the one which started it.

`ru_maxrss` will not do: Linux hands it down from a process to the one that it starts.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def memory_mib(field: str) -> float:
    """Resident memory now (VmRSS) or at its peak (VmHWM); without /proc the peak stands for both."""
    status = Path("/proc/self/status")
    if not status.is_file():
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
    line = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 2**10


def forget_peak() -> None:
    """Start the peak anew, so that loading does not count (Linux; see proc(5), clear_refs)."""
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")
