"""Tests if a pattern matches a partly known text: always, never, or sometimes.

Input: a pattern of RE2's syntax, and a text as known stretches and gaps. The pattern becomes a
nondeterministic automaton (`pattern_states.py`) that is run over the text as a set of
configurations, like a deterministic one; a gap leads to every configuration that some filling
reaches. The result is exact: "always" and "never" are proofs. It is also "sometimes" if a pattern
is not supported, or needs more configurations or visits of states than are considered, and may be
so for a long list of alternatives or a text of which nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from .pattern_states import Automaton, Context, automaton

CONFIGURATIONS_MAX: Final = 500  # Chosen: measured, patterns of the packs need at most 60.


ALTERNATIVES_MAX: Final = 8  # Measured: 75 names of files at once take 5 s, one by one 20 ms.
SHORT_PATTERN: Final = 40  # Chosen: a longer one is assumed to match some texts and not others.
VISITS_MAX: Final = (
    40_000  # Measured: of states, 20 ms; patterns of the packs on paths need a tenth.
)
_FLAGS: Final = re.compile(r"\(\?[a-zA-Z]+\)")
# An escape, a quotation, a class of characters, or any other sign.
_PIECES: Final = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\[:[^\]]*:\]|\\.|[^\]\\])*\]|.", re.DOTALL
)
REMEMBERED_CHARACTERS_MAX: Final = 256  # Chosen: many predicates ask the same of a short word.


@dataclass(frozen=True, slots=True)
class Gap:
    """An unknown stretch: any text without the signs of `unlike`, beginning with none of
    `unlike_first`.
    """

    kind: str
    unlike: str = ""
    unlike_first: str = ""
    is_empty: bool = True
    """True if it may be empty."""

    @property
    def is_free(self) -> bool:
        """True if it may be any text."""
        return not self.unlike and not self.unlike_first and self.is_empty


Part = str | Gap

_Configuration = tuple[frozenset[int], str]
"""States of the pattern, and the character before, as its class (`_before`)."""


def search(pattern: str, text: Sequence[Part]) -> bool | None:
    """If `pattern` matches somewhere in `text`; None if that depends on the gaps."""
    if sum(len(part) for part in text if isinstance(part, str)) <= REMEMBERED_CHARACTERS_MAX:
        return _remembered(pattern, tuple(text))
    return _search(pattern, text)


@lru_cache(maxsize=16_384)
def _remembered(pattern: str, text: tuple[Part, ...]) -> bool | None:
    return _search(pattern, text)


def _search(pattern: str, text: Sequence[Part]) -> bool | None:
    if len(text) == 1 and type(text[0]) is Gap and text[0].is_free and len(pattern) > SHORT_PATTERN:
        return None
    parts = alternatives(pattern)
    if len(parts) > ALTERNATIVES_MAX:
        # One automaton for all of a long list has too many configurations. One by one, "always" is
        # found only if one alternative always matches.
        each = {search(part, text) for part in parts}
        return True if True in each else None if None in each else False
    made = _automaton(pattern)
    if made is None:
        return None
    try:
        answers = _Run(made).over(text)
    except _TooManyError:
        return None
    return answers.pop() if len(answers) == 1 else None


@lru_cache(maxsize=1024)
def alternatives(pattern: str) -> tuple[str, ...]:
    """The alternatives of a pattern outside all brackets, each with the flags at its beginning."""
    flags = _FLAGS.match(pattern)
    prefix = flags[0] if flags else ""
    parts, depth, start = [], 0, len(prefix)
    for piece in _PIECES.finditer(pattern, start):
        depth += (piece[0] == "(") - (piece[0] == ")")
        if piece[0] == "|" and depth == 0:
            parts.append(prefix + pattern[start : piece.start()])
            start = piece.end()
    return (*parts, prefix + pattern[start:])


@lru_cache(maxsize=2048)
def _automaton(pattern: str) -> Automaton | None:
    """None for a pattern that is not understood here: then nothing is proven."""
    return automaton(pattern)


class _TooManyError(Exception):
    """More configurations than are looked at, or larger ones."""


class _Run:
    """All configurations that a text may lead to."""

    def __init__(self, made: Automaton) -> None:
        self._made = made
        self._visits_count = 0

    def over(self, text: Sequence[Part]) -> set[bool]:
        """The answers that are possible for a whole text."""
        found: set[_Configuration] = {(frozenset(), "")}
        for part in text:
            if isinstance(part, Gap):
                found = self._crossed(found, part)
                continue
            for sign in part:
                found = {self._after(configuration, sign) for configuration in found}
        return {self._is_match(configuration) for configuration in found}

    def _is_match(self, configuration: _Configuration) -> bool:
        states, before = configuration
        return self._made.accept in self._closed(states, Context(before, ""))

    def _after(self, configuration: _Configuration, sign: str) -> _Configuration:
        """The configuration behind one more character; a match that was found stays found."""
        states, before = configuration
        closed = self._closed(states, Context(before, sign))
        if self._made.accept in closed:
            return frozenset({self._made.accept}), ""
        code = ord(sign)
        follows: set[int] = set()
        for number in closed:
            state = self._made.states[number]
            if state.reads is not None and state.reads.holds(code):
                follows.update(state.follows)
        return frozenset(follows), _class_of(sign)

    def _closed(self, states: Iterable[int], context: Context) -> set[int]:
        """The states that are reached without reading, a match that begins here among them."""
        reached: set[int] = set()
        waiting = [*states, self._made.start]
        while waiting:
            number = waiting.pop()
            if number in reached:
                continue
            reached.add(number)
            state = self._made.states[number]
            if state.reads is None and state.passes(context):
                waiting += state.follows
        self._visits_count += len(reached)
        if self._visits_count > VISITS_MAX:
            raise _TooManyError
        return reached

    def _crossed(self, found: set[_Configuration], gap: Gap) -> set[_Configuration]:
        """The configurations that fillings of a gap reach."""
        signs = self._made.alphabet(gap.unlike + gap.unlike_first)
        rest = [sign for sign in signs if sign not in gap.unlike]
        first = [sign for sign in rest if sign not in gap.unlike_first]
        reached: set[_Configuration] = set()
        waiting = {self._after(configuration, sign) for configuration in found for sign in first}
        while waiting:
            if len(reached) > CONFIGURATIONS_MAX:
                raise _TooManyError
            reached |= waiting
            waiting = {
                self._after(configuration, sign) for configuration in waiting for sign in rest
            } - reached
        return reached | found if gap.is_empty else reached


def _class_of(sign: str) -> str:
    """As much of the character before as `\\b` and `^` ask: a line's end, a word's part, or not."""
    if sign == "\n":
        return sign
    return "a" if sign.isascii() and (sign.isalnum() or sign == "_") else "-"
