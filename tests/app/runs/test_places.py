"""Places to compute, as the system tells of them."""

from __future__ import annotations

import pytest

from gazeviz.app.runs.model_catalogue import Device, nvidia_places, places, together

TABLE = """\
0, GPU-aa11, NVIDIA RTX 4090, 24564, 20000
1, GPU-bb22, NVIDIA RTX 3060, 12288, [N/A]
"""
MIB = 1024**2


def test_the_processor_comes_first_with_its_memory() -> None:
    processor = places()[0]
    assert processor.device == "cpu"
    assert processor.total_bytes is not None
    assert processor.free_bytes is None or processor.free_bytes <= processor.total_bytes


def test_gpus_are_read_with_what_is_free() -> None:
    first, second = nvidia_places(TABLE)
    assert (first.device, first.name) == ("cuda:0", "NVIDIA RTX 4090")
    assert (first.total_bytes, first.free_bytes) == (24564 * MIB, 20000 * MIB)
    assert (second.device, second.free_bytes) == ("cuda:1", None)


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("1", ["NVIDIA RTX 3060"]),
        ("1, 0", ["NVIDIA RTX 3060", "NVIDIA RTX 4090"]),
        ("GPU-bb22", ["NVIDIA RTX 3060"]),
        ("", []),
        ("-1", []),
        ("0,7,1", ["NVIDIA RTX 4090"]),
    ],
)
def test_only_gpus_that_cuda_may_see_are_offered(visible: str, names: list[str]) -> None:
    found = nvidia_places(TABLE, visible)
    assert [place.name for place in found] == names
    assert [place.device for place in found] == [f"cuda:{number}" for number in range(len(names))]


def test_what_is_no_table_names_no_gpu() -> None:
    assert nvidia_places("") == nvidia_places("NVIDIA-SMI has failed, because\nthere is no driver") == ()


def test_several_gpus_are_a_place_of_their_own() -> None:
    gpus = Device("cuda:0", "A", 100, 50), Device("cuda:1", "B", 200, 150)
    assert together(gpus) == (*gpus, Device("cuda:0+1", "All 2 GPUs", 300, 180))
    assert together(gpus[:1]) == gpus[:1] and together(()) == ()
    assert together((gpus[0], Device("cuda:1", "B")))[-1].free_bytes is None
