"""Every small closed formula on every small two-valued trace: machine and reference agree.

All formulas over the predicates `a` and `b` with at most so many operators, up to swapping `a`
with `b` and up to the order of `and`, `or` and `iff`, each as `never: f` (so `always: f` is
`never: not f`), on all traces of so many events (their prefixes are judged on the way).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from itertools import product

import pytest

from invariants.fact import Fact, Truth
from invariants.formula.ast import (
    UNBOUNDED,
    Atom,
    Binary,
    Formula,
    Not,
    Temporal,
    Until,
    Window,
)
from invariants.formula.format import format_formula
from invariants.machine import Automaton, State, compile_invariant
from invariants.moment import Moment
from invariants.reference import judge
from invariants.spec import InvariantSpec
from tests.support.cases import write_case
from tests.support.engines import Verdicts, make_invariant, make_moment

SECOND_NS = 1_000_000_000
IS_LONG = "INTERLOCK_LAWS_CASES" in os.environ
SIZES = [(0, 4), (1, 4), (2, 4)] if not IS_LONG else [(0, 5), (1, 5), (2, 5), (3, 3)]
FACT = Fact(Truth.TRUE, {})
A, B = Atom("a"), Atom("b")


@cache
def formulas(operators: int) -> tuple[Formula, ...]:
    """All closed formulas with exactly so many operators."""
    if operators == 0:
        return (A, B)
    found: list[Formula] = []
    for body in formulas(operators - 1):
        found.append(Not(body))
        for window in (UNBOUNDED, Window(0, SECOND_NS)):
            found.append(Temporal("once", window, body))
        found.append(Temporal("historically", UNBOUNDED, body))
        found.append(Temporal("previous", UNBOUNDED, body))
    for size in range(operators):
        pairs = product(formulas(size), formulas(operators - 1 - size))
        for left, right in pairs:
            found.append(Binary("implies", left, right))
            found.append(Until("since", UNBOUNDED, left, right))
            if format_formula(left) <= format_formula(right):
                found += (Binary("and", left, right), Binary("or", left, right))
                found.append(Binary("iff", left, right))
    return tuple(found)


def up_to_names(operators: int) -> Iterator[Formula]:
    """Of two formulas that differ only in swapping `a` with `b`, the one that names `a` first."""
    for formula in formulas(operators):
        text = format_formula(formula)
        names = [word for word in text.replace("(", " ").replace(")", " ").split() if word in "ab"]
        if names[0] == "a":
            yield formula


LETTERS: tuple[dict[str, Fact], ...] = ({}, {"a": FACT}, {"b": FACT}, {"a": FACT, "b": FACT})
GAPS_NS = (0, 0, 2 * SECOND_NS, SECOND_NS, SECOND_NS)  # Equal times, beyond a window, inside it.


@pytest.mark.parametrize(("operators", "events_count"), SIZES)
def test_every_small_formula(operators: int, events_count: int) -> None:
    """On every trace both tell the same verdict of every event."""
    for formula in up_to_names(operators):
        invariant = make_invariant("never", formula)
        automaton = compile_invariant(invariant)
        compare(invariant, automaton, automaton.initial(), [], {}, events_count)


def compare(
    invariant: InvariantSpec,
    automaton: Automaton,
    state: State,
    trace: list[Moment],
    told: Verdicts,
    left: int,
) -> None:
    """Walk the tree of traces; the machine's state is shared by all that begin alike."""
    if not left:
        meant = judge(invariant, trace)
        assert told == meant, write_case("found by exhaustion", invariant, trace, meant)
        return
    before_ns = trace[-1].time_ns if trace else 0
    for letter in LETTERS:
        here = make_moment(len(trace), before_ns + GAPS_NS[len(trace)], letter)
        after, verdicts = automaton.step(state, here, is_verbose=True)
        more = {(v.anchor.position, v.binding): v.kind for v in verdicts}
        compare(invariant, automaton, after, [*trace, here], told | more, left - 1)
