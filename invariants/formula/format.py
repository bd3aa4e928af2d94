"""A `Formula` back into text, with no bracket more than the grammar needs.

`parse_formula(format_formula(f)) == f` for every formula that the parser can make; the law is
held by tests/unit/test_formula_format.py.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Final, assert_never

from ..fact import Value
from .ast import (
    UNBOUNDED,
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
    Window,
)
from .leaves import UNITS_NS

_PRECEDENCE: Final = {"iff": 1, "implies": 2, "or": 3, "and": 4, "since": 5, "until": 5}
_UNARY: Final = 6


def format_formula(formula: Formula) -> str:
    """The formula as its author could have written it, on one line."""
    return _format(formula, 0)


def format_window(window: Window) -> str:
    """`[5s, 10m]`, `[10m]`, or nothing for the unbounded window."""
    if window == UNBOUNDED:
        return ""
    assert window.high_ns is not None, "the grammar has no window that starts late and never ends"
    high = format_duration(window.high_ns)
    return f"[{format_duration(window.low_ns)}, {high}]" if window.low_ns else f"[{high}]"


def format_duration(duration_ns: int) -> str:
    """A duration in the largest unit in which it is whole: `90m`, `2h`, `250ms`."""
    for unit in ("d", "h", "m", "s", "ms"):
        if duration_ns % UNITS_NS[unit] == 0 and (duration_ns or unit == "s"):
            return f"{duration_ns // UNITS_NS[unit]}{unit}"
    raise AssertionError(f"{duration_ns} ns cannot be written in milliseconds")


def format_literal(value: Value) -> str:
    """A canonical value as a literal of the language."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case tuple():
            return value[1]
        case int():
            return str(value)
        case float():
            # `repr` gives the shortest digits but may use an exponent, which literals have not.
            return format(Decimal(repr(value)), "f")
    assert_never(value)


def _format(formula: Formula, floor: int) -> str:
    """The formula as an operand of something that binds as tightly as `floor`."""
    match formula:
        case Atom() | SessionEnd() | Comparison() | AggregateComparison():
            return _format_leaf(formula)
        case Not(body):
            return f"not {_format(body, _UNARY)}"
        case Temporal(operator, window, body):
            return f"{operator}{format_window(window)} {_format(body, _UNARY)}"
        case Exists(variable, body):
            return f"exists {variable} ({_format(body, 0)})"
        case Binary(operator, left, right) | Until(operator, _, left, right):
            window_text = format_window(formula.window) if isinstance(formula, Until) else ""
            precedence = _PRECEDENCE[operator]
            # `and`/`or` lean left, `implies` leans right, the others are never chained.
            left_floor = precedence + (operator not in ("and", "or"))
            right_floor = precedence + (operator != "implies")
            left_text = _format(left, left_floor)
            text = f"{left_text} {operator}{window_text} {_format(right, right_floor)}"
            return f"({text})" if precedence < floor else text
    assert_never(formula)


def _format_leaf(formula: Atom | SessionEnd | Comparison | AggregateComparison) -> str:
    match formula:
        case Atom(predicate, arguments):
            inside = ", ".join(f"{name}={_format_term(term)}" for name, term in arguments)
            return f"{predicate}({inside})" if arguments else predicate
        case SessionEnd():
            return "session_end"
        case Comparison(operator, left, right):
            return f"{_format_term(left)} {operator} {_format_term(right)}"
        case AggregateComparison(aggregate, operator, bound):
            return f"{_format_aggregate(aggregate)} {operator} {_format_term(bound)}"
    assert_never(formula)


def _format_term(term: Term) -> str:
    match term:
        case Variable(name):
            return name
        case Constant(value):
            return format_literal(value)
        case Anything():
            return "_"
    assert_never(term)


def _format_aggregate(aggregate: Aggregate) -> str:
    value = f".{aggregate.value}" if aggregate.value is not None else ""
    window = format_window(aggregate.window)
    return f"{aggregate.function}({_format_leaf(aggregate.atom)}{value}){window}"
