"""Findings of a replay against the live ones: equal, the first difference, and what cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from monitor.findings.model import Finding
from replay.compare.findings import FindingsComparison, compare
from replay.compare.summary import summarise, summary_lines
from replay.recording.format import EndLine, FindingLine, Line, RecordingHeader, StreamSpan
from replay.recording.reader import RecordedFile
from replay.timeline.program import describe, find_program
from tests.support.recordings import (
    WATCHED,
    WHOLE,
    close_all,
    event,
    header_of,
    program_of,
    record,
    tick,
    timeline_of,
    told,
    write,
)

EVENTS: list[Line] = [
    record(event("s", 0, "file.read", args={"path": "/secret"}), 0),
    record(event("s", 1, "tool.requested", 1, tool="post", args={}), 1),
    record(event("t", 0, "approval.requested", 2, call="c", tool="x", args={}), 2),
    record(event("s", 2, "tool.requested", 3, tool="post", args={}), 3),
    record(event("t", 1, "heartbeat", 30), 4),
]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_all()


def found(tmp_path: Path) -> list[Finding]:
    """What the events give."""
    timeline = timeline_of(write(tmp_path / "first.jsonl", EVENTS))
    return [one.finding for one in timeline.findings()]


def compared(
    tmp_path: Path,
    lines: list[Line],
    header: RecordingHeader | None = None,
    end: EndLine | None = WHOLE,
) -> FindingsComparison:
    path = write(tmp_path / "r.jsonl", lines, header, end)
    with closing(RecordedFile(str(path))) as file:
        live = find_program(file.header, (), None)
    timeline = timeline_of(path, live.program)
    comparison = compare(timeline, live.unevaluable)
    for text in summary_lines(summarise(timeline, live, comparison), timeline.notices):
        assert text.isprintable()
    return comparison


def test_equal_findings_are_equal_however_often_they_were_published(tmp_path: Path) -> None:
    """Ids and their order in each session count; sessions may be told in any order, and twice."""
    live = found(tmp_path)
    assert [(f.session, f.invariant) for f in live] == [
        ("s", "no-egress"), ("s", "no-egress"), ("t", "answered-in-time"),
    ]  # fmt: skip
    for order in (live, [live[2], live[0], live[0], live[1], live[2]]):
        comparison = compared(tmp_path, [*EVENTS, *map(told, order)])
        assert comparison.is_equal and comparison.compared_count == 3
        assert comparison.not_compared == []


def test_a_live_finding_that_the_replay_lacks_is_missing(tmp_path: Path) -> None:
    """The first difference names the finding, the event, and where it stands."""
    live = found(tmp_path)
    forged = msgspec.structs.replace(live[0], id="f-forged")
    comparison = compared(tmp_path, [*EVENTS, told(forged), *map(told, live)])
    first = comparison.first
    assert first is not None and not comparison.is_equal
    assert (first.kind, first.session, first.finding.id, first.input) == (
        "missing", "s", "f-forged", 1,
    )  # fmt: skip
    assert "event 1 (s/1)" in first.explanation


def test_a_finding_that_live_lacks_is_other(tmp_path: Path) -> None:
    """What the replay finds and live did not tell is the difference that matters most."""
    live = found(tmp_path)
    comparison = compared(tmp_path, [*EVENTS, told(live[0]), told(live[2])])
    first = comparison.first
    assert first is not None
    assert (first.kind, first.input, first.finding.id) == ("other", 3, live[1].id)


def test_the_order_within_a_session_counts(tmp_path: Path) -> None:
    """The same ids in another order are a difference."""
    live = found(tmp_path)
    comparison = compared(tmp_path, [*EVENTS, told(live[1]), told(live[0]), told(live[2])])
    assert comparison.first is not None and comparison.first.kind == "order"
    assert comparison.sessions_differing_count == 1


def test_the_first_difference_is_the_earliest_in_the_recording(tmp_path: Path) -> None:
    """Of several sessions that differ, the one that parts first is explained."""
    comparison = compared(tmp_path, [*EVENTS])
    assert comparison.is_recorded and not comparison.is_equal
    assert comparison.sessions_differing_count == 2
    assert comparison.first is not None and comparison.first.input == 1


def test_without_recorded_findings_nothing_is_compared(tmp_path: Path) -> None:
    """A recording without the topic of findings is no proof of anything, and says so."""
    end = msgspec.structs.replace(WHOLE, findings="absent")
    comparison = compared(tmp_path, EVENTS, end=end)
    assert not comparison.is_recorded
    assert comparison.replay_count == 3


def test_an_invariant_of_another_digest_cannot_be_re_evaluated(tmp_path: Path) -> None:
    """It is named with its reason and its live findings, and is no difference."""
    live = found(tmp_path)
    changed = WATCHED.replace('tool == "post"', 'tool == "put"')
    header = header_of(changed, invariants=describe(program_of()))
    comparison = compared(tmp_path, [*EVENTS, *map(told, live)], header)
    assert comparison.is_equal
    named = [(n.what, n.name, n.findings_count) for n in comparison.not_compared]
    assert named == [("invariant", "no-egress", 2)]
    assert "it has changed" in comparison.not_compared[0].reason
    assert comparison.compared_count == 1


def test_another_program_version_re_evaluates_nothing(tmp_path: Path) -> None:
    """A release that judges otherwise says so of every invariant."""
    comparison = compared(
        tmp_path, [*EVENTS, *map(told, found(tmp_path))], header_of(program_version=99)
    )
    assert [n.name for n in comparison.not_compared] == [
        "no-egress", "answered-in-time", "few-failures",
    ]  # fmt: skip
    assert comparison.compared_count == 0


def test_a_session_whose_beginning_is_lost_cannot_be_re_evaluated(tmp_path: Path) -> None:
    """Where retention took the first events, what live knew of them is not here."""
    live = found(tmp_path)
    late = msgspec.structs.replace(
        WHOLE, streams=[StreamSpan("agent.events", "0", 1, 5, starts_log=False)]
    )
    comparison = compared(tmp_path, [*EVENTS[1:], *map(told, live)], end=late)
    assert comparison.is_equal
    assert [(n.what, n.name, n.findings_count) for n in comparison.not_compared] == [
        ("session", "s", 2)
    ]
    assert comparison.compared_count == 1


def test_what_was_decided_after_the_end_is_no_difference(tmp_path: Path) -> None:
    """A deadline that passed after the last event and tick cannot be decided by the recording."""
    live = found(tmp_path)
    comparison = compared(tmp_path, [*EVENTS[:4], *map(told, live)])
    assert comparison.is_equal
    assert [n.name for n in comparison.not_compared] == ["answered-in-time"]
    decided = compared(tmp_path, [*EVENTS[:4], tick(12), *map(told, live)])
    assert [n.name for n in decided.not_compared] == ["answered-in-time"]
    past = compared(tmp_path, [*EVENTS[:4], tick(13), *map(told, live)])
    assert past.is_equal and past.not_compared == [] and past.compared_count == 3


def test_a_damaged_recording_accuses_nobody_of_what_it_lost(tmp_path: Path) -> None:
    """Behind the damage live findings may have stood: what the replay finds is not called new."""
    comparison = compared(tmp_path, [*EVENTS, told(found(tmp_path)[0])], end=None)
    assert comparison.is_equal
    assert comparison.not_compared


def test_live_findings_that_are_none_are_counted(tmp_path: Path) -> None:
    """Who wrote the recording may have put anything among the findings."""
    live = found(tmp_path)
    beyond = msgspec.structs.replace(live[0], id="f-2", decided_ns=2**70)
    lines = [*EVENTS, FindingLine(text="{}"), FindingLine(text="\x1b["), told(beyond)]
    comparison = compared(tmp_path, [*lines, *map(told, live)])
    assert comparison.unreadable_count == 3
    assert comparison.is_equal


def test_digests_need_the_live_key(tmp_path: Path) -> None:
    """Bindings made by `digest(...)` have other values under another key: said, not compared."""
    text = WATCHED.replace("tool: tool", "tool: digest(args)")
    header = header_of(text)
    comparison = compared(tmp_path, EVENTS, header)
    assert [n.name for n in comparison.not_compared if n.what == "invariant"] == ["few-failures"]
    assert find_program(header, (), b"key").unevaluable == ()
    assert find_program(header_of(text, key_digest="00"), (), b"key").unevaluable


def test_nobody_is_accused_by_invariants_that_nobody_says_were_live(tmp_path: Path) -> None:
    """A recording made without `--invariants` cannot tell what live should have found.

    What one of its live findings names was live: that is compared as ever.
    """
    live = found(tmp_path)
    header = header_of(files=[], invariants=[], program_digest="")
    path = write(tmp_path / "bare.jsonl", [*EVENTS, told(live[0])], header)
    timeline = timeline_of(path, program_of(WATCHED))
    comparison = compare(timeline, ())
    assert [(n.name, n.reason[:30]) for n in comparison.not_compared] == [
        ("answered-in-time", "the recording does not list wh")
    ]
    assert comparison.first is not None, "its second finding was not told live"
    assert (comparison.first.kind, comparison.first.finding.id) == ("other", live[1].id)


def test_without_invariants_the_default_packs_judge() -> None:
    """A recording that carries no invariants, as plain events do, is held against the packs."""
    live = find_program(header_of(files=[], invariants=[]), (), None)
    assert live.origin == "packs"
    assert live.program.invariants
