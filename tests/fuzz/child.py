"""Gives damaged files to the program in a process of its own, which may crash, hang or fill the memory.

    python -m tests.fuzz.child KIND SEED N SECONDS FOLDER [FIRST]

Prints a line of JSON for each input: first its number, then what became of it. Input k of a seed is the same
whichever inputs went before. Ends itself where an input takes more than ten seconds.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.fuzz.kinds import KINDS, damaged
from tests.own_memory import memory_mib

HANG_S = 10
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_TOUCHES = (
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
)
_RUNS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "socket.connect")


class Watch:
    """Notes what is touched outside a folder, and what is run."""

    def __init__(self, folder: Path) -> None:
        self._folder = os.path.realpath(folder)
        self.seen: list[str] = []
        self.on = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook (PEP 578)."""
        if not self.on:
            return
        if event in _RUNS:
            if arguments[0] != sys.executable:  # templates are rendered by a Python of their own
                self.seen.append(f"{event} {arguments[:1]}")
            return
        opens = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES
        if opens or event in _TOUCHES:
            n_paths = 2 if event in ("os.rename", "os.link", "os.symlink") else 1
            folder = arguments[-1] if event in ("os.remove", "os.rmdir", "os.mkdir") else -1
            for path in arguments[:n_paths]:
                if isinstance(path, str | bytes | os.PathLike):
                    self._note(event, _whole_path(os.fsdecode(path), folder))

    def _note(self, event: str, path: str) -> None:
        own = os.path.realpath(path)
        if own != os.devnull and not own.startswith(self._folder + os.sep):
            self.seen.append(f"{event} {path}")


def _whole_path(path: str, folder: object) -> str:
    """A path that may be meant from an open folder, whose number an event names (-1: from none)."""
    if isinstance(folder, int) and folder >= 0 and not Path(path).is_absolute():
        return f"{Path(f'/proc/self/fd/{folder}').readlink()}/{path}"
    return path


def main() -> None:
    """Try the inputs of one kind."""
    name, seed, n, seconds, folder = (
        sys.argv[1],
        sys.argv[2],
        int(sys.argv[3]),
        float(sys.argv[4]),
        Path(sys.argv[5]),
    )
    first = int(sys.argv[6]) if len(sys.argv) > 6 else 0
    kind = KINDS[name]
    for part in ("sound", "work", "tmp"):
        (folder / part).mkdir(exist_ok=True)
    os.environ["TMPDIR"] = str(folder / "tmp")
    sound = kind.sound(folder / "sound")
    watch = Watch(folder)
    sys.addaudithook(watch)
    file_names = sorted(sound)
    began_s = time.monotonic()
    for number in range(first, n):
        if time.monotonic() - began_s > seconds:
            break
        rng = random.Random(f"{name} {seed} {number}")
        if number < len(file_names):  # the sound files come first: most are taken
            file_name = file_names[number]
            data = _whole(sound[file_name])
        else:
            file_name = rng.choice(file_names)
            data = damaged(sound[file_name], rng)
        path = folder / "tmp" / file_name
        path.write_bytes(data)
        print(json.dumps({"begins": number, "file": file_name}), flush=True)
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        watch.seen.clear()
        watch.on = True
        outcome, detail = _outcome(kind.take, path, folder / "work")
        watch.on = False
        faulthandler.cancel_dump_traceback_later()
        if watch.seen:
            outcome, detail = "touched", "; ".join(watch.seen[:3])
        peak_mb = int(memory_mib("VmHWM"))
        print(
            json.dumps({"ends": number, "outcome": outcome, "detail": detail, "peak_mb": peak_mb}), flush=True
        )


def _whole(content: Any) -> bytes:
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def _outcome(take: Any, path: Path, work: Path) -> tuple[str, str]:
    from gazeviz.errors import GazevizError, UserError

    try:
        take(path, work)
    except UserError as error:
        whole = error.sentence.strip() and error.next_step.strip() and "\n" not in error.sentence
        return ("refused", "") if whole else ("no sentence", error.sentence)
    except GazevizError as error:
        return "refused", str(error)
    except BaseException:  # noqa: BLE001 - whatever escapes is what is looked for
        return "bug", traceback.format_exc()[-1500:]
    return "taken", ""


if __name__ == "__main__":
    main()
