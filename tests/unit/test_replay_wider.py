"""Findings of scopes wider than a session, replayed: the same as live, or told not to be there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from monitor.findings.model import Finding
from monitor.trace_key import TraceKey
from replay.compare.findings import FindingsComparison, compare
from replay.compare.summary import summarise, summary_lines
from replay.recording.format import EndLine, Line, RecordedSource, StreamSpan
from replay.recording.reader import RecordedFile
from replay.report.events import event_rows, shown_events
from replay.snapshot.take import look_at
from replay.timeline.program import find_program
from tests.support.recordings import (
    WHOLE,
    close_all,
    event,
    header_of,
    program_of,
    record,
    timeline_of,
    told,
    write,
)

TEXT = """\
version: 1
predicates:
  pay: kind == "tool.requested" && tool == "pay"
  block: kind == "tool.completed" && tool == "block"
invariants:
  - {id: blocked, severity: warning, per: agent, never: pay and once block}
  - {id: paid, severity: warning, never: pay}
"""
EVENTS: list[Line] = [
    record(event("one", 0, "tool.completed", tool="block", agent="ann", args={}), 0),
    record(event("two", 0, "session.started", 1, agent="ann"), 1),
    record(event("two", 1, "tool.requested", 2, tool="pay", args={}), 2),
]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_all()


def found(tmp_path: Path, events: list[Line] = EVENTS, text: str = TEXT) -> list[Finding]:
    """What the events give, live."""
    path = write(tmp_path / "first.jsonl", events, header_of(text))
    return [one.finding for one in timeline_of(path, program_of(text)).findings()]


def compared(
    tmp_path: Path,
    session: str = "",
    end: EndLine = WHOLE,
    recorded_of: str = "",
    events: list[Line] = EVENTS,
    text: str = TEXT,
) -> tuple[FindingsComparison, list[str]]:
    kafka = RecordedSource("kafka", "kafka://b:9092", ["agent.events"], True, session=recorded_of)
    lines = [*events, *map(told, found(tmp_path, events, text))]
    path = write(tmp_path / "r.jsonl", lines, header_of(text, source=kafka), end)
    with closing(RecordedFile(str(path))) as file:
        live = find_program(file.header, (), None, session)
    timeline = timeline_of(path, live.program, session)
    comparison = compare(timeline, live.unevaluable)
    return comparison, summary_lines(summarise(timeline, live, comparison), timeline.notices)


def test_a_whole_recording_gives_what_live_gave(tmp_path: Path) -> None:
    """Both findings, of the session and of its agent."""
    assert [f.invariant for f in found(tmp_path)] == ["paid", "blocked"]
    comparison, _ = compared(tmp_path)
    assert comparison.is_equal
    assert comparison.compared_count == 2


@pytest.mark.parametrize(("session", "recorded_of"), [("two", ""), ("", "two")])
def test_of_one_session_nothing_is_said_about_its_agent(
    tmp_path: Path, session: str, recorded_of: str
) -> None:
    """The agent's other sessions are not there: that is said, and no verdict is made up."""
    comparison, lines = compared(tmp_path, session, recorded_of=recorded_of)
    assert comparison.is_equal
    assert comparison.compared_count == 1
    reasons = [line for line in lines if "only one session is replayed" in line]
    assert len(reasons) == 1
    assert "invariant blocked: it is about a whole agent" in reasons[0]
    assert not any(line.endswith("blocked violated") for line in lines)


def test_of_one_session_nothing_is_said_about_names_that_it_left_out(tmp_path: Path) -> None:
    """`unscoped` is told of a session, and by invariants that one session cannot be judged by."""
    nameless: list[Line] = [
        record(event("one", 0, "tool.requested", tool="pay", agent="", args={}), 0)
    ]
    assert "unscoped" in [f.type for f in found(tmp_path, nameless)]
    for session in ("", "one"):
        comparison, _ = compared(tmp_path, session, events=nameless)
        assert comparison.is_equal, session


def test_a_deadline_that_another_sessions_event_decided_is_compared(tmp_path: Path) -> None:
    """The recording reaches as far as its last event, whosever it is."""
    deadline = 'always: "pay implies eventually[10s] block"'
    text = TEXT.replace("never: pay and once block", deadline)
    events: list[Line] = [
        record(event("one", 0, "tool.requested", tool="pay", agent="ann", args={}), 0),
        record(event("two", 0, "session.started", 100, agent="ann"), 1),
    ]
    assert [f.invariant for f in found(tmp_path, events, text)] == ["paid", "blocked"]
    comparison, _ = compared(tmp_path, events=events, text=text)
    assert comparison.is_equal
    assert comparison.compared_count == 2


def test_a_beginning_that_is_missing_makes_agents_incomparable(tmp_path: Path) -> None:
    """What stood before may have been any session's."""
    late = msgspec.structs.replace(
        WHOLE, streams=[StreamSpan("agent.events", "0", 1, 10, starts_log=False)]
    )
    comparison, _ = compared(tmp_path, end=late)
    assert comparison.is_equal
    assert ("finding", "blocked") in [(n.what, n.name) for n in comparison.not_compared]


def test_a_page_of_one_session_marks_its_own_events(tmp_path: Path) -> None:
    """The block is another session's event 0, which is not this one's."""
    path = write(tmp_path / "r.jsonl", EVENTS, header_of(TEXT))
    timeline = timeline_of(path, program_of(TEXT))
    trace = TraceKey("", "two")
    told = list(timeline.findings(trace))
    blocked = next(one.finding for one in told if one.finding.invariant == "blocked")
    assert [(e.session, e.position) for e in blocked.witness] == [("one", 0), ("two", 1)]
    rows, _ = event_rows(shown_events(timeline, trace, told, 10), told, "s", 10_000, ())
    link = f"s-finding-{1 + [one.finding for one in told].index(blocked)}"
    assert [link in {mark.anchor for mark in row.marks} for row in rows] == [False, True]
    # What a session remembers is shown, and what its agent does is not.
    assert [standing.id for standing in look_at(timeline, 2).invariants] == ["paid"]
