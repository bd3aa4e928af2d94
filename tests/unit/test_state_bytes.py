"""States that mean the same from now on are the same bytes, whatever happened before."""

from __future__ import annotations

import pytest

from invariants.codec.state import encode_state
from invariants.compile.automaton import compile_invariant
from invariants.formula.parser import parse_formula
from invariants.model.fact import Fact, Truth
from tests.support.engines import make_invariant, make_moment

SECOND_NS = 10**9
SURE, PERHAPS = Truth.TRUE, Truth.UNKNOWN
Trace = tuple[tuple[int, Truth, tuple[int, ...]], ...]
"""Events of `p`: time in seconds, truth, values."""
NOTHING = (0, Truth.FALSE, ())


@pytest.mark.parametrize(
    ("formula", "one", "other"),
    [
        # The order in which an event gives its values.
        ("once p(v=x)", ((0, SURE, (1, 2)),), ((0, SURE, (2, 1)),)),
        # A time that is over, beside one that is not.
        (
            "once[1s, 3s] p(v=x)",
            ((0, SURE, (1,)), (2, PERHAPS, (1,)), (4, Truth.FALSE, ())),
            (NOTHING, (2, PERHAPS, (1,)), (4, Truth.FALSE, ())),
        ),
        # A sample that is over, beside one that is not.
        (
            "count(p(v=x))[3s] > 1",
            ((0, SURE, (1,)), (2, SURE, (1,)), (4, Truth.FALSE, ())),
            (NOTHING, (2, SURE, (1,)), (4, Truth.FALSE, ())),
        ),
    ],
    ids=["order", "times", "samples"],
)
def test_what_means_the_same_is_the_same(formula: str, one: Trace, other: Trace) -> None:
    """As of the last event."""
    automaton = compile_invariant(make_invariant("never", parse_formula(f"q(v=x) and {formula}")))
    written = []
    for trace in (one, other):
        state = automaton.initial()
        for position, (time, truth, values) in enumerate(trace):
            facts = {"p": Fact(truth, {"v": values})} if truth else {}
            state, _ = automaton.step(state, make_moment(position, time * SECOND_NS, facts))
        written.append(encode_state(automaton, state, trace[-1][0] * SECOND_NS))
    assert written[0] == written[1]
