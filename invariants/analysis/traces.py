"""Searches for a short trace on which some invariants are violated and others are not.

Input: invariants, and the events of which their predicates can be true. Output: abstract events,
each with its true facts. Method: the machine is stepped over all traces of one and two such events,
over repetitions, and over traces of three, each followed by the passing of all deadlines, until
`STEPS_MAX` events were processed. A trace that is found is real; finding none proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import Final, NamedTuple

from ..check.normal_form import violating_formula
from ..check.safety import subformulas
from ..compile.automaton import compile_invariant
from ..formula.ast import (
    Aggregate,
    AggregateComparison,
    Atom,
    Comparison,
    Constant,
    Formula,
    Temporal,
    Until,
)
from ..model.event import SECOND_NS
from ..model.fact import NO_FACT, Fact, Truth, Value, show
from ..model.trace_point import TracePoint
from ..model.verdict import Verdict
from ..runtime.machine_state import State
from ..spec.model import InvariantSpec
from .event_domain import ANYTHING, SESSION_END, Asked

STEPS_MAX: Final = 30_000  # Chosen: about a second.
LETTERS_MAX: Final = 40  # Chosen: 64,000 traces of three would be too many; the budget ends first.
VALUES_MAX: Final = 5
LENGTH_MAX: Final = 3
REPEATS_MAX: Final = 2_000  # Chosen: beyond the bounds of most counts.
COUNTING: Final = frozenset({"count", "distinct"})
MILLISECOND_NS: Final = 1_000_000
FAR_NS: Final = 400 * 86_400 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Happening:
    """An abstract event: the predicates that are true of it, with their values."""

    facts: Mapping[str, Fact]
    is_end: bool = False

    def __getitem__(self, predicate: str) -> Fact:
        """The fact of a predicate for it, for the machine."""
        return self.facts.get(predicate, NO_FACT)

    def text(self) -> str:
        """The happening as text."""
        names = [_fact_text(name, fact) for name, fact in self.facts.items()]
        names += ["session_end"] if self.is_end else []
        return " and ".join(names) or "any other event"


class Seen(NamedTuple):
    """A happening, and the time since the previous one."""

    happening: Happening
    gap_ns: int


class _Point(NamedTuple):
    """The end of a trace: each invariant's state, and if it was violated."""

    states: tuple[State, ...]
    are_violated: tuple[bool, ...]
    time_ns: int
    trace: tuple[Seen, ...]


class OutOfStepsError(Exception):
    """The budget is spent."""


def find_trace(
    violated: Sequence[InvariantSpec],
    kept: Sequence[InvariantSpec],
    asked: Mapping[str, Asked],
    values: Mapping[str, Sequence[str]],
) -> tuple[Seen, ...] | None:
    """A trace that violates all of some invariants and none of others after all deadlines.

    `values` are the names under `with` of each predicate.
    """
    search = _Search((*violated, *kept), len(violated), asked, values)
    try:
        return search.run()
    except OutOfStepsError:
        return None


class _Search:
    """One search, with a count of its steps."""

    def __init__(
        self,
        invariants: Sequence[InvariantSpec],
        violated_count: int,
        asked: Mapping[str, Asked],
        values: Mapping[str, Sequence[str]],
    ) -> None:
        formulas = [violating_formula(invariant) for invariant in invariants]
        self.automata = [compile_invariant(invariant) for invariant in invariants]
        predicates = dict.fromkeys(n for a in self.automata for n in a.tables.predicates)
        self.letters = _letters(formulas, tuple(predicates), asked, values)
        self.gaps = _gaps(formulas)
        self.wanted = tuple(n < violated_count for n in range(len(invariants)))
        self.repeats_count = min(max([0, *_counts(formulas)]) + 2, REPEATS_MAX)
        self.steps_count = 0

    def run(self) -> tuple[Seen, ...] | None:
        start = _Point(
            tuple(automaton.initial() for automaton in self.automata),
            (False,) * len(self.automata),
            0,
            (),
        )
        points = [start]
        for length in range(LENGTH_MAX):
            following: list[_Point] = []
            for point, letter in product(points, self.letters):
                for gap_ns in self.gaps if length else self.gaps[:1]:
                    following.append(self.step(point, Seen(letter, gap_ns)))
                    if self.is_found(following[-1]):
                        return following[-1].trace
            points = following
            found = self.repeated(start) if length == 1 else None
            if found is not None:
                return found
        return None

    def repeated(self, start: _Point) -> tuple[Seen, ...] | None:
        """One happening, repeated."""
        for letter, gap_ns in product(self.letters, (SECOND_NS, MILLISECOND_NS)):
            point = start
            for _ in range(self.repeats_count):
                point = self.step(point, Seen(letter, gap_ns))
                if self.is_found(point):
                    return point.trace
        return None

    def is_found(self, point: _Point) -> bool:
        """True if exactly the wanted ones are violated, now or after all deadlines have passed."""
        told = list(point.are_violated)
        for number, automaton in enumerate(self.automata):
            if automaton.tables.future is not None:
                later = automaton.tick(point.states[number], point.time_ns + FAR_NS)[1]
                told[number] = told[number] or _is_violation(later)
        return tuple(told) == self.wanted

    def step(self, point: _Point, seen: Seen) -> _Point:
        if self.steps_count >= STEPS_MAX:
            raise OutOfStepsError
        self.steps_count += len(self.automata)
        position, happening = len(point.trace), seen.happening
        time_ns = point.time_ns + (seen.gap_ns if position else 0)
        now = TracePoint(position, time_ns, f"e{position}", happening, happening.is_end)
        stepped = [a.step(s, now) for a, s in zip(self.automata, point.states, strict=True)]
        told = zip(point.are_violated, stepped, strict=True)
        return _Point(
            tuple(state for state, _ in stepped),
            tuple(before or _is_violation(verdicts) for before, (_, verdicts) in told),
            time_ns,
            (*point.trace, seen),
        )


def _is_violation(verdicts: Sequence[Verdict]) -> bool:
    return any(v.kind == "violated" and not v.is_escalated for v in verdicts)


def _letters(
    formulas: Sequence[Formula],
    predicates: Sequence[str],
    asked: Mapping[str, Asked],
    values: Mapping[str, Sequence[str]],
) -> list[Happening]:
    """Nothing, each fact alone, the end, and pairs of facts that one event can have."""
    domain = _domain(formulas)
    facts = {name: _facts(values.get(name, ()), domain) for name in predicates}
    alone = [Happening({name: fact}) for name in predicates for fact in facts[name]]
    pairs = [
        Happening({one: fact, other: another})
        for one, other in combinations(predicates, 2)
        if asked.get(one, ANYTHING).both(asked.get(other, ANYTHING)).is_possible
        for fact, another in zip(facts[one], facts[other], strict=False)
    ]
    ends = [Happening({}, is_end=True)] + [
        Happening({name: facts[name][0]}, is_end=True)
        for name in predicates
        if asked.get(name, ANYTHING).both(SESSION_END).is_possible
    ]
    possible = [one for one in alone if asked.get(next(iter(one.facts)), ANYTHING).is_possible]
    return [*possible, *pairs, *ends, Happening({})][:LETTERS_MAX]


def _facts(names: Sequence[str], domain: Sequence[Value]) -> list[Fact]:
    if not names:
        return [Fact(Truth.TRUE, {})]
    rows = chain(
        (dict.fromkeys(names, (value,)) for value in domain),
        (dict(zip(names, ((v,) for v in row), strict=True)) for row in _mixed(names, domain)),
    )
    found: list[Fact] = []
    for row in rows:
        fact = Fact(Truth.TRUE, row)
        if fact not in found:
            found.append(fact)
        if len(found) >= VALUES_MAX * len(names):
            break
    return found


def _mixed(names: Sequence[str], domain: Sequence[Value]) -> Iterator[tuple[Value, ...]]:
    return product(domain, repeat=len(names)) if len(names) <= 3 else iter(())


def _domain(formulas: Sequence[Formula]) -> list[Value]:
    """Values to try: those in the formulas, their neighbours, and two others."""
    named: list[Value] = []
    for node in chain.from_iterable(map(subformulas, formulas)):
        match node:
            case Atom(_, arguments):
                terms = [term for _, term in arguments]
            case AggregateComparison(aggregate, _, bound):
                terms = [term for of in node.aggregates for _, term in of.atom.arguments]
                is_value = aggregate.function not in COUNTING and node.bound_term is not None
                terms += [bound] if is_value and not isinstance(bound, Aggregate) else []
            case Comparison(_, left, right):
                terms = [left, right]
            case _:
                continue
        for term in terms:
            if isinstance(term, Constant):
                value = term.value
                near = (value + 1, value - 1) if isinstance(value, int | float) else ()
                named += [value, *near]
    return list(dict.fromkeys([*named, "a", "b", 1]))[: VALUES_MAX + 1]


def _counts(formulas: Sequence[Formula]) -> Iterator[int]:
    """The bounds of all counts."""
    for node in chain.from_iterable(map(subformulas, formulas)):
        match node:
            case AggregateComparison(aggregate, _, Constant(int() as bound)):
                if aggregate.function in COUNTING:
                    yield bound
            case _:
                pass


def _gaps(formulas: Sequence[Formula]) -> list[int]:
    """A second, and times at and just after the ends of each window."""
    found = [SECOND_NS]
    for node in chain.from_iterable(map(subformulas, formulas)):
        match node:
            case Temporal(_, window) | Until(_, window):
                windows = [window]
            case AggregateComparison():
                windows = [aggregate.window for aggregate in node.aggregates]
            case _:
                continue
        for window in windows:
            if window.low_ns:
                found.append(window.low_ns)
            if window.high_ns is not None:
                found += [window.high_ns, window.high_ns + 1]
    return list(dict.fromkeys(found))[:5]


def _fact_text(name: str, fact: Fact) -> str:
    values = [f"{key}={show(held[0])}" for key, held in fact.values.items() if held]
    return f"{name}({', '.join(values)})" if values else name
