"""The list of regions: names and colours of one's own, what lies on top, and what is packed comes back."""

import numpy as np
import pytest

from gazeviz.app.editing.regions import EditableRegion, PackedRegion, RegionList, RegionLook
from gazeviz.domain.region import REGION_COLOURS
from gazeviz.errors import UserError


def filled(regions: RegionList, name: str, box: tuple[int, int, int, int], **look: bool) -> EditableRegion:
    mask_HW = np.zeros((30, 40), dtype=bool)
    x0, y0, x1, y1 = box
    mask_HW[y0:y1, x0:x1] = True
    region = regions.make(RegionLook(name, "#0072B2", **look), mask_HW)
    regions.replace_all([*regions, region])
    return region


def test_numbers_follow_the_order_and_ids_do_not():
    regions = RegionList()
    a, b = filled(regions, "A", (0, 0, 5, 5)), filled(regions, "B", (5, 5, 9, 9))
    assert (regions.number_of(a.id), regions.number_of(b.id)) == (1, 2)
    regions.replace_all([b, a])
    assert (regions.number_of(a.id), regions.number_of(b.id)) == (2, 1)
    assert regions.names == ("B", "A") and b.id in regions and 99 not in regions


def test_ids_are_never_given_twice():
    regions = RegionList()
    first = filled(regions, "A", (0, 0, 5, 5))
    regions.replace_all([])
    assert filled(regions, "B", (0, 0, 5, 5)).id != first.id


def test_the_topmost_visible_region_is_found_under_a_point():
    regions = RegionList()
    below, above = filled(regions, "below", (0, 0, 20, 20)), filled(regions, "above", (10, 10, 30, 30))
    assert regions.at(12, 12) is above and regions.at(3, 3) is below and regions.at(39, 29) is None
    regions.restyle(above.id, RegionLook("above", "#0072B2", visible=False))
    assert regions.at(12, 12) is below
    assert regions.at(-1, 3) is None and regions.at(3, 3000) is None


def test_new_regions_get_the_colour_that_is_used_least():
    regions = RegionList()
    for number in range(9):
        look = regions.next_look()
        assert look.colour == REGION_COLOURS[number % 8]
        regions.replace_all([*regions, regions.make(look, np.zeros((3, 3), dtype=bool))])
    assert len(set(regions.names)) == 9


def test_no_two_regions_share_a_name():
    regions = RegionList()
    cat = filled(regions, "cat", (0, 0, 5, 5))
    assert regions.free_name("cat") == "cat (2)"
    assert regions.free_name(" red   cat ") == "red cat"
    assert regions.free_name("cat", besides=cat.id) == "cat"
    assert regions.free_name("") == "Region 2"


def test_a_frozen_copy_is_made_once_for_each_revision():
    regions = RegionList()
    region = filled(regions, "cat", (0, 0, 5, 5))
    frozen = region.as_region()
    assert region.as_region() is frozen and frozen.area_px == 25
    region.mask_HW[6, 6] = True
    region.revision += 1
    assert region.as_region().area_px == 26 and frozen.area_px == 25
    regions.restyle(region.id, RegionLook("dog", "#E69F00"))
    assert (region.as_region().name, region.as_region().colour) == ("dog", "#E69F00")


def test_an_empty_region_cannot_be_frozen():
    regions = RegionList()
    region = regions.make(RegionLook("nothing", "#0072B2"), np.zeros((3, 3), dtype=bool))
    assert region.empty
    with pytest.raises(UserError, match="nothing"):
        region.as_region()


def test_a_packed_region_comes_back_as_it_was(rng):
    mask_HW = rng.random((13, 7)) < 0.5
    region = EditableRegion(4, RegionLook("cat", "#0072B2", locked=True), mask_HW, (0, 0, 3, 3))
    back = PackedRegion.of(region).unpack()
    assert np.array_equal(back.mask_HW, mask_HW) and back.mask_HW.dtype == np.bool_
    assert (back.id, back.look, back.panel_box_px) == (4, region.look, (0, 0, 3, 3))
    back.mask_HW[0, 0] ^= True
    assert not np.array_equal(back.mask_HW, region.mask_HW), "its mask is its own"


def test_a_panel_is_untouched_until_a_pixel_differs():
    mask_HW = np.zeros((10, 10), dtype=bool)
    mask_HW[2:5, 3:9] = True
    region = EditableRegion(1, RegionLook("Panel 1", "#0072B2"), mask_HW, (3, 2, 9, 5))
    answers = [region.untouched_panel]
    for place, inside in (((9, 9), True), ((9, 9), False), ((2, 3), False)):
        mask_HW[place] = inside
        answers.append(region.untouched_panel)
    assert answers == [True, False, True, False]
    assert not EditableRegion(2, region.look, mask_HW).untouched_panel
