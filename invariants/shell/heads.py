"""Assumptions about unknown words: about a program's name, and about variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ..values.possible import Gap
from ..values.unknown_text import PROGRAM, UnknownText
from .stream import Values
from .term import ANYTHING, Term, merged

Command = list[str | UnknownText]


def usual(commands: list[Command]) -> list[Command]:
    """The commands, each gap of a variable filled with a name that means nothing."""
    return [[_usual(word) for word in command] for command in commands]


def _usual(word: str | UnknownText) -> str | UnknownText:
    if isinstance(word, str):
        return word
    readings = tuple(
        merged([_USUAL if isinstance(p, Gap) and p.kind in _ORDINARY else p for p in reading])
        for reading in word.readings
    )
    return Term(tuple(dict.fromkeys(readings)), word.is_many and _is_open(readings)).shown()


_USUAL: Final = "a-name"
_ORDINARY: Final = frozenset({"variable", "below", "name", "program"})


def _is_open(readings: Values) -> bool:
    return any(isinstance(part, Gap) for reading in readings for part in reading)


def head(terms: Sequence[Term]) -> Term:
    """The word with the program's name, which is one word unless nothing at all is known of it.

    `$PYTHON -m x` counts as one program with its arguments; `$COMMAND` alone may be anything.
    """
    first = terms[0]
    if first.text is not None or not any(_is_gap(part) for r in first.readings for part in r[:1]):
        return first
    is_alone = all(is_blank(term) for term in terms) and any(term.is_any for term in terms)
    is_output = first.is_many and any(part.kind == "any" for part in _gaps(first))
    if is_alone or (is_output and first.base is None):
        return ANYTHING
    readings = tuple(
        (PROGRAM, *reading[1:]) if reading and _is_gap(reading[0]) else reading
        for reading in first.readings
    )
    return Term(readings)


def _gaps(term: Term) -> list[Gap]:
    return [part for reading in term.readings for part in reading if isinstance(part, Gap)]


def _is_gap(part: Any) -> bool:
    return isinstance(part, Gap)


def is_blank(term: Term) -> bool:
    """True if nothing is known of it."""
    return all(isinstance(part, Gap) for reading in term.readings for part in reading)
