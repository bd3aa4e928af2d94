"""Past a bound what is held stays, and what found no room is unknown and told as lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from invariants.compile.automaton import compile_invariant
from invariants.formula.parser import parse_formula
from invariants.model.fact import Fact, Truth
from invariants.model.limits import DEFAULT_LIMITS, Limits
from invariants.model.report import Report
from invariants.model.trace_point import TracePoint
from tests.support.cases import parse_case, show_key
from tests.support.engines import make_invariant, make_moment

Event = dict[str, Any]


def run(form: str, formula: str, events: Sequence[Event], **limits: int) -> tuple[Any, int]:
    """Every verdict that is told, in its order, and how often something found no room."""
    document = {"note": "", "invariant": {form: formula}, "run": list(events), "verdicts": {}}
    case = parse_case(document, "bounds")
    bounds = Limits(**{name: getattr(DEFAULT_LIMITS, name) for name in names()} | limits)
    automaton = compile_invariant(case.invariant, bounds)
    state = automaton.initial()
    told = []
    for step in case.steps:
        if isinstance(step, TracePoint):
            state, verdicts = automaton.step(state, step, True)
        else:
            state, verdicts = automaton.tick(state, step, True)
        told += [(show_key(v.anchor.position, v.binding), v.kind) for v in verdicts]
    return told, state.lost_count


def names() -> Sequence[str]:
    return list(Limits.__annotations__)


def test_what_has_a_slice_keeps_it() -> None:
    """A flood of other values puts itself in doubt, and erases nothing."""
    events = [{"at": 0, "p": {"v": 1}}]
    events += [{"at": 1, "p": {"v": number}} for number in range(2, 5)]
    events += [{"at": 2, "q": {"v": 1}}, {"at": 2, "q": {"v": 2}}]
    told, lost = run("always", "q(v=x) implies once[9s] p(v=x)", events, slices_max=1)
    assert told == [("4 x=1", "holds"), ("5 x=2", "inconclusive")]
    assert lost == 3


def test_what_found_no_room_is_in_doubt_for_its_window_only() -> None:
    """A value that was lost may have been any; once the window is over it was none."""
    events = [{"at": 0, "p": {"v": 1}}, {"at": 1, "p": {"v": 2}}]
    events += [{"at": 10, "q": {"v": 3}}, {"at": "10s+1ns", "q": {"v": 3}}]
    told, _ = run("always", "q(v=x) implies once[9s] p(v=x)", events, slices_max=1)
    assert told == [("2 x=3", "inconclusive"), ("3 x=3", "violated")]


def test_what_found_no_room_ends_with_its_left_side() -> None:
    """A left side that fails for everybody ends a `since` for what was lost too."""
    events: list[Event] = [{"at": 0, "p": {"v": 1}}, {"at": 0, "p": {"v": 2}}, {"at": 1}]
    events += [{"at": 1, "q": {"v": 2}}]
    told, _ = run("always", "q(v=x) implies (a since p(v=x))", events, slices_max=1)
    assert told == [("3 x=2", "violated")]


def test_a_lost_value_outlives_a_left_side_that_failed_for_another() -> None:
    """Where the event may have kept the lost value alive, it stays in doubt."""
    events: list[Event] = [{"at": 0, "p": {"v": 1}}, {"at": 0, "p": {"v": 2}, "r": {"v": 1}}]
    events += [{"at": 1, "r": {"v": [1, 2]}, "q": {"v": 2}}]
    told, _ = run("always", "q(v=x) implies (r(v=x) since p(v=x))", events, slices_max=1)
    assert told == [("2 x=2", "inconclusive")]


def test_entries_that_are_held_stay() -> None:
    """Past window_entries_max a newer event is refused, and its age is in doubt."""
    events = [{"at": second, "b": True} for second in (0, 4, 8)]
    events += [{"at": 10, "a": True}, {"at": 18, "a": True}, {"at": 19, "a": True}]
    told, lost = run("always", "a implies once[8s,10s] b", events, window_entries_max=2)
    assert [kind for _, kind in told] == ["holds", "inconclusive", "violated"]
    assert lost == 1


def test_an_anchor_that_finds_no_room_is_inconclusive_at_once() -> None:
    """Past pending_max the older ones go on waiting."""
    events = [{"at": 0, "a": True}, {"at": 1, "a": True}, {"at": 2, "b": True}]
    events += [{"at": 3, "a": True}]
    told, lost = run("always", "a implies eventually[9s] b", events, pending_max=1)
    kinds = {key: kind for key, kind in told if kind != "pending"}
    assert kinds == {"0": "holds", "1": "inconclusive"}
    assert [key for key, kind in told if kind == "pending"] == ["0", "3"]
    assert lost == 1


@pytest.mark.parametrize(
    ("aggregate", "kinds"),
    [("count(p(v=x)) <= 1", ["holds", "inconclusive"]), ("count(p(v=_)) <= 9", ["holds"] * 2)],
)
def test_a_group_that_finds_no_room_is_unknown(aggregate: str, kinds: list[str]) -> None:
    """Groups that are held count on exactly."""
    events = [{"at": 0, "p": {"v": 1}}, {"at": 0, "p": {"v": 2}}]
    events += [{"at": 1, "q": {"v": 1}}, {"at": 1, "q": {"v": 2}}]
    told, lost = run("always", f"q(v=x) implies {aggregate}", events, slices_max=1)
    assert [kind for _, kind in told] == kinds
    assert bool(lost) == ("inconclusive" in kinds)


def test_an_aggregate_past_its_samples_is_unknown_until_they_are_too_old() -> None:
    """The samples that are held stay; the loss is forgotten with the time it happened at."""
    events = [{"at": 0, "p": {"v": n}} for n in (1, 2, 3)]
    events += [{"at": 9, "a": True}, {"at": "9s+1ns", "a": True}]
    told, lost = run("always", "a implies count(p)[9s] <= 3", events, window_entries_max=2)
    assert [kind for _, kind in told] == ["inconclusive", "holds"]
    assert lost == 1


def test_a_group_that_finds_room_later_knows_of_its_loss() -> None:
    """Room comes when another group is over; what was lost before it is still inside the window."""
    events = [{"at": 0, "p": {"v": 1}}, {"at": 4, "p": {"v": 2}}]
    events += [{"at": "5s+1ns", "p": {"v": 2}}, {"at": "9s+1ns", "p": {"v": 2}}]
    told, lost = run("always", "count(p(v=x))[5s] <= 1", events, slices_max=1)
    assert told == [
        ("0 x=1", "holds"),
        ("1 x=2", "inconclusive"),
        ("2 x=2", "inconclusive"),
        ("3 x=2", "violated"),
    ]
    assert lost == 1


def test_all_anchors_of_one_value_make_room_together() -> None:
    """One event decides two that wait, and then two more may."""
    events = [{"at": 0, "a": True}, {"at": 0, "a": True}, {"at": 1, "b": True}]
    events += [{"at": 2, "a": True}, {"at": 2, "a": True}, {"at": 3, "b": True}]
    told, lost = run("always", "a implies eventually[9s] b", events, pending_max=2)
    assert sorted(key for key, kind in told if kind == "holds") == ["0", "1", "3", "4"]
    assert lost == 0


def test_deadlines_of_decided_anchors_are_dropped_and_no_other() -> None:
    """However many were decided early: the one that waits is decided when its time has passed."""
    events: list[Event] = [{"at": 0, "p": {"v": 0}}]
    for number in range(1, 200):
        events += [{"at": 1, "p": {"v": number}}, {"at": 1, "q": {"v": number}}]
    events += [{"tick": 9}, {"tick": "9s+1ns"}]
    told, _ = run("always", "p(v=x) implies eventually[9s] q(v=x)", events)
    assert told[-1] == ("0 x=0", "violated")
    assert [kind for _, kind in told].count("holds") == 199


@pytest.mark.parametrize("values", [2, 3])
def test_an_event_of_too_many_bindings_is_in_doubt(values: int) -> None:
    """Those that fit are judged; that there were more is told once, without a binding."""
    event: Event = {"at": 0, "r": {"v": list(range(1, values + 1)), "w": [1, 2]}}
    told, _ = run("never", "r(v=x, w=y)", [event], bindings_max=4)
    assert [kind for _, kind in told].count("violated") == 4
    assert (("0", "inconclusive") in told) == (values == 3)


def test_a_memory_of_too_many_bindings_is_in_doubt() -> None:
    """Whatever value is asked for may have been among those that were not taken in."""
    events = [{"at": 0, "p": {"v": [1, 2, 3]}, "q": {"v": [1, 2]}}]
    events += [{"at": 1, "r": {"v": 9, "w": 9}}]
    formula = "r(v=x, w=y) and once (p(v=x) and q(v=y))"
    told, lost = run("never", formula, events, bindings_max=6)
    assert (told, lost) == ([("1 x=9 y=9", "holds")], 0)
    told, lost = run("never", formula, events, bindings_max=4)
    assert (told, lost) == ([("1 x=9 y=9", "inconclusive")], 1)


@pytest.mark.parametrize("report", ["first", "edge"])
def test_past_slices_max_nothing_is_kept_back(report: Report) -> None:
    """What is not remembered as told is told again: too much is better than too little."""
    invariant = replace(make_invariant("never", parse_formula("p(v=x)")), report=report)
    automaton = compile_invariant(invariant, Limits(slices_max=1))
    state = automaton.initial()
    told = []
    for position, value in enumerate((1, 2, 1, 2)):
        fact = Fact(Truth.TRUE, {"v": (value,)})
        state, verdicts = automaton.step(state, make_moment(position, 0, {"p": fact}))
        told += [show_key(v.anchor.position, v.binding) for v in verdicts]
    assert told == ["0 x=1", "1 x=2", "3 x=2"]
    assert len(state.told) == 1
