"""What the palette offers of the session as it is: questions, rankings, head sets, regions, selected runs."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLineEdit

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.prompts import PRESETS
from gazeviz.domain.wording import format_ranking_name
from gazeviz.store import SessionStore
from gazeviz.ui.sessions.sessions_page import SessionBrowser
from gazeviz.ui.shell.command_palette import find
from gazeviz.ui.shell.commands import explore_commands, runs_commands
from gazeviz.ui.shell.explore_page import ExploreView
from gazeviz.ui.shell.session_commands import offers
from gazeviz.ui.widgets.command import Command
from tests.app.fixtures.staging import Stage
from tests.patience import PatientBot
from tests.ui.fixtures.browser_stage import select
from tests.ui.fixtures.painting_stage import child_of


@pytest.fixture
def explore(stage: Stage, qtbot: PatientBot) -> ExploreView:
    view = ExploreView(stage.model, stage.controller)
    qtbot.addWidget(view)
    view.resize(1280, 760)
    view.show()
    stage.until_at_rest()
    return view


def offered(stage: Stage, explore: ExploreView, asked: str) -> Command:
    """What is found first with these letters."""
    return find(all_of(stage, explore), asked)[0].command


def all_of(stage: Stage, explore: ExploreView) -> list[Command]:
    model, controller = stage.model, stage.controller
    return [*explore_commands(model, controller, explore), *offers(model, controller, explore)]


def test_questions_are_asked_by_name(stage: Stage, explore: ExploreView) -> None:
    offered(stage, explore, "ask narration").run()
    assert stage.model.prompt == PRESETS["narration"].wording
    assert stage.model.steering.scope == "decode_only"
    offered(stage, explore, "ask about panel 3").run()
    assert "third panel" in stage.model.prompt


def test_a_picture_without_panels_has_no_direct_questions(stage: Stage, explore: ExploreView) -> None:
    stage.controller.apply_layout(None)
    by_title = {command.title: command for command in all_of(stage, explore)}
    assert by_title["Ask: Ambiguous"].enabled_when() is None
    assert not any(title.startswith("Ask about") for title in by_title)
    direct = next(command for command in by_title.values() if command.id == "ask.direct")
    assert direct.enabled_when() == "The picture has no panels. Choose a layout first."


def test_as_many_heads_as_are_chosen_are_taken_from_either_end(stage: Stage, explore: ExploreView) -> None:
    ranking = stage.model.ranking
    assert ranking is not None
    stage.model.chosen = HeadSet.of("L0H0,L0H1,L1H0")
    offered(stage, explore, "lowest").run()
    assert set(stage.model.chosen) == set(ranking.bottom(3))
    offered(stage, explore, "best").run()
    assert set(stage.model.chosen) == set(ranking.top(3))
    stage.controller.editor.undo_stack.undo()
    assert set(stage.model.chosen) == set(ranking.bottom(3))


def test_every_ranking_can_be_shown_and_live_attention_too(stage: Stage, explore: ExploreView) -> None:
    for name in stage.model.rankings:
        stage.model.grid_metric = "live"
        offered(stage, explore, f"rank heads by {format_ranking_name(name)}").run()
        assert (stage.model.ranking_name, stage.model.grid_metric) == (name, "ranking")
    offered(stage, explore, "live attention").run()
    assert stage.model.grid_metric == "live"


def test_a_set_is_saved_and_chosen_again_by_the_keyboard(stage: Stage, explore: ExploreView) -> None:
    stage.model.chosen = HeadSet.of("L0H0,L1H1")
    offered(stage, explore, "save chosen").run()
    name = child_of(explore, "headSetName")
    assert isinstance(name, QLineEdit) and name.isVisible()
    name.setText("mine")
    name.returnPressed.emit()
    stage.model.chosen = HeadSet.of("L0H2")
    offered(stage, explore, "head set mine").run()
    assert str(stage.model.chosen) == "L0H0,L1H1"


def test_measuring_is_unfolded(stage: Stage, explore: ExploreView) -> None:
    assert explore.discovery.fold.folded
    offered(stage, explore, "measure").run()
    assert not explore.discovery.fold.folded


def test_what_there_is_no_region_for_is_grey(stage: Stage, explore: ExploreView) -> None:
    stage.model.active_region_id = stage.model.regions.ids[1]
    by_id = {command.id: command for command in all_of(stage, explore)}
    by_id["edit.delete_region"].run()
    assert len(stage.model.regions) == 5
    stage.controller.apply_layout(None)
    assert by_id["edit.import_regions"].enabled_when() is None
    assert by_id["edit.delete_region"].enabled_when() == "No region is active. Click one in the list."
    for form in ("png", "labelme", "coco"):
        assert by_id[f"edit.export_{form}"].enabled_when() == "Nothing is painted yet. Paint a region first."


def test_keys_add_a_region_and_go_to_the_prompt(stage: Stage, explore: ExploreView) -> None:
    by_title = {command.title: command for command in all_of(stage, explore)}
    by_title["New region"].run()
    assert len(stage.model.regions) == 7
    explore.activateWindow()
    by_title["Write the prompt"].run()
    stage.until(explore.prompt.edit.hasFocus)


def test_targets_are_scheduled_and_cleared_by_name(stage: Stage, explore: ExploreView) -> None:
    by_id = {command.id: command for command in all_of(stage, explore)}
    assert by_id["steering.clear_schedule"].enabled_when() == "No targets are scheduled."
    by_id["steering.schedule_backwards"].run()
    assert [region_id for _, region_id in stage.model.schedule] == list(stage.model.regions.ids)[::-1]
    assert by_id["steering.clear_schedule"].enabled_when() is None
    by_id["steering.clear_schedule"].run()
    assert stage.model.schedule == ()


def test_what_is_about_the_heads_brings_their_panel_back(stage: Stage, explore: ExploreView) -> None:
    explore.set_large(True)
    assert not explore.head_panel.isVisible()
    offered(stage, explore, "measure head rankings").run()
    assert explore.head_panel.isVisible()


def test_selected_runs_are_opened_compared_starred_and_judged(
    browser: SessionBrowser, store: SessionStore, qtbot: PatientBot
) -> None:
    by_id = {command.id: command for command in runs_commands(lambda: browser)}
    browser.table.clearSelection()
    qtbot.waitUntil(lambda: not browser.details.ids)
    reason = "No run is selected. Choose runs on the Sessions tab."
    assert {by_id[f"runs.{name}"].enabled_when() for name in ("open", "compare", "star", "judge_junk")} == {
        reason
    }
    select(browser, qtbot, 2)
    assert by_id["runs.compare"].enabled_when() == "Choose two to six runs."
    assert by_id["runs.restore"].enabled_when() == "The run is not deleted."
    assert by_id["runs.replay"].enabled_when() is None
    with qtbot.waitSignal(browser.open_wanted) as opened:
        by_id["runs.open"].run()
    assert opened.args == [2]
    select(browser, qtbot, 2, 3)
    assert by_id["runs.open"].enabled_when() == "Choose a single run."
    with qtbot.waitSignal(browser.compare_wanted) as compared:
        by_id["runs.compare"].run()
    assert set(compared.args[0]) == {2, 3}
    by_id["runs.star"].run()
    by_id["runs.judge_junk"].run()
    qtbot.waitUntil(lambda: all(line.starred and line.verdict == "junk" for line in store.list.lines([2, 3])))


def test_without_the_tab_nothing_can_be_done_with_runs() -> None:
    for command in runs_commands(lambda: None):
        assert "Sessions tab" in str(command.enabled_when())
