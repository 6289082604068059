"""The Sessions tab over a log of 100,000 runs: what a person waits for until it is on the screen.

python -m tests.benchmarks.bench_sessions             measure, and write the section of the help page
python -m tests.benchmarks.bench_sessions --look      only print
python -m tests.benchmarks.bench_sessions --log FILE  a log that bench_log.fill made before
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from PySide6.QtWidgets import QApplication

from gazeviz.app.history.log_browser import LogBrowser
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.store import SessionStore
from gazeviz.ui.sessions.sessions_page import SessionBrowser
from tests.benchmarks.bench_log import ANIMALS, COLOURS, DEEDS, FULL_RUNS, fill, mark
from tests.benchmarks.bench_painting import dressed_app, figures, screen_conditions
from tests.benchmarks.performance_page import write_section
from tests.fakes.fake import FakeBackend

SIZE_PX: Final = (1440, 830)
PATIENCE_S: Final = 20.0


class Bench:
    """A tab, and how long it takes until something is drawn."""

    def __init__(self, path: Path) -> None:
        self.app: QApplication = dressed_app()
        self.store = SessionStore(path)
        self.archive = LogBrowser(self.store)
        self.controller = RunController(SessionModel(), FakeBackend)
        self.browser = self.make()
        self.listings = 0
        self.archive.listed.connect(self._on_listed)

    def _on_listed(self, _listing: object) -> None:
        self.listings += 1

    def make(self) -> SessionBrowser:
        """Make a tab, not shown yet."""
        browser = SessionBrowser(self.controller.model, self.controller, self.archive)
        browser.resize(*SIZE_PX)
        return browser

    def close(self) -> None:
        """End everything."""
        self.browser.close()
        self.controller.shutdown()
        self.archive.close()
        self.store.close()
        self.app.processEvents()

    @property
    def is_drawn(self) -> bool:
        """Whether every row on the screen is known."""
        table = self.browser.table
        first, last = table.rowAt(0), table.rowAt(table.viewport().height() - 1)
        ids = table.plan.runs_between(max(first, 0), last if last >= 0 else len(table.plan) - 1)
        return all(table.rows.text(int(run_id), "id") for run_id in ids)

    def ms_until_drawn(self, act: Callable[[], object], listed: bool = True) -> float:
        """Do something; milliseconds until its rows are drawn. listed: whether other runs are to come."""
        before, began_s = self.listings, time.perf_counter()
        act()
        while (listed and self.listings == before) or not self.is_drawn:
            self.app.processEvents()
            time.sleep(0.0005)  # as an event loop does: the archive's thread is not kept from its work
            if time.perf_counter() - began_s > PATIENCE_S:
                raise SystemExit("the list did not come")
        self.browser.table.viewport().repaint()
        return (time.perf_counter() - began_s) * 1000

    def settle(self) -> None:
        """Let everything come that was asked for."""
        end_s = time.perf_counter() + 0.3
        while time.perf_counter() < end_s:
            self.app.processEvents()
            time.sleep(0.002)

    # What is measured

    def first_page(self) -> float:
        """Open the tab; from showing it to its rows."""
        self.browser.close()
        self.browser.deleteLater()
        self.browser = self.make()
        took_ms = self.ms_until_drawn(self.browser.show)
        self.settle()
        return took_ms

    def search(self, typed: Callable[[], str]) -> Callable[[], float]:
        """Search for something, from the last key's pause on."""

        def act() -> float:
            took_ms = self.ms_until_drawn(lambda: self.browser.look_for(typed()))
            self.ms_until_drawn(lambda: self.browser.look_for(""))
            self.settle()
            return took_ms

        return act

    def sidebar(self) -> float:
        """Choose the starred runs."""
        sidebar = self.browser.sidebar
        starred = next(entry for entry in sidebar.entries if entry.kind == "starred")
        took_ms = self.ms_until_drawn(lambda: sidebar.choose(starred))
        self.ms_until_drawn(lambda: sidebar.choose(sidebar.entries[1]))
        self.settle()
        return took_ms

    def sort(self) -> float:
        """Sort by text, and by time again."""
        took_ms = self.ms_until_drawn(lambda: self.browser.table.sort_wanted.emit("text", False))
        self.ms_until_drawn(lambda: self.browser.table.sort_wanted.emit("started", True))
        self.settle()
        return took_ms

    def jump(self, rng: random.Random) -> float:
        """Go anywhere in the list, until its rows are known and drawn."""
        bar = self.browser.table.verticalScrollBar()
        return self.ms_until_drawn(lambda: bar.setValue(rng.randrange(bar.maximum())), listed=False)

    def scroll(self, rng: random.Random) -> list[float]:
        """Scroll 120 pixels a frame; what each frame costs the screen's thread."""
        bar, times_ms = self.browser.table.verticalScrollBar(), []
        self.ms_until_drawn(lambda: bar.setValue(rng.randrange(bar.maximum() - 50_000)), listed=False)
        self.app.processEvents()
        for _ in range(60):
            began_s = time.perf_counter()
            bar.setValue(bar.value() + 120)
            self.app.processEvents()
            times_ms.append((time.perf_counter() - began_s) * 1000)
            time.sleep(0.008)
        return times_ms

    def key(self) -> float:
        """Move down by a row."""
        table = self.browser.table
        row = table.currentIndex().row() + 1
        began_s = time.perf_counter()
        table.selectRow(row)
        self.app.processEvents()
        return (time.perf_counter() - began_s) * 1000


def measured(bench: Bench, fast: bool) -> dict[str, list[float]]:
    """Everything, by name, in ms."""
    rng, few = random.Random(5), 3 if fast else 1
    bench.first_page()  # what is imported and laid out once in a process

    def times(n: int, act: Callable[[], float]) -> list[float]:
        return [act() for _ in range(max(2, n // few))]

    def three() -> str:
        return f"{rng.choice(COLOURS)} {rng.choice(ANIMALS)} {rng.choice(DEEDS)}"

    def target() -> str:
        return f'target:"Panel {rng.randint(1, 6)}" strength:>4'

    found = {
        "the tab is opened: first page": times(30, bench.first_page),
        "full-text search, three words": times(60, bench.search(three)),
        "full-text search, one common word": times(40, bench.search(lambda: rng.choice(ANIMALS))),
        "filter by target and strength": times(40, bench.search(target)),
        "starred runs alone": times(30, bench.sidebar),
        "sorted by text": times(20, bench.sort),
        "a jump anywhere in the list": times(200, lambda: bench.jump(rng)),
    }
    found["scrolling, each frame"] = [ms for _ in range(20 // few) for ms in bench.scroll(rng)]
    bench.browser.table.select_row(5)
    found["the next run is selected"] = times(200, bench.key)
    return found


def main() -> None:
    """Print the figures, and write them down unless `--look` is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--look", action="store_true")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--runs", type=int, default=FULL_RUNS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = options.log or Path(name) / "gazeviz.db"
        if options.log is None:
            fill(path, options.runs)
            mark(path, options.runs)
        with closing(SessionStore(path)) as store:
            n_runs = store.list.count()
        bench = Bench(path)
        found = measured(bench, fast=n_runs < FULL_RUNS)
        bench.close()
    rows = ["| | ms |", "|---|---|", *(f"| {what} | {figures(ms)} |" for what, ms in found.items())]
    text = (
        f"## Sessions tab\n\nA generated log of {n_runs:,} runs in a tab of {SIZE_PX[0]} x {SIZE_PX[1]} px,"
        " grouped by session. Searches and filters count from the pause after the last key"
        f" until all rows on the screen are drawn. {screen_conditions()}\n\n" + "\n".join(rows)
    )
    print(text)
    if not options.look and n_runs >= FULL_RUNS:
        write_section("sessions", text)


if __name__ == "__main__":
    main()
