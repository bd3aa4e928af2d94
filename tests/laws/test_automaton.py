"""The automaton that is drawn gives the verdicts of the definition, on random traces."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from invariants.analysis.explicit_automaton import ExplicitAutomaton, explicit_automaton
from invariants.formula.ast import (
    UNBOUNDED,
    Atom,
    Binary,
    Constant,
    Formula,
    Not,
    SessionEnd,
    Temporal,
    Until,
)
from invariants.formula.format import format_formula
from invariants.model.fact import Fact, Truth
from invariants.model.trace_point import TracePoint
from invariants.model.verdict import Binding
from invariants.reference import judge
from invariants.spec.model import InvariantSpec
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.engines import make_invariant, make_moment

EVENTS_COUNT = 7
LEAVES: tuple[Formula, ...] = (
    Atom("a"),
    Atom("b"),
    Atom("p", (("v", Constant(1)),)),
    Atom("p"),
    SessionEnd(),
)


def _formula(random: Random, depth: int) -> Formula:
    """Any closed formula of the past without windows."""
    if depth == 0 or random.random() < 0.15:
        return random.choice(LEAVES)
    word: Any = random.choice(["not", "and", "or", "implies", "iff", "since", "since", *UNARY])
    first = _formula(random, depth - 1)
    if word == "not":
        return Not(first)
    if word in UNARY:
        return Temporal(word, UNBOUNDED, first)
    second = _formula(random, depth - 1)
    if word == "since":
        return Until("since", UNBOUNDED, first, second)
    return Binary(word, first, second)


UNARY: list[Any] = ["once", "historically", "previous"]


def _invariant(random: Random) -> InvariantSpec:
    formula = _formula(random, random.choice([1, 2, 3]))
    if random.random() < 0.5:
        return make_invariant(random.choice(["never", "always"]), formula)
    ahead: Formula = Temporal(
        random.choice(["next", "eventually", "always"]), UNBOUNDED, _formula(random, 1)
    )
    if random.random() < 0.4:
        ahead = Until("until", UNBOUNDED, _formula(random, 1), _formula(random, 1))
    if random.random() < 0.5:
        return make_invariant("always", Binary("implies", formula, ahead))
    return make_invariant("never", Binary("and", formula, Not(ahead)))


def _trace(random: Random) -> list[TracePoint]:
    def fact(*values: int) -> Fact:
        return Fact(Truth.TRUE, {"v": values} if values else {})

    trace = []
    for position in range(EVENTS_COUNT):
        facts = {name: fact() for name in ("a", "b") if random.random() < 0.5}
        if random.random() < 0.5:
            facts["p"] = fact(random.choice([1, 2]))
        is_end = random.random() < 0.15
        trace.append(make_moment(position, position, facts, is_session_end=is_end))
    return trace


def _letter(automaton: ExplicitAutomaton, moment: TracePoint) -> int:
    letter = 0
    for index, atom in enumerate(automaton.atoms):
        match atom:
            case SessionEnd():
                is_true = moment.is_session_end
            case Atom(predicate, arguments):
                fact = moment.letter[predicate]
                is_true = fact.truth == Truth.TRUE and all(
                    isinstance(term, Constant) and term.value in fact.values.get(name, ())
                    for name, term in arguments
                )
            case _:
                raise AssertionError(atom)
        letter |= is_true << index
    return letter


def _told_by_automaton(automaton: ExplicitAutomaton, trace: list[TracePoint]) -> list[bool]:
    state, told = 0, []
    for moment in trace:
        letter = _letter(automaton, moment)
        assert letter in automaton.letters
        move = automaton.moves[state][letter]
        state = move.target
        told.append(move.is_violation)
    return told


def _told_by_reference(invariant: InvariantSpec, trace: list[TracePoint]) -> list[bool]:
    """At each event: is an anchor violated that was not before it?"""
    told: list[bool] = []
    before: set[tuple[int, Binding]] = set()
    for end in range(1, len(trace) + 1):
        kinds = judge(invariant, trace[:end])
        violated = {key for key, kind in kinds.items() if kind == "violated"}
        told.append(bool(violated - before))
        before = violated
    return told


@pytest.mark.parametrize("part", range(4))
def test_the_automaton_gives_the_verdicts_of_the_definition(part: int) -> None:
    """For each event of each trace: a move is a violation where the reference tells one."""
    counts = {True: 0, False: 0}
    for number in range(CASES // 20):
        seed = FIRST_SEED * 1_000_003 + part * 10**7 + number
        random = Random(seed)
        invariant = _invariant(random)
        automaton = explicit_automaton(invariant, states_max=10_000)
        assert automaton is not None, format_formula(invariant.formula)
        for _ in range(3):
            trace = _trace(random)
            drawn = _told_by_automaton(automaton, trace)
            meant = _told_by_reference(invariant, trace)
            shown = f"{invariant.form}: {format_formula(invariant.formula)} (seed {seed})"
            assert drawn == meant, shown
            for is_violation in meant:
                counts[is_violation] += 1
    assert min(counts.values()) * 20 > sum(counts.values())


@pytest.mark.parametrize("part", range(4))
def test_no_two_states_say_the_same(part: int) -> None:
    """Any two states differ after some letters (the automaton is minimal)."""
    for number in range(CASES // 80):
        automaton = explicit_automaton(_invariant(Random(part * 10**7 + number)), 10_000)
        assert automaton is not None
        states = range(len(automaton.moves))
        apart = {
            (one, other)
            for one in states
            for other in states
            if any(
                automaton.moves[one][letter].is_violation
                != automaton.moves[other][letter].is_violation
                for letter in automaton.letters
            )
        }
        is_growing = True
        while is_growing:
            more = {
                (one, other)
                for one in states
                for other in states
                if any(
                    (
                        automaton.moves[one][letter].target,
                        automaton.moves[other][letter].target,
                    )
                    in apart
                    for letter in automaton.letters
                )
            } | apart
            is_growing, apart = len(more) > len(apart), more
        assert len(apart) == len(states) * (len(states) - 1)
