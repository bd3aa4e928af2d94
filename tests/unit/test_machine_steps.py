"""The stepping machine where laws and cases do not look: what it is given, and what it keeps."""

from __future__ import annotations

from dataclasses import replace

from invariants.compile.automaton import compile_invariant
from invariants.formula.parser import parse_formula
from invariants.model.fact import Fact, Truth
from invariants.model.limits import Limits
from tests.support.engines import make_invariant, make_moment
from tests.support.states import read_back

HOLDS = Fact(Truth.TRUE, {})


def test_previous_of_an_event_that_was_not_seen_is_false() -> None:
    """An event that the machine could not take in is nobody's previous, nor is the one before."""
    automaton = compile_invariant(make_invariant("never", parse_formula("b and previous a")))
    after, _ = automaton.step(automaton.initial(), make_moment(0, 0, {"a": HOLDS}))
    _, next_to_it = automaton.step(after, make_moment(1, 0, {"b": HOLDS}))
    _, one_later = automaton.step(after, make_moment(2, 0, {"b": HOLDS}))
    assert [verdict.kind for verdict in next_to_it] == ["violated"]
    assert list(one_later) == []


def test_a_route_keeps_what_the_left_side_of_until_is_about() -> None:
    """A kind of event that can only break the left side is not left out."""
    automaton = compile_invariant(make_invariant("always", parse_formula("a implies b until c")))
    both = {"a": HOLDS, "b": HOLDS}
    waiting, _ = automaton.step(automaton.initial(), make_moment(0, 0, both))
    route = automaton.route({"a": False, "b": False, "c": False}, is_end=False)
    assert route is not None
    _, told = automaton.step(waiting, make_moment(1, 0, {}), False, route)
    assert [verdict.kind for verdict in told] == ["violated"]
    idle = automaton.route({"a": False, "b": True, "c": False}, is_end=False)
    assert idle is None


def test_a_route_keeps_events_that_end_an_edge() -> None:
    """With `report: edge` an event at which it surely holds is what makes the next one new."""
    invariant = make_invariant("always", parse_formula("a implies b"))
    automaton = compile_invariant(replace(invariant, report="edge"))
    state, told = automaton.initial(), []
    for position, has_b in enumerate((False, True, False)):
        facts = {"a": HOLDS, "b": HOLDS} if has_b else {"a": HOLDS}
        route = automaton.route({"b": has_b}, is_end=False)
        assert route is not None
        state, more = automaton.step(state, make_moment(position, 0, facts), False, route)
        told += [verdict.anchor.position for verdict in more]
    assert told == [0, 2]


def test_doubt_and_violation_are_told_and_nothing_else() -> None:
    """Without asking for more: what holds is no news, what is in doubt is."""
    automaton = compile_invariant(make_invariant("never", parse_formula("a and not b")))
    state = automaton.initial()
    kinds: list[list[str]] = []
    for facts in ({"a": HOLDS}, {"a": HOLDS, "b": HOLDS}, {"a": Fact(Truth.UNKNOWN, {})}, {}):
        state, told = automaton.step(state, make_moment(len(kinds), 0, facts))
        kinds.append([verdict.kind for verdict in told])
    assert kinds == [["violated"], [], ["inconclusive"], []]


def test_a_route_of_what_is_surely_true_is_judged() -> None:
    """A kind of event that is a violation whatever else it carries."""
    automaton = compile_invariant(make_invariant("never", parse_formula("a and b")))
    route = automaton.route({"a": True, "b": True}, is_end=False)
    assert route is not None
    moment = make_moment(0, 0, {"a": HOLDS, "b": HOLDS})
    _, told = automaton.step(automaton.initial(), moment, False, route)
    assert [verdict.kind for verdict in told] == ["violated"]


def test_verdicts_that_are_decided_leave_their_room() -> None:
    """Also where one event decides several, and others wait on."""
    formula = parse_formula("p(v=x) implies eventually q(v=x)")
    automaton = compile_invariant(make_invariant("always", formula), Limits(pending_max=3))
    state = automaton.initial()
    events = [("p", 1), ("p", 1), ("p", 2), ("q", 1), ("p", 3), ("p", 4), ("p", 5)]
    refused = []
    for position, (name, value) in enumerate(events):
        facts = {name: Fact(Truth.TRUE, {"v": (value,)})}
        state, found = automaton.step(state, make_moment(position, 0, facts))
        refused += [verdict.binding for verdict in found if "pending_max" in verdict.reason]
    assert refused == [(("x", 5),)]
    assert state.pending.waiting_count == 3


def test_doubt_about_every_binding_is_written_down() -> None:
    """A left side that was unknown for all values leaves a doubt that a restart does not lift."""
    automaton = compile_invariant(
        make_invariant("never", parse_formula("p(v=x) and (a since q(v=x))"))
    )
    one = {"v": (1,)}
    state, _ = automaton.step(automaton.initial(), make_moment(0, 0, {"q": Fact(Truth.TRUE, one)}))
    state, _ = automaton.step(state, make_moment(1, 0, {"a": Fact(Truth.UNKNOWN, {})}))
    last = make_moment(2, 0, {"a": HOLDS, "p": Fact(Truth.TRUE, one)})
    for held in (state, read_back(automaton, state, 0)):
        _, found = automaton.step(held, last)
        assert [verdict.kind for verdict in found] == ["inconclusive"]
