"""Past a bound what is held stays, and what found no room is unknown and told as lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from invariants.limits import DEFAULT_LIMITS, Limits
from invariants.machine import compile_invariant
from invariants.moment import Moment
from tests.support.cases import parse_case, show_key

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
        if isinstance(step, Moment):
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
