"""The queue of unsent events: it is bounded, and sheds the least informative events first.

Not thread-safe by itself: the publisher holds its lock around every call. Cost of every
operation: constant, but for `append` when it sheds (one step per event shed).
"""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from typing import Final, NamedTuple

from .transport.base import Message

LAST_TO_GO: Final = 3
"""The monitor needs these to see that a call was made, allowed or refused, or a session ended."""

_RANKS: Final = {
    "heartbeat": 0,
    "message.assistant": 1,
    "tool.requested": LAST_TO_GO,
    "tool.denied": LAST_TO_GO,
    "approval.requested": LAST_TO_GO,
    "session.started": LAST_TO_GO,
    "session.ended": LAST_TO_GO,
}
_RANK_OF_OTHERS: Final = 2
"""Outcomes, user messages, events of side effects, and kinds of the user's own."""


class Waiting(NamedTuple):
    """One encoded event and its kind."""

    kind: str
    message: Message

    @property
    def size(self) -> int:
        return len(self.message.value)


def rank(kind: str) -> int:
    """0 is shed first, `LAST_TO_GO` last; within a rank the oldest goes first."""
    return _RANKS.get(kind, _RANK_OF_OTHERS)


class Buffer:
    """Events in the order in which they were given, at most `events_max` and `bytes_max`.

    Places in this order count from 1. `last_place` is that of the newest event, `taken_to` that of
    the last one that was taken.
    """

    def __init__(self, events_max: int, bytes_max: int) -> None:
        self._events_max = events_max
        self._bytes_max = bytes_max
        self._waiting: OrderedDict[int, Waiting] = OrderedDict()
        # Both orders are oldest first, so the head of a rank is its oldest waiting event. A rank
        # may name events that are not there: a signal may break off `append` at any line.
        self._by_rank: tuple[deque[int], ...] = tuple(deque() for _ in range(LAST_TO_GO + 1))
        self._numbers = itertools.count(1)
        self.last_place = 0
        self.taken_to = 0
        self.bytes_count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def has_room_for(self, size: int) -> bool:
        """True if an event of `size` bytes fits without shedding."""
        return len(self._waiting) < self._events_max and self.bytes_count + size <= self._bytes_max

    def append(self, event: Waiting) -> list[Waiting]:
        """Add an event; returns the events that were shed for it (perhaps the event itself)."""
        number = self.last_place = next(self._numbers)
        self._by_rank[rank(event.kind)].append(number)
        self.bytes_count += event.size
        self._waiting[number] = event
        shed = []
        while len(self._waiting) > self._events_max or self.bytes_count > self._bytes_max:
            numbers = next((numbers for numbers in self._by_rank if numbers), None)
            if numbers is None:
                break
            oldest = numbers.popleft()
            if oldest in self._waiting:
                shed.append(self._remove(oldest))
        return shed

    def take(self, events_max: int, bytes_max: int, *, is_one_key: bool = False) -> list[Waiting]:
        """The oldest events, in order: at least one if any waits, up to both limits.

        With `is_one_key`, up to the next event of another key.
        """
        taken: list[Waiting] = []
        size = 0
        while self._waiting and len(taken) < events_max:
            number, event = next(iter(self._waiting.items()))
            if taken and size + event.size > bytes_max:
                break
            if taken and is_one_key and event.message.key != taken[0].message.key:
                break
            self.taken_to = number
            numbers = self._by_rank[rank(event.kind)]
            while numbers and numbers[0] <= number:
                numbers.popleft()
            taken.append(self._remove(number))
            size += event.size
        return taken

    def _remove(self, number: int) -> Waiting:
        event = self._waiting.pop(number)
        self.bytes_count = self.bytes_count - event.size if self._waiting else 0
        return event
