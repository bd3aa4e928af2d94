"""Metrics and health over HTTP, for Prometheus and for whoever restarts the monitor.

    GET /metrics      what Prometheus reads
    GET /-/healthy    200 while the loop turns, else 503 and why (also `/healthz`)
    GET /-/ready      200 once the monitor watches, else 503 and what it waits for (`/readyz`)

It reads no body, follows no path and has no other page. `http_server.py` serves it; here are the
pages, pure but for what they ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from .clock import Clock

TEXT: Final = "text/plain; charset=utf-8"
METRICS: Final = "/metrics"


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether it is well, and a short text that says why (not)."""

    is_well: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers."""

    status: HTTPStatus
    content_type: str
    body: bytes


class Pulse:
    """Notes each turn of the loop, and says from another thread whether it still turns."""

    def __init__(self, clock: Clock, stall_limit_ns: int) -> None:
        self._clock = clock
        self._stall_limit_ns = stall_limit_ns
        self._last_ns = clock.monotonic_ns()

    def beat(self) -> None:
        self._last_ns = self._clock.monotonic_ns()

    def age_s(self) -> float:
        """How long ago the loop turned."""
        return (self._clock.monotonic_ns() - self._last_ns) / 1e9

    def standing(self) -> Standing:
        age_s = self.age_s()
        return Standing(age_s <= self._stall_limit_ns / 1e9, f"the loop turned {age_s:.1f} s ago")


class MonitorPages:
    """The answer of each path; everything is a callable, so that it is asked when it is read."""

    def __init__(
        self,
        *,
        metrics: Callable[[], bytes],
        metrics_type: str,
        healthy: Callable[[], Standing],
        ready: Callable[[], Standing],
    ) -> None:
        self._pages: Mapping[str, Callable[[], Answer]] = {
            METRICS: lambda: Answer(HTTPStatus.OK, metrics_type, metrics()),
            "/-/healthy": lambda: _told(healthy()),
            "/healthz": lambda: _told(healthy()),
            "/-/ready": lambda: _told(ready()),
            "/readyz": lambda: _told(ready()),
        }

    def answer(self, path: str) -> Answer:
        """What a path answers."""
        page = self._pages.get(path)
        if page is None:
            return Answer(HTTPStatus.NOT_FOUND, TEXT, b"there is no such page\n")
        return page()


def _told(standing: Standing) -> Answer:
    status = HTTPStatus.OK if standing.is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return Answer(status, TEXT, f"{standing.reason}\n".encode("utf-8", "backslashreplace"))
