"""A narration of 300 tokens on the screen: what each token costs while it streams in, drawing included.

python tests/benchmarks/bench_transcript.py          measure, and write the section of the help page
python tests/benchmarks/bench_transcript.py --look   only print
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from PySide6.QtWidgets import QApplication

from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Cursor, RunRecord
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import GenerateSpec, StepArrived
from gazeviz.domain.steering import Steering
from gazeviz.domain.strip import Layout, panel_regions
from gazeviz.ui.answers.transcript import TranscriptView
from tests.benchmarks.bench_painting import dressed_app, figures, screen_conditions
from tests.benchmarks.performance_page import write_section
from tests.fakes.fake import FakeBackend

N_TOK: Final = 300
SIZE_PX: Final = (1000, 260)
WORDS: Final = (" the", " red", " cat", " runs", ",", " jump", "ing", " over", " a", " fence", ".")


def narration() -> tuple[RunRecord, list[StepArrived]]:
    """A steered run of six panels without tokens, and the tokens that it is about to get."""
    panels = panel_regions(Layout(1, 6), 600, 100)
    steering = Steering(HeadSet.of("L0H0"), panels[0])
    spec = GenerateSpec("ab", "Narrate.", steering, max_new_tokens=N_TOK, regions=panels)
    steps = []
    for index in range(N_TOK):
        panel = index // 20 % len(panels)
        masses_R = np.full(len(panels), 0.05, dtype=np.float32)
        masses_R[panel] = 0.6
        text, target = WORDS[index % len(WORDS)], panels[index // 50].name
        steps.append(StepArrived(1, index, index, text, -0.5, 11.0, target, masses_R, masses_R, None,
                                 np.full(64, 0.01, dtype=np.float32), panel))  # fmt: skip
    return RunRecord(1, "steered", spec, "running", 1), steps


def timed(n: int, change: Callable[[int], object]) -> list[float]:
    """Milliseconds of some changes, each drawn."""
    times_ms = []
    for number in range(n):
        started = time.perf_counter()
        change(number)
        QApplication.processEvents()
        times_ms.append((time.perf_counter() - started) * 1000)
    return times_ms


def main() -> None:
    """Print the figures, and write them down unless `--look` is given."""
    app = dressed_app()
    model = SessionModel()
    controller = RunController(model, FakeBackend)
    view = TranscriptView(model, controller)
    view.resize(*SIZE_PX)
    view.show()
    record, steps = narration()
    model.show_run("steered", record)
    app.processEvents()

    def arrive(index: int) -> None:
        record.steps.append(steps[index])
        model.note_step(record.id, index)

    results = {
        "a token arrives": timed(N_TOK, arrive),
        "the cursor goes to the next token": timed(
            N_TOK, lambda index: setattr(model, "cursor", Cursor("steered", index, index))
        ),
        "another width": timed(40, lambda number: view.resize(SIZE_PX[0] - number, SIZE_PX[1])),
    }
    view.close()
    controller.shutdown()
    app.processEvents()
    rows = ["| | ms |", "|---|---|", *(f"| {what} | {figures(ms)} |" for what, ms in results.items())]
    text = (
        f"## Transcript\n\n{N_TOK} tokens in a view of {SIZE_PX[0]} x {SIZE_PX[1]} px; each change until"
        f" it is drawn. {screen_conditions()}\n\n" + "\n".join(rows)
    )
    print(text)
    if "--look" not in sys.argv:
        write_section("transcript", text)


if __name__ == "__main__":
    main()
