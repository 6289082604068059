"""What tests of the window share: the sessions of the app's tests, and no thread that is left behind."""

from tests.app.conftest import _no_thread_left_behind, open_session, open_stage, stage, strip_path
from tests.ui.fixtures.browser_stage import browser, open_browser, store
from tests.ui.fixtures.painting_stage import canvas, mouse

__all__ = [
    "_no_thread_left_behind",
    "browser",
    "canvas",
    "mouse",
    "open_browser",
    "open_session",
    "open_stage",
    "stage",
    "store",
    "strip_path",
]
