"""One order out of several streams: events wait until no earlier one can still come.

The streams of one group (a partition of the topics that are read together, or all files of a log
directory) are merged by (arrival, producer's time, topic, position); within a stream nothing is
ever reordered. An item waits while some other stream of its group may still bring one that arrived
before it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from invariants.model.event import Event
from monitor.ingest.rejected import Rejected
from monitor.transport.base import Frontier, Stream

NEVER: Final = 2**63
"""Later than every time: a stream that was read to its end does not delay others."""


class Item(msgspec.Struct, frozen=True):
    """One record, decoded or rejected, with the times that order it among streams.

    `arrival_ns` is None in backfills and finished files.
    """

    order_ns: int
    ts_ns: int
    arrival_ns: int | None
    stream: Stream
    offset: int
    content: Event | Rejected


class _Waiting(msgspec.Struct):
    """The records of a stream that were read and not yet passed on."""

    items: deque[Item] = msgspec.field(default_factory=deque)
    latest_ns: int = 0
    frontier: Frontier | None = None
    begun_again_at: int = 0
    old_count: int = 0
    """How many items are of the stream as it was before it began again at that offset."""

    def position(self) -> int | None:
        """The position from which a restart must read; None while the stream is not placed.

        If old items wait, a recreated stream is read from its start: their offsets have no meaning
        in it.
        """
        if self.old_count:
            return self.begun_again_at
        if self.items:
            return self.items[0].offset
        return None if self.frontier is None else self.frontier.next_offset

    def reached_ns(self) -> int:
        """The time before which nothing can arrive any more on this stream, which has no items
        here.

        A source that cannot vouch for its end *after* the other streams were read supplies the time
        up to which it can (`read_to_ns`), even at the end.
        """
        if self.frontier is None:
            return 0
        if self.frontier.read_to_ns is not None:
            return self.frontier.read_to_ns
        return NEVER if self.frontier.is_at_end else 0


Rank = tuple[int, int, str, str, int]


class _Group(msgspec.Struct):
    """The streams that are merged with each other."""

    streams: dict[Stream, _Waiting] = {}
    heads: list[tuple[Rank, Stream]] = []
    barrier_ns: int = 0
    """No stream without items can bring a record from before this time."""

    def let_go(self, frontiers: Mapping[Stream, Frontier]) -> None:
        """The streams that are not among these: those with items are passed on first."""
        for stream in [stream for stream in self.streams if stream not in frontiers]:
            waiting = self.streams[stream]
            if not waiting.items:
                del self.streams[stream]
            elif waiting.frontier is not None:
                waiting.frontier = msgspec.structs.replace(
                    waiting.frontier, is_at_end=True, read_to_ns=None
                )

    def raise_barrier(self) -> None:
        self.barrier_ns = min(
            (w.reached_ns() for w in self.streams.values() if not w.items), default=NEVER
        )


class Merger:
    """Holds records until their turn; `positions` gives the positions for a restart."""

    def __init__(self, group_of: Callable[[Stream], str]) -> None:
        self._group_of = group_of
        self._groups: dict[str, _Group] = {}
        self.held_count = 0
        """Records read and not yet given on."""

    def put(self, stream: Stream, offset: int, content: Event | Rejected) -> None:
        """Take in the next record of a stream. `know` must follow before `next`."""
        group, waiting = self._waiting(stream)
        if (claimed_ns := self._claimed_ns(content)) > waiting.latest_ns:
            waiting.latest_ns = claimed_ns
        ts_ns = 0 if isinstance(content, Rejected) else content.ts_ns
        item = Item(waiting.latest_ns, ts_ns, content.arrival_ns, stream, offset, content)
        if not waiting.items:
            heapq.heappush(group.heads, (_rank(item), stream))
        waiting.items.append(item)
        self.held_count += 1

    def begin_again(self, stream: Stream, offset: int) -> None:
        """Another stream has taken the name of this one, and is read from `offset` on.

        What was read of the old one has its turn all the same.
        """
        group = self._groups.get(self._group_of(stream))
        waiting = None if group is None else group.streams.get(stream)
        if waiting is not None:
            waiting.begun_again_at, waiting.old_count = offset, len(waiting.items)

    def know(self, frontiers: Mapping[Stream, Frontier]) -> None:
        """Update the known end of each stream; a stream that is not named delays no others.

        A file that retention removed brings nothing more, and its sessions continue elsewhere:
        waiting for it would never end.
        """
        for stream, frontier in frontiers.items():
            self._waiting(stream)[1].frontier = frontier
        for group in self._groups.values():
            # A group without streams stays: its sessions' time advances.
            group.let_go(frontiers)
            group.raise_barrier()

    def forget(self, stream: Stream) -> None:
        """The stream was revoked: its waiting records are dropped, unprocessed."""
        name = self._group_of(stream)
        group = self._groups.get(name)
        if group is None or stream not in group.streams:
            return
        self.held_count -= len(group.streams.pop(stream).items)
        group.heads = [head for head in group.heads if head[1] != stream]
        heapq.heapify(group.heads)
        group.raise_barrier()
        if not group.streams:
            del self._groups[name]

    def next(self) -> Item | None:
        """The next record in order, or None if another could still precede each of them."""
        for group in self._groups.values():
            if not group.heads:
                continue
            stream = group.heads[0][1]
            waiting = group.streams[stream]
            arrival_ns = waiting.items[0].arrival_ns
            if (NEVER - 1 if arrival_ns is None else arrival_ns) >= group.barrier_ns:
                continue
            item = waiting.items.popleft()
            if waiting.old_count:
                waiting.old_count -= 1
            self.held_count -= 1
            if waiting.items:
                heapq.heapreplace(group.heads, (_rank(waiting.items[0]), stream))
            else:
                heapq.heappop(group.heads)
                group.barrier_ns = min(group.barrier_ns, waiting.reached_ns())
            return item
        return None

    def positions(self) -> dict[Stream, int]:
        """Per stream, the offset of the first record that was not given on; no unplaced streams."""
        known: dict[Stream, int] = {}
        for group in self._groups.values():
            for stream, waiting in group.streams.items():
                offset = waiting.position()
                if offset is not None:
                    known[stream] = offset
        return known

    def held_arrivals(self) -> dict[Stream, int | None]:
        """A lower bound of the arrival of each stream's oldest record that was read and not passed
        on.

        If only an interval is known, its start counts: a record of a log directory that waits
        behind a stop was written before it was read. Until it is judged, no watermark may cover
        that time.
        """
        return {
            stream: _arrived_after_ns(waiting.items[0])
            for group in self._groups.values()
            for stream, waiting in group.streams.items()
            if waiting.items
        }

    def reached_ns(self, name: str, now_ns: int) -> int | None:
        """No event of this group that arrives before this time is still to come; None: unknown."""
        group = self._groups[name]
        if group.heads:
            return None
        return min(group.barrier_ns, now_ns)

    def groups(self) -> list[str]:
        """The groups that are held now."""
        return list(self._groups)

    def _waiting(self, stream: Stream) -> tuple[_Group, _Waiting]:
        name = self._group_of(stream)
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _Group()
        waiting = group.streams.get(stream)
        if waiting is None:
            waiting = group.streams[stream] = _Waiting()
        return group, waiting

    @staticmethod
    def _claimed_ns(content: Event | Rejected) -> int:
        """Its arrival; if only an interval is known, the producer's time within it.

        This is never the effective time: one session whose clock is ahead would delay all others of
        its stream, and order them after later answers. A rejected record has no credible time: it
        is ordered at its earliest possible arrival, like any event.
        """
        if isinstance(content, Rejected):
            known_ns = (
                content.arrival_ns if content.not_before_ns is None else content.not_before_ns
            )
            return known_ns or 0
        if content.arrival_ns is None:
            return content.ts_ns
        earliest_ns = content.not_before_ns
        if earliest_ns is None:
            return content.arrival_ns
        return min(max(content.ts_ns, earliest_ns), content.arrival_ns)


def _arrived_after_ns(item: Item) -> int | None:
    content = item.content
    if content.not_before_ns is not None:
        return content.not_before_ns
    return item.arrival_ns


def _rank(item: Item) -> Rank:
    stream = item.stream
    return item.order_ns, item.ts_ns, stream.topic, stream.partition, item.offset
