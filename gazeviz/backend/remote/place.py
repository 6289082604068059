"""Where a worker is to run: `ssh://[user@]host[:port][/path/to/gazeviz]`, read strictly.

What a person writes here becomes part of a command line on two machines, so only letters that mean nothing to
a shell or to ssh pass. `/~/` before a path means the home folder there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gazeviz.errors import UserError

_PLACE = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63})@)?"
    r"(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9_./~+-]{0,1000})?"
)
_HOME = "/~/"


@dataclass(frozen=True)
class WorkerPlace:
    """A machine that ssh can reach, and what is called there.

    program: a path, or a name that its shell knows.
    host: as ssh takes it, a name of its configuration too; an IPv6 address without brackets.
    """

    host: str
    user: str | None = None
    port: int | None = None
    program: str = "gazeviz"

    @classmethod
    def parse(cls, text: str) -> WorkerPlace:
        """Read an address; UserError for anything else."""
        match = _PLACE.fullmatch(text.strip())
        port = int(match["port"]) if match is not None and match["port"] else None
        if match is None or port == 0 or (port or 1) > 65535:
            raise UserError(
                f"“{text.strip()}” does not say where a worker can run.",
                next_step="Write ssh://user@host, or ssh://user@host:22/path/to/gazeviz.",
            )
        path = match["path"] or ""
        # ssh begins in the home folder, so a path without its first slash begins there, too.
        program = path[len(_HOME) :] if path.startswith(_HOME) else path
        if program.startswith("-") or "~" in program or program.endswith("/"):
            raise UserError(
                f"“{path}” is no path to a program.",
                next_step="Name gazeviz itself, as in ssh://user@host/path/to/gazeviz.",
            )
        if path.startswith(_HOME) and "/" not in program:
            program = f"./{program}"
        return cls(match["host"].strip("[]"), match["user"], port, program or "gazeviz")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        path = self.program if self.program.startswith("/") else f"{_HOME}{self.program.removeprefix('./')}"
        return f"ssh://{user}{host}{port}{'' if self.program == 'gazeviz' else path}"

    def ssh_arguments(self) -> tuple[str, ...]:
        """What ssh is called with, behind its options: the host and the command there, word by word."""
        port = ("-p", str(self.port)) if self.port else ()
        user = ("-l", self.user) if self.user else ()
        return (*port, *user, "--", self.host, self.program, "worker", "--stdio")
