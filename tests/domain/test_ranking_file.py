"""The published ranking format: what is read, what is refused, and that a write is all or nothing."""

import json
import os

import pytest

from gazeviz.domain.heads import read_ranking_file, write_ranking_file
from gazeviz.errors import UserError

ENTRIES = [(4, 1, 0.75), (3, 2, 0.5), (0, 0, -1e-300)]


def test_written_entries_are_the_published_format(tmp_path):
    path = tmp_path / "gaze_head_ranking.json"
    write_ranking_file(path, ENTRIES)
    assert json.loads(path.read_text())[0] == {"layer": 4, "head": 1, "score": 0.75}
    assert read_ranking_file(path) == ENTRIES
    assert [file.name for file in tmp_path.iterdir()] == ["gaze_head_ranking.json"]


def test_further_keys_whole_scores_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "r.json"
    path.write_text('\ufeff[{"layer": 1, "head": 2, "score": 1, "z": null}]', encoding="utf-8")
    assert read_ranking_file(path) == [(1, 2, 1.0)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not JSON"),
        ("{not json", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a list of heads"),
        ('{"layer": 1}', "is not a list of heads"),
        ("[[4, 1, 0.5]]", "in entry 1"),
        ('[{"layer": 1, "head": 2, "score": 0.5}, {"layer": 1, "index": 2, "score": 0.5}]', "in entry 2"),
        ('[{"layer": 1.0, "head": 2, "score": 0.5}]', "names no head"),
        ('[{"layer": true, "head": 2, "score": 0.5}]', "names no head"),
        ('[{"layer": -1, "head": 2, "score": 0.5}]', "names no head"),
        ('[{"layer": 1, "head": 99999999, "score": 0.5}]', "names no head"),
        ('[{"layer": "1", "head": 2, "score": 0.5}]', "names no head"),
        ('[{"layer": 1, "head": 2, "score": NaN}]', "no finite number"),
        ('[{"layer": 1, "head": 2, "score": -Infinity}]', "no finite number"),
        ('[{"layer": 1, "head": 2, "score": 1e999}]', "no finite number"),
        ('[{"layer": 1, "head": 2, "score": 1' + "0" * 400 + "}]", "no finite number"),
        ('[{"layer": 1, "head": 2, "score": "0.5"}]', "no finite number"),
        ('[{"layer": 1, "head": 2, "score": null}]', "no finite number"),
        ('[{"layer": 1, "head": 2, "score": 1}, {"layer": 1, "head": 2, "score": 2}]', "lists L1H2 twice"),
    ],
)
def test_bad_files_are_refused_with_what_is_wrong_and_where(tmp_path, text, why):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(UserError, match=why) as caught:
        read_ranking_file(path)
    assert "bad.json" in caught.value.sentence
    assert caught.value.next_step


def test_a_picture_is_not_a_ranking(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    with pytest.raises(UserError, match="is not JSON"):
        read_ranking_file(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(UserError, match="could not be read"):
            read_ranking_file(path)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="could not be written"):
        write_ranking_file(tmp_path / "nowhere" / "r.json", ENTRIES)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "r.json"
    write_ranking_file(path, ENTRIES)

    def disk_full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(UserError, match="No space left on device"):
        write_ranking_file(path, [(0, 0, 1.0)])
    assert read_ranking_file(path) == ENTRIES
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]
