"""Reports rejected records as findings: one for each session and reason.

Input: rejected records in the order of their streams. Output: `unread` findings that list the
invariants which the record could concern. Verdicts at events do not change, as after a `gap`.

The content of such a record is only its sender's claim. It concerns the sender's own trace of the
session that it names. Records that name no session, and names beyond `SESSIONS_MAX`, are reported
together, so that a flood of garbage makes few findings, whatever names it invents. Nothing here is
stored: after a restart a finding is made again under its previous id.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import msgspec

from invariants.model.verdict import EventRef
from invariants.runtime.program import Program
from monitor.findings.model import Finding, Severity
from monitor.ingest.rejected import Rejected
from monitor.ingest.sequence import Header, Noticed, passed
from monitor.kernel.build_finding import engine_finding
from monitor.kernel.sessions import SessionScope
from monitor.trace_key import TraceKey

SESSIONS_MAX: Final = 100
"""Sessions without an event that one sender's unreadable records may name within `PERIOD_NS`.
Chosen: more than a faulty exporter names before it is noticed, fewer than would hide others.
"""
PERIOD_NS: Final = 3_600_000_000_000
"""Chosen: joint reports are made once an hour by arrival; in finished files once."""
TOLD_MAX: Final = 20_000
"""Chosen: (trace, reason) pairs that are remembered; beyond it the oldest is reported again, under
its previous id."""
NAMED_MAX: Final = 10
"""Invariants that the text names; `could_concern` has all."""

_NARROWED: Final = frozenset({"field", "too_deep", "too_large", "numbers", "not_json", "not_utf8"})
"""Reasons for which kind and tool can be believed, if they can be read at all."""


class UnreadRecords:
    """The previous reports of one kernel."""

    def __init__(self, program: Program, severities: Mapping[str, Severity]) -> None:
        self._programs = program.scopes
        self._severities = severities
        self._all = frozenset(compiled.declared.id for compiled in program.invariants)
        self._told: OrderedDict[tuple[TraceKey, str], frozenset[str]] = OrderedDict()
        self._named: dict[tuple[str, int], set[str]] = {}

    def take(self, rejected: Rejected, trace: TraceKey, scope: SessionScope) -> list[Finding]:
        """The new findings about this record for a trace that it concerns.

        If it has an expected number, that number counts as received, so that no `gap` reports it as
        well.
        """
        if not self._has_room(rejected, scope.header):
            return self.take_unnamed(rejected)
        found = self._tell(rejected, trace, scope.header, rejected.reason)
        if scope.header.position:
            # Nothing is stored for a trace without an event, so that a flood of invented names
            # cannot fill a store: its first events show a number that was lost before them.
            scope.header = passed(scope.header, rejected.known.seq)
        return found

    def take_unnamed(self, rejected: Rejected) -> list[Finding]:
        """The new findings about a record of no known session."""
        trace = TraceKey(rejected.principal, "")
        return self._tell(rejected, trace, Header(), f"{rejected.reason}/{_period(rejected)}")

    def _has_room(self, rejected: Rejected, header: Header) -> bool:
        """A session that has events is known; of others, only a limited number is accepted."""
        if header.position:
            return True
        period = _period(rejected)
        sender = rejected.principal, period
        if sender not in self._named:
            # Times of one sender's streams may differ a little: the period before stays.
            self._named = {k: names for k, names in self._named.items() if k[1] >= period - 1}
        names = self._named.setdefault(sender, set())
        if rejected.known.session not in names and len(names) >= SESSIONS_MAX:
            return False
        names.add(rejected.known.session)
        return True

    def _tell(
        self, rejected: Rejected, trace: TraceKey, header: Header, subject: str
    ) -> list[Finding]:
        told = self._told.get((trace, subject), frozenset())
        concerned = self._concerned(rejected) - told if len(told) < len(self._all) else frozenset()
        if (trace, subject) in self._told and not concerned:
            return []
        self._told[trace, subject] = told | concerned
        if len(self._told) > TOLD_MAX:
            self._told.popitem(last=False)
        ids = sorted(concerned)
        key = msgspec.json.encode([subject, ids]).decode()
        time_ns = header.time_ns if header.position else rejected.arrival_ns or 0
        finding = engine_finding(
            Noticed("unread", _text(rejected, trace.session, ids), key, None, tuple(ids)),
            trace=trace,
            agent=header.agent,
            anchor=EventRef(header.position, time_ns, ""),
            anchor_digest="",
            severities=self._severities,
        )
        return [msgspec.structs.replace(finding, witness=[])]

    def _concerned(self, rejected: Rejected) -> frozenset[str]:
        """The invariants that an event of this kind and tool could concern; else all."""
        kind, tool = rejected.known.kind, rejected.known.tool
        if not kind or tool is None or rejected.reason not in _NARROWED:
            return self._all
        return frozenset(
            program.invariants[index].declared.id
            for program in self._programs
            for index, _ in program.plan(kind, tool).concerned
        )


def _period(rejected: Rejected) -> int:
    return (rejected.arrival_ns or 0) // PERIOD_NS


def _text(rejected: Rejected, session: str, concerned: list[str]) -> str:
    named = ", ".join(f"`{id_}`" for id_ in concerned[:NAMED_MAX])
    more = f" and {len(concerned) - NAMED_MAX} more" if len(concerned) > NAMED_MAX else ""
    whose = "" if session else "; it names no known session"
    about = f"; it could concern {named}{more}" if concerned else "; it could concern no invariant"
    return f"the record at {rejected.origin} could not be read: {rejected.detail}{whose}{about}"
