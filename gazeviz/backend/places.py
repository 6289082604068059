"""Which backend stands for a place: none is this computer, an address another machine.

What a place needs is imported when it is used: the screen need not wait for ssh's end where there is none.
"""

from __future__ import annotations

from collections.abc import Callable

from gazeviz.backend.client import Client, Listener


def backend_maker(place: str | None) -> Callable[[Listener], Client]:
    """Return what makes the backend of a place; UserError for an address that is none."""
    if place is None:
        from gazeviz.backend.process import ProcessBackend

        return ProcessBackend
    from gazeviz.backend.remote.place import WorkerPlace
    from gazeviz.backend.remote.ssh import SshBackend

    parsed = WorkerPlace.parse(place)
    return lambda listener: SshBackend(listener, parsed)
