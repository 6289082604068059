"""What stands for gazeviz on the other machine of these tests: a worker whose model is scripted.

Called as `gazeviz worker --stdio` is, with the folder that its process id goes to before the rest.
"""

import os
import sys
from pathlib import Path

from gazeviz.backend.remote.stdio import serve
from gazeviz.commands.machine.worker import listing
from tests.fakes.scripted import Script


def main(folder: str, token_s: str) -> None:
    """Say who it is, print what has no place on the line, and work."""
    Path(folder, f"{os.getpid()}.worker").touch()
    script = Script(load_s=0.2, token_s=float(token_s), strip_s=0.02)

    def load(*arguments):
        print("printed by a library")
        os.write(1, b"printed by C code\n")
        return script.load(*arguments)

    serve(load, listing)


if __name__ == "__main__":
    main(*sys.argv[1:3])
