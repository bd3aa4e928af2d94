"""The results of one turn of the loop, gathered before any of them is stored."""

from __future__ import annotations

from collections import Counter

import msgspec

from monitor.findings.model import Finding
from monitor.ingest.rejected import Rejected
from monitor.response.plan import Action
from monitor.service.responder import Planned


class Batch(msgspec.Struct):
    """Counts and results of one turn. Plain numbers: metrics take them once a batch."""

    begins_ns: int
    """By the monotonic clock."""
    records_count: int = 0
    duplicates_count: int = 0
    shapes: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    """Events by kind and tool."""
    findings: list[Finding] = []
    dead_letters: list[tuple[Rejected, bytes | None]] = []
    """Rejected records; with their bytes only if the settings allow it."""
    commit_begins_ns: int = 0
    commit_ends_ns: int = 0
    actions: list[Action] = []
    """The planned responses to the findings."""
    is_urgent: bool = False
    """A new stop is among the actions: the batch ends here, so that the stop waits for nothing."""

    def take(self, findings: list[Finding], planned: Planned) -> None:
        """Add findings, with the actions planned for them."""
        self.findings += findings
        self.actions += planned.actions
        self.is_urgent = self.is_urgent or planned.is_urgent

    @property
    def is_empty(self) -> bool:
        """Nothing happened."""
        return not (self.records_count or self.findings or self.dead_letters)
