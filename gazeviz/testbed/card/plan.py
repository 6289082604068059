"""How much a model card measures, and on which pictures: numbers only.

Settings are chosen on screening strips and then measured on other strips; both are drawn from stated seeds
and show combinations that the model was never trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from gazeviz.domain.steering import SCOPES, Scope
from gazeviz.testbed.card.settings import COUNTS, MORE_MODES, How
from gazeviz.testbed.card.tasks import SCENES, Pictures

MAIN_LAYOUT: Final = (1, 6)
FEWER_COUNTS: Final = (8, 12, 16, 24)
OTHER_LAYOUTS: Final = (
    (1, 2),
    (1, 3),
    (1, 4),
    (1, 5),
    (1, 7),
    (1, 8),
    (2, 2),
    (2, 3),
    (3, 2),
    (2, 4),
    (3, 3),
)

# Series of pictures that share no strip; draws of random heads count up from their seed.
SEEDS: Final[Mapping[str, int]] = {
    "ranking": 41,
    "screening": 42,
    "final": 43,
    "other": 44,
    "scenes": 45,
    "screening_scenes": 46,
    "draws": 0,
}


@dataclass(frozen=True)
class Plan:
    """How many pictures, settings and draws.

    strips: final strips.  draw_strips, overall_draw_strips: the first of them, for random draws against the
        recommended and the best overall setting.  moving_draw_strips: the same for a moving target.
    other_strips: of every other layout, wording and size.  asked_strips: that are asked for one
        attribute.  draws: random draws of each kind.
    counts, moving_counts: numbers of heads that are screened, moving_counts for moving targets and scenes.
    modes, scopes: of the second screening round.  every_tok: tokens between two switches.
    piece: pictures of one task.
    """

    strips: int = 200
    draw_strips: int = 60
    overall_draw_strips: int = 40
    moving_draw_strips: int = 24
    other_strips: int = 60
    asked_strips: int = 60
    screening_strips: int = 16
    ranking_strips: int = 48
    scenes: int = 60
    screening_scenes: int = 24
    draws: int = 10
    counts: tuple[int, ...] = COUNTS
    moving_counts: tuple[int, ...] = (4, 8, 10, 16, 24)
    modes: tuple[How, ...] = MORE_MODES
    scopes: tuple[Scope, ...] = SCOPES
    every_tok: tuple[int, ...] = (10, 12)
    piece: int = 24
    seeds: Mapping[str, int] = field(default_factory=lambda: dict(SEEDS))

    @classmethod
    def sized(cls, strips: int) -> Plan:
        """The whole plan with so many final strips; under the full 200, all other pictures in proportion.

        Never fewer than 8 of a kind: a choice among settings on less would be chance. Under half of the full
        plan, fewer settings are screened, too.
        """
        share = min(1.0, strips / cls.strips)

        def part(n: int) -> int:
            return max(8, round(share * n))

        return cls(
            strips=strips,
            draw_strips=part(cls.draw_strips),
            overall_draw_strips=part(cls.overall_draw_strips),
            moving_draw_strips=part(cls.moving_draw_strips),
            other_strips=part(cls.other_strips),
            asked_strips=part(cls.asked_strips),
            screening_strips=part(cls.screening_strips),
            ranking_strips=part(cls.ranking_strips),
            scenes=part(cls.scenes),
            screening_scenes=part(cls.screening_scenes),
            counts=cls.counts if share >= 0.5 else FEWER_COUNTS,
            moving_counts=cls.moving_counts if share >= 0.5 else FEWER_COUNTS[1:],
            modes=cls.modes if share >= 0.5 else cls.modes[:4],
        )

    @classmethod
    def quick(cls, strips: int) -> Plan:
        """All sections with hardly anything in them: to see that they work, not to learn from."""
        return cls(
            strips=min(strips, 4),
            draw_strips=2,
            overall_draw_strips=2,
            moving_draw_strips=2,
            other_strips=1,
            asked_strips=2,
            screening_strips=2,
            ranking_strips=4,
            scenes=4,
            screening_scenes=2,
            draws=2,
            counts=(4, 8, 16),
            moving_counts=(8, 16),
            modes=(*MORE_MODES[2:3], *MORE_MODES[-1:]),
            scopes=("all_rows",),
            every_tok=(10,),
            piece=8,
        )

    @property
    def final(self) -> Pictures:
        """The final strips."""
        return Pictures(self.seeds["final"], self.strips)

    @property
    def screening(self) -> Pictures:
        """The strips that settings are chosen on."""
        return Pictures(self.seeds["screening"], self.screening_strips)

    @property
    def final_scenes(self) -> Pictures:
        """The scenes that are reported."""
        return Pictures(self.seeds["scenes"], self.scenes, layout=SCENES)

    @property
    def layouts(self) -> tuple[Pictures, ...]:
        """The final strips, and some strips of every other layout."""
        others = (Pictures(self.seeds["other"], self.other_strips, layout=layout) for layout in OTHER_LAYOUTS)
        return self.final, *others

    @property
    def cost(self) -> float:
        """About what all sections cost, in short steered answers (see `Task.cost`)."""
        first = 6 * len(self.counts) * 2
        second = 3 * len(self.modes) * len(self.scopes)
        screening = (first + second) * 6 * self.screening_strips
        final = (3 + 2 * 4) * 6 * self.strips
        drawn = 2 * self.draws * 6 * (self.draw_strips + self.overall_draw_strips)
        asked = 6 * self.strips + 3 * self.strips + 200 * self.other_strips
        moving = 3 * (6 * len(self.moving_counts) * self.screening_strips + 5 * self.strips)
        moving_drawn = 3 * 3 * self.draws * self.moving_draw_strips
        scenes = 3.5 * (
            12 * len(self.moving_counts) * self.screening_scenes + 3 * (6 + self.draws) * self.scenes
        )
        asked += 8 * (min(self.asked_strips, self.strips) + self.scenes)
        return screening + final + drawn + asked + moving + moving_drawn + scenes + 80 * self.ranking_strips

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON object."""
        return asdict(self)
