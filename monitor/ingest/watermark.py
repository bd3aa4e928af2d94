"""The time up to which everything that arrived was judged: the monitor's watermark.

A monitor that runs but is an hour behind protects nobody. Its heartbeat therefore contains the time
up to which it has read and judged everything, and guards use the age of that time as the age of
their view. Shards that are behind are listed with their own times, so that one of them does not
make the guards of others refuse (`interlock/watermarks.py`).

Pure: the loop supplies the result of each poll and the waiting records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from interlock.watermarks import BEHIND_MAX, OPERATORS_TOPICS
from monitor.transport.base import Frontier, Poll, Stream


class JudgedUpTo(NamedTuple):
    """Everything that arrived before `time_ns` was judged, except in the shards `behind`.

    `partitions` are those that this monitor reads, and `topics` those of events; None if it reads
    everything.
    """

    time_ns: int
    partitions: tuple[int, ...] | None
    behind: Mapping[str, int]
    topics: tuple[str, ...] | None = None


class Watch:
    """How far each stream was seen, by the monitor's clock or by the arrivals of its records."""

    def __init__(self) -> None:
        self._seen_ns: dict[Stream, int] = {}
        self._shard_of: dict[Stream, str] = {}
        self._unread: Mapping[str, int] = {}
        self._is_whole = False
        self._looked_ns = 0

    def look(self, poll: Poll, begin_ns: int) -> None:
        """Record a poll that began at `begin_ns`: streams at their end are known up to then."""
        known = {s: ns for s, ns in self._seen_ns.items() if s not in poll.lost}
        self._seen_ns = {
            stream: begin_ns
            if frontier.is_at_end
            else max(known.get(stream, 0), frontier.seen_to_ns or 0)
            for stream, frontier in poll.frontiers.items()
        }
        # What waits of a stream that is gone is still of its shard.
        self._shard_of |= {s: shard_of(s, frontier) for s, frontier in poll.frontiers.items()}
        self._unread = poll.unread
        self._is_whole = poll.is_whole
        self._looked_ns = begin_ns

    def judged(self, held: Mapping[Stream, int | None]) -> JudgedUpTo | None:
        """The watermark; None if no stream is known at all.

        `held` contains the arrivals of records that were read and wait for their turn.
        """
        self._shard_of = {
            s: of for s, of in self._shard_of.items() if s in self._seen_ns or s in held
        }
        if not self._seen_ns and not self._is_whole:
            return None
        times = [(self._shard_of[s], ns) for s, ns in self._seen_ns.items()]
        times += [(self._shard_of.get(s, str(s)), ns or 0) for s, ns in held.items()]
        partitions, topics = self._partitions(), self._topics()
        times += [(shard, 0) for shard in self._unseen(partitions or (), topics or ())]
        behind: dict[str, int] = {}
        for shard, time_ns in (*times, *self._unread.items()):
            if time_ns < self._looked_ns:
                behind[shard] = min(time_ns, behind.get(shard, time_ns))
        return _bounded(JudgedUpTo(self._looked_ns, partitions, behind, topics))

    def _partitions(self) -> tuple[int, ...] | None:
        if self._is_whole:
            return None
        return tuple(sorted({int(stream.partition) for stream in self._seen_ns}))

    def _topics(self) -> tuple[str, ...] | None:
        if self._is_whole:
            return None
        return tuple(sorted({s.topic for s in self._seen_ns} - {*OPERATORS_TOPICS}))

    def _unseen(self, partitions: tuple[int, ...], topics: tuple[str, ...]) -> list[str]:
        """A heartbeat covers all its partitions in all its topics: these it does not read."""
        if len(topics) * len(partitions) <= 1:
            return []
        pairs = [(topic, str(part)) for topic in topics for part in partitions]
        return [
            f"{topic}/{part}" for topic, part in pairs if Stream(topic, part) not in self._seen_ns
        ]


def shard_of(stream: Stream, frontier: Frontier) -> str:
    """The name of the shard that a stream is part of."""
    return f"{stream.topic}/{frontier.part or stream.partition}"


def _bounded(judged: JudgedUpTo) -> JudgedUpTo:
    """Of too many shards the furthest behind are named; the others lower the common time."""
    oldest_first = sorted(judged.behind.items(), key=lambda item: item[1])
    left_out = oldest_first[BEHIND_MAX:]
    time_ns = left_out[0][1] if left_out else judged.time_ns
    return judged._replace(time_ns=time_ns, behind=dict(oldest_first[:BEHIND_MAX]))
