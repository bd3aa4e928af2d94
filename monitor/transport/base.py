"""The interface of event sources, whatever their implementation.

A source yields records in the order of each stream (a topic's partition, or a file), and reports
the known end of each stream. It stores nothing: the store's positions are authoritative, and are
passed to `resume` after a start or a rebalance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol, runtime_checkable

import msgspec

from invariants.model.event import Origin


class Stream(msgspec.Struct, frozen=True, order=True):
    """One ordered sequence of records: a topic's partition, or one file of a topic."""

    topic: str
    partition: str

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class Record(msgspec.Struct, frozen=True):
    """Bytes as they were read. `arrival_ns` is None if no time of arrival is known.

    `not_before_ns`: if arrival is only the time at which the record was *found* (a log directory),
    the last time at which it did not exist yet; 0 if there was no earlier look.
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


class Frontier(msgspec.Struct, frozen=True):
    """The known part of a stream: the next offset to read, and whether it was the end.

    `next_offset` uses the unit of `origin.offset` (records in Kafka, bytes in files). It is None
    while the source has not placed the stream yet: then there is no position to store.

    `read_to_ns`: no record that arrived before this time is still to come on this stream. At the
    end it is None if the end was seen *after* every record of this poll was read. A source that
    looks at its streams one after the other gives here the time up to which it knows them.
    """

    next_offset: int | None
    is_at_end: bool
    read_to_ns: int | None = None
    seen_to_ns: int | None = None
    """Everything that arrived before this was read, as far as the source knows without the end."""
    lag_records: int = 0
    part: str = ""
    """The shard of the topic to which the stream belongs: its files' owner in a log directory;
    empty if it is the partition itself."""
    identity: str | None = None
    """Distinguishes this stream from another with its name, if the source can."""


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
"""Those that mean that part of a finished file was not read."""


class Notice(msgspec.Struct, frozen=True):
    """A reason why evidence may be missing: it must be logged, never ignored.

    `truncated`: the stored position is no longer in the stream; reading continues at `to_offset`,
    the earliest one. `replaced`: a file or topic of this name is a different one. `removed`: a file
    was removed with unread bytes. `torn`: a writer began its next file and left an unfinished line.
    `unreadable`: the records from `from_offset` to `to_offset` could not be read and were skipped.
    `refused`: a file that does not belong there (a link, a pipe, a name, one too many) is not read.
    `stalled`: the client had stopped fetching and was recreated. `reread`: another member of the
    group had read up to `to_offset`, but this store has no state for it: findings and stops are
    repeated. `unstamped`: records have no append time from the broker. `grown`: a topic has more
    partitions than before. `late_start`: a stream that is read for the first time has lost its
    beginning to retention. `gone`: files that an earlier run had read no longer exist; anything
    written after the position is lost. `unassigned`: members of the group read different topics, so
    that no member reads this stream; or a topic was created late with another number of partitions.
    """

    kind: NoticeKind
    stream: Stream
    from_offset: int
    to_offset: int
    detail: str
    has_lost: bool = False
    """True if records were lost that any session of a Kafka partition may have sent."""

    @property
    def begins_again(self) -> bool:
        """True if earlier offsets have no meaning in the stream that is read from `to_offset` on.

        Retention does not change the offsets after the deleted ones.
        """
        is_shorter = self.kind == "truncated" and self.to_offset < self.from_offset
        return self.kind == "replaced" or is_shorter

    def __str__(self) -> str:
        return f"{self.stream}: {self.kind}: {self.detail}"


class Poll(msgspec.Struct, frozen=True):
    """The result of one poll: records (in order within each stream), frontiers, rebalances.

    `frontiers` covers every stream that the source holds now. `gained` are streams that it did not
    hold at the last poll, `lost` those it no longer holds: their state is dropped, unwritten; a
    stream in both was lost first. A gained stream returns no record before the next `resume`.
    Finite sources (files) set `is_finished` after their last record.
    """

    records: tuple[Record, ...] = ()
    frontiers: Mapping[Stream, Frontier] = {}
    gained: tuple[Stream, ...] = ()
    lost: tuple[Stream, ...] = ()
    is_finished: bool = False
    unread: Mapping[str, int] = {}
    """Shards (`TOPIC/PART`) with a stream that is not read, and up to when it was not there."""
    is_whole: bool = False
    """True if no other reader shares this source: a stream that it does not hold does not exist."""
    notices: tuple[Notice, ...] = ()
    gone: tuple[Stream, ...] = ()
    """Streams that no longer exist and will not return: their positions are not needed."""
    trouble: str = ""
    """Why the source is out of reach, in a sentence; empty while it answers."""


class Source(Protocol):
    """A source of records."""

    def resume(self, positions: Mapping[Stream, int]) -> None:
        """Read each stream from the given offset on; streams that are not named, from their start.

        Called before the first poll with all positions of the store, and again after each poll with
        `gained` streams, before the next poll.
        """

    def poll(self, timeout_s: float, records_max: int) -> Poll:
        """Up to `records_max` records; waits up to `timeout_s` if there are none."""

    def commit(self, positions: Mapping[Stream, int]) -> None:
        """Tell the outside how far the store has got: advisory, never waited for at a start."""

    def close(self) -> None:
        """Let go of files and sockets. Safe to call twice."""


@runtime_checkable
class RecognisingSource(Protocol):
    """A source that can distinguish a stream from a later one with the same name."""

    def recognise(self, identities: Mapping[Stream, str]) -> None:
        """The identities of the streams when their positions were stored; called before `resume`.

        If a stream is now a different one, its position has no meaning: it is read from its start,
        and a `replaced` notice reports that.
        """


@runtime_checkable
class LineSource(Protocol):
    """A finished source of lines that people may look up: notes about it name the line."""

    @property
    def first_lines(self) -> list[bytes]:
        """The beginning of the text, as far as it helps to identify its format."""

    def line_of(self, offset: int) -> int | None:
        """The number (from 1) of the line at an offset; known for records of the last few polls."""


class Publisher(Protocol):
    """The destination of records: findings, control records, dead letters, and a client's
    events.
    """

    def publish(
        self,
        topic: str,
        key: str,
        value: bytes,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> None:
        """Pass on one record; raises OSError if a failure is known at once."""

    def flush(self, timeout_s: float) -> None:
        """Return when all that was handed over is durable; raises OSError if it is not."""

    def close(self) -> None:
        """Flush, then let go. Safe to call twice."""


ControlEntry = tuple[str, bytes | None]
"""Key and value of one record of the control topic; the value is None for a tombstone."""


class ControlReader(Protocol):
    """The whole control topic, from its beginning: no group, no stored position.

    Records of one key come in the order of the log. A log directory has no order between its
    writers: there, the records of one call are ordered by `issued_at`.
    """

    def read_to_end(self, timeout_s: float) -> list[ControlEntry]:
        """Everything in the topic at the time of the call; TimeoutError if it takes longer."""

    def poll(self, timeout_s: float) -> list[ControlEntry]:
        """New records; waits up to `timeout_s` if there are none."""

    def close(self) -> None:
        """Let go of files and sockets. Safe to call twice."""


ClaimEntry = tuple[str, bytes | None]
"""Key and value of one record of the topic of claims; the value is None if the key is released."""


class ForeignLogError(Exception):
    """A log is another than the one that was read before, or lost its end."""


class ClaimLog(Protocol):
    """One log that all gates append to and read."""

    def append(self, records: Sequence[ClaimEntry]) -> int:
        """Write records; the offset behind the last. OSError: they may be there, or come later."""

    def end(self, timeout_s: float) -> int:
        """The offset behind the last record that is there now. Raises OSError."""

    def read(self, timeout_s: float) -> list[ClaimEntry]:
        """The records since the last call; waits up to `timeout_s` for the first. Raises OSError;
        ForeignLogError: what was read before is not there any more.
        """

    def position(self) -> int:
        """The offset up to which everything was read. Raises OSError."""


class RulingSource(Protocol):
    """Decisions of operators, each with the name of its writer, which others cannot use."""

    def peek(self) -> tuple[str, bytes] | None:
        """The operator and the content of the next decision; None if there is none now."""

    def drop(self) -> None:
        """The decision that `peek` gave was dealt with."""
