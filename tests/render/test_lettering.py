"""Text of any origin: control characters are seen, what cannot be drawn is replaced, nothing else changes."""

import pytest

from gazeviz.render.style import drawable, one_line, visible


@pytest.mark.parametrize("text", ["", "plain", "two\nlines\tand a tab", "é 漢 😀 “q” <b>", "👩\u200d🔬"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\x00b", "a␀b"), ("\x1b[31m", "␛[31m"), ("\x7f", "␡"), ("a\u202eb", "a�b"), ("\ud83d", "�"),
        ("a\u200bb", "a�b"), ("a\u0085b", "a�b"), ("\r", "␍"),
    ],
)  # fmt: skip
def test_what_hides_or_misleads_is_seen(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_a_line_is_one_line_and_not_longer_than_asked() -> None:
    assert one_line("  a \n\n b\tc ") == "a b c"
    assert one_line("abcdefgh", 5) == "abcd…"
    assert one_line("abcde", 5) == "abcde"


def test_a_figure_gets_what_its_face_can_draw() -> None:
    assert drawable("Panel 1 é “q” $x$") == "Panel 1 é “q” $x$"
    assert drawable("漢\n字") == "� �"
    assert drawable("one   two\n") == "one   two"
