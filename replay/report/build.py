"""A replayed recording as an HTML page: findings, sessions, events and proofs.

Input: a timeline, and its comparison with the live findings. Output: HTML of at most
`PAGE_BYTES_MAX` bytes. Sessions are ordered, the worst first. The first ones get a timeline while
there is room. More are rows of a table. The others are counted, and the page names the command that
shows them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from monitor.findings.count_text import count_of
from monitor.presentation import time_text, visible
from monitor.trace_key import TraceKey
from replay.compare.findings import FindingsComparison
from replay.report.control import Controls, outcome_of, was_stopped
from replay.report.render import render
from replay.report.sessions import GROUPS_MAX, SessionWriter, WantedSession, Whole, session_name
from replay.report.tally import (
    GRAVEST_FIRST,
    Counted,
    CountedGroup,
    FindingsTally,
    GroupKey,
    tally_of,
)
from replay.report.top import comparison_mark, doubts_of, facts_of, figures_of, lead_of, type_lines
from replay.report.view import Detail, Group, IncidentPage, SessionLine
from replay.timeline.program import LiveProgram
from replay.timeline.timeline import Timeline

PAGE_BYTES_MAX: Final = 5_000_000
"""Chosen: small enough for a mail and for a phone."""
SESSION_BYTES_MAX: Final = 500_000
SESSIONS_MAX: Final = 100
"""Chosen: sessions with a timeline, if there is room."""
LINES_MAX: Final = 1_000
"""Chosen: rows of the table of all sessions."""
GROUP_LINES_MAX: Final = 20
HEAD_BYTES_MAX: Final = 4_000_000
"""Chosen: the bound of all tables. If names are long, the tables get fewer rows."""
NAME_CHARACTERS: Final = 120


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replayed recording with everything that its page shows.

    `file` is the name of the recording's file, for use in commands.
    """

    timeline: Timeline
    live: LiveProgram
    comparison: FindingsComparison
    controls: Controls
    file: str


def report_html(replayed: Replayed, title: str) -> str:
    """The page of a whole recording, or of the one session to which the timeline is restricted."""
    tally = tally_of(replayed.timeline.findings())
    ranked = _Ranked(replayed, tally)
    writer = SessionWriter(replayed.timeline, tally, replayed.controls)
    every = dict.fromkeys(ranked.order[:SESSIONS_MAX], frozenset(tally.groups))
    lines_max = LINES_MAX
    head = _size(render(_page(ranked, title, every, lines_max), ()))
    while head > HEAD_BYTES_MAX and lines_max:
        lines_max //= 2
        head = _size(render(_page(ranked, title, every, lines_max), ()))
    shown: dict[TraceKey, Whole] = {}
    left = PAGE_BYTES_MAX - head
    for number, trace in enumerate(ranked.order[:SESSIONS_MAX], start=1):
        wanted = WantedSession(trace, number, command_for(replayed.file, trace))
        whole = writer.write(wanted, SESSION_BYTES_MAX)
        left -= 0 if whole is None else _size(whole.html)
        if left < 0:
            break
        if whole is not None:
            shown[trace] = whole
    groups = {trace: whole.groups for trace, whole in shown.items()}
    sessions = [whole.html for whole in shown.values()]
    page = render(_page(ranked, title, groups, lines_max), sessions)
    assert _size(page) <= PAGE_BYTES_MAX, (
        "tables are bounded, and sessions get only the bytes that the tables leave"
    )
    return page


def _size(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))


def command_for(file: str, trace: TraceKey) -> str:
    """The command that writes the page of one session. It is safe to paste for any session name.

    A name with unprintable characters is replaced by `ID`.
    """
    name = str(trace)
    is_plain = bool(name) and visible(name) == name and visible(file) == file
    of = shlex.quote(f"--session={name}") if is_plain else "--session=ID"
    return f"interlock report {shlex.quote(visible(file))} {of} -o session.html"


class _Ranked:
    """Sessions, the worst first: stopped ones, then violations, then inconclusive verdicts."""

    def __init__(self, replayed: Replayed, tally: FindingsTally) -> None:
        self.replayed, self.tally = replayed, tally
        controls = replayed.controls
        self.stopped = [
            trace
            for trace, counted in tally.sessions.items()
            if was_stopped(controls.of(trace, counted.agent))
        ]
        is_stopped = frozenset(self.stopped)
        self.order = sorted(
            tally.sessions,
            key=lambda trace: (trace not in is_stopped, tally.sessions[trace].rank, trace),
        )
        self.numbers = {trace: number for number, trace in enumerate(self.order, start=1)}
        self.groups = {key: number for number, key in enumerate(tally.groups, start=1)}


Shown = Mapping[TraceKey, frozenset[GroupKey]]
"""The sessions with a timeline, and the groups for which each has a card."""


def _page(ranked: _Ranked, title: str, shown: Shown, lines_max: int) -> IncidentPage:
    replayed, tally = ranked.replayed, ranked.tally
    timeline, controls = replayed.timeline, replayed.controls
    keys = [key for key, counted in tally.groups.items() if counted.total]
    return IncidentPage(
        title=title,
        lead=tuple(lead_of(timeline, tally, controls, ranked.stopped)),
        figures=tuple(figures_of(timeline, tally, controls, ranked.stopped)),
        doubts=tuple(doubts_of(timeline, tally, replayed.comparison)),
        comparison=comparison_mark(replayed.comparison),
        severities=tuple(GRAVEST_FIRST),
        types=tuple(type_lines(tally)),
        groups=tuple(_group(ranked, key, shown, lines_max) for key in keys[:GROUPS_MAX]),
        groups_left_out=max(0, len(keys) - GROUPS_MAX),
        also=tuple(_also(tally)),
        options=tuple(_options(ranked)),
        overview=tuple(_overview(ranked, shown, lines_max)),
        sessions_count=len(ranked.order),
        sessions_whole=len(shown),
        command=command_for(replayed.file, TraceKey("", "")),
        facts=tuple(facts_of(timeline, replayed.live, tally, controls)),
    )


def _also(tally: FindingsTally) -> Iterator[Detail]:
    """Invariants without a finding of their own, with the number of findings that affect them."""
    keys = [key for key, counted in tally.groups.items() if not counted.total]
    for key in keys[:GROUPS_MAX]:
        found = count_of(tally.groups[key].shared_count, "finding")
        yield Detail(visible(key.name, NAME_CHARACTERS), found)
    if left := len(keys[GROUPS_MAX:]):
        yield Detail(count_of(left, "more invariant"), "see the timelines")


def _options(ranked: _Ranked) -> Iterator[Detail]:
    """The options of the filter: numbers and names of groups."""
    for key, number in list(ranked.groups.items())[: 2 * GROUPS_MAX]:
        yield Detail(str(number), visible(key.name, NAME_CHARACTERS))


def _overview(ranked: _Ranked, shown: Shown, lines_max: int) -> Iterator[SessionLine]:
    for trace in ranked.order[:lines_max]:
        counted = ranked.tally.sessions[trace]
        anchor = f"session-{ranked.numbers[trace]}" if trace in shown else ""
        yield _line(ranked, trace, counted, counted.concerned, anchor)


def _group(ranked: _Ranked, key: GroupKey, shown: Shown, lines_max: int) -> Group:
    counted, number = ranked.tally.groups[key], ranked.groups[key]
    ordered = sorted(counted.sessions, key=ranked.numbers.__getitem__)
    lines = []
    for trace in ordered[: min(GROUP_LINES_MAX, lines_max)]:
        place = f"session-{ranked.numbers[trace]}"
        of_group = f"{place}-group-{number}" if key in shown.get(trace, ()) else place
        of_session = ranked.tally.sessions[trace].groups[key]
        concerned = {key, *of_session.others}
        anchor = of_group if trace in shown else ""
        lines.append(_line(ranked, trace, of_session, concerned, anchor))
    return Group(
        number=number,
        anchor=f"group-{number}",
        tone=counted.worst,
        name=visible(key.name, NAME_CHARACTERS),
        summary=visible(counted.summary),
        count=counted.text + _shared_text(counted),
        sessions_count=len(ordered),
        first=_time(counted.first_ns),
        last=_time(counted.last_ns),
        lines=tuple(lines),
        lines_left_out=len(ordered) - len(lines),
    )


def _shared_text(counted: CountedGroup) -> str:
    if not counted.shared_count:
        return ""
    found = count_of(counted.shared_count, "finding of another invariant", "findings of others")
    return f"; also undecided in {found}"


def _line(
    ranked: _Ranked, trace: TraceKey, counted: Counted, concerned: set[GroupKey], anchor: str
) -> SessionLine:
    session = ranked.tally.sessions[trace]
    controls = ranked.replayed.controls
    outcome, _ = outcome_of(trace, controls.of(trace, session.agent), controls.coverage)
    numbers = sorted(ranked.groups[key] for key in concerned)
    return SessionLine(
        number=ranked.numbers[trace],
        name=visible(session_name(trace), NAME_CHARACTERS),
        agent=visible(session.agent, NAME_CHARACTERS),
        tone=counted.worst,
        findings=counted.severity_text,
        first=_time(counted.first_ns),
        outcome=outcome,
        groups=" ".join(map(str, numbers[:GROUPS_MAX])),
        anchor=anchor,
    )


def _time(time_ns: int | None) -> str:
    return "at an unknown time" if time_ns is None else time_text(time_ns)
