"""Arrays in frozen dataclasses cannot be written to, not even after a pipe or a deep copy."""

import copy
import pickle

import numpy as np
import pytest

from gazeviz.domain.arrays import read_only
from gazeviz.domain.heads import HeadRanking


def test_the_copy_is_read_only_and_the_original_untouched():
    original = np.zeros((2, 3))
    copied = read_only(original, np.float32, "LH")
    assert copied.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        copied[0, 0] = 1
    original[0, 0] = 1
    assert copied[0, 0] == 0


def test_another_number_of_axes_is_refused():
    with pytest.raises(ValueError, match="axes LH"):
        read_only([1.0, 2.0], np.float64, "LH")


@pytest.mark.parametrize("again", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_arrays_stay_read_only_through_copies(again):
    ranking = again(HeadRanking("mass", np.ones((2, 2)), matrix_LHRR=np.ones((2, 2, 3, 3))))
    for array in (ranking.scores_LH, ranking.matrix_LHRR):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5
