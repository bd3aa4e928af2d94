"""The parts of the naive interpreter that look at one event or at plain values: no time.

Matches, comparisons, aggregates over chosen events, and walks over the nodes of a formula.
Source: docs/language.md, Predicates and Formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Final, assert_never

from .fact import Fact, Truth, Value
from .formula.ast import (
    Aggregate,
    Anything,
    Atom,
    Constant,
    Exists,
    Formula,
    Operator,
    Term,
    Variable,
)
from .moment import Moment
from .verdict import Binding

CACHED_MAX: Final = 4096  # Chosen: formulas of one test run; walking a formula is the slow part.
Outcomes = list[Fraction | float]
"""Values that an aggregate may have; infinite where nothing bounds it."""
FALSE, UNKNOWN, TRUE = Truth.FALSE, Truth.UNKNOWN, Truth.TRUE


def aggregate_of(aggregate: Aggregate, events: list[tuple[Value, ...]]) -> Fraction | None:
    """The aggregate of events of which each has these values; None where there is none."""
    values = [value for event in events for value in event]
    numbers = [number for value in values if (number := _number(value)) is not None]
    match aggregate.function:
        case "count":
            return Fraction(len(events))
        case "distinct":
            return Fraction(len(set(values)))
        case "sum":
            return Fraction(sum(numbers))
        case "min":
            return min(numbers, default=None)
        case "max":
            return max(numbers, default=None)
        case "avg":
            return Fraction(sum(numbers)) / len(numbers) if numbers else None
        case "first":
            return numbers[0] if events and len(events[0]) == 1 else None
        case _:
            assert_never(aggregate.function)


def limit_of(aggregate: Aggregate, events: list[tuple[Value, ...]]) -> Fraction | None:
    """The same of a limit: None where no event gives it, or one that does names no number."""
    if not events or (aggregate.function != "first" and () in events):
        return None
    return aggregate_of(aggregate, events)


def at_least(aggregate: Aggregate, events: list[tuple[Value, ...]]) -> Outcomes | None:
    """The known range of an aggregate of these events and of values that were not kept.

    More values only add to a set, and only move an extreme further out.
    """
    known = aggregate_of(aggregate, events)
    if known is None:
        return None
    match aggregate.function:
        case "count" | "distinct" | "max":
            return [known, math.inf]
        case "min":
            return [-math.inf, known]
        case "sum" | "avg" | "first":
            return None
        case _:
            assert_never(aggregate.function)


Reads = Callable[[Aggregate, list[tuple[Value, ...]]], Fraction | None]
"""The value of an aggregate over chosen events, each given by its values; None is unknown."""


def outcomes_of(
    aggregate: Aggregate, met: Sequence[tuple[Truth, Fact]], reads: Reads
) -> Outcomes | None:
    """The value for every choice of the unknown among the events met; None is unknown."""
    found = [(truth, read_by(aggregate, fact)) for truth, fact in met]
    if any(values is None for _, values in found):
        if reads is limit_of:
            return None
        kept = [(t, fact, v) for (t, fact), (_, v) in zip(met, found, strict=True)]
        certain = [
            kept_for(aggregate, fact) if v is None else v for t, fact, v in kept if t == TRUE
        ]
        return at_least(aggregate, certain)
    choices = product(*([True] if truth == TRUE else [True, False] for truth, _ in found))
    results = [
        reads(
            aggregate,
            [v for (_, v), is_in in zip(found, chosen, strict=True) if is_in and v is not None],
        )
        for chosen in choices
    ]
    known: Outcomes = [result for result in results if result is not None]
    return known if len(known) == len(results) else None


def kept_for(aggregate: Aggregate, fact: Fact) -> tuple[Value, ...]:
    """Of an event that has more values than were kept: those that are counted all the same."""
    is_set = aggregate.function == "distinct" and aggregate.value is not None
    return fact.values.get(aggregate.value or "", ()) if is_set else ()


def read_by(aggregate: Aggregate, fact: Fact) -> tuple[Value, ...] | None:
    """The values that an event has for an aggregate; None if it has more than were kept.

    For a list, numbers are read with repeats, and `distinct` reads it as a set. One element that is
    not a number makes the whole value missing: then the aggregate skips the event.
    """
    name = aggregate.value
    if name is None:
        return ()
    if aggregate.function == "distinct":
        return None if name in fact.overflowing else fact.values.get(name, ())
    everything = fact.elements(name)
    if everything is None:
        return () if aggregate.function == "first" else None
    is_missing = name in fact.missing or None in map(_number, everything)
    return () if is_missing else everything


def _number(value: Value) -> Fraction | None:
    return Fraction(value) if isinstance(value, int | float) else None


def compare_all(operator: Operator, outcomes: Outcomes | None, limit: Value) -> Truth:
    """The comparison's value if all numbers from the least to the greatest outcome agree on it."""
    if outcomes is None:
        return UNKNOWN
    least, greatest = min(outcomes), max(outcomes)
    bound = _number(limit)
    if bound is None:
        return compare(operator, 0, limit)
    seen = {_compare_numbers(operator, number, bound) for number in (least, greatest)}
    if least <= bound <= greatest and least < greatest and operator in ("==", "!="):
        return UNKNOWN
    return seen.pop() if len(seen) == 1 else UNKNOWN


def compare_each(operator: Operator, left: Outcomes | None, right: Outcomes | None) -> Truth:
    """The comparison's value if it is the same for all numbers that either side may be."""
    if left is None or right is None:
        return UNKNOWN
    seen = {
        _compare_numbers(operator, least, limit) for least in _ends(left) for limit in _ends(right)
    }
    meet = min(left) <= max(right) and min(right) <= max(left)
    are_one = len(_ends(left)) == len(_ends(right)) == 1
    if operator in ("==", "!=") and meet and not are_one:
        return UNKNOWN
    return seen.pop() if len(seen) == 1 else UNKNOWN


def _ends(outcomes: Outcomes) -> set[Fraction | float]:
    return {min(outcomes), max(outcomes)}


def compare(operator: Operator, left: Value, right: Value) -> Truth:
    """Equality of canonical values; order between two numbers or two texts, else unknown."""
    if operator in ("==", "!="):
        return TRUE if (left == right) == (operator == "==") else FALSE
    first, second = _number(left), _number(right)
    if first is not None and second is not None:
        return _compare_numbers(operator, first, second)
    if isinstance(left, str) and isinstance(right, str):
        order = (left > right) - (left < right)
        return _compare_numbers(operator, Fraction(order), Fraction(0))
    return UNKNOWN


def _compare_numbers(operator: Operator, left: Fraction | float, right: Fraction | float) -> Truth:
    table = {
        "==": left == right, "!=": left != right, "<": left < right,
        "<=": left <= right, ">": left > right, ">=": left >= right,
    }  # fmt: skip
    return TRUE if table[operator] else FALSE


def match_term(fact: Fact, name: str, term: Term, env: Binding) -> Truth:
    if isinstance(term, Anything) or look_up(term, env) in fact.values.get(name, ()):
        return TRUE
    return UNKNOWN if name in fact.overflowing else FALSE


def look_up(term: Variable | Constant, env: Binding) -> Value:
    return term.value if isinstance(term, Constant) else dict(env)[term.name]


def missing_uses(formula: Formula, moment: Moment) -> Iterator[tuple[str, str]]:
    """(predicate, name) of values that the formula uses and the event does not have."""
    for predicate, name, is_number_needed in _uses(formula):
        fact = moment.letter[predicate]
        no_numbers = [v for v in fact.values.get(name, ()) if _number(v) is None]
        is_too_long = is_number_needed and fact.elements(name) is None
        is_missing = name in fact.missing or name in fact.overflowing or is_too_long
        if fact.truth != FALSE and (is_missing or (is_number_needed and no_numbers)):
            yield predicate, name


@lru_cache(CACHED_MAX)
def _uses(formula: Formula) -> tuple[tuple[str, str, bool], ...]:
    """Every value that is matched with a variable or literal, or aggregated; if as a number."""
    uses = []
    for node in parts_of(formula):
        match node:
            case Atom(predicate, arguments):
                named = (name for name, term in arguments if not isinstance(term, Anything))
                uses += [(predicate, name, False) for name in named]
            case Aggregate(function, atom, str(name)):
                uses.append((atom.predicate, name, function != "distinct"))
            case _:
                pass
    return tuple(uses)


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
