"""A pattern of RE2's syntax as an automaton whose states can be looked at.

RE2 answers for whole texts only. For texts with gaps (`possible.py`) the states themselves are
needed, so the common part of its syntax is read here: literals, classes, groups, alternatives,
repetition, `^ $ \\A \\z \\b \\B`, and the flags i, m and s. A pattern with anything else is None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

STATES_MAX: Final = 4_000  # Chosen: a pattern that is larger proves nothing here.
LAST: Final = 0x10FFFF

Range = tuple[int, int]


class Signs(msgspec.Struct, frozen=True):
    """A set of characters, as ranges of code points."""

    ranges: tuple[Range, ...]

    def holds(self, code: int) -> bool:
        """Is this code point in it?"""
        return any(low <= code <= high for low, high in self.ranges)


class Context(msgspec.Struct, frozen=True):
    """The characters on both sides of a place; "" beyond an end."""

    before: str
    after: str


class State(msgspec.Struct):
    """Reads one of `reads`, or nothing; then continues at `follows`. `asserts` must hold to
    pass.
    """

    reads: Signs | None = None
    follows: list[int] = []
    asserts: str = ""

    def passes(self, context: Context) -> bool:
        """May one go on here without reading?"""
        return not self.asserts or _ASSERTIONS[self.asserts](context)


class Automaton(msgspec.Struct, frozen=True):
    """States by number; a match begins at `start` and is there at `accept`."""

    states: list[State]
    start: int
    accept: int
    borders: tuple[int, ...]
    """Code points at which some state's characters, or those of words and lines, begin or end."""

    def alphabet(self, besides: str) -> list[str]:
        """A set of representative characters: no state and no sign of `besides` distinguishes other
        characters from one of them.
        """
        own = {at for sign in besides for at in (ord(sign), ord(sign) + 1)}
        return [chr(code) for code in sorted({*self.borders, *own}) if not 0xD800 <= code < 0xE000]


def _is_word(sign: str) -> bool:
    return sign.isascii() and (sign.isalnum() or sign == "_")


def _is_border(context: Context) -> bool:
    return _is_word(context.before) != _is_word(context.after)


_ASSERTIONS: Final[dict[str, Callable[[Context], bool]]] = {
    "start": lambda context: not context.before,
    "end": lambda context: not context.after,
    "line start": lambda context: context.before in ("", "\n"),
    "line end": lambda context: context.after in ("", "\n"),
    "border": _is_border,
    "inside": lambda context: not _is_border(context),
}


class NotReadError(Exception):
    """The pattern uses something that is not read here."""


Fragment = tuple[int, list[int]]
"""Its start, and the states whose successor is still open."""


class Builder:
    """Thompson's construction: fragments with open ends, combined."""

    def __init__(self) -> None:
        self.states: list[State] = []

    def add(self, state: State) -> int:
        """The new state's number."""
        if len(self.states) >= STATES_MAX:
            raise NotReadError
        self.states.append(state)
        return len(self.states) - 1

    def join(self, ends: list[int], target: int) -> None:
        """Let every open end go on to `target`."""
        for end in ends:
            self.states[end].follows.append(target)

    def reading(self, signs: Signs) -> Fragment:
        """One character of `signs`."""
        number = self.add(State(signs))
        return number, [number]

    def asserting(self, name: str) -> Fragment:
        """No character, if `name` holds."""
        number = self.add(State(asserts=name))
        return number, [number]

    def nothing(self) -> Fragment:
        """The empty text."""
        number = self.add(State())
        return number, [number]

    def sequence(self, first: Fragment, second: Fragment) -> Fragment:
        """One after the other."""
        self.join(first[1], second[0])
        return first[0], second[1]

    def either(self, choices: list[Fragment]) -> Fragment:
        """One of several."""
        number = self.add(State(follows=[start for start, _ in choices]))
        return number, [end for _, ends in choices for end in ends]

    def optional(self, inner: Fragment) -> Fragment:
        """`inner` or nothing."""
        return self.either([inner, self.nothing()])

    def repeated(self, inner: Fragment) -> Fragment:
        """`inner` any number of times."""
        number = self.add(State(follows=[inner[0]]))
        self.join(inner[1], number)
        leaving = self.add(State())
        self.states[number].follows.append(leaving)
        return number, [leaving]
