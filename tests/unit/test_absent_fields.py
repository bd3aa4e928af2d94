"""A field that an event of this kind carries, and that was left out, is unknown and not `""`."""

from __future__ import annotations

import json
import random
from itertools import product
from typing import Any

import pytest

from invariants.analysis.equivalence import Proof
from invariants.analysis.event_domain import asked_by_predicates
from invariants.cel.fold import KindAndTool
from invariants.cel.functions import FIELD_TYPES
from invariants.check.specs import read_specs
from invariants.formula.ast import Atom
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.taint.event_view import EventView
from invariants.values.value import CelError
from monitor.authoring.examples import prepare_trial
from monitor.authoring.mutation_search import distinguish
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from tests.support.cel import codes, compiled

KINDS = (
    *("session.started", "session.ended", "heartbeat", "file.read", "process.started", "own.kind"),
    *("message.user", "message.assistant", "message.system"),
    *("tool.requested", "tool.completed", "tool.failed", "tool.denied", "tool.own"),
    *("approval.requested", "approval.granted", "approval.denied"),
)
CALLS = frozenset(kind for kind in KINDS if kind.startswith(("tool.", "approval.")))
MESSAGES = frozenset(kind for kind in KINDS if kind.startswith("message."))
EVERY = frozenset(KINDS)
CARRIERS = {
    **dict.fromkeys(("agent", "user", "tenant"), EVERY),
    **dict.fromkeys(("tool", "call", "args"), CALLS),
    "text": MESSAGES,
}
"""Written down a second time, from docs/events.md."""

ABSENT = object()
FORMS = {"left out": ABSENT, "null": None, "empty": ""}


def event_of(principal: str = "", **content: Any) -> Event:
    """An event as a source brings it."""
    stated = {"session": "s", "seq": 0, "ts": 1, "kind": "own.kind"} | content
    kept = {name: value for name, value in stated.items() if value is not ABSENT}
    origin, value = Origin("t", "0", 0), json.dumps(kept).encode()
    event = decode_event(value, origin, principal=principal, is_trusted=True)
    assert isinstance(event, Event), event
    return event


def value_at(text: str, event: Event) -> Any:
    """What an expression says of an event; "unknown" for an error."""
    value = compiled(text).evaluate(EventView(event))
    return "unknown" if isinstance(value, CelError) else value


@pytest.mark.parametrize("name", CARRIERS)
def test_a_field_is_missing_where_its_kind_carries_it(name: str) -> None:
    """Left out, null and `""` are one; where the kind does not have the field it is empty."""
    nothing: Any = {} if name == "args" else ""
    for kind, form in product(KINDS, FORMS):
        if (name, form) == ("args", "empty"):
            continue  # A text is no object, and the record none of ours.
        event = event_of(kind=kind, **{name: FORMS[form]})
        met = value_at(name, event)
        assert met == ("unknown" if kind in CARRIERS[name] else nothing), (kind, form)
        assert value_at(f"present({name})", event) is False
        assert value_at(f"{name} == {name} || true", event) is True


@pytest.mark.parametrize("name", CARRIERS)
def test_a_stated_field_is_read_at_every_kind(name: str) -> None:
    """What is there can be read, whoever carries it."""
    stated: Any = {} if name == "args" else "x"
    for kind in KINDS:
        event = event_of(kind=kind, **{name: stated})
        assert value_at(name, event) == stated, kind
        assert value_at(f"present({name})", event) is True


def test_a_principal_is_missing_where_nobody_vouches() -> None:
    """It is never the session's: an approval from a topic without principals has none."""
    assert value_at("principal != 'bob'", event_of()) == "unknown"
    assert value_at("present(principal)", event_of()) is False
    assert value_at("principal != 'bob'", event_of(principal="alice")) is True


EMPTY_CASES: tuple[tuple[str, Any], ...] = (
    *(("seq", 0), ("result", 0), ("result", False), ("result", ""), ("result", [])),
    *(("error", "x"), ("attributes", {"a": None}), ("args", {})),
)


@pytest.mark.parametrize(("name", "value"), EMPTY_CASES)
def test_present_speaks_of_every_field(name: str, value: Any) -> None:
    """Whether the event states it; `present` itself never fails."""
    assert value_at(f"present({name})", event_of(id="e", **{name: value})) is True
    assert value_at(f"present({name})", event_of(id="e", seq=ABSENT)) is False


@pytest.mark.parametrize("name", sorted(FIELD_TYPES.keys() - {"lists"}))
def test_present_says_whether_reading_gives_something(name: str) -> None:
    """Where it is true reading does not fail; where it is false it fails, or gives nothing."""
    texts = ("agent", "user", "tenant", "tool", "call", "text", "error")
    full = dict.fromkeys(texts, "x") | {"args": {}, "result": 1, "attributes": {"a": 1}}
    full["standing"] = {"version": 1, "roles": ["r"], "attributes": {"a": 1}}
    for kind in KINDS:
        bare, whole = event_of(kind=kind, id="e", seq=ABSENT), event_of("p", kind=kind, **full)
        assert value_at(f"present({name})", whole) is True
        assert value_at(name, whole) != "unknown"
        if value_at(f"present({name})", bare) is False:
            assert value_at(name, bare) in ("unknown", "", None, {}), kind
        else:
            assert value_at(name, bare) not in ("unknown", "", None, {}), kind


@pytest.mark.parametrize("text", ["present(args.x)", "present('agent')", "present(lists)"])
def test_present_takes_a_field_alone(text: str) -> None:
    """Anything else is refused where the file is loaded."""
    assert codes(text) == ["E103"]
    assert codes("[1].exists(x, present(x))") == ["E103"]


GUARDS = (
    "kind == 'tool.requested' && tool == 'a' && {rest}",
    "kind == 'tool.requested' && {rest} && tool == 'a'",
    "'a' == tool && {rest} && kind == 'tool.requested'",
    "tool in ['a'] && kind in ['tool.requested'] && {rest}",
    "!(kind != 'tool.requested' || tool != 'a' || !({rest}))",
)


@pytest.mark.parametrize("guard", GUARDS)
def test_every_way_to_ask_for_a_tool_agrees(guard: str) -> None:
    """A call without a tool is unknown, unless something else is false; a guard made short, too."""
    for kind, tool in product(("tool.requested", "message.user"), ("a", "b", ABSENT)):
        for rest, holds in (("true", True), ("false", False), ("seq == seq / 0", "unknown")):
            event = event_of(kind=kind, tool=tool)
            text = guard.format(rest=rest)
            is_call = kind == "tool.requested"
            expected: Any = holds if is_call and tool == "a" else False
            if is_call and tool is ABSENT and holds is not False:
                expected = "unknown"
            assert value_at(text, event) == expected, (text, kind, tool)
            folded = compiled(text).fold(KindAndTool(kind, event.record.tool))
            assert folded is None or folded is expected


def test_what_is_known_of_kinds_and_tools_holds_at_calls_without_a_tool() -> None:
    """No event gives predicates values that the proofs take to be impossible."""
    file = """
version: 1
predicates:
  a: kind == "tool.requested" && tool == "a"
  b: kind == "tool.requested" && tool == "b" && args.x == 1
  c: kind == "tool.completed" && tool in ["a", "b"]
  d: kind == "message.user"
invariants:
  - {id: i, severity: info, never: "(a and b) or (c and d)"}
"""
    specs, _ = read_specs([("a.yaml", file)])
    program = compile_program(specs)
    asked = asked_by_predicates(specs[0])
    letters = [Atom(name, ()) for name in asked]
    is_possible = Proof(asked).possible([*letters])
    met = set()
    for kind, tool, args in product(KINDS, ("a", "b", "c", ABSENT), (ABSENT, {}, {"x": 1})):
        view = EventView(event_of(kind=kind, tool=tool, args=args))
        valuation = tuple(
            int(program.session.predicates[0][name].fact(view).truth) for name in asked
        )
        assert is_possible(valuation), (kind, tool, args, valuation)
        met.add(valuation)
    assert (1, 1, 0, 0) in met, "no event was unknown to both"
    assert not is_possible((2, 1, 0, 0)) and not is_possible((1, 0, 1, 0))


WHOSE = """
version: 1
predicates:
  writes_outside: >-
    kind == "tool.requested" && !path_within(args.path, "/workspace/" + {name})
invariants:
  - {{id: workspace, severity: warning, never: writes_outside}}
"""


def told(name: str, contents: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """(number of the event, type) of all findings of `workspace`."""
    specs, _ = read_specs([("a.yaml", WHOSE.format(name=name))])
    engine = Kernel(compile_program(specs), KernelSettings(trust_ts=True))
    events = [event_of(id=f"e{n}", seq=ABSENT, **content) for n, content in enumerate(contents)]
    found = [finding for event in events for finding in engine.step(event)]
    return [(int(f.anchor.id[1:]), f.type) for f in found if f.invariant == "workspace"]


WRITE = {"kind": "tool.requested", "tool": "write", "args": {"path": "/workspace/a/x"}}


@pytest.mark.parametrize("name", ["agent", "user", "tenant"])
def test_an_event_reads_what_its_session_stated_first(name: str) -> None:
    """Its own word comes first; before the session has stated anything the value is unknown."""
    assert told(name, [WRITE]) == [(0, "inconclusive")]
    assert told(name, [WRITE, {"kind": "heartbeat", name: "a"}, WRITE]) == [(0, "inconclusive")]
    first_a = {"kind": "session.started", name: "a"}
    assert told(name, [first_a, WRITE]) == []
    assert told(name, [first_a, {"kind": "heartbeat", name: "b"}, WRITE]) == []
    assert told(name, [first_a, {**WRITE, name: "b"}]) == [(1, "violated")]
    assert told(name, [{**first_a, name: "b"}, WRITE]) == [(1, "violated")]
    assert told(name, [{**first_a, name: ""}, {**WRITE, name: None}]) == [(1, "inconclusive")]
    other = {**first_a, "session": "another"}
    assert told(name, [other, WRITE]) == [(1, "inconclusive")]


def test_stating_it_once_is_stating_it_always() -> None:
    """Law: events that repeat what their session stated first can leave it out."""
    for seed in range(200):
        choices = random.Random(seed)
        paths = ("/workspace/a/x", "/workspace/b/x", "/etc/x")
        kinds = ("tool.requested", "tool.completed", "message.user")
        contents: list[dict[str, Any]] = [
            {
                "kind": choices.choice(kinds),
                "session": choices.choice(("s", "t")),
                "agent": choices.choice(("a", "b", ABSENT)),
                "tool": "write",
                "args": {"path": choices.choice(paths)},
            }
            for _ in range(8)
        ]
        first: dict[str, Any] = {}
        fewer = []
        for content in contents:
            known = first.get(content["session"], ABSENT)
            is_repeat = known is not ABSENT and content["agent"] == known
            fewer.append(
                content | {"agent": choices.choice((ABSENT, "", None))} if is_repeat else content
            )
            if known is ABSENT:
                first[content["session"]] = content["agent"]
        assert told("agent", contents) == told("agent", fewer), seed


def test_the_search_for_examples_reads_the_same() -> None:
    """What `interlock test --mutate` tries out is judged as the engine judges it."""
    file = """
version: 1
predicates:
  started: kind == "session.started"
  ours: kind == "heartbeat" && agent == "a"
invariants:
  - {id: one, severity: info, never: ours}
  - {id: other, severity: info, never: ours and not once started}
"""
    specs, _ = read_specs([("a.yaml", file)])
    trial = prepare_trial(specs[0], specs[0].invariants)
    example = [({"kind": "session.started", "agent": "a"}, 0), ({"kind": "heartbeat"}, 1)]
    found = distinguish(trial, [example], [], [])
    contents = [step.content for step in found[1]]
    marks = trial.marks([{"session": "s", "seq": n, "ts": n, **c} for n, c in enumerate(contents)])
    assert marks[0] != marks[1]
