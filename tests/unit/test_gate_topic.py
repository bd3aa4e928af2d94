"""Events on the topic of gates: whose they are, and where they are read from."""

from __future__ import annotations

from pathlib import Path

from monitor.ingest.provenance import Provenance
from monitor.topics import EVENTS, GATE
from monitor.transport.logdir.reader import boundary_warnings
from tests.support.log_source import append, drained, opened, values
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
