"""The exceptions of operators that cover a verdict: those of the event that decided it.

If time alone decided it before an event, the exceptions until then cover it; in a wider scope those
of its anchor. So ticks and events may come in any order.
"""

from __future__ import annotations

from collections.abc import Iterable

from invariants.model.excepted import Excepted, exception_of
from invariants.model.verdict import Verdict
from invariants.runtime.report_mode import Covers
from monitor.ingest.sequence import Header
from monitor.kernel.event_names import Named, Names, name_in


def covering(before: Header, after: Header) -> Covers | None:
    """Those of a session, whose headers before and with an event these are; None if it has none."""
    if not before.excepted and not after.excepted:
        return None
    return lambda verdict: _is_in(sender_of(verdict, before, after).excepted, verdict)


def covering_wider(named: Named | None, names: Names, time_ns: int) -> Covers:
    """Those of a wider scope, at an event that is `named`, or None for time alone."""
    return lambda verdict: _is_in(decider_of(verdict, named, names, time_ns).excepted, verdict)


def sender_of(verdict: Verdict, before: Header, after: Header) -> Header:
    """The header of the session when a verdict was decided."""
    return before if verdict.decided_ns < after.time_ns else after


def decider_of(verdict: Verdict, named: Named | None, names: Names, time_ns: int) -> Named:
    """The event whose exceptions cover a verdict: the one that decided it, else its anchor."""
    if named is None or verdict.decided_ns < time_ns:
        return name_in(names, verdict.anchor)
    return named


def _is_in(excepted: Iterable[Excepted], verdict: Verdict) -> bool:
    return bool(exception_of(excepted, verdict.invariant, verdict.decided_ns))
