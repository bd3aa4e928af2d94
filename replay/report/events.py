"""A session's events as rows, with marks on those that findings refer to.

In a long session, only events near the marked ones are shown. The outcome of a call is shown beside
its request. The contents of all events share one budget of bytes. Marked events get their share
first; a row without room for its content states that.
"""

from __future__ import annotations

import html
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from invariants.model.event import Event
from monitor.findings.count_text import count_of
from monitor.presentation import time_text, visible
from monitor.trace_key import TraceKey
from replay.report.mask import masked
from replay.report.view import Answer, Detail, EventRow, Mark, ShownTime, Tone
from replay.report.words import offset_text, verdict_word
from replay.timeline.session_inputs import CLOSED
from replay.timeline.timeline import Timeline
from replay.timeline.told_findings import Told

NEAR: Final = 4
"""Chosen: events shown before and after each marked event."""
GIST_CHARACTERS: Final = 200
TEXT_CHARACTERS: Final = 120
TOOLS_MAX: Final = 12
DETAIL_CHARACTERS: Final = 4_000
OUTCOMES: Final[Mapping[str, str]] = {
    "tool.completed": "completed",
    "tool.failed": "failed",
    "tool.denied": "denied",
}
DECISIONS: Final = frozenset({"approval.granted", "approval.denied"})


class ShownEvents(NamedTuple):
    """The shown events of a session, by position, and the number of those left out."""

    events: Mapping[int, Event]
    left_out: int
    first_ns: int | None
    """The time of the session's first event, if it is in the recording."""


def shown_events(
    timeline: Timeline, trace: TraceKey, told: Sequence[Told], rows_max: int
) -> ShownEvents:
    """All events of a short session. Of a long one: events of findings, neighbours and both ends.

    Cost: the session is played once; a long one is played from a snapshot before each shown range.
    """
    index = timeline.sessions.get(trace)
    if index is None:
        return ShownEvents({}, 0, None)
    positions = [position for position, number in enumerate(index.trace) if number != CLOSED]
    chosen = _chosen(positions, _positions_of(told), rows_max)
    events: dict[int, Event] = {}
    for position in sorted(chosen):
        number = index.trace[position]
        step = timeline.track(trace, number).step_at(number)
        if step is not None and step.input_number == number and step.fate == "taken":
            events[position] = step.event
    first = events.get(0)
    return ShownEvents(
        events, len(positions) - len(events), None if first is None else first.time_ns
    )


def calls_text(shown: ShownEvents) -> str:
    """The number of calls of each tool among the shown events."""
    called = (e.record for e in shown.events.values() if e.record.kind == "tool.requested")
    counts = Counter(record.tool for record in called)
    said = [f"{visible(tool, 60) or 'no tool'} {n:,}" for tool, n in counts.most_common(TOOLS_MAX)]
    said += [count_of(left, "more tool")] if (left := len(counts) - TOOLS_MAX) > 0 else []
    return ", ".join(said)


def _positions_of(told: Sequence[Told]) -> list[int]:
    """Positions of the anchors of findings, then of the events that they refer to."""
    anchors = [finding.anchor.position for _, finding in told]
    grounds = [
        ref.position
        for _, finding in told
        for ref in (
            *finding.witness,
            *finding.unknowns,
            *(member.anchor for member in finding.undecided),
        )
        if ref.is_of(finding.trace)
    ]
    return list(dict.fromkeys((*anchors, *grounds)))


def _chosen(positions: Sequence[int], marked: Sequence[int], rows_max: int) -> set[int]:
    """All positions if there is room; else the marked ones with as many neighbours as fit."""
    if len(positions) <= rows_max:
        return set(positions)
    chosen: set[int] = set()
    near = NEAR
    while len(wider := _around(positions, marked, near, rows_max)) > len(chosen):
        chosen, near = wider, 2 * near
    return chosen


def _around(positions: Sequence[int], marked: Sequence[int], near: int, rows_max: int) -> set[int]:
    """Both ends, and the marked events with `near` events on each side; empty if they do not fit.

    With the smallest `near`, as many as fit, in the order of `marked`.
    """
    known = set(positions)
    chosen = {*positions[:near], *positions[-near:]}
    if len(chosen) > rows_max:
        return set()
    for position in marked:
        own = known.intersection(range(position - near, position + near + 1))
        if len(chosen | own) > rows_max:
            return chosen if near == NEAR else set()
        chosen |= own
    return chosen


def event_rows(
    shown: ShownEvents,
    told: Sequence[Told],
    anchor: str,
    detail_bytes_max: int,
    controls: Sequence[tuple[int, str]],
) -> tuple[list[EventRow], list[str]]:
    """The rows of the shown events in order, and the control records after the last event.

    `controls` are times and sentences, in order of time.
    """
    waiting = deque(controls)
    marks = _marks(told, shown.events, anchor)
    answers = _answers(shown, anchor)
    contents = _contents(shown.events, marks, detail_bytes_max)
    rows = []
    before = -1
    for position, event in shown.events.items():
        at = ShownTime(time_text(event.time_ns))
        if shown.first_ns is not None:
            at = ShownTime(at.time, offset_text(event.time_ns - shown.first_ns))
        held = marks.get(position, [])
        gist, details = contents[position]
        issued = []
        while waiting and waiting[0][0] < event.time_ns:
            issued.append(waiting.popleft()[1])
        rows.append(
            EventRow(
                anchor=f"{anchor}-event-{position}",
                position=str(position),
                at=at,
                kind=visible(event.record.kind, 60),
                tool=visible(event.record.tool, 120),
                gist=gist,
                answer=answers.get(position),
                details=details,
                marks=tuple(held),
                tone=_tone(held),
                skipped_count=position - before - 1,
                controls=tuple(issued),
            )
        )
        before = position
    return rows, [sentence for _, sentence in waiting]


def _tone(marks: Sequence[Mark]) -> Tone:
    """The tone of a finding at the event; else `info` if a finding refers to the event."""
    tones = [
        mark.tone for mark in marks if not mark.text.startswith(("proof", "doubt", "undecided"))
    ]
    return tones[0] if tones else "info" if marks else "plain"


def _marks(told: Sequence[Told], events: Mapping[int, Event], anchor: str) -> dict[int, list[Mark]]:
    """Labels that link to findings. An event with the same position but another id gets none."""
    marks: dict[int, list[Mark]] = {}

    def put(position: int, id_: str, mark: Mark) -> None:
        if position in events and events[position].id == id_:
            marks.setdefault(position, []).append(mark)

    for number, (_, finding) in enumerate(told, start=1):
        place = f"{anchor}-finding-{number}"
        at = finding.anchor
        text = f"finding {number}: {finding.severity}, {verdict_word(finding)}"
        put(at.position, at.id, Mark(finding.severity, text, place))
        judged = [member.anchor for member in finding.undecided]
        for sort, refs in (
            ("proof", finding.witness),
            ("doubt", finding.unknowns),
            ("undecided", judged),
        ):
            for ref in refs:
                if ref.is_of(finding.trace) and ref.position != at.position:
                    tone: Tone = "info" if sort == "proof" else "warning"
                    link = "in" if sort == "undecided" else "of"
                    text = f"{sort} {link} finding {number}"
                    put(ref.position, ref.id, Mark(tone, text, place))
    return {position: list(dict.fromkeys(held)) for position, held in marks.items()}


def _answers(shown: ShownEvents, anchor: str) -> dict[int, Answer]:
    """Links between a request and its outcome or decision, in both directions.

    If a call id is used again, it refers to the latest request before.
    """
    asked: dict[str, int] = {}
    answers: dict[int, Answer] = {}
    for position, event in shown.events.items():
        record = event.record
        if not record.call:
            continue
        if record.kind == "tool.requested":
            asked[record.call] = position
            missing = "among the events shown" if shown.left_out else "in the recording"
            answers[position] = Answer(f"no outcome {missing}")
        elif record.call in asked and (record.kind in OUTCOMES or record.kind in DECISIONS):
            request = asked[record.call]
            link = f"{anchor}-event-{request}"
            answers[position] = Answer(f"for the call at event {request}", anchor=link)
            if record.kind in OUTCOMES:
                answers[request] = _outcome(shown.events[request], event, position, anchor)
    return answers


def _outcome(request: Event, outcome: Event, position: int, anchor: str) -> Answer:
    after = offset_text(outcome.time_ns - request.time_ns).lstrip("+")
    label = f"{OUTCOMES[outcome.record.kind]} after {after}, event {position}"
    parts = _parts(outcome)
    said = next((text for name, text in parts if name in ("error", "result")), "")
    return Answer(label, _gist(said), f"{anchor}-event-{position}")


def event_text(event: Event) -> str:
    """An event on one line: its kind, its tool, and the start of its content."""
    record, parts = event.record, _parts(event)
    words = [visible(record.kind, 60), visible(record.tool, 80)]
    said = visible(_gist(parts[0][1]), TEXT_CHARACTERS) if parts else ""
    return " ".join(filter(None, (*words, said)))


def _contents(
    events: Mapping[int, Event], marks: Mapping[int, Sequence[Mark]], bytes_max: int
) -> dict[int, tuple[str, tuple[Detail, ...]]]:
    """The gist of each event, and its whole content while there is room."""
    by_weight = sorted(events, key=lambda position: (_distance(position, marks), position))
    left = bytes_max
    found = {}
    for position in by_weight:
        gist, details = _content(events[position])
        size = sum(len(html.escape(detail.text).encode()) for detail in details)
        if size > left:
            size, details = 0, (_no_room(size, position),)
        left -= size
        found[position] = gist, details
    return found


def _distance(position: int, marks: Mapping[int, Sequence[Mark]]) -> int:
    return min((abs(position - marked) for marked in marks), default=0)


def _no_room(size: int, position: int) -> Detail:
    """Replaces a content that does not fit: its size, and the command that shows it."""
    text = f"left out: {count_of(size, 'byte')}; `interlock replay` with `--at {position}` shows it"
    return Detail("content", text)


def _content(event: Event) -> tuple[str, tuple[Detail, ...]]:
    parts = _parts(event)
    if not parts:
        return "", (Detail("id", visible(event.id)),)
    first = parts[0][1]
    gist = _gist(first)
    if len(parts) == 1 and gist == first:
        return gist, ()
    details = [Detail(label, _bounded(text)) for label, text in parts]
    return gist, (*details, Detail("id", visible(event.id)))


def _parts(event: Event) -> list[tuple[str, str]]:
    """The content of an event; an outcome begins with its result, a request with its arguments."""
    record = event.record
    args = ("arguments", _json(record.args))
    new = [
        ("error", record.error),
        ("result", _json(record.result)),
        ("text", record.text),
    ]
    rest = ("attributes", _json(record.attributes))
    ordered = [*new, args, rest] if record.kind in OUTCOMES else [args, *new, rest]
    return [(label, text) for label, text in ordered if text and text != "{}"]


def _gist(text: str) -> str:
    """The start of a text on one line. It is masked before it is cut, to mask whole credentials."""
    head = masked(" ".join(text[: 8 * GIST_CHARACTERS].split()))
    return visible(head[: GIST_CHARACTERS + 1], GIST_CHARACTERS)


def _json(raw: msgspec.Raw) -> str:
    """Indented JSON; a JSON text without its quotes; anything else unchanged."""
    data = bytes(memoryview(raw))
    if not data:
        return ""
    try:
        if data.startswith(b'"'):
            return msgspec.json.decode(data, type=str)
        return msgspec.json.format(data, indent=2).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return data.decode(errors="replace")


def _bounded(text: str) -> str:
    """A bounded text. Line breaks are kept; other control characters are escaped."""
    head = masked(text[: 2 * DETAIL_CHARACTERS])[:DETAIL_CHARACTERS]
    shown = "\n".join(visible(line, DETAIL_CHARACTERS) for line in head.split("\n"))
    left = len(text) - DETAIL_CHARACTERS
    return shown if left <= 0 else f"{shown}\n[{left:,} more characters]"
