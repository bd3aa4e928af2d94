"""When time alone next changes something about a scope: a heap of due times.

An entry may be old: the scope was touched since, or is gone. So a scope is asked again when its
entry pops. Cost of an entry: the logarithm of their number.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar


class Queued(Protocol):
    """A scope in memory, with the due time of its useful entry."""

    queued_ns: int | None


Key = TypeVar("Key", bound=tuple[Any, ...])


class Wakes(Generic[Key]):
    """Due times of scopes, by their keys."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, Key]] = []

    def queue(self, key: Key, scope: Queued, due_ns: int | None) -> None:
        """Keep at most one useful entry a scope; later ones are found when it pops."""
        if due_ns is None or (scope.queued_ns is not None and scope.queued_ns <= due_ns):
            return
        scope.queued_ns = due_ns
        heapq.heappush(self._heap, (due_ns, key))

    def pop_before(self, time_ns: int) -> tuple[int, Key] | None:
        """The earliest entry if it is due before `time_ns`."""
        if self._heap and self._heap[0][0] < time_ns:
            return heapq.heappop(self._heap)
        return None

    def put_back(self, entries: Iterable[tuple[int, Key]]) -> None:
        """Entries that were popped, and could not be decided yet."""
        for entry in entries:
            heapq.heappush(self._heap, entry)

    def expect(self, entries: Iterable[tuple[int, Key]]) -> None:
        """The entries of a store, after a start, in place of all others."""
        self._heap = list(entries)
        heapq.heapify(self._heap)

    def scopes(self) -> list[Key]:
        """The key of every scope that something is due for, the earliest first."""
        return list(dict.fromkeys(key for _, key in sorted(self._heap)))
