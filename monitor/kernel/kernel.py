"""The kernel: the scopes of one monitor and their states, behind one door.

    prepare(event) -> Prepared        judges; changes nothing
    commit(prepared) -> findings      takes the event in as it was judged, without judging again
    step(event)                       both
    tick(time)                        what time alone decides
    take_changes()                    the content to write, encoded
    inspect(key)                      what is held of a session, for readers

It owns no clock, file or socket. It calls `load` for scopes that are not in memory, and
`take_changes` returns the changes of a batch, to be stored together with the batch's positions. A
verdict depends on the events and their effective times, and on nothing else. Nobody else knows what
a state looks like. A `Prepared` that is not committed needs no clean-up.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from invariants.model.event import Event
from invariants.model.verdict import EventRef
from invariants.runtime.program import Program
from invariants.runtime.scope_program import Judged, Progress
from invariants.runtime.unsure_time import step_at, timed_ids
from monitor.detection.scoring import Scoring
from monitor.findings.model import Finding
from monitor.ingest.rejected import Rejected
from monitor.ingest.sequence import Header, Noticed, admit, doubt_at_end, misplaced_in
from monitor.kernel.births import Loss
from monitor.kernel.build_finding import refusals, session_findings
from monitor.kernel.covering import covering
from monitor.kernel.file_end import Disorder, OpenVerdict, open_verdicts, runs_of
from monitor.kernel.gated_sessions import opened_in, reach_gated
from monitor.kernel.losses import at_event, at_rest
from monitor.kernel.owners import Owners, Unowned
from monitor.kernel.prepared import Prepared, Repeated, StaleError, Stepped, Taken, Unplaced
from monitor.kernel.prevented import prevented
from monitor.kernel.scope import EMPTY_LOAD, Load, ScopeChange
from monitor.kernel.sessions import (
    SessionKind,
    SessionScope,
    end_of,
    header_in,
    holes_of,
    id_digest_of,
    is_repeat,
    rest_ns_of,
)
from monitor.kernel.settings import KernelSettings
from monitor.kernel.table import ScopeTable
from monitor.kernel.unread import UnreadRecords
from monitor.kernel.wider import WiderScopes
from monitor.scope_key import WiderKey, scope_named
from monitor.trace_key import TraceKey


class Kernel:
    """Holds the scopes of one monitor."""

    def __init__(
        self,
        program: Program,
        settings: KernelSettings,
        load: Load = lambda scope: EMPTY_LOAD,
        scoring: Scoring | None = None,
    ) -> None:
        self.program, self._session = program, program.session
        self.settings = settings
        self.disorder = Disorder()
        self._scoring = scoring
        self._sessions: ScopeTable[TraceKey, SessionScope] = ScopeTable(
            SessionKind(program.session, settings, scoring),
            load,
            settings.births,
            scopes_max=settings.scopes_in_memory_max,
            pairs_max=settings.pairs_in_memory_max,
        )
        self.owners = Owners(load, self._header)
        self._clocks = settings.clocks()
        self._timed = timed_ids(program.session)
        self._duplicates_count = 0
        self._unread = UnreadRecords(program, settings.severities)
        self._wider = WiderScopes(program, load, settings, self._clocks.back_ns_max)

    def reach(self, event: Event) -> list[Finding]:
        """Do all that time alone decides before an event: in all scopes if some are wider than a
        session, else ticks would place the ends of idle sessions; and in those of a gate's event.
        """
        found: list[Finding] = []
        arrival_ns = event.arrival_ns
        if self.program.wider and arrival_ns is not None and event.not_before_ns is None:
            found = self.tick(arrival_ns - self.settings.lateness_ns)
        if event.is_of_gate:
            found += reach_gated(self._sessions, self.owners, event, self.settings, self._wake)
        return found

    def step(self, event: Event, group: str = "") -> list[Finding]:
        """Take in one event; findings in the order in which they were decided."""
        return self.take(event, group).findings

    def take(self, event: Event, group: str = "") -> Stepped:
        """The same, with the fate of the event."""
        return self._commit(self.prepare(event, group))

    def prepare(self, event: Event, group: str = "", upon: Taken | None = None) -> Prepared:
        """Judge an event in its session and in every wider scope, with all deadlines before it; no
        scope changes.

        Deadlines of other scopes that its arrival proves are for `reach`, before it. `upon` is an
        event of the same session that is supposed to come just before; the result is for readers,
        and cannot be committed.
        """
        owner = self.owners.trace_of(event)
        if isinstance(owner, Unowned):
            return Unplaced(event, owner.noticed, owner.traces)
        scope = self._sessions.scope(owner)
        if scope.header.is_gated and (misplaced := misplaced_in(event)):
            return Unplaced(event, misplaced, (owner,))
        if event.principal != owner.principal:
            event = msgspec.structs.replace(event, principal=owner.principal)
        id_digest = id_digest_of(event.id)
        if known := is_repeat(scope.seen, id_digest, event.digest):
            return Repeated(event, owner)
        settings, digest = self.settings, "" if known is None else event.digest.hex()
        header, progress = scope.header, scope.progress
        if upon is not None:
            assert upon.owner == owner, "supposed in the same session"
            header, progress = upon.header, upon.judged.progress
        before, lost = at_event(self._sessions.births, settings, self._session, header, event)
        admission = admit(
            before,
            event,
            group=group,
            clocks=self._clocks,
            timed=self._timed,
            is_finished_file=settings.is_finished_file,
            conflict_digest=digest,
        )
        placed, after = settings.placed(event, admission)
        asked = self._session.asked_of(progress.shown, placed)
        doubt = admission.doubt
        return Taken(
            placed,
            owner,
            scope,
            (header, progress),
            after,
            step_at(self._session, progress, placed, doubt, covers=covering(header, after)),
            self._wider.judge(placed, after, asked, doubt, () if upon is None else upon.wider),
            doubt,
            admission.is_back,
            (*lost, *admission.noticed, *opened_in(event, header)),
            after.has_spoken and not header.has_spoken,
            id_digest,
            digest,
        )

    def violations(self, taken: Taken) -> list[Finding]:
        """The violations that taking an event in would decide, as of a prevented call."""
        return prevented(self._session, self._wider, self.settings, taken)

    def commit(self, prepared: Prepared) -> Stepped:
        """Take an event in as it was judged. StaleError if one of its scopes has changed since."""
        if self._is_stale(prepared):
            raise StaleError("a scope has changed since the event was judged: judge it again")
        return self._commit(prepared)

    def _is_stale(self, prepared: Prepared) -> bool:
        """True if the event would be judged by other contents now."""
        if isinstance(prepared, Unplaced):
            return self.traces_of(prepared.event) != prepared.traces
        if self.traces_of(prepared.event) != (prepared.owner,):
            return True
        scope = self._sessions.scope(prepared.owner)
        if isinstance(prepared, Repeated):
            return not is_repeat(scope.seen, id_digest_of(prepared.event.id), prepared.event.digest)
        if scope is not prepared.scope or not scope.is_at(prepared.before):
            return True
        return self._wider.is_stale(prepared.wider)

    def _commit(self, prepared: Prepared) -> Stepped:
        if isinstance(prepared, Taken):
            return self._take(prepared)
        if isinstance(prepared, Repeated):
            self._duplicates_count += 1
            return Stepped([], "repeat", prepared.event, (prepared.owner,))
        event, noticed, traces = prepared
        return Stepped(self.refuse(event, noticed), "refused", event, traces)

    def _take(self, taken: Taken) -> Stepped:
        event, owner, scope, wider = taken.event, taken.owner, taken.scope, taken.wider
        noticed = taken.noticed
        if taken.speaks:
            noticed = (*noticed, *self.owners.speaks(owner))
        is_back = taken.is_back or any(one.header.time_ns > event.time_ns for one in wider)
        self.disorder.note(event.origin, taken.doubt, is_back=is_back)
        scope.remember(taken.id_digest, event.digest, self.settings.ids_max)
        digest = taken.conflict_digest
        found = self._apply(
            owner,
            scope,
            taken.judged,
            event,
            taken.header,
            noticed=noticed,
            conflict_digest=digest,
        )
        found += self._wider.keep(wider, event, taken.header, digest)
        return Stepped(found, "taken", event, (owner,), taken)

    def score(self, taken: Taken) -> list[Finding]:
        """The detector's score of an event that was taken in; separate, so that its failure loses
        no verdict.
        """
        if self._scoring is None:
            return []
        scored = taken.scope.scored
        assert scored is not None, "made with the scope"
        return self._scoring.score(scored, taken.event, taken.header, taken.conflict_digest)

    def tick(self, time_ns: int, groups: frozenset[str] | None = None) -> list[Finding]:
        """Time has reached `time_ns`, in all scopes or (without wider ones) in those of `groups`:
        decide deadlines before it, close idle sessions, evict those that ended `linger` ago.
        """
        findings: list[Finding] = []
        waiting: list[tuple[int, TraceKey]] = []
        groups = None if self.program.wider else groups
        if self.settings.is_finished_file:
            findings += holes_of(self._sessions, self.settings)
            for key, scope, judged in runs_of(self._sessions, self._session):
                findings += self._apply(key, scope, judged, None, scope.header)
            findings += self._wider.runs()
        sessions = self._sessions
        while (entry := sessions.pop_due(time_ns)) is not None:
            due_ns, key = entry
            scope = sessions.scope(key)
            if scope.header.position == 0:
                # The entry has outlived its scope, and would be due again for ever.
                sessions.forget(key)
                continue
            if groups is not None and scope.header.group not in groups:
                waiting.append(entry)
                continue
            scope.queued_ns = None
            # Entries of the heap may be old. Only scopes that are due are woken, so that sessions
            # end in the order of their own times, whatever was stored, loaded or read in between.
            next_ns = sessions.wake_ns(key, scope)
            if next_ns is not None and next_ns <= due_ns:
                held_back_ns = self.settings.held_back_ns(scope.header)
                findings += self._wake(key, scope, time_ns - held_back_ns)
            if sessions.held(key) is not None:
                sessions.queue(key, scope)
        sessions.put_back(waiting)
        return findings + self._wider.tick(time_ns)

    def _wake(self, key: TraceKey, scope: SessionScope, time_ns: int) -> list[Finding]:
        """The next due time: of deadlines, of the end of an idle session, or of its eviction."""
        deadline_ns = scope.progress.next_deadline_ns
        rest_ns = rest_ns_of(scope.header, self.settings)
        if deadline_ns is not None and (rest_ns is None or deadline_ns < rest_ns):
            # Those behind the rest are for the session's end to decide.
            reached_ns = time_ns if rest_ns is None else min(time_ns, rest_ns)
            header, lost = at_rest(self._sessions.births, self._session, scope.header)
            judged = self._session.tick(scope.progress, reached_ns, covering(scope.header, header))
            return self._apply(key, scope, judged, None, header, noticed=lost)
        assert rest_ns is not None, "a session without it is woken for a deadline"
        if scope.header.ended_ns is None:
            return self.close(key, rest_ns)
        findings = self._end(key, scope, rest_ns) if scope.progress.is_waiting() else []
        self._sessions.drop(key)
        self.owners.forget(key)
        return findings

    def close(self, key: TraceKey, time_ns: int) -> list[Finding]:
        """An idle session gets its own `session.ended`, which no client sent."""
        scope = self._sessions.scope(key)
        if scope.header.ended_ns is not None or scope.header.position == 0:
            return []
        return self._end(key, scope, time_ns)

    def _end(self, key: TraceKey, scope: SessionScope, time_ns: int) -> list[Finding]:
        ended_ns = max(time_ns, scope.header.time_ns)
        before, lost = at_rest(self._sessions.births, self._session, scope.header)
        event, header = end_of(key, before, ended_ns)
        # A session that had ended before has had its end in every wider scope.
        is_first = scope.header.ended_ns is None
        wider = self._wider.judge(event, header, scope.progress.shown) if is_first else []
        doubt, covers = doubt_at_end(scope.header), covering(scope.header, header)
        judged = step_at(self._session, scope.progress, event, doubt, covers=covers)
        found = self._apply(key, scope, judged, event, header, noticed=lost)
        return found + self._wider.keep(wider, event, header, "")

    def _apply(
        self,
        key: TraceKey,
        scope: SessionScope,
        judged: Judged,
        event: Event | None,
        header: Header,
        *,
        noticed: tuple[Noticed, ...] = (),
        conflict_digest: str = "",
    ) -> list[Finding]:
        """Keep the new header and progress, and turn verdicts into findings."""
        grown = 0
        if self._session.sources:
            grown = judged.progress.shown.length - scope.progress.shown.length
        noticed = (*scope.take_owed(), *noticed)
        before, scope.header, scope.progress = scope.header, header, judged.progress
        self._sessions.changed(key, scope, grown_pairs=grown)
        if not judged.verdicts and not noticed and not judged.lost and not judged.sources_lost:
            return []
        return session_findings(
            self._session,
            judged,
            noticed,
            trace=key,
            anchor=EventRef(header.position - 1, header.time_ns, event.id if event else ""),
            senders=(before, header),
            conflict_digest=conflict_digest,
            mode_cap=self.settings.mode_cap,
            severities=self.settings.severities,
            ids_max=self.settings.ids_max,
        )

    def refuse(self, event: Event, noticed: Noticed) -> list[Finding]:
        """A finding about an event that the invariants do not see, at the next one's position."""
        traces = ((key, self._sessions.scope(key).header) for key in self.traces_of(event))
        return refusals(event, noticed, traces, self.settings.severities)

    def unread(self, rejected: Rejected) -> list[Finding]:
        """The findings about a rejected record; it belongs to no trace."""
        found: list[Finding] = []
        for key in self.owners.concerned(rejected):
            scope = self._sessions.scope(key)
            found += self._unread.take(rejected, key, scope)
            if scope.header.position:  # Pending reports are made now: what is stored counts.
                found += self._apply(key, scope, Judged(scope.progress, ()), None, scope.header)
            elif scope.header == Header():  # The scope is unknown.
                self._sessions.forget(key)
        return found if rejected.known.session else self._unread.take_unnamed(rejected)

    def expect(self, wakes: list[tuple[int, str]]) -> None:
        """Wake-ups from the store, after a start."""
        named = [(due_ns, scope_named(stored)) for due_ns, stored in wakes]
        self._sessions.expect([(ns, key) for ns, key in named if isinstance(key, TraceKey)])
        self._wider.table.expect([(ns, key) for ns, key in named if isinstance(key, WiderKey)])

    def take_changes(self) -> tuple[list[ScopeChange], list[str]]:
        """The changes to write since the last call, and the evicted scopes."""
        parts = self._wider.table, self._sessions, self.owners
        taken = [part.take_changes() for part in parts]
        changes = [change for changed, _ in taken for change in changed]
        return changes, [name for _, dropped in taken for name in dropped]

    def forget_groups(self, groups: frozenset[str]) -> None:
        """Partitions went to another monitor: their scopes leave memory, unwritten."""
        gone = [key for key, scope in self._sessions.items() if scope.header.group in groups]
        self._sessions.forget_where(gone)
        self._wider.table.forget_where(key for key, _ in self._wider.table.items())
        self.owners.forget_all()

    def lose(self, loss: Loss) -> str:
        """Records of a partition were lost unread; returns the content that the store must keep."""
        births = self._sessions.births.after_loss(loss)
        self._sessions.births = self._wider.table.births = births
        return births.stored()

    def take_duplicates_count(self) -> int:
        """The number of duplicates since the last call; they changed nothing."""
        count, self._duplicates_count = self._duplicates_count, 0
        return count

    @property
    def scopes_count(self) -> int:
        """Scopes in memory."""
        return len(self._sessions) + len(self._wider.table)

    def open_verdicts(self) -> Iterator[OpenVerdict]:
        """Verdicts that are pending in any scope that is waited for, in memory or stored."""
        for key, scope in self._sessions.waited_for():
            yield from open_verdicts(self._session, scope.progress, key.session)
        yield from self._wider.open_verdicts()

    def _header(self, key: TraceKey) -> Header:
        """The header of a session; it stays in memory or in the store."""
        scope = self._sessions.held(key)
        return header_in(self._sessions.stored(key)) if scope is None else scope.header

    def traces_of(self, event: Event) -> tuple[TraceKey, ...]:
        """The traces that an event enters: none or several if its session's owner is ambiguous."""
        owner = self.owners.trace_of(event)
        return (owner,) if isinstance(owner, TraceKey) else owner.traces

    def inspect(self, key: TraceKey) -> tuple[Header, Progress] | None:
        """The content of a session in memory, for readers; a later step creates new objects."""
        scope = self._sessions.held(key)
        return None if scope is None else (scope.header, scope.progress)
