"""The monitor's work between batches, at every heartbeat: it prunes, and updates its metrics.

Metrics that only batches update would become stale while nothing arrives: published findings would
seem to wait, and a revoked partition would seem to stall. Called by the loop's thread.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from interlock.control_record import ControlView

from ..clock import Clock
from ..config.table import Settings
from ..log import say
from ..store.store import STORE_FILE, Store
from ..telemetry.metrics import Metrics
from ..transport.base import Frontier, Stream
from .batch_metrics import Teller

STOPPED_EVERY_NS: Final = 15_000_000_000
"""Chosen: a view of 100,000 keys is counted in about 30 ms; a stop must not often wait for it."""


class Upkeep:
    """One round between batches."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        clock: Clock,
        teller: Teller,
        metrics: Metrics,
        *,
        view: ControlView,
    ) -> None:
        self._store = store
        self._teller = teller
        self._metrics = metrics
        self._view = view
        self._clock = clock
        self._state_dir = Path(settings.state_dir)
        self._findings_retention_ns = settings.store_findings_retention_ns
        self._next_stopped_ns = 0

    def __call__(self, frontiers: Mapping[Stream, Frontier]) -> None:
        """Delete old content, then update the metrics for waiting work, lag and free space."""
        self._store.prune(self._clock.now_ns() - self._findings_retention_ns)
        self._teller.tell_backlog()
        self._teller.tell_streams(frontiers)
        self._tell_space()
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._next_stopped_ns:
            self._next_stopped_ns = now_ns + STOPPED_EVERY_NS
            self._metrics.set_stopped(stopped(self._view, self._clock.now_ns()))

    def _tell_space(self) -> None:
        try:
            disk = os.statvfs(self._state_dir)
            used_bytes = sum(file.stat().st_size for file in self._state_dir.glob(f"{STORE_FILE}*"))
        except OSError as error:
            # The next SQLite error will be more specific; the metrics keep their last values.
            say("warning", "disk_not_looked_at", error=str(error))
            return
        self._metrics.set_store_space(
            used_bytes=used_bytes, free_bytes=disk.f_bavail * disk.f_frsize
        )


def stopped(view: ControlView, now_ns: int) -> Mapping[tuple[str, str], int]:
    """The number of stopped targets, by kind (`session`, ..., `global`) and state."""
    counts: Counter[tuple[str, str]] = Counter()
    for key, record in view.records().items():
        is_over = record.expires_at is not None and record.expires_at <= now_ns
        if record.state == "killed" or (record.state == "quarantined" and not is_over):
            counts[key.partition(":")[0], record.state] += 1
    return counts
