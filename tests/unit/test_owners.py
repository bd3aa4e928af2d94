"""Whose session a record means: two principals under one ID change nothing for each other."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec
import pytest

from interlock.control_record import ControlView
from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.errors import ConfigError
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from monitor.cli.control import _still_stopped, _target
from monitor.findings.model import EngineFindingType, Finding
from monitor.ingest.decode import decode_event
from monitor.ingest.sequence import CALLS_MAX
from monitor.kernel.kernel import Kernel
from monitor.kernel.owners import USERS_MAX
from monitor.kernel.settings import KernelSettings
from monitor.presentation import line
from monitor.topics import APPROVALS, ENFORCEMENT, EVENTS
from monitor.trace_key import TraceKey, principal_of
from tests.support.rim import START_NS, make_finding
from tests.support.shelf import Shelf

S: Final = 1_000_000_000
TEXT: Final = """\
version: 1
predicates:
  pays:
    when: kind == "tool.requested" && tool == "pay"
    with:
      call: call
  granted:
    when: kind == "approval.granted"
    with:
      call: call
  secret: kind == "tool.completed" && tool == "vault"
  post: kind == "tool.requested" && tool == "post"
invariants:
  - {id: consent, severity: warning, never: "pays(call=c) and not once granted(call=c)"}
  - {id: leak, severity: warning, never: post and once secret}
"""


def program() -> Program:
    specs, faults = read_specs([("owners.yaml", TEXT)])
    assert not faults
    return compile_program(specs)


class Bench:
    """An engine, and events that get their numbers by themselves."""

    def __init__(self, **settings: Any) -> None:
        self.shelf = Shelf()
        self.settings = KernelSettings(trust_ts=True, **settings)
        self.engine = Kernel(program(), self.settings, self.shelf.load)
        self.count = 0
        self.wakes: dict[str, int] = {}

    def say(self, principal: str, kind: str, session: str = "s", **more: Any) -> list[Finding]:
        """An agent's event."""
        topic = f"{EVENTS}.{principal}" if principal else EVENTS
        return self.engine.step(self.event(topic, kind, session, **more))

    def grant(
        self, call: str, topic: str = APPROVALS, kind: str = "approval.granted", **more: Any
    ) -> list[Finding]:
        """An operator's or a gate's record."""
        return self.engine.step(self.event(topic, kind, "s", call=call, **more))

    def event(
        self, topic: str, kind: str, session: str, partition: str = "0", **more: Any
    ) -> Event:
        self.count += 1
        content = {
            "session": session,
            "id": f"e-{self.count}",
            "ts": START_NS + self.count * S,
            "kind": kind,
        }
        decoded = decode_event(
            msgspec.json.encode({**content, **more}),
            Origin(topic, partition, self.count),
            principal=principal_of(topic),
        )
        assert isinstance(decoded, Event)
        return decoded

    def restart(self) -> None:
        """Begin anew from what was stored."""
        changes, dropped = self.engine.take_changes()
        self.shelf.keep(changes, dropped)
        self.wakes |= {c.scope: c.wake_ns for c in changes if c.wake_ns is not None}
        self.engine = Kernel(program(), self.settings, self.shelf.load)
        self.engine.expect([(wake_ns, scope) for scope, wake_ns in self.wakes.items()])


def types(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(f.type, f.invariant, f.principal) for f in found]


def ask(bench: Bench, principal: str, call: str) -> list[Finding]:
    return bench.say(principal, "approval.requested", tool="pay", call=call)


def pay(bench: Bench, principal: str, call: str) -> list[Finding]:
    return [f for f in bench.say(principal, "tool.requested", tool="pay", call=call) if f.invariant]


def test_a_strangers_events_change_nothing_and_stop_the_stranger() -> None:
    """What alice says under bob's session ID is in a trace of her own, and is told of her."""
    bench = Bench()
    assert bench.say("bob", "session.started") == []
    found = bench.say("alice", "tool.completed", tool="vault")
    assert types(found) == [("contested", "", "alice")]
    assert bench.say("bob", "tool.requested", tool="post", call="b") == []
    found = bench.say("alice", "tool.requested", tool="post", call="a")
    assert types(found) == [("violated", "leak", "alice")]
    assert found[0].trace.control_target == "session-of:alice/s"


def test_to_use_an_id_first_gains_nothing() -> None:
    """The second to use an ID has its own numbers, end and verdicts; only that is told."""
    bench = Bench()
    bench.say("alice", "session.started", seq=0)
    bench.say("alice", "session.ended", seq=1)
    assert types(bench.say("bob", "session.started", seq=0)) == [("contested", "", "bob")]
    assert bench.say("bob", "tool.completed", seq=1, tool="vault") == []
    assert types(bench.say("bob", "tool.requested", seq=2, tool="post")) == [
        ("violated", "leak", "bob")
    ]


def test_finding_ids_differ_between_principals_alone() -> None:
    """The same events of two principals are two findings; none changes from run to run."""
    ids = {}
    for principal in ("alice", "bob", ""):
        bench = Bench()
        bench.say(principal, "tool.completed", tool="vault")
        (found,) = bench.say(principal, "tool.requested", tool="post")
        ids[principal] = found.id
    assert len(set(ids.values())) == 3
    assert ids[""] == "f-7da9685c947c8f58816c26db"


@pytest.mark.parametrize("topic", [APPROVALS, ENFORCEMENT])
def test_a_named_record_acts_for_the_named(topic: str) -> None:
    """An approval that names bob is bob's, whoever asked for the same call."""
    bench = Bench()
    for principal in ("alice", "bob"):
        ask(bench, principal, "c-1")
    kind = "approval.granted"
    assert bench.grant("c-1", topic, kind, principal="bob") == []
    assert pay(bench, "bob", "c-1") == []
    assert types(pay(bench, "alice", "c-1")) == [("violated", "consent", "alice")]


def test_an_unnamed_record_acts_for_the_only_user() -> None:
    """Where one principal uses an ID an approval need not name it."""
    bench = Bench()
    ask(bench, "bob", "c-1")
    assert bench.grant("c-1") == []
    assert pay(bench, "bob", "c-1") == []


def test_an_unnamed_record_acts_for_the_one_that_asked() -> None:
    """A stranger that used the ID first costs the one that asked nothing."""
    bench = Bench()
    bench.say("alice", "session.started")
    ask(bench, "bob", "c-1")
    assert bench.grant("c-1") == []
    assert pay(bench, "bob", "c-1") == []
    assert types(pay(bench, "alice", "c-1")) == [("violated", "consent", "alice")]


@pytest.mark.parametrize("call", ["c-1", "", "c-9"])
def test_an_unnamed_record_never_acts_for_two(call: str) -> None:
    """Both asked, or neither did: the approval is nobody's, and both are told."""
    bench = Bench()
    for principal in ("alice", "bob"):
        ask(bench, principal, "c-1")
    found = bench.grant(call)
    assert types(found) == [("unowned", "", "alice"), ("unowned", "", "bob")]
    assert {f.severity for f in found} == {"critical"}
    assert len({f.id for f in found}) == 2
    for principal in ("alice", "bob"):
        assert types(pay(bench, principal, "c-1")) == [("violated", "consent", principal)]


def test_who_has_forgotten_calls_may_have_asked() -> None:
    """A call that fell out of bob's memory is not taken for alice's."""
    bench = Bench()
    ask(bench, "bob", "c-1")
    for number in range(CALLS_MAX):
        bench.say("bob", "tool.requested", tool="look", call=f"x-{number}")
    ask(bench, "alice", "c-1")
    assert types(bench.grant("c-1")) == [("unowned", "", "bob"), ("unowned", "", "alice")]
    assert bench.grant("c-1", principal="bob") == []
    assert pay(bench, "bob", "c-1") == []


def test_a_sender_without_a_principal_may_have_asked() -> None:
    """Behind `agent.events` stands anybody, so that an unnamed approval is nobody's."""
    bench = Bench()
    bench.say("", "session.started")
    ask(bench, "bob", "c-1")
    assert types(bench.grant("c-1")) == [("unowned", "", ""), ("unowned", "", "bob")]


def test_past_so_many_users_only_named_records_act() -> None:
    """The list of users is bounded; those that are not in it may have asked."""
    bench = Bench()
    for number in range(USERS_MAX):
        bench.say(f"p-{number}", "session.started")
    ask(bench, "p-0", "c-1")
    bench.say("late", "session.started")
    assert {f.type for f in bench.grant("c-1")} == {"unowned"}
    assert bench.grant("c-1", principal="late") == []
    assert pay(bench, "late", "c-1") == []


def test_a_record_before_anybody_spoke_is_no_principals() -> None:
    """Whoever speaks first must not get an early approval; that it is lost is told."""
    bench = Bench()
    bench.grant("c-1")
    found = bench.say("bob", "session.started")
    assert types(found) == [("unowned", "", "bob")]
    assert types(pay(bench, "bob", "c-1")) == [("violated", "consent", "bob")]


def test_without_principals_early_records_act_as_ever() -> None:
    """One topic for all: an approval may come before its session's first event."""
    bench = Bench()
    bench.grant("c-1")
    assert bench.say("", "session.started") == []
    assert pay(bench, "", "c-1") == []
    assert bench.engine.take_changes()[0][0].scope == "s"


def test_an_agent_that_names_a_principal_is_not_believed() -> None:
    """The field `principal` of an agent's event is passed over."""
    bench = Bench()
    bench.say("bob", "tool.requested", tool="post", call="b")
    forged = {"tool": "vault", "principal": "bob"}
    bench.engine.step(bench.event(f"{EVENTS}.alice", "tool.completed", "s", **forged))
    assert bench.say("bob", "tool.requested", tool="post", call="b2") == []


def test_who_used_an_id_survives_restarts_and_goes_with_the_traces() -> None:
    """Who used an ID is stored; when all their traces are gone, nothing of it is left."""
    bench = Bench(linger_ns=10 * S)
    bench.say("alice", "session.started")
    bench.restart()
    assert types(bench.say("bob", "session.started")) == [("contested", "", "bob")]
    bench.restart()
    ask(bench, "bob", "c-1")
    bench.restart()
    assert bench.grant("c-1") == []
    for principal in ("alice", "bob"):
        bench.say(principal, "session.ended")
    bench.restart()
    bench.engine.tick(START_NS + 1_000 * S)
    bench.restart()
    assert not bench.shelf.headers
    assert bench.say("carol", "session.started") == []


def test_a_close_is_of_one_principals_session() -> None:
    """To close alice's session leaves bob's of the same ID open."""
    bench = Bench()
    for principal in ("alice", "bob"):
        bench.say(principal, "session.started")
    bench.engine.close(TraceKey("alice", "s"), START_NS + 100 * S)
    ended = [bench.engine.inspect(TraceKey(name, "s")) for name in ("alice", "bob")]
    assert [held is not None and held[0].ended_ns is not None for held in ended] == [True, False]


def test_a_session_on_two_partitions_is_told_once() -> None:
    """Its order is not known; a file of a log directory is no partition."""
    bench = Bench()
    bench.say("bob", "session.started", partition="3")
    found = bench.say("bob", "message.user", partition="5")
    assert [(f.type, f.severity) for f in found] == [("split", "critical")]
    bench.restart()
    for partition in ("3", "5", "6"):
        assert bench.say("bob", "message.user", partition=partition) == []
    for partition in ("w-1.jsonl", "w-2.jsonl"):
        assert bench.say("", "message.user", "logged", partition=partition) == []


def test_a_stranger_on_another_partition_splits_its_own_session() -> None:
    """What alice sends to another partition is no notice about bob."""
    bench = Bench()
    bench.say("bob", "session.started", partition="3")
    found = bench.say("alice", "session.started", partition="5")
    assert types(found) == [("contested", "", "alice")]
    assert bench.say("bob", "message.user", partition="3") == []


def test_findings_of_every_type_can_be_shown_with_their_principal() -> None:
    """A line names the session with its principal, whatever the type of the finding is."""
    for type_ in (*get_args(EngineFindingType), "violated", "inconclusive"):
        text = line(make_finding(type=type_))
        assert "in team-a/s-1" in text
        assert "in s-1" in line(make_finding(type=type_, principal=""))


def test_a_release_tells_of_stops_that_it_does_not_lift() -> None:
    """`session:ID` and `session-of:NAME/ID` are two keys: who releases one hears of the other."""
    view = ControlView()
    for key, state in (("session-of:bob/s", "quarantined"), ("session-of:eve/s", "active")):
        view.apply(key, msgspec.json.encode({"state": state, "issued_at": 1}))
    assert _still_stopped(view, "session:s") == ["session-of:bob/s"]
    assert _still_stopped(view, "session:other") == []
    assert _still_stopped(view, "principal:bob") == []


@pytest.mark.parametrize("target", ["session-of:s", "session-of:/s", "session-of:bob/"])
def test_a_target_of_a_principals_session_has_both_parts(target: str) -> None:
    """A key that stops nobody is refused where it is typed."""
    with pytest.raises(ConfigError, match="session-of:NAME/ID"):
        _target(target, ControlView())
