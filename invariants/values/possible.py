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
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from .pattern_automaton import automaton
from .pattern_states import Automaton, Context

CONFIGURATIONS_MAX: Final = 500  # Chosen: measured, patterns of the packs need at most 60.


ALTERNATIVES_MAX: Final = 8  # Measured: 75 names of files at once take 5 s, one by one 20 ms.
SHORT_PATTERN: Final = 40  # Chosen: a longer one is assumed to match some texts and not others.
VISITS_MAX: Final = 40_000
"""Measured: of states, 20 ms, if nothing is remembered; patterns on paths need a tenth."""
LIST_VISITS_MAX: Final = 1_000_000
"""Chosen: for all alternatives of a list. Measured: 75 names of files need 200,000."""
_FLAGS: Final = re.compile(r"\(\?[a-zA-Z]+\)")
# An escape, a quotation, a class of characters, or any other sign.
_PIECES: Final = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\[:[^\]]*:\]|\\.|[^\]\\])*\]|.", re.DOTALL
)
REMEMBERED_CHARACTERS_MAX: Final = 256  # Chosen: many predicates ask the same of a short word.
REMEMBERED_MAX: Final = 5_000
"""Chosen: transitions and configurations of a pattern that are remembered, at most a megabyte."""
RUNNERS_MAX: Final = 2_048  # Chosen: patterns, each alternative of a long list for itself.


class Gap(msgspec.Struct, frozen=True):
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
    if len(parts) <= ALTERNATIVES_MAX:
        return _of_one(pattern, text, Visits())
    # One automaton for all of a long list has too many configurations. One by one, "always" is
    # found only if one alternative always matches.
    each: set[bool | None] = set()
    visits_count = 0
    for part in parts:
        visits = Visits()
        each.add(_of_one(part, text, visits))
        visits_count += visits.count
        if visits_count > LIST_VISITS_MAX:
            return True if True in each else None
    return True if True in each else None if None in each else False


def _of_one(pattern: str, text: Sequence[Part], visits: Visits) -> bool | None:
    runner = _runner(pattern)
    if runner is None:
        return None
    try:
        answers = runner.over(text, visits)
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


@lru_cache(maxsize=RUNNERS_MAX)
def _runner(pattern: str) -> _Runner | None:
    """None for a pattern that is not understood here: then nothing is proven."""
    made = automaton(pattern)
    return None if made is None else _Runner(made)


class _TooManyError(Exception):
    """More configurations than are looked at, or larger ones."""


class _Runner:
    """A pattern's automaton, run over sets of configurations; what was found once is remembered.

    Its transitions are those of a deterministic automaton that is made as far as texts need it.
    Each is remembered with the number of states that it visited, so that the bound on visits does
    not depend on earlier texts.
    """

    def __init__(self, made: Automaton) -> None:
        self._made = made
        self._borders: Final = sorted(made.borders)
        self._after: dict[tuple[_Configuration, int], tuple[_Configuration, int]] = {}
        self._behind: dict[
            tuple[frozenset[_Configuration], Gap], tuple[frozenset[_Configuration], int]
        ] = {}
        self._reached_count = 0
        """Configurations in `_behind`."""
        self._ends: dict[_Configuration, bool] = {}

    def over(self, text: Sequence[Part], visits: Visits) -> set[bool]:
        """The answers that are possible for a whole text."""
        if len(self._after) + self._reached_count > REMEMBERED_MAX:
            self._after, self._behind, self._ends, self._reached_count = {}, {}, {}, 0
        found: frozenset[_Configuration] = frozenset({(frozenset(), "")})
        for part in text:
            if isinstance(part, Gap):
                found = self._crossed(found, part, visits)
                continue
            for sign in part:
                number = bisect_right(self._borders, ord(sign))
                found = frozenset([self._step(one, number, sign, visits) for one in found])
        return {self._is_match(configuration) for configuration in found}

    def _is_match(self, configuration: _Configuration) -> bool:
        known = self._ends.get(configuration)
        if known is None:
            states, before = configuration
            known = self._made.accept in self._closed(states, Context(before, ""))
            self._ends[configuration] = known
        return known

    def _step(
        self, configuration: _Configuration, number: int, sign: str, visits: Visits
    ) -> _Configuration:
        """The configuration behind one more character; a match that was found stays found.

        `number` is that of the characters that no state distinguishes from `sign`.
        """
        known = self._after.get((configuration, number))
        if known is None:
            known = self._after[configuration, number] = self._read(configuration, sign)
        after, count = known
        visits.add(count)
        return after

    def _read(self, configuration: _Configuration, sign: str) -> tuple[_Configuration, int]:
        states, before = configuration
        closed = self._closed(states, Context(before, sign))
        if self._made.accept in closed:
            return (frozenset({self._made.accept}), ""), len(closed)
        code = ord(sign)
        follows: set[int] = set()
        for number in closed:
            state = self._made.states[number]
            if state.reads is not None and state.reads.holds(code):
                follows.update(state.follows)
        return (frozenset(follows), _class_of(sign)), len(closed)

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
        return reached

    def _crossed(
        self, found: frozenset[_Configuration], gap: Gap, visits: Visits
    ) -> frozenset[_Configuration]:
        """The configurations that fillings of a gap reach."""
        known = self._behind.get((found, gap))
        if known is None:
            own = Visits()
            try:
                known = self._filled(found, gap, own), own.count
            except _TooManyError:
                known = frozenset(), VISITS_MAX + 1
            self._behind[found, gap] = known
            self._reached_count += len(found) + len(known[0])
        reached, count = known
        visits.add(count)
        return reached

    def _filled(
        self, found: frozenset[_Configuration], gap: Gap, visits: Visits
    ) -> frozenset[_Configuration]:
        signs = self._made.alphabet(gap.unlike + gap.unlike_first)
        rest = self._numbered(sign for sign in signs if sign not in gap.unlike)
        first = self._numbered(sign for _, sign in rest if sign not in gap.unlike_first)
        reached: set[_Configuration] = set()
        waiting = {self._step(one, *sign, visits) for one in found for sign in first}
        while waiting:
            if len(reached) > CONFIGURATIONS_MAX:
                raise _TooManyError
            reached |= waiting
            waiting = {self._step(one, *sign, visits) for one in waiting for sign in rest} - reached
        return frozenset(reached | found if gap.is_empty else reached)

    def _numbered(self, signs: Iterable[str]) -> list[tuple[int, str]]:
        """One of all characters that no state distinguishes, with their number."""
        return list({bisect_right(self._borders, ord(sign)): sign for sign in signs}.items())


class Visits:
    """The states that a search has visited. `add` ends one that visits too many."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def add(self, count: int) -> None:
        """Visit so many more."""
        self.count += count
        if self.count > VISITS_MAX:
            raise _TooManyError


def _class_of(sign: str) -> str:
    """As much of the character before as `\\b` and `^` ask: a line's end, a word's part, or not."""
    if sign == "\n":
        return sign
    return "a" if sign.isascii() and (sign.isalnum() or sign == "_") else "-"
