"""A scope as the engine holds it, as a store gives it, and what of it must be written.

A store holds states by name: an invariant's under its digest, others under names of their own
(`invariants/state_progress.py`, `monitor/scoring.py`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from invariants.program import Progress
from monitor.order import Header
from monitor.scoring import ScoredScope

Seen = OrderedDict[bytes, bytes]
"""Digest of an event's id -> digest of its content."""


@dataclass(frozen=True, slots=True)
class LoadedScope:
    """What the store holds of a scope."""

    header: bytes | None
    states: Mapping[str, bytes]
    seen: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class ScopeChange:
    """One scope after a batch: what must be written. `states` holds those that changed."""

    scope: str
    header: bytes
    wake_ns: int | None
    states: Mapping[str, bytes]
    seen: tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class LiveScope:
    """A scope in memory: the one mutable record here, private to the engine.

    Mutable because it is written once an event (Measured: a third of the engine's cost as a
    frozen record); `stored` is what the store has, so that changes are told by identity.
    """

    header: Header
    progress: Progress
    seen: Seen
    stored: Progress
    seen_added: list[tuple[bytes, bytes]] = field(default_factory=list)
    queued_ns: int | None = None
    """The earliest wake-up that the engine's heap holds for this scope."""
    scored: ScoredScope | None = None
    """What a detector remembers of it, where there is one."""


EMPTY_LOAD: Final = LoadedScope(None, {}, {})
