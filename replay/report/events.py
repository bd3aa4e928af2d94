"""A session's events as rows: what matters is marked, and what is far from it is left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from invariants.event import Event
from monitor.finding_text import time_text, visible
from monitor.trace_key import TraceKey
from replay.report.findings import verdict_word
from replay.report.view import Detail, EventRow, Mark, Tone
from replay.timeline import Timeline
from replay.told_findings import Told

ROWS_MAX: Final = 300
NEAR: Final = 4
"""Chosen: events before and after one that matters that are shown with it."""
GIST_CHARACTERS: Final = 160
DETAIL_CHARACTERS: Final = 4_000


def event_rows(
    timeline: Timeline, trace: TraceKey, told: Sequence[Told], anchor: str
) -> tuple[list[EventRow], frozenset[int], int]:
    """The rows, the positions that are shown, and how many events are not."""
    events = _events(timeline, trace)
    marks = _marks(told)
    chosen = _chosen([position for position, _ in events], marks)
    first_ns = events[0][1].time_ns if events else 0
    rows = [
        _row(position, event, event.time_ns - first_ns, marks.get(position, ()), anchor)
        for position, event in events
        if position in chosen
    ]
    return rows, frozenset(chosen), len(events) - len(rows)


def _events(timeline: Timeline, trace: TraceKey) -> list[tuple[int, Event]]:
    """The events of the session's trace with their positions, as far as they can be had again."""
    index = timeline.sessions.get(trace)
    if index is None or not index.inputs:
        return []
    track = timeline.track(trace, index.inputs[-1])
    return [(s.header.position - 1, s.event) for s in track.steps if s.fate == "taken"]


def _marks(told: Sequence[Told]) -> dict[int, list[Mark]]:
    marks: dict[int, list[Mark]] = {}
    for number, (_, finding) in enumerate(told, start=1):
        tone: Tone = finding.severity
        text = f"{number}: {verdict_word(finding)}"
        marks.setdefault(finding.anchor.position, []).append(Mark(tone, text))
        for sort, refs in (("proof", finding.witness), ("doubt", finding.unknowns)):
            for ref in refs:
                if ref.is_of(finding.trace) and ref.position != finding.anchor.position:
                    mark = Mark("info" if sort == "proof" else "warning", f"{number}: {sort}")
                    marks.setdefault(ref.position, []).append(mark)
    return {position: list(dict.fromkeys(held)) for position, held in marks.items()}


def _chosen(positions: Sequence[int], marks: Iterable[int]) -> set[int]:
    """All events of a short session; of a long one what is marked, its neighbours, and the ends."""
    if len(positions) <= ROWS_MAX:
        return set(positions)
    chosen = {*positions[:NEAR], *positions[-NEAR:]}
    for position in sorted(marks):
        if len(chosen) + 2 * NEAR + 1 > ROWS_MAX:
            break
        chosen.update(range(position - NEAR, position + NEAR + 1))
    return chosen


def _row(
    position: int, event: Event, offset_ns: int, marks: Sequence[Mark], anchor: str
) -> EventRow:
    record = event.record
    parts = [
        ("arguments", _json(record.args)),
        ("result", _json(record.result)),
        ("text", record.text),
        ("error", record.error),
        ("attributes", _json(record.attributes)),
    ]
    told = [(label, text) for label, text in parts if text]
    gist = visible(" ".join(told[0][1].split()), GIST_CHARACTERS) if told else ""
    is_whole = len(told) == 1 and gist == told[0][1]
    details = [] if is_whole else [Detail(label, _bounded(text)) for label, text in told]
    details += [Detail("id", visible(event.id))] if details or not told else []
    tones = [mark.tone for mark in marks if not mark.text.endswith((": proof", ": doubt"))]
    return EventRow(
        anchor=f"{anchor}-event-{position}",
        position=str(position),
        time=time_text(event.time_ns),
        offset=f"+{offset_ns / 1e9:,.3f} s",
        kind=visible(record.kind, 60),
        tool=visible(record.tool, 60),
        gist=gist,
        details=tuple(details),
        marks=tuple(marks),
        tone=tones[0] if tones else "info" if marks else "plain",
    )


def _json(raw: msgspec.Raw) -> str:
    """JSON as it was sent, laid out; text that is none as it is."""
    data = bytes(memoryview(raw))
    if not data:
        return ""
    try:
        return msgspec.json.format(data, indent=2).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return data.decode(errors="replace")


def _bounded(text: str) -> str:
    """Lines stay lines; every other control character is made visible."""
    lines = (visible(line, DETAIL_CHARACTERS) for line in text[:DETAIL_CHARACTERS].split("\n"))
    shown = "\n".join(lines)
    left = len(text) - DETAIL_CHARACTERS
    return shown if left <= 0 else f"{shown}\n… {left:,} more characters"
