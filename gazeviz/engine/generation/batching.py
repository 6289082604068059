"""Which answers can be written together, and whose turn it is to use the model.

Knows what a batch must share; knows nothing of tokens or logits.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from gazeviz.domain.steering import Steering
from gazeviz.engine.generation.passes import shape_key
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.engine.generation.decoding import Answer

BATCH_TOK = 8192
"""Prompt tokens read in one batch: six prompts about a picture of 1280 image tokens."""
BATCH_ROWS = 48
"""Answers in one batch, however short."""


class Turn:
    """Lets one pass at a time use the model, and refuses a pass that is asked for inside another one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None

    def __enter__(self) -> None:
        if self._owner == threading.get_ident():
            raise UserError(
                "The engine is in the middle of something else.",
                next_step="Ask again when that has returned, not from one of its callbacks.",
            )
        self._lock.acquire()
        self._owner = threading.get_ident()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owner = None
        self._lock.release()


def batches(writings: Iterable[Answer]) -> Iterator[list[tuple[int, Answer]]]:
    """Group answers that can be written together, as they come, each with its place in the order.

    A group is given out as soon as it is full, so that no more pictures are held than the groups in the
    making need.
    """
    waiting: dict[Hashable, list[tuple[int, Answer]]] = {}
    for place, writing in enumerate(writings):
        key = _key(writing)
        group = waiting.setdefault(key, [])
        group.append((place, writing))
        if len(group) >= min(BATCH_ROWS, max(1, BATCH_TOK // writing.prompt.n_prompt_tok)):
            yield waiting.pop(key)
    yield from waiting.values()


def _key(writing: Answer) -> Hashable:
    """Equal for answers that one plan and one reader can serve."""
    steering = writing.request.steering
    if steering is None:
        return shape_key(writing.prompt), None
    how = (
        steering.heads.heads,
        steering.mode,
        steering.strength,
        steering.scope,
        steering.alpha,
        steering.means,
    )
    return shape_key(writing.prompt), how, _steered_spans(steering)


def _steered_spans(steering: Steering) -> Hashable:
    """When a schedule lets the heads go and takes them up again: at any step a whole batch is steered or
    not.
    """
    switches = steering.schedule.switches if steering.schedule else ()
    if all(region is not None for _, region in switches):
        return ()
    return tuple((step, region is None) for step, region in switches)
