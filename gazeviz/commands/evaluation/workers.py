"""Several processes for one evaluation: each computes a part of the pictures into the same log.

A process that is lost leaves its part undone; whoever started them does what is left.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from gazeviz.commands.terminal import Terminal
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.evaluating import EvaluationRequest

PartOf: TypeAlias = "Callable[[dict[str, Any], EvaluationRequest, str, int], None]"
"""Gets options, what is wished for, the part as "1/2", and how many threads it may use."""


def compute_in_parts(
    options: argparse.Namespace, request: EvaluationRequest, terminal: Terminal, part_of: PartOf
) -> None:
    """Let `options.workers` processes compute an evaluation, and wait for them; says how many were lost.

    part_of: computes one part; called in a new process. UserError without a log, in which the parts meet.
    """
    n = options.workers
    if options.no_log or options.shard:
        raise UserError(
            "Workers share the work through the log.",
            next_step="Omit --no-log and --shard, or omit --workers.",
        )
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // n)
    processes = [
        context.Process(target=part_of, args=(vars(options), request, f"{part}/{n}", threads), daemon=True)
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
        terminal.warn(f"{lost} of {n} workers ended early; their remaining work is done now.")
