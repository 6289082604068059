"""Reports from the app: a preview first, files in a thread, stopped at a figure, and what cannot be said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gazeviz.app.report.pdf import laid_out
from gazeviz.app.report.report_task import FORMATS, MOST_PREVIEWED, Preview, Reporting, ReportRequest, Written
from gazeviz.errors import UserError
from gazeviz.render.report import files as report_files
from tests.patience import PATIENCE_S


@pytest.fixture
def session(open_session, strip_path):
    session = open_session()
    session.start(strip_path)
    return session


@pytest.fixture
def reporting(session):
    reporting = Reporting(session.store)
    yield reporting
    reporting.close()


def previewed(qtbot, reporting: Reporting, request: ReportRequest) -> Preview:
    with qtbot.waitSignal(reporting.previewed) as heard:
        reporting.preview(request, 600)
    preview: Preview = heard.args[0]
    return preview


def test_the_formats_are_those_that_are_written():
    assert FORMATS == report_files.FORMATS


def test_what_draws_is_not_loaded_with_the_window():
    code = "import sys, gazeviz.ui.sessions.sessions_page; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE_S).returncode == 0


def test_a_preview_shows_runs_with_their_baseline(session, reporting, qtbot):
    _, steered_id = session.run()
    told: list[tuple[str, int, int]] = []
    reporting.progressed.connect(lambda *what: told.append(what))
    preview = previewed(qtbot, reporting, ReportRequest((steered_id,)))
    assert (preview.title, preview.n_shown, preview.n_runs) == (f"Run {steered_id}", 2, 2)
    text = laid_out(preview.drawn).toPlainText()
    assert session.shown("steered").text.strip() in text and "Panel 2" in text
    assert told and told[-1][1] == told[-1][2] == len(preview.drawn.images)
    alone = previewed(qtbot, reporting, ReportRequest((steered_id,), title="Mine", baselines=False))
    assert (alone.title, alone.n_shown) == ("Mine", 1)


def test_of_a_session_the_first_runs_are_previewed_and_all_are_written(session, reporting, qtbot, tmp_path):
    for panel in range(MOST_PREVIEWED + 1):
        session.run(panel)
    request = ReportRequest(session_id=session.store.sessions()[0].id)
    preview = previewed(qtbot, reporting, request)
    assert preview.n_shown == MOST_PREVIEWED and preview.n_runs == MOST_PREVIEWED + 2
    with qtbot.waitSignal(reporting.written) as heard:
        reporting.write(request, tmp_path / "out", ("json", "csv"), 100)
    written: Written = heard.args[0]
    assert {path.name for path in written.files} == {"report.json", "runs.csv", "tokens.csv"}
    lines = (tmp_path / "out" / "runs.csv").read_text("utf-8-sig").splitlines()
    assert len(lines) == 1 + preview.n_runs


def test_a_page_a_pdf_and_figures_are_written(session, reporting, qtbot, tmp_path):
    _, steered_id = session.run()
    told: list[tuple[str, int, int]] = []
    reporting.progressed.connect(lambda *what: told.append(what))
    request = ReportRequest((steered_id,), baselines=False)
    with qtbot.waitSignal(reporting.written) as heard:
        reporting.write(request, tmp_path / "out", ("html", "pdf", "figures"), 72)
    names = [path.name for path in heard.args[0].files]
    assert "report.html" in names and names[-1] == "report.pdf"
    assert (tmp_path / "out" / "report.pdf").read_bytes().startswith(b"%PDF")
    assert told[-1][1] == told[-1][2] and {kind for kind, _, _ in told} == {"write"}


def test_writing_stops_at_the_next_figure(session, reporting, qtbot, tmp_path):
    _, steered_id = session.run()
    reporting.progressed.connect(lambda *_: reporting.stop())
    with qtbot.waitSignal(reporting.stopped):
        reporting.write(ReportRequest((steered_id,)), tmp_path / "out", ("html",), 72)
        with pytest.raises(RuntimeError):
            reporting.write(ReportRequest((steered_id,)), tmp_path / "out", ("html",), 72)
    assert not (tmp_path / "out" / "report.html").exists() and not reporting.writing


def test_of_two_previews_only_the_newer_one_comes(session, reporting, qtbot):
    _, steered_id = session.run()
    heard: list[Preview] = []
    reporting.previewed.connect(heard.append)
    for title in ("one", "two"):
        reporting.preview(ReportRequest((steered_id,), title=title), 500)
    session.until(lambda: heard, 60_000)
    qtbot.until_quiet()
    assert [preview.title for preview in heard] == ["two"] and not reporting.previewing


def test_what_cannot_be_reported_is_said(session, reporting, qtbot, tmp_path, strip_path):
    heard: list[UserError] = []
    reporting.failed.connect(heard.append)
    reporting.preview(ReportRequest((404,)), 500)
    session.until(lambda: heard)
    assert "Run 404 is no longer" in heard[0].sentence
    reporting.preview(ReportRequest(session_id=404), 500)
    session.until(lambda: len(heard) == 2)
    assert "no runs" in heard[1].sentence
    _, steered_id = session.run()
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    reporting.write(ReportRequest((steered_id,)), blocked / "out", ("json",), 72)
    session.until(lambda: len(heard) == 3)
    assert heard[2].next_step


def test_closing_does_not_wait_for_a_whole_report(session, qtbot, tmp_path: Path):
    _, steered_id = session.run()
    reporting = Reporting(session.store)
    with qtbot.waitSignal(reporting.progressed):
        reporting.write(ReportRequest((steered_id,)), tmp_path / "out", ("html", "figures"), 300)
    reporting.close()
    reporting.close()
    assert not (tmp_path / "out" / "report.html").exists()
