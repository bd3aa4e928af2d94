"""The state at one input of a timeline: memories, pending verdicts, counts and findings.

Input: a timeline and an input of it. Output: a `Standing`. The timeline does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

import msgspec

from invariants.core import Env
from invariants.errors import ConfigError
from invariants.event import Event
from invariants.operators.contract import Count, Key, Memory, Times, env_of
from invariants.operators.future import Anchor
from invariants.scope_program import Compiled
from invariants.verdict import EventRef
from monitor.decode.rejected import Rejected
from monitor.finding import Finding, WitnessEvent
from monitor.grouping import members_of
from replay.player import read_line
from replay.recording import RecordLine
from replay.session_inputs import CLOSED
from replay.standing import (
    SHOWN_MAX,
    EventSeen,
    InvariantStanding,
    MemoryStanding,
    PendingStanding,
    SessionClock,
    SliceStanding,
    Standing,
    Status,
    TallyStanding,
    TruthName,
)
from replay.timeline import Timeline
from replay.track import SessionTrack, TrackStep
from replay.values import TRUTH_NAMES, Reading, env_text, reading_of, values_at

INT64_MAX: Final = 2**63 - 1


def input_at(timeline: Timeline, number: int) -> int:
    """The input of `--at NUMBER`: a record of the recording, or of the one session.

    Counts from 0, or from the end if negative. In a timeline of one session it is the position
    in that session's trace, as in findings.

    Raises
    ------
    ConfigError
        There is no such record.
    """
    choose: Callable[[int], int] = timeline.input_of_record
    counted, what = timeline.records_count, "records"
    if timeline.session:
        index = next((timeline.sessions[trace] for trace in timeline.wanted), None)
        trace = list(index.trace) if index is not None else []
        choose = trace.__getitem__
        counted, what = len(trace), "events of this session"
    place = number if number >= 0 else counted + number
    if not 0 <= place < counted:
        raise ConfigError(f"`--at {number}`: there are {counted} {what}, counted from 0")
    found = choose(place)
    if found == CLOSED:
        raise ConfigError(
            f"`--at {number}`: the monitor itself ended the session there; subtract one"
        )
    return found


def look_at(timeline: Timeline, input_number: int, *, only: str = "") -> Standing:
    """The state after an input, of its session.

    `only` is the digest of the one requested invariant.
    """
    line = timeline.input_line(input_number)
    assert isinstance(line, RecordLine), "only records are asked for"
    read = read_line(line)
    record = timeline.record_of_input(input_number)
    if isinstance(read, Rejected):
        event = _seen(input_number, record, line, fate="rejected", problem=read.detail)
        return Standing(event=event, clock=None, invariants=[], findings=[])
    trace = timeline.trace_of(input_number, read)
    track = timeline.track(trace, input_number)
    step = track.step_at(input_number)
    told = [t.finding for t in timeline.findings(trace) if t.input_number <= input_number]
    if step is None or step.input_number != input_number:
        event = _seen(input_number, record, line, fate="other", event=read)
        return Standing(event=event, clock=None, invariants=[], findings=told)
    event = _seen(input_number, record, line, fate=step.fate, event=step.event)
    life = _life(track, step)
    if step.fate == "taken":
        position = step.header.position - 1
        event = msgspec.structs.replace(event, position=position)
    return Standing(
        event=event,
        clock=_clock(timeline, step, input_number),
        invariants=_invariants(timeline, life, told, only) if life else [],
        findings=told,
    )


def _life(track: SessionTrack, step: TrackStep) -> list[TrackStep]:
    """The steps to look back over; the last of them is the requested event."""
    life = track.life_before(step)
    if life and step.fate != "taken":
        # A repeat changes nothing: what stands is what stood at the event before it.
        life[-1] = life[-1]._replace(progress=step.progress)
    return life


def _invariants(
    timeline: Timeline, life: Sequence[TrackStep], told: list[Finding], only: str
) -> list[InvariantStanding]:
    is_whole = life[0].header.position == 1
    return [
        _invariant(timeline, index, compiled, life, told, is_whole=is_whole)
        for index, compiled in enumerate(timeline.program.session.invariants)
        # What is wider than the session cannot be told from the session alone.
        if only in ("", compiled.digest)
    ]


def _invariant(
    timeline: Timeline,
    index: int,
    compiled: Compiled,
    life: Sequence[TrackStep],
    told: list[Finding],
    *,
    is_whole: bool,
) -> InvariantStanding:
    program, step = timeline.program, life[-1]
    declared, automaton = compiled.declared, compiled.automaton
    state = step.progress.states[index]
    reading = reading_of(program, index, step)
    values, bindings_count = values_at(program, index, life, is_whole=is_whole)
    pending = _pending(compiled, step, index)
    future = automaton.tables.future
    return InvariantStanding(
        id=declared.id,
        digest=compiled.digest,
        severity=declared.severity,
        mode=declared.mode,
        status=_status(compiled, step, told, pending),
        formula=declared.formula,
        violating=declared.violating,
        waits_for="" if future is None else future.text,
        bindings=values,
        bindings_count=bindings_count,
        memories=[_memory(compiled, memory, reading) for memory in automaton.tables.memories],
        pending=pending[:SHOWN_MAX],
        pending_count=state.pending.waiting_count,
        lost_count=state.lost_count,
    )


def _status(
    compiled: Compiled, step: TrackStep, told: Sequence[Finding], pending: list[PendingStanding]
) -> Status:
    """By docs/language.md, Verdicts."""
    verdicts = (verdict for finding in told for verdict in members_of(finding))
    types = {verdict.type for verdict in verdicts if verdict.invariant_digest == compiled.digest}
    if "violated" in types:
        return "violated"
    if any(compiled.declared.id in finding.could_concern for finding in told):
        return "inconclusive"  # A record could not be read, or times run back.
    if step.header.ended_ns is not None and not pending:
        return "inconclusive" if "inconclusive" in types else "satisfied"
    is_bad = any(waiting.if_ended == "violated" for waiting in pending)
    return "currently_violated" if is_bad else "currently_satisfied"


def _pending(compiled: Compiled, step: TrackStep, index: int) -> list[PendingStanding]:
    """Pending verdicts, oldest first."""
    automaton = compiled.automaton
    future, cell = automaton.tables.future, step.progress.states[index].pending
    if future is None or not cell.waiting_count:
        return []
    _, decisions = future.end(cell, step.event.time_ns)
    high_ns = future.window.high_ns
    escalates = compiled.declared.on_unknown == "violate"
    names = ("holds", "violated" if escalates else "inconclusive", "violated")

    def told(anchor: Anchor, truth: int) -> PendingStanding:
        return PendingStanding(
            anchor=_event(anchor.ref),
            binding=env_text(automaton, anchor.env),
            deadline_ns=None if high_ns is None else anchor.ref.time_ns + high_ns,
            if_ended=names[truth],
        )

    return [told(decision.anchor, decision.truth) for decision in decisions]


def _memory(compiled: Compiled, memory: Memory, reading: Reading) -> MemoryStanding:
    """The content of an operator, for the first bindings in the order of their texts."""
    now, cells = reading
    content = memory.describe(now, cells)
    width = compiled.automaton.tables.width

    def binding_of(key: Key) -> tuple[dict[str, Any], Env]:
        env = env_of(key, memory.slots, width)
        return env_text(compiled.automaton, env), env

    slices = []
    for held in content.times:
        binding, env = binding_of(held.key)
        truth = memory.read(now, cells, env).truth
        slices.append(_slice(binding, TRUTH_NAMES[truth], held))
    tallies = [_tally(binding_of(held.key)[0], held) for held in content.counts]
    return MemoryStanding(
        text=memory.text,
        slices=sorted(slices, key=lambda one: _order(one.binding))[:SHOWN_MAX],
        tallies=sorted(tallies, key=lambda one: _order(one.binding))[:SHOWN_MAX],
        bindings_count=len(slices) + len(tallies),
        lost_count=content.lost_count,
    )


def _slice(binding: dict[str, Any], value: TruthName, held: Times) -> SliceStanding:
    return SliceStanding(
        binding=binding,
        value=value,
        certain=[_event(ref) for ref in held.certain[-SHOWN_MAX:]],
        possible=[_event(ref) for ref in held.possible[-SHOWN_MAX:]],
        has_lost=held.has_lost,
    )


def _tally(binding: dict[str, Any], held: Count) -> TallyStanding:
    return TallyStanding(
        binding=binding,
        certain_count=held.certain_count,
        possible_count=held.possible_count,
        least=None if held.range is None else _end(held.range[0]),
        greatest=None if held.range is None else _end(held.range[1]),
        newest=None if held.newest is None else _event(held.newest),
        has_lost=held.has_lost,
    )


def _end(number: int | Fraction | float) -> int | float | str | None:
    """An end of a range; None if it is open."""
    return None if isinstance(number, float) else plain_number(number)


def _clock(timeline: Timeline, step: TrackStep, input_number: int) -> SessionClock:
    header = step.header
    return SessionClock(
        position_next=header.position,
        time_ns=header.time_ns,
        ended_ns=header.ended_ns,
        agent=header.agent,
        principal=header.principal,
        missing_seq=list(header.missing),
        tick_ns=timeline.tick_before(input_number),
    )


def _seen(
    input_number: int,
    record: int,
    line: RecordLine,
    *,
    fate: str,
    event: Event | None = None,
    problem: str = "",
) -> EventSeen:
    seen = EventSeen(
        input=input_number,
        record=record,
        fate=fate,
        topic=line.topic,
        partition=line.partition,
        offset=line.offset,
        arrival_ns=line.arrival_ns,
        problem=problem,
    )
    if event is None:
        return seen
    return msgspec.structs.replace(
        seen,
        id=event.id,
        session=event.session,
        kind=event.kind,
        tool=event.record.tool,
        call=event.record.call,
        agent=event.record.agent,
        principal=event.principal,
        ts_ns=event.ts_ns,
        time_ns=event.time_ns,
    )


def plain_number(number: int | Fraction) -> int | float | str:
    """An exact number as JSON can carry it."""
    if isinstance(number, int):
        return number if abs(number) <= INT64_MAX else f"{float(number):g}"
    try:
        return float(number)
    except OverflowError:
        return "beyond every double"


def _order(binding: dict[str, Any]) -> bytes:
    """An order of bindings that does not depend on the process."""
    return msgspec.json.encode(binding, order="sorted")


def _event(ref: EventRef) -> WitnessEvent:
    return WitnessEvent(ref.position, ref.time_ns, ref.id)
