"""One point of a trace as formulas see it: a position, a time, and what each predicate says."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from .fact import Fact


class Letter(Protocol):
    """What every predicate says of one event, asked by the predicate's name."""

    def __getitem__(self, predicate: str, /) -> Fact:
        """The fact; `NO_FACT` where the predicate is false."""


class Moment(NamedTuple):
    """Event number `position` of its scope's trace, at effective time `time_ns`."""

    position: int
    time_ns: int
    id: str
    letter: Letter
    is_session_end: bool | None = False
    """None of an event before a birth: nobody saw what it was."""
