"""What the ordering stage knows of a session, and what it does with the next event.

Pure: `admit(header, event, ...)` gives the header after the event and says whether it is new,
what its effective time is, and what was noticed (a gap, a repeat, an id in conflict, an event
after the end). Events are never put into another order than that of their stream.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import msgspec

from invariants.event import SECOND_NS, Event, Identity
from invariants.unsure_time import TimeDoubt
from monitor.finding import Born, EngineFindingType
from monitor.trace_key import is_authority

MISSING_RANGES_MAX: Final = 64
"""Chosen: holes in a session's numbering that are remembered; past it, late fills look new."""
CALLS_MAX: Final = 64
"""Chosen: calls of a trace that are remembered, the latest; past it, it may have asked for any."""
LATEST_NS: Final = 2**63
UNSURE_TEXT: Final = (
    ": the distance in time between events of its trace is not known, and windows may be judged "
    "wrongly"
)
ASKING_KINDS: Final = frozenset({"tool.requested", "approval.requested"})
CONFLICTS_MAX: Final = 1_000
"""Chosen: as many as verdicts of one invariant may wait; past it two findings may have one id."""
HOLES_MAX: Final = 1_024
"""Chosen: holes of a session in a finished file that wait for its end; past it, the oldest is
told at once."""


class Hole(msgspec.Struct, frozen=True, array_like=True):
    """Numbers that a finished file has not shown yet, and the event that left them out."""

    first: int
    last: int
    position: int
    time_ns: int
    id: str

    def noticed(self) -> Noticed:
        """What is told if they never come."""
        return missing_numbers(self.first, self.last)


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a session besides the invariants' states.

    `position` counts its events; `time_ns` is the last effective time; `missing` are ranges of
    `seq` (first, last) that did not come; `group` names the partition that its events come from.
    `agent`, `user` and `tenant` are those that it named first; `principal` is the trace's.
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
    holes: tuple[Hole, ...] = ()
    """Of a finished file, in place of `missing`: told at its end, if they are still there."""
    has_spoken: bool = False
    """Whether its agent has, and not operators and gates alone."""
    calls: tuple[bytes, ...] = ()
    """Of a principal: digests of the calls that it asked for, the latest `CALLS_MAX`."""
    partition: str = ""
    """The Kafka partition that its first event came from; empty for other sources."""
    is_split: bool = False
    """Whether an event of it came from another partition: that is told once."""
    conflicts: tuple[tuple[int, str], ...] = ()
    """Positions of events whose id another content had before, with the events' digests."""
    epoch: int = 0
    """Of the store, when the session was last stepped (`monitor/births.py`)."""
    began: bytes = b""
    """What tells it from another session that had its id before (`_began`)."""
    is_time_unsure: bool = False
    """Whether the time of its last event was in doubt: then no later one is so long after it."""
    is_disordered: bool = False
    """Whether the time of some event was: that is told once."""
    loss_epoch: int = 0
    """Of the last loss of records that it was told of, or spared (`monitor/losses.py`)."""

    def conflict_at(self, position: int) -> str:
        """The digest of the event at a position, if another content had its id before; else `""`.

        Findings about it differ by the digest from those about the other event, whenever they are
        decided.
        """
        return next((digest for at, digest in self.conflicts if at == position), "")

    def life_at(self, position: int, ids_max: int) -> str:
        """What tells an event from any other that carries its id in a session of this id.

        An id comes again, and nothing notices, in a session that began anew when the one before
        was forgotten, and `ids_max` events later in the same one.
        """
        return f"{self.began.hex()}/{position // ids_max}"

    @property
    def first(self) -> Identity:
        """Whose the session is, as far as it has said so."""
        return Identity(self.agent, self.user, self.tenant)


class Noticed(NamedTuple):
    """Something about the stream itself that becomes a finding."""

    type: EngineFindingType
    detail: str
    key: str = ""
    born: Born | None = None
    could_concern: tuple[str, ...] = ()


class Admission(NamedTuple):
    """The header after an event, its effective time, and what was noticed.

    `is_back`: its time, or a number that had not come yet, lies before that of its predecessor.
    `doubt`: how far it is from its predecessors in time is not known. `first` is what the session
    has stated first of whose it is, this event included.
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


class Clocks(NamedTuple):
    """How far the times of producers are believed."""

    lateness_ns: int
    skew_ns: int
    trust_ts: bool

    @property
    def back_ns_max(self) -> int:
        """How far times may run back in a trace and are raised; past it they are in doubt.

        Where the source vouches for arrivals they run back no further.
        """
        return self.lateness_ns + self.skew_ns


class Timing(NamedTuple):
    """The effective time of an event, and whether it says how long after others it was.

    `is_unsure`: of this event itself it does not. `back_ns` is how far it runs back, if that is
    why. Then its predecessors' times are in doubt as well, by which verdicts were given already.
    """

    time_ns: int
    doubt: TimeDoubt | None = None
    is_unsure: bool = False
    back_ns: int = 0


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
    """Take in an event that is not a repeat; `conflict_digest` if another had its id before.

    In a finished file a number that is missing may stand further down: a hole is kept in `holes`,
    and is not noticed before the end of the file. `timed` are the invariants that measure time.
    """
    timing = timing_of(event, header, clocks)
    time_ns = timing.time_ns
    noticed: list[Noticed] = []
    waits_at = (header.position, time_ns, event.id) if is_finished_file else None
    seq_max, missing, holes = _follow_seq(header, event.seq, noticed, waits_at)
    is_back = event.ts_ns < header.time_ns or (
        seq_max == header.seq_max and not noticed and event.seq is not None
    )
    is_disordered = timing.back_ns > 0 and bool(timed)
    if is_disordered and not header.is_disordered:
        noticed.append(Noticed("disorder", _back_text(timing.back_ns), could_concern=timed))
    if header.ended_ns is not None:
        text = f"an event of kind `{event.kind}` arrived after the session had ended"
        noticed.append(Noticed("after_end", text))
    partition = event.origin.partition if event.origin.partition.isdecimal() else ""
    is_split = bool(header.partition) and partition not in ("", header.partition)
    if is_split and not header.is_split:
        noticed.append(Noticed("split", _split_text(header.partition, event)))
    conflicts = header.conflicts
    if conflict_digest:
        noticed.append(Noticed("id_conflict", "two events of different content have this id"))
        conflicts = (*conflicts, (header.position, conflict_digest))[-CONFLICTS_MAX:]
    is_end = event.kind == "session.ended"
    first = header.first.after(event.record)
    after = Header(
        header.position + 1,
        time_ns,
        seq_max,
        missing,
        time_ns if is_end else header.ended_ns,
        first.agent,
        header.principal or event.principal,
        group,
        # A session that seems to go on in the future is not idle.
        event.arrival_ns if event.arrival_ns is not None else max(time_ns, event.ts_ns),
        first.user,
        first.tenant,
        holes,
        header.has_spoken or not is_authority(event.origin.topic),
        _calls_after(header, event),
        header.partition or partition,
        header.is_split or is_split,
        conflicts,
        header.epoch,
        header.began if header.position else _began(event),
        timing.is_unsure,
        header.is_disordered or is_disordered,
        header.loss_epoch,
    )
    return Admission(after, time_ns, tuple(noticed), is_back, first, timing.doubt)


def passed(header: Header, seq: int | None) -> Header:
    """The header once a number came that no event has: the next one, or one that was missing.

    Any other number says nothing: it could be a damaged one.
    """
    if seq is None:
        return header
    noticed: list[Noticed] = []
    seq_max, missing, holes = _follow_seq(header, seq, noticed, None)
    if noticed:
        return header
    return msgspec.structs.replace(header, seq_max=seq_max, missing=missing, holes=holes)


def holes_told(header: Header) -> Header:
    """The header once the holes of a finished file were told: they are missing from here on."""
    ranges = tuple((hole.first, hole.last) for hole in header.holes)
    missing = (*header.missing, *ranges)[-MISSING_RANGES_MAX:]
    return msgspec.structs.replace(header, missing=missing, holes=())


def _began(event: Event) -> bytes:
    """A session by its first event: what it says and, of a live source, where it stands.

    The place, so that a copy of it begins another session; of a finished file only what it says,
    so that a copy of the file gives the same findings.
    """
    place = "" if event.arrival_ns is None else str(event.origin)
    return hashlib.blake2b(event.digest + place.encode(), digest_size=8).digest()


def call_digest(call: str) -> bytes:
    """Calls are the producer's text; 8 bytes of a digest stand for one."""
    return hashlib.blake2b(call.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _calls_after(header: Header, event: Event) -> tuple[bytes, ...]:
    """The calls that a principal asked for; without principals nobody asks who did."""
    if not event.principal or event.kind not in ASKING_KINDS or not event.record.call:
        return header.calls
    digest = call_digest(event.record.call)
    if digest in header.calls:
        return header.calls
    return (*header.calls, digest)[-CALLS_MAX:]


def _split_text(partition: str, event: Event) -> str:
    return (
        f"an event came from `{event.origin}`, and the session's first from partition {partition}: "
        "the order is not known, and several monitors would each judge a part; partition by the "
        "session with murmur2, like the client"
    )


def timing_of(event: Event, header: Header, clocks: Clocks) -> Timing:
    """`ts` moved into [arrival - lateness, arrival + skew], then raised to its predecessor's.

    Otherwise one event stamped 2099 would keep an approval alive for ever. Where nobody vouches
    for an arrival, and in backfills (`trust_ts`), `ts` is only raised: but a time later than that
    of reading raises nothing, and one that runs back further than clocks differ is raised in
    doubt, since it may be its predecessor's that is wrong.
    """
    believed_ns, before_ns = event.ts_ns, header.time_ns
    if event.arrival_ns is not None and not clocks.trust_ts:
        believed_ns = clamped_ns(event, clocks.lateness_ns, clocks.skew_ns)
    elif event.read_ns is not None and event.ts_ns > event.read_ns + clocks.skew_ns:
        return Timing(before_ns, TimeDoubt(is_own=True), True)
    time_ns = max(believed_ns, before_ns)
    # Those of the time before it may have been raised as well.
    sure_ns = min(believed_ns, before_ns - 1) if header.is_time_unsure else believed_ns
    if time_ns - believed_ns > clocks.back_ns_max:
        return Timing(time_ns, TimeDoubt(sure_ns), True, time_ns - believed_ns)
    return Timing(time_ns, TimeDoubt(sure_ns) if header.is_time_unsure else None)


def doubt_at_end(header: Header) -> TimeDoubt | None:
    """At the end of a session that nobody sent: obligations are decided there by order alone."""
    return TimeDoubt(LATEST_NS) if header.is_time_unsure else None


def _back_text(back_ns: int) -> str:
    return f"its time is {back_ns / SECOND_NS:.0f} s before that of an earlier event{UNSURE_TEXT}"


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
            return (
                seq_max,
                missing,
                _bounded((*holes[:index], *parts, *holes[index + 1 :]), noticed),
            )
    noticed.append(Noticed("gap", f"seq {seq} occurs in more than one event", f"repeat-{seq}"))
    return seq_max, missing, holes


def _without(first: int, last: int, seq: int) -> tuple[tuple[int, int], ...]:
    """What is left of a range of numbers when one of them has come."""
    return tuple(p for p in ((first, seq - 1), (seq + 1, last)) if p[0] <= p[1])


def _bounded(holes: tuple[Hole, ...], noticed: list[Noticed]) -> tuple[Hole, ...]:
    noticed += [hole.noticed() for hole in holes[:-HOLES_MAX]]
    return holes[-HOLES_MAX:]
