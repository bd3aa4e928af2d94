"""Scopes wider than a session: all events of one agent, one user or one tenant, as one trace.

Input: each event that a session accepted, in stream order, with its session's header. Output: the
state to keep, and findings. The order of a wider trace is the order in which events are given, so
all streams must be merged into one (`monitor/service/assemble.py` ensures that). Each event's time
is raised to its predecessor's (decision 0024).

An event belongs to the scope that it names itself, else to the one that its session named first. An
event without either is in no trace, and this is reported if an invariant would have noticed it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec

from invariants.model.event import Event
from invariants.model.verdict import EventRef
from invariants.runtime.program import Program
from invariants.runtime.scope_program import Judged
from invariants.runtime.unsure_time import TimeDoubt, step_at, timed_ids, violations_at
from invariants.spec.model import Per
from invariants.taint.memory import Shown
from monitor.findings.grouping import doubts_of
from monitor.findings.model import Finding
from monitor.ingest.effective_time import UNSURE_TEXT
from monitor.ingest.sequence import Header, Noticed
from monitor.ingest.standing_history import known_at
from monitor.kernel.build_finding import Wider, engine_finding, verdict_finding, wider_place
from monitor.kernel.covering import covering_wider, decider_of
from monitor.kernel.event_names import Named, name_in
from monitor.kernel.file_end import OpenVerdict, open_verdicts
from monitor.kernel.scope import Load
from monitor.kernel.sessions import is_made
from monitor.kernel.settings import KernelSettings
from monitor.kernel.table import ScopeTable
from monitor.kernel.wider_scope import (
    WiderHeader,
    WiderJudged,
    WiderKind,
    WiderScope,
    is_blank,
    scope_of,
)
from monitor.scope_key import WiderKey
from monitor.trace_key import TraceKey

NO_SCOPE: Final = WiderHeader()


class WiderScopes:
    """All of them, of one monitor."""

    def __init__(
        self, program: Program, load: Load, settings: KernelSettings, back_ns_max: int
    ) -> None:
        self._back_ns_max = back_ns_max
        self._programs: Final = {wider.per: wider for wider in program.wider}
        self._timed: Final = {wider.per: timed_ids(wider) for wider in program.wider}
        self._settings = settings
        self._kind = WiderKind(self._programs, settings)
        self.table: ScopeTable[WiderKey, WiderScope] = ScopeTable(
            self._kind,
            load,
            settings.births,
            scopes_max=settings.scopes_in_memory_max,
            pairs_max=settings.pairs_in_memory_max,
        )

    def judge(
        self,
        event: Event,
        header: Header,
        asked: Shown,
        doubt: TimeDoubt | None = None,
        upon: Sequence[WiderJudged] = (),
    ) -> list[WiderJudged]:
        """The results of an event in each wider scope to which it belongs; changes nothing.

        `event` has its effective time; `header` is its session's after it, `asked` the values shown
        to its session before, `doubt` the doubt about its time there, `upon` the results of an
        event that is supposed to come just before.
        """
        supposed = {one.key: one for one in upon}
        results: list[WiderJudged] = []
        for per in self._programs:
            key = WiderKey(per, scope_of(per, event))
            one = self._judge(key, event, header, asked=asked, doubt=doubt, upon=supposed.get(key))
            if one is not None:
                results.append(one)
        return results

    def _judge(
        self,
        key: WiderKey,
        event: Event,
        header: Header,
        *,
        asked: Shown,
        doubt: TimeDoubt | None,
        upon: WiderJudged | None,
    ) -> WiderJudged | None:
        per = key.per
        program = self._programs[per]
        named = self._named(event, header)
        if not key.value:
            verdicts = program.unscoped(event, asked)
            if verdicts is None:
                return None
            judged = Judged(program.initial, tuple(verdicts))
            return WiderJudged(key, None, NO_SCOPE, judged, None, named)
        scope = self.table.scope(key)
        before, progress = scope.header, scope.progress
        if upon is not None:
            before, progress = upon.header, upon.judged.progress
        time_ns = max(event.time_ns, before.time_ns)
        doubt, is_unsure = self._doubt(event, before, doubt)
        is_told = doubt is not None and is_unsure and not doubt.is_own and bool(self._timed[per])
        noticed: tuple[Noticed, ...] = ()
        if is_told and not before.is_disordered:
            text = f"its time does not follow that of an earlier event of its {per}{UNSURE_TEXT}"
            name = f"{per}/{key.value}"
            noticed = (Noticed("disorder", text, name, None, self._timed[per]),)
        after = WiderHeader(
            before.position + 1,
            time_ns,
            before.epoch,
            is_unsure,
            before.is_disordered or is_told,
            before.is_gated or header.is_gated,
        )
        placed = msgspec.structs.replace(event, time_ns=time_ns, is_time_unsure=is_unsure)
        covers = covering_wider(named, scope.names, time_ns)
        judged = step_at(program, progress, placed, doubt, asked, covers=covers)
        before_it = before, progress
        return WiderJudged(
            key, scope, after, judged, before_it, named, noticed, placed, doubt, asked
        )

    def _named(self, event: Event, header: Header) -> Named:
        """An event in its own session, for a trace of many."""
        position = header.position - 1
        life = header.life_at(position, self._settings.ids_max)
        digest = header.conflict_at(position)
        return Named(
            event.session,
            position,
            event.id,
            header.agent,
            header.principal,
            life,
            digest,
            known_at(header.standings, position),
            header.excepted,
        )

    def _doubt(
        self, event: Event, before: WiderHeader, doubt: TimeDoubt | None
    ) -> tuple[TimeDoubt | None, bool]:
        """The doubt about an event's time in a wider trace, and a flag if it is its own.

        An end that no client sent is placed where the monitor processed it.
        """
        if doubt is not None and doubt.is_own:
            return doubt, True
        is_back = before.time_ns - event.time_ns > self._back_ns_max and not is_made(event)
        is_unsure = is_back or event.is_time_unsure
        if not (is_unsure or before.is_time_unsure):
            return None, False
        sure_ns = event.time_ns if doubt is None else min(doubt.sure_ns, event.time_ns)
        if before.is_time_unsure:
            sure_ns = min(sure_ns, before.time_ns - 1)
        return TimeDoubt(sure_ns), is_unsure

    def violations(self, judged: Sequence[WiderJudged]) -> list[Finding]:
        """Every violation of results of `judge`, also those that `report` leaves out."""
        findings: list[Finding] = []
        for one in judged:
            verdicts = one.judged.verdicts
            if one.event is not None and one.before is not None:
                program, progress = self._programs[one.key.per], one.before[1]
                verdicts = violations_at(
                    program, one.judged, progress, one.event, doubt=one.doubt, asked=one.asked
                )
            violated = tuple(found for found in verdicts if found[1].kind == "violated")
            findings += self._verdicts(one._replace(judged=one.judged._replace(verdicts=violated)))
        return findings

    def is_stale(self, judged: Sequence[WiderJudged]) -> bool:
        """True if a scope has another content than the one in which an event was judged."""
        return any(
            one.scope is not None
            and (self.table.scope(one.key) is not one.scope or not one.scope.is_at(one.before))
            for one in judged
        )

    def keep(
        self, judged: Sequence[WiderJudged], event: Event, header: Header, digest: str
    ) -> list[Finding]:
        """Keep the results of `judge`; returns the findings.

        `header` is that of the event's session after it; `digest` is set if its id is in conflict.
        """
        findings: list[Finding] = []
        for one in judged:
            told: tuple[Noticed, ...] = ()
            if one.scope is not None:
                self._keep(one.scope, one)
                told = one.scope.take_owed()
            findings += [self._told(noticed, event, header, digest) for noticed in told]
            findings += self._verdicts(one)
            findings += [
                self._told(noticed, event, header, digest) for noticed in self._noticed(one)
            ]
        return findings

    def _told(self, noticed: Noticed, event: Event, header: Header, digest: str) -> Finding:
        return engine_finding(
            noticed,
            trace=TraceKey(event.principal, event.session),
            agent=header.agent,
            standing=known_at(header.standings, header.position - 1),
            anchor=EventRef(header.position - 1, event.time_ns, event.id),
            anchor_digest=digest,
            severities=self._settings.severities,
            life=header.life_at(header.position - 1, self._settings.ids_max),
        )

    def _noticed(self, one: WiderJudged) -> list[Noticed]:
        noticed, per = [*one.noticed], one.key.per
        if one.scope is None:
            text = f"neither it nor its session so far names the {per}, so it is in no such trace"
            noticed.append(Noticed("unscoped", text, per))
        for index, count in one.judged.lost:
            id_ = self._programs[per].invariants[index].declared.id
            text = f"`{id_}` could not add an entry for its {per} at a bound, {count} times so far"
            noticed.append(Noticed("capacity", text, id_))
        return noticed

    def _verdicts(self, one: WiderJudged) -> list[Finding]:
        """Each finding is reported under the session of its anchor."""
        if not one.judged.verdicts:
            return []
        findings, per = [], one.key.per
        names = one.names()
        invariants = self._programs[per].invariants
        decided = [(invariants[i].declared.severity, v) for i, v in one.judged.verdicts]
        doubts = doubts_of(decided, lambda at: wider_place(name_in(names, at)))
        for (index, verdict), doubt in zip(one.judged.verdicts, doubts, strict=True):
            anchor = name_in(names, verdict.anchor)
            findings.append(
                verdict_finding(
                    invariants[index],
                    verdict,
                    trace=TraceKey(anchor.principal, anchor.session),
                    agent=anchor.agent,
                    excepted=decider_of(verdict, one.named, names, one.header.time_ns).excepted,
                    standing=anchor.standing,
                    anchor_digest=anchor.digest,
                    mode_cap=self._settings.mode_cap,
                    wider=Wider(per, one.key.value, names),
                    life=anchor.life,
                    doubt=doubt,
                )
            )
        return findings

    def _keep(self, scope: WiderScope, after: WiderJudged) -> None:
        """A scope begins with the first event that some invariant remembers.

        Before that, all names are equivalent, and a sender who chooses names could fill the store.
        """
        if scope.header.position == 0 and is_blank(after.judged.progress, scope.progress):
            return
        if after.named is not None:
            scope.names[after.header.position - 1] = after.named
        scope.header, scope.progress = after.header, after.judged.progress
        self.table.changed(after.key, scope)

    def tick(self, time_ns: int) -> list[Finding]:
        """Time has reached `time_ns`: deadlines before it are decided.

        A scope that nothing has touched for longer than its invariants look back is let go of.
        """
        findings: list[Finding] = []
        while (entry := self.table.pop_due(time_ns)) is not None:
            _, key = entry
            if key.per not in self._programs:
                continue  # No invariant is about it: the store keeps it for one that is put back.
            scope = self.table.scope(key)
            scope.queued_ns = None
            if scope.header.position == 0:
                self.table.forget(key)  # The entry has outlived its scope.
                continue
            reached_ns = time_ns - self._settings.held_back_ns(scope.header)
            findings += self._decide(key, scope, reached_ns)
            rest_ns = self._kind.rest_ns(key, scope)
            # A gate's event whose time is before that of the scope must find it.
            if rest_ns is not None and rest_ns < time_ns - self._settings.gate_lateness_ns:
                self.table.drop(key)
            else:
                self.table.queue(key, scope)
        return findings

    def _decide(self, key: WiderKey, scope: WiderScope, time_ns: int) -> list[Finding]:
        covers = covering_wider(None, scope.names, time_ns)
        judged = self._programs[key.per].tick(scope.progress, time_ns, covers)
        if judged.progress is scope.progress:
            return []
        after = WiderJudged(key, scope, scope.header, judged)
        self._keep(scope, after)
        return self._verdicts(after)

    def runs(self) -> list[Finding]:
        """Runs of violations that are not over, with their size so far, of all scopes."""
        findings: list[Finding] = []
        for key, scope in self._waited_for(self._kind.with_runs):
            judged = self._programs[key.per].runs(scope.progress)
            findings += self._verdicts(WiderJudged(key, scope, scope.header, judged))
        return findings

    def open_verdicts(self) -> Iterator[OpenVerdict]:
        """Verdicts that are pending in any of these scopes, in memory or stored."""
        for key, scope in self._waited_for(self._programs.keys()):
            yield from open_verdicts(
                self._programs[key.per], scope.progress, key.value, scope.names
            )

    def _waited_for(self, kinds: Collection[Per]) -> Iterator[tuple[WiderKey, WiderScope]]:
        return self.table.waited_for(lambda key: key.per in kinds) if kinds else iter(())
