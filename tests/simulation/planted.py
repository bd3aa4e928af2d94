"""Bugs that are planted into the monitor, to see that the oracle can fail.

Each is a context manager; what it takes away is what some line of the monitor is there for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final
from unittest.mock import patch

import msgspec

from monitor.actions.dispatch import Dispatcher
from monitor.ingest.merge import Merger
from monitor.kernel.kernel import Kernel
from monitor.kernel.scope import ScopeChange
from monitor.kernel.sessions import SessionKind, SessionScope
from monitor.scope_key import scope_named
from monitor.service.loop import Loop
from monitor.store.records import ActionMark, Change, Committed, LongestWaits, OutboxFinding
from monitor.store.store import Store
from monitor.trace_key import TraceKey
from monitor.transport.base import Stream
from tests.simulation.planted_hostile import HOSTILE

Plant = Callable[[], AbstractContextManager[None]]


@contextmanager
def offsets_before_the_transaction() -> Iterator[None]:
    """The group is told positions that a crash can take back."""
    real = Loop._finish

    def finish(self: Loop, batch: Any) -> None:
        self._source.commit(self._merger.positions())
        real(self, batch)

    with patch.object(Loop, "_finish", finish):
        yield


@contextmanager
def positions_before_the_transaction() -> Iterator[None]:
    """Positions become durable on their own, before the states that include them."""
    real = Store.commit

    def commit(self: Store, change: Change) -> Committed:
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, NULL)",
                [(s.topic, s.partition, p.next_offset) for s, p in change.positions.items()],
            )
        return real(self, change)

    with patch.object(Store, "commit", commit):
        yield


@contextmanager
def outbox_dropped_after_a_failure() -> Iterator[None]:
    """What could not be published counts as published."""
    with patch.object(Store, "mark_unpublished", Store.mark_published):
        yield


@contextmanager
def marked_before_published() -> Iterator[None]:
    """Findings leave the outbox when they are read from it."""
    real = Store.pending_findings

    def pending(self: Store, limit: int) -> list[OutboxFinding]:
        found = real(self, limit)
        self.mark_published([finding.id for finding in found])
        return found

    with patch.object(Store, "pending_findings", pending):
        yield


@contextmanager
def repeats_forgotten() -> Iterator[None]:
    """The ids that were seen are not stored: a repeat after a restart is a new event."""
    real = SessionKind.change

    def change(
        self: SessionKind, key: TraceKey, scope: SessionScope, wake_ns: int | None
    ) -> ScopeChange:
        scope.seen_added = []
        return real(self, key, scope, wake_ns)

    with patch.object(SessionKind, "change", change):
        yield


@contextmanager
def stops_marked_before_done() -> Iterator[None]:
    """An action is marked before it is carried out: a crash in between loses it."""
    real = Dispatcher._attempt

    def attempt(self: Dispatcher, stored: Any) -> Any:
        if stored.action.is_enforcing:
            self._store.mark_actions([ActionMark(stored.action.id, "done")])
        return real(self, stored)

    with patch.object(Dispatcher, "_attempt", attempt):
        yield


@contextmanager
def streams_not_waited_for() -> Iterator[None]:
    """A record is given on while another stream may still bring an earlier one."""

    def reached(self: Any) -> int:
        return 2**63

    with patch("monitor.ingest.merge._Waiting.reached_ns", reached):
        yield


@contextmanager
def ticks_over_what_waits() -> Iterator[None]:
    """Time goes on although records that arrived before it were not judged yet."""
    with patch.object(Merger, "reached_ns", lambda self, name, now_ns: now_ns):
        yield


@contextmanager
def lost_partitions_kept() -> Iterator[None]:
    """What was read of a partition and not judged is kept over a rebalance, and read again."""
    with patch.object(Merger, "forget", lambda self, stream: None):
        yield


@contextmanager
def letters_forgotten_before_published() -> Iterator[None]:
    """Dead letters leave the outbox when they are read from it."""
    real = Store.pending_letters

    def pending(self: Store, limit: int) -> list[Any]:
        found = real(self, limit)
        self.forget_letters([number for number, _ in found])
        return found

    with patch.object(Store, "pending_letters", pending):
        yield


@contextmanager
def unplaced_streams_at_0() -> Iterator[None]:
    """The position of a stream that was not placed yet is stored as 0 (a bug that was there)."""
    real = Merger.positions

    def positions(self: Merger) -> Mapping[Stream, int]:
        known = real(self)
        for group in self._groups.values():
            for stream, waiting in group.streams.items():
                if waiting.frontier is not None and waiting.frontier.next_offset is None:
                    known.setdefault(stream, 0)
        return known

    with patch.object(Merger, "positions", positions):
        yield


@contextmanager
def only_a_clock_decides_retries() -> Iterator[None]:
    """A wall clock that goes back puts stops off by as much (a bug that was there)."""
    with patch("monitor.actions.dispatch.LONGEST", LongestWaits(2**60, 2**60)):
        yield


@contextmanager
def gaps_swallowed() -> Iterator[None]:
    """Numbers that did not come are not told."""
    with patch("monitor.ingest.sequence._follow_seq", lambda header, seq, *_: (seq or 0, (), ())):
        yield


@contextmanager
def wider_scopes_forgotten() -> Iterator[None]:
    """What an agent's, a user's, a tenant's sessions did is not stored."""
    real = Store.commit

    def commit(self: Store, change: Change) -> Committed:
        own = [one for one in change.scopes if isinstance(scope_named(one.scope), TraceKey)]
        return real(self, msgspec.structs.replace(change, scopes=own))

    with patch.object(Store, "commit", commit):
        yield


@contextmanager
def wider_scopes_live_on() -> Iterator[None]:
    """A wider scope that was let go of is still in the store."""
    real = Store.commit

    def commit(self: Store, change: Change) -> Committed:
        own = [name for name in change.dropped if isinstance(scope_named(name), TraceKey)]
        return real(self, msgspec.structs.replace(change, dropped=own))

    with patch.object(Store, "commit", commit):
        yield


@contextmanager
def wider_deadlines_forgotten() -> Iterator[None]:
    """After a start, nobody looks at what waits in wider scopes."""
    real = Kernel.expect

    def expect(self: Kernel, wakes: list[tuple[int, str]]) -> None:
        real(self, [one for one in wakes if isinstance(scope_named(one[1]), TraceKey)])

    with patch.object(Kernel, "expect", expect):
        yield


@contextmanager
def partitions_not_in_one_order() -> Iterator[None]:
    """Streams of other partitions are not waited for, though one scope has events of both."""

    real = Merger.__init__

    def init(self: Merger, group_of: Callable[[Stream], str]) -> None:
        real(self, lambda stream: stream.partition)

    with patch.object(Merger, "__init__", init):
        yield


PLANTS: Final[dict[str, Plant]] = {
    plant.__name__: plant
    for plant in (
        offsets_before_the_transaction,
        positions_before_the_transaction,
        outbox_dropped_after_a_failure,
        marked_before_published,
        repeats_forgotten,
        stops_marked_before_done,
        streams_not_waited_for,
        ticks_over_what_waits,
        lost_partitions_kept,
        letters_forgotten_before_published,
        unplaced_streams_at_0,
        only_a_clock_decides_retries,
        gaps_swallowed,
        wider_scopes_forgotten,
        wider_scopes_live_on,
        wider_deadlines_forgotten,
        partitions_not_in_one_order,
        *HOSTILE,
    )
}
