"""A family's name is told from a checkpoint's settings alone."""

from __future__ import annotations

from typing import Any

import pytest

from gazeviz.domain.model_files import PROVEN, REFUSED, family_name, takes_pictures


def test_no_family_both_works_and_is_refused() -> None:
    assert not PROVEN & set(REFUSED)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"model_type": "qwen3_vl"}, "qwen3_vl"),
        ({"model_type": "llava", "vision_config": {"model_type": "pixtral"}}, "pixtral"),
        ({"model_type": "llava", "vision_config": {"model_type": "clip_vision_model"}}, "llava"),
        ({"model_type": "llava", "vision_config": None}, "llava"),
        ({}, ""),
    ],
)
def test_a_family_is_named_by_its_type_and_its_tower(settings: dict[str, Any], name: str) -> None:
    assert family_name(settings) == name


def test_an_unknown_model_says_whether_it_takes_pictures() -> None:
    assert takes_pictures({"model_type": "phi9", "vision_config": {}})
    assert takes_pictures({"architectures": ["Phi9ForVision2Seq"]})
    assert not takes_pictures({"architectures": ["Phi9ForCausalLM"]})
    assert not takes_pictures({"architectures": "Phi9ForVision2Seq", "vision_config": None})
