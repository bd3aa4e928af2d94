"""Detects a Kafka client that makes no progress before records that it does not read.

For example, a fetch response that is too large for the client brings no record and no error, for
ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ..base import Notice
from .streams import Held

STALL_POLLS_MIN: Final = 10  # A caller that rarely polls is slow, not stalled.


class StallWatch:
    """Looks at the positions every `stall_s`, counted from the making of the client."""

    def __init__(self, stall_s: float, monotonic: Callable[[], float]) -> None:
        self._stall_s = stall_s
        self._monotonic = monotonic
        self._check_at = monotonic() + stall_s
        self._seen: dict[Any, int] = {}
        self._polls_count = 0

    def is_due(self) -> bool:
        """Counts a poll; True if it is time for a check, with freshly queried ends."""
        self._polls_count += 1
        now = self._monotonic()
        if now < self._check_at or self._polls_count < STALL_POLLS_MIN:
            return False
        self._check_at, self._polls_count = now + self._stall_s, 0
        return True

    def stalled(self, held: Mapping[Any, Held]) -> list[Notice]:
        """One notice for each stream that has not moved although it has unread records."""
        behind = {
            tp: one.position
            for tp, one in held.items()
            if one.is_placed and one.known_end is not None and one.position < one.known_end
        }
        detail = f"nothing was fetched for {self._stall_s:g} s; the client is recreated"
        found = [
            Notice("stalled", held[tp].stream, position, held[tp].known_end or position, detail)
            for tp, position in behind.items()
            if self._seen.get(tp) == position
        ]
        self._seen = behind
        return found


def failed(fault: str, held: Mapping[Any, Held]) -> list[Notice]:
    """One notice for each stream of a client that failed in a way of its own."""
    detail = f"the Kafka client failed ({fault}) and is recreated"
    return [Notice("stalled", h.stream, h.position, h.position, detail) for h in held.values()]
