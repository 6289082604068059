"""A file that is replaced is there whole, or as it was before."""

from pathlib import Path

import pytest

from gazeviz.errors import UserError
from gazeviz.whole_files import replacing, written_whole


def test_a_file_is_replaced_once_all_of_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("before")
    with replacing(path) as unfinished:
        unfinished.write_text("after")
        assert path.read_text() == "before" and unfinished.suffix == ".json"
    assert path.read_text() == "after" and path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "disk full"), KeyError("x"), KeyboardInterrupt()])
def test_whatever_goes_wrong_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "a.json"
    path.write_text("before")
    with pytest.raises(type(error)), replacing(path) as unfinished:
        unfinished.write_text("half")
        raise error
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_a_person_is_told_what_could_not_be_written(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.json"
    told = pytest.raises(UserError, match=r"The ranking could not be written to .*a\.json: No such file")
    with told as caught, written_whole(path, "ranking"):
        pass
    assert caught.value.next_step
