"""`all`, `exists`, `exists_one`, `filter` and `map` over the elements of a list or a map's keys.

`all` and `exists` absorb failures of single elements as `&&` and `||` do; the others fail with the
first. Each element costs as many steps as its body has nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..event import EventView
from .fields import Evaluator
from .logic import no_truth_value
from .values import Failure, Frame, in_range, type_name


def variable(slot: int) -> Evaluator:
    """The current element; a whole number beyond int64 fails here, where it is read."""

    def read(frame: Frame) -> Any:
        value = frame.slots[slot]
        return in_range(value) if type(value) is int else value

    return read


def framed(inner: Evaluator, slots_count: int) -> Evaluator:
    """`inner`, given a fresh Frame for each event."""

    def outermost(view: EventView) -> Any:
        return inner(Frame(view, slots_count))

    return outermost


def _elements(frame: Frame, source: Evaluator, slot: int, cost: int) -> Iterator[Any]:
    """Puts one element after the other into its slot, and yields it."""
    container = source(frame)
    if type(container) is not list and type(container) is not dict:
        raise Failure(f"no elements in {type_name(container)}")
    slots, charge = frame.slots, frame.charge
    for element in container:
        charge(cost)
        slots[slot] = element
        yield element


def quantifier(
    source: Evaluator, body: Evaluator, slot: int, cost: int, *, decisive: bool
) -> Evaluator:
    """`all` (decided by a false one) or `exists` (decided by a true one)."""
    neutral = not decisive

    def quantified(frame: Frame) -> Any:
        failure: Failure | None = None
        for _ in _elements(frame, source, slot, cost):
            try:
                value = body(frame)
            except Failure as met:
                failure = failure or met
                continue
            if value is decisive:
                return decisive
            if value is not neutral:
                failure = failure or no_truth_value(value)
        if failure is not None:
            raise failure
        return neutral

    return quantified


def _is_true(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise no_truth_value(value)


def exists_one(source: Evaluator, body: Evaluator, slot: int, cost: int) -> Evaluator:
    def one(frame: Frame) -> bool:
        found = [_is_true(body(frame)) for _ in _elements(frame, source, slot, cost)]
        return found.count(True) == 1

    return one


def kept(source: Evaluator, body: Evaluator, slot: int, cost: int) -> Evaluator:
    """`filter`."""

    def kept_elements(frame: Frame) -> list[Any]:
        elements = _elements(frame, source, slot, cost)
        return [element for element in elements if _is_true(body(frame))]

    return kept_elements


def mapped(
    source: Evaluator, condition: Evaluator | None, transform: Evaluator, slot: int, cost: int
) -> Evaluator:
    """`map`, with or without a condition."""

    def mapped_elements(frame: Frame) -> list[Any]:
        return [
            transform(frame)
            for _ in _elements(frame, source, slot, cost)
            if condition is None or _is_true(condition(frame))
        ]

    return mapped_elements
