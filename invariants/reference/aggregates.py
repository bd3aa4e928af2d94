"""The value of an aggregate over chosen events, and comparisons of all the values it may have.

Source: docs/language.md, Formulas and Three values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from typing import assert_never

from ..formula.ast import Aggregate, Operator
from ..model.fact import Fact, Truth, Value
from .leaves import TRUE, UNKNOWN, compare, compare_numbers, number_of

Outcomes = list[Fraction | float]
"""Values that an aggregate may have; infinite where nothing bounds it."""


def aggregate_of(aggregate: Aggregate, events: list[tuple[Value, ...]]) -> Fraction | None:
    """The aggregate of events of which each has these values; None where there is none."""
    values = [value for event in events for value in event]
    numbers = [number for value in values if (number := number_of(value)) is not None]
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


def outcomes(
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
    is_missing = name in fact.missing or None in map(number_of, everything)
    return () if is_missing else everything


def compare_all(operator: Operator, outcomes: Outcomes | None, limit: Value) -> Truth:
    """The comparison's value if all numbers from the least to the greatest outcome agree on it."""
    if outcomes is None:
        return UNKNOWN
    least, greatest = min(outcomes), max(outcomes)
    bound = number_of(limit)
    if bound is None:
        return compare(operator, 0, limit)
    seen = {compare_numbers(operator, number, bound) for number in (least, greatest)}
    if least <= bound <= greatest and least < greatest and operator in ("==", "!="):
        return UNKNOWN
    return seen.pop() if len(seen) == 1 else UNKNOWN


def compare_each(operator: Operator, left: Outcomes | None, right: Outcomes | None) -> Truth:
    """The comparison's value if it is the same for all numbers that either side may be."""
    if left is None or right is None:
        return UNKNOWN
    seen = {
        compare_numbers(operator, least, limit) for least in _ends(left) for limit in _ends(right)
    }
    meet = min(left) <= max(right) and min(right) <= max(left)
    are_one = len(_ends(left)) == len(_ends(right)) == 1
    if operator in ("==", "!=") and meet and not are_one:
        return UNKNOWN
    return seen.pop() if len(seen) == 1 else UNKNOWN


def _ends(outcomes: Outcomes) -> set[Fraction | float]:
    return {min(outcomes), max(outcomes)}
