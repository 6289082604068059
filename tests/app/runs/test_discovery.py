"""Discovery: rankings fill in, are logged, and what was measured in part is kept and says so."""

from __future__ import annotations

from gazeviz.domain.messages import StripsSource
from tests.app.fixtures.staging import logged_rankings
from tests.fakes.scripted import Script

FOUR = StripsSource("builtin", 4)


def loaded(open_stage, script):
    stage = open_stage(script)
    stage.until(lambda: stage.model.worker_state == "ready")
    return stage


def test_rankings_fill_in_and_are_written_down(open_stage):
    stage = loaded(open_stage, Script(strip_s=0.02, ranking=False))
    seen, progress = [], []

    def note_ranking() -> None:
        if stage.model.ranking is not None:
            seen.append((stage.model.ranking_name, float(stage.model.ranking.scores_LH.max())))

    def note_progress() -> None:
        if stage.model.progress is not None:
            progress.append((stage.model.progress.done, stage.model.progress.total))

    stage.model.ranking_changed.connect(note_ranking)
    stage.model.worker_changed.connect(note_progress)
    stage.controller.discover(FOUR, ("causal", "mass"))
    assert stage.model.worker_state == "busy" and stage.model.measured_rankings == ("causal", "mass")
    stage.until(lambda: set(stage.model.rankings) == {"causal", "mass"})
    assert stage.model.ranking_name == "causal" and stage.model.measured_rankings == ()
    shown = [high for name, high in seen if name == "causal"]
    assert shown == sorted(shown) and len(set(shown)) >= 4, "sharper with every strip"
    assert progress[-1] == (4, 4) and stage.model.progress is None
    assert logged_rankings(stage.log, stage.model.model_info.fingerprint)[:2] == ["mass", "causal"]
    assert stage.model.ranking.split_half_overlap(8) is not None
    stage.until(lambda: stage.model.worker_state == "ready")


def test_a_cancelled_measurement_is_kept_in_part(open_stage):
    stage = loaded(open_stage, Script(strip_s=0.1))
    complete = stage.model.rankings["mass"]
    stage.controller.discover(StripsSource("builtin", 40))
    stage.until(lambda: stage.model.progress is not None and stage.model.progress.done >= 2)
    stage.controller.discovery.cancel()
    stage.until(lambda: stage.model.worker_state == "ready")
    assert stage.model.rankings["mass"] is complete and stage.model.ranking is complete
    partial = next(name for name in stage.model.rankings if "of 40" in name)
    assert partial.startswith("mass (") and partial.endswith(" of 40)")
    assert stage.model.rankings[partial].name == partial


def test_a_measurement_that_cannot_begin_says_why(open_stage):
    stage = loaded(open_stage, Script())
    stage.controller.discover(FOUR, ("beauty",))
    stage.until(lambda: stage.model.notice is not None)
    assert stage.model.notice.about == "discovery" and "beauty" in stage.model.notice.sentence
    stage.until(lambda: stage.model.worker_state == "ready")
    assert not stage.model.measured_rankings


def test_runs_wait_until_nothing_is_measured(open_stage):
    stage = loaded(open_stage, Script(strip_s=0.1))
    stage.controller.discover(StripsSource("builtin", 40))
    for refused in (stage.controller.run, lambda: stage.controller.discover(FOUR)):
        stage.model.notice = None
        refused()
        assert "being measured" in stage.model.notice.sentence
    stage.controller.discovery.cancel()
    stage.until(lambda: stage.model.worker_state == "ready")


def test_a_lost_worker_ends_the_measurement_and_keeps_its_part(open_stage):
    stage = loaded(open_stage, Script(strip_s=0.1))
    stage.controller.discover(StripsSource("builtin", 40))
    stage.until(lambda: stage.model.progress is not None and stage.model.progress.done >= 2)
    stage.controller.kill_worker()
    stage.until(lambda: stage.model.worker_state == "ready")
    assert sum("of 40" in name for name in stage.model.rankings) == 1 and not stage.model.measured_rankings
