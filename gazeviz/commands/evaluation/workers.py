"""Several processes for one evaluation: each computes a part of the pictures into the same log.

A process that is lost leaves its part undone; whoever started them does what is left.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from typing import TYPE_CHECKING, Any

from gazeviz.commands.terminal import Terminal
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.evaluating import Wish


def compute_in_parts(options: argparse.Namespace, wish: Wish, terminal: Terminal) -> None:
    """Let `options.workers` processes compute an evaluation, and wait for them; says how many were lost.

    UserError without a log, in which the parts meet.
    """
    n = options.workers
    if options.no_log or options.shard:
        raise UserError(
            "Workers meet in the log, and share the work out by themselves.",
            next_step="Leave --no-log and --shard out, or --workers.",
        )
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // n)
    processes = [
        context.Process(target=_part, args=(vars(options), wish, f"{part}/{n}", threads), daemon=True)
        for part in range(1, n + 1)
    ]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
                process.join()
    lost = sum(process.exitcode != 0 for process in processes)
    if lost:
        terminal.warn(f"{lost} of {n} workers ended early; what they left is done now.")


def _part(options: dict[str, Any], wish: Wish, shard: str, threads: int) -> None:
    """What a worker does: its part of the items, into the log."""
    import torch

    from gazeviz.commands.evaluation.evaluate import measured

    torch.set_num_threads(threads)
    given = argparse.Namespace(**{**options, "shard": shard, "workers": 1})
    measured(given, Terminal(quiet=True), wish, lambda _what, _part: None)
