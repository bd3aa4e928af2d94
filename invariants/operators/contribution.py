"""The contribution of one event to an aggregate: its values, as far as they are kept."""

from __future__ import annotations

from ..formula.ast import AggregateFunction
from ..model.fact import Fact, Value


def contribution(fact: Fact, function: AggregateFunction, name: str | None) -> tuple[Value, ...]:
    """Of `distinct` the event's values, of `count` none, else its numbers."""
    if name is None:
        return ()
    if function == "distinct":
        return fact.values.get(name, ())
    told = numbers_told(fact, name)
    return () if function == "first" and len(told) != 1 else told


def is_cut(fact: Fact, function: AggregateFunction, name: str | None) -> bool:
    """True if the event's contribution exceeds the part of a list that is kept."""
    if name is None or function == "first":
        return False  # Of `first` an event with a list names no number.
    if function == "distinct":
        return name in fact.overflowing
    return fact.elements(name) is None


def are_numbers(elements: tuple[Value, ...] | None) -> bool:
    """True if all of an event's values are known, and each is a number."""
    return elements is not None and all(isinstance(value, int | float) for value in elements)


def numbers_told(fact: Fact, name: str) -> tuple[Value, ...]:
    """The contribution of an event to an aggregate of numbers: all elements of a list, with
    repeats.

    Empty if the value is missing, which it is as soon as one element is not a number, or if there
    are more elements than are kept.
    """
    told = fact.elements(name)
    if told is None or name in fact.missing or not are_numbers(told):
        return ()
    return told
