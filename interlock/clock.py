"""The clocks of the client, as a parameter, so that tests can set the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`wall_ns`: nanoseconds since 1970. `monotonic_ns`: never goes back, counts from anywhere."""

    wall_ns: Callable[[], int] = time.time_ns
    monotonic_ns: Callable[[], int] = time.monotonic_ns
