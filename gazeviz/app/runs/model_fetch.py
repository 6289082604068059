"""Fetching a model for the window: `gazeviz models get` in a process of its own, which alone goes online.

First it is asked what would be fetched, then, when a person has agreed, it is fetched. Ending the process
keeps what has arrived. Knows no widget.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal

_PROGRAM: Final = "import sys; from gazeviz.cli import main; sys.exit(main(sys.argv[1:]))"
_NO_STEP: Final = "Check the connection and try again."


class ModelFetch(QObject):
    """One look-up or one fetch at a time.

    offered: what would be fetched, in a sentence.  progressed: bytes here, bytes in all, the file.
    fetched: the model's folder.  refused: a sentence and a next step.  ended: nothing is under way any more.
    """

    offered = Signal(str)
    progressed = Signal(float, float, str)
    fetched = Signal(str)
    refused = Signal(str, str)
    ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._errors = ""
        self.repository = ""

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return self._process is not None

    def look_up(self, repository: str) -> None:
        """Ask the hub what a repository holds."""
        self.repository = repository
        self._start("--offer")

    def fetch(self) -> None:
        """Fetch what was looked up last; a person has agreed."""
        self._start("--yes", "--lines")

    def cancel(self) -> None:
        """Stop; a file that has begun to arrive goes on from there next time."""
        if self._process is not None:
            self._process.kill()

    def _start(self, *options: str) -> None:
        if self._process is not None:
            return
        self._errors = ""
        process = self._process = QProcess(self)
        known = QProcessEnvironment.systemEnvironment()
        known.remove("HF_HUB_OFFLINE")
        process.setProcessEnvironment(known)
        process.readyReadStandardError.connect(self._on_lines)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        # "--" so that what a person has written is never read as an option.
        arguments = ["models", "--json", *options, "--", "get", self.repository]
        process.start(sys.executable, ["-c", _PROGRAM, *arguments])

    def _on_lines(self) -> None:
        """Tell of progress; keep the rest, which is what went wrong."""
        if self._process is None:
            return
        self._errors += bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
        *lines, self._errors = self._errors.split("\n")
        kept = []
        for line in lines:
            told = _document(line)
            if "done" in told:
                self.progressed.emit(float(told["done"]), float(told["total"]), str(told["file"]))
            else:
                kept.append(line)
        if kept:
            self._errors = "\n".join([*kept, self._errors])

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end()
            self.refused.emit("The download could not be started.", _NO_STEP)

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        process = self._process
        if process is None:
            return
        self._on_lines()
        answer = _document(bytes(process.readAllStandardOutput().data()).decode("utf-8", "replace"))
        said = next(filter(None, map(_document, reversed(self._errors.splitlines()))), {})
        self._end()
        if status != QProcess.ExitStatus.NormalExit:
            return  # it was stopped
        if code == 0 and "offer" in answer:
            self.offered.emit(str(answer["offer"]))
        elif code == 0 and "folder" in answer:
            self.fetched.emit(str(answer["folder"]))
        else:
            sentence = str(said.get("error") or "The download failed.")
            self.refused.emit(sentence, str(said.get("next_step") or _NO_STEP))

    def _end(self) -> None:
        if self._process is not None:
            self._process.deleteLater()
            self._process = None
        self.ended.emit()


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
