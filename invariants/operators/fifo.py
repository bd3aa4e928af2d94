"""A queue that keeps its old versions: append at the back, take from the front, O(1) amortised.

A version is a part of a list that versions share. Appending to the newest version extends the list,
which older versions do not see; appending to an older one copies its part. So a trace that goes on
costs nothing extra, and a step that is tried and taken back costs one copy at most.

Rejected: `pyrsistent.pdeque`, which counts a list whenever its end is looked at, and chains of
pairs (Okasaki, Purely Functional Data Structures, 5.2), whose newest items cannot be read without
walking all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

GONE_MAX: Final = 64
"""Chosen: so many items in front of a queue stay in its list, or as many as the queue has."""


class Fifo(NamedTuple, Generic[Item]):
    """Oldest first: the items of `shared` from `first` up to `end`, which is not included."""

    shared: list[Item]
    first: int = 0
    end: int = 0

    @property
    def length(self) -> int:
        """The number of items."""
        return self.end - self.first

    @property
    def newest(self) -> Item | None:
        """The item at the back; None if the queue is empty."""
        return self.shared[self.end - 1] if self.end > self.first else None

    def append(self, item: Item) -> Fifo[Item]:
        """The queue with one more item at its back."""
        shared, first, end = self
        if len(shared) != end or end == first or first > GONE_MAX + end - first:
            shared = shared[first:end]  # Of an empty queue too: many share `EMPTY_FIFO`.
            first, end = 0, len(shared)
        shared.append(item)
        return Fifo(shared, first, end + 1)

    def oldest(self) -> Item:
        """The item at the front; the queue must not be empty."""
        assert self.end > self.first, "an empty queue has no oldest item"
        return self.shared[self.first]

    def popleft(self) -> Fifo[Item]:
        """The queue without its oldest item."""
        assert self.end > self.first, "an empty queue has no oldest item"
        return Fifo(self.shared, self.first + 1, self.end)

    def older_than(self, time_ns: int) -> tuple[list[Item], Fifo[Item]]:
        """The items in front whose first field is a time before `time_ns`, and the queue without.

        For queues of tuples that begin with a time.
        """
        shared, first, end = self
        rest = first
        while rest < end and shared[rest][0] < time_ns:  # type: ignore[index]
            rest += 1
        return shared[first:rest], Fifo(shared, rest, end)

    def items(self) -> Iterator[Item]:
        """Every item, oldest first."""
        return iter(self.shared[self.first : self.end])

    def newest_first(self) -> Iterator[Item]:
        """Every item, newest first, as far as they are asked for."""
        shared = self.shared
        return (shared[place] for place in range(self.end - 1, self.first - 1, -1))


EMPTY_FIFO: Final[Fifo[Any]] = Fifo([])


def fifo(items: Iterable[Item]) -> Fifo[Item]:
    """A queue of these items, the first one oldest."""
    shared = list(items)
    return Fifo(shared, 0, len(shared))
