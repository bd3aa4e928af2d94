"""The door that events come through: what a source gives, whatever stands behind it.

A source yields records in the order of each stream (a topic's partition, or a file), says how far
each stream is known, and remembers nothing: the store's positions are the truth, given back to
`resume` after a start or a rebalance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, runtime_checkable

from invariants.event import Origin


@dataclass(frozen=True, slots=True, order=True)
class Stream:
    """One ordered sequence of records: a topic's partition, or one file of a topic."""

    topic: str
    partition: str

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


@dataclass(frozen=True, slots=True)
class Record:
    """Bytes as they were found. `arrival_ns` is None where nobody vouches for a time.

    `not_before_ns`: where arrival is only when the record was *found* (a log directory), the last
    time at which it was not there yet; 0 where nobody had looked before.
    """

    origin: Origin
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    arrival_ns: int | None = None
    not_before_ns: int | None = None

    @property
    def stream(self) -> Stream:
        return Stream(self.origin.topic, self.origin.partition)


@dataclass(frozen=True, slots=True)
class Frontier:
    """How far a stream is known: the offset to read next, and whether that was its end.

    `next_offset` counts what `origin.offset` counts (records in Kafka, bytes in files). It is None
    while the source has not placed the stream yet: no position that anybody may store.
    `read_to_ns`: no record that arrived before this time is still to come on this stream. At the
    end it is None where the end was seen *after* every record of this poll was read; a source that
    looks at its streams one after the other says here up to when it knows them.
    """

    next_offset: int | None
    is_at_end: bool
    read_to_ns: int | None = None
    seen_to_ns: int | None = None
    """What arrived before this was read, as far as the source can tell without being at the end."""
    lag_records: int = 0
    part: str = ""
    """The shard of the topic that the stream is a part of: its files' owner in a log directory;
    empty where that is the partition itself."""
    identity: str | None = None
    """Tells this stream from another of its name, where the source can tell them apart."""


NoticeKind = Literal[
    "truncated",
    "replaced",
    "removed",
    "torn",
    "unreadable",
    "refused",
    "stalled",
    "reread",
    "unstamped",
    "grown",
    "late_start",
    "gone",
    "unassigned",
]

UNREAD_NOTICES: Final[tuple[NoticeKind, ...]] = ("truncated", "unreadable")
"""Those that say of a finished file that something of it was not read."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that evidence may be missing for: to be told loudly, never to be swallowed.

    `truncated`: the position of the store is not in the stream any more; reading goes on at
    `to_offset`, the earliest there is. `replaced`: a file or topic of this name is another one.
    `removed`: a file went away with unread bytes. `torn`: a writer went on to its next file and
    left an unfinished line. `unreadable`: what stands from `from_offset` up to `to_offset` could
    not be read and was passed over. `refused`: a file that is none of ours (link, pipe, name, one
    too many) is not read. `stalled`: the client had stopped fetching and was built anew.
    `reread`: another member of the group had read up to `to_offset`, and the store here knows
    nothing of it: what was told and stopped there will be told and stopped again. `unstamped`:
    records carry no append time of the broker. `grown`: a topic has more partitions than it had.
    `late_start`: what is read for the first time has lost its beginning to retention. `gone`:
    files that an earlier run had read are not there; what was written behind that is not known.
    `unassigned`: members of the group read different topics, so that nobody reads this stream.
    """

    kind: NoticeKind
    stream: Stream
    from_offset: int
    to_offset: int
    detail: str
    has_lost: bool = False
    """Whether records were lost that every session of a Kafka partition may have sent."""

    @property
    def begins_again(self) -> bool:
        """Whether offsets from before mean nothing any more in what is read from `to_offset` on.

        What retention took leaves those behind it as they were.
        """
        is_shorter = self.kind == "truncated" and self.to_offset < self.from_offset
        return self.kind == "replaced" or is_shorter

    def __str__(self) -> str:
        return f"{self.stream}: {self.kind}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll brought: records (in order within each stream), frontiers, rebalances.

    `frontiers` speaks of every stream that the source holds now. `gained` are streams that it
    did not hold at the last poll, `lost` those it no longer holds: their state is dropped,
    unwritten; a stream in both was lost first. A gained stream gives no record before the next
    `resume`. `is_finished` is said by sources that end (files), after their last record.
    """

    records: tuple[Record, ...] = ()
    frontiers: Mapping[Stream, Frontier] = field(default_factory=dict)
    gained: tuple[Stream, ...] = ()
    lost: tuple[Stream, ...] = ()
    is_finished: bool = False
    unread: Mapping[str, int] = field(default_factory=dict)
    """Shards (`TOPIC/PART`) with a stream that is not read, and up to when it was not there."""
    is_whole: bool = False
    """Nobody else reads a part of this source: what it does not hold is not there."""
    notices: tuple[Notice, ...] = ()
    gone: tuple[Stream, ...] = ()
    """Streams that are not there any more and will not come back: nobody needs their positions."""
    trouble: str = ""
    """Why the source is out of reach, in a sentence; empty while it answers."""


class Source(Protocol):
    """Where records come from."""

    def resume(self, positions: Mapping[Stream, int]) -> None:
        """Read each stream from the offset given here on; streams not named, from their start.

        Called before the first poll with all positions of the store, and again whenever a
        poll said `gained`, before the next poll.
        """

    def poll(self, timeout_s: float, records_max: int) -> Poll:
        """Up to `records_max` records; waits up to `timeout_s` where there are none."""

    def commit(self, positions: Mapping[Stream, int]) -> None:
        """Tell the outside how far the store has got: advisory, never waited for at a start."""

    def close(self) -> None:
        """Let go of files and sockets. Safe to call twice."""


@runtime_checkable
class RecognisingSource(Protocol):
    """A source that can tell a stream from another one which took its name in the meantime."""

    def recognise(self, identities: Mapping[Stream, str]) -> None:
        """What the streams were when their positions were stored; called before `resume`.

        Of one that is another now the position means nothing: it is read from its start, and a
        `replaced` notice says so.
        """


class Publisher(Protocol):
    """Where records go: findings, control records, dead letters, and a client's events."""

    def publish(
        self,
        topic: str,
        key: str,
        value: bytes,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> None:
        """Hand over one record; raises OSError where it can tell at once that this failed."""

    def flush(self, timeout_s: float) -> None:
        """Return when all that was handed over is durable; raises OSError if it is not."""

    def close(self) -> None:
        """Flush, then let go. Safe to call twice."""


ControlEntry = tuple[str, bytes | None]
"""Key and value of one record of the control topic; the value is None for a tombstone."""


class ControlReader(Protocol):
    """The whole control topic, from its beginning on: no group, no stored position.

    Records of one key come in the order of the log. A log directory has no order between its
    writers: there, the records that one call brings are put in order of `issued_at`.
    """

    def read_to_end(self, timeout_s: float) -> list[ControlEntry]:
        """All that stood in the topic when this was called; TimeoutError if it takes longer."""

    def poll(self, timeout_s: float) -> list[ControlEntry]:
        """What came since; waits up to `timeout_s` where there is nothing."""

    def close(self) -> None:
        """Let go of files and sockets. Safe to call twice."""
