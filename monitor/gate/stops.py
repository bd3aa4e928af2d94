"""Stops that are in force: those of the gate itself, and those on the control topic.

A gate obeys the same records as a client's guard. They are read to the end before the first answer,
and followed afterwards (`follow`). Monitors write them about what only they can know, such as
traces of several gates, or a score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from interlock.control_record import ControlView, session_targets
from monitor.gate.book import Book, OwnStops, SessionRow, StopState
from monitor.trace_key import TraceKey
from monitor.transport.base import ControlReader

READ_S_MAX = 30.0


class Stop(NamedTuple):
    """Why every call of a session is refused."""

    state: str
    incident: str


class Stops:
    """The control records that a gate has read; without a reader there are none."""

    def __init__(self, reader: ControlReader | None, quarantine_ttl_ns: int | None) -> None:
        self._reader, self._quarantine_ttl_ns = reader, quarantine_ttl_ns
        self._view = ControlView()
        if reader is not None:
            for key, value in reader.read_to_end(READ_S_MAX):
                self._view.apply(key, value)

    def follow(self) -> None:
        """Take in the records that were written since; does not wait."""
        if self._reader is not None:
            for key, value in self._reader.poll(0):
                self._view.apply(key, value)

    def judged_ns(self) -> int | None:
        """The time up to which every monitor that can stop somebody has judged; None: not known."""
        return self._view.watermarks.of(None).judged_ns

    def stop_of(
        self, key: TraceKey, book: Book, tool: str, time_ns: int, *, has_own: bool = True
    ) -> Stop | None:
        """The most severe stop that concerns a call; None if nothing is stopped.

        `has_own` false: those of the gate itself do not count, because its glass is broken.
        """
        row = book.row(key)
        state, target = self._view.standing(_targets(key, row, tool), time_ns)
        own = self._own(key, row, book, time_ns) if has_own else None
        if state == "active" or (own is not None and own.state == "killed"):
            return own
        record = self._view.record(target)
        return Stop(state, "" if record is None else record.incident)

    def _own(self, key: TraceKey, row: SessionRow, book: Book, time_ns: int) -> Stop | None:
        """The gate's own stop of a session, its principal or its parent, the first found."""
        principal = (f"principal:{key.principal}",)
        held = [
            (key.control_targets, row.stops),
            (principal, book.principal_stops.get(key.principal, {})),
        ]
        if row.parent:
            other, _, session = row.parent.rpartition("/")
            parent = TraceKey(other or key.principal, session)
            held.append((parent.control_targets, book.row(parent).stops))
        in_force = (self._in_force(targets, own, time_ns) for targets, own in held if own)
        return next(filter(None, in_force), None)

    def _in_force(self, targets: Sequence[str], stops: OwnStops, time_ns: int) -> Stop | None:
        """A stop, unless it was released, or has expired, since."""
        records = [self._view.record(target) for target in targets]
        released_ns = max(
            (one.issued_at for one in records if one is not None and one.state == "active"),
            default=0,
        )
        states: tuple[StopState, ...] = ("killed", "quarantined")
        for state in states:
            stop = stops.get(state)
            if stop is None or stop.time_ns <= released_ns:
                continue
            ttl_ns = None if state == "killed" else self._quarantine_ttl_ns
            if ttl_ns is None or time_ns < stop.time_ns + ttl_ns:
                return Stop(state, stop.incident)
        return None


def _targets(key: TraceKey, row: SessionRow, tool: str) -> Iterator[str]:
    yield from key.control_targets
    yield f"principal:{key.principal}"
    yield f"tool:{tool}"
    if row.agent:
        yield f"agent:{row.agent}"
    if row.parent:
        other, _, session = row.parent.rpartition("/")
        yield from session_targets(other or key.principal, session)
