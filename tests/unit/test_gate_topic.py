"""Events on the topic of gates: whose they are, and where they are read from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.ingest.provenance import Provenance
from monitor.kernel.evaluate import evaluate
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.topics import APPROVALS, ENFORCEMENT, EVENTS, GATE
from monitor.trace_key import principal_of
from monitor.transport.logdir.reader import boundary_warnings
from tests.support.log_source import append, drained, opened, values
from tests.support.rim import SECOND_NS, START_NS
from tests.unit.test_owners import Bench, types


def test_a_gates_event_belongs_to_the_principal_that_it_names() -> None:
    """The gate has authenticated it: its events are those of a session of that principal."""
    bench = Bench()
    told = bench.engine.step(bench.event(GATE, "session.started", "s", principal="bob", seq=0))
    told += bench.engine.step(
        bench.event(GATE, "tool.completed", "s", principal="bob", seq=1, tool="vault")
    )
    assert told == []
    assert bench.say("alice", "tool.requested", tool="post") != []  # Contested, and not a leak.
    event = bench.event(GATE, "tool.requested", "s", principal="bob", seq=2, tool="post")
    assert types(bench.engine.step(event)) == [("violated", "leak", "bob")]


def test_a_gates_event_without_a_principal_is_nobodys() -> None:
    """It enters no session of a principal, whoever alone has used the ID."""
    bench = Bench()
    bench.say("bob", "tool.completed", tool="vault")
    told = bench.engine.step(bench.event(GATE, "tool.requested", "s", tool="post"))
    assert types(told) == [("contested", "", "")]


def test_a_second_user_of_a_gated_sessions_id_is_told() -> None:
    """A gate's events are those of an agent, which uses the ID by them."""
    bench = Bench()
    bench.engine.step(bench.event(GATE, "session.started", "s", principal="bob", seq=0))
    assert types(bench.say("alice", "session.started")) == [("contested", "", "alice")]


def test_a_gate_may_assert_approvals_and_requests_alike() -> None:
    """It has told an operator's decision from an agent's word."""
    for kind in ("tool.requested", "tool.denied", "approval.granted", "control.applied"):
        assert Provenance().may_assert(GATE, kind)
        assert not Provenance().may_assert(f"{GATE}.other", kind)


def test_a_log_directory_needs_no_folder_of_gates(tmp_path: Path) -> None:
    """One that is made later is read, and one that others can write is told."""
    (tmp_path / EVENTS).mkdir()
    append(tmp_path / EVENTS / "a-1.jsonl", b'{"n":1}\n')
    source = opened(tmp_path)
    assert values(drained(source)[0]) == [b'{"n":1}']
    (tmp_path / GATE).mkdir()
    append(tmp_path / GATE / "g-1.jsonl", b'{"n":2}\n')
    poll = source.poll(0, 10)
    source.resume({})
    assert [stream.topic for stream in poll.gained] == [GATE]
    assert values(drained(source)[0]) == [b'{"n":2}']
    (tmp_path / GATE).chmod(0o777)
    assert GATE in boundary_warnings(tmp_path)[0]


TIMED: Final = """\
version: 1
predicates:
  a: kind == "a"
  b: kind == "b"
invariants:
  - {id: soon, severity: warning, always: "a implies eventually[10s] b"}
  - {id: recent, severity: warning, never: "b and not once[10s] a"}
"""
SHARED: Final = """\
  - {id: shared, severity: warning, per: agent, never: "b and not once[10s] a"}
  - {id: waited, severity: warning, per: agent, always: "a implies eventually[10s] b"}
"""


class Stream:
    """A monitor's kernel with a gate's events, which arrive late."""

    def __init__(self, text: str = TIMED) -> None:
        specs, faults = read_specs([("timed.yaml", text)])
        assert not faults
        settings = KernelSettings(gate_lateness_ns=30 * SECOND_NS, idle_close_ns=100 * SECOND_NS)
        self.kernel = Kernel(compile_program(specs), settings)
        self._count = 0

    def step(
        self, at_s: float, delay_s: float, kind: str, topic: str = GATE, **more: object
    ) -> list[Finding]:
        self._count += 1
        ts_ns = START_NS + int(at_s * SECOND_NS)
        content = {"session": "s", "principal": "bob", "ts": ts_ns, "kind": kind, **more}
        event = decode_event(
            msgspec.json.encode({"id": f"e-{self._count}", **content}),
            Origin(topic, "0", self._count),
            arrival_ns=ts_ns + int(delay_s * SECOND_NS),
            principal=principal_of(topic),
        )
        assert isinstance(event, Event)
        return evaluate(self.kernel, Provenance(), event, "").findings

    def tick(self, at_s: float) -> list[Finding]:
        return self.kernel.tick(START_NS + int(at_s * SECOND_NS))


def test_a_deadline_waits_for_what_the_gate_saw_in_time() -> None:
    """A tick before the lateness decides nothing, and one after it does."""
    stream = Stream()
    assert stream.step(0, 1, "a") == []
    assert stream.tick(39.9) == []
    assert stream.step(9, 30, "b") == []
    assert stream.step(50, 0, "a") == []
    assert stream.tick(90) == []
    assert [(f.type, f.invariant) for f in stream.tick(91)] == [("violated", "soon")]


def test_a_gates_event_counts_at_the_gates_time() -> None:
    """Not at its arrival: the window is measured by the gate's clock."""
    stream = Stream()
    assert stream.step(0, 25, "a") == []
    assert stream.step(10, 29, "b") == []
    assert [f.invariant for f in stream.step(11, 29, "b")] == ["recent"]


def test_other_topics_are_as_before() -> None:
    """An agent's own time is no earlier than its arrival."""
    stream = Stream()
    assert stream.step(0, 0, "a", f"{EVENTS}.bob") == []
    assert [f.invariant for f in stream.step(9, 5, "b", f"{EVENTS}.bob")] == ["soon", "recent"]
    assert [f.invariant for f in stream.tick(130)] == []


def test_an_event_that_comes_too_late_is_in_doubt() -> None:
    """It counts at the earliest time that the lateness allows: what it meets then it met before,
    and windows that end at it are open.
    """
    stream = Stream()
    stream.step(0, 0, "a")
    found = stream.step(8, 31, "b")
    assert sorted((f.type, f.invariant) for f in found) == [
        ("disorder", ""),
        ("inconclusive", "recent"),
    ]
    told = next(f for f in found if f.type == "disorder")
    assert "1 s later than `gate_lateness` allows" in told.detail
    assert told.could_concern == ["recent", "soon"]


def test_a_gate_whose_clock_is_far_ahead_is_in_doubt() -> None:
    """A time that has not come yet is not believed beyond the skew."""
    stream = Stream()
    stream.step(0, 0, "a")
    found = stream.step(20, -6, "b")
    assert "1 s too far ahead" in next(f for f in found if f.type == "disorder").detail
    assert {f.type for f in found if f.invariant} == {"inconclusive", "violated"}


def test_an_idle_gated_session_ends_at_its_own_time() -> None:
    """Its next event is after the end, whether or not a tick came between them."""
    for tick_s in (None, 131.0):
        stream = Stream()
        stream.step(0, 20, "x")
        found = [] if tick_s is None else stream.tick(tick_s)
        assert not found
        assert [f.type for f in stream.step(101, 30, "x")] == ["after_end"]


def test_a_call_that_the_gate_never_saw_is_told_once() -> None:
    """It is judged all the same."""
    stream = Stream()
    stream.step(0, 0, "x")
    found = stream.step(5, 0, "b", f"{EVENTS}.bob")
    assert [f.type for f in found] == ["violated", "bypass"]
    assert found[1].severity == "critical"
    assert "from `agent.events.bob`" in found[1].detail
    assert [f.type for f in stream.step(6, 0, "b", f"{EVENTS}.bob")] == ["violated"]
    assert [f.type for f in stream.step(7, 0, "b")] == ["violated"]


def test_what_came_before_the_gates_first_event_is_told() -> None:
    """The gate has not seen it, so that its verdicts may differ."""
    stream = Stream()
    stream.step(0, 0, "x", f"{EVENTS}.bob")
    assert [f.type for f in stream.step(1, 0, "x")] == ["bypass"]
    stream = Stream()
    stream.step(0, 0, "approval.granted", APPROVALS)
    assert [f.type for f in stream.step(1, 0, "x")] == ["misplaced"]


def test_an_approval_past_the_gate_is_not_applied() -> None:
    """The gate takes approvals in itself; each record that is left out is told."""
    for topic in (APPROVALS, ENFORCEMENT):
        stream = Stream()
        stream.step(0, 0, "x")
        (found,) = stream.step(1, 0, "a", topic)
        assert (found.type, found.severity) == ("misplaced", "warning")
        assert topic in found.detail
        assert stream.tick(500) == []


def test_a_wider_scope_that_was_forgotten_is_not_taken_for_empty() -> None:
    """An event that comes too late may belong to the time before: its verdict is open."""
    stream = Stream(TIMED + SHARED)
    stream.step(0, 0, "a", agent="bot")
    stream.tick(80)
    found = stream.step(8, 80, "b", agent="bot")
    told = {(f.type, f.scope_kind) for f in found if f.invariant == "shared"}
    assert told == {("inconclusive", "agent")}


def test_a_deadline_before_a_denied_call_is_not_what_it_was_denied_for() -> None:
    """It passed before the call, in a wider scope too, although no tick came."""
    stream = Stream(TIMED + SHARED)
    stream.step(0, 0, "a", agent="bot")
    found = stream.step(20, 5, "tool.denied", agent="bot", tool="post")
    assert sorted((f.invariant, f.prevention) for f in found) == [
        ("soon", "detected"),
        ("waited", "detected"),
    ]
