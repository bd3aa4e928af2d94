"""What the ordering stage knows of a session, and what it does with the next event.

Pure: `admit(header, event, ...)` gives the header after the event and says whether it is new,
what its effective time is, and what was noticed (a gap, a repeat, an id in conflict, an event
after the end). Events are never put into another order than that of their stream.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from invariants.event import Event
from monitor.finding import EngineFindingType

MISSING_RANGES_MAX: Final = 64
"""Chosen: holes in a session's numbering that are remembered; past it, late fills look new."""


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a session besides the invariants' states.

    `position` counts its events; `time_ns` is the last effective time; `missing` are ranges of
    `seq` (first, last) that did not come; `group` names the partition that its events come from.
    `agent`, `principal`, `user` and `tenant` are those that it named first.
    """

    position: int = 0
    time_ns: int = 0
    seq_max: int = -1
    missing: tuple[tuple[int, int], ...] = ()
    ended_ns: int | None = None
    agent: str = ""
    principal: str = ""
    group: str = ""
    touched_ns: int = 0
    """When the monitor last saw an event of it: arrival, or effective time where there is none."""
    user: str = ""
    tenant: str = ""


class Noticed(NamedTuple):
    """Something about the stream itself that becomes a finding."""

    type: EngineFindingType
    detail: str
    key: str = ""


class Admission(NamedTuple):
    """The header after an event, its effective time, and what was noticed."""

    header: Header
    time_ns: int
    noticed: tuple[Noticed, ...]


def admit(
    header: Header, event: Event, *, group: str, lateness_ns: int, skew_ns: int, trust_ts: bool
) -> Admission:
    """Take in an event that is no repeat."""
    time_ns = effective_ns(
        event, header.time_ns, lateness_ns=lateness_ns, skew_ns=skew_ns, trust_ts=trust_ts
    )
    noticed: list[Noticed] = []
    seq_max, missing = _follow_seq(header, event.seq, noticed)
    if header.ended_ns is not None:
        text = f"an event of kind `{event.kind}` came after the session had ended"
        noticed.append(Noticed("after_end", text))
    is_end = event.kind == "session.ended"
    after = Header(
        header.position + 1,
        time_ns,
        seq_max,
        missing,
        time_ns if is_end else header.ended_ns,
        header.agent or event.record.agent,
        header.principal or event.principal,
        group,
        event.arrival_ns if event.arrival_ns is not None else time_ns,
        header.user or event.record.user,
        header.tenant or event.record.tenant,
    )
    return Admission(after, time_ns, tuple(noticed))


def effective_ns(
    event: Event, previous_ns: int, *, lateness_ns: int, skew_ns: int, trust_ts: bool
) -> int:
    """`ts` moved into [arrival - lateness, arrival + skew], then raised to its predecessor's.

    Otherwise one event stamped 2099 would keep an approval alive for ever. Where nobody vouches
    for an arrival, and in backfills (`trust_ts`), `ts` is only raised.
    """
    time_ns = event.ts_ns
    if event.arrival_ns is not None and not trust_ts:
        time_ns = clamped_ns(event, lateness_ns, skew_ns)
    return max(time_ns, previous_ns)


def clamped_ns(event: Event, lateness_ns: int, skew_ns: int) -> int:
    """`ts` moved into what its arrival allows; the event must have one.

    A record of a log directory arrived at some time since it was last looked for in vain.
    """
    arrival_ns = event.arrival_ns
    assert arrival_ns is not None, "asked for events that arrived"
    earliest_ns = arrival_ns if event.not_before_ns is None else event.not_before_ns
    time_ns = max(event.ts_ns, earliest_ns - lateness_ns)
    return min(time_ns, arrival_ns + skew_ns)


def _follow_seq(
    header: Header, seq: int | None, noticed: list[Noticed]
) -> tuple[int, tuple[tuple[int, int], ...]]:
    """The highest number seen and the holes below it; a new hole or a repeat is noticed."""
    seq_max, missing = header.seq_max, header.missing
    if seq is None or seq == seq_max + 1:
        return (seq_max if seq is None else seq), missing
    if seq > seq_max:
        first, last = seq_max + 1, seq - 1
        text = f"{last - first + 1} event(s) did not come: seq {first} to {last}"
        noticed.append(Noticed("gap", text, f"{first}-{last}"))
        return seq, (*missing, (first, last))[-MISSING_RANGES_MAX:]
    for index, (first, last) in enumerate(missing):
        if first <= seq <= last:
            parts = tuple(p for p in ((first, seq - 1), (seq + 1, last)) if p[0] <= p[1])
            missing = (*missing[:index], *parts, *missing[index + 1 :])
            return seq_max, missing[-MISSING_RANGES_MAX:]
    noticed.append(Noticed("gap", f"seq {seq} was given to more than one event", f"repeat-{seq}"))
    return seq_max, missing
