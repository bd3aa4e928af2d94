"""The monitor's clock: the only place in this package that reads the time of day.

Everything else takes a `Clock`, so that tests, replays and simulations can set the time.
"""

from __future__ import annotations

import time
from typing import Final, Protocol

_SINCE_BOOT: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
"""A clock that goes on while the machine sleeps. Source: clock_gettime(2), Linux."""


class Clock(Protocol):
    """The current time."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, by the wall clock: it may jump, also backwards."""

    def monotonic_ns(self) -> int:
        """Nanoseconds from an arbitrary point: never goes back, for measuring how long. The time
        of a machine that sleeps counts, if the system has such a clock.
        """


class SystemClock:
    """The clocks of this machine."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        if _SINCE_BOOT is None:
            return time.monotonic_ns()
        return time.clock_gettime_ns(_SINCE_BOOT)
