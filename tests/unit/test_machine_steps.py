"""The stepping machine where laws and cases do not look: what it is given, and what it keeps."""

from __future__ import annotations

from invariants.fact import Fact, Truth
from invariants.formula.parser import parse_formula
from invariants.machine import compile_invariant
from tests.support.engines import make_invariant, make_moment

HOLDS = Fact(Truth.TRUE, {})


def test_previous_of_an_event_that_was_not_seen_is_false() -> None:
    """An event that the machine could not take in is nobody's previous, nor is the one before."""
    automaton = compile_invariant(make_invariant("never", parse_formula("b and previous a")))
    after, _ = automaton.step(automaton.initial(), make_moment(0, 0, {"a": HOLDS}))
    _, next_to_it = automaton.step(after, make_moment(1, 0, {"b": HOLDS}))
    _, one_later = automaton.step(after, make_moment(2, 0, {"b": HOLDS}))
    assert [verdict.kind for verdict in next_to_it] == ["violated"]
    assert list(one_later) == []
