"""What one monitor took in and made durable, kept beside it: the witness of the oracle.

Everything the engine was given is noted when it is given, and counts once the transaction that
holds it was committed. A crash forgets what was not; a power cut forgets more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from invariants.event import Event
from monitor.decode.rejected import Rejected
from monitor.merge import Item
from monitor.order import Noticed
from monitor.sources.base import Stream
from monitor.store_records import Change


@dataclass(frozen=True, slots=True)
class Stepped:
    """An event that the engine was given."""

    event: Event
    group: str
    is_duplicate: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that no invariant saw: forged, or one that the engine fails on."""

    event: Event
    noticed: Noticed
    group: str


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time that the engine was told of."""

    time_ns: int
    groups: frozenset[str] | None


Given = Stepped | Refused | Ticked


@dataclass(slots=True)
class Batch:
    """One turn's worth."""

    given: list[Given] = field(default_factory=list)
    taken: list[Item] = field(default_factory=list)
    positions: dict[Stream, int] = field(default_factory=dict)

    @property
    def rejected(self) -> list[Rejected]:
        return [item.content for item in self.taken if isinstance(item.content, Rejected)]


class WrongError(AssertionError):
    """The oracle has found the monitor at fault."""


@dataclass(slots=True)
class Ledger:
    """All batches that are durable, and the one at hand."""

    skipped: Mapping[Stream, set[int]]
    batches: list[Batch] = field(default_factory=list)
    at_hand: Batch = field(default_factory=Batch)
    durable: dict[Stream, int] = field(default_factory=dict)

    def forget_at_hand(self) -> None:
        self.at_hand = Batch()

    def commit(self, change: Change) -> None:
        """The transaction with this change is durable."""
        batch, self.at_hand = self.at_hand, Batch()
        batch.positions = {s: p.next_offset for s, p in change.positions.items()}
        self._account(batch)
        self.durable.update(batch.positions)
        self.batches.append(batch)

    def roll_back(self, batches_count: int) -> None:
        """A power cut: the store knows nothing of what came after."""
        del self.batches[batches_count:]
        self.forget_at_hand()
        self.durable = {}
        for batch in self.batches:
            self.durable.update(batch.positions)

    def _account(self, batch: Batch) -> None:
        """Positions move over exactly what was taken, and over what the source told as lost."""
        taken: dict[Stream, list[int]] = {}
        for item in batch.taken:
            taken.setdefault(item.stream, []).append(item.offset)
        for stream in taken.keys() - batch.positions.keys():
            raise WrongError(f"{stream}: {taken[stream]} were taken, and no position was stored")
        for stream, position in sorted(batch.positions.items()):
            known = self.durable.get(stream, 0)
            lost = self.skipped[stream]
            due = [offset for offset in range(known, position) if offset not in lost]
            if position < known:
                raise WrongError(f"{stream}: the stored position went back: {known}, {position}")
            if taken.get(stream, []) != due:
                raise WrongError(
                    f"{stream}: the position moved from {known} to {position}, "
                    f"and {taken.get(stream, [])} were taken"
                )
        given = [g for g in batch.given if not isinstance(g, Ticked)]
        if len(given) + len(batch.rejected) != len(batch.taken):
            raise WrongError(
                f"{len(batch.taken)} records were taken: {len(given)} events, "
                f"{len(batch.rejected)} rejected"
            )
