"""An event as a finding names it."""

from __future__ import annotations

from invariants.model.verdict import EventRef
from monitor.findings.model import (
    WitnessEvent,
)


def witness_event(ref: EventRef) -> WitnessEvent:
    """An event of a session's trace."""
    return WitnessEvent(ref.position, ref.time_ns, ref.id, list(ref.roles))
