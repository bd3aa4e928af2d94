"""Computes the violating formula of an invariant, and the variables that it binds.

The *violating formula* is `f` of `never: f` and `not f` of `always: f`, with limits expanded
(docs/language.md, Trigger) and `not` moved inward until it occurs only before atoms, temporal
operators and `exists`. Binding, guarding and triggers are all defined on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

from ..formula.ast import (
    FUTURE_OPERATORS,
    Aggregate,
    AggregateComparison,
    Atom,
    Binary,
    Comparison,
    Exists,
    Formula,
    Not,
    Operator,
    SessionEnd,
    Temporal,
    Term,
    Until,
    Variable,
)
from ..spec.model import InvariantSpec

_OPPOSITE: Final[dict[Operator, Operator]] = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
}
_LIMITS: Final = {"always": ("<=", "<"), "never": (">", ">=")}


def violating_formula(invariant: InvariantSpec) -> Formula:
    """The formula that is true at an event exactly when the invariant is violated there."""
    formula = invariant.formula
    is_limit = (
        isinstance(formula, AggregateComparison) and formula.operator in _LIMITS[invariant.form]
    )
    violating = normalise(formula, is_negated=invariant.form == "always")
    if is_limit:
        assert isinstance(formula, AggregateComparison)
        return Binary("and", formula.aggregate.atom, violating, formula.place)
    return violating


def normalise(formula: Formula, *, is_negated: bool = False) -> Formula:
    """`formula`, or its negation, with `not` brought inward.

    `historically f` becomes `not once not f`, `always f` becomes `not eventually not f`. Every
    step is valid in three values; no step uses `p or not p`.
    """
    match formula:
        case Atom() | SessionEnd():
            return Not(formula, formula.place) if is_negated else formula
        case Comparison(operator, left, right, place):
            return Comparison(_OPPOSITE[operator], left, right, place) if is_negated else formula
        case AggregateComparison(aggregate, operator, bound, place):
            if not is_negated:
                return formula
            return AggregateComparison(aggregate, _OPPOSITE[operator], bound, place)
        case Not(body):
            return normalise(body, is_negated=not is_negated)
        case Binary():
            return _normalise_binary(formula, is_negated=is_negated)
        case Temporal(operator, window, body, place):
            if operator in ("historically", "always"):
                dual: Formula = Temporal(
                    "once" if operator == "historically" else "eventually",
                    window,
                    normalise(body, is_negated=True),
                    place,
                )
                return dual if is_negated else Not(dual, place)
            plain = Temporal(operator, window, normalise(body), place)
            return Not(plain, place) if is_negated else plain
        case Until(operator, window, left, right, place):
            since = Until(operator, window, normalise(left), normalise(right), place)
            return Not(since, place) if is_negated else since
        case Exists(variable, body, place):
            exists = Exists(variable, normalise(body), place)
            return Not(exists, place) if is_negated else exists
        case _:
            assert_never(formula)


def _normalise_binary(formula: Binary, *, is_negated: bool) -> Formula:
    left, right, place = formula.left, formula.right, formula.place
    match formula.operator:
        case "and" | "or":
            is_and = (formula.operator == "and") != is_negated
            return Binary(
                "and" if is_and else "or",
                normalise(left, is_negated=is_negated),
                normalise(right, is_negated=is_negated),
                place,
            )
        case "implies":
            return Binary(
                "and" if is_negated else "or",
                normalise(left, is_negated=not is_negated),
                normalise(right, is_negated=is_negated),
                place,
            )
        case "iff":
            both = Binary("and", normalise(left), normalise(right, is_negated=is_negated), place)
            neither = Binary(
                "and",
                normalise(left, is_negated=True),
                normalise(right, is_negated=not is_negated),
                place,
            )
            return Binary("or", both, neither, place)
        case _:
            assert_never(formula.operator)


def conjuncts(formula: Formula) -> Iterator[Formula]:
    """The members of one conjunction, whatever its brackets."""
    if isinstance(formula, Binary) and formula.operator == "and":
        yield from conjuncts(formula.left)
        yield from conjuncts(formula.right)
    else:
        yield formula


def term_variables(*terms: Term) -> frozenset[str]:
    """The variables among some terms."""
    return frozenset(term.name for term in terms if isinstance(term, Variable))


def atom_variables(atom: Atom) -> frozenset[str]:
    """The variables that an atom's arguments name."""
    return term_variables(*(term for _, term in atom.arguments))


def free_variables(formula: Formula) -> frozenset[str]:
    """Variables that occur and are not under an `exists` of their own."""
    match formula:
        case Atom():
            return atom_variables(formula)
        case SessionEnd():
            return frozenset()
        case Comparison():
            return term_variables(formula.left, formula.right)
        case AggregateComparison(Aggregate(atom=atom), _, bound):
            if isinstance(bound, Aggregate):
                return atom_variables(atom) | atom_variables(bound.atom)
            return atom_variables(atom) | term_variables(bound)
        case Not(body) | Temporal(body=body):
            return free_variables(body)
        case Binary(_, left, right) | Until(_, _, left, right):
            return free_variables(left) | free_variables(right)
        case Exists(variable, body):
            return free_variables(body) - {variable}
        case _:
            assert_never(formula)


def bound_variables(formula: Formula) -> frozenset[str]:
    """Variables to which the event at hand gives values wherever `formula` is not false.

    `formula` must be normalised. Source: docs/language.md, Variables.
    """
    match formula:
        case Atom():
            return atom_variables(formula)
        case Comparison("==", left, right):
            both = term_variables(left, right)
            return both if len(both) == 1 and left != right else frozenset()
        case Binary("and"):
            return _bound_by_conjunction(tuple(conjuncts(formula)))
        case Binary("or", left, right):
            return bound_variables(left) & bound_variables(right)
        case Exists(variable, body):
            return bound_variables(body) - {variable}
        case _:
            return frozenset()


def _bound_by_conjunction(members: tuple[Formula, ...]) -> frozenset[str]:
    bound = frozenset[str]().union(*(bound_variables(member) for member in members))
    links = [
        term_variables(member.left, member.right)
        for member in members
        if isinstance(member, Comparison) and member.operator == "=="
    ]
    for _ in links:  # Each round carries binding over at least one more link, or none is left.
        for link in links:
            if link & bound:
                bound |= link
    return bound


def guarded_variables(formula: Formula) -> frozenset[str]:
    """Variables for which a normalised formula is false at a value that no event has named.

    An operator of the past is false where its body has never held.
    """
    match formula:
        case Temporal(operator, _, body) if operator not in FUTURE_OPERATORS:
            return free_variables(body)
        case Until("since", _, _, right):
            return free_variables(right)
        case Binary("and", left, right):
            return guarded_variables(left) | guarded_variables(right) | bound_variables(formula)
        case Binary("or", left, right):
            return guarded_variables(left) & guarded_variables(right)
        case Exists(variable, body):
            return guarded_variables(body) - {variable}
        case _:
            return bound_variables(formula)


def trigger(formula: Formula) -> Formula | None:
    """The condition of a normalised violating formula on the event itself; None means true."""
    match formula:
        case Atom() | SessionEnd():
            return formula
        case Binary("and", left, right, place):
            first, second = trigger(left), trigger(right)
            if first is None or second is None:
                return second if first is None else first
            return Binary("and", first, second, place)
        case Binary("or", left, right, place):
            first, second = trigger(left), trigger(right)
            return Binary("or", first, second, place) if first and second else None
        case _:
            return None
