"""Errors read as a sentence and a next step, and survive a pipe."""

import copy
import pickle

import pytest

from gazeviz.errors import Cancelled, GazevizError, RunError, UserError, WorkerLost


def test_a_user_error_reads_as_a_sentence_and_a_next_step():
    error = UserError("No head is chosen.", next_step="Choose one.")
    assert str(error) == "No head is chosen. Choose one."
    assert (error.sentence, error.next_step) == ("No head is chosen.", "Choose one.")


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_survive_copying_and_pickling(again):
    user = again(UserError("No head is chosen.", next_step="Choose one."))
    assert (user.sentence, user.next_step) == ("No head is chosen.", "Choose one.")
    lost = again(WorkerLost("The worker died.", exit_code=-9, last_step=3, stderr_tail="Killed"))
    assert (lost.exit_code, lost.last_step, lost.stderr_tail) == (-9, 3, "Killed")
    assert str(lost) == "The worker died."
    assert str(again(RunError("out of memory"))) == "out of memory"


@pytest.mark.parametrize("kind", [UserError, RunError, WorkerLost, Cancelled])
def test_everything_raised_on_purpose_is_a_gazeviz_error(kind):
    assert issubclass(kind, GazevizError)
