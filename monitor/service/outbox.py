"""The monitor's external effects, after they were stored: actions, findings, heartbeats.

Everything here is taken from the store's outbox and marked there. A crash in between repeats the
effect under the same id. If a broker is unreachable, the effect stays in the outbox and is retried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from monitor.actions.contract import Done
from monitor.actions.control import ControlIssuer, write_heartbeat
from monitor.actions.dispatch import BATCH_MAX, Dispatcher
from monitor.clock import Clock
from monitor.ingest.rejected import Rejected
from monitor.ingest.watermark import JudgedUpTo
from monitor.log import say
from monitor.service.record_size import dead_letter, fitting
from monitor.store.records import Committed, OutboxLetter
from monitor.store.store import Store
from monitor.topics import DEAD_LETTERS, FINDINGS
from monitor.transport.base import Frontier, Publisher, Stream

Frontiers = Mapping[Stream, Frontier]

FLUSH_S: Final = 10.0
OUTBOX_BATCH_MAX: Final = 1_000
SHARDS_TOLD: Final = 10
BEHIND_NS: Final = 10_000_000_000
"""Chosen: below the age at which guards refuse by default (15 s), so that the log comes first."""

BEHIND_BEAT_NS: Final = 1_000_000_000
"""Chosen: how often watermarks are published while a shard is behind. A flood of one sender delays
the events of others for some seconds; the wait for the next heartbeat must not add to that."""


class Effects:
    """Carries out stored effects. `publisher` is None if findings have no destination."""

    def __init__(
        self,
        *,
        store: Store,
        dispatcher: Dispatcher,
        publisher: Publisher | None,
        clock: Clock,
        issuer: ControlIssuer,
        heartbeat_ns: int,
        follow_control: Callable[[], None],
        upkeep: Callable[[Frontiers], object],
        count_action: Callable[[Done], None],
        count_failure: Callable[[], None],
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._publisher = publisher
        self._clock = clock
        self._issuer = issuer
        self._heartbeat_ns = heartbeat_ns
        self._follow_control = follow_control
        self._upkeep = upkeep
        self._count_action = count_action
        self._count_failure = count_failure
        self._next_heartbeat_ns = 0
        self._next_news_ns: int | None = None
        """When watermarks are published again before the next heartbeat; None: all is judged."""
        self._vouched_ns = clock.now_ns()
        self._has_backlog = True
        self._has_letters = True
        self._owes_heartbeat = True

    def catch_up(self) -> None:
        """Carry out effects that an earlier run stored and did not complete. Called once, at
        start.
        """
        self._act()
        self._publish_findings()
        self._publish_letters()

    def letters_of(
        self, rejected: Sequence[tuple[Rejected, bytes | None]]
    ) -> tuple[OutboxLetter, ...]:
        """The dead letters to store with a batch; none if there is nowhere to publish them."""
        if self._publisher is None:
            return ()
        return tuple(
            OutboxLetter(str(item.origin), dead_letter(item, raw)) for item, raw in rejected
        )

    def carry_out(
        self, committed: Committed, judged: Callable[[], JudgedUpTo | None], frontiers: Frontiers
    ) -> None:
        """Carry out the actions of a batch: stops first, then alerts. Then as `idle`."""
        # Alerts of many findings must not pile up behind the dispatcher's bound on one round.
        for _ in range(0, len(committed.actions), BATCH_MAX):
            self._act()
        if committed.findings:
            self._has_backlog = True
        if committed.letters_count:
            self._has_letters = True
        self.idle(judged, frontiers)

    def idle(self, judged: Callable[[], JudgedUpTo | None], frontiers: Frontiers) -> None:
        """Between batches: retry due actions, publish waiting findings, and publish a heartbeat.

        There is no heartbeat until the time up to which everything was judged is known.
        `frontiers` are the known ends of the streams.
        """
        if self._has_backlog:
            self._publish_findings()
        if self._has_letters:
            self._publish_letters()
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._next_heartbeat_ns:
            self._next_heartbeat_ns = now_ns + self._heartbeat_ns
            self._act()
            self._upkeep(frontiers)
            self._has_backlog = self._has_letters = self._owes_heartbeat = True
        elif self._next_news_ns is not None and now_ns >= self._next_news_ns:
            self._next_news_ns = None
            if (told := judged()) is not None:
                self._beat(told)
        if self._owes_heartbeat and (told := judged()) is not None:
            self._owes_heartbeat = False
            self._warn(told)
            self._beat(told)

    def heartbeat_age_s(self) -> float:
        """Since the earliest time that the last written sign of life vouches for (or the start).

        Asked by any thread. Guards compare the times of their own shards.
        """
        return max(self._clock.now_ns() - self._vouched_ns, 0) / 1e9

    def close(self) -> None:
        """One last round, then let go."""
        self._act()
        self._publish_findings()
        self._publish_letters()
        self._dispatcher.close()
        if self._publisher is not None:
            self._publisher.close()

    def _act(self) -> None:
        self._follow_control()
        for done in self._dispatcher.run_due():
            self._count_action(done)

    def _publish_findings(self) -> None:
        """Publish the outbox, oldest first, until it is empty or the broker refuses."""
        while True:
            waiting = self._store.pending_findings(OUTBOX_BATCH_MAX)
            if not waiting:
                self._has_backlog = False
                return
            ids = [finding.id for finding in waiting]
            if self._publisher is not None:
                try:
                    for finding in waiting:
                        self._publisher.publish(FINDINGS, finding.session, fitting(finding.json))
                    self._publisher.flush(FLUSH_S)
                except OSError as error:
                    say("error", "findings_not_published", count=len(ids), error=str(error))
                    self._store.mark_unpublished(ids)
                    self._count_failure()
                    self._has_backlog = False  # Tried again with the next heartbeat.
                    return
            self._store.mark_published(ids)

    def _publish_letters(self) -> None:
        """Publish waiting dead letters; they come last and delay nothing."""
        while self._publisher is not None:
            waiting = self._store.pending_letters(OUTBOX_BATCH_MAX)
            if not waiting:
                break
            try:
                for _, letter in waiting:
                    self._publisher.publish(DEAD_LETTERS, letter.origin, letter.json)
                self._publisher.flush(FLUSH_S)
            except OSError as error:
                say("error", "dead_letters_not_published", count=len(waiting), error=str(error))
                self._count_failure()
                break  # Tried again with the next heartbeat.
            self._store.forget_letters([seq for seq, _ in waiting])
        self._has_letters = False

    def _warn(self, judged: JudgedUpTo) -> None:
        oldest_ns = _oldest_ns(judged)
        behind_ns = self._clock.now_ns() - oldest_ns
        if self._publisher is None or behind_ns <= BEHIND_NS:
            return
        how_far: dict[str, float] = {"seconds": round(behind_ns / 1e9, 1)}
        text = "guards of these shards refuse while the monitor is this far behind"
        if oldest_ns == 0:
            # As at each start on Kafka: since 1970 is not a distance.
            how_far = {}
            text = "these shards have not been judged yet; their guards refuse until then"
        shards = sorted(judged.behind, key=lambda name: judged.behind[name])[:SHARDS_TOLD]
        say("warning", "monitor_is_behind", **how_far, shards=shards or "all", text=text)

    def _beat(self, judged: JudgedUpTo) -> None:
        if self._publisher is None:
            return
        if judged.time_ns - _oldest_ns(judged) > BEHIND_BEAT_NS:
            self._next_news_ns = self._clock.monotonic_ns() + BEHIND_BEAT_NS
        try:
            write_heartbeat(self._publisher, self._issuer, judged)
        except OSError as error:
            say("error", "heartbeat_not_written", error=str(error))
            return
        self._vouched_ns = _oldest_ns(judged)


def _oldest_ns(judged: JudgedUpTo) -> int:
    return min((judged.time_ns, *judged.behind.values()))
