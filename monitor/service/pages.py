"""The pages of a running monitor: metrics and health over HTTP, if the settings enable them."""

from __future__ import annotations

from contextlib import ExitStack

from monitor.clock import Clock
from monitor.config.table import Settings
from monitor.service.loop import Loop
from monitor.service.outbox import Effects
from monitor.telemetry.http import MonitorPages, Pulse, Standing
from monitor.telemetry.metrics import Metrics


def serve(
    settings: Settings,
    metrics: Metrics,
    pulse: Pulse,
    loop: Loop,
    effects: Effects,
    *,
    clock: Clock,
    stack: ExitStack,
) -> int | None:
    """Serve the pages until `stack` is closed; returns the port, or None if there are none."""
    if not settings.http_enabled:
        return None
    from monitor.telemetry.http_server import MonitorServer  # A finished file has no pages.

    pages = _pages(metrics, pulse, loop, effects)
    server = MonitorServer(
        pages, settings.http_host, settings.http_port, clock, names=settings.http_names or ""
    )
    stack.callback(server.close)
    return server.port


def _pages(metrics: Metrics, pulse: Pulse, loop: Loop, effects: Effects) -> MonitorPages:
    from monitor.telemetry.metrics_registry import CONTENT_TYPE

    def ready() -> Standing:
        text = loop.trouble or "the source has not assigned a stream yet"
        return Standing(is_ready(), "watching" if is_ready() else text)

    def is_ready() -> bool:
        is_ready = loop.is_assigned and not loop.trouble
        metrics.set_ready(is_ready)
        return is_ready

    def render() -> bytes:
        is_ready()
        metrics.set_ages(turn_s=pulse.age_s(), heartbeat_s=effects.heartbeat_age_s())
        return metrics.render()

    return MonitorPages(
        metrics=render, metrics_type=CONTENT_TYPE, healthy=pulse.standing, ready=ready
    )
