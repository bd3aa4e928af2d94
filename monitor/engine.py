"""The engine: scopes and their states; `Event | Tick | Close` in, findings out.

It owns no clock, file or socket. It calls `load` for scopes that are not in memory, and
`take_changes` returns the changes of a batch, to be stored together with the batch's positions. A
verdict depends on the events and their effective times, and on nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

import msgspec

from invariants.event import Close, Event, Input, Tick
from invariants.program import Program
from invariants.scope_program import Judged, Progress
from invariants.unsure_time import step_at, timed_ids
from invariants.verdict import EventRef
from monitor.births import Loss
from monitor.decode.rejected import Rejected
from monitor.engine_settings import EngineSettings
from monitor.file_end import Disorder, OpenVerdict, counts_runs, open_verdicts
from monitor.finding import Finding
from monitor.finding_make import hole_findings, refusals, session_findings
from monitor.losses import at_event, at_rest
from monitor.order import Clocks, Header, Noticed, admit, doubt_at_end, holes_told
from monitor.owners import Owners, Unowned
from monitor.scope import (
    EMPTY_LOAD,
    LiveScope,
    LoadedScope,
    ScopeChange,
    end_of,
    header_in,
    id_digest_of,
    is_repeat,
    rest_ns_of,
    restored,
    take_change,
    wake_ns_of,
)
from monitor.scope_names import scope_named, stored_trace
from monitor.scoring import Scoring
from monitor.trace_key import TraceKey
from monitor.unread import UnreadRecords
from monitor.wakes import Wakes
from monitor.wider import WiderScopes


class Engine:
    """Holds the scopes of one monitor."""

    def __init__(
        self,
        program: Program,
        settings: EngineSettings,
        load: Callable[[str], LoadedScope] = lambda scope: EMPTY_LOAD,
        scoring: Scoring | None = None,
    ) -> None:
        self.program, self._session = program, program.session
        self.settings = settings
        self._load = load
        self._scoring = scoring
        self._taken: tuple[LiveScope, Event, str] | None = None
        self._scopes: OrderedDict[TraceKey, LiveScope] = OrderedDict()
        self._changed: dict[TraceKey, LiveScope] = {}
        self._dropped: dict[TraceKey, None] = {}
        self._wakes = Wakes[TraceKey]()
        self._owners = Owners(load, self._header)
        self._clocks = Clocks(settings.lateness_ns, settings.skew_ns, settings.trust_ts)
        self._timed = timed_ids(program.session)
        self._duplicates_count = 0
        self.disorder = Disorder()
        self._unread = UnreadRecords(program, settings.severities)
        self._pairs_count = 0
        self._births = settings.births
        self._wider = WiderScopes(program, load, self._header, settings, self._clocks.back_ns_max)

    def reach(self, event: Event) -> list[Finding]:
        """Do all that time alone decides before an event, if scopes are wider than a session: else
        ticks would decide whether an idle session ends before or after it in a wider trace.
        """
        arrival_ns = event.arrival_ns
        if not self.program.wider or arrival_ns is None or event.not_before_ns is not None:
            return []
        return self.tick(arrival_ns - self.settings.lateness_ns)

    def step(self, given: Input, group: str = "") -> list[Finding]:
        """Take in one input; findings in the order in which they were decided."""
        match given:
            case Event():
                return self._step_event(given, group)
            case Tick(time_ns):
                return self.tick(time_ns)
            case Close(scope, time_ns, principal):
                return self._close(TraceKey(principal, scope), time_ns)

    def score(self) -> list[Finding]:
        """The detector's score of the last step; separate, so that its failure loses no verdict."""
        if self._scoring is None or self._taken is None:
            return []
        (scope, event, digest), self._taken = self._taken, None
        assert scope.scored is not None, "made with the scope"
        return self._scoring.score(scope.scored, event, scope.header, digest)

    def tick(self, time_ns: int, groups: frozenset[str] | None = None) -> list[Finding]:
        """Time has reached `time_ns`, in all scopes or (without wider ones) in those of `groups`:
        decide deadlines before it, close idle sessions, evict those that ended `linger` ago.
        """
        findings: list[Finding] = []
        waiting: list[tuple[int, TraceKey]] = []
        groups = None if self.program.wider else groups
        if self.settings.is_finished_file:
            findings += self._tell_holes()
            findings += self._tell_runs()
        while (entry := self._wakes.pop_before(time_ns)) is not None:
            due_ns, name = entry
            scope = self._scope(name)
            if scope.header.position == 0:
                # The entry has outlived its scope, and would be due again for ever.
                self._forget(name)
                continue
            if groups is not None and scope.header.group not in groups:
                waiting.append(entry)
                continue
            scope.queued_ns = None
            # Entries of the heap may be old. Only scopes that are due are woken, so that sessions
            # end in the order of their own times, whatever was stored, loaded or read in between.
            if (next_ns := wake_ns_of(scope, self.settings)) is not None and next_ns <= due_ns:
                findings += self._wake(name, scope, time_ns)
            if name in self._scopes:
                self._wakes.queue(name, scope, wake_ns_of(scope, self.settings))
        self._wakes.put_back(waiting)
        return findings + self._wider.tick(time_ns)

    def _wake(self, name: TraceKey, scope: LiveScope, time_ns: int) -> list[Finding]:
        """The next due time: of deadlines, of the end of an idle session, or of its eviction."""
        deadline_ns = scope.progress.next_deadline_ns
        rest_ns = rest_ns_of(scope.header, self.settings)
        if deadline_ns is not None and (rest_ns is None or deadline_ns < rest_ns):
            # Those behind the rest are for the session's end to decide.
            reached_ns = time_ns if rest_ns is None else min(time_ns, rest_ns)
            judged = self._session.tick(scope.progress, reached_ns)
            header, lost = at_rest(self._births, self._session, scope.header)
            return self._apply(name, scope, judged, None, header, noticed=lost)
        assert rest_ns is not None, "a session without it is woken for a deadline"
        if scope.header.ended_ns is None:
            return self._close(name, rest_ns)
        findings = self._end(name, scope, rest_ns) if scope.progress.is_waiting() else []
        self._drop(name)
        return findings

    def _drop(self, name: TraceKey) -> None:
        self._forget(name)
        self._owners.forget(name)
        self._changed.pop(name, None)
        self._dropped[name] = None

    def _forget(self, name: TraceKey) -> None:
        self._pairs_count -= self._scopes.pop(name).progress.shown.length

    def expect(self, wakes: list[tuple[int, str]]) -> None:
        """Wake-ups from the store, after a start."""
        named = [(due_ns, scope_named(stored)) for due_ns, stored in wakes]
        self._wakes.expect([(ns, scope) for ns, scope in named if isinstance(scope, TraceKey)])
        self._wider.expect([(ns, of) for ns, of in named if not isinstance(of, TraceKey)])

    def take_changes(self) -> tuple[list[ScopeChange], list[str]]:
        """The changes to write since the last call, and the evicted scopes."""
        changes, dropped = self._wider.take_changes()
        changes += [self._change(name, scope) for name, scope in self._changed.items()]
        dropped += [stored_trace(name) for name in self._dropped]
        users_changed, users_dropped = self._owners.take_changes()
        self._changed, self._dropped = {}, {}
        while self._is_crowded():
            self._forget(next(iter(self._scopes)))
        return changes + users_changed, dropped + users_dropped

    def _is_crowded(self) -> bool:
        """One scope may be larger than all should be: it stays."""
        scopes_count, settings = len(self._scopes), self.settings
        return scopes_count > settings.scopes_in_memory_max or (
            scopes_count > 1 and self._pairs_count > settings.pairs_in_memory_max
        )

    def forget_groups(self, groups: frozenset[str]) -> None:
        """Partitions went to another monitor: their scopes leave memory, unwritten."""
        gone = [name for name, scope in self._scopes.items() if scope.header.group in groups]
        for name in gone:
            self._forget(name)
            self._changed.pop(name, None)
        self._wider.forget()
        self._owners.forget_all()

    def lose(self, loss: Loss) -> str:
        """Records of a partition were lost unread; returns the content that the store must keep."""
        self._births = self._wider.births = self._births.after_loss(loss)
        return self._births.stored()

    def take_duplicates_count(self) -> int:
        """The number of duplicates since the last call; they changed nothing."""
        count, self._duplicates_count = self._duplicates_count, 0
        return count

    @property
    def scopes_count(self) -> int:
        """Scopes in memory."""
        return len(self._scopes) + self._wider.scopes_count

    def open_verdicts(self) -> Iterator[OpenVerdict]:
        """Verdicts that are pending in any scope that is waited for, in memory or stored."""
        for name, scope in self._waited_for():
            yield from open_verdicts(self._session, scope.progress, name.session)
        yield from self._wider.open_verdicts()

    def _waited_for(self) -> Iterator[tuple[TraceKey, LiveScope]]:
        """Every session that has something to come; with `idle_close` all that have not gone."""
        for name in self._wakes.scopes():
            is_here = name in self._scopes
            scope = self._scope(name)
            if scope.header.position:
                yield name, scope
            if not is_here and name not in self._changed:
                self._forget(name)

    def _tell_holes(self) -> list[Finding]:
        """Numbers that did not come in the whole file."""
        findings: list[Finding] = []
        for name, scope in self._waited_for():
            header = scope.header
            if not header.holes:
                continue
            scope.header = holes_told(header)
            self._changed[name] = scope
            findings += hole_findings(header, name, self.settings.severities, self.settings.ids_max)
        return findings

    def _tell_runs(self) -> list[Finding]:
        """Runs of violations that the file does not end, with their size at its end."""
        findings: list[Finding] = []
        if counts_runs(self._session):
            for name, scope in self._waited_for():
                if (judged := self._session.runs(scope.progress)).verdicts:
                    findings += self._apply(name, scope, judged, None, scope.header)
        return findings + self._wider.runs()

    def _header(self, trace: TraceKey) -> Header:
        """The scope of a trace; it stays in memory or in the store."""
        held = self._scopes.get(trace)
        return header_in(self._stored(trace)) if held is None else held.header

    def _stored(self, trace: TraceKey) -> LoadedScope:
        # What was dropped in this batch is still in the store: it must not come back from there.
        return EMPTY_LOAD if trace in self._dropped else self._load(stored_trace(trace))

    def traces_of(self, event: Event) -> tuple[TraceKey, ...]:
        """The traces that an event enters: none or several if its session's owner is ambiguous."""
        owner = self._owners.trace_of(event)
        return (owner,) if isinstance(owner, TraceKey) else owner.traces

    def look(self, scope: TraceKey) -> tuple[Header, Progress] | None:
        """The content of a scope in memory, for readers; a later step creates new objects."""
        held = self._scopes.get(scope)
        return None if held is None else (held.header, held.progress)

    def _step_event(self, event: Event, group: str) -> list[Finding]:
        owner = self._owners.trace_of(event)
        if isinstance(owner, Unowned):
            return self.refuse(event, owner.noticed, group)
        scope = self._scope(owner)
        if event.principal != owner.principal:
            event = msgspec.structs.replace(event, principal=owner.principal)
        id_digest = id_digest_of(event.id)
        if known := is_repeat(scope.seen, id_digest, event.digest):
            self._duplicates_count += 1
            return []
        settings, digest = self.settings, "" if known is None else event.digest.hex()
        before, lost = at_event(self._births, settings, self._session, scope.header, event)
        admission = admit(
            before,
            event,
            group=group,
            clocks=self._clocks,
            timed=self._timed,
            is_finished_file=settings.is_finished_file,
            conflict_digest=digest,
        )
        noticed = (*lost, *admission.noticed)
        if admission.header.has_spoken and not scope.header.has_spoken:
            noticed = (*noticed, *self._owners.speaks(owner))
        event = admission.placed(event)
        asked = self._session.asked_of(scope.progress.shown, event)
        wider = self._wider.judge(event, admission.header, asked, admission.doubt)
        is_back = admission.is_back or any(one.header.time_ns > event.time_ns for one in wider)
        self.disorder.note(event.origin, admission.doubt, is_back=is_back)
        judged = step_at(self._session, scope.progress, event, admission.doubt)
        scope.remember(id_digest, event.digest, settings.ids_max)
        if self._scoring is not None:
            self._taken = scope, event, digest
        found = self._apply(
            owner, scope, judged, event, admission.header, noticed=noticed, conflict_digest=digest
        )
        return found + self._wider.hold(wider, event, digest)

    def _close(self, name: TraceKey, time_ns: int) -> list[Finding]:
        """An idle session gets its own `session.ended`, which no client sent."""
        scope = self._scope(name)
        if scope.header.ended_ns is not None or scope.header.position == 0:
            return []
        return self._end(name, scope, time_ns)

    def _end(self, name: TraceKey, scope: LiveScope, time_ns: int) -> list[Finding]:
        ended_ns = max(time_ns, scope.header.time_ns)
        before, lost = at_rest(self._births, self._session, scope.header)
        event, header = end_of(name, before, ended_ns)
        # A session that had ended before has had its end in every wider scope.
        is_first = scope.header.ended_ns is None
        wider = self._wider.judge(event, header, scope.progress.shown) if is_first else []
        judged = step_at(self._session, scope.progress, event, doubt_at_end(scope.header))
        found = self._apply(name, scope, judged, event, header, noticed=lost)
        return found + self._wider.hold(wider, event, "")

    def _apply(
        self,
        name: TraceKey,
        scope: LiveScope,
        judged: Judged,
        event: Event | None,
        header: Header,
        *,
        noticed: tuple[Noticed, ...] = (),
        conflict_digest: str = "",
    ) -> list[Finding]:
        """Keep the new header and progress, and turn verdicts into findings."""
        if self._session.sources:
            grown = judged.progress.shown.length - scope.progress.shown.length
            self._pairs_count += grown
        noticed = (*scope.take_owed(), *noticed)
        before, scope.header, scope.progress = scope.header, header, judged.progress
        self._changed[name] = scope
        self._wakes.queue(name, scope, wake_ns_of(scope, self.settings))
        if not judged.verdicts and not noticed and not judged.lost and not judged.sources_lost:
            return []
        return session_findings(
            self._session,
            judged,
            noticed,
            trace=name,
            anchor=EventRef(header.position - 1, header.time_ns, event.id if event else ""),
            senders=(before, header),
            conflict_digest=conflict_digest,
            mode_cap=self.settings.mode_cap,
            severities=self.settings.severities,
            ids_max=self.settings.ids_max,
        )

    def refuse(self, event: Event, noticed: Noticed, group: str) -> list[Finding]:
        """A finding about an event that the invariants do not see, at the next one's position."""
        traces = ((trace, self._scope(trace).header) for trace in self.traces_of(event))
        return refusals(event, noticed, traces, self.settings.severities)

    def unread(self, rejected: Rejected) -> list[Finding]:
        """The findings about a rejected record; it belongs to no trace."""
        found: list[Finding] = []
        for trace in self._owners.concerned(rejected):
            scope = self._scope(trace)
            found += self._unread.take(rejected, trace, scope)
            if scope.header.position:  # Pending reports are made now: what is stored counts.
                found += self._apply(trace, scope, Judged(scope.progress, ()), None, scope.header)
            elif scope.header == Header():  # The scope is unknown.
                self._forget(trace)
        return found if rejected.known.session else self._unread.take_unnamed(rejected)

    def _scope(self, name: TraceKey) -> LiveScope:
        scope = self._scopes.get(name)
        if scope is None:
            scope = self._loaded(name)
        else:
            self._scopes.move_to_end(name)
        births = self._births
        if scope.header.epoch != births.epoch or births.recorded:
            scope.renew(self._session, births, str(name))
        return scope

    def _loaded(self, name: TraceKey) -> LiveScope:
        loaded = self._stored(name)
        scope = restored(self._session, loaded)
        if self._scoring is not None:
            scope.scored = self._scoring.restore(loaded.states, scope.header.position)
        self._scopes[name] = scope
        self._pairs_count += scope.progress.shown.length
        return scope

    def _change(self, name: TraceKey, scope: LiveScope) -> ScopeChange:
        scored = scope.scored
        more = self._scoring.take_change(scored) if self._scoring and scored is not None else {}
        return take_change(self._session, name, scope, wake_ns_of(scope, self.settings), more)
