"""Equality, order and membership as closures; common shapes are simplified at load.

A shape is common if one side is a literal or a completely known list: then no container is compared
and no step counted. All others use `values.equal`, which needs a `Frame`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

from .ast import Relation
from .fields import Evaluator
from .unknown_text import UnknownText, exactly
from .values import comparable, contains, equal, sure

_ORDERS: Final[dict[Relation, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def equals_constant(operand: Evaluator, value: Any) -> Evaluator:
    """`operand == literal`; the literal is null, a bool, a number or a string."""
    if value is None or value is True or value is False:
        return lambda source: operand(source) is value
    if type(value) is str:
        return _equals_text(operand, value)

    def equals_number(source: Any) -> bool:
        met = operand(source)
        return (type(met) is int or type(met) is float) and met == value

    return equals_number


def _equals_text(operand: Evaluator, value: str) -> Evaluator:
    pattern = exactly(value)

    def equals_text(source: Any) -> bool:
        met = operand(source)
        if type(met) is UnknownText:
            source.charge(met.steps)
            return sure(met.answer(pattern), met)
        return bool(met == value)

    return equals_text


def equals(left: Evaluator, right: Evaluator) -> Evaluator:
    """`left == right` of any values; reads a Frame."""
    return lambda frame: equal(left(frame), right(frame), frame)


def differs(equality: Evaluator) -> Evaluator:
    return lambda source: not equality(source)


def ordered(relation: Relation, left: Evaluator, right: Evaluator) -> Evaluator:
    compare = _ORDERS[relation]

    def order(source: Any) -> bool:
        first, second = left(source), right(source)
        if type(first) is not int or type(second) is not int:
            comparable(first, second)
        return compare(first, second)

    return order


def member(operand: Evaluator, container: Evaluator) -> Evaluator:
    """`operand in container` of any values; reads a Frame."""
    return lambda frame: contains(operand(frame), container(frame), frame)


def member_of(operand: Evaluator, elements: Sequence[Any]) -> Evaluator | None:
    """`operand in [known elements]` by one look-up; None if an element is a container."""
    if any(type(element) in (list, dict) for element in elements):
        return None
    texts = frozenset(element for element in elements if type(element) is str)
    # Not-a-number equals nothing, and a set would find it by identity.
    numbers = frozenset(
        element for element in elements if type(element) in (int, float) and not math.isnan(element)
    )
    alternatives = "|".join(exactly(one) for one in sorted(texts)) or r"[^\x00-\x{10ffff}]"
    others = [element for element in elements if element is None or type(element) is bool]

    def is_member(source: Any) -> bool:
        value = operand(source)
        kind = type(value)
        if kind is str:
            return value in texts
        if kind is int or kind is float:
            return value in numbers
        if kind is UnknownText:
            source.charge(value.steps)
            return sure(value.answer(alternatives), value)
        return any(value is other for other in others)

    return is_member
