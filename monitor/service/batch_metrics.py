"""A batch -> metrics, and the invariants that no event so far could violate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from invariants.runtime.program import Program
from monitor.clock import Clock
from monitor.findings.grouping import members_of
from monitor.findings.model import Finding
from monitor.log import say
from monitor.service.batch import Batch
from monitor.store.records import Committed
from monitor.store.store import Store
from monitor.telemetry.metrics import BatchCounts, Metrics
from monitor.transport.base import Frontier, Stream

NS_PER_S: Final = 1e9
DORMANT_AFTER_EVENTS: Final = 1_000
"""Chosen: after so many events without one that could violate it, an invariant may be misspelt."""
BACKLOG_EVERY_NS: Final = 5_000_000_000


class Teller:
    """Keeps counts between batches; called on the thread of the loop."""

    def __init__(
        self,
        program: Program,
        metrics: Metrics,
        store: Store,
        clock: Clock,
        *,
        warns_of_dormant: bool,
    ) -> None:
        self._program = program
        self._metrics = metrics
        self._store = store
        self._clock = clock
        self._dormant = {compiled.declared.id for compiled in program.invariants}
        self._next_backlog_ns = 0
        self._streams: set[Stream] = set()
        self.events_count = 0
        self._has_warned = not warns_of_dormant

    def observe(
        self, batch: Batch, committed: Committed, frontiers: Mapping[Stream, Frontier]
    ) -> None:
        """Count one batch."""
        now_ns = self._clock.now_ns()
        self.events_count += sum(batch.shapes.values())
        self._metrics.flush(self._counts(batch, committed, now_ns))
        for action in committed.actions:
            if action.state in ("would", "held"):
                self._metrics.count_action(action.kind, action.state, action.mode)
        self.tell_streams(frontiers)
        if now_ns >= self._next_backlog_ns:
            self._next_backlog_ns = now_ns + BACKLOG_EVERY_NS
            self.tell_backlog()
        self._warn_of_dormant()

    def tell_streams(self, frontiers: Mapping[Stream, Frontier]) -> None:
        """Report the lag of each stream; forget the streams that were revoked."""
        now_ns = self._clock.now_ns()
        for stream in self._streams - frontiers.keys():
            self._metrics.forget_stream(stream)
        self._streams = set(frontiers)
        for stream, frontier in frontiers.items():
            age_s = None
            if not frontier.is_at_end and frontier.read_to_ns is not None:
                age_s = (now_ns - frontier.read_to_ns) / NS_PER_S
            self._metrics.set_stream(stream, frontier.lag_records, age_s)

    def tell_backlog(self) -> None:
        """Report the size of the store, and the records that are pending in it."""
        backlog = self._store.backlog()
        self._metrics.set_backlog(
            scopes_count=backlog.scopes_count,
            findings_pending_count=backlog.findings_pending_count,
            actions_pending_count=backlog.actions_pending_count,
        )

    def dormant(self) -> list[str]:
        """Invariants that no event so far could violate, by its kind and its tool."""
        return sorted(self._dormant)

    def _counts(self, batch: Batch, committed: Committed, now_ns: int) -> BatchCounts:
        kinds: Counter[str] = Counter()
        judged: Counter[str] = Counter()
        for (kind, tool), count in batch.shapes.items():
            kinds[kind] += count
            for program in self._program.scopes:
                for index, route in program.plan(kind, tool).concerned:
                    if route.is_judged:
                        id_ = program.invariants[index].declared.id
                        self._dormant.discard(id_)
                        judged[id_] += count
        told = list(_fresh_verdicts(committed))
        new = [f for f in committed.findings if f.id not in committed.before]
        unknown = Counter(f.invariant for f in told if f.type == "inconclusive")
        end_ns = self._clock.monotonic_ns()
        return BatchCounts(
            ended_s=now_ns / NS_PER_S,
            batch_s=(end_ns - batch.begins_ns) / NS_PER_S,
            commit_s=(batch.commit_ends_ns - batch.commit_begins_ns) / NS_PER_S,
            events=kinds,
            rejected=Counter(rejected.reason for rejected, _ in batch.dead_letters),
            duplicates_count=batch.duplicates_count,
            dead_letters_count=len(batch.dead_letters),
            judged=judged,
            unknown=unknown,
            findings=Counter((f.invariant, f.severity, f.type) for f in told),
            finding_delays_s=[(now_ns - f.decided_ns) / NS_PER_S for f in new],
            capacity=Counter("scope" for f in new if f.type == "capacity"),
        )

    def _warn_of_dormant(self) -> None:
        if self._has_warned or self.events_count < DORMANT_AFTER_EVENTS:
            return
        self._has_warned = True
        for invariant in self.dormant():
            say("warning", "invariant_saw_no_event", invariant=invariant, events=self.events_count)


def _fresh_verdicts(committed: Committed) -> Iterator[Finding]:
    """The verdicts of findings, each once: without the members that a group had before."""
    for finding in committed.findings:
        old = committed.before.get(finding.id)
        known = set() if old is None else {verdict.id for verdict in members_of(old)}
        yield from (verdict for verdict in members_of(finding) if verdict.id not in known)
