"""CEL's arithmetic: int64 with overflow as an error, IEEE doubles, text, lists, instants.

Division and remainder of ints truncate toward zero (Python's floor). Nothing is converted: an
int with a double is an error, as CEL's specification says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from ..values.value import Duration, Failure, Timestamp, check_string_bytes, in_range, type_name
from . import times
from .ast import Arithmetic


def _mismatch(operator: str, left: Any, right: Any) -> Failure:
    return Failure(f"no `{operator}` between {type_name(left)} and {type_name(right)}")


def add(left: Any, right: Any) -> Any:
    kind = type(left)
    if kind is type(right):
        if kind is int:
            return in_range(left + right)
        if kind is float or kind is list:
            return left + right
        if kind is str:
            return _concatenate(left, right)
        if kind is Duration:
            return times.duration(left.ns + right.ns)
    elif {kind, type(right)} == {Timestamp, Duration}:
        return times.timestamp(left.ns + right.ns)
    raise _mismatch("+", left, right)


def _concatenate(left: str, right: str) -> str:
    joined = left + right
    check_string_bytes(joined)
    return joined


def subtract(left: Any, right: Any) -> Any:
    kind, other = type(left), type(right)
    if kind is int and other is int:
        return in_range(left - right)
    if kind is float and other is float:
        return left - right
    if kind is Timestamp and other is Timestamp:
        return times.duration(left.ns - right.ns)
    if kind is Timestamp and other is Duration:
        return times.timestamp(left.ns - right.ns)
    if kind is Duration and other is Duration:
        return times.duration(left.ns - right.ns)
    raise _mismatch("-", left, right)


def multiply(left: Any, right: Any) -> Any:
    kind = type(left)
    if kind is type(right):
        if kind is int:
            return in_range(left * right)
        if kind is float:
            return left * right
    raise _mismatch("*", left, right)


def divide(left: Any, right: Any) -> Any:
    kind = type(left)
    if kind is type(right):
        if kind is int:
            if right == 0:
                raise Failure("division by zero")
            return in_range(_truncated(left, right))
        if kind is float:
            return left / right if right else _over_zero(left, right)
    raise _mismatch("/", left, right)


def _truncated(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _over_zero(left: float, right: float) -> float:
    """IEEE 754: 0/0 is not a number, all else is infinite with the product of the signs."""
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def remainder(left: Any, right: Any) -> Any:
    if type(left) is not int or type(right) is not int:
        raise _mismatch("%", left, right)
    if right == 0:
        raise Failure("remainder of a division by zero")
    quotient = in_range(_truncated(left, right))
    return left - right * quotient


def negate(value: Any) -> Any:
    if type(value) is int:
        return in_range(-value)
    if type(value) is float:
        return -value
    raise Failure(f"no `-` of {type_name(value)}")


OPERATIONS: Final[dict[Arithmetic, Callable[[Any, Any], Any]]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
}
