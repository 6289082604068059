"""Spelling tokens out, byte by byte."""

from collections.abc import Sequence

from gazeviz.engine.generation.decoding import Speller
from tests.engine.fixtures.tiny_engine import PICTURES, PROMPT, N, TinyEngine


class Syllables:
    """Decodes bytes as UTF-8, as byte-level tokenizers do."""

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """The bytes as text."""
        return bytes(token_ids).decode("utf-8", errors="replace")


class TestSpelling:
    def test_a_character_appears_when_it_is_complete(self) -> None:
        data = "né 🙂!".encode()
        speller = Speller(Syllables())
        parts = [speller.add(byte, last=False) for byte in data]
        assert parts == ["n", "", "é", " ", "", "", "", "🙂", "!"]
        assert "".join(parts) == speller.text == "né 🙂!"

    def test_the_last_token_waits_for_nothing(self) -> None:
        speller = Speller(Syllables())
        speller.add(ord("a"), last=False)
        assert speller.add("é".encode()[0], last=True) == "\ufffd"
        assert speller.text == "a\ufffd"

    def test_steps_join_to_the_text(self, engine: TinyEngine) -> None:
        run = engine.generate(PICTURES[1], PROMPT, max_new_tokens=N)
        assert "".join(step.text for step in run.tokens) == run.text != ""
