"""Sessions that a gate guards: what time alone decides in them before an event of the gate.

A tick comes later for them by `gate_lateness`, since an event that the gate saw in time may still
be on its way. The gate itself had decided all that was due when it took the event in. So the same
is done here before the event, whenever ticks come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from invariants.model.event import Event
from invariants.model.excepted import EVERY_INVARIANT
from monitor.findings.model import Finding
from monitor.ingest.effective_time import timing_of
from monitor.ingest.sequence import Header, Noticed
from monitor.kernel.owners import Owners
from monitor.kernel.sessions import SessionScope, due_ns_of
from monitor.kernel.settings import KernelSettings
from monitor.kernel.table import ScopeTable
from monitor.trace_key import TraceKey

OPENED_TEXT: Final = (
    "the glass of a gate was broken: until the end that the event states, no call that it concerns "
    "is refused, and nobody is stopped for one"
)
Wake = Callable[[TraceKey, SessionScope, int], list[Finding]]
"""Does the next thing that is due in a session before a time."""


def reach_gated(
    sessions: ScopeTable[TraceKey, SessionScope],
    owners: Owners,
    event: Event,
    settings: KernelSettings,
    wake: Wake,
) -> list[Finding]:
    """Do all that is due in an event's session before its effective time."""
    findings: list[Finding] = []
    key = owners.trace_of(event)
    assert isinstance(key, TraceKey), "a gate's event always has one"
    scope = sessions.scope(key)
    time_ns = timing_of(event, scope.header.time_ns, settings.clocks()).time_ns
    while scope.header.is_gated:
        due_ns = due_ns_of(scope, settings)
        if due_ns is None or due_ns >= time_ns:
            break
        findings += wake(key, scope, time_ns)
        scope = sessions.scope(key)  # It may have been evicted: then it begins anew.
    return findings


def opened_in(event: Event, header: Header) -> tuple[Noticed, ...]:
    """A report if an operator breaks the glass of a gate; `header` is the session's before it.

    A break-glass has a session of its own, which is called as it is: it is reported once, and not
    in each of the sessions that it concerns.
    """
    return tuple(
        Noticed("break_glass", OPENED_TEXT, one.id)
        for one in event.excepted
        if one.id == event.session
        and one.invariant == EVERY_INVARIANT
        and event.kind == "control.applied"
        and one not in header.excepted
    )
