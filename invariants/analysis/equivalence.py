"""Proves that two invariants give the same verdicts, or returns no proof.

Method: both violating formulas are compared in Kleene's three values for all values of their
letters, where atoms, temporal operators and aggregates count as letters. Two of those are one
letter if their operator and window agree and their operands provably have the same meaning. Of two
predicates that require different kinds of events one is false at each event; of two that require
different tools, one is false or neither is true (a call may name no tool). A negative answer does
not disprove equality.

Cost: three to the number of letters, at most `LETTERS_MAX`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from types import MappingProxyType
from typing import Any, Final, TypeVar, assert_never

from ..check.normal_form import free_variables, trigger, violating_formula
from ..check.safety import subformulas
from ..compile.lower import build_tables
from ..formula.ast import (
    Aggregate,
    AggregateComparison,
    Anything,
    Atom,
    Binary,
    Comparison,
    Constant,
    Exists,
    Formula,
    Not,
    SessionEnd,
    Temporal,
    Term,
    Until,
    Variable,
)
from ..model.limits import DEFAULT_LIMITS
from ..spec.model import InvariantSpec
from .event_domain import ANYTHING, SESSION_END, Asked

TermT = TypeVar("TermT", bound=Term)

LETTERS_MAX: Final = 7  # Chosen: 2,187 valuations; formulas of people have fewer letters.
COST_MAX: Final = 200_000  # Chosen: operators evaluated for one comparison, a tenth of a second.


def mean_the_same(
    one: InvariantSpec,
    other: InvariantSpec,
    asked: Mapping[str, Asked] = MappingProxyType({}),
) -> bool:
    """True only if every trace gets the same verdicts from both, whatever variables are called.

    `asked` says of which events the predicates can be true; without it they are free.
    """
    first, second = violating_formula(one), violating_formula(other)
    proof = Proof(asked)
    return _are_same(proof, one, other, first, second) or _are_same(
        proof, one, other, renamed(first), renamed(second)
    )


def _are_same(
    proof: Proof, one: InvariantSpec, other: InvariantSpec, first: Formula, second: Formula
) -> bool:
    if free_variables(first) != free_variables(second) or one.on_unknown != other.on_unknown:
        return False
    tables = build_tables(one, DEFAULT_LIMITS), build_tables(other, DEFAULT_LIMITS)
    if tables[0].missing_uses != tables[1].missing_uses:
        return False
    is_asked = tables[0].missing_uses and one.on_unknown == "violate"
    if is_asked and trigger(first) != trigger(second):
        return False
    return proof.are_equal(first, second)


def renamed(formula: Formula) -> Formula:
    """With free variables called after the order in which they are met; others stay."""
    met = (name for node in subformulas(formula) for name in _named(node))
    free = free_variables(formula)
    names = [name for name in dict.fromkeys(met) if name in free]
    if any(isinstance(node, Exists) and node.variable in free for node in subformulas(formula)):
        return formula  # One name for two variables: renaming would have to tell them apart.
    return _with_names(formula, {name: f" {number}" for number, name in enumerate(names)})


def _named(formula: Formula) -> list[str]:
    match formula:
        case Atom(_, arguments):
            terms: list[Term] = [term for _, term in arguments]
        case AggregateComparison():
            terms = [t for aggregate in formula.aggregates for _, t in aggregate.atom.arguments]
            terms += [] if formula.bound_term is None else [formula.bound_term]
        case Comparison(_, left, right):
            terms = [left, right]
        case _:
            return []
    return [term.name for term in terms if isinstance(term, Variable)]


def _with_names(formula: Formula, names: Mapping[str, str]) -> Formula:
    def atom_of(atom: Atom) -> Atom:
        return replace(atom, arguments=tuple((n, term_of(term)) for n, term in atom.arguments))

    def term_of(term: TermT) -> TermT | Variable:
        if isinstance(term, Variable) and term.name in names:
            return Variable(names[term.name])
        return term

    match formula:
        case Atom():
            return atom_of(formula)
        case Comparison(_, left, right):
            return replace(formula, left=term_of(left), right=term_of(right))
        case AggregateComparison(aggregate, _, bound):
            named = replace(aggregate, atom=atom_of(aggregate.atom))
            if isinstance(bound, Aggregate):
                limit = replace(bound, atom=atom_of(bound.atom))
                return replace(formula, aggregate=named, bound=limit)
            return replace(formula, aggregate=named, bound=term_of(bound))
        case SessionEnd():
            return formula
        case Not(body) | Temporal(_, _, body) | Exists(_, body):
            return replace(formula, body=_with_names(body, names))
        case Binary() | Until():
            one, other = _with_names(formula.left, names), _with_names(formula.right, names)
            return replace(formula, left=one, right=other)
    assert_never(formula)


Skeleton = int | tuple[Any, ...]
"""A letter's number, or an operator with its operands."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Comparing formulas, with what is known of their predicates."""

    asked: Mapping[str, Asked]
    known: dict[tuple[int, int], tuple[bool, Formula, Formula]] = field(default_factory=dict)
    """Each pair is compared once, or the depth of a formula would stand in an exponent. The
    formulas are kept beside, since an id is used again when its owner is gone.
    """

    def are_equal(self, first: Formula, second: Formula) -> bool:
        key = id(first), id(second)
        if key not in self.known:
            is_equal = first == second or self.agree(first, second)
            self.known[key] = is_equal, first, second
        return self.known[key][0]

    def agree(self, first: Formula, second: Formula) -> bool:
        letters: list[Formula] = []
        self.gather(first, letters)
        self.gather(second, letters)
        if len(letters) > LETTERS_MAX:
            return False
        one, other = self.skeleton(first, letters), self.skeleton(second, letters)
        if (size_of(one) + size_of(other)) * 3 ** len(letters) > COST_MAX:
            return False
        is_possible = self.possible(letters)
        return all(
            value_of(one, valuation) == value_of(other, valuation)
            for valuation in product((0, 1, 2), repeat=len(letters))
            if is_possible(valuation)
        )

    def possible(self, letters: list[Formula]) -> Callable[[tuple[int, ...]], bool]:
        """True if some event can give the letters these values, as far as their events determine.

        Where kinds differ one of two is false. Where only tools differ, both are unknown at a call
        that names no tool.
        """
        events = [self.event_of(letter) for letter in letters]
        apart = [
            (i, j, not Asked(one.kinds).both(Asked(other.kinds)).is_possible)
            for i, one in enumerate(events)
            for j, other in enumerate(events[:i])
            if not one.both(other).is_possible
        ]

        def is_possible(valuation: tuple[int, ...]) -> bool:
            return not any(
                valuation[i] and valuation[j] and (is_by_kind or 2 in (valuation[i], valuation[j]))
                for i, j, is_by_kind in apart
            )

        return is_possible

    def event_of(self, letter: Formula) -> Asked:
        match letter:
            case Atom(predicate):
                return self.asked.get(predicate, ANYTHING)
            case SessionEnd():
                return SESSION_END
            case _:
                return ANYTHING

    def gather(self, formula: Formula, letters: list[Formula]) -> None:
        match formula:
            case Not(body):
                self.gather(body, letters)
            case Binary(_, left, right):
                self.gather(left, letters)
                self.gather(right, letters)
            case _:
                if self.index(formula, letters) is None:
                    letters.append(formula)

    def index(self, formula: Formula, letters: list[Formula]) -> int | None:
        found = (i for i, letter in enumerate(letters) if self.is_letter(letter, formula))
        return next(found, None)

    def is_letter(self, one: Formula, other: Formula) -> bool:
        match one, other:
            case Temporal(), Temporal():
                is_alike = (one.operator, one.window) == (other.operator, other.window)
                return is_alike and self.are_equal(one.body, other.body)
            case Until(), Until():
                return (
                    (one.operator, one.window) == (other.operator, other.window)
                    and self.are_equal(one.left, other.left)
                    and self.are_equal(one.right, other.right)
                )
            case Exists(), Exists():
                return one.variable == other.variable and self.are_equal(one.body, other.body)
            case Atom(), Atom():
                return asked_of(one) == asked_of(other)
            case AggregateComparison(), AggregateComparison():
                return _whole(one) == _whole(other)
            case _:
                return one == other

    def skeleton(self, formula: Formula, letters: list[Formula]) -> Skeleton:
        match formula:
            case Not(body):
                return "not", self.skeleton(body, letters)
            case Binary(operator, left, right):
                assert operator in ("and", "or"), "violating formulas have no other"
                return operator, self.skeleton(left, letters), self.skeleton(right, letters)
        index = self.index(formula, letters)
        assert index is not None, "every letter was gathered"
        return index


def asked_of(atom: Atom) -> tuple[str, frozenset[object]]:
    kept = frozenset(pair for pair in atom.arguments if not isinstance(pair[1], Anything))
    return atom.predicate, kept


def _whole(formula: AggregateComparison) -> AggregateComparison:
    """Of whole numbers `<` and `>` are `<=` and `>=` with the next bound."""
    bound, operator = formula.bound, formula.operator
    is_whole = formula.aggregate.function in ("count", "distinct")
    if not (is_whole and isinstance(bound, Constant) and isinstance(bound.value, int)):
        return formula
    if operator == "<":
        return AggregateComparison(formula.aggregate, "<=", Constant(bound.value - 1))
    if operator == ">":
        return AggregateComparison(formula.aggregate, ">=", Constant(bound.value + 1))
    return formula


def size_of(skeleton: Skeleton) -> int:
    if isinstance(skeleton, int):
        return 1
    return 1 + sum(map(size_of, skeleton[1:]))


def value_of(skeleton: Skeleton, valuation: tuple[int, ...]) -> int:
    if isinstance(skeleton, int):
        return valuation[skeleton]
    operator, first, *rest = skeleton
    value = value_of(first, valuation)
    if operator == "not":
        return 2 - value
    other = value_of(rest[0], valuation)
    return min(value, other) if operator == "and" else max(value, other)
