"""Chips: every token can be seen for what it is, and adding one never moves the others."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QTextLayout
from PySide6.QtWidgets import QApplication

from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.token_flow import CHIP_PX, LINE_PX, PAD_PX, ChipLines, Spelling, spell


def lines(width_px: float = 100) -> ChipLines:
    """Chips whose letters are ten pixels wide."""
    return ChipLines(lambda spelling: 10.0 * len(spelling.text), width_px)


def filled(*texts: str, width_px: float = 100) -> ChipLines:
    chips = lines(width_px)
    for text in texts:
        chips.append(spell(text, 7, {}))
    return chips


@pytest.mark.parametrize(
    ("text", "shown", "spaced"),
    [
        ("cat", "cat", False),
        (" cat", "cat", True),
        ("  cat", "␣cat", True),
        (" ", "␣", True),
        ("red cat", "red cat", False),
        ("a  b", "a␣␣b", False),
        ("cat ", "cat␣", False),
        ("\n", "↵", False),
        ("a\tb", "a⇥b", False),
        ("\x07", "‹7›", False),
        ("\u00a0", "‹a0›", False),
        ("", "‹7›", False),
        ("👩\u200d🚀", "👩\u200d🚀", False),
        ("<b>&", "<b>&", False),
    ],
)
def test_all_of_a_token_can_be_seen(text: str, shown: str, spaced: bool) -> None:
    spelling = spell(text, 7, {})
    assert (spelling.text, spelling.spaced) == (shown, spaced)


def test_signs_are_told_from_text() -> None:
    assert spell("a\n", 1, {}).runs == (("a", False), ("↵", True))
    assert spell("", 5, {}).runs == (("‹5›", True),)


def test_a_token_without_text_is_told_by_its_name() -> None:
    names = {5: "<|im_end|>"}
    assert spell("", 5, names).runs == (("<|im_end|>", True),)
    assert spell("", 6, names).text == "‹6›"
    assert spell(" cat", 5, names).text == "cat"


def test_words_are_parted_by_a_gap_and_their_pieces_are_not() -> None:
    first, piece, word = filled("sn", "ow", " is", width_px=200).places
    assert piece.x_px == first.x_px + first.width_px + 1
    assert word.x_px == piece.x_px + piece.width_px + 5


def test_a_chip_without_room_begins_the_next_line() -> None:
    chips = filled(" one", " two", " six")  # 42 pixels each
    assert [place.line for place in chips.places] == [0, 0, 1]
    assert chips.starts_line(2) and not chips.starts_line(1)
    assert chips.height_px > LINE_PX + CHIP_PX


def test_a_line_break_ends_the_line_after_its_own_chip() -> None:
    assert [place.line for place in filled("a", "\n", "b").places] == [0, 0, 1]


def test_a_token_longer_than_a_line_is_cut() -> None:
    place = filled("x" * 30).places[0]
    assert place.cut and place.width_px == 100
    assert not filled("x").places[0].cut


def test_adding_chips_moves_none_and_wrapping_anew_gives_the_same_as_adding_them() -> None:
    texts = [" word" if n % 3 else "s," for n in range(60)]
    chips = filled(*texts)
    before = list(chips.places[:40])
    assert filled(*texts[:40]).places == before
    chips.rewrap(170)
    assert chips.places == filled(*texts, width_px=170).places


def test_chips_are_found_by_their_place() -> None:
    chips = filled(" one", " two", " six")
    for index, place in enumerate(chips.places):
        centre = place.box.center()
        assert chips.at(centre.x(), centre.y()) == index
    assert chips.at(99, 5) is None  # right of the last chip of the line
    assert chips.nearest(99, 5) == 1
    assert chips.nearest(0, 10_000) == 2
    assert lines().nearest(0, 0) is None and lines().at(0, 0) is None


def test_only_the_lines_of_a_band_are_drawn() -> None:
    chips = filled(*[" word"] * 20)  # one of 52 pixels a line
    assert list(chips.between(0, 10)) == [0]
    assert list(chips.between(LINE_PX, 3 * LINE_PX - 1)) == [1, 2]
    assert list(chips.between(10_000, 20_000)) == []


def test_going_up_and_down_keeps_to_the_column_and_stops_at_the_ends() -> None:
    chips = filled(*[" a"] * 9, width_px=80)  # three a line
    assert chips.above_or_below(4, -1) == 1
    assert chips.above_or_below(4, 1) == 7
    assert chips.above_or_below(7, 1) == 7


def test_a_chip_is_as_wide_as_its_text_and_a_margin() -> None:
    assert lines().append(Spelling((("ab", False),))).width_px == 20 + 2 * PAD_PX


def test_characters_are_drawn_as_they_are_and_none_joined(qapp: QApplication) -> None:
    """JetBrains Mono would draw "<|" and "|>" as triangles."""
    theme.apply(qapp, "dark")
    whole = glyphs_of("<|im_end|>")
    assert whole == [glyph for character in "<|im_end|>" for glyph in glyphs_of(character)]


def glyphs_of(text: str) -> list[int]:
    """The shapes that a text is drawn with."""
    layout = QTextLayout(text, theme.font_mono(13))
    layout.beginLayout()
    layout.createLine()
    layout.endLayout()
    return [glyph for run in layout.glyphRuns() for glyph in run.glyphIndexes()]
