"""How long files that were read to their end wait for one that was not: a number of its owner's
records.

The unread content of a file is read before anything that came later is judged, so that an answer is
never ordered after its deadline. A writer that never stops, or hides an endless line, must not
delay the others for ever. After `RECORDS_MAX` more records of one owner, its earlier content is no
longer waited for; it is ordered when it is found. The limit is a number of records and not a time,
so that a slow monitor keeps the same order as a fast one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection
from typing import Final

RECORDS_MAX: Final = 4_096
"""Chosen: some seconds of judging; an owner's honest backlog is shorter."""
BYTES_OF_RECORD: Final = 4_096
"""Chosen: as much of a long record, or of a line without an end, counts as one record more."""


class Waits:
    """For each owner of files: when looks began, and how much of his had been read by then."""

    def __init__(self) -> None:
        self._read_counts: Counter[int] = Counter()
        self._looks: dict[int, deque[tuple[int, int]]] = {}
        self._over_ns: dict[int, int] = {}

    def look(self, begin_ns: int, owners: Collection[int]) -> None:
        """A look begins; `owners` have something to read. The others are waited for no more."""
        for owner in self._looks.keys() - owners:
            del self._looks[owner]
            self._over_ns.pop(owner, None)
            del self._read_counts[owner]
        for owner in owners:
            looks = self._looks.setdefault(owner, deque())
            read_count = self._read_counts[owner]
            if looks and looks[-1][1] == read_count:
                looks.pop()
            looks.append((begin_ns, read_count))

    def read(self, owner: int, lines_count: int, bytes_count: int) -> None:
        """So much of an owner's files was read."""
        self._read_counts[owner] += lines_count + bytes_count // BYTES_OF_RECORD

    def over_ns(self, owner: int) -> int:
        """Content of the owner's files before this time is not waited for; 0 if all is."""
        looks = self._looks.get(owner, ())
        while looks and looks[0][1] + RECORDS_MAX <= self._read_counts[owner]:
            self._over_ns[owner] = looks.popleft()[0]
        return self._over_ns.get(owner, 0)
