"""Stops that are in force: sessions, principals, agents and tools on the control topic.

A gate obeys the same records as a client's guard. They are read to the end before the first answer,
and followed afterwards (`follow`). Monitors write them about what only they can know, such as
traces of several gates, or a score.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from interlock.control_record import ControlView, session_targets
from monitor.gate.book import SessionRow
from monitor.trace_key import TraceKey
from monitor.transport.base import ControlReader

READ_S_MAX = 30.0


class Stop(NamedTuple):
    """Why every call of a session is refused."""

    state: str
    incident: str


class Stops:
    """The control records that a gate has read; without a reader there are none."""

    def __init__(self, reader: ControlReader | None) -> None:
        self._reader = reader
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

    def stop_of(self, key: TraceKey, row: SessionRow, tool: str, time_ns: int) -> Stop | None:
        """The most severe record that concerns a call; None if nothing is stopped."""
        state, target = self._view.standing(_targets(key, row, tool), time_ns)
        if state == "active":
            return None
        record = self._view.record(target)
        return Stop(state, "" if record is None else record.incident)


def _targets(key: TraceKey, row: SessionRow, tool: str) -> Iterator[str]:
    yield from key.control_targets
    yield f"principal:{key.principal}"
    yield f"tool:{tool}"
    if row.agent:
        yield f"agent:{row.agent}"
    if row.parent:
        other, _, session = row.parent.rpartition("/")
        yield from session_targets(other or key.principal, session)
