"""The state of everything at one event: plain frozen values, for text, JSON and the report.

Created by `take.py`, shown by `text.py`. Times are ns since 1970, positions count a
session's events from 0. Lists that an attacker can make long are truncated at `SHOWN_MAX`; their
counts are not. Two runs over one recording give equal values, and equal JSON byte for byte.
"""

from __future__ import annotations

from monitor.findings.model import Finding
from monitor.kernel.standing import InvariantStanding, Plain


class EventSeen(Plain, frozen=True):
    """A record of the recording, and its treatment; `position` is None if not accepted."""

    input: int
    record: int
    fate: str
    position: int | None = None
    id: str = ""
    session: str = ""
    kind: str = ""
    tool: str = ""
    call: str = ""
    agent: str = ""
    principal: str = ""
    ts_ns: int = 0
    time_ns: int = 0
    arrival_ns: int | None = None
    topic: str = ""
    partition: str = ""
    offset: int = 0
    problem: str = ""


class SessionClock(Plain, frozen=True):
    """The session's own time and numbering."""

    position_next: int
    time_ns: int
    ended_ns: int | None
    agent: str
    principal: str
    missing_seq: list[tuple[int, int]]
    tick_ns: int | None
    """The time that the ticks before the event had reached, if there were any."""


class Standing(Plain, frozen=True):
    """Everything at one event of one session."""

    event: EventSeen
    clock: SessionClock | None
    invariants: list[InvariantStanding]
    findings: list[Finding]
    """Of the session, up to the event, in the order in which they were reported."""
