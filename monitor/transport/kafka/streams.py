"""A Kafka source's record of each stream that it holds, and its conversion to values of `base`.

Pure: values of the client library in, values of `monitor.transport.base` out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from invariants.model.event import Origin

from ..base import Frontier, Notice, Record, Stream
from .client import (
    AuthorizationError,
    FencedInstanceIdError,
    KafkaError,
    OffsetAndMetadata,
    TopicPartition,
)

LOG_APPEND_TIME: Final = 1
MILLISECOND_NS: Final = 1_000_000
COMMITTED_MS: Final = 2_000


@dataclass(slots=True)
class Held:
    """This member's record of one stream that it holds."""

    stream: Stream
    is_resumed: bool = False
    is_placed: bool = False
    position: int = 0
    known_end: int | None = None
    last_arrival_ns: int | None = None
    identity: str | None = None
    is_unstamped_told: bool = False


def told(error: KafkaError) -> OSError:
    """Errors that only a person can fix."""
    if isinstance(error, FencedInstanceIdError):
        return OSError(
            "another monitor has joined the group with the same `instance`; "
            "give each of them its own name"
        )
    if isinstance(error, AuthorizationError):
        return PermissionError(f"the broker does not allow it: {error}")
    return OSError(f"the Kafka client failed: {error}")


def taken(
    held: Held, found: Sequence[Any], notices: list[Notice], *, trust_ts: bool, found_ns: int
) -> list[Record]:
    """Records of the client as ours; adds a notice if they are unstamped."""
    held.position = max(held.position, found[-1].offset + 1)
    notice = None if trust_ts else unstamped(held, found)
    notices += [notice] if notice is not None else []
    return [to_record(held, one, trust_ts=trust_ts, found_ns=found_ns) for one in found]


def to_record(held: Held, one: Any, *, trust_ts: bool, found_ns: int) -> Record:
    """The client's record as ours; its time counts only if the broker set it.

    If the broker did not, and this is not a backfill, the record arrived between its predecessor
    and `found_ns`: as far as possible, its producer must not choose the time.
    """
    is_stamped = one.timestamp_type == LOG_APPEND_TIME
    arrival_ns, not_before_ns = None, None
    if not trust_ts:
        arrival_ns = int(one.timestamp) * MILLISECOND_NS if is_stamped else found_ns
        not_before_ns = None if is_stamped else held.last_arrival_ns or 0
        held.last_arrival_ns = arrival_ns if is_stamped else held.last_arrival_ns
    return Record(
        origin=Origin(held.stream.topic, held.stream.partition, one.offset),
        key=one.key,
        value=one.value or b"",
        headers=tuple((name, value or b"") for name, value in one.headers or ()),
        arrival_ns=arrival_ns,
        not_before_ns=not_before_ns,
    )


def unstamped(held: Held, found: Sequence[Any]) -> Notice | None:
    """Once a stream: its records carry times that their producers chose."""
    if held.is_unstamped_told or all(one.timestamp_type == LOG_APPEND_TIME for one in found):
        return None
    held.is_unstamped_told = True
    first = next(one.offset for one in found if one.timestamp_type != LOG_APPEND_TIME)
    detail = (
        "the broker's records have no append time; their time of reading counts as arrival: "
        "set `message.timestamp.type=LogAppendTime` on the topic"
    )
    return Notice("unstamped", held.stream, first, found[-1].offset + 1, detail)


def frontier(held: Held) -> Frontier:
    end = held.known_end
    # While a stream is placed again, its position still counts for the records read before.
    is_at_end = held.is_placed and end is not None and held.position >= end
    return Frontier(
        next_offset=held.position if held.is_placed or held.position else None,
        is_at_end=is_at_end,
        # An end that was queried after the records were read needs no time besides it.
        read_to_ns=None if is_at_end else held.last_arrival_ns,
        seen_to_ns=held.last_arrival_ns,
        lag_records=max(0, (end or 0) - held.position) if held.is_placed else 0,
        identity=held.identity,
    )


def offsets_of(held: Mapping[Any, Held], positions: Mapping[Stream, int]) -> dict[Any, Any]:
    """The positions of placed streams, as the client commits them."""
    return {
        tp: OffsetAndMetadata(positions[one.stream], "", -1)
        for tp, one in held.items()
        if one.is_placed and one.stream in positions
    }


def skipped(stream: Stream, first: int, following: int, reason: str) -> Notice:
    """The notice about records that could not be read."""
    detail = f"records {first} to {following - 1} were skipped: {reason}"
    return Notice("unreadable", stream, first, following, detail)


def assign_all(consumer: Any, topics: Iterable[str]) -> list[Any]:
    """Give a consumer without a group every partition of some topics."""
    partitions = [
        TopicPartition(topic, number)
        for topic in topics
        for number in sorted(consumer.partitions_for_topic(topic) or ())
    ]
    consumer.assign(partitions)
    return partitions


def truncated(stream: Stream, wanted: int, start: int, end: int) -> Notice:
    what = "was deleted by retention" if wanted < start else f"is beyond the end ({end})"
    detail = f"offset {wanted} {what}; reading continues at {start}"
    return Notice("truncated", stream, wanted, start, detail, has_lost=True)


def reread(consumer: Any, partition: Any, stream: Stream, start: int) -> Notice | None:
    """The notice about a stream that this store does not know and another member had read."""
    try:
        offset = consumer.committed(partition, timeout_ms=COMMITTED_MS)
    except KafkaError:
        return None  # Advisory, as all committed offsets are: the reading is the same.
    if offset is None or offset <= start:
        return None
    detail = f"another monitor had read up to {offset}; it is read again from {start}"
    return Notice("reread", stream, start, offset, detail)
