"""The automaton of a pattern, from its text."""

from __future__ import annotations

from typing import Final

from .pattern_reader import Reader
from .pattern_states import LAST, Automaton, Builder, NotReadError, Range, State

# The characters of words and lines, as ranges.
_ASKED: Final[tuple[Range, ...]] = (
    (0x0A, 0x0A),
    (0x30, 0x39),
    (0x41, 0x5A),
    (0x5F, 0x5F),
    (0x61, 0x7A),
)


def automaton(pattern: str) -> Automaton | None:
    """The automaton of `pattern`, or None."""
    builder = Builder()
    try:
        start, ends = Reader(pattern, builder).whole()
    except NotReadError:
        return None
    accept = builder.add(State())
    builder.join(ends, accept)
    ranges = {
        one for state in builder.states if state.reads is not None for one in state.reads.ranges
    }
    borders = {0, *(at for low, high in ranges | {*_ASKED} for at in (low, high + 1))}
    # A range that begins among the halves of surrogate pairs, which no text holds, begins behind.
    borders = {0xE000 if 0xD800 <= at < 0xE000 else at for at in borders if at <= LAST}
    return Automaton(builder.states, start, accept, tuple(borders))
