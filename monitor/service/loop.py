"""The loop: the only place that orders effects.

    poll -> decode -> merge -> provenance -> ENGINE -> plan -> COMMIT -> act -> publish -> offsets

State, positions, findings and planned actions become durable in one transaction. Only then are
effects carried out, and marked when done. After a crash before the commit, the last batch is read
again. After a crash after it, actions and findings are in the outbox, and the next start carries
them out first. A repeated effect has the same id.

A batch that stops a target which is not stopped yet ends at the event that caused the stop, so that
a stop is not delayed. Later actions of a stopped session end no batch
(`monitor/service/responder.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from invariants.model.event import Origin
from monitor.clock import Clock
from monitor.findings.grouping import Groups
from monitor.findings.model import Finding
from monitor.ingest.merge import Merger
from monitor.ingest.provenance import Provenance
from monitor.ingest.read_record import read_record
from monitor.ingest.rejected import Rejected
from monitor.ingest.watermark import JudgedUpTo, Watch
from monitor.kernel.births import META_NAME, Loss
from monitor.kernel.evaluate import evaluate
from monitor.kernel.file_end import FileTime
from monitor.kernel.kernel import Kernel
from monitor.kernel.scope import LoadedScope
from monitor.log import say
from monitor.service.batch import Batch
from monitor.service.outbox import Effects
from monitor.service.responder import Responder
from monitor.store.records import Change, Committed, Position
from monitor.store.store import Store
from monitor.trace_key import is_about_others
from monitor.transport.base import Frontier, Notice, NoticeKind, RecognisingSource, Source, Stream

PACE_MIN: Final = 100
"""Records that are requested at a time, however slowly they are judged."""


class LoopSettings(msgspec.Struct, frozen=True):
    """The part of the configuration that the loop needs."""

    batch_records_max: int = 1_000
    batch_ns_max: int = 500_000_000
    """How long records are judged before findings are stored and a heartbeat is due.

    Chosen: far below the 15 s of guards, even if each record of a flood is a finding."""
    lateness_ns: int = 0
    tick_slack_ns: int = 2_000_000_000
    """How far the broker's clock may be behind ours without a tick coming too early."""
    gives_ticks: bool = True
    """False for finished files and backfills: there, only events decide deadlines."""
    is_finished_file: bool = False
    """After its last line the time is that of its events: this decides which deadlines are due."""
    poll_wait_s: float = 0.05
    """How long an idle turn waits for records; ticks and heartbeats come between turns."""
    keeps_raw: bool = False
    """True if dead letters contain the bytes of the record."""


Observer = Callable[[Batch, Committed, Mapping[Stream, Frontier]], None]
"""Called with each batch after its effects, and with the known end of each stream."""


class Loop:
    """One running monitor. `turn` processes one batch; `run` turns until it is stopped."""

    def __init__(
        self,
        *,
        source: Source,
        kernel: Kernel,
        store: Store,
        effects: Effects,
        clock: Clock,
        provenance: Provenance,
        responder: Responder,
        settings: LoopSettings,
        group_of: Callable[[Stream], str],
        merged_by: Callable[[Stream], str],
        observe: Observer,
        count_notice: Callable[[NoticeKind], None],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._kernel = kernel
        self._store = store
        self._effects = effects
        self._clock = clock
        self._provenance = provenance
        self._responder = responder
        self._groups = Groups(store.finding)
        self._settings = settings
        self._group_of = group_of
        self._observe = observe
        self._count_notice = count_notice
        self._beat = beat
        self.is_assigned = False
        """True once the source has assigned our streams."""
        self.trouble = ""
        """Why the source is out of reach; empty while it answers."""
        self._merger = Merger(merged_by)
        self._committed: dict[Stream, Position] = {}
        self._gone: set[Stream] = set()
        self._raw: dict[Origin, bytes] = {}
        self._is_finished = False
        self._file_time = FileTime()
        self.notice_counts: Counter[NoticeKind] = Counter()
        """Notices of the source since the start."""
        self.is_over = False
        """True if a finite source was judged to its end."""
        self._is_moving = False
        self._looked_ns = 0
        self._pace = settings.batch_records_max
        """Records to request at a time: this read-ahead is judged within about a second."""
        self._frontiers: Mapping[Stream, Frontier] = {}
        self._watch = Watch()

    def start(self) -> None:
        """Carry out effects that a crash may have left, then place the source at the store's
        end.
        """
        self._effects.catch_up()
        self._kernel.expect(self._store.load_deadlines())
        self._resume()

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Turn until stopped, or until a finite source has ended."""
        while not should_stop() and not self.turn():
            pass

    def turn(self) -> bool:
        """One batch from poll to offsets. True when there will be no more."""
        is_behind = self._merger.held_count > self._pace
        if not (is_behind and self._is_moving):
            self._poll()
        self._beat()
        batch = Batch(self._clock.monotonic_ns())
        self._responder.begin()
        self._take_records(batch)
        self._is_moving = not batch.is_empty
        self._pace = self._next_pace(batch)
        if not batch.is_urgent:
            self._take(batch, self._tick())
        self.is_over = not batch.is_urgent and self._has_all_been_taken()
        self._finish(batch)
        return self.is_over

    def _has_all_been_taken(self) -> bool:
        return self._is_finished and self._merger.held_count == 0

    @property
    def kernel(self) -> Kernel:
        """The scopes, for readers between two turns."""
        return self._kernel

    @property
    def frontiers(self) -> Mapping[Stream, Frontier]:
        """The known end of each stream, from the last poll."""
        return self._frontiers

    def _poll(self) -> None:
        # Records that wait for other streams wait for the next look, not for more records.
        self._looked_ns = begin_ns = self._clock.now_ns()
        wait_s = 0.0 if self._merger.held_count else self._settings.poll_wait_s
        poll = self._source.poll(wait_s, self._pace)
        for notice in poll.notices:
            self._tell(notice)
            if notice.begins_again:
                self._merger.begin_again(notice.stream, notice.to_offset)
        self._gone.update(poll.gone)
        if poll.lost:
            for stream in poll.lost:
                self._merger.forget(stream)
            self._kernel.forget_groups(frozenset(self._group_of(s) for s in poll.lost))
        if poll.gained:
            self._resume()
        for record in poll.records:
            content = read_record(record, is_trusted=self._provenance.is_trusted)
            if self._settings.keeps_raw and isinstance(content, Rejected):
                self._raw[content.origin] = record.value
            self._merger.put(record.stream, record.origin.offset, content)
        self._merger.know(poll.frontiers)
        self._frontiers = poll.frontiers
        self._watch.look(poll, begin_ns)
        self.is_assigned = bool(poll.frontiers) or poll.is_whole
        self.trouble = poll.trouble
        self._is_finished = self._is_finished or poll.is_finished

    def _resume(self) -> None:
        """Place the source at the store's positions, in the streams to which they belong."""
        self._committed = positions = dict(self._store.load_positions())
        if isinstance(self._source, RecognisingSource):
            known = {s: p.file_identity for s, p in positions.items() if p.file_identity}
            self._source.recognise(known)
        self._source.resume({stream: p.next_offset for stream, p in positions.items()})

    def _take_records(self, batch: Batch) -> None:
        now_ns = self._clock.now_ns()
        while self._has_room(batch):
            item = self._merger.next()
            if item is None:
                return
            batch.records_count += 1
            content = item.content
            if isinstance(content, Rejected):
                batch.dead_letters.append((content, self._raw.pop(content.origin, None)))
                self._take(batch, self._kernel.unread(content))
            else:
                batch.shapes[content.record.kind, content.record.tool] += 1
                if self._settings.is_finished_file:
                    self._file_time.see(content.ts_ns, now_ns)
                    content = msgspec.structs.replace(content, read_ns=now_ns)
                group = self._group_of(item.stream)
                stepped = evaluate(self._kernel, self._provenance, content, group)
                if stepped.findings:
                    self._take(batch, stepped.findings)

    def _next_pace(self, batch: Batch) -> int:
        """As many records as the last batch that was ended by time contained; otherwise more again.

        Until the read-ahead is judged, later records are not read, and the views of all guards grow
        older.
        """
        records_max = self._settings.batch_records_max
        if batch.is_urgent or self._has_room(batch):
            return min(records_max, 2 * self._pace)
        return min(records_max, max(PACE_MIN, batch.records_count))

    def _has_room(self, batch: Batch) -> bool:
        """True if the batch has room for one more record; the first is always accepted."""
        if batch.is_urgent or batch.records_count >= self._settings.batch_records_max:
            return False
        took_ns = self._clock.monotonic_ns() - batch.begins_ns
        return not batch.records_count or took_ns < self._settings.batch_ns_max

    def _take(self, batch: Batch, findings: list[Finding]) -> None:
        """Findings as reported, with the planned actions for each verdict."""
        if findings:
            told = self._groups.take(findings)
            groups = [finding for finding in told if finding.undecided]
            batch.take(told, self._responder.plan([*findings, *groups]))

    def _tick(self) -> list[Finding]:
        """Advance the time of each group to the point before which nothing can arrive."""
        if self._settings.is_finished_file and self._has_all_been_taken():
            return self._kernel.tick(self._file_time.reached_ns)
        if not self._settings.gives_ticks:
            return []
        # Not the current time: a process that was suspended has not seen later arrivals.
        now_ns = self._looked_ns - self._settings.tick_slack_ns
        findings: list[Finding] = []
        for group in self._merger.groups():
            reached_ns = self._merger.reached_ns(group, now_ns)
            if reached_ns is not None:
                time_ns = reached_ns - self._settings.lateness_ns
                findings += self._kernel.tick(time_ns, frozenset({group}))
        return findings

    def _finish(self, batch: Batch) -> None:
        """Make the batch durable, then carry out its effects, then commit offsets to the source."""
        positions = self._merger.positions()
        changes, dropped = self._kernel.take_changes()
        reached = {stream: self._position(stream, p) for stream, p in positions.items()}
        moved = {s: p for s, p in reached.items() if p.differs(self._committed.get(s))}
        gone = tuple(stream for stream in self._gone if stream not in positions)
        if not (changes or dropped or moved or gone or not batch.is_empty):
            self._effects.idle(self._judged, self._frontiers)
            return
        change = Change(
            positions=moved,
            positions_dropped=gone,
            scopes=changes,
            dropped=dropped,
            findings=batch.findings,
            actions=tuple(batch.actions),
            letters=self._effects.letters_of(batch.dead_letters),
        )
        batch.commit_begins_ns = self._clock.monotonic_ns()
        committed = self._store.commit(change)
        batch.commit_ends_ns = self._clock.monotonic_ns()
        self._groups.stored()
        self._committed.update(moved)
        self._gone.difference_update(gone)
        self._effects.carry_out(committed, self._judged, self._frontiers)
        self._source.commit(positions)
        batch.duplicates_count = self._kernel.take_duplicates_count()
        self._observe(batch, committed, self._frontiers)

    def _position(self, stream: Stream, offset: int) -> Position:
        frontier = self._frontiers.get(stream)
        return Position(offset, None if frontier is None else frontier.identity)

    def _judged(self) -> JudgedUpTo | None:
        return self._watch.judged(self._merger.held_arrivals())

    def _loss(self, notice: Notice) -> Loss:
        topic, group = notice.stream.topic, self._group_of(notice.stream)
        to_offset = 0 if notice.begins_again else notice.to_offset
        is_by_operators = is_about_others(topic)
        return Loss(0, self._clock.now_ns(), str(notice), topic, group, to_offset, is_by_operators)

    def _tell(self, notice: Notice) -> None:
        if notice.has_lost:
            # Before any position behind them is stored.
            self._store.set_meta(META_NAME, self._kernel.lose(self._loss(notice)))
        self._count_notice(notice.kind)
        self.notice_counts[notice.kind] += 1
        say("error", "source_notice", kind=notice.kind, stream=str(notice.stream), text=str(notice))


def scope_loader(store: Store) -> Callable[[str], LoadedScope]:
    """The engine's access to the stored content of a scope."""

    def load(scope: str) -> LoadedScope:
        stored = store.load_scope(scope)
        if stored.header is None:
            return LoadedScope(None, {}, {})
        return LoadedScope(stored.header, stored.states, store.load_seen(scope))

    return load
