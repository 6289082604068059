"""Finding a command by a few letters: what a command is, and how well its name fits what was typed.

Pure functions; knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """Something that can be done. key: as it is shown, "" for none.  tip: what it does to the model."""

    name: str
    key: str
    tip: str
    run: Callable[[], object]


@dataclass(frozen=True)
class Match:
    """A command that was found; `places` are the letters of its name that were asked for."""

    command: Command
    places: tuple[int, ...] = ()


def find(commands: Sequence[Command], asked: str) -> list[Match]:
    """Commands that hold all words of `asked`, the best first.

    A word fits a name if its letters occur there in that order, better together and at the beginning of
    words; or a tip, if it occurs there as it is. Without words all commands fit, in their order.
    """
    words = asked.casefold().split()
    scored = []
    for place, command in enumerate(commands):
        fits = [_fit(word, command) for word in words]
        if all(fit is not None for fit in fits):
            score = sum(fit[0] for fit in fits if fit)
            places = sorted({at for fit in fits if fit for at in fit[1]})
            scored.append((-score, place, Match(command, tuple(places))))
    return [match for _, _, match in sorted(scored, key=lambda entry: entry[:2])]


def _fit(word: str, command: Command) -> tuple[float, tuple[int, ...]] | None:
    in_name = _best_places(word, command.name.casefold())
    if in_name is not None:
        return _score(in_name, command.name), in_name
    if command.key and word == command.key.casefold():
        return 4.0, ()
    return (0.5, ()) if len(word) > 1 and word in command.tip.casefold() else None


def _best_places(word: str, name: str) -> tuple[int, ...] | None:
    """Where the letters of a word lie in a name: the best of the ways that begin at each of its letters."""
    ways = [_places_from(word, name, start) for start, letter in enumerate(name) if letter == word[0]]
    return max((way for way in ways if way), key=lambda way: _score(way, name), default=None)


def _places_from(word: str, name: str, start: int) -> tuple[int, ...] | None:
    places = [start]
    for letter in word[1:]:
        beside = places[-1] + 1
        at = beside if name[beside : beside + 1] == letter else _next_at(letter, name, beside)
        if at < 0:
            return None
        places.append(at)
    return tuple(places)


def _next_at(letter: str, name: str, start: int) -> int:
    """The next beginning of a word with that letter, else the next letter like it; -1 for none."""
    begins = (at for at in range(start, len(name)) if name[at] == letter and _begins_word(name, at))
    return next(begins, name.find(letter, start))


def _begins_word(name: str, at: int) -> bool:
    return at == 0 or not name[at - 1].isalnum()


def _score(places: tuple[int, ...], name: str) -> float:
    score = 0.0
    for n, at in enumerate(places):
        score += 1.0 + (2.0 if _begins_word(name, at) else 0.0)
        score += 1.5 if n and places[n - 1] == at - 1 else 0.0
    return score - 0.02 * len(name) - 0.05 * places[0]
