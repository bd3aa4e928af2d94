"""The ends of the streams, queried from the brokers regularly, and the state of the brokers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from .client import KafkaError
from .streams import Held

ENDS_MS: Final = 1_000  # Records in hand wait for this answer: better none than a late one.
ENDS_EVERY_S: Final = 1.0
"""Chosen: below the slack of ticks, 2 s: no deadline passes unseen records."""
SILENT_S_MAX: Final = 5.0
"""Chosen: several questions without an answer, far below the 15 s after which guards refuse."""


class Ends:
    """The times of the last query of the ends and of the last answer."""

    def __init__(self, monotonic: Callable[[], float], now_ns: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._now_ns = now_ns
        self._asked_at = 0.0
        self._asked_at_ns = 0
        self._answered_at = monotonic()

    def are_due(self, held: Mapping[Any, Held]) -> bool:
        """After a query without an answer, and regularly: a known end becomes outdated.

        If a broker does not answer, its streams must not stay at an old end. Nor must those of a
        machine that was suspended: watermarks use the wall clock, which continued.
        """
        is_old = self._monotonic() - self._asked_at >= ENDS_EVERY_S
        has_jumped = abs(self._now_ns() - self._asked_at_ns) >= ENDS_EVERY_S * 1e9
        return (
            is_old or has_jumped or any(h.is_placed and h.known_end is None for h in held.values())
        )

    def ask(self, consumer: Any, held: Mapping[Any, Held]) -> None:
        """One question to each broker, so that `is_at_end` is true of this poll's records too."""
        self._asked_at, self._asked_at_ns = self._monotonic(), self._now_ns()
        placed = [tp for tp, one in held.items() if one.is_placed]
        if not placed:
            self._answered_at = self._monotonic()  # There was no query.
            return
        try:
            ends = consumer.end_offsets(placed, timeout_ms=ENDS_MS)
            self._answered_at = self._monotonic()
        except KafkaError:
            ends = {}
        for tp in placed:
            held[tp].known_end = ends.get(tp)

    def trouble(self) -> str:
        """The reason why nothing is known of the topics; empty while brokers answer."""
        silent_s = self._monotonic() - self._answered_at
        return f"no broker has answered for {silent_s:.0f} s" if silent_s > SILENT_S_MAX else ""
