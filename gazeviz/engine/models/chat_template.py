"""Rendering a checkpoint's chat template, which is a program by a stranger: within limits of time and memory.

Jinja's sandbox keeps a template from files and attributes, but not from looping or growing without end. So
it is rendered in a process of its own (`template_process`), which is killed when it takes too long; the same
one serves all prompts, so a rendering costs a fraction of a millisecond and only the first one a start.
Knows templates and their values; knows no model and no picture.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from gazeviz.engine.models import template_process
from gazeviz.errors import UserError

RENDER_S: Final = 5.0
"""A template that takes longer is refused; real ones take about a millisecond."""
_START_S: Final = 60.0
_KEPT: Final = 64
_NEXT_STEP: Final = "Download the model's chat_template.jinja again, or take another model."


class TemplateRenderer:
    """A process that renders templates, started when it is first needed and again after it was killed."""

    def __init__(self, render_s: float = RENDER_S) -> None:
        self._render_s = render_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._ready = False
        self._rendered: dict[
            bytes, str
        ] = {}  # what was rendered last: a discovery asks the same of all strips

    def start(self) -> None:
        """Start the process without waiting for it, so that the first rendering need not."""
        with self._lock:
            self._started()

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        """Return the text that a template makes of some JSON-like values.

        Raises:
            UserError: the template is wrong, takes more than `RENDER_S`, or makes far too much text.
        """
        line = json.dumps({"template": template, "values": values}).encode() + b"\n"
        with self._lock:
            if line in self._rendered:
                return self._rendered[line]
            answer = self._answer(line)
            if "text" in answer:
                text = str(answer["text"])
                self._remember(template, line, text)
                return text
        raise UserError(
            f"The model's chat template cannot be used: {_one_line(answer['error'])}.", next_step=_NEXT_STEP
        )

    def close(self) -> None:
        """End the process, if it is ours."""
        with self._lock:
            self._end()

    def _remember(self, template: str, line: bytes, text: str) -> None:
        """Keep a rendered text, unless it may hold the time of day."""
        if "strftime_now" not in template:
            self._rendered[line] = text
            while len(self._rendered) > _KEPT:
                del self._rendered[next(iter(self._rendered))]

    def _answer(self, line: bytes) -> dict[str, Any]:
        process = self._started()
        if not self._ready and self._exchange(process, b"", _START_S) is None:
            raise UserError(
                "The process that renders chat templates does not start.",
                next_step="Look at this installation with gazeviz doctor.",
            )
        self._ready = True
        answer = self._exchange(process, line, self._render_s)
        if answer is None:
            return {"error": "it takes too long or too much memory"}
        return answer

    def _exchange(
        self, process: subprocess.Popen[bytes], line: bytes, limit_s: float
    ) -> dict[str, Any] | None:
        """Send a line and read one; None where the process dies of it or has to be killed."""
        assert process.stdin is not None and process.stdout is not None
        alarm = threading.Timer(limit_s, process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            with suppress(OSError):  # it died meanwhile: nothing will be read either
                process.stdin.write(line)
                process.stdin.flush()
            answer = process.stdout.readline()
        finally:
            alarm.cancel()
        if not answer.endswith(b"\n"):
            self._end()
            return None
        read: dict[str, Any] = json.loads(answer)
        return read

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._owner != os.getpid():
            self._process = None  # a fork's copy: the process answers to another one
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(template_process.__file__))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            self._owner, self._ready = os.getpid(), False
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        process.wait()


def _one_line(text: str) -> str:
    return " ".join(str(text).split()).rstrip(".")[:300]


renderer: Final = TemplateRenderer()
"""Serves this process."""
atexit.register(renderer.close)
