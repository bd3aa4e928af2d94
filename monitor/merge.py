"""One order out of several streams: events wait until no earlier one can still come.

The streams of one group (a partition of the topics that are read together, or all files of a log
directory) are merged by (time, topic, position); within a stream nothing is ever reordered. An
item waits while some stream of its group is not yet known up to the item's time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from invariants.event import Event
from monitor.decode.rejected import Rejected
from monitor.sources.base import Frontier, Stream


@dataclass(frozen=True, slots=True)
class Item:
    """One record, decoded or rejected, with the time that orders it among streams."""

    order_ns: int
    stream: Stream
    offset: int
    content: Event | Rejected


@dataclass(slots=True)
class _Waiting:
    """What of a stream was read and not yet given on."""

    items: deque[Item] = field(default_factory=deque)
    latest_ns: int = 0
    frontier: Frontier | None = None


class Merger:
    """Holds back records until their turn; `positions` says from where a restart must read."""

    def __init__(self, group_of: Callable[[Stream], str], lateness_ns: int, skew_ns: int) -> None:
        self._group_of = group_of
        self._lateness_ns = lateness_ns
        self._skew_ns = skew_ns
        self._streams: dict[Stream, _Waiting] = {}

    def put(self, stream: Stream, offset: int, content: Event | Rejected) -> None:
        """Take in the next record of a stream."""
        waiting = self._streams.setdefault(stream, _Waiting())
        claimed_ns = self._claimed_ns(content, waiting.latest_ns)
        waiting.latest_ns = max(waiting.latest_ns, claimed_ns)
        waiting.items.append(Item(waiting.latest_ns, stream, offset, content))

    def know(self, frontiers: Mapping[Stream, Frontier]) -> None:
        """Take in how far each stream is known."""
        for stream, frontier in frontiers.items():
            self._streams.setdefault(stream, _Waiting()).frontier = frontier

    def forget(self, stream: Stream) -> None:
        """The stream is not ours any more: what waits is dropped, unprocessed."""
        self._streams.pop(stream, None)

    def next(self) -> Item | None:
        """The next record in order, or None where it could still be preceded by another."""
        best: _Waiting | None = None
        for waiting in self._streams.values():
            if waiting.items and (best is None or _rank(waiting) < _rank(best)):
                if len(self._streams) > 1 and self._must_wait(waiting.items[0]):
                    continue
                best = waiting
        return best.items.popleft() if best is not None else None

    def held_count(self) -> int:
        """Records read and not yet given on."""
        return sum(len(waiting.items) for waiting in self._streams.values())

    def positions(self) -> dict[Stream, int]:
        """Per stream, the offset of the first record that was not given on."""
        known: dict[Stream, int] = {}
        for stream, waiting in self._streams.items():
            if waiting.items:
                known[stream] = waiting.items[0].offset
            elif waiting.frontier is not None:
                known[stream] = waiting.frontier.next_offset
        return known

    def read_to_ns(self, group: str, now_ns: int) -> int | None:
        """No event of this group that arrived before this time is still to come; None: unknown."""
        known: list[int] = []
        for stream, waiting in self._streams.items():
            if self._group_of(stream) != group:
                continue
            if waiting.items or waiting.frontier is None:
                return None
            reached_ns = now_ns if waiting.frontier.is_at_end else waiting.frontier.read_to_ns
            if reached_ns is None:
                return None
            known.append(reached_ns)
        return min(known) if known else None

    def groups(self) -> set[str]:
        """The groups that are held now."""
        return {self._group_of(stream) for stream in self._streams}

    def _claimed_ns(self, content: Event | Rejected, latest_ns: int) -> int:
        if isinstance(content, Rejected):
            return latest_ns
        if content.arrival_ns is None:
            return content.ts_ns
        latest_allowed_ns = content.arrival_ns + self._skew_ns
        return min(max(content.ts_ns, content.arrival_ns - self._lateness_ns), latest_allowed_ns)

    def _must_wait(self, item: Item) -> bool:
        """Whether some empty stream of the group may still bring an earlier record."""
        group = self._group_of(item.stream)
        for stream, waiting in self._streams.items():
            if waiting.items or stream == item.stream or self._group_of(stream) != group:
                continue
            frontier = waiting.frontier
            if frontier is None:
                return True
            if frontier.is_at_end:
                continue
            if frontier.read_to_ns is None or frontier.read_to_ns <= item.order_ns:
                return True
        return False


def _rank(waiting: _Waiting) -> tuple[int, str, str, int]:
    item = waiting.items[0]
    return (item.order_ns, item.stream.topic, item.stream.partition, item.offset)
