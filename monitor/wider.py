"""Scopes wider than a session: all events of one agent, one user or one tenant, as one trace.

Input: each event that a session accepted, in stream order, with its session's header. Output: the
state to keep, and findings. The order of a wider trace is the order in which events are given, so
all streams must be merged into one (`monitor/service.py` ensures that). Each event's time is raised
to its predecessor's (decision 0024).

An event belongs to the scope that it names itself, else to the one that its session named first. An
event without either is in no trace, and this is reported if an invariant would have noticed it.
Events are named by `packed_id`, since an id is unique only in its session.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

import msgspec

from invariants.event import Event
from invariants.program import Program
from invariants.scope_program import Judged
from invariants.sources import Shown
from invariants.spec import Per
from invariants.state_progress import decode_progress, encode_progress
from invariants.unsure_time import TimeDoubt, step_at, timed_ids
from invariants.verdict import EventRef
from monitor.births import bear
from monitor.engine_settings import EngineSettings
from monitor.file_end import OpenVerdict, counts_runs, open_verdicts
from monitor.finding import Finding
from monitor.finding_make import Wider, engine_finding, verdict_finding, wider_place
from monitor.grouping import doubts_of
from monitor.order import UNSURE_TEXT, Header, Noticed
from monitor.scope import EMPTY_LOAD, LoadedScope, ScopeChange, is_made
from monitor.scope_names import Named, packed_id, stored_name, unpacked_id
from monitor.trace_key import TraceKey
from monitor.wakes import Wakes
from monitor.wider_scope import HeldScope, WiderHeader, WiderJudged, is_blank, scope_of

AT_END_NS: Final = 2**63 - 1
"""Later than every time of an event: due only when the file ends."""


class WiderScopes:
    """All of them, of one monitor."""

    def __init__(
        self,
        program: Program,
        load: Callable[[str], LoadedScope],
        header_of: Callable[[TraceKey], Header],
        settings: EngineSettings,
        back_ns_max: int,
    ) -> None:
        self.births = settings.births
        self._back_ns_max = back_ns_max
        self._programs: Final = {wider.per: wider for wider in program.wider}
        self._timed: Final = {wider.per: timed_ids(wider) for wider in program.wider}
        self._memory_ns: Final = {wider.per: wider.memory_ns() for wider in program.wider}
        self._load = load
        self._header_of = header_of
        self._in_memory_max = settings.scopes_in_memory_max
        self._ids_max = settings.ids_max
        self._mode_cap = settings.mode_cap
        self._severities = settings.severities
        self._scopes: OrderedDict[tuple[Per, str], HeldScope] = OrderedDict()
        self._changed: dict[tuple[Per, str], None] = {}
        self._dropped: dict[tuple[Per, str], None] = {}
        self._wakes = Wakes[tuple[Per, str]]()
        self._with_runs = frozenset(
            wider.per for wider in program.wider if settings.is_finished_file and counts_runs(wider)
        )
        """Sorts of scopes whose runs of violations are reported at the end of the file."""

    def judge(
        self, event: Event, header: Header, asked: Shown, doubt: TimeDoubt | None = None
    ) -> list[WiderJudged]:
        """The results of an event in each wider scope to which it belongs; changes nothing.

        `event` has its effective time; `header` is its session's after it, `asked` the values shown
        to its session before, `doubt` the doubt about its time there.
        """
        return [
            one
            for per in self._programs
            if (one := self._judge(per, event, header, asked, doubt)) is not None
        ]

    def _judge(
        self, per: Per, event: Event, header: Header, asked: Shown, doubt: TimeDoubt | None
    ) -> WiderJudged | None:
        program = self._programs[per]
        value = scope_of(per, event)
        held = self._scope(per, value) if value else None
        time_ns = event.time_ns if held is None else max(event.time_ns, held.header.time_ns)
        position = header.position - 1
        life = header.life_at(position, self._ids_max)
        sender, digest = (header.agent, header.principal), header.conflict_at(position)
        named = Named(event.session, position, event.id, *sender, life, digest)
        renamed = msgspec.structs.replace(event, id=packed_id(named), time_ns=time_ns)
        if held is None:
            verdicts = program.unscoped(renamed, asked)
            if verdicts is None:
                return None
            judged = Judged(program.initial, tuple(verdicts))
            return WiderJudged(per, "", WiderHeader(), judged)
        before = held.header
        doubt, is_unsure = self._doubt(event, before, doubt)
        is_told = doubt is not None and is_unsure and not doubt.is_own and bool(self._timed[per])
        noticed: tuple[Noticed, ...] = ()
        if is_told and not before.is_disordered:
            text = f"its time does not follow that of an earlier event of its {per}{UNSURE_TEXT}"
            noticed = (Noticed("disorder", text, f"{per}/{value}", None, self._timed[per]),)
        after = WiderHeader(
            before.position + 1, time_ns, before.epoch, is_unsure, before.is_disordered or is_told
        )
        placed = msgspec.structs.replace(renamed, is_time_unsure=is_unsure)
        judged = step_at(program, held.progress, placed, doubt, asked)
        return WiderJudged(per, value, after, judged, noticed)

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

    def hold(self, judged: Sequence[WiderJudged], event: Event, digest: str) -> list[Finding]:
        """Keep the result of `judge`; returns the findings. `digest`: set if the id is in
        conflict.
        """
        findings: list[Finding] = []
        for one in judged:
            if one.value:
                self._keep(one)
                held = self._scope(one.per, one.value)
                findings += [self._told(noticed, event, digest) for noticed in held.owed]
                held.owed = ()
            findings += self._verdicts(one)
            findings += [self._told(noticed, event, digest) for noticed in self._noticed(one)]
        return findings

    def _told(self, noticed: Noticed, event: Event, digest: str) -> Finding:
        trace = TraceKey(event.principal, event.session)
        header = self._header_of(trace)
        return engine_finding(
            noticed,
            trace=trace,
            agent=header.agent,
            anchor=EventRef(header.position - 1, event.time_ns, event.id),
            anchor_digest=digest,
            severities=self._severities,
            life=header.life_at(header.position - 1, self._ids_max),
        )

    def _noticed(self, one: WiderJudged) -> list[Noticed]:
        noticed = [*one.noticed]
        if not one.value:
            text = (
                f"neither it nor its session so far names the {one.per}, so it is in no such trace"
            )
            noticed.append(Noticed("unscoped", text, one.per))
        for index, count in one.judged.lost:
            id_ = self._programs[one.per].invariants[index].declared.id
            text = f"`{id_}` could not add an entry for its {one.per} at a bound, {count} times"
            text += " so far"
            noticed.append(Noticed("capacity", text, id_))
        return noticed

    def _verdicts(self, one: WiderJudged) -> list[Finding]:
        """Each finding is reported under the session of its anchor."""
        if not one.judged.verdicts:
            return []
        findings = []
        invariants = self._programs[one.per].invariants
        decided = [(invariants[i].declared.severity, v) for i, v in one.judged.verdicts]
        doubts = doubts_of(decided, wider_place)
        for (index, verdict), doubt in zip(one.judged.verdicts, doubts, strict=True):
            anchor = unpacked_id(verdict.anchor.id)
            trace = TraceKey(anchor.principal, anchor.session)
            findings.append(
                verdict_finding(
                    invariants[index],
                    verdict,
                    trace=trace,
                    agent=anchor.agent,
                    anchor_digest=anchor.digest,
                    mode_cap=self._mode_cap,
                    wider=Wider(one.per, one.value),
                    life=anchor.life,
                    doubt=doubt,
                )
            )
        return findings

    def _keep(self, after: WiderJudged) -> None:
        """A scope begins with the first event that some invariant remembers.

        Before that, all names are equivalent, and a sender who chooses names could fill the store.
        """
        key = after.per, after.value
        held = self._scope(*key)
        if held.header.position == 0 and is_blank(after.judged.progress, held.progress):
            return
        held.header, held.progress = after.header, after.judged.progress
        self._changed[key] = None
        self._wakes.queue(key, held, self._wake_ns(key[0], held))

    def tick(self, time_ns: int) -> list[Finding]:
        """Time has reached `time_ns`: deadlines before it are decided.

        A scope that nothing has touched for longer than its invariants look back is let go of.
        """
        findings: list[Finding] = []
        while (entry := self._wakes.pop_before(time_ns)) is not None:
            _, key = entry
            if key[0] not in self._programs:
                continue  # No invariant is about it: the store keeps it for one that is put back.
            held = self._scope(*key)
            held.queued_ns = None
            if held.header.position == 0:
                del self._scopes[key]  # The entry has outlived its scope.
                continue
            judged = self._programs[key[0]].tick(held.progress, time_ns)
            if judged.progress is not held.progress:
                after = WiderJudged(*key, held.header, judged)
                self._keep(after)
                findings += self._verdicts(after)
            rest_ns = self._rest_ns(key[0], held)
            if rest_ns is not None and rest_ns < time_ns:
                del self._scopes[key]
                self._changed.pop(key, None)
                self._dropped[key] = None
            else:
                self._wakes.queue(key, held, self._wake_ns(key[0], held))
        return findings

    def runs(self) -> list[Finding]:
        """Runs of violations that are not over, with their size so far, of all scopes."""
        findings: list[Finding] = []
        for key, held in self._waited_for(self._with_runs):
            judged = self._programs[key[0]].runs(held.progress)
            findings += self._verdicts(WiderJudged(*key, held.header, judged))
        return findings

    def open_verdicts(self) -> Iterator[OpenVerdict]:
        """Verdicts that are pending in any of these scopes, in memory or stored."""
        for key, held in self._waited_for(self._programs.keys()):
            yield from open_verdicts(self._programs[key[0]], held.progress, key[1])

    def _waited_for(self, sorts: Collection[Per]) -> Iterator[tuple[tuple[Per, str], HeldScope]]:
        """The scopes of some sorts for which something is due; they leave memory as they were."""
        for key in self._wakes.scopes() if sorts else ():
            if key[0] not in sorts:
                continue
            is_here = key in self._scopes
            yield key, self._scope(*key)
            if not is_here and key not in self._changed:
                del self._scopes[key]

    def expect(self, wakes: list[tuple[int, tuple[Per, str]]]) -> None:
        """Wake-ups from the store, after a start."""
        self._wakes.expect(wakes)

    def take_changes(self) -> tuple[list[ScopeChange], list[str]]:
        """The changes to write since the last call, and the evicted scopes."""
        changes = [self._change(key) for key in self._changed]
        dropped = [stored_name(*key) for key in self._dropped]
        self._changed, self._dropped = {}, {}
        while len(self._scopes) > self._in_memory_max:
            self._scopes.popitem(last=False)
        return changes, dropped

    def forget(self) -> None:
        """The streams were assigned to another monitor: all scopes leave memory, unwritten."""
        self._scopes.clear()
        self._changed.clear()

    @property
    def scopes_count(self) -> int:
        """Scopes in memory."""
        return len(self._scopes)

    def _scope(self, per: Per, value: str) -> HeldScope:
        key = per, value
        held = self._scopes.get(key)
        if held is None:
            held = self._loaded(key)
        else:
            self._scopes.move_to_end(key)
        if held.header.epoch != self.births.epoch or self.births.recorded:
            self._renew(key, held)
        return held

    def _renew(self, key: tuple[Per, str], held: HeldScope) -> None:
        """Let invariants be born that have not seen the scope's past."""
        header, births = held.header, self.births
        if not held.owed:
            held.owed_since = header.epoch
        due = births.due(*key, header.position - 1, header.epoch)
        epoch = header.epoch if births.recorded else births.epoch
        if due:
            program = self._programs[key[0]]
            past_ns = births.past_ns(due, header.time_ns)
            held.progress, held.owed = bear(program, held.progress, past_ns, key[1], due)
            epoch = max(due.values())
        loss = births.loss_since(header.epoch) if header.position else None
        if loss is not None:
            ids = [compiled.declared.id for compiled in self._programs[key[0]].invariants]
            noticed = loss.noticed(ids)
            held.owed = (*held.owed, noticed._replace(key=f"{noticed.key}/{key[0]}/{key[1]}"))
        held.header = msgspec.structs.replace(header, epoch=epoch)

    def _loaded(self, key: tuple[Per, str]) -> HeldScope:
        per, value = key
        # What was dropped in this batch is still in the store, and must not come back from there.
        loaded = EMPTY_LOAD if key in self._dropped else self._load(stored_name(per, value))
        program = self._programs[per]
        if loaded.header is None:
            held = HeldScope(WiderHeader(), program.initial, program.initial)
        else:
            header = msgspec.msgpack.decode(loaded.header, type=WiderHeader)
            progress = decode_progress(program, header.position, loaded.states)
            held = HeldScope(header, progress, progress)
        self._scopes[key] = held
        return held

    def _change(self, key: tuple[Per, str]) -> ScopeChange:
        held = self._scopes[key]
        program, now_ns = self._programs[key[0]], held.header.time_ns
        states = encode_progress(program, held.progress, held.stored, now_ns)
        held.stored = held.progress
        epoch = held.owed_since if held.owed else held.header.epoch
        header = msgspec.msgpack.encode(msgspec.structs.replace(held.header, epoch=epoch))
        return ScopeChange(stored_name(*key), header, self._wake_ns(key[0], held), states, ())

    def _rest_ns(self, per: Per, held: HeldScope) -> int | None:
        """After when the scope is as if it had never been, unless an event comes."""
        memory_ns = self._memory_ns[per]
        if memory_ns is None or held.progress.is_waiting():
            return None
        return held.header.time_ns + memory_ns

    def _wake_ns(self, per: Per, held: HeldScope) -> int | None:
        """When time alone next changes something about the scope."""
        rest_ns, deadline_ns = self._rest_ns(per, held), held.progress.next_deadline_ns
        due_ns = rest_ns if deadline_ns is None else deadline_ns
        # At the end of a file its runs are reported, also after a restart: it must be found then.
        return AT_END_NS if due_ns is None and per in self._with_runs else due_ns
