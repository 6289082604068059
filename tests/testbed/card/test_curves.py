"""The picture of a training run: every curve is there, at its place."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from gazeviz.testbed.card.curves import curves

RECORD = {
    "losses": [[50, 0.8], [100, 0.4], [150, 0.2]],
    "checks": [
        {"step": 100, "direct": 0.5, "narration": 0.25, "ambiguous": 0.0, "scene_list": 0.75},
        {"step": 150, "direct": 1.0, "narration": 0.5, "ambiguous": 0.25, "scene_list": 0.75},
    ],
}


def test_the_picture_is_well_formed_and_shows_five_lines() -> None:
    root = ElementTree.fromstring(curves(RECORD))
    lines = [e for e in root if e.tag.endswith("polyline")]
    spots = [[tuple(map(float, p.split(","))) for p in e.get("points", "").split()] for e in lines]
    assert [len(points) for points in spots] == [3, 2, 2, 2, 2]
    loss, direct = spots[0], spots[1]
    assert [x for x, _ in loss] == sorted(x for x, _ in loss)
    assert [y for _, y in loss] == sorted(y for _, y in loss)  # a falling loss goes down the page
    assert direct[1][1] < direct[0][1]
    assert loss[-1][0] < direct[0][0]


def test_the_axes_say_their_ends() -> None:
    words = re.findall(r">([^<>]+)</text>", curves(RECORD))
    assert {"Loss", "0.80", "step 150", "100 %", "direct question"} <= set(words)
