"""COCO masks: run lengths both ways, and the packed form against known texts."""

import numpy as np
import pytest

from gazeviz.app.editing.coco_files import mask_of_runs, run_lengths, segments, unpacked

SIZE_PX = (7, 5)


def packed(runs: list[int]) -> str:
    """The packed form, written from its description."""
    text = ""
    for place, run in enumerate(runs):
        value = run - runs[place - 2] if place > 2 else run
        while True:
            group, value = value & 0x1F, value >> 5
            done = value == (-1 if group & 0x10 else 0)
            text += chr(48 + (group if done else group | 0x20))
            if done:
                break
    return text


def test_run_lengths_count_down_the_columns():
    mask_HW = np.zeros((3, 2), dtype=bool)
    mask_HW[1:, 0] = mask_HW[0, 1] = True
    assert run_lengths(mask_HW) == [1, 3, 2]
    assert np.array_equal(mask_of_runs([1, 3, 2], (2, 3)), mask_HW)


def test_any_mask_survives_both_forms(rng):
    for _ in range(30):
        mask_HW = rng.random(SIZE_PX[::-1]) < rng.random()
        runs = run_lengths(mask_HW)
        assert np.array_equal(mask_of_runs(runs, SIZE_PX), mask_HW)
        assert unpacked(packed(runs)) == runs


def test_long_runs_and_negative_differences_are_packed():
    runs = [100_000, 3, 99_999, 1, 2, 40_000]
    assert unpacked(packed(runs)) == runs


def test_a_text_worked_out_by_hand():
    # A 4 x 4 mask whose middle 2 x 2 pixels are set: runs 5 2 2 2 5, the last two as differences 0 and 3.
    assert unpacked("52203") == [5, 2, 2, 2, 5]


@pytest.mark.parametrize("bad", ["52 03", "5220P", "é"])
def test_damaged_texts_are_refused(bad):
    with pytest.raises(ValueError, match="packed"):
        unpacked(bad)


@pytest.mark.parametrize("runs", [[3], [40], [-1, 36], []])
def test_runs_that_do_not_fill_the_picture_are_refused(runs):
    with pytest.raises(ValueError, match="fill"):
        mask_of_runs(runs, SIZE_PX)


def mask_of_segmentation(annotation, size_px):
    """All that an annotation covers."""
    mask_HW = np.zeros(size_px[::-1], dtype=bool)
    for patch in segments(annotation, size_px):
        patch.paint(mask_HW)
    return mask_HW


def test_polygons_are_joined_and_a_box_stands_in():
    two = {"segmentation": [[0, 0, 2, 0, 2, 5, 0, 5], [5, 0, 7, 0, 7, 5, 5, 5]]}
    assert mask_of_segmentation(two, SIZE_PX).sum() == 20
    assert mask_of_segmentation({"segmentation": [], "bbox": [1, 1, 2, 3]}, SIZE_PX).sum() == 6


def test_run_lengths_of_another_size_are_refused():
    with pytest.raises(ValueError, match="another size"):
        mask_of_segmentation({"segmentation": {"size": [7, 5], "counts": [35]}}, SIZE_PX)
