"""Walks over the nodes of a formula: what it names, and `not` brought inward."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Final, TypeVar

from ..formula.ast import Atom, Binary, Constant, Exists, Formula, Not, Variable
from ..model.fact import Value

CACHED_MAX: Final = 4096  # Chosen: formulas of one test run; walking a formula is the slow part.

T = TypeVar("T")


def inward(
    formula: Formula,
    is_positive: bool,
    leaf: Callable[[Formula, bool], T],
    both: Callable[[T, T], T],
    either: Callable[[T, T], T],
) -> T:
    """The formula with `not` brought inward, folded: `leaf` gives what stands at its leaves."""

    def fold(part: Formula, sign: bool) -> T:
        return inward(part, sign, leaf, both, either)

    match formula:
        case Not(body):
            return fold(body, not is_positive)
        case Binary("iff", left, right):
            return either(
                both(fold(left, True), fold(right, is_positive)),
                both(fold(left, False), fold(right, not is_positive)),
            )
        case Binary(operator, left, right):
            of_left = fold(left, is_positive != (operator == "implies"))
            join = both if (operator == "and") == is_positive else either
            return join(of_left, fold(right, is_positive))
        case _:
            return leaf(formula, is_positive)


@lru_cache(CACHED_MAX)
def named_in(formula: Formula) -> tuple[frozenset[str], frozenset[Value]]:
    """The predicates and the literals of a formula."""
    parts = [*parts_of(formula)]
    predicates = frozenset(part.predicate for part in parts if isinstance(part, Atom))
    return predicates, frozenset(part.value for part in parts if isinstance(part, Constant))


def parts_of(node: object) -> Iterator[object]:
    """The node and everything that it is made of."""
    yield node
    for part in _children(node):
        yield from parts_of(part)


def _children(node: object) -> Sequence[object]:
    if isinstance(node, tuple):
        return node
    return [getattr(node, f.name) for f in fields(node)] if is_dataclass(node) else []


@lru_cache(CACHED_MAX)
def free_variables(node: object) -> frozenset[str]:
    """Variables that occur outside an `exists` of their own."""
    if isinstance(node, Variable):
        return frozenset({node.name})
    names = frozenset[str]().union(*(free_variables(part) for part in _children(node)))
    return names - {node.variable} if isinstance(node, Exists) else names
