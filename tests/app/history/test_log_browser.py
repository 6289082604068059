"""The archive: asked beside the screen's thread, the newest request wins, what was written can be undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gazeviz.app.history.log_browser import LogBrowser, Overview, RunFilter, RunQuery, RunRow
from gazeviz.app.history.run_details import RunFacts
from gazeviz.errors import UserError
from gazeviz.store import SessionStore
from tests.app.fixtures.logged_sessions import fill
from tests.patience import PatientBot


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SessionStore]:
    """A log with two sessions and five runs, and a glance."""
    store = SessionStore(tmp_path / "gazeviz.db")
    fill(store)
    yield store
    store.close()


@pytest.fixture
def archive(store: SessionStore, qtbot: PatientBot) -> Iterator[LogBrowser]:
    """An archive of it."""
    archive = LogBrowser(store)
    yield archive
    archive.close()


def listed(archive: LogBrowser, qtbot: PatientBot, typed: str = "", **request: object) -> list[int]:
    with qtbot.waitSignal(archive.listed) as heard:
        archive.ask_list(RunQuery(RunFilter.parse(typed), **request))  # type: ignore[arg-type]
    return [int(run_id) for run_id in heard.args[0].ids_N]


def lines(archive: LogBrowser, qtbot: PatientBot, *ids: int) -> tuple[RunRow, ...]:
    with qtbot.waitSignal(archive.lines_found) as heard:
        archive.ask_lines(ids)
    found: tuple[RunRow, ...] = heard.args[0]
    return found


def line(archive: LogBrowser, qtbot: PatientBot, run_id: int) -> RunRow:
    return lines(archive, qtbot, run_id)[0]


def overview(archive: LogBrowser, qtbot: PatientBot) -> Overview:
    with qtbot.waitSignal(archive.overview_found) as heard:
        archive.ask_overview()
    found: Overview = heard.args[0]
    return found


def facts(archive: LogBrowser, qtbot: PatientBot, run_id: int) -> RunFacts:
    with qtbot.waitSignal(archive.facts_found) as heard:
        archive.ask_facts(run_id)
    found: RunFacts = heard.args[0]
    return found


def test_runs_are_listed_with_their_sessions_and_filtered(archive: LogBrowser, qtbot: PatientBot) -> None:
    with qtbot.waitSignal(archive.listed) as heard:
        archive.ask_list(RunQuery())
    listing = heard.args[0]
    assert listing.ids_N.tolist() == [5, 4, 3, 2, 1]
    assert listing.sessions_N.tolist() == [2, 2, 1, 1, 1]
    assert listed(archive, qtbot, "cat") == [2]
    assert listed(archive, qtbot, sort="text")[0] == 3
    assert listed(archive, qtbot, "nowhere") == []


def test_of_wishes_about_one_topic_only_the_newest_is_answered(
    archive: LogBrowser, qtbot: PatientBot
) -> None:
    heard: list[int] = []
    for number in range(200):
        archive.ask("count", lambda reader, number=number: number, heard.append)  # type: ignore[misc]
    qtbot.waitUntil(lambda: bool(heard) and heard[-1] == 199)
    assert heard == [199]


def test_rows_come_in_the_order_asked_for_and_deleted_ones_are_still_known(
    archive: LogBrowser, qtbot: PatientBot
) -> None:
    assert [found.id for found in lines(archive, qtbot, 3, 1, 99, 2)] == [3, 1, 2]


def test_stars_tags_notes_and_verdicts_are_written_and_taken_back(
    archive: LogBrowser, qtbot: PatientBot
) -> None:
    archive.star([1])  # had none
    archive.star([1, 2])
    archive.tag([2], "  figure   2 ")
    archive.note(2, "Colour comes along.")
    archive.note(2, "Colour stays.")
    archive.judge([2], "Panel 4", True)
    found = line(archive, qtbot, 2)
    assert (found.starred, found.tags, found.note) == (True, ("figure 2",), "Colour stays.")
    assert (found.verdict, found.verdict_ok) == ("Panel 4", True)
    for _ in range(2):
        archive.undo_stack.undo()
    found = line(archive, qtbot, 2)
    assert (found.verdict, found.note) == ("", "Colour comes along.")
    for _ in range(3):
        archive.undo_stack.undo()
    assert line(archive, qtbot, 2) == lines(archive, qtbot, 2)[0]
    assert [found.starred for found in lines(archive, qtbot, 1, 2)] == [True, False]
    archive.undo_stack.redo()
    assert [found.starred for found in lines(archive, qtbot, 1, 2)] == [True, True]


def test_deleting_hides_and_undo_brings_back_what_was_hidden_by_it(
    archive: LogBrowser, qtbot: PatientBot
) -> None:
    archive.delete([1])
    archive.delete([1, 2])
    assert listed(archive, qtbot) == [5, 4, 3]
    assert overview(archive, qtbot).counts.deleted == 2
    archive.undo_stack.undo()
    assert listed(archive, qtbot) == [5, 4, 3, 2]
    archive.restore([1])
    assert listed(archive, qtbot) == [5, 4, 3, 2, 1]


def test_sessions_are_renamed_annotated_and_deleted_with_a_way_back(
    archive: LogBrowser, qtbot: PatientBot
) -> None:
    archive.rename_session(1, " strips ")
    archive.note_session(1, "before lunch")
    newest_first = overview(archive, qtbot).sessions
    assert [(session.name, session.n_runs, session.note) for session in newest_first] == [
        ("evening", 2, ""),
        ("strips", 3, "before lunch"),
    ]
    archive.delete_session(1)
    assert listed(archive, qtbot) == [5, 4]
    for _ in range(3):
        archive.undo_stack.undo()
    assert listed(archive, qtbot) == [5, 4, 3, 2, 1]
    assert overview(archive, qtbot).sessions[1].name == "morning"
    with pytest.raises(UserError, match="needs a name"):
        archive.rename_session(1, " ")
    with pytest.raises(UserError, match="needs a name"):
        archive.tag([1], " ")


def test_an_overview_counts_and_weighs(archive: LogBrowser, qtbot: PatientBot) -> None:
    found = overview(archive, qtbot)
    assert (found.counts.all, found.counts.junk, found.counts.lost_or_failed) == (5, 1, 1)
    assert found.n_bytes >= archive.path.stat().st_size
    assert found.backed_up_s is None


def test_changes_by_other_programs_are_noticed_while_the_log_is_watched(
    archive: LogBrowser, store: SessionStore, qtbot: PatientBot
) -> None:
    archive._look_for_changes()
    with qtbot.waitSignal(archive.changed):  # the first look
        pass
    with qtbot.assertNotEmitted(archive.changed, wait=100):
        archive._look_for_changes()
    store.star_runs([3])
    with qtbot.waitSignal(archive.changed):
        archive._look_for_changes()


def test_the_rows_that_were_written_are_told(archive: LogBrowser, qtbot: PatientBot) -> None:
    with qtbot.waitSignal(archive.changed) as heard:
        archive.star([2, 3])
    assert heard.args == [(2, 3)]


def test_facts_of_a_steered_run_name_everything_that_matters(archive: LogBrowser, qtbot: PatientBot) -> None:
    found = facts(archive, qtbot, 2)
    rows = dict(found.rows)
    assert rows["Target"].startswith("Panel 4")
    assert "boost/suppress · 8 · all rows" in rows["Steering"]
    assert rows["Heads"].startswith("1 of 1")
    assert rows["Session"] == "morning"
    assert found.picture_HW3 is not None and found.picture_HW3.dtype == np.uint8
    assert dict(facts(archive, qtbot, 1).rows)["Steering"] == "none, a baseline"


def test_a_run_whose_picture_is_gone_says_so(archive: LogBrowser, qtbot: PatientBot) -> None:
    found = facts(archive, qtbot, 5)
    assert found.picture_HW3 is None and "was not logged" in found.picture_note


def test_what_repeats_a_run_can_be_pasted(archive: LogBrowser, qtbot: PatientBot) -> None:
    with qtbot.waitSignal(archive.text_found) as heard:
        archive.ask_text(2, "shell")
    kind, text = heard.args
    assert kind == "shell" and text.startswith("gazeviz replay 2 --log ") and str(archive.path) in text
    with qtbot.waitSignal(archive.text_found) as heard:
        archive.ask_text(2, "python")
    compile(heard.args[1], "pasted", "exec")


def test_a_run_that_is_not_there_is_a_sentence(archive: LogBrowser, qtbot: PatientBot) -> None:
    with qtbot.waitSignal(archive.failed) as heard:
        archive.ask_text(99, "shell")
    assert heard.args[0].sentence == "The log has no run 99."


def test_small_pictures_come_when_they_have_been_read(archive: LogBrowser, qtbot: PatientBot) -> None:
    shown = line(archive, qtbot, 1).image_sha256
    with qtbot.waitSignal(archive.thumbnails_found):
        assert archive.thumbnail(shown) is None
        assert archive.thumbnail("gone") is None
    image = archive.thumbnail(shown)
    assert image is not None and image.width() > 0
    with qtbot.assertNotEmitted(archive.thumbnails_found, wait=50):
        assert archive.thumbnail("gone") is None


def test_a_bug_in_a_question_is_not_swallowed(archive: LogBrowser, qtbot: PatientBot) -> None:
    def wrong(_reader: object) -> int:
        raise ZeroDivisionError

    with qtbot.captureExceptions() as raised:
        archive.ask("bug", wrong, lambda _: None)
        qtbot.waitUntil(lambda: bool(raised))
    assert raised[0][0] is ZeroDivisionError


def test_a_write_that_fails_is_told_and_leaves_nothing_to_undo(
    archive: LogBrowser, store: SessionStore, qtbot: PatientBot
) -> None:
    store.close()
    with qtbot.waitSignal(archive.failed) as heard:
        archive.star([1])
    assert isinstance(heard.args[0], UserError)
    with qtbot.assertNotEmitted(archive.failed, wait=100):
        archive.undo_stack.undo()


def test_what_was_asked_to_be_written_is_written_before_the_end(
    store: SessionStore, qtbot: PatientBot
) -> None:
    archive = LogBrowser(store)
    archive.star([1])
    archive.close()
    archive.close()
    assert store.list.lines([1])[0].starred
