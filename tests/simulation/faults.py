"""What can go wrong, drawn from a seed: each kind has a rate of its own, and is counted.

Rates are drawn anew for each seed, many of them 0: a run with few kinds of faults gets deeper into
what they do than one in which everything fails all the time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Final

BASE_RATES: Final[Mapping[str, float]] = {
    # The monitor's process ends here, without a word; rates are per occasion.
    "crash between turns": 0.02,
    "crash before the store": 0.03,
    "crash inside a transaction": 0.002,
    "crash before COMMIT": 0.01,
    "crash after COMMIT": 0.01,
    "crash before a publish": 0.005,
    "crash while publishing": 0.01,
    "crash after publishing": 0.01,
    "crash before offsets": 0.03,
    "crash after offsets": 0.02,
    "crash after a post": 0.02,
    "polite stop": 0.02,
    "power cut": 0.2,  # Of the crashes: the store is set back to an earlier batch.
    # The store.
    "disk full": 0.001,
    "database locked": 0.005,
    "COMMIT fails": 0.005,
    # Where records go.
    "publish refused": 0.01,
    "flush refused": 0.03,
    "flush cut short": 0.04,
    "flush delivered, then failed": 0.04,
    "flush timed out": 0.04,
    "broker away": 0.01,
    "webhook refuses": 0.1,
    "webhook answers 500": 0.1,
    "webhook took it, then timed out": 0.1,
    # The source.
    "stream stalls": 0.03,
    "ends unanswered": 0.05,
    "client built anew": 0.01,
    "partition lost": 0.03,
    "partition lost and gained at once": 0.01,
    "retention took unread records": 0.01,
    "commit to the group fails": 0.05,
    # Clocks.
    "clock jumps forward": 0.04,
    "clock jumps backward": 0.05,
    # What producers do; rates are per record.
    "record sent again": 0.06,
    "record sent again much later": 0.03,
    "record written in another way": 0.02,
    "id in conflict": 0.02,
    "record never sent": 0.03,
    "records out of order": 0.03,
    "number given twice": 0.01,
    "event after the end": 0.05,
    "producer's time is absurd": 0.03,
    "forged approval": 0.03,
    "bad record": 0.05,
    "event that the engine fails on": 0.01,
    "session on a foreign partition": 0.02,
    "another principal's session": 0.06,
    # Hostile neighbours; rates are per turn.
    "flood of events": 0.03,
    "stopped session goes on": 0.03,
    "flood of unreadable records": 0.03,
    "names are invented": 0.03,
}
KINDS: Final = tuple(BASE_RATES)


class Crash(BaseException):
    """The monitor's process ends here. No `Exception`: nothing of the monitor may catch it."""


class Faults:
    """Says whether a fault strikes now; none strike once `are_over`."""

    def __init__(self, random: Random, *, without: frozenset[str] = frozenset()) -> None:
        self._random = random
        self.counts: Counter[str] = Counter()
        self.are_over = False
        factor = random.choice((0.0, 0.5, 1.0, 1.0, 2.0))
        self.rates = {
            kind: 0.0
            if kind in without or random.random() < 0.4
            else rate * factor * random.uniform(0.3, 2.0)
            for kind, rate in BASE_RATES.items()
        }

    def strikes(self, kind: str) -> bool:
        """Whether a fault of this kind strikes at this occasion."""
        rate = self.rates[kind]
        if self.are_over or rate == 0.0 or self._random.random() >= rate:
            return False
        self.counts[kind] += 1
        return True

    def crash_on(self, kind: str) -> None:
        """Raises `Crash` where one strikes here."""
        if self.strikes(kind):
            raise Crash(kind)
