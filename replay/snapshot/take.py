"""The state at one input of a timeline: memories, pending verdicts, counts and findings.

Input: a timeline and an input of it. Output: a `Standing`. The timeline does not change.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from invariants.model.errors import ConfigError
from invariants.model.event import Event
from monitor.ingest.rejected import Rejected
from monitor.kernel.inspect import standings
from replay.recording.format import RecordLine
from replay.snapshot.model import EventSeen, SessionClock, Standing
from replay.timeline.player import read_line
from replay.timeline.session_inputs import CLOSED
from replay.timeline.session_track import SessionTrack, TrackStep
from replay.timeline.timeline import Timeline


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
        invariants=standings(timeline.program.session, life, told, only) if life else [],
        findings=told,
    )


def _life(track: SessionTrack, step: TrackStep) -> list[TrackStep]:
    """The steps to look back over; the last of them is the requested event."""
    life = track.life_before(step)
    if life and step.fate != "taken":
        # A repeat changes nothing: what stands is what stood at the event before it.
        life[-1] = life[-1]._replace(progress=step.progress)
    return life


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
