"""Mistakes in well-formed invariants: they are never violated, or always; they contradict or
contain each other.

Input: checked files. Output: an answer for each invariant, and for each pair with a relation. Every
answer except `undecided` is proven: by entailment (`entailment.py`), by a trace on which the
machine reports a violation (`traces.py`), or by all states of the explicit automaton.

    never        no trace violates it
    always       no event satisfies it
    violable     a trace violates it; `trace` is one
    undecided    neither a proof nor a trace was found

    same         at every event with every binding both are violated, or none
    contained    a violation of `one` always violates `other`; `trace` violates only `other`
    contradict   at each event to which `one` applies, one of the two is violated

All refer to certain violations. Each predicate is treated as independently true or false, except
for consequences of the kinds and tools that it requires.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

from ..check.checked import CheckedSpec
from ..check.normal_form import free_variables, trigger, violating_formula
from ..check.safety import atoms_of
from ..formula.ast import Binary, Formula
from ..spec.model import InvariantSpec
from .entailment import Entailment
from .equivalence import renamed
from .explicit_automaton import explicit_automaton
from .names import Named, named
from .traces import Seen, find_trace

STATES_MAX: Final = 2_048  # Chosen: more than the automata of people have.

Kind = Literal["never", "always", "violable", "undecided"]
Relation = Literal["same", "contained", "contradict"]


@dataclass(frozen=True, slots=True)
class Alone:
    """The result for one invariant."""

    spec: CheckedSpec
    invariant: InvariantSpec
    kind: Kind
    trace: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True)
class Together:
    """The result for a pair."""

    one: Alone
    other: Alone
    relation: Relation
    trace: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True)
class Analysis:
    """The results for invariants and pairs."""

    alone: tuple[Alone, ...]
    together: tuple[Together, ...]


def analyse(specs: Sequence[CheckedSpec]) -> Analysis:
    """Analyse every invariant, and every pair of one scope with a common predicate.

    Invariants of different scopes have different traces, so they are not compared. The files must
    have no errors.
    """
    given = named(specs)
    entailment = Entailment(given.asked)
    alone = [_alone(spec, invariant, given, entailment) for spec, invariant in given.invariants]
    pairs = [
        found
        for one, other in combinations([a for a in alone if a.kind not in ("never", "always")], 2)
        if one.invariant.per == other.invariant.per
        and _predicates(one.invariant) & _predicates(other.invariant)
        for found in _together(one, other, given, entailment)
    ]
    return Analysis(tuple(alone), tuple(pairs))


def _alone(
    spec: CheckedSpec, invariant: InvariantSpec, given: Named, entailment: Entailment
) -> Alone:
    violating = violating_formula(invariant)
    if entailment.is_never(violating, violating, lambda value, _: value == 2):
        return Alone(spec, invariant, "never")
    is_closed = not free_variables(violating)
    if is_closed and entailment.is_never(violating, violating, lambda value, _: value == 0):
        return Alone(spec, invariant, "always")
    trace = find_trace([invariant], [], given.asked, given.values)
    if trace is not None:
        return Alone(spec, invariant, "violable", trace)
    automaton = explicit_automaton(invariant, STATES_MAX, given.asked)
    if automaton is None:
        return Alone(spec, invariant, "undecided")
    moves = (move for by_letter in automaton.moves for move in by_letter.values())
    is_violable = any(move.is_violation for move in moves)
    return Alone(spec, invariant, "violable" if is_violable else "never")


def _together(one: Alone, other: Alone, given: Named, entailment: Entailment) -> Iterator[Together]:
    for first, second in _formulas(one.invariant, other.invariant):
        is_below = _is_below(first, second, entailment)
        is_above = _is_below(second, first, entailment)
        if is_below and is_above:
            yield Together(one, other, "same")
            return
        if is_below or is_above:
            inner, outer = (one, other) if is_below else (other, one)
            trace = find_trace([outer.invariant], [inner.invariant], given.asked, given.values)
            yield Together(inner, outer, "contained", trace or ())
            return
        if _contradict(first, second, entailment):
            yield Together(one, other, "contradict")
            return
        if _contradict(second, first, entailment):
            yield Together(other, one, "contradict")
            return


def _formulas(one: InvariantSpec, other: InvariantSpec) -> Iterator[tuple[Formula, Formula]]:
    """Both violating formulas, with their variables as written, and in order of occurrence."""
    first, second = violating_formula(one), violating_formula(other)
    yield first, second
    if free_variables(first) or free_variables(second):
        yield renamed(first), renamed(second)


def _is_below(first: Formula, second: Formula, entailment: Entailment) -> bool:
    is_bound = free_variables(second) <= free_variables(first)
    return is_bound and entailment.entails(first, second)


def _contradict(first: Formula, second: Formula, entailment: Entailment) -> bool:
    """True if the condition of the first on an event implies that one of the two is violated."""
    asked = trigger(first)
    if asked is None or not free_variables(first) | free_variables(second) <= free_variables(asked):
        return False
    if entailment.is_never(asked, asked, lambda value, _: value == 2):
        return False

    def is_violated(violating: Formula) -> bool:
        return entailment.is_never(asked, violating, lambda value, other: value == 2 and not other)

    is_one_enough = is_violated(first) or is_violated(second)
    return not is_one_enough and is_violated(Binary("or", first, second))


def _predicates(invariant: InvariantSpec) -> frozenset[str]:
    return frozenset(atom.predicate for atom in atoms_of(invariant.formula))
