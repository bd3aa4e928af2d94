"""The ordering stage: its record of a session, and its treatment of the next event.

Pure: `admit(header, event, ...)` returns the header after the event, a flag for a new event, its
effective time, and notices. It never changes the order of a stream's events.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

import msgspec

from invariants.model.event import Event, Identity
from invariants.model.excepted import Excepted
from invariants.runtime.unsure_time import TimeDoubt
from monitor.findings.model import Born, EngineFindingType
from monitor.ingest.effective_time import Clocks, timing_of
from monitor.ingest.standing_history import History
from monitor.trace_key import is_about_others

MISSING_RANGES_MAX: Final = 64
"""Chosen: holes in a session's numbering that are remembered; past it, late fills look new."""
CALLS_MAX: Final = 64
"""Chosen: the latest calls of a trace that are remembered; beyond it, any call may be its own."""
LATEST_NS: Final = 2**63
ASKING_KINDS: Final = frozenset({"tool.requested", "approval.requested"})
EARLY_TEXT: Final = (
    "records of operators or supervisors about this session were applied before its gate's first "
    "event: verdicts of the gate and of the monitor may differ"
)
CONFLICTS_MAX: Final = 1_000
"""Chosen: as many as verdicts of one invariant may wait; past it two findings may have one id."""
HOLES_MAX: Final = 1_024
"""Chosen: holes of a session in a finished file that wait for its end; then the oldest is told."""


class Hole(msgspec.Struct, frozen=True, array_like=True):
    """Numbers that a finished file has not shown yet, and the event that left them out."""

    first: int
    last: int
    position: int
    time_ns: int
    id: str

    def noticed(self) -> Noticed:
        """The report if they never arrive."""
        return missing_numbers(self.first, self.last)


class Header(msgspec.Struct, frozen=True, array_like=True):
    """The record of a session, apart from the invariants' states.

    `position` counts its events; `time_ns` is the last effective time; `missing` contains ranges of
    `seq` (first, last) that did not arrive; `group` is the partition of its events. `agent`, `user`
    and `tenant` are the first that it stated; `principal` is that of the trace.
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
    """When the monitor last read an event of it: arrival, or effective time if there is none."""
    user: str = ""
    tenant: str = ""
    holes: tuple[Hole, ...] = ()
    """For a finished file, instead of `missing`: reported at its end, if they are still there."""
    has_spoken: bool = False
    """True if its agent has sent events (or a gate for it), and not only operators."""
    calls: tuple[bytes, ...] = ()
    """For a principal: digests of the calls that it requested, the latest `CALLS_MAX`."""
    partition: str = ""
    """The Kafka partition that its first event came from; empty for other sources."""
    is_split: bool = False
    """True if an event of it came from another partition: this is reported once."""
    conflicts: tuple[tuple[int, str], ...] = ()
    """Positions of events whose id another content had before, with the events' digests."""
    epoch: int = 0
    """Of the store, when the session was last stepped (`monitor/kernel/births.py`)."""
    began: bytes = b""
    """Distinguishes it from an earlier session with the same id (`_began`)."""
    is_time_unsure: bool = False
    """True if the time of its last event was in doubt: the distance to later ones is then
    unknown.
    """
    is_disordered: bool = False
    """True if the time of any event was in doubt: this is reported once."""
    loss_epoch: int = 0
    """The last loss of records that was reported to it, or ruled out
    (`monitor/kernel/losses.py`).
    """
    is_gated: bool = False
    """True if a gate guards it: an event of it came from one."""
    is_bypassed: bool = False
    """True if an event of it came from elsewhere as well: this is reported once."""
    standings: History = ()
    """The roles of its principal since which events."""
    excepted: tuple[Excepted, ...] = ()
    """The exceptions that its gate stated with the last event."""

    def conflict_at(self, position: int) -> str:
        """The digest of the event at a position, if another content had its id before; else `""`.

        Findings about it differ by the digest from those about the other event, whenever they are
        decided.
        """
        return next((digest for at, digest in self.conflicts if at == position), "")

    def life_at(self, position: int, ids_max: int) -> str:
        """Distinguishes an event from any other with the same id in a session of this id.

        An id can recur unnoticed in a session that began anew after the previous one was evicted,
        and `ids_max` events later in the same session.
        """
        return f"{self.began.hex()}/{position // ids_max}"

    @property
    def first(self) -> Identity:
        """The scope values that the session has stated so far."""
        return Identity(self.agent, self.user, self.tenant)


class Noticed(NamedTuple):
    """Something about the stream itself that becomes a finding."""

    type: EngineFindingType
    detail: str
    key: str = ""
    born: Born | None = None
    could_concern: tuple[str, ...] = ()


class Admission(msgspec.Struct, frozen=True):
    """The header after an event, its effective time, and notices.

    `is_back`: its time, or a number that had not arrived yet, is before that of its predecessor.
    `doubt`: its distance in time from its predecessors is not known. `first` contains the first
    scope values that the session has stated, including this event.
    """

    header: Header
    time_ns: int
    noticed: tuple[Noticed, ...]
    is_back: bool
    first: Identity
    doubt: TimeDoubt | None

    def placed(self, event: Event) -> Event:
        """The event as the machine takes it in."""
        is_unsure = self.header.is_time_unsure
        return msgspec.structs.replace(
            event, time_ns=self.time_ns, first=self.first, is_time_unsure=is_unsure
        )


def missing_numbers(first: int, last: int) -> Noticed:
    """A `gap`: numbers that did not come."""
    text = f"{last - first + 1} event(s) are missing: seq {first} to {last}"
    return Noticed("gap", text, f"{first}-{last}")


def admit(
    header: Header,
    event: Event,
    *,
    group: str,
    clocks: Clocks,
    timed: tuple[str, ...] = (),
    is_finished_file: bool = False,
    conflict_digest: str = "",
) -> Admission:
    """Apply an event that is not a duplicate; `conflict_digest` if another had its id before.

    In a finished file a missing number may follow further down: a hole is kept in `holes`, and is
    not reported before the end of the file. `timed` are the invariants that measure time.
    """
    is_before_unsure = header.is_time_unsure
    timing = timing_of(event, header.time_ns, clocks, is_before_unsure=is_before_unsure)
    time_ns, record, ts_ns, seq = timing.time_ns, event.record, event.ts_ns, event.seq
    noticed: list[Noticed] = []
    waits_at = (header.position, time_ns, event.id) if is_finished_file else None
    seq_max, missing, holes = _follow_seq(header, seq, noticed, waits_at)
    is_back = ts_ns < header.time_ns or (
        seq_max == header.seq_max and seq is not None and not noticed
    )
    # A gate's event that came too late may concern wider scopes, which are not told of it.
    is_disordered = timing.disorder != "" and (bool(timed) or event.is_of_gate)
    if is_disordered and not header.is_disordered:
        noticed.append(Noticed("disorder", timing.disorder, could_concern=timed))
    if header.ended_ns is not None:
        text = f"an event of kind `{record.kind}` arrived after the session had ended"
        noticed.append(Noticed("after_end", text))
    rare = _rarely_changed(header, event, noticed)
    if conflict_digest:
        noticed.append(Noticed("id_conflict", "two events of different content have this id"))
        conflicts = (*header.conflicts, (header.position, conflict_digest))
        rare["conflicts"] = conflicts[-CONFLICTS_MAX:]
    first = header.first.after(record)
    after = msgspec.structs.replace(
        header,
        position=header.position + 1,
        time_ns=time_ns,
        seq_max=seq_max,
        missing=missing,
        ended_ns=time_ns if record.kind == "session.ended" else header.ended_ns,
        agent=first.agent,
        group=group,
        touched_ns=_touched_ns(header, event, time_ns),
        user=first.user,
        tenant=first.tenant,
        holes=holes,
        is_time_unsure=timing.is_unsure,
        is_disordered=is_disordered or header.is_disordered,
        **rare,
    )
    return Admission(after, time_ns, tuple(noticed), is_back, first, timing.doubt)


def _rarely_changed(header: Header, event: Event, noticed: list[Noticed]) -> dict[str, Any]:
    """The fields of a header that few events change: those of its origin, sender and calls."""
    origin, record = event.origin, event.record
    changed: dict[str, Any] = {} if header.position else {"began": _began(event)}
    if not header.has_spoken:
        changed["has_spoken"] = not is_about_others(origin.topic)
    if origin.partition != header.partition and origin.partition.isdecimal():
        if not header.partition:
            changed["partition"] = origin.partition
        elif not header.is_split:
            changed["is_split"] = True
            noticed.append(Noticed("split", _split_text(header.partition, event)))
    if (is_of_gate := event.is_of_gate) != header.is_gated:
        changed |= _mixed(header, event, noticed, is_of_gate=is_of_gate)
    if event.principal:
        changed["principal"] = header.principal or event.principal
        if record.call and record.kind in ASKING_KINDS:
            changed["calls"] = _calls_after(header, record.call)
    return changed


def _mixed(
    header: Header, event: Event, noticed: list[Noticed], *, is_of_gate: bool
) -> dict[str, bool]:
    """The first event of a gate, or one from elsewhere in a session that a gate guards."""
    changed = {"is_gated": True} if is_of_gate else {}
    if header.is_bypassed or not header.position:
        return changed
    if is_of_gate and not header.has_spoken:
        noticed.append(Noticed("misplaced", EARLY_TEXT))
        return changed
    noticed.append(Noticed("bypass", _bypass_text(event, is_of_gate=is_of_gate)))
    return changed | {"is_bypassed": True}


def _bypass_text(event: Event, *, is_of_gate: bool) -> str:
    where = "before its gate's first" if is_of_gate else f"from `{event.origin.topic}`"
    return (
        f"an event of this session came {where}, so that the gate did not see it: the agent acted "
        "without asking its gate, or another process uses its identity"
    )


def misplaced_in(event: Event) -> Noticed | None:
    """The report of an event of a session that a gate guards, if operators or supervisors sent it.

    Its gate takes in approvals itself, in its own order: another order would give other verdicts.
    """
    if not is_about_others(event.origin.topic):
        return None
    text = (
        f"`{event.kind}` on `{event.origin.topic}` is about a session that a gate guards, and was "
        "not applied: the gate takes in approvals itself. Approve or deny there, or publish to "
        "the operator's own topic (`interlock approvals --gate kafka://...`)"
    )
    return Noticed("misplaced", text)


def _touched_ns(header: Header, event: Event, time_ns: int) -> int:
    """When an event touched its session: at its arrival, or at its time if a gate vouches for it.

    Without an arrival, a session that seems to go on in the future is not idle.
    """
    if event.is_of_gate:
        return max(header.touched_ns, time_ns)
    return max(time_ns, event.ts_ns) if event.arrival_ns is None else event.arrival_ns


def passed(header: Header, seq: int | None) -> Header:
    """The header after a number without an event: the next one, or one that was missing.

    Any other number is ignored: it could be damaged.
    """
    if seq is None:
        return header
    noticed: list[Noticed] = []
    seq_max, missing, holes = _follow_seq(header, seq, noticed, None)
    if noticed:
        return header
    return msgspec.structs.replace(header, seq_max=seq_max, missing=missing, holes=holes)


def holes_told(header: Header) -> Header:
    """The header after the holes of a finished file were reported: from now on they are missing."""
    ranges = tuple((hole.first, hole.last) for hole in header.holes)
    missing = (*header.missing, *ranges)[-MISSING_RANGES_MAX:]
    return msgspec.structs.replace(header, missing=missing, holes=())


def _began(event: Event) -> bytes:
    """Identifies a session by its first event: by its content and, in a live source, by its place.

    The place makes a copy of the event begin another session. In a finished file only the content
    counts, so that a copy of the file gives the same findings; likewise for a gate's events, which
    the gate judges before they have a place.
    """
    is_placed = event.arrival_ns is not None and not event.is_of_gate
    place = str(event.origin) if is_placed else ""
    return hashlib.blake2b(event.digest + place.encode(), digest_size=8).digest()


def call_digest(call: str) -> bytes:
    """Calls are the producer's text; 8 bytes of a digest represent one."""
    return hashlib.blake2b(call.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _calls_after(header: Header, call: str) -> tuple[bytes, ...]:
    """The calls that a principal requested; without principals they are not needed."""
    digest = call_digest(call)
    if digest in header.calls:
        return header.calls
    return (*header.calls, digest)[-CALLS_MAX:]


def _split_text(partition: str, event: Event) -> str:
    return (
        f"an event came from `{event.origin}`, and the session's first from partition {partition}: "
        "the order is not known, and several monitors would each judge a part; partition by the "
        "session with murmur2, like the client"
    )


def doubt_at_end(header: Header) -> TimeDoubt | None:
    """At the end of a session that no client sent, obligations are decided by order alone."""
    return TimeDoubt(LATEST_NS) if header.is_time_unsure else None


def _follow_seq(
    header: Header,
    seq: int | None,
    noticed: list[Noticed],
    waits_at: tuple[int, int, str] | None,
) -> tuple[int, tuple[tuple[int, int], ...], tuple[Hole, ...]]:
    """The highest number seen and the holes below it; a new hole or a repeat is noticed.

    `waits_at`: the position, time and id of the event, if its hole waits for the file's end.
    """
    seq_max, missing, holes = header.seq_max, header.missing, header.holes
    if seq is None or seq == seq_max + 1:
        return (seq_max if seq is None else seq), missing, holes
    if seq > seq_max:
        first, last = seq_max + 1, seq - 1
        if waits_at is None:
            noticed.append(missing_numbers(first, last))
            return seq, (*missing, (first, last))[-MISSING_RANGES_MAX:], holes
        return seq, missing, _bounded((*holes, Hole(first, last, *waits_at)), noticed)
    for index, (first, last) in enumerate(missing):
        if first <= seq <= last:
            missing = (*missing[:index], *_without(first, last, seq), *missing[index + 1 :])
            return seq_max, missing[-MISSING_RANGES_MAX:], holes
    for index, hole in enumerate(holes):
        if hole.first <= seq <= hole.last:
            parts = [
                Hole(first, last, hole.position, hole.time_ns, hole.id)
                for first, last in _without(hole.first, hole.last, seq)
            ]
            holes = _bounded((*holes[:index], *parts, *holes[index + 1 :]), noticed)
            return seq_max, missing, holes
    noticed.append(Noticed("gap", f"seq {seq} occurs in more than one event", f"repeat-{seq}"))
    return seq_max, missing, holes


def _without(first: int, last: int, seq: int) -> tuple[tuple[int, int], ...]:
    """The rest of a range of numbers after one of them has arrived."""
    return tuple(p for p in ((first, seq - 1), (seq + 1, last)) if p[0] <= p[1])


def _bounded(holes: tuple[Hole, ...], noticed: list[Noticed]) -> tuple[Hole, ...]:
    noticed += [hole.noticed() for hole in holes[:-HOLES_MAX]]
    return holes[-HOLES_MAX:]
