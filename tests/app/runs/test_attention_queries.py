"""Maps, masses and galleries: they follow what is shown, and one question of a kind is under way at most."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gazeviz.app.session.values import Cursor, GalleryChoice
from gazeviz.domain.heads import Head, HeadSet
from gazeviz.domain.messages import AskGallery, AskMap, AskMass
from gazeviz.domain.strip import Layout
from tests.app.fixtures.staging import N_PANELS
from tests.fakes.scripted import GAZE_HEADS, Script
from tests.patience import deliver_events

ASKS = (AskMap, AskMass, AskGallery)


class Watch:
    """Counts questions under way, by kind."""

    def __init__(self, stage) -> None:
        self.asked: list[object] = []
        self.most: Counter[type] = Counter()
        self._open: dict[int, type] = {}
        jobs = stage.controller._jobs
        send, hear = stage.backend.send, jobs.hear

        def watched_send(request):
            if isinstance(request, ASKS):
                self.asked.append(request)
                self._open[request.job] = type(request)
                now = Counter(self._open.values())
                self.most[type(request)] = max(self.most[type(request)], now[type(request)])
            return send(request)

        def watched_hear(event):
            self._open.pop(event.job, None)
            hear(event)

        jobs.send_through(watched_send)
        jobs.hear = watched_hear

    def of(self, kind):
        return [request for request in self.asked if isinstance(request, kind)]


def test_the_map_of_the_chosen_heads_is_not_asked_for(stage):
    watch = Watch(stage)
    stage.controller.retarget(stage.model.regions.ids[3])
    stage.controller.run("steered")
    steered = stage.until_ended()
    stage.until(lambda: "token 7" in stage.model.map.label)
    assert np.array_equal(stage.model.map.values_P, steered.steps[7].map_P)
    assert not watch.of(AskMap)
    assert (stage.model.map.low, stage.model.map.high) == (0.0, float(steered.steps[7].map_P.max()))


def test_a_span_of_tokens_is_their_average(stage):
    stage.controller.run("baseline")
    baseline = stage.until_ended("baseline")
    stage.model.cursor = Cursor("baseline", 4, 5)
    stage.until(lambda: "tokens 4-5 “red cat”" in stage.model.map.label)
    expected = (baseline.steps[4].map_P + baseline.steps[5].map_P) / 2
    assert np.allclose(stage.model.map.values_P, expected)


def test_a_token_without_text_is_named(open_stage, strip_path):
    stage = open_stage(Script(end_token=True))
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS))
    stage.model.prompt = "What is happening in this panel?"
    stage.until_at_rest()
    stage.controller.run("baseline")
    stage.until_ended("baseline")
    stage.until(lambda: stage.model.map.label.endswith(" · token 8 <|end|>"))


def test_a_hovered_head_is_asked_for_and_remembered(stage):
    watch = Watch(stage)
    stage.model.hovered_head = Head(3, 1)
    stage.until(lambda: stage.model.map.label.startswith("L3H1 "))
    assert stage.model.map.heads == (Head(3, 1),)
    stage.model.hovered_head = None
    stage.until(lambda: "chosen heads" in stage.model.map.label)
    assert stage.model.map.heads == stage.model.chosen.heads
    stage.model.hovered_head = Head(3, 1)
    stage.until(lambda: stage.model.map.label.startswith("L3H1 "))
    assert len(watch.of(AskMap)) == 1


def test_a_mouse_over_the_grid_asks_one_thing_at_a_time_and_ends_at_the_newest(stage):
    watch = Watch(stage)
    heads = [Head(layer, index) for layer in range(8) for index in range(8)]
    for head in heads:
        stage.model.hovered_head = head
        deliver_events()
    stage.until(lambda: stage.model.map.label.startswith("L7H7 "))
    assert watch.most[AskMap] == 1 and len(watch.of(AskMap)) <= len(heads)


def test_other_heads_than_the_run_watched_are_asked_for(stage):
    stage.model.chosen = HeadSet.of("L0H0,L0H1")
    stage.until(lambda: stage.model.map.label.startswith("2 chosen heads"))
    watch = Watch(stage)
    stage.model.chosen = HeadSet(())
    stage.until(lambda: stage.model.map.label.startswith("all heads"))
    assert watch.of(AskMap)[0].heads == HeadSet(())


def test_the_grid_shows_live_mass_on_the_active_region(stage):
    stage.model.grid_metric = "live"
    stage.model.active_region_id = stage.model.regions.ids[0]
    stage.until(lambda: stage.model.live_mass_LH is not None)
    mass_LH = stage.model.live_mass_LH
    best = {Head(*divmod(int(flat), 8)) for flat in np.argsort(-mass_LH, axis=None)[: len(GAZE_HEADS)]}
    assert best == set(GAZE_HEADS), "the first token is about panel 1"
    stage.model.active_region_id = stage.model.regions.ids[4]
    stage.until(lambda: stage.model.live_mass_LH is not mass_LH)
    stage.model.grid_metric = "ranking"
    stage.until(lambda: stage.model.live_mass_LH is None)


def test_which_heads_look_here_follows_region_and_cell(stage):
    stage.controller.look_at_region(stage.model.regions.ids[0])
    stage.until(lambda: stage.model.live_mass_LH is not None)
    assert stage.model.grid_metric == "look_here" and stage.model.look_at.label == "Panel 1"
    whole = stage.model.live_mass_LH
    stage.controller.look_at_point(10, 10)
    stage.until(lambda: stage.model.live_mass_LH is not whole)
    assert stage.model.look_at.label == "cell 0" and (stage.model.live_mass_LH <= whole + 1e-6).all()
    before = stage.model.look_at
    stage.controller.look_at_point(-10, 10)
    assert stage.model.look_at is before


def test_painting_on_the_place_asks_again(stage):
    region_id = stage.controller.editor.add_region("mine")
    stage.controller.editor.paint_rectangle((0, 0), (64, 64))
    stage.controller.look_at_region(region_id)
    stage.until(lambda: stage.model.live_mass_LH is not None)
    before = stage.model.live_mass_LH
    stage.controller.editor.paint_rectangle((64, 0), (200, 64))
    stage.until(lambda: stage.model.live_mass_LH is not before)
    assert (stage.model.live_mass_LH >= before - 1e-6).all()


def test_the_gallery_shows_the_chosen_heads_best_first(stage):
    stage.model.chosen = HeadSet(GAZE_HEADS)
    order = stage.model.ranking.order()
    stage.until(lambda: len(stage.model.gallery) == len(GAZE_HEADS))
    heads = [head for head, _, _ in stage.model.gallery]
    assert heads == [head for head in order if head in GAZE_HEADS]
    stage.controller.retarget(stage.model.regions.ids[0])
    whole = [mass for _, _, mass in stage.model.gallery]
    stage.until(lambda: [mass for _, _, mass in stage.model.gallery] != whole)
    tokens = stage.model.cells_of(stage.model.regions.ids[0])
    for _, values_P, mass in stage.model.gallery:
        assert np.isclose(mass, values_P[tokens].sum())
    stage.model.chosen = HeadSet(())
    stage.until(lambda: len(stage.model.gallery) == 12)
    assert [head for head, _, _ in stage.model.gallery] == list(order[:12])


def test_the_gallery_shows_as_many_and_whichever_heads_are_wanted(stage):
    order = stage.model.ranking.order()
    stage.model.gallery_choice = GalleryChoice("chosen", 4)
    stage.until(lambda: [head for head, _, _ in stage.model.gallery] == list(order[:4]))
    stage.model.chosen = HeadSet(order[-2:])
    stage.until(lambda: {head for head, _, _ in stage.model.gallery} == set(order[-2:]))
    stage.model.gallery_choice = GalleryChoice("best", 6)
    stage.until(lambda: [head for head, _, _ in stage.model.gallery] == list(order[:6]))
    with pytest.raises(ValueError, match="0 maps"):
        GalleryChoice(n=0)


def test_only_the_worker_that_wrote_a_run_keeps_its_attention(stage):
    record, _ = stage.model.shown_steps()
    assert stage.controller.maps.keeps(record)
    record.worker += 1
    assert not stage.controller.maps.keeps(record)


def test_streaming_never_piles_up_questions(open_stage, strip_path):
    stage = open_stage(Script(token_s=0.002))
    stage.controller.open_picture(strip_path, Layout(1, N_PANELS))
    stage.model.prompt = "Describe each of the panels."
    stage.until_at_rest()
    watch = Watch(stage)
    stage.model.grid_metric, stage.model.hovered_head = "live", Head(0, 0)
    stage.model.active_region_id = stage.model.regions.ids[2]
    stage.controller.run("baseline")
    stage.until_ended("baseline")
    stage.until(lambda: "token 47" in stage.model.map.label)
    assert watch.most == {AskMap: 1, AskMass: 1, AskGallery: 1}
    assert len(watch.of(AskGallery)) <= 49


def test_a_run_of_a_lost_worker_says_why_it_has_no_maps(stage):
    stage.controller.run("baseline")
    stage.until_ended("baseline")
    stage.controller.kill_worker()
    stage.until(lambda: stage.model.worker_state == "ready" and stage.controller._jobs.worker == 2)
    assert stage.model.map.values_P is not None, "what has arrived is still there"
    stage.model.hovered_head = Head(0, 0)
    stage.until(lambda: stage.model.map.values_P is None)
    assert "Run it again" in stage.model.map.label and stage.model.gallery == ()


def test_a_refused_question_says_why(stage):
    stage.controller.run("baseline")
    stage.until_ended("baseline")
    for number in range(3):
        stage.model.prompt = f"Another question {number}"
        stage.controller.run("baseline")
        stage.until(lambda number=number: stage.shown("baseline").spec.prompt.endswith(str(number)))
        stage.until_ended("baseline")
    first = next(record for record in stage.model.runs.values() if record.side == "baseline")
    stage.model.show_run("baseline", first)
    stage.model.hovered_head = Head(0, 0)
    stage.until(lambda: stage.model.map.values_P is None)
    assert "no longer in memory" in stage.model.map.label
