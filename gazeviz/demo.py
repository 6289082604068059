"""The whole loop on the comic world: find gaze heads, ask once, steer to every panel, compare with controls.

Every strip is drawn from a seed and its captions are known, so each answer is judged exactly. It measures;
what is said about it and drawn is the command's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, Final

from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.run import Run
from gazeviz.domain.steering import Schedule, Steering
from gazeviz.domain.strip import Strip
from gazeviz.testbed import grammar
from gazeviz.testbed.world import DrawnStrip, builtin_strips

if TYPE_CHECKING:
    from gazeviz.engine.engine import Engine

DISCOVERY_SEED: Final = 0
QUESTION_SEED: Final = 1
"""Heads are found on one series of strips and steered on another."""
QUESTION: Final = grammar.AMBIGUOUS[0]
NARRATION: Final = grammar.NARRATION[0]
N_STRIPS_JUDGED: Final = 5
N_RANDOM_DRAWS: Final = 10
ANSWER_TOK: Final = 15
TURN_TOK: Final = 12
TURNS: Final = (4, 1, 2, 6, 3, 5)
"""Panels in the order of the narration's targets, none in its own place."""

Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Verdict:
    """What an answer says by the grammar.

    panel: the one panel (from 1) that it fits best, None when it fits none or several equally.
    n_attributes: how many of that panel's four attributes it states.
    """

    panel: int | None
    n_attributes: int


@dataclass(frozen=True)
class Condition:
    """How often answers under one head set describe their target; chance is one in six.

    An answer that equals the unsteered one is a miss: steering that changes nothing never counts.
    """

    name: str
    n_answers: int
    n_hits: int
    n_complete: int
    n_junk: int

    @property
    def accuracy(self) -> float:
        """Hits per answer, 0 to 1."""
        return self.n_hits / self.n_answers


@dataclass(frozen=True)
class Demonstration:
    """Everything that was measured.

    steered: one run per panel of `strip`, in order. conditions: gaze heads first, then their controls.
    bias_zero_equals_baseline: whether strength 0 gave the baseline to the last token and log-probability.
    """

    ranking: HeadRanking
    chosen: HeadSet
    strip: DrawnStrip
    baseline: Run
    steered: tuple[Run, ...]
    conditions: tuple[Condition, ...]
    bias_zero_equals_baseline: bool
    narration: Run

    @property
    def random_draws(self) -> tuple[Condition, ...]:
        """The random controls among the conditions."""
        return tuple(condition for condition in self.conditions if condition.name.startswith("random"))

    @property
    def percentile(self) -> float:
        """Share of the random draws that gaze heads beat, 0 to 1; a draw that is as good counts half."""
        gaze = self.conditions[0].accuracy
        beaten = [(draw.accuracy < gaze) + 0.5 * (draw.accuracy == gaze) for draw in self.random_draws]
        return float(mean(beaten))


def verdict(text: str, facts: Sequence[grammar.Fact]) -> Verdict:
    """Judge a text exactly against the facts of a strip's panels."""
    stated = [grammar.matches(text, fact) for fact in facts]
    best = max(stated)
    decided = best > 0 and stated.count(best) == 1
    return Verdict(stated.index(best) + 1 if decided else None, best)


def demonstrate(
    engine: Engine, n_strips: int, asked: int, n_top: int | None, report: Report
) -> Demonstration:
    """Run the loop: discover on `n_strips`, ask about strip `asked` of another series, steer, control,
    narrate.

    n_top: heads to steer, one in eight unless given. UserError when the ranking has fewer.
    """
    ranking = _discover(engine, n_strips, report)
    n_heads = max(1, round(len(ranking.order()) / 8)) if n_top is None else n_top
    chosen = ranking.top(n_heads)
    strips = builtin_strips(asked + N_STRIPS_JUDGED, QUESTION_SEED)[asked:]
    baselines = engine.generate_many(
        [strip.image for strip in strips], QUESTION, max_new_tokens=ANSWER_TOK, track=chosen
    )
    answers: dict[str, list[Run]] = {}
    head_sets = list(_head_sets(ranking, chosen, engine))
    for done, (name, heads) in enumerate(head_sets):
        report(f"steering {name}", 0.4 + 0.5 * done / len(head_sets))
        answers[name] = _steer_to_every_panel(engine, heads, strips, track=chosen)
    report("narrating", 0.95)
    return Demonstration(
        ranking,
        chosen,
        strips[0],
        baselines[0],
        tuple(answers["gaze heads"][: len(TURNS)]),
        tuple(_judge(name, runs, strips, baselines) for name, runs in answers.items()),
        _bias_zero_equals_baseline(engine, chosen, strips[0]),
        _narrate(engine, chosen, strips[0]),
    )


def _discover(engine: Engine, n_strips: int, report: Report) -> HeadRanking:
    strips = [
        Strip(strip.image, strip.panels, strip.captions) for strip in builtin_strips(n_strips, DISCOVERY_SEED)
    ]

    def counted(done: int, total: int, _seconds_left: float | None) -> None:
        report(f"finding gaze heads on {n_strips} strips", 0.4 * done / total)

    return engine.discover(strips, by="mass", progress=counted)


def _head_sets(ranking: HeadRanking, chosen: HeadSet, engine: Engine) -> Iterator[tuple[str, HeadSet]]:
    """Gaze heads, then their controls; random draws come from all other heads."""
    yield "gaze heads", chosen
    for seed in range(N_RANDOM_DRAWS):
        yield f"random draw {seed}", ranking.random(len(chosen), seed, exclude=chosen)
    yield "lowest scores", ranking.bottom(len(chosen))
    yield "all heads", engine.all_heads()


def _steer_to_every_panel(
    engine: Engine, heads: HeadSet, strips: Sequence[DrawnStrip], track: HeadSet
) -> list[Run]:
    """One answer per strip and panel, strip by strip."""
    aims = [(strip, panel) for strip in strips for panel in strip.panels]
    return engine.generate_many(
        [strip.image for strip, _ in aims],
        QUESTION,
        [Steering(heads, panel) for _, panel in aims],
        max_new_tokens=ANSWER_TOK,
        track=track,
    )


def _judge(
    name: str, runs: Sequence[Run], strips: Sequence[DrawnStrip], baselines: Sequence[Run]
) -> Condition:
    aims = [
        (strip, number, baseline)
        for strip, baseline in zip(strips, baselines, strict=True)
        for number in range(1, len(strip.facts) + 1)
    ]
    n_hits = n_complete = 0
    for run, (strip, number, baseline) in zip(runs, aims, strict=True):
        said = verdict(run.text, strip.facts)
        hit = said.panel == number and run.text != baseline.text and run.junk is None
        n_hits += hit
        n_complete += hit and said.n_attributes == 4
    return Condition(name, len(runs), n_hits, n_complete, sum(run.junk is not None for run in runs))


def _bias_zero_equals_baseline(engine: Engine, heads: HeadSet, strip: DrawnStrip) -> bool:
    """Steer with strength 0, one answer at a time, and compare every token and log-probability."""
    nothing = Steering(heads, strip.panels[0], strength=0.0)
    plain, steered = (
        engine.generate(strip.image, QUESTION, steering=steering, max_new_tokens=ANSWER_TOK)
        for steering in (None, nothing)
    )
    return [(step.token_id, step.logprob) for step in plain.tokens] == [
        (step.token_id, step.logprob) for step in steered.tokens
    ]


def _narrate(engine: Engine, heads: HeadSet, strip: DrawnStrip) -> Run:
    """Narrate while the target takes turns, in the decoded rows only."""
    turns = [strip.panels[number - 1] for number in TURNS]
    still = Steering(heads, turns[0], scope="decode_only")
    steering = replace(still, schedule=Schedule.every(TURN_TOK, turns))
    return engine.generate(strip.image, NARRATION, steering=steering, max_new_tokens=TURN_TOK * len(turns))
