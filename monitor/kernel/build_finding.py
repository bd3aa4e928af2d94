"""Builds findings from verdicts, and from observations of the kernel itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from invariants.model.event import Event
from invariants.model.excepted import Excepted, exception_of
from invariants.model.fact import Value
from invariants.model.verdict import Absence, Binding, EventRef, Run, Verdict
from invariants.runtime.scope_program import Compiled, Judged, ScopeProgram
from invariants.spec.model import Per
from monitor.findings.grouping import Doubt, DoubtPlace, doubts_of, group_id
from monitor.findings.model import (
    Finding,
    FindingRun,
    KnownRoles,
    Mode,
    Severity,
    WitnessAbsence,
    WitnessEvent,
    finding_id,
)
from monitor.findings.witness_event import witness_event
from monitor.ingest.sequence import Header, Noticed
from monitor.ingest.standing_history import known_at
from monitor.kernel.covering import sender_of
from monitor.kernel.event_names import Named, Names, name_in, text_of
from monitor.trace_key import TraceKey

DEFAULT_SEVERITIES: Final[Mapping[str, Severity]] = {
    "gap": "warning",
    "lost": "warning",
    "id_conflict": "warning",
    "provenance": "critical",
    "contested": "warning",
    "unowned": "critical",
    "bypass": "critical",
    "break_glass": "critical",
    "misplaced": "warning",
    "split": "critical",
    "after_end": "warning",
    "unscoped": "warning",
    "unread": "warning",
    "disorder": "warning",
    "capacity": "warning",
    "unevaluable": "critical",
    "anomaly": "warning",
    "birth": "info",
}


class Wider(NamedTuple):
    """The scope of a finding if it is wider than a session: an agent, user or tenant."""

    kind: Per
    value: str
    names: Names
    """Of the events that its verdicts name."""


def verdict_finding(
    compiled: Compiled,
    verdict: Verdict,
    *,
    trace: TraceKey,
    agent: str,
    anchor_digest: str,
    mode_cap: Mode | None,
    life: str,
    doubt: Doubt | None,
    excepted: Iterable[Excepted],
    standing: KnownRoles | None = None,
    wider: Wider | None = None,
) -> Finding:
    """A violated or inconclusive verdict in context; `trace` and `life` are those of its anchor.

    `doubt` is the event at which the doubt of an undecided verdict arose, `excepted` the exceptions
    that were in force.
    """
    declared, excepted_by = compiled.declared, ""
    if verdict.kind == "violated" and (verdict.run is None or verdict.run.count == 1):
        # A run consists of violations that nothing covers, whatever covers the event behind it.
        excepted_by = exception_of(excepted, declared.id, verdict.decided_ns)
    assert verdict.kind in ("violated", "inconclusive"), "only these two are findings"
    binding = show_binding(verdict.binding)
    told = witness_event if wider is None else partial(_named_event, wider.names)
    anchor = told(verdict.anchor)
    scope = trace if wider is None else wider.value
    session = "" if wider is None else str(trace)
    return Finding(
        group="" if doubt is None else group_id(verdict, scope, doubt, session),
        id=finding_id(
            subject=declared.id,
            digest=compiled.digest,
            scope=scope,
            anchor_id=anchor.id if wider is None else (*_parts(trace), anchor.id),
            anchor_digest=anchor_digest,
            binding=binding,
            verdict=verdict.kind,
            life=life,
        ),
        type="violated" if verdict.kind == "violated" else "inconclusive",
        severity=declared.severity,
        invariant=declared.id,
        invariant_digest=compiled.digest,
        summary=declared.summary,
        description=declared.description,
        tags=list(declared.tags),
        owner=declared.owner,
        references=list(declared.references),
        scope_kind="session" if wider is None else wider.kind,
        scope=trace.session if wider is None else wider.value,
        session=trace.session,
        agent=agent,
        principal=trace.principal,
        standing=standing,
        anchor=anchor,
        binding=binding,
        witness=[told(ref) for ref in verdict.witness.events],
        absences=[_absence(absence, told) for absence in verdict.witness.absences],
        unknowns=[told(ref) for ref in verdict.witness.unknowns],
        decided_ns=verdict.decided_ns,
        is_escalated=verdict.is_escalated,
        mode=mode_cap or declared.mode,
        excepted_by=excepted_by,
        respond=list(declared.respond),
        detail=verdict.reason,
        run=None if verdict.run is None else _run(verdict.run, told),
    )


def session_findings(
    program: ScopeProgram,
    judged: Judged,
    noticed: Sequence[Noticed],
    *,
    trace: TraceKey,
    anchor: EventRef,
    senders: tuple[Header, Header],
    conflict_digest: str,
    mode_cap: Mode | None,
    severities: Mapping[str, Severity],
    ids_max: int,
) -> list[Finding]:
    """All findings of one input in one session; `anchor` is the event, or the session's last.

    `senders` are the headers of the session before the event and with it. A verdict that time
    alone decided before the event names the agent known then, and was excepted by what was in force
    then: the order of a tick and the event makes no difference.
    """
    before, after = senders
    decided = [(program.invariants[i].declared.severity, verdict) for i, verdict in judged.verdicts]
    doubts = doubts_of(decided, partial(_place, after, ids_max))
    findings = [
        verdict_finding(
            program.invariants[index],
            verdict,
            trace=trace,
            agent=sender.agent,
            excepted=sender.excepted,
            anchor_digest=after.conflict_at(verdict.anchor.position),
            mode_cap=mode_cap,
            life=after.life_at(verdict.anchor.position, ids_max),
            doubt=doubt,
            standing=known_at(after.standings, verdict.anchor.position),
        )
        for (index, verdict), doubt in zip(judged.verdicts, doubts, strict=True)
        for sender in (sender_of(verdict, before, after),)
    ]
    for item in (*noticed, *_lost(program, judged)):
        findings.append(
            engine_finding(
                item,
                trace=trace,
                agent=after.agent,
                standing=known_at(after.standings, anchor.position),
                anchor=anchor,
                anchor_digest=conflict_digest,
                severities=severities,
                life=after.life_at(anchor.position, ids_max),
            )
        )
    return findings


def _place(header: Header, ids_max: int, at: EventRef) -> DoubtPlace:
    """An event of a session, as the place of a doubt."""
    life = header.life_at(at.position, ids_max)
    return DoubtPlace(at.id, header.conflict_at(at.position), life, header.life_at(0, ids_max))


def wider_place(named: Named) -> DoubtPlace:
    """The same in a trace of many sessions.

    The whole name distinguishes the event from others with its id: when the verdict is
    decided, the session of the doubt may be evicted, and with it the record of conflicting ids.
    """
    return DoubtPlace(text_of(named), "", "", "")


def _lost(program: ScopeProgram, judged: Judged) -> Iterator[Noticed]:
    for index, count in judged.lost:
        id_ = program.invariants[index].declared.id
        text = f"`{id_}` found no room for what it must hold, {count} times so far"
        yield Noticed("capacity", text, id_)
    for place in judged.sources_lost:
        source = program.sources[place]
        text = (
            f"the source `{source.name}` does not know all that was shown: it found no room, or "
            "the client left out a part of the event"
        )
        yield Noticed("capacity", text, f"source/{source.digest}")


def engine_finding(
    noticed: Noticed,
    *,
    trace: TraceKey,
    agent: str,
    anchor: EventRef,
    anchor_digest: str,
    severities: Mapping[str, Severity],
    life: str = "",
    standing: KnownRoles | None = None,
) -> Finding:
    """A gap, a conflict, a forged event: findings that need no invariant.

    A birth is anchored at its own position, whichever later input revealed it. `life` is empty if
    the event belongs to no trace: then `anchor_digest` or the key of the observation is unique.
    """
    if noticed.born is not None:
        anchor = EventRef(noticed.born.position, noticed.born.time_ns, "")
    severity = severities.get(noticed.type) or DEFAULT_SEVERITIES[noticed.type]
    return Finding(
        id=finding_id(
            subject=noticed.type,
            digest="",
            scope=trace,
            anchor_id=anchor.id,
            anchor_digest=anchor_digest,
            binding=noticed.key,
            verdict=noticed.type,
            life=life,
        ),
        type=noticed.type,
        severity=severity,
        scope=trace.session,
        session=trace.session,
        agent=agent,
        principal=trace.principal,
        standing=standing,
        anchor=witness_event(anchor),
        witness=[witness_event(anchor)],
        decided_ns=anchor.time_ns,
        respond=[] if noticed.type == "birth" else ["alert"],
        detail=noticed.detail,
        could_concern=list(noticed.could_concern),
        born=noticed.born,
    )


def refusals(
    event: Event,
    noticed: Noticed,
    traces: Iterable[tuple[TraceKey, Header]],
    severities: Mapping[str, Severity],
) -> list[Finding]:
    """An event that invariants do not see, reported in each trace that it may concern.

    It belongs to none of them; its anchor has the position that the trace's next event will have.
    """
    return [
        engine_finding(
            noticed,
            trace=trace,
            agent=header.agent or event.record.agent,
            anchor=EventRef(header.position, event.ts_ns, event.id),
            anchor_digest=event.digest.hex(),
            severities=severities,
        )
        for trace, header in traces
    ]


def hole_findings(
    header: Header, trace: TraceKey, severities: Mapping[str, Severity], ids_max: int
) -> list[Finding]:
    """Sequence numbers that are missing in a finished file, each at the event after the gap."""
    return [
        engine_finding(
            hole.noticed(),
            trace=trace,
            agent=header.agent,
            standing=known_at(header.standings, hole.position),
            anchor=EventRef(hole.position, hole.time_ns, hole.id),
            anchor_digest="",
            severities=severities,
            life=header.life_at(hole.position, ids_max),
        )
        for hole in header.holes
    ]


def _parts(trace: TraceKey) -> tuple[str, ...]:
    """A trace in an id; without a principal, the session alone."""
    return trace if trace.principal else (trace.session,)


def show_binding(binding: Binding) -> dict[str, Any]:
    """A binding as JSON: text, numbers and truth values; the binding `?` is `{"?": "?"}`."""
    return {name: _plain(value) for name, value in binding}


def _plain(value: Value) -> Any:
    if isinstance(value, tuple):
        return value[1] == "true" if value[0] == "bool" else value[1]
    if isinstance(value, int) and abs(value) >= 2**63:
        return str(value)
    return value


def _named_event(names: Names, ref: EventRef) -> WitnessEvent:
    """An event of a trace of many sessions, with its session and its position there."""
    named = name_in(names, ref)
    return WitnessEvent(
        named.position, ref.time_ns, named.id, list(ref.roles), named.session, named.principal
    )


def _run(run: Run, told: Callable[[EventRef], WitnessEvent]) -> FindingRun:
    return FindingRun(run.count, told(run.last), None if run.over is None else told(run.over))


def _absence(absence: Absence, told: Callable[[EventRef], WitnessEvent]) -> WitnessAbsence:
    edges = [None if edge is None else told(edge) for edge in absence.edges()]
    return WitnessAbsence(absence.formula, absence.from_ns, absence.to_ns, *edges)
