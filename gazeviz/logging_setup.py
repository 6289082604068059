"""Log lines: one logger per module, and this one place that decides where the lines go.

Results go to standard output and never through here. This is not the session log (that is a database), and it
knows neither rich nor Qt.
"""

import logging
import warnings
from pathlib import Path

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_OUTSIDERS = ("transformers", "torch", "PIL", "matplotlib", "huggingface_hub", "filelock", "urllib3")
"""Libraries whose own remarks only matter to a person who asked for details."""


def start_logging(verbosity: int = 0, file: Path | None = None) -> None:
    """Send log lines to standard error, and to `file` as well if one is given.

    verbosity: 0 shows warnings of gazeviz alone, 1 adds its information, 2 shows everything of everyone.
    Python warnings become log lines, so that a library's deprecation never lands in the middle of an answer.
    Calling it again replaces the handlers of the last call.
    """
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if getattr(handler, "gazeviz", False)]:
        root.removeHandler(old)
        old.close()
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(file, encoding="utf-8", delay=True))
    for handler in handlers:
        handler.gazeviz = True  # type: ignore[attr-defined]
        handler.setFormatter(logging.Formatter(FORMAT, datefmt="%H:%M:%S"))
        root.addHandler(handler)
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    root.setLevel(level)
    logging.getLogger("gazeviz").setLevel(level)
    for name in (*_OUTSIDERS, "py.warnings"):
        logging.getLogger(name).setLevel(logging.DEBUG if verbosity >= 2 else logging.ERROR)
    logging.captureWarnings(True)
    if verbosity < 2:
        warnings.simplefilter("ignore")
