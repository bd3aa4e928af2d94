"""A `Formula` back into text, with no bracket more than the grammar needs.

`parse_formula(format_formula(f)) == f` for every formula that the parser can make, and the same
for `format_lines` (tests/unit/test_formula_format.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, assert_never

from ..model.fact import Value
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
from .durations import format_duration

_PRECEDENCE: Final = {"iff": 1, "implies": 2, "or": 3, "and": 4, "since": 5, "until": 5}
_UNARY: Final = 6


def format_formula(formula: Formula) -> str:
    """The formula as its author could have written it, on one line."""
    return _format(formula, 0)


def format_lines(formula: Formula, width: int) -> list[str]:
    """The formula for a reader, on as many lines as it needs to fit into `width` columns.

    Lines are broken before operators, the loosest first, and nested parts are indented. The first
    line is never indented, so that the lines fit into a YAML block. Brackets that the grammar does
    not need are added if people may misread the formula: around `since` and `until` beside other
    operators, around `not f` as their side, around `and` within `or`.
    """
    return _lines(formula, 0, width)


def format_clearly(formula: Formula) -> str:
    """As `format_lines`, on one line."""
    return _format(formula, 0, is_clear=True)


def format_window(window: Window) -> str:
    """`[5s, 10m]`, `[10m]`, or nothing for the unbounded window."""
    if window == UNBOUNDED:
        return ""
    assert window.high_ns is not None, "the grammar has no window that starts late and never ends"
    high = format_duration(window.high_ns)
    return f"[{format_duration(window.low_ns)}, {high}]" if window.low_ns else f"[{high}]"


def format_literal(value: Value) -> str:
    """A canonical value as a literal of the language."""
    match value:
        case str():
            shown = json.dumps(value, ensure_ascii=False)
            # Files may contain invisible characters only as escapes; they stay escaped.
            return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in shown)
        case tuple():
            return value[1]
        case int():
            return str(value)
        case float():
            # `repr` gives the shortest digits but may use an exponent, which literals have not.
            return format(Decimal(repr(value)), "f")
    assert_never(value)


def _format(formula: Formula, floor: int, *, is_clear: bool = False) -> str:
    """The formula as an operand of something that binds as tightly as `floor`."""
    match formula:
        case Atom() | SessionEnd() | Comparison() | AggregateComparison():
            return _format_leaf(formula)
        case Not(body):
            return f"not {_format(body, _UNARY, is_clear=is_clear)}"
        case Temporal(operator, window, body):
            prefix = f"{operator}{format_window(window)}"
            return f"{prefix} {_format(body, _UNARY, is_clear=is_clear)}"
        case Exists(variable, body):
            return f"exists {variable} ({_format(body, 0, is_clear=is_clear)})"
        case Binary() | Until():
            parts = [
                prefix + _format(operand, inner, is_clear=is_clear)
                if not (is_clear and _is_unclear(operand, formula.operator))
                else f"{prefix}({_format(operand, 0, is_clear=is_clear)})"
                for prefix, operand, inner in _operands(formula)
            ]
            text = " ".join(parts)
            return f"({text})" if _PRECEDENCE[formula.operator] < floor else text
    assert_never(formula)


def _operands(formula: Binary | Until) -> Iterator[tuple[str, Formula, int]]:
    """Each operand of a chain, the operator before it, and how tightly it must bind itself."""
    operator, precedence = formula.operator, _PRECEDENCE[formula.operator]
    window = format_window(formula.window) if isinstance(formula, Until) else ""
    left, right = formula.left, formula.right
    # `and`/`or` lean left, `implies` leans right, the others are never chained.
    if operator in ("and", "or") and isinstance(left, Binary) and left.operator == operator:
        yield from _operands(left)
    else:
        yield "", left, precedence + 1
    if operator == "implies" and isinstance(right, Binary) and right.operator == operator:
        first, *rest = _operands(right)
        yield f"{operator} ", *first[1:]
        yield from rest
    else:
        yield f"{operator}{window} ", right, precedence + 1


def _is_unclear(operand: Formula, operator: str) -> bool:
    """True if a reader may misread a side of `operator` without brackets."""
    match operand:
        case Until():
            return True
        case Not() | Temporal():
            return operator in ("since", "until")
        case Binary("and"):
            return operator == "or"
        case _:
            return False


def _lines(formula: Formula, floor: int, width: int) -> list[str]:
    text = _format(formula, floor, is_clear=True)
    if len(text) <= width:
        return [text]
    match formula:
        case Not(body):
            return _hang("not ", _lines(body, _UNARY, width - 4))
        case Temporal(operator, window, body):
            prefix = f"{operator}{format_window(window)} "
            return _hang(prefix, _lines(body, _UNARY, width - len(prefix)))
        case Exists(variable, body):
            prefix = f"exists {variable} ("
            return _closed(_hang(prefix, _lines(body, 0, width - len(prefix) - 1)))
        case Binary() | Until():
            is_bracketed = _PRECEDENCE[formula.operator] < floor
            lines = _lines_of_chain(formula, width - 2 * is_bracketed)
            return _closed(_hang("(", lines)) if is_bracketed else lines
        case _:
            return [text]


def _lines_of_chain(formula: Binary | Until, width: int) -> list[str]:
    lines: list[str] = []
    for prefix, operand, floor in _operands(formula):
        inner = width - len(prefix)
        if _is_unclear(operand, formula.operator):
            piece = _closed(_hang("(", _lines(operand, 0, inner - 2)))
        else:
            piece = _lines(operand, floor, inner)
        lines += _hang(prefix, piece)
    return lines


def _hang(prefix: str, lines: list[str]) -> list[str]:
    return [prefix + lines[0], *(f"  {line}" for line in lines[1:])]


def _closed(lines: list[str]) -> list[str]:
    return [*lines[:-1], f"{lines[-1]})"]


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
            shown = (
                _format_aggregate(bound) if isinstance(bound, Aggregate) else _format_term(bound)
            )
            return f"{_format_aggregate(aggregate)} {operator} {shown}"
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
