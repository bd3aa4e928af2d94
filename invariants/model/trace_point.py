"""One point of a trace as formulas see it: a position, a time, and the fact of each predicate."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from .fact import Fact


class Letter(Protocol):
    """The facts of one event, by the predicate's name."""

    def __getitem__(self, predicate: str, /) -> Fact:
        """The fact; `NO_FACT` if the predicate is false."""


class TracePoint(NamedTuple):
    """Event number `position` of its scope's trace, at effective time `time_ns`."""

    position: int
    time_ns: int
    id: str
    letter: Letter
    is_session_end: bool | None = False
    """None for an event before a birth: its content is unknown."""
