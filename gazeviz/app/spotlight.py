"""The spotlight: a disc under the mouse that a steered run looks at while the mouse is held.

The target moves only when other cells are lit, and once for each token at most: what is sent faster than
tokens are written could never be seen. Knows no mouse; points are in picture pixels.
"""

from __future__ import annotations

from gazeviz.app.desk import Desk
from gazeviz.app.runner import Runner
from gazeviz.domain.region import Region
from gazeviz.errors import UserError

NAME = "Spotlight"


class Spotlight:
    """Moves the target of the steered run that is under way."""

    def __init__(self, desk: Desk, runner: Runner) -> None:
        self._desk, self._runner = desk, runner
        self._lit: bytes | None = None
        self._waiting: Region | None = None
        self._sent_since_step = False

    @property
    def on(self) -> bool:
        """Whether cells are lit."""
        return self._lit is not None

    def point(self, x_px: float, y_px: float, diameter_px: float) -> None:
        """Light a disc; between cells and outside the picture the light stays where it was."""
        model = self._desk.model
        if model.grid is None or self._runner.steered is None:
            return
        radius = diameter_px / 2
        box = (x_px - radius, y_px - radius, x_px + radius, y_px + radius)
        try:
            region = Region.ellipse(NAME, box, model.grid.picture_size_px)
            lit = model.grid.tokens(region, model.rule, model.share).tobytes()
        except UserError:
            return
        if lit != self._lit:
            self._lit, self._waiting = lit, region
            self._send()

    def step_arrived(self) -> None:
        """A token was written: the light may move on."""
        self._sent_since_step = False
        self._send()

    def end(self) -> bool:
        """Put it out; returns whether it was on."""
        was_on = self.on
        self._lit, self._waiting, self._sent_since_step = None, None, False
        return was_on

    def _send(self) -> None:
        region = self._waiting
        if region is None or self._sent_since_step or self._runner.steered is None:
            return
        self._waiting, self._sent_since_step = None, True
        self._desk.attempt(lambda: self._runner.retarget(region), "target")
