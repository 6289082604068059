"""What the palette offers of the session as it is: questions, rankings, head sets, regions, selected runs."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLineEdit

from gazeviz.domain.heads import HeadSet
from gazeviz.domain.prompts import PRESETS
from gazeviz.store import SessionStore
from gazeviz.ui.heads.ranking_bar import ranking_title
from gazeviz.ui.sessions.sessions_page import SessionBrowser
from gazeviz.ui.shell.command_palette import Command, find
from gazeviz.ui.shell.explore_page import ExploreView
from gazeviz.ui.shell.session_commands import offers, run_offers
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
    return find(offers(stage.model, stage.controller, explore), asked)[0].command


def test_questions_are_asked_by_name(stage: Stage, explore: ExploreView) -> None:
    offered(stage, explore, "ask narration").run()
    assert stage.model.prompt == PRESETS["narration"].wording
    assert stage.model.steering.scope == "decode_only"
    offered(stage, explore, "ask about panel 3").run()
    assert "third panel" in stage.model.prompt


def test_a_picture_without_panels_has_no_direct_questions(stage: Stage, explore: ExploreView) -> None:
    stage.controller.apply_layout(None)
    names = [command.name for command in offers(stage.model, stage.controller, explore)]
    assert "Ask: Ambiguous" in names and not any(name.startswith("Ask about") for name in names)


def test_as_many_heads_as_are_chosen_are_taken_from_either_end(stage: Stage, explore: ExploreView) -> None:
    ranking = stage.model.ranking
    assert ranking is not None
    stage.model.chosen = HeadSet.of("L0H0,L0H1,L1H0")
    offered(stage, explore, "lowest").run()
    assert set(stage.model.chosen) == set(ranking.bottom(3))
    offered(stage, explore, "best 3").run()
    assert set(stage.model.chosen) == set(ranking.top(3))
    stage.controller.undo_stack.undo()
    assert set(stage.model.chosen) == set(ranking.bottom(3))


def test_every_ranking_can_be_shown_and_live_attention_too(stage: Stage, explore: ExploreView) -> None:
    for name in stage.model.rankings:
        stage.model.grid_metric = "live"
        offered(stage, explore, f"rank heads by {ranking_title(name)}").run()
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


def test_what_there_is_no_region_for_is_not_offered(stage: Stage, explore: ExploreView) -> None:
    stage.model.active_region_id = stage.model.regions.ids[1]
    offered(stage, explore, "delete the active").run()
    assert len(stage.model.regions) == 5
    stage.controller.apply_layout(None)
    names = [command.name for command in offers(stage.model, stage.controller, explore)]
    assert "Import regions" in names
    assert not any("active region" in name or name.startswith("Export regions") for name in names)


def test_the_views_own_keys_add_a_region_and_go_to_the_prompt(stage: Stage, explore: ExploreView) -> None:
    by_name = {deed.name: deed for deed in explore.deeds()}
    by_name["New region"].run()
    assert len(stage.model.regions) == 7
    explore.activateWindow()
    by_name["Write the prompt"].run()
    stage.until(explore.prompt.edit.hasFocus)


def test_what_is_about_the_heads_brings_their_panel_back(stage: Stage, explore: ExploreView) -> None:
    explore.set_large(True)
    names = [command.name for command in offers(stage.model, stage.controller, explore)]
    assert "Import regions" in names and not explore.head_panel.isVisible()
    offered(stage, explore, "best").run()
    assert explore.head_panel.isVisible()


def test_selected_runs_are_opened_compared_starred_and_judged(
    browser: SessionBrowser, store: SessionStore, qtbot: PatientBot
) -> None:
    browser.table.clearSelection()
    qtbot.waitUntil(lambda: not browser.details.ids)
    assert run_offers(browser) == []
    select(browser, qtbot, 2)
    qtbot.waitUntil(lambda: browser.details.ids == (2,))
    names = [command.name for command in run_offers(browser)]
    assert {"Open in Explore: the selected run", "Replay: the selected run", "Tag: the selected run"} <= {
        *names
    }
    with qtbot.waitSignal(browser.open_wanted) as opened:
        find(run_offers(browser), "open")[0].command.run()
    assert opened.args == [2]
    select(browser, qtbot, 2, 3)
    qtbot.waitUntil(lambda: set(browser.details.ids) == {2, 3})
    found = {command.name: command for command in run_offers(browser)}
    assert not any(name.startswith("Open") for name in found)
    compare = found["Compare: 2 selected runs"]
    assert (compare.key, compare.tip) == ("C", "Show two to six runs side by side.")
    with qtbot.waitSignal(browser.compare_wanted) as compared:
        compare.run()
    assert set(compared.args[0]) == {2, 3}
    found["Star: 2 selected runs"].run()
    found["Judge: junk"].run()
    qtbot.waitUntil(lambda: all(line.starred and line.verdict == "junk" for line in store.list.lines([2, 3])))
