"""Builders for tests of the monitor's rim: findings, clocks, publishers that remember."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from monitor.findings.model import Finding, WitnessEvent

START_NS = 1_767_225_600_000_000_000
SECOND_NS = 1_000_000_000


def make_finding(id_: str = "f-1", **more: Any) -> Finding:
    """A violated finding of an enforcing, critical invariant, unless `more` says otherwise."""
    fields: dict[str, Any] = {
        "type": "violated",
        "severity": "critical",
        "invariant": "no-secret-egress",
        "invariant_digest": "d1",
        "scope": "s-1",
        "session": "s-1",
        "agent": "bot",
        "principal": "team-a",
        "anchor": WitnessEvent(3, START_NS, "s-1/3"),
        "decided_ns": START_NS,
        "mode": "enforce",
        "respond": ["quarantine", "alert"],
    }
    return Finding(id=id_, **{**fields, **more})


@dataclass
class HandClock:
    """A clock that stands still until it is moved."""

    wall_ns: int = START_NS
    elapsed_ns: int = 0

    def now_ns(self) -> int:
        return self.wall_ns

    def monotonic_ns(self) -> int:
        return self.elapsed_ns

    def move(self, seconds: float) -> None:
        self.wall_ns += int(seconds * SECOND_NS)
        self.elapsed_ns += int(seconds * SECOND_NS)


@dataclass
class MemoryPublisher:
    """Keeps what it was given; `fails` makes the next flush fail."""

    fails: bool = False
    records: list[tuple[str, str, bytes]] = field(default_factory=list)
    flushes_count: int = 0

    def publish(
        self,
        topic: str,
        key: str,
        value: bytes,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> None:
        self.records.append((topic, key, value))

    def flush(self, timeout_s: float) -> None:
        if self.fails:
            raise OSError("no broker answers")
        self.flushes_count += 1

    def close(self) -> None:
        pass

    def decoded(self) -> list[tuple[str, Any]]:
        return [(key, msgspec.json.decode(value)) for _, key, value in self.records]


@dataclass(frozen=True)
class WrittenScope:
    """One scope of a change."""

    scope: str
    header: bytes = b"header"
    wake_ns: int | None = None
    states: Mapping[str, bytes] = field(default_factory=dict)
    seen: tuple[tuple[bytes, bytes], ...] = ()
