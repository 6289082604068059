"""What can go wrong, in the words that a person reads.

    GazevizError
    ├── UserError    the person can put it right: one sentence and a next step, never a traceback
    ├── RunError     the engine answered with an error; stored on the run it belongs to
    ├── WorkerLost   the process that runs the engine died: how, at which step, its last words
    └── Cancelled    the person asked to stop, and it stopped

Everything else that is raised is a bug.  This module knows nothing of where errors are shown.
"""

from __future__ import annotations

from typing import Any


class GazevizError(Exception):
    """Anything that gazeviz raises on purpose."""


class UserError(GazevizError):
    """Something that the person can put right; reads as `sentence` followed by `next_step`."""

    def __init__(self, sentence: str, *, next_step: str) -> None:
        super().__init__(f"{sentence} {next_step}")
        self.sentence = sentence
        self.next_step = next_step

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions unpickle from their positional arguments alone; ours also cross a pipe.
        return _user_error, (type(self), self.sentence, self.next_step)


class RunError(GazevizError):
    """A run failed inside the engine; the message is stored with the run."""


class WorkerLost(GazevizError):  # noqa: N818 - an event, named as people say it
    """The process that runs the engine is gone.

    exit_code: as multiprocessing reports it, negative for a signal; None when unknown.
    last_step: index of the last decode step that arrived; None when there was none.
    stderr_tail: the end of what the process wrote to stderr.
    """

    def __init__(
        self,
        sentence: str,
        exit_code: int | None = None,
        last_step: int | None = None,
        stderr_tail: str = "",
    ) -> None:
        super().__init__(sentence, exit_code, last_step, stderr_tail)
        self.sentence = sentence
        self.exit_code = exit_code
        self.last_step = last_step
        self.stderr_tail = stderr_tail

    def __str__(self) -> str:
        return self.sentence


class Cancelled(GazevizError):  # noqa: N818 - an outcome, not an error
    """The person cancelled, and the work stopped at the next safe point."""


def _user_error(kind: type[UserError], sentence: str, next_step: str) -> UserError:
    return kind(sentence, next_step=next_step)
