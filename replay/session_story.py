"""Everything about one session, as frozen values: for the report and for other readers.

Input: a timeline. Output: a `SessionStory`: the events with the predicates that they satisfied, the
findings with their witnesses and the values of all sub-formulas at the anchor, and the control
records that concern the session. Texts are the agents' own, truncated but not escaped: code that
shows them must escape them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from invariants.event import EventRecord
from invariants.fact import Fact
from invariants.spec import InvariantSpec
from monitor.finding import Finding
from monitor.finding_make import show_binding
from monitor.trace_key import TraceKey
from replay.look import look_at
from replay.published import read_control
from replay.session_inputs import CLOSED
from replay.standing import EventSeen, InvariantStanding, SessionClock
from replay.timeline import Timeline
from replay.track import TrackStep
from replay.values import TRUTH_NAMES

EVENTS_MAX: Final = 2_000
"""Chosen: events of one story, unless the caller sets another; witnesses are always included."""
FINDINGS_MAX: Final = 200
TEXT_MAX: Final = 4_000
"""Characters of one field of an event."""


class FactSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The value of one predicate at an event; false ones are left out."""

    file: str
    predicate: str
    value: str
    values: list[dict[str, Any]]
    missing: list[str]


class StoryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event: its place, its content (JSON text, truncated), its predicates and its findings."""

    seen: EventSeen
    user: str
    text: str
    args: str
    result: str
    error: str
    attributes: str
    parent: str
    facts: list[FactSeen]
    anchors: list[str]
    """Ids of findings about this event."""
    witnesses: list[str]
    """Ids of findings that rest on it."""


class StoryFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding, and the state of its invariant at the anchor.

    `anchor_input` is None if the anchor is not an event of the recording (an end that the engine
    created); `standing` is None there too, and for findings of no invariant.
    """

    finding: Finding
    told_at_input: int
    anchor_input: int | None
    standing: InvariantStanding | None
    summary: str
    formula_source: str


class StoryControl(msgspec.Struct, frozen=True, kw_only=True):
    """A control record on the session, its principal, its agent, or everybody."""

    key: str
    state: str
    issued_at_ns: int
    expires_at_ns: int | None
    issuer: str
    incident: str


class StoryScore(msgspec.Struct, frozen=True, kw_only=True):
    """The detector's score at one event. `threshold` is None if it was never calibrated."""

    position: int
    time_ns: int
    value: float
    threshold: float | None
    is_alarm: bool


class SessionStory(msgspec.Struct, frozen=True, kw_only=True):
    """One session from its first event to its last."""

    session: str
    principal: str
    clock: SessionClock | None
    events: list[StoryEvent]
    events_count: int
    findings: list[StoryFinding]
    findings_count: int
    control: list[StoryControl]
    scores: list[StoryScore]
    """Of the detector, if the timeline has one; empty for a session whose beginning is missing."""
    notices: list[str]
    damage: str


def tell_session(
    timeline: Timeline, trace: TraceKey, *, events_max: int = EVENTS_MAX
) -> SessionStory:
    """The story of a session of the timeline.

    If there are more than `events_max` events, it contains those on which findings rest, and the
    latest others.

    Raises
    ------
    KeyError
        The recording has no event of the session.

    Cost: the session played once, and once more a page of `look_at` for each finding.
    """
    index = timeline.sessions[trace]
    told = list(timeline.findings(trace))
    track = timeline.track(trace, index.inputs[-1])
    steps = list(track.steps)
    chosen = _chosen(steps, [one.finding for one in told], events_max)
    last = steps[-1] if steps else None
    clock = look_at(timeline, last.input_number, only="-").clock if last is not None else None
    return SessionStory(
        session=trace.session,
        principal=trace.principal,
        clock=clock,
        events=[_event(timeline, step, [one.finding for one in told]) for step in chosen],
        events_count=len(index.inputs),
        findings=[_finding(timeline, one.finding, one.input_number) for one in told[:FINDINGS_MAX]],
        findings_count=len(told),
        control=_control(timeline, clock, trace),
        scores=_scores(timeline, steps),
        notices=[f"{n.topic}/{n.partition}: {n.kind}: {n.detail}" for n in timeline.notices],
        damage="" if timeline.damage is None else str(timeline.damage),
    )


def _chosen(
    steps: Sequence[TrackStep], findings: Sequence[Finding], events_max: int
) -> list[TrackStep]:
    if len(steps) <= events_max:
        return list(steps)
    needed = {
        ref.position
        for f in findings
        for ref in (f.anchor, *f.witness, *f.unknowns)
        if ref.is_of(f.trace)
    }
    kept = [n for n, step in enumerate(steps) if _position(step) in needed][-events_max:]
    is_kept = set(kept)
    rest = [n for n in range(len(steps) - 1, -1, -1) if n not in is_kept]
    return [steps[n] for n in sorted([*kept, *rest[: events_max - len(kept)]])]


def _position(step: TrackStep) -> int | None:
    return step.header.position - 1 if step.fate == "taken" else None


def _event(timeline: Timeline, step: TrackStep, findings: Sequence[Finding]) -> StoryEvent:
    event, position = step.event, _position(step)
    record: EventRecord = event.record
    return StoryEvent(
        seen=EventSeen(
            input=step.input_number,
            record=timeline.record_of_input(step.input_number),
            fate=step.fate,
            position=position,
            id=event.id,
            session=event.session,
            kind=event.kind,
            tool=record.tool,
            call=record.call,
            agent=record.agent,
            principal=event.principal,
            ts_ns=event.ts_ns,
            time_ns=event.time_ns,
            arrival_ns=event.arrival_ns,
            topic=event.origin.topic,
            partition=event.origin.partition,
            offset=event.origin.offset,
        ),
        user=_cut(record.user),
        text=_cut(record.text),
        args=_raw(record.args),
        result=_raw(record.result),
        error=_cut(record.error),
        attributes=_raw(record.attributes),
        parent=_cut(record.parent),
        facts=_facts(timeline, step) if step.fate == "taken" else [],
        anchors=[f.id for f in findings if f.anchor.id == event.id],
        witnesses=[
            f.id
            for f in findings
            if position is not None
            and any(
                ref.position == position and ref.is_of(f.trace) for ref in (*f.witness, *f.unknowns)
            )
        ],
    )


def _facts(timeline: Timeline, step: TrackStep) -> list[FactSeen]:
    program = timeline.program
    files = {compiled.file_index: compiled.file for compiled in program.invariants}
    found = []
    for number, facts in enumerate(program.facts(step.event)):
        for name in program.predicates[number]:
            fact = facts.get(name)
            if fact is not None and fact.truth:
                found.append(_fact(files.get(number, ""), name, fact))
    return found


def _fact(file: str, name: str, fact: Fact) -> FactSeen:
    return FactSeen(
        file=file,
        predicate=name,
        value=TRUTH_NAMES[fact.truth],
        values=[
            show_binding(((key, value),))
            for key, values in fact.values.items()
            for value in fact.elements(key) or values
        ],
        missing=sorted({*fact.missing, *fact.overflowing}),
    )


def _finding(timeline: Timeline, finding: Finding, told_at: int) -> StoryFinding:
    anchor_input = _anchor_input(timeline, finding)
    spec = _spec_of(timeline, finding)
    standing = None
    if anchor_input is not None and spec is not None:
        standings = look_at(timeline, anchor_input, only=finding.invariant_digest).invariants
        standing = standings[0] if standings else None
    return StoryFinding(
        finding=finding,
        told_at_input=told_at,
        anchor_input=anchor_input,
        standing=standing,
        summary=spec.summary if spec is not None else finding.summary,
        formula_source=spec.formula_source.text if spec is not None else "",
    )


def _anchor_input(timeline: Timeline, finding: Finding) -> int | None:
    """The input that the anchor of a finding is; by its place in the trace."""
    trace = timeline.sessions[finding.trace].trace
    position = finding.anchor.position
    if not 0 <= position < len(trace) or trace[position] == CLOSED:
        return None
    return trace[position]


def _spec_of(timeline: Timeline, finding: Finding) -> InvariantSpec | None:
    for compiled in timeline.program.invariants:
        if compiled.digest == finding.invariant_digest:
            return compiled.spec
    return None


def _control(timeline: Timeline, clock: SessionClock | None, trace: TraceKey) -> list[StoryControl]:
    """In recorded order. Unreadable records are left out, as in guards."""
    keys = {*trace.control_targets, f"principal:{trace.principal}", "global"}
    if clock is not None:
        keys.add(f"agent:{clock.agent}")
    found = []
    for _, key, value in timeline.control_records():
        record = read_control(value) if key in keys and value is not None else None
        if record is None:
            continue
        found.append(
            StoryControl(
                key=key,
                state=record.state,
                issued_at_ns=record.issued_at,
                expires_at_ns=record.expires_at,
                issuer=_cut(record.issuer),
                incident=_cut(record.incident),
            )
        )
    return found


def _scores(timeline: Timeline, steps: Sequence[TrackStep]) -> list[StoryScore]:
    """The same detector over the same events; alone, since the engine keeps alarms only."""
    detector = timeline.detector
    taken = [step for step in steps if step.fate == "taken"]
    if detector is None or not taken:
        return []
    state = detector.initial(is_whole=taken[0].header.position == 1)
    scores = []
    for step in taken:
        state, score = detector.step(state, step.event)
        if score is not None:
            scores.append(
                StoryScore(
                    position=step.header.position - 1,
                    time_ns=step.event.time_ns,
                    value=score.value,
                    threshold=score.threshold,
                    is_alarm=score.is_alarm,
                )
            )
    return scores


def _raw(value: msgspec.Raw) -> str:
    return _cut(bytes(value).decode("utf-8", "replace"))


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
