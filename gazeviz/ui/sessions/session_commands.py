"""Commands about a session of the log: renaming, reporting and deleting it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gazeviz.ui.widgets.command import Command

if TYPE_CHECKING:
    from gazeviz.ui.sessions.sidebar import Sidebar, SidebarEntry


def session_commands(
    sidebar: Callable[[], Sidebar | None], entry: SidebarEntry | None = None
) -> list[Command]:
    """What can be done with a session: `entry`, or the one that is chosen in the sidebar, if it is there."""

    def session() -> SidebarEntry | None:
        shown = sidebar()
        return entry or (shown.chosen if shown is not None else None)

    def none() -> str | None:
        chosen = session()
        is_one = chosen is not None and chosen.kind == "session"
        return None if is_one else "No session is selected. Choose one on the left of the Sessions tab."

    def act(run: Callable[[Sidebar, SidebarEntry], object]) -> Callable[[], object]:
        def do() -> None:
            shown, chosen = sidebar(), session()
            if shown is not None and chosen is not None:
                run(shown, chosen)

        return do

    return [
        Command("sessions.rename", "Rename the session", "F2", "Type a new name in the list.",
                act(lambda shown, one: shown.begin_rename(one)), none, label="Rename"),
        Command("sessions.report", "Report the session ...", "", "Write a report of all runs of the session.",
                act(lambda shown, one: shown.session_report_wanted.emit(int(one.key))), none,
                label="Report ..."),
        Command("sessions.delete", "Delete the session with its runs", "Del", "This can be undone.",
                act(lambda shown, one: shown.session_delete_wanted.emit(int(one.key))), none,
                label="Delete with its runs"),
    ]  # fmt: skip
