"""Invariants about more than this gate sees, and how old the word of a monitor about them may be.

A gate sees every event of its sessions. A trace of an agent, a user or a tenant may have events of
other gates, too: only a monitor that reads all of them knows it whole. That monitor stops sessions,
and says in its heartbeats up to when it has judged. If that is too long ago, each such invariant
that a call concerns decides by its own `fail`.
"""

from __future__ import annotations

from invariants.model.event import Event
from invariants.model.excepted import exception_of
from invariants.runtime.program import Program
from invariants.spec.model import Per
from monitor.findings.model import Mode
from monitor.gate.stops import Stops


class Freshness:
    """`age_ns_max` None: this gate is the only one, so that it knows every trace whole. `mode` is
    in place of that of every invariant.
    """

    def __init__(
        self, program: Program, stops: Stops, age_ns_max: int | None, mode: Mode | None
    ) -> None:
        self._program, self._stops, self._age_ns_max = program, stops, age_ns_max
        self._mode = mode

    def refusing(self, event: Event, time_ns: int) -> Per | None:
        """The scope of which too little is known for this call; None if nothing is in the way."""
        if self._age_ns_max is None or not self._program.wider:
            return None
        judged_ns = self._stops.judged_ns()
        if judged_ns is not None and time_ns - judged_ns <= self._age_ns_max:
            return None
        record = event.record
        for wider in self._program.wider:
            for index, _ in wider.plan(record.kind, record.tool).concerned:
                declared = wider.invariants[index].declared
                mode = self._mode or declared.mode
                is_excepted = exception_of(event.excepted, declared.id, time_ns)
                if mode == "enforce" and declared.fail == "closed" and not is_excepted:
                    return wider.per
        return None
