"""Conversions to numbers and truth values: `number`, `int`, `double`, `bool`.

Text must be all number: no spaces, no underscores, ASCII digits only, nothing infinite.
"""

from __future__ import annotations

import math
from typing import Any, Final

from ..model.event import SECOND_NS
from ..values.value import INT_MAX, INT_MIN, Failure, Timestamp, in_range, text, type_name

_INT_DIGITS_MAX: Final = 19  # Source: decimal digits of 2^63.
_EXPONENT_DIGITS_MAX: Final = 5  # Chosen: keeps float() on text within a known form.

# Source: CEL's specification, conversion of string to bool.
_TRUE_TEXTS: Final = frozenset({"1", "t", "true", "TRUE", "True"})
_FALSE_TEXTS: Final = frozenset({"0", "f", "false", "FALSE", "False"})


def number(value: Any) -> int | float:
    """A finite number, from an int, a double or text `[+-]?digits[.digits]`.

    Text without a point is an int (within int64), other text the nearest double.
    """
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is float:
        return _finite(value)
    unsigned = _unsigned(text(value, "number"))
    if _is_digits(unsigned):
        return _int_of(value, unsigned)
    whole, _, fraction = unsigned.partition(".")
    if _is_digits(whole) and _is_digits(fraction):
        return _finite(float(value))
    raise Failure("`number` of text that is not a plain number")


def _unsigned(written: str) -> str:
    return written[1:] if written[:1] in ("+", "-") else written


def _is_digits(written: str) -> bool:
    return written.isascii() and written.isdigit()


def _finite(value: float) -> float:
    if math.isfinite(value):
        return value
    raise Failure("a number that is not finite")


def _int_of(written: str, unsigned: str) -> int:
    # Python refuses text of thousands of digits, and takes quadratic time below that.
    digits = unsigned.lstrip("0") or "0"
    if len(digits) > _INT_DIGITS_MAX:
        raise Failure("a whole number beyond int64")
    return in_range(-int(digits) if written[0] == "-" else int(digits))


def to_int(value: Any) -> int:
    """CEL's `int()`: doubles truncate, instants return whole seconds since 1970."""
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is bool:
        return int(value)
    if kind is float:
        return _truncated(value)
    if kind is Timestamp:
        return int(value.ns // SECOND_NS)
    unsigned = _unsigned(text(value, "int"))
    if not _is_digits(unsigned):
        raise Failure("`int` of text that is not a whole number")
    return _int_of(value, unsigned)


def _truncated(value: float) -> int:
    # Source: CEL's specification: the double must lie strictly between the bounds of int64.
    if INT_MIN < value < INT_MAX:
        return int(value)
    raise Failure("`int` of a double beyond int64")


def to_double(value: Any) -> float:
    """CEL's `double()`, of text only in decimal form: NaN, Infinity and hexadecimal fail."""
    kind = type(value)
    if kind is float:
        return float(value)
    if kind is int:
        return float(value)
    unsigned = _unsigned(text(value, "double"))
    mantissa, mark, exponent = unsigned.replace("E", "e", 1).partition("e")
    power = _unsigned(exponent)
    if mark and not (_is_digits(power) and len(power) <= _EXPONENT_DIGITS_MAX):
        raise Failure("`double` of text that is not a decimal number")
    if not _is_digits(mantissa.replace(".", "", 1)):
        raise Failure("`double` of text that is not a decimal number")
    return _finite(float(value))


def to_bool(value: Any) -> bool:
    """CEL's `bool()`: of a truth value, or of a few texts for one."""
    if type(value) is bool:
        return value
    if type(value) is str and value in _TRUE_TEXTS:
        return True
    if type(value) is str and value in _FALSE_TEXTS:
        return False
    raise Failure(f"`bool` of {type_name(value)} that is not a truth value")
