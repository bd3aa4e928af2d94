"""Bugs that a hostile neighbour could use, planted as those of `planted.py` are.

Those in the engine are also in the plain engine that expects the findings: only laws that share
nothing with it can find them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final
from unittest.mock import patch

import msgspec
from msgspec.structs import replace

from invariants.model.event import Event
from monitor.findings.model import Finding
from monitor.ingest.merge import Merger
from monitor.ingest.rejected import Rejected
from monitor.kernel.kernel import Kernel
from monitor.kernel.owners import Owners, Unowned
from monitor.kernel.prepared import Stepped
from monitor.kernel.unread import UnreadRecords
from monitor.service.loop import Loop
from monitor.service.responder import Planned, Responder
from monitor.store.store import Store
from monitor.trace_key import TraceKey


@contextmanager
def stopped_sessions_end_batches() -> Iterator[None]:
    """Each violation that asks for a stop ends its batch, also where its target is stopped."""
    real = Responder.plan

    def plan(self: Responder, findings: Sequence[Finding]) -> Planned:
        planned = real(self, findings)
        return Planned(planned.actions, any(action.is_enforcing for action in planned.actions))

    with patch.object(Responder, "plan", plan):
        yield


@contextmanager
def stops_wait_for_their_batch() -> Iterator[None]:
    """A new stop is carried out when the batch is full, behind a flood."""
    real = Responder.plan

    def plan(self: Responder, findings: Sequence[Finding]) -> Planned:
        return Planned(real(self, findings).actions, is_urgent=False)

    with patch.object(Responder, "plan", plan):
        yield


@contextmanager
def stopped_sessions_are_not_judged() -> Iterator[None]:
    """What a session does after its stop is taken, and no invariant sees it."""
    real_plan, real_take, stopped = Responder.plan, Loop._take_records, set[TraceKey]()

    def plan(self: Responder, findings: Sequence[Finding]) -> Planned:
        planned = real_plan(self, findings)
        ids = {action.finding for action in planned.actions if action.is_enforcing}
        stopped.update(finding.trace for finding in findings if finding.id in ids)
        return planned

    def take_records(self: Loop, batch: Any) -> None:
        real_step = self._kernel.take

        def take(given: Any, group: str = "") -> Stepped:
            found = real_step(given, group)
            is_stopped = set(self._kernel.traces_of(given)) & stopped
            return replace(found, findings=[]) if is_stopped else found

        self._kernel.take = take  # type: ignore[method-assign]
        try:
            real_take(self, batch)
        finally:
            del self._kernel.take

    with patch.object(Responder, "plan", plan), patch.object(Loop, "_take_records", take_records):
        yield


@contextmanager
def unreadable_records_are_not_told() -> Iterator[None]:
    """A record that is not an event is a dead letter, and passes for fine."""
    with patch.object(Kernel, "unread", lambda self, rejected: []):
        yield


@contextmanager
def unreadable_records_concern_whom_they_name() -> Iterator[None]:
    """An agent's record that is not an event is told in the traces of all who use its ID."""

    def concerned(self: Owners, rejected: Rejected) -> tuple[TraceKey, ...]:
        session = rejected.known.session
        names = self._users(session).names or (rejected.principal,)
        return tuple(TraceKey(name, session) for name in names) if session else ()

    with patch.object(Owners, "concerned", concerned):
        yield


@contextmanager
def unreadable_records_jump_the_queue() -> Iterator[None]:
    """A record that is not an event is given on at once, before others' earlier ones (it was)."""
    real = Merger.put

    def put(self: Merger, stream: Any, offset: int, content: Any) -> None:
        if isinstance(content, Rejected):
            content = msgspec.structs.replace(content, arrival_ns=0, not_before_ns=None)
        real(self, stream, offset, content)

    with patch.object(Merger, "put", put):
        yield


@contextmanager
def names_without_events_are_remembered() -> Iterator[None]:
    """Any number of invented names get findings of their own."""
    with patch.object(UnreadRecords, "_has_room", lambda self, rejected, header: True):
        yield


@contextmanager
def an_id_belongs_to_its_first_user() -> Iterator[None]:
    """Another principal's event under a session's ID enters the trace of who used it first."""
    real = Owners.trace_of

    def trace_of(self: Owners, event: Event) -> TraceKey | Unowned:
        trace, names = real(self, event), self._users(event.session).names
        return TraceKey(names[0], event.session) if names and event.principal else trace

    with patch.object(Owners, "trace_of", trace_of):
        yield


@contextmanager
def approvals_act_for_the_first_user() -> Iterator[None]:
    """An approval that names nobody acts for who used the ID first, whoever asked."""
    real = Owners.trace_of

    def trace_of(self: Owners, event: Event) -> TraceKey | Unowned:
        trace = real(self, event)
        return trace.traces[0] if isinstance(trace, Unowned) else trace

    with patch.object(Owners, "trace_of", trace_of):
        yield


@contextmanager
def named_approvals_act_for_the_only_user() -> Iterator[None]:
    """The `principal` of an approval is not read."""
    real = Owners.trace_of

    def trace_of(self: Owners, event: Event) -> TraceKey | Unowned:
        record = msgspec.structs.replace(event.record, principal="")
        return real(self, msgspec.structs.replace(event, record=record))

    with patch.object(Owners, "trace_of", trace_of):
        yield


@contextmanager
def one_bucket_for_all_stops() -> Iterator[None]:
    """Throw-away sessions of one principal use up everybody's stops."""
    with patch("monitor.response.breaker._name", lambda target, principal: ("", "")):
        yield


@contextmanager
def stops_forgotten_at_a_start() -> Iterator[None]:
    """Whoever makes the monitor start anew has all stops of an hour once more."""
    with patch.object(Store, "stops", lambda self, now_ns: []):
        yield


@contextmanager
def heartbeats_over_what_waits() -> Iterator[None]:
    """What was read and waits for its turn, behind a flood, is vouched for."""
    with patch.object(Merger, "held_arrivals", lambda self: {}):
        yield


HOSTILE: Final[tuple[Callable[[], AbstractContextManager[None]], ...]] = (
    stopped_sessions_end_batches,
    stops_wait_for_their_batch,
    stopped_sessions_are_not_judged,
    unreadable_records_are_not_told,
    unreadable_records_concern_whom_they_name,
    unreadable_records_jump_the_queue,
    names_without_events_are_remembered,
    an_id_belongs_to_its_first_user,
    approvals_act_for_the_first_user,
    named_approvals_act_for_the_only_user,
    one_bucket_for_all_stops,
    stops_forgotten_at_a_start,
    heartbeats_over_what_waits,
)
