"""The standing of an event's principal: who may state it, and what predicates read of it."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from msgspec.structs import replace

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.errors import SpecError
from invariants.model.event import SECOND_NS, Event, Origin
from invariants.model.standing import Standing
from monitor.authoring.examples import run_examples
from monitor.ingest.decode import decode_event
from monitor.ingest.rejected import Rejected
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from monitor.presentation import page
from monitor.principals.known import with_standing
from monitor.principals.model import Principals
from monitor.principals.parse import parse_principals
from monitor.topics import APPROVALS, ENFORCEMENT, EVENTS, GATE
from tests.support.cel import codes, compiled, evaluate, fails, faults, make_view

DAY_S: Final = 86_400
BEGIN_NS: Final = 1_767_225_600 * SECOND_NS  # 2026-01-01
FILE: Final = """versions:
  - version: 1
    since: 2026-01-01T00:00:00Z
    principals:
      bot: {roles: [reader]}
  - version: 2
    since: 2026-01-01T00:01:00Z
    principals:
      bot: {roles: [reader, writer], attributes: {team: a}}
"""
SPEC: Final = """version: 1
predicates:
  write_without_role: kind == "tool.requested" && !("writer" in principal.roles)
invariants:
  - id: writers
    severity: critical
    on_unknown: report
    never: write_without_role
"""
STATED: Final = {"version": 7, "roles": ["r"], "attributes": {"n": 1.0, "deep": {"x": [1]}}}


@pytest.fixture(scope="module")
def principals() -> Principals:
    return parse_principals(FILE, "p.yaml")


def decoded(topic: str, *, is_trusted: bool = False, **fields: Any) -> Event | Rejected:
    content = {"session": "s", "seq": 0, "ts": BEGIN_NS, "kind": "tool.requested"} | fields
    value = json.dumps(content).encode()
    origin = Origin(topic, "0", 0)
    principal = "bot" if topic.startswith(EVENTS) else ""
    return decode_event(value, origin, principal=principal, is_trusted=is_trusted)


def event_of(topic: str = EVENTS + ".bot", **fields: Any) -> Event:
    event = decoded(topic, **fields)
    assert isinstance(event, Event), event
    return event


@pytest.mark.parametrize("topic", [EVENTS, f"{EVENTS}.bot", APPROVALS, ENFORCEMENT, f"{GATE}.x"])
def test_only_gates_state_a_standing(topic: str) -> None:
    """On any other topic the field is ignored, whatever it holds, as an unknown key is."""
    for stated in (STATED, "root", [1], {"version": "x"}, {"roles": 1}):
        event = event_of(topic, standing=stated)
        assert event.standing is None
        assert event.digest == event_of(topic).digest


def test_a_gate_and_a_finished_file_state_it() -> None:
    """There it is read, and counts in the event's content: another standing is another event."""
    for event in (event_of(GATE, standing=STATED), event_of("f", is_trusted=True, standing=STATED)):
        assert event.standing == Standing(7, ("r",), {"n": 1.0, "deep": {"x": [1]}})
    other = event_of(GATE, standing=STATED | {"roles": ["q"]})
    same = event_of(GATE, standing={"attributes": {"deep": {"x": [1]}, "n": 1}} | STATED)
    assert event_of(GATE, standing=STATED).digest == same.digest
    assert len({other.digest, same.digest, event_of(GATE).digest}) == 3
    assert event_of(GATE, standing=None).standing is None


@pytest.mark.parametrize(
    "stated",
    [
        "root",
        [],
        {},
        {"roles": []},
        {"version": "1"},
        {"version": 1.5},
        {"version": 1, "roles": "r"},
        {"version": 1, "roles": [1]},
        {"version": 1, "roles": ["r"] * 65},
        {"version": 1, "attributes": []},
        {"version": 1, "attributes": None},
    ],
)
def test_a_damaged_standing_is_no_event(stated: Any) -> None:
    """The record is rejected with the field and the expected form, and no value of it."""
    rejected = decoded(GATE, standing=stated)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "field"
    assert rejected.detail.startswith("standing: ")
    assert "root" not in rejected.detail


def test_the_file_gives_the_standing_of_its_time(principals: Principals) -> None:
    """By the effective time; a gate's word counts before it, and its silence too."""

    def roles(event: Event, time_ns: int, *, is_trusted: bool = False, **more: Any) -> Any:
        placed = replace(event, time_ns=time_ns, **more)
        standing = with_standing(placed, principals, is_trusted=is_trusted).standing
        return None if standing is None else standing.roles

    bot, later_ns = event_of(), BEGIN_NS + 60 * SECOND_NS
    assert roles(bot, BEGIN_NS - 1) is None
    assert roles(bot, later_ns - 1) == ("reader",)
    assert roles(bot, later_ns) == ("reader", "writer")
    assert roles(bot, later_ns, is_time_unsure=True) is None
    assert roles(bot, later_ns, principal="other") is None
    assert roles(bot, later_ns, principal="") is None
    named = event_of("file", principal="bot")
    assert roles(named, later_ns) is None
    assert roles(named, later_ns, is_trusted=True) == ("reader", "writer")
    gate = event_of(GATE, principal="bot", standing=STATED)
    assert roles(gate, later_ns, principal="bot") == ("r",)
    assert roles(event_of(GATE, principal="bot"), later_ns, principal="bot") is None
    assert with_standing(bot, None, is_trusted=True).standing is None


def test_predicates_read_roles_and_attributes() -> None:
    """By the qualified names; unknown is an error, and `principal` stays a text."""
    known = {"standing": {"version": 1, "roles": ["a", "b"], "attributes": {"team": "x"}}}
    for text, value in [
        ('"a" in principal.roles', True),
        ('"c" in principal.roles', False),
        ('principal.roles == ["a", "b"]', True),
        ("size(principal.roles)", 2),
        ("principal.roles.exists(r, r.startsWith('b'))", True),
        ('principal.attributes.team == "x"', True),
        ('principal.attributes["team"]', "x"),
        ("has(principal.attributes.team)", True),
        ("has(principal.attributes.other)", False),
        ("present(principal.roles)", True),
        ('principal == "p"', True),
    ]:
        assert evaluate(text, principal="p", **known) == value, text
        if "principal.roles" in text or "principal.attributes" in text:
            is_presence = text.startswith("present")
            assert is_presence or fails(text, principal="p"), text
    assert evaluate("present(principal.roles)", principal="p") is False
    assert evaluate("present(principal.attributes)", principal="p") is False
    assert evaluate('"a" in principal.roles || true') is True
    assert fails("principal.attributes.none", **known)


def test_other_fields_of_a_principal_are_refused() -> None:
    """A misspelt name is a fault at load, and not an absent key at run time."""
    for text in ('principal.role == "a"', 'principal["roles"] == []', 'principal.roles == "a"'):
        assert codes(text) == ["E104"], text
    (fault,) = faults("has(principal.roles)")
    assert fault.mend == "write present(principal.roles)"
    assert codes("present(principal.attributes.team)") == ["E103"]
    assert compiled("principal.roles").checked.fields == {"principal.roles"}
    assert compiled("principal.roles").evaluate(
        make_view(standing={"version": 1, "roles": ["a"]})
    ) == ["a"]


def test_examples_state_a_standing() -> None:
    """An example's event may have one, of the form that a gate writes."""
    example = """
    examples:
      - name: known and unknown
        events:
          - {{kind: tool.requested, standing: {0}}}
          - {{kind: tool.requested, standing: {{version: 1}}}}
          - {{kind: tool.requested}}
        violated_at: [1]
        inconclusive_at: [2]
"""
    text = SPEC.rstrip() + example
    specs, _ = read_specs([("a.yaml", text.format("{version: 1, roles: [writer]}"))])
    assert [result.problem for result in run_examples(specs)] == [""]
    for bad in ("x", "{}", "{version: a}", "{version: 1, roles: x}", "{version: 1, role: [x]}"):
        with pytest.raises(SpecError) as refused:
            read_specs([("a.yaml", text.format(bad))])
        assert [fault.code for fault in refused.value.faults] == ["E215"]


def test_each_event_is_judged_by_the_roles_of_its_time(principals: Principals) -> None:
    """A role that is granted in the middle of a session changes no earlier verdict."""
    specs, _ = read_specs([("a.yaml", SPEC)])
    kernel = Kernel(compile_program(specs), KernelSettings(trust_ts=True, principals=principals))
    met = []
    for seq, after_s in enumerate((-1, 0, 59, 60, 61)):
        event = event_of(seq=seq, ts=BEGIN_NS + after_s * SECOND_NS)
        met += [(seq, finding.type) for finding in kernel.step(event)]
    assert met == [(0, "inconclusive"), (1, "violated"), (2, "violated")]


def test_an_unknown_principal_never_holds(principals: Principals) -> None:
    """Whatever asks for a role, of whom: without a standing it is inconclusive."""
    for condition in ('"writer" in principal.roles', '!("writer" in principal.roles)'):
        text = SPEC.replace('!("writer" in principal.roles)', condition)
        specs, _ = read_specs([("a.yaml", text)])
        for settings in (KernelSettings(), KernelSettings(principals=principals)):
            kernel = Kernel(compile_program(specs), settings)
            stranger = replace(event_of(), principal="stranger")
            assert [f.type for f in kernel.step(stranger)] == ["inconclusive"]


LATE: Final = """version: 1
predicates:
  asked: kind == "asked"
  answered: kind == "answered"
  doubtful: kind == "asked" && args.none
invariants:
  - {id: answered, severity: warning, always: "asked implies eventually[5s] answered"}
  - {id: everywhere, severity: warning, per: agent, always: "asked implies eventually[5s] answered"}
  - {id: doubt, severity: warning, per: agent, on_unknown: report, never: doubtful}
"""


def test_a_late_verdict_has_the_roles_of_its_anchor(principals: Principals) -> None:
    """Also in a wider scope. No id depends on roles, and unknown ones are null."""
    specs, _ = read_specs([("a.yaml", LATE)])
    found: dict[bool, list[Any]] = {}
    for has_file in (True, False):
        settings = KernelSettings(trust_ts=True, principals=principals if has_file else None)
        kernel = Kernel(compile_program(specs), settings)
        findings = []
        for seq, (kind, after_s) in enumerate([("asked", 58), ("own", 61), ("own", 90)]):
            ts = BEGIN_NS + after_s * SECOND_NS
            findings += kernel.step(event_of(seq=seq, ts=ts, kind=kind, agent="a", args={}))
        found[has_file] = findings
    told = {(f.invariant, f.standing and f.standing.roles) for f in found[True]}
    assert told == {(name, ("reader",)) for name in ("answered", "everywhere", "doubt")}
    assert [finding.id for finding in found[True]] == [finding.id for finding in found[False]]
    assert [f.group for f in found[True]] == [f.group for f in found[False]]
    assert {finding.standing for finding in found[False]} == {None}
    assert " (version 1)" in "\n".join(page(found[True][0], ()))


def test_an_end_that_the_monitor_gives_has_no_roles(principals: Principals) -> None:
    """Nobody vouches for it, on the stream as in a gate."""
    text = """version: 1
predicates:
  ends: kind == "session.ended" && !("admin" in principal.roles)
invariants:
  - {id: ends, severity: info, on_unknown: report, never: ends}
"""
    specs, _ = read_specs([("a.yaml", text)])
    settings = KernelSettings(idle_close_ns=SECOND_NS, principals=principals)
    kernel = Kernel(compile_program(specs), settings)
    kernel.step(replace(event_of(), arrival_ns=BEGIN_NS))
    (found,) = kernel.tick(BEGIN_NS + 10 * SECOND_NS)
    assert (found.type, found.standing) == ("inconclusive", None)
