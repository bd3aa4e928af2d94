"""One session as HTML: its findings as cards, its events as rows, and its stops.

A session is rendered at the first of `SIZES` that fits into its share of bytes.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from monitor.findings.count_text import count_of
from monitor.findings.model import SEVERITIES
from monitor.presentation import time_text, visible
from monitor.trace_key import TraceKey
from replay.report.chart import draw_chart
from replay.report.control import Controls, control_lines, control_texts, outcome_of
from replay.report.events import ShownEvents, calls_text, event_rows, shown_events
from replay.report.findings import Around, finding_part
from replay.report.render import render_session
from replay.report.scores import scores_of
from replay.report.tally import CountedSession, FindingsTally, GroupKey, group_of
from replay.report.view import Card, Chart, Detail, FindingPart, SessionPart
from replay.timeline.timeline import Timeline
from replay.timeline.told_findings import Told

NO_SESSION: Final = "no known session"
GROUPS_MAX: Final = 200
"""Chosen: listed groups, and groups of which a session keeps a finding."""


class Size(NamedTuple):
    """Bounds on the shown part of a session."""

    findings_max: int
    rows_max: int
    detail_bytes_max: int


SIZES: Final = (
    Size(20, 300, 250_000),
    Size(20, 80, 60_000),
    Size(8, 30, 10_000),
    Size(2, 0, 0),
)
"""Chosen: nearly every session fits the first; all but hostile ones fit the last."""


class WantedSession(NamedTuple):
    """A session to render: its number in the page, and the command for its own page."""

    trace: TraceKey
    number: int
    command: str


class Whole(NamedTuple):
    """A rendered session, and the groups that have a card in it."""

    html: str
    groups: frozenset[GroupKey]


class SessionWriter:
    """Renders sessions of one timeline."""

    def __init__(self, timeline: Timeline, tally: FindingsTally, controls: Controls) -> None:
        self._timeline = timeline
        self._tally = tally
        self._controls = controls
        self._groups = {key: number for number, key in enumerate(tally.groups, start=1)}

    def write(self, wanted: WantedSession, bytes_max: int) -> Whole | None:
        """The session as HTML; None if even the smallest size does not fit."""
        chart = draw_chart(scores_of(self._timeline, wanted.trace))
        for size in SIZES:
            told = chosen_findings(self._timeline, wanted.trace, size.findings_max)
            html = render_session(self._part(wanted, told, size, chart))
            if len(html.encode("utf-8", "backslashreplace")) <= bytes_max:
                return Whole(html, frozenset(group_of(one.finding) for one in told))
        return None

    def _part(
        self, wanted: WantedSession, told: Sequence[Told], size: Size, chart: Chart | None
    ) -> SessionPart:
        trace, anchor = wanted.trace, f"session-{wanted.number}"
        counted, coverage = self._tally.sessions[trace], self._controls.coverage
        records = self._controls.of(trace, counted.agent)
        shown = shown_events(self._timeline, trace, told, size.rows_max)
        around = Around(anchor, shown.events, shown.first_ns, records, coverage, self._groups)
        outcome, tone = outcome_of(trace, records, coverage)
        rows, after = event_rows(shown, told, anchor, size.detail_bytes_max, control_lines(records))
        return SessionPart(
            anchor=anchor,
            number=wanted.number,
            name=session_name(trace),
            tone=tone,
            outcome=outcome,
            facts=tuple(self._facts(trace, counted, shown)),
            cards=tuple(self._cards(counted, told, around)),
            rows=tuple(rows),
            rows_left_out=shown.left_out,
            controls_after=tuple(after),
            done=tuple(control_texts(records)),
            chart=chart,
            notes=tuple(_notes(counted, told)),
            command=wanted.command,
        )

    def _facts(
        self, trace: TraceKey, counted: CountedSession, shown: ShownEvents
    ) -> Iterator[Detail]:
        yield Detail("agent", visible(counted.agent) or "not given")
        yield Detail("principal", visible(trace.principal) or "unknown")
        yield Detail("findings", f"{counted.severity_text}: {counted.type_text}")
        yield Detail("events", f"{len(shown.events) + shown.left_out:,}")
        if shown.events:
            times = [event.time_ns for event in shown.events.values()]
            yield Detail("time", f"{time_text(times[0])} to {time_text(times[-1])}")
        if calls := calls_text(shown):
            yield Detail("calls shown" if shown.left_out else "calls", calls)

    def _cards(
        self, counted: CountedSession, told: Sequence[Told], around: Around
    ) -> Iterator[Card]:
        """A card for each group, the most severe first."""
        parts: dict[GroupKey, list[FindingPart]] = {}
        for number, (_, finding) in enumerate(told, start=1):
            part = finding_part(self._timeline, finding, number, around)
            parts.setdefault(group_of(finding), []).append(part)
        for key in sorted(parts, key=self._groups.__getitem__):
            of_group, number = counted.groups[key], self._groups[key]
            total, here = of_group.total, len(parts[key])
            yield Card(
                anchor=f"{around.anchor}-group-{number}",
                group_anchor=f"group-{number}" if number <= GROUPS_MAX else "",
                tone=of_group.worst,
                name=visible(key.name, 120),
                summary=visible(self._tally.groups[key].summary),
                count=of_group.type_text + (f"; {here:,} shown" if here < total else ""),
                findings=tuple(parts[key]),
            )


def session_name(trace: TraceKey) -> str:
    """The name of a session in the page."""
    return visible(str(trace)) or NO_SESSION


def _notes(counted: CountedSession, told: Sequence[Told]) -> Iterator[str]:
    if len(told) < counted.total:
        found = count_of(counted.total, "finding")
        yield f"{len(told):,} of {found} are shown: one of each invariant, then the most severe."


def chosen_findings(timeline: Timeline, trace: TraceKey, findings_max: int) -> list[Told]:
    """The shown findings of a session: the most severe of each group, then the most severe.

    They are in the order of reporting. Memory: `findings_max` findings, and one for each group.
    """
    best: dict[GroupKey, tuple[tuple[int, int, int], Told]] = {}
    heap: list[tuple[tuple[int, int, int], Told]] = []
    for number, told in enumerate(timeline.findings(trace)):
        finding = told.finding
        is_violated = finding.type == "violated"
        weighed = (SEVERITIES.index(finding.severity), int(is_violated), -number), told
        key = group_of(finding)
        if key in best or len(best) < GROUPS_MAX:
            best[key] = max(best.get(key, weighed), weighed)
        heapq.heappush(heap, weighed)
        if len(heap) > findings_max:
            heapq.heappop(heap)
    ordered = [*sorted(best.values(), reverse=True), *sorted(heap, reverse=True)]
    chosen = dict(ordered)
    kept = list(chosen.items())[:findings_max]
    return [told for _, told in sorted(kept, key=lambda item: -item[0][2])]
