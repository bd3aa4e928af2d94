"""The part of the configuration that the kernel needs: values on which verdicts depend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from invariants.model.event import Event
from monitor.findings.model import Mode, Severity
from monitor.ingest.effective_time import Clocks
from monitor.ingest.sequence import Admission, Header
from monitor.ingest.standing_history import noted
from monitor.kernel.births import NO_BIRTHS, Births
from monitor.principals.known import with_standing
from monitor.principals.model import Principals


class GatedHeader(Protocol):
    """The header of a scope of any kind."""

    @property
    def is_gated(self) -> bool:
        """True if an event of it came from a gate."""


@dataclass(frozen=True, slots=True)
class KernelSettings:
    """The part of the configuration that the kernel needs; times in ns."""

    lateness_ns: int = 0
    skew_ns: int = 5_000_000_000
    trust_ts: bool = False
    gate_lateness_ns: int = 0
    """How late events of gates may arrive; 0 in a gate, which sees them first. Ticks decide later
    by this in scopes that have some.
    """
    linger_ns: int = 86_400_000_000_000
    idle_close_ns: int | None = None
    ids_max: int = 10_000
    scopes_in_memory_max: int = 50_000
    pairs_in_memory_max: int = 4_000_000
    """The bound on data memories of all scopes in memory; then the least recently used are
    evicted.
    """
    is_finished_file: bool = False
    """The one tick comes after the last line. Until then no missing number is a gap."""
    births: Births = NO_BIRTHS
    """Which invariants have not seen the past of which scopes."""
    principals: Principals | None = None
    """The standings of principals, for events whose gate does not state them."""
    mode_cap: Mode | None = None
    """In place of the mode of every invariant."""
    severities: Mapping[str, Severity] = field(default_factory=dict)

    def clocks(self) -> Clocks:
        """How far the times of events are believed."""
        return Clocks(self.lateness_ns, self.skew_ns, self.trust_ts, self.gate_lateness_ns)

    def placed(self, event: Event, admission: Admission) -> tuple[Event, Header]:
        """An event as the machine takes it in, with the standing of its principal if it is known;
        and the header after it.
        """
        placed = with_standing(
            admission.placed(event), self.principals, is_trusted=self.is_finished_file
        )
        header = admission.header
        standings = noted(header.standings, header.position - 1, placed.standing)
        # An event past the gate states none: an agent must not act under one that has ended since.
        if standings is not header.standings or placed.excepted != header.excepted:
            header = msgspec.structs.replace(header, standings=standings, excepted=placed.excepted)
        return placed, header

    def held_back_ns(self, header: GatedHeader) -> int:
        """How far a scope's time stays behind that of a tick: a gate's event may still come."""
        return self.gate_lateness_ns if header.is_gated else 0
