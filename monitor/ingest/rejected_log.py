"""Log lines about rejected records: for a live stream in the log, for a finished file line by line.

Input: rejected records, in any number that an attacker chooses. Output: for a stream, one log line
a minute for each reason, with a count; for a file, the places of the first lines, then the number
of further ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from monitor.ingest.rejected import Reason, Rejected

EVERY_NS: Final = 60_000_000_000
STREAMS_MAX: Final = 1_000
"""Chosen: (reason, stream) that are counted apart; log directories may have many files."""
LINES_MAX: Final = 20
"""Chosen: lines of a file that are listed one by one: a screen of them."""


class _Counted(msgspec.Struct):
    said_ns: int
    unsaid_count: int = 0


class RejectedLog:
    """One line a minute and (reason, stream). `now_ns` is a monotonic clock."""

    def __init__(self, say: Callable[..., None], now_ns: Callable[[], int]) -> None:
        self._say = say
        self._now_ns = now_ns
        self._counted: dict[tuple[Reason, str, str], _Counted] = {}

    def take(self, rejected: Rejected) -> None:
        """Say it, or count it until a minute is over."""
        origin, now_ns = rejected.origin, self._now_ns()
        key = rejected.reason, origin.topic, origin.partition
        if key not in self._counted and len(self._counted) >= STREAMS_MAX:
            key = rejected.reason, "", ""
        counted = self._counted.setdefault(key, _Counted(now_ns - EVERY_NS))
        counted.unsaid_count += 1
        if now_ns - counted.said_ns < EVERY_NS:
            return
        count, counted.unsaid_count, counted.said_ns = counted.unsaid_count, 0, now_ns
        self._say(
            "warning",
            "rejected",
            origin=str(origin),
            reason=rejected.reason,
            detail=rejected.detail,
            count=count,
        )


class RejectedLines:
    """The lines of a finished file that are not events. `line_of` gives a line's number, from 1."""

    def __init__(self) -> None:
        self.count = 0
        self._texts: list[str] = []

    def take(self, rejected: Rejected, line_of: Callable[[int], int | None]) -> None:
        """Note one; only of the first ones the place is kept."""
        self.count += 1
        if len(self._texts) >= LINES_MAX:
            return
        offset = rejected.origin.offset
        line = line_of(offset)
        place = f"byte {offset}" if line is None else f"line {line} (byte {offset})"
        self._texts.append(f"{place} is not an event: {rejected.detail}")

    def texts(self) -> list[str]:
        """The places that were kept, and how many more there are."""
        more = self.count - len(self._texts)
        return [*self._texts, *([f"and {more} more lines that are not events"] if more else [])]
