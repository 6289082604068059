"""A campaign of damaged inputs over all kinds: runs the children, and adds up what became of their inputs.

    python -m tests.fuzz.campaign [--seed S] [--inputs N] [--seconds S]

Prints a table, and every failure with what repeats it; exit code 1 where there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.kinds import KINDS

ALL = 5000
MOST_MB = 2048
_GOOD = ("taken", "refused")
_ROOT = Path(__file__).parents[2]


@dataclass
class Tally:
    """What became of one kind's inputs; `failures` say what repeats each."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    peak_mb: int = 0

    @property
    def n(self) -> int:
        """How many inputs were tried."""
        return sum(self.outcomes.values())


def try_kind(name: str, seed: int, n: int, seconds: float, folder: Path) -> Tally:
    """Give a kind's inputs to children: a new one after each crash or hang."""
    tally, first = Tally(), 0
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1",
                   "HF_HUB_OFFLINE": "1", "HOME": str(folder), "TMPDIR": str(folder),
                   "PYTHONPATH": str(_ROOT),
                   "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    while first < n:
        command = [
            sys.executable,
            "-m",
            "tests.fuzz.child",
            name,
            str(seed),
            str(n),
            str(seconds),
            str(folder),
            str(first),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, cwd=_ROOT
        )
        open_number = None
        for line in done.stdout.splitlines():
            said = json.loads(line)
            if "begins" in said:
                open_number = said["begins"]
                continue
            open_number = None
            outcome = said["outcome"] if said["peak_mb"] < MOST_MB else "memory"
            tally.outcomes[outcome] += 1
            tally.peak_mb = max(tally.peak_mb, said["peak_mb"])
            if outcome not in _GOOD:
                tally.failures.append(f"{name} {seed} {said['ends']}: {outcome}: {said['detail']}")
        if open_number is None:
            if done.returncode:
                tally.outcomes["crash"] += 1
                tally.failures.append(f"{name}: no input: {done.stderr[-1500:]}")
            break
        tally.outcomes["crash or hang"] += 1
        tally.failures.append(f"{name} {seed} {open_number}: exit {done.returncode}: {done.stderr[-1500:]}")
        first = open_number + 1
    return tally


def main() -> int:
    """Run a campaign and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inputs", type=int, default=ALL)
    parser.add_argument("--seconds", type=float, default=600, help="the longest for one kind")
    parser.add_argument("--kind", choices=KINDS)
    options = parser.parse_args()
    failures = []
    print(f"{'kind':15} {'inputs':>7} {'taken':>7} {'refused':>8} {'failed':>7} {'peak MB':>8}")
    for name, kind in KINDS.items():
        if options.kind not in (None, name):
            continue
        with tempfile.TemporaryDirectory(prefix="gazeviz-fuzz-") as folder:
            tally = try_kind(
                name, options.seed, max(1, kind.n * options.inputs // ALL), options.seconds, Path(folder)
            )
        taken, refused = (tally.outcomes[good] for good in _GOOD)
        failed = tally.n - taken - refused
        print(f"{name:15} {tally.n:7} {taken:7} {refused:8} {failed:7} {tally.peak_mb:8}", flush=True)
        failures += tally.failures
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
