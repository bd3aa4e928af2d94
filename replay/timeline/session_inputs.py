"""The places of a session's records among the inputs of a recording: numbers only, in arrays."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Final

CLOSED: Final = 2**64 - 1
"""In a trace: the event is a `session.ended` that the engine created after a long silence."""


@dataclass(slots=True)
class SessionInputs:
    """The places of a session's records among the inputs.

    `trace` gives the input of each position of its trace (the last one, if the session was evicted
    and began anew); `life_begins` is the number of its first input in `inputs`.
    """

    inputs: array[int] = field(default_factory=lambda: array("Q"))
    trace: array[int] = field(default_factory=lambda: array("Q"))
    positions_max: int = 0
    """The longest that its trace has been."""
    last_ns: int = 0
    seq_first: int | None = None
    kind_first: str = ""


def extend(trace: array[int], position: int, number: int) -> None:
    """Note at which input a position of a trace came; holes are ends that the engine made."""
    if position < len(trace):
        del trace[:]  # It had been forgotten, and began anew.
    while len(trace) < position:
        trace.append(CLOSED)
    trace.append(number)
