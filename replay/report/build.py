"""A replayed recording as the page that tells what happened, to whom, and why.

Input: a timeline, and what comparing it with the live findings came to. Output: an `IncidentPage`.
Sessions come by how bad they were; long ones show the events that matter and those around them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from interlock.control_record import ControlRecord
from monitor.file_end import open_text
from monitor.finding import SEVERITIES, Finding
from monitor.finding_text import time_text, visible
from monitor.trace_key import TraceKey
from replay.compare import Comparison
from replay.live_program import LiveProgram
from replay.report.chart import draw_chart
from replay.report.control import control_texts, controls_of, outcome_of
from replay.report.events import event_rows
from replay.report.findings import finding_card, verdict_word
from replay.report.scores import scores_of
from replay.report.view import Detail, IncidentPage, Mark, SessionLine, SessionPart, Tone
from replay.summary import notes_of
from replay.timeline import Timeline
from replay.told_findings import Told

NO_SESSION: Final = "no known session"
SESSIONS_MAX: Final = 50
"""Chosen: sessions that are told whole; the overview names `LINES_MAX`."""
LINES_MAX: Final = 200
CARDS_MAX: Final = 20
TONES: Final[Mapping[str, Tone]] = {"critical": "critical", "warning": "warning", "info": "info"}


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recording that was played through, and all that there is to say of it."""

    timeline: Timeline
    live: LiveProgram
    comparison: Comparison
    controls: Mapping[str, Sequence[ControlRecord]]


def build_page(replayed: Replayed, title: str) -> IncidentPage:
    """The page of a whole recording, or of the one session that the timeline is restricted to."""
    timeline = replayed.timeline
    by_session: dict[TraceKey, list[Told]] = {}
    for told in timeline.findings():
        by_session.setdefault(told.finding.trace, []).append(told)
    found = {name: controls_of(replayed.controls, name) for name in by_session}
    controls = {name: records for name, records in found.items() if records}
    ordered = sorted(by_session, key=lambda name: _badness(by_session[name], controls.get(name)))
    anchors = {name: f"session-{n}" for n, name in enumerate(ordered[:SESSIONS_MAX], start=1)}
    parts = [_session(replayed, name, by_session[name], anchor) for name, anchor in anchors.items()]
    lines = [
        _line(name, by_session[name], controls.get(name, ()), anchors.get(name, ""))
        for name in ordered[:LINES_MAX]
    ]
    return IncidentPage(
        title=title,
        lead=tuple(_lead(timeline, ordered, by_session, controls)),
        figures=tuple(_figures(timeline, by_session, controls)),
        trust=tuple(_trust(timeline, replayed.comparison)),
        overview=tuple(lines),
        sessions=tuple(parts),
        sessions_left_out=max(0, len(ordered) - len(lines)),
        facts=tuple(_facts(timeline, replayed.live)),
    )


def _badness(
    told: Sequence[Told], controls: Sequence[ControlRecord] | None
) -> tuple[int, int, int, int]:
    """Sorts the worst first: who was stopped, then severity, then how much, then when."""
    counts = Counter(t.finding.severity for t in told)
    return (
        -len(controls or ()),
        -counts["critical"],
        -counts["warning"],
        told[0].finding.anchor.time_ns,
    )


def _worst(told: Sequence[Told]) -> Tone:
    worst = max((t.finding.severity for t in told), key=SEVERITIES.index)
    return TONES[worst]


def _count_text(told: Sequence[Told]) -> str:
    counts = Counter(t.finding.severity for t in told)
    return ", ".join(f"{counts[s]} {s}" for s in reversed(SEVERITIES) if counts[s])


def _line(
    name: TraceKey, told: Sequence[Told], controls: Sequence[ControlRecord], anchor: str
) -> SessionLine:
    return SessionLine(
        name=visible(str(name)) or NO_SESSION,
        agent=visible(told[0].finding.agent),
        tone=_worst(told),
        findings=_count_text(told),
        outcome=outcome_of(controls),
        anchor=anchor,
    )


def _lead(
    timeline: Timeline,
    ordered: Sequence[TraceKey],
    by_session: Mapping[TraceKey, Sequence[Told]],
    controls: Mapping[TraceKey, Sequence[ControlRecord]],
) -> list[str]:
    """Two sentences for somebody who reads no further."""
    if not timeline.sessions:
        return ["No event is in the file: nothing was judged, and nothing can be said of it."]
    if not ordered and timeline.open.count:
        return ["No invariant was violated. The file ends before everything was decided."]
    if not ordered:
        return ["Nothing was found: no invariant was violated, and none was left undecided."]
    stopped = [name for name in ordered if controls.get(name)]
    broken: Counter[str] = Counter()
    for told in by_session.values():
        broken.update({_name_of(t.finding) for t in told if t.finding.severity != "info"})
    said = [f"{len(ordered)} session(s) have findings; {len(stopped)} were stopped."]
    if broken:
        named = ", ".join(f"“{name}” ({n})" for name, n in broken.most_common(3))
        said.append(f"Most often, by sessions: {named}.")
    return said


def _name_of(finding: Finding) -> str:
    return visible(finding.summary or finding.invariant or verdict_word(finding), 120)


def _figures(
    timeline: Timeline,
    by_session: Mapping[TraceKey, Sequence[Told]],
    controls: Mapping[TraceKey, Sequence[ControlRecord]],
) -> list[Detail]:
    counts = Counter(t.finding.severity for told in by_session.values() for t in told)
    figures = [Detail(f"{name} findings", f"{counts[name]:,}") for name in reversed(SEVERITIES)]
    stopped = sum(name in controls for name in by_session)
    return [
        *figures,
        Detail("sessions stopped", f"{stopped:,}"),
        Detail("sessions recorded", f"{len(timeline.sessions):,}"),
        Detail("events recorded", f"{timeline.records_count:,}"),
    ]


def _trust(timeline: Timeline, comparison: Comparison) -> list[Mark]:
    """Whether the page can be believed: damage, differences, and what could not be judged."""
    marks: list[Mark] = []
    if timeline.damage is not None:
        marks.append(Mark("critical", f"The recording is damaged: {visible(str(timeline.damage))}"))
    if not comparison.is_recorded:
        marks.append(Mark("plain", "No live findings were recorded to compare this replay with"))
    elif comparison.is_equal:
        text = f"The replay found what was found live ({comparison.compared_count} findings)"
        marks.append(Mark("good", text))
    else:
        assert comparison.first is not None, "unequal findings differ somewhere"
        text = f"The replay differs from live: {visible(comparison.first.explanation)}"
        marks.append(Mark("critical", text))
    if comparison.not_compared_count:
        first = comparison.not_compared[0]
        text = f"Cannot be re-evaluated: {visible(first.name, 60)} ({visible(first.reason)})"
        more = comparison.not_compared_count - 1
        marks.append(Mark("warning", text + (f", and {more} more" if more else "")))
    if timeline.rejected_count:
        text = f"{timeline.rejected_count} record(s) are not an event; no invariant saw them"
        marks.append(Mark("warning", text))
    marks += [Mark("warning", visible(text, 400)) for text in notes_of(timeline)]
    if timeline.open.count:
        marks.append(Mark("warning", visible(open_text(timeline.open), 2_000)))
    return marks


def _session(replayed: Replayed, name: TraceKey, told: Sequence[Told], anchor: str) -> SessionPart:
    timeline, controls = replayed.timeline, controls_of(replayed.controls, name)
    chosen = _chosen(told)
    rows, shown, left_out = event_rows(timeline, name, chosen, anchor)
    finding = told[0].finding
    cards = [
        finding_card(timeline, t.finding, number, anchor, shown)
        for number, t in enumerate(chosen, start=1)
    ]
    facts = [
        Detail("agent", visible(finding.agent) or "not said"),
        Detail("principal", visible(finding.principal) or "not known"),
        Detail("found", f"{_count_text(told)}"),
    ]
    if len(told) > CARDS_MAX:
        facts.append(
            Detail(
                "shown",
                f"{CARDS_MAX} of {len(told)} findings, the gravest and among them the first",
            )
        )
    return SessionPart(
        anchor=anchor,
        name=visible(str(name)) or NO_SESSION,
        tone="critical" if controls else _worst(told),
        outcome=outcome_of(controls),
        facts=tuple(facts),
        cards=tuple(cards),
        rows=tuple(rows),
        rows_left_out=left_out,
        done=tuple(control_texts(controls)),
        chart=draw_chart(scores_of(timeline, name)),
    )


def _chosen(told: Sequence[Told]) -> list[Told]:
    """As many findings as are told whole: the gravest, of equal ones the first; in their order."""
    numbered = enumerate(told)
    worst = sorted(numbered, key=lambda item: -SEVERITIES.index(item[1].finding.severity))
    return [t for _, t in sorted(worst[:CARDS_MAX], key=lambda item: item[0])]


def _facts(timeline: Timeline, live: LiveProgram) -> list[Detail]:
    header = timeline.header
    origins = {
        "given": "given to this report",
        "recorded": "carried by the recording",
        "packs": "the default packs",
    }
    facts = [
        Detail("recorded from", visible(f"{header.source.kind} {header.source.address}".strip())),
        Detail("recording made", visible(header.created) or "not said"),
        Detail("invariants", f"{len(live.program.invariants)}, {origins[live.origin]}"),
        Detail("program digest", live.program.digest),
    ]
    times = [t.finding.anchor.time_ns for t in timeline.findings()]
    if times:
        facts.insert(0, Detail("time", f"{time_text(min(times))} to {time_text(max(times))}"))
    return facts
