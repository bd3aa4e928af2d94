"""What one monitor took in and made durable, kept beside it: the witness of the oracle.

Everything the engine was given is noted when it is given, and counts once the transaction that
holds it was committed. A crash forgets what was not; a power cut forgets more.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from invariants.model.event import Event
from monitor.ingest.merge import Item
from monitor.ingest.rejected import Rejected
from monitor.ingest.sequence import Noticed
from monitor.response.plan import Action
from monitor.store.records import Change
from monitor.topics import CONTROL
from monitor.trace_key import TraceKey
from monitor.transport.base import Stream
from tests.simulation.outside import NodeClock, Outside


@dataclass(frozen=True, slots=True)
class Stepped:
    """An event that the engine was given, and the traces that it said the event concerns."""

    event: Event
    group: str
    is_duplicate: bool
    traces: tuple[TraceKey, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that no invariant saw: forged, or one that the engine fails on."""

    event: Event
    noticed: Noticed


@dataclass(frozen=True, slots=True)
class Unread:
    """A record that is not an event."""

    rejected: Rejected


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time that the engine was told of."""

    time_ns: int
    groups: frozenset[str] | None


Given = Stepped | Refused | Unread | Ticked


@dataclass(slots=True)
class Batch:
    """One turn's worth."""

    given: list[Given] = field(default_factory=list)
    taken: list[Item] = field(default_factory=list)
    positions: dict[Stream, int] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()
    decided: dict[str, int] = field(default_factory=dict)
    """How many records had been taken when a finding was made, by the id under which it is told."""
    verdicts: set[str] = field(default_factory=set)
    """Ids of the engine's verdicts, before those that are undecided are grouped."""
    is_all_taken: bool = False
    """Whether the merger said that it had no more to give."""
    node_ns: int = 0
    """When it became durable, by the monitor's clock."""
    control_count: int = 0
    """How many records the control topic had then."""

    @property
    def rejected(self) -> list[Rejected]:
        return [item.content for item in self.taken if isinstance(item.content, Rejected)]


class WrongError(AssertionError):
    """The oracle has found the monitor at fault."""


@dataclass(slots=True)
class Ledger:
    """All batches that are durable, and the one at hand."""

    outside: Outside
    clock: NodeClock
    batches: list[Batch] = field(default_factory=list)
    at_hand: Batch = field(default_factory=Batch)
    durable: dict[Stream, int] = field(default_factory=dict)

    def forget_at_hand(self) -> None:
        self.at_hand = Batch()

    def commit(self, change: Change) -> None:
        """The transaction with this change is durable."""
        batch, self.at_hand = self.at_hand, Batch()
        batch.positions = {s: p.next_offset for s, p in change.positions.items()}
        batch.actions = tuple(change.actions)
        batch.node_ns, batch.control_count = self.clock.now_ns(), len(self.outside.told[CONTROL])
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
            lost = self.outside.skipped[stream]
            due = [offset for offset in range(known, position) if offset not in lost]
            if position < known:
                raise WrongError(f"{stream}: the stored position went back: {known}, {position}")
            if taken.get(stream, []) != due:
                raise WrongError(
                    f"{stream}: the position moved from {known} to {position}, "
                    f"and {taken.get(stream, [])} were taken"
                )
        given = [g for g in batch.given if not isinstance(g, Ticked)]
        if len(given) != len(batch.taken):
            raise WrongError(f"{len(batch.taken)} records were taken, and {len(given)} judged")
