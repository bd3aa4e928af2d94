"""The monitor's clock: the only place in this package that reads the time of day.

Everything else takes a `Clock`, so that tests, replays and simulations can set the time.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The current time."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, by the wall clock: it may jump, also backwards."""

    def monotonic_ns(self) -> int:
        """Nanoseconds from an arbitrary point: never goes back, for measuring how long."""


class SystemClock:
    """The clocks of this machine."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()
