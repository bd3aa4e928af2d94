"""Metrics and health over HTTP, for Prometheus and for a supervisor.

    GET /metrics      metrics for Prometheus
    GET /-/healthy    200 while the loop turns, else 503 and the reason (also `/healthz`)
    GET /-/ready      200 once the monitor watches, else 503 and the reason (`/readyz`)

It reads no body, resolves no path and has no other page. `http_server.py` serves the pages; this
module builds them, and is pure except for the callables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from ..clock import Clock

TEXT: Final = "text/plain; charset=utf-8"
METRICS: Final = "/metrics"


class Standing(msgspec.Struct, frozen=True):
    """The state of health, with a short text that gives the reason."""

    is_well: bool
    reason: str


class Answer(msgspec.Struct, frozen=True):
    """The response for a path."""

    status: HTTPStatus
    content_type: str
    body: bytes


class Pulse:
    """Records each turn of the loop, and reports from another thread if it still turns."""

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
    """The response for each path; everything is a callable, evaluated when it is requested."""

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
        """The response for a path."""
        page = self._pages.get(path)
        if page is None:
            return Answer(HTTPStatus.NOT_FOUND, TEXT, b"there is no such page\n")
        return page()


def _told(standing: Standing) -> Answer:
    status = HTTPStatus.OK if standing.is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return Answer(status, TEXT, f"{standing.reason}\n".encode("utf-8", "backslashreplace"))
