"""The whole loop on the comic world: find gaze heads, ask once, steer to every panel, compare with controls.

Every strip is drawn from a seed and its captions are known, so each answer is judged exactly. It puts
together what discovery, evaluation and generation measure; what is said about it and drawn is the
command's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gazeviz.domain.evaluation import Evaluation, JudgedAnswer, Verdict
from gazeviz.domain.experiments.treatment import DYNAMIC, STATIC, Treatment
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.run import Run
from gazeviz.domain.statistics import percentile_of
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.engine.evaluation.evaluation import Examiner
from gazeviz.engine.evaluation.judges import GrammarJudge
from gazeviz.engine.evaluation.protocols import controls
from gazeviz.engine.models.description import usual_count
from gazeviz.testbed.world import grammar
from gazeviz.testbed.world.world import DrawnStrip, builtin_strips

if TYPE_CHECKING:
    from gazeviz.engine.engine import Engine

DISCOVERY_SEED: Final = 0
QUESTION_SEED: Final = 1
"""Heads are found on one series of strips and steered on another."""
N_STRIPS_JUDGED: Final = 4
N_RANDOM_DRAWS: Final = 10
ANSWER_TOK: Final = 15
TURN_TOK: Final = 12
TURNS: Final = (4, 1, 2, 6, 3, 5)
"""Panels in the order of the narration's targets, none in its own place."""

Report = Callable[[str, float], None]
"""Told what is being done, and the part done of all of it, 0 to 1."""


@dataclass(frozen=True)
class Demonstration:
    """Everything that was measured.

    steered: evaluation under gaze heads; the first answers are about `strip`, one per panel.
    controls: evaluations under everything that gaze heads are held against.
    shown: one steered run with its attention, at panel TURNS[0]. narration: steered along TURNS.
    """

    ranking: HeadRanking
    chosen: HeadSet
    strip: DrawnStrip
    baseline: Run
    baseline_verdict: Verdict
    steered: Evaluation
    controls: tuple[Evaluation, ...]
    shown: Run
    narration: Run

    @property
    def answers(self) -> tuple[JudgedAnswer, ...]:
        """The steered answers about `strip`, in the order of its panels."""
        return self.steered.answers[: len(self.strip.panels)]

    @property
    def random_draws(self) -> tuple[Evaluation, ...]:
        """The random controls: uniform draws, and draws matched to the layers of the gaze heads."""
        return tuple(control for control in self.controls if "random" in control.treatment["name"])

    @property
    def percentile(self) -> float:
        """Where gaze heads stand among the random draws, in per cent."""
        return percentile_of(self.steered.share(), [draw.share() for draw in self.random_draws])


def demonstrate(
    engine: Engine, n_strips: int, asked: int, n_top: int | None, report: Report
) -> Demonstration:
    """Run the loop: discover on `n_strips`, ask about strip `asked` of another series, steer, control,
    narrate.

    n_top: heads to steer, `usual_count` unless given; a moving target needs twice as many. UserError when
    the ranking has fewer.
    """
    ranking = _discover(engine, n_strips, report)
    chosen = ranking.top(usual_count(ranking) if n_top is None else n_top)
    narrating = ranking.top(min(2 * len(chosen), len(ranking.order())))
    strips = builtin_strips(asked + N_STRIPS_JUDGED, QUESTION_SEED)[asked:]
    judge = GrammarJudge(grammar.parse)
    examiner = Examiner(engine, strips, judge, STATIC, new_tok=ANSWER_TOK)
    gaze = Treatment(str(chosen.origin), chosen)
    compared = (gaze, *controls(gaze, ranking, n_draws=N_RANDOM_DRAWS))
    evaluations = []
    for done, treatment in enumerate(compared):
        report(f"steering: {treatment.name}", 0.3 + 0.6 * done / len(compared))
        evaluations.append(examiner.evaluate(treatment))
    report("narrating", 0.9)
    return Demonstration(
        ranking,
        chosen,
        strips[0],
        examiner.baseline(0),
        judge.judge(examiner.baseline(0).text, strips[0]),
        evaluations[0],
        tuple(evaluations[1:]),
        _show(engine, chosen, strips[0]),
        _narrate(engine, narrating, strips[0]),
    )


def _discover(engine: Engine, n_strips: int, report: Report) -> HeadRanking:
    def counted(done: int, total: int, _seconds_left: float | None) -> None:
        report(f"finding gaze heads on {n_strips} strips", 0.3 * done / total)

    return engine.discover(builtin_strips(n_strips, DISCOVERY_SEED), by="mass", progress=counted)


def _show(engine: Engine, heads: HeadSet, strip: DrawnStrip) -> Run:
    """Steer once more to the first turn's panel and keep where the heads look."""
    steering = Steering(heads, strip.panels[TURNS[0] - 1])
    return engine.generate(strip.image, STATIC.prompt, steering=steering, max_new_tokens=ANSWER_TOK)


def _narrate(engine: Engine, heads: HeadSet, strip: DrawnStrip) -> Run:
    """Narrate while the target takes turns, in the decoded rows only."""
    turns = [strip.panels[number - 1] for number in TURNS]
    steering = Steering(heads, turns[0], scope=DYNAMIC.scope, schedule=Schedule.every(TURN_TOK, turns))
    return engine.generate(
        strip.image, DYNAMIC.prompt, steering=steering, max_new_tokens=TURN_TOK * len(turns)
    )
