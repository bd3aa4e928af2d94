"""The gate's metrics, and its pages for a supervisor.

Names of pages, codes, decisions and bounds are ours: an agent chooses no label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, get_args

from monitor.clock import Clock
from monitor.gate.wire import Decision
from monitor.gate_server.bounds import BOUNDS_REACHED
from monitor.gate_server.routes import PAGES
from monitor.telemetry.build import own_version
from monitor.telemetry.gate_metrics_table import GATE_METRICS
from monitor.telemetry.http import MonitorPages, Pulse, Standing
from monitor.telemetry.metrics_registry import CONTENT_TYPE, Registry

NO_PAGE = "none"
NO_PAGE_CODES = ("forbidden", "host", "malformed", "method", "unknown")
OK = "ok"
STALL_LIMIT_NS = 30_000_000_000


class Published(NamedTuple):
    """How far the gate's log is from Kafka; `trouble` says why it does not get there, and is empty
    while it does. Of a log directory, nothing waits.
    """

    lag_records: int = 0
    waiting_bytes: int = 0
    trouble: str = ""


class Telemetry:
    """Counts what the server does. Every labelled series is there from the start."""

    def __init__(
        self,
        clock: Clock,
        trouble: Callable[[], str],
        published: Callable[[], Published],
        *,
        program_digest: str = "",
    ) -> None:
        self._program_digest = program_digest
        self._registry = Registry(GATE_METRICS)
        self._trouble, self._published = trouble, published
        self.pulse = Pulse(clock, STALL_LIMIT_NS)
        self.gauges: Callable[[], Mapping[str, int]] = dict
        """Sizes, by the name of their metric: asked for when metrics are read."""
        codes = {page.name: page.codes for page in PAGES} | {NO_PAGE: NO_PAGE_CODES}
        for name, some in codes.items():
            for code in (OK, *some):
                self._registry.begin("interlock_gate_requests_total", name, code)
        for decision in get_args(Decision):
            self._registry.begin("interlock_gate_answers_total", decision)
        for bound in BOUNDS_REACHED:
            self._registry.begin("interlock_gate_bounds_reached_total", bound)
        self.pages = MonitorPages(
            metrics=self._render,
            metrics_type=CONTENT_TYPE,
            healthy=self.pulse.standing,
            ready=self._ready,
        )

    def request(self, page: str, code: str, took_s: float | None) -> None:
        """One request that was answered; no time for long polls."""
        self._registry.add("interlock_gate_requests_total", 1, page, code)
        if took_s is not None:
            self._registry.observe("interlock_gate_request_seconds", took_s)

    def turn(self, took_s: float) -> None:
        """One turn of a principal."""
        self._registry.observe("interlock_gate_turn_seconds", took_s)

    def answer(self, decision: Decision) -> None:
        """The answer to an ask."""
        self._registry.add("interlock_gate_answers_total", 1, decision)

    def reached(self, bound: str) -> None:
        """A bound was reached."""
        assert bound in BOUNDS_REACHED, bound
        self._registry.add("interlock_gate_bounds_reached_total", 1, bound)

    def unauthenticated(self) -> None:
        """Credentials named no principal."""
        self._registry.add("interlock_gate_authentication_failures_total", 1)

    def _ready(self) -> Standing:
        """Answers do not wait for Kafka, so its trouble is told and changes no status: a supervisor
        that ended the gate for it would end its agents' calls.
        """
        trouble, published = self._trouble(), self._published()
        if trouble or not published.trouble:
            return Standing(not trouble, trouble or "answering")
        text = f"{published.waiting_bytes} bytes of the log wait; agents get their answers"
        return Standing(True, f"answering, but {published.trouble}; {text}")

    def _render(self) -> bytes:
        # Its version is looked up here: that takes a while, and a start does not need it.
        self._registry.set("interlock_gate_build_info", 1, own_version(), self._program_digest)
        for name, value in self.gauges().items():
            self._registry.set(name, value)
        published = self._published()
        self._registry.set("interlock_gate_unpublished_records", published.lag_records)
        self._registry.set("interlock_gate_unpublished_bytes", published.waiting_bytes)
        self._registry.set("interlock_gate_publish_trouble", int(bool(published.trouble)))
        self._registry.set("interlock_gate_ready", int(self._ready().is_well))
        self._registry.set("interlock_gate_turn_age_seconds", self.pulse.age_s())
        return self._registry.render()
