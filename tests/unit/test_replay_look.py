"""Looking at one moment: values, since when, what is remembered, what waits; as text too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from invariants.model.errors import ConfigError
from monitor.findings.model import WitnessEvent
from monitor.kernel.standing import InvariantStanding
from replay.snapshot.model import Standing
from replay.snapshot.take import input_at, look_at
from replay.snapshot.text import standing_lines
from replay.timeline.timeline import Timeline
from tests.support.recordings import (
    close_all,
    event,
    header_of,
    program_of,
    record,
    tick,
    timeline_of,
    write,
)
from tests.support.rim import SECOND_NS, START_NS

INCIDENT = [
    record(event("s", 0, "session.started")),
    record(event("s", 1, "file.read", 1, args={"path": "/secret"})),
    record(event("other", 0, "tool.requested", 2, tool="post", args={})),
    record(event("s", 2, "approval.requested", 3, call="c1", tool="post", args={})),
    record(event("s", 3, "tool.failed", 4, tool="git", args={})),
    record(event("s", 4, "tool.failed", 5, tool="git", args={})),
    record(event("s", 5, "tool.requested", 6, tool="post", args={})),
    record(event("s", 6, "tool.failed", 7, tool="sh", args={})),
]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture
def incident(tmp_path: Path) -> Timeline:
    return timeline_of(write(tmp_path / "r.jsonl", INCIDENT))


def invariant(standing: Standing, name: str) -> InvariantStanding:
    return next(one for one in standing.invariants if one.id == name)


def values(standing: InvariantStanding) -> dict[str, tuple[str, int | None]]:
    return {
        v.text: (v.value, v.since.position if v.since else None)
        for bound in standing.bindings
        for v in bound.values
    }


def test_values_and_since_when_they_are_so(incident: Timeline) -> None:
    """Each sub-formula has its value after the event, and the first event of this stretch."""
    told = invariant(look_at(incident, input_at(incident, 6)), "no-egress")
    assert told.status == "violated"
    assert values(told) == {
        "egress and once secret": ("true", 5),
        "egress": ("true", 5),
        "once secret": ("true", 1),
        "secret": ("false", 2),
    }
    before = invariant(look_at(incident, input_at(incident, 4)), "no-egress")
    assert before.status == "currently_satisfied"
    assert values(before)["egress and once secret"] == ("false", 0)


def test_what_is_remembered_and_what_waits(incident: Timeline) -> None:
    """Slices name their events, aggregates their counts per binding, waiting ones a deadline."""
    standing = look_at(incident, input_at(incident, 7))
    once = invariant(standing, "no-egress").memories[0]
    assert once.slices[0].certain == [WitnessEvent(1, START_NS + SECOND_NS, "s/1")]
    waiting = invariant(standing, "answered-in-time")
    assert waiting.status == "currently_violated"
    assert [(p.anchor.position, p.binding, p.if_ended) for p in waiting.pending] == [
        (2, {"c": "c1"}, "violated")
    ]
    assert waiting.pending[0].deadline_ns == START_NS + 13 * SECOND_NS
    counts = invariant(standing, "few-failures").memories[0].tallies
    assert [(t.binding, t.certain_count, t.least, t.greatest) for t in counts] == [
        ({"t": "git"}, 2, 2, 2),
        ({"t": "sh"}, 1, 1, 1),
    ]


def test_a_variable_without_a_value_is_unbound(incident: Timeline) -> None:
    """Where the event gives a variable no value, what depends on it has no value to show."""
    told = invariant(look_at(incident, input_at(incident, 0)), "few-failures")
    assert told.bindings_count == 0
    assert {v.value for bound in told.bindings for v in bound.values} == {"unbound"}


def test_findings_so_far_are_of_the_session_and_of_the_past(incident: Timeline) -> None:
    """At an event only what was told up to it is known, and only of this session."""
    assert look_at(incident, input_at(incident, 5)).findings == []
    at_egress = look_at(incident, input_at(incident, 6)).findings
    assert [f.invariant for f in at_egress] == ["no-egress"]
    assert look_at(incident, input_at(incident, 2)).findings == []


def test_positions_count_a_sessions_events(tmp_path: Path) -> None:
    """With a session named, N is the position that findings tell; negative counts from the end."""
    path = write(tmp_path / "r.jsonl", INCIDENT)
    timeline = timeline_of(path, session="s")
    assert look_at(timeline, input_at(timeline, 2)).event.id == "s/2"
    assert look_at(timeline, input_at(timeline, -1)).event.id == "s/6"
    with pytest.raises(ConfigError, match="there are 7 events of this session"):
        input_at(timeline, 7)


def test_repeats_and_rejected_records_say_what_they_are(tmp_path: Path) -> None:
    """A repeat changes nothing, and a record that is no event belongs to no session."""
    lines = [*INCIDENT, INCIDENT[1], record(b"{}", 9)]
    timeline = timeline_of(write(tmp_path / "r.jsonl", lines))
    repeat = look_at(timeline, input_at(timeline, 8))
    assert (repeat.event.fate, repeat.event.position) == ("repeat", None)
    whole = look_at(timeline, input_at(timeline, 7))
    assert [i.status for i in repeat.invariants] == [i.status for i in whole.invariants]
    rejected = look_at(timeline, input_at(timeline, 9))
    assert rejected.event.fate == "rejected"
    assert rejected.event.problem and not rejected.invariants
    assert "not a valid event" in "\n".join(standing_lines(rejected))


def test_a_session_that_was_forgotten_begins_anew(tmp_path: Path) -> None:
    """What `linger` let go of is gone at every later moment, in the first pass and in a track."""
    settings = msgspec.structs.replace(
        header_of().settings, trust_ts=False, linger_ns=10 * SECOND_NS
    )
    times = {n: START_NS + n * SECOND_NS for n in range(100)}
    lines = [
        record(event("s", 0, "file.read", 0, args={"path": "/secret"}), arrival_ns=times[0]),
        record(event("s", 1, "session.ended", 1), arrival_ns=times[1]),
        tick(50),
        record(event("s", 2, "tool.requested", 60, tool="post", args={}), arrival_ns=times[60]),
    ]
    path = write(tmp_path / "r.jsonl", lines, header_of(settings=settings))
    timeline = timeline_of(path)
    last = look_at(timeline, input_at(timeline, -1))
    assert last.event.position == 0
    assert invariant(last, "no-egress").status == "currently_satisfied"
    assert [t.finding.type for t in timeline.findings()] == ["gap"]
    assert invariant(look_at(timeline, input_at(timeline, 0)), "no-egress").memories[0].slices


HOSTILE = "\x1b[31mred\r\n\x9b2J\u202e \x00</script>"


def test_no_text_of_an_event_reaches_the_terminal_as_it_is(tmp_path: Path) -> None:
    """Control characters in any field are shown, and not obeyed."""
    hostile = {
        "id": HOSTILE,
        "agent": HOSTILE,
        "call": HOSTILE,
        "tool": HOSTILE,
        "args": {"path": HOSTILE},
    }
    lines = [
        record(event("s" + HOSTILE, 0, "approval.requested", **hostile)),
        record(event("s" + HOSTILE, 1, "tool.failed", **{**hostile, "id": HOSTILE + "2"})),
        record(event("s" + HOSTILE, 2, HOSTILE, **{**hostile, "id": HOSTILE + "3"})),
    ]
    timeline = timeline_of(write(tmp_path / "r.jsonl", lines))
    for number in range(3):
        text = "\n".join(standing_lines(look_at(timeline, input_at(timeline, number))))
        assert text.replace("\n", "").isprintable()
        assert "red" in text


def test_a_look_is_the_same_from_any_direction(tmp_path: Path) -> None:
    """Backwards, forwards and at random every moment has one standing."""
    path = write(tmp_path / "r.jsonl", INCIDENT)
    timeline, program = timeline_of(path), program_of()
    direct = [
        look_at(fresh, input_at(fresh, n))
        for n in range(len(INCIDENT))
        for fresh in [timeline_of(path, program)]
    ]
    for order in (range(8), range(7, -1, -1), (3, 6, 0, 7, 2, 2, 5, 1, 4)):
        for number in order:
            assert look_at(timeline, input_at(timeline, number)) == direct[number]
