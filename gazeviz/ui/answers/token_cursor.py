"""The cursor on tokens: what clicks, drags and arrow keys make of it.

The cursor itself is the session's; kept here is only which of its ends moves while a span is pulled.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Cursor

Column: TypeAlias = Literal["baseline", "steered"]
COLUMNS: tuple[Column, ...] = ("baseline", "steered")


class TokenCursor:
    """Moves the session's cursor over the tokens of the runs that are shown."""

    def __init__(self, model: SessionModel) -> None:
        self._model = model
        self._anchor = 0

    @property
    def side(self) -> Column | None:
        """The side whose tokens are shown now; None while there are none."""
        cursor = self._model.cursor
        if cursor is not None and cursor.side in COLUMNS:
            return cursor.side
        shown = self._model.shown_steps()
        side = shown[0].side if shown is not None else None
        return side if side in COLUMNS else None

    def put(self, side: Column, index: int) -> None:
        """Point at one token."""
        self._anchor = index
        self._model.cursor = Cursor(side, index, index)

    def pull_to(self, side: Column, index: int) -> None:
        """Span from where the cursor was put to this token."""
        anchor = self.ends(side)[0]
        self._anchor = anchor
        self._model.cursor = Cursor(side, min(anchor, index), max(anchor, index))

    def move_to(self, side: Column, index: int, extend: bool) -> None:
        """Go to a token, or with `extend` span up to it; beyond the ends is the end."""
        n_tok = self.n_tok(side)
        if not n_tok:
            return
        index = min(max(0, index), n_tok - 1)
        if extend:
            self.pull_to(side, index)
        else:
            self.put(side, index)

    def step(self, side: Column, by: int, extend: bool = False) -> None:
        """Go on by some tokens; from a span without `extend`, from the end that lies that way."""
        cursor = self._model.cursor
        _, active = self.ends(side)
        if not extend and cursor is not None and cursor.side == side:
            active = cursor.first if by < 0 else cursor.last
        self.move_to(side, active + by, extend)

    def follow(self) -> None:
        """Follow the newest token again."""
        self._model.cursor = None

    def ends(self, side: Column) -> tuple[int, int]:
        """The end of the span that stays and the one that moves; both the newest token without a cursor."""
        cursor = self._model.cursor
        if cursor is None or cursor.side != side:
            newest = max(0, self.n_tok(side) - 1)
            return newest, newest
        if self._anchor == cursor.last:
            return cursor.last, cursor.first
        return cursor.first, cursor.last

    def n_tok(self, side: Column) -> int:
        """How many tokens a side has."""
        record = self._model.run_of(side)
        return len(record.steps) if record is not None else 0
