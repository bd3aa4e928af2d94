"""The leaves of a formula: atoms, comparisons, aggregates, and the windows and terms in them.

The lower half of the parser; the grammar is in the docstring of `parser.py`.
"""

from __future__ import annotations

import json
from typing import Final, cast

from ..model.fact import canonical
from .ast import (
    UNBOUNDED,
    Aggregate,
    AggregateComparison,
    AggregateFunction,
    Anything,
    Atom,
    Comparison,
    Constant,
    Formula,
    Operator,
    Term,
    Variable,
    Window,
)
from .cursor import COMPARISON_SIGNS, Cursor
from .durations import DURATION_MEND, UNITS_NS, format_duration, meant_duration
from .meant import MEANT_JOINS, WINDOW, meant_by_call
from .tokens import AGGREGATE_WORDS, FormulaFault, Token, show_text

# Chosen: a hundred years, so that a time plus a window stays within int64 nanoseconds.
DURATION_DAYS_MAX: Final = 36_500
DURATION_NS_MAX: Final = DURATION_DAYS_MAX * UNITS_NS["d"]

LIMIT_FUNCTIONS: Final = ("first", "min", "max", "sum")
"""The functions allowed on the right of an aggregate. `count` and `distinct` of nothing are a
number, and an average moves with each event: neither is a limit that an event named."""

_MIRRORED: Final[dict[Operator, Operator]] = {
    "==": "==",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}


def parse_leaf(cursor: Cursor) -> Formula:
    """A comparison or an atom; raises `FormulaFault` for anything else."""
    token = cursor.token
    if cursor.is_word(*AGGREGATE_WORDS):
        return _compared_aggregate(cursor)
    if _is_literal(token):
        constant = parse_constant(cursor.take())
        if not cursor.is_sign(*COMPARISON_SIGNS):
            message = f"the literal {show_text(token.text)} alone is not a formula"
            mend = "compare it with a variable, or declare a predicate"
            if token.text in ("true", "false"):
                mend = "remove it, or write the name of a predicate"
            raise FormulaFault(token.offset, "E310", message, mend)
        return _comparison(cursor, constant, token)
    name = cursor.name("a predicate", "write a predicate's name or `(`")
    if cursor.is_sign("="):
        message = "`=` is not an operator of formulas"
        raise FormulaFault(cursor.token.offset, "E302", message, "write `==`")
    if cursor.is_sign(*COMPARISON_SIGNS):
        return _comparison(cursor, _variable(name), name)
    return _atom(cursor, name)


def parse_window(cursor: Cursor) -> Window:
    """`[10m]` or `[5s, 10m]` if there is one here, else the unbounded window."""
    if not cursor.is_sign("["):
        return UNBOUNDED
    opening = cursor.take()
    low, high = 0, parse_duration(cursor)
    if cursor.is_sign(","):
        cursor.take()
        low, high = high, parse_duration(cursor)
    cursor.expect("]", "a window is `[10m]`, or `[5s, 10m]`")
    if low > high:
        message = "this window ends before it begins"
        raise FormulaFault(opening.offset, "E304", message, "write the shorter duration first")
    return Window(low, high)


def parse_constant(token: Token) -> Constant:
    """The literal of a token, in canonical form."""
    if token.sort == "word":
        return Constant(("bool", token.text))
    if token.sort == "number":
        value = canonical(float(token.text) if "." in token.text else int(token.text))
        assert value is not None
        return Constant(value)
    return Constant(_text_of(token))


def _text_of(token: Token) -> str:
    assert token.sort == "string"
    try:
        text = str(json.loads(token.text))
        text.encode()
    except ValueError:  # a wrong escape, or half of a surrogate pair
        message = f"{show_text(token.text)} is not a valid JSON string"
        mend = 'in double quotes write `\\\\` for a backslash and `\\"` for a quote'
        raise FormulaFault(token.offset, "E308", message, mend) from None
    if not text:
        message = 'an empty value counts as missing, so nothing equals `""`'
        mend = 'test for emptiness in the predicate\'s `when`, as in `args.x == ""`'
        raise FormulaFault(token.offset, "E308", message, mend)
    return text


def _is_literal(token: Token) -> bool:
    return token.sort in ("string", "number") or (
        token.sort == "word" and token.text in ("true", "false")
    )


def parse_duration(cursor: Cursor) -> int:
    """The nanoseconds of the duration here; raises FormulaFault."""
    token = cursor.take()
    if token.sort != "duration":
        met = "the end" if token.sort == "end" else show_text(token.text)
        mend = DURATION_MEND
        if token.sort == "number":
            unit = cursor.token.text if cursor.token.sort == "name" else ""
            met = show_text(f"{token.text} {unit}".strip())
            meant = meant_duration(f"{token.text} {unit}")
            bare = token.text.removeprefix("-")
            units = f"write its unit: `{bare}s`, `{bare}m`, `{bare}h` or `{bare}d`"
            mend = f"write `{meant}`" if meant else units
        if token.sort == "sign" and cursor.token.sort == "duration":
            mend = f"a window up to `{cursor.token.text}` is written `[{cursor.token.text}]`"
        if token.text.lower() in ("inf", "infinity", "forever"):
            mend = "remove the window"
        message = f"expected a duration, but found {met}"
        raise FormulaFault(token.offset, "E304", message, mend)
    digits = token.text.rstrip("mshd")
    # The length is tested first: Python refuses to convert thousands of digits.
    is_long = len(digits) > len(str(DURATION_NS_MAX))
    if is_long or int(digits) * UNITS_NS[token.text[len(digits) :]] > DURATION_NS_MAX:
        message = f"the duration {show_text(token.text)} is longer than {DURATION_DAYS_MAX} days"
        raise FormulaFault(token.offset, "E304", message, "omit the window")
    return int(digits) * UNITS_NS[token.text[len(digits) :]]


def _comparison(cursor: Cursor, left: Variable | Constant, start: Token) -> Formula:
    operator = cast(Operator, cursor.take().text)
    place = cursor.place(start)
    if cursor.is_word(*AGGREGATE_WORDS):
        aggregate = _aggregate(cursor)
        _check_bound(left, start)
        return AggregateComparison(aggregate, _MIRRORED[operator], left, place)
    right = _side(cursor)
    if isinstance(left, Constant) and isinstance(right, Constant):
        message = "this comparison of two literals never changes"
        raise FormulaFault(start.offset, "E310", message, "write a variable on one side")
    return Comparison(operator, left, right, place)


def _compared_aggregate(cursor: Cursor) -> Formula:
    start = cursor.token
    aggregate = _aggregate(cursor)
    if not cursor.is_sign(*COMPARISON_SIGNS):
        message = f"`{start.text}(...)` is a number and must be compared"
        if cursor.is_sign("="):
            message = "`=` is not an operator of formulas"
            raise FormulaFault(cursor.token.offset, "E302", message, "write `==`")
        is_word = cursor.token.sort == "name" and cursor.token.text != "in"
        mend = MEANT_JOINS.get(cursor.token.text.lower(), "") if is_word else ""
        if cursor.following.sort == "duration":
            mend = WINDOW
        raise FormulaFault(start.offset, "E307", message, mend or "write `... <= 3` after it")
    operator = cast(Operator, cursor.take().text)
    if cursor.is_word(*AGGREGATE_WORDS):
        return AggregateComparison(aggregate, operator, _limit(cursor), cursor.place(start))
    bound_token = cursor.token
    bound = _side(cursor)
    _check_bound(bound, bound_token)
    return AggregateComparison(aggregate, operator, bound, cursor.place(start))


def _limit(cursor: Cursor) -> Aggregate:
    """An aggregate on the right of another one."""
    start = cursor.token
    if start.text not in LIMIT_FUNCTIONS:
        message = f"`{start.text}` cannot be the limit of another aggregate"
        mend = f"on the right write one of {', '.join(LIMIT_FUNCTIONS)}, a number or a variable"
        raise FormulaFault(start.offset, "E307", message, mend)
    return _aggregate(cursor)


def _check_bound(bound: Variable | Constant, token: Token) -> None:
    if isinstance(bound, Constant) and isinstance(bound.value, str | tuple):
        message = f"an aggregate is a number, and {show_text(token.text)} is not"
        raise FormulaFault(token.offset, "E307", message, "compare it with a number")


def _aggregate(cursor: Cursor) -> Aggregate:
    start = cursor.take()
    function = cast(AggregateFunction, start.text)
    shape = "count(p)" if function == "count" else f"{function}(p.value)"
    mend = f"write `{shape}[10m] <= 3`"
    cursor.expect("(", mend)
    atom = _atom(cursor, cursor.name("a predicate", mend))
    value = None
    if cursor.is_sign("."):
        cursor.take()
        value = cursor.name("a value's name", mend).text
    _check_value(start, atom, value)
    cursor.expect(")", mend)
    window_token = cursor.token
    window = parse_window(cursor)
    if window.low_ns:
        message = "the window of an aggregate starts at 0"
        mend = f"write one duration: `[{format_duration(window.high_ns or 0)}]`"
        raise FormulaFault(window_token.offset, "E304", message, mend)
    return Aggregate(function, atom, value, window, cursor.place(start))


def _check_value(start: Token, atom: Atom, value: str | None) -> None:
    predicate = atom.predicate
    if start.text == "count" and value is not None:
        message = f"`count` counts events, and `.{value}` is a value of them"
        mend = f"write `count({predicate})`, or `distinct({predicate}.{value})`"
        raise FormulaFault(start.offset, "E307", message, mend)
    if start.text != "count" and value is None:
        message = f"`{start.text}` needs a value of `{predicate}`"
        mend = f"write `{start.text}({predicate}.value)`, or `count({predicate})`"
        raise FormulaFault(start.offset, "E307", message, mend)


def _side(cursor: Cursor) -> Variable | Constant:
    """A variable or a literal, on the right of a comparison."""
    token = cursor.token
    if _is_literal(token):
        return parse_constant(cursor.take())
    if token.sort != "name":
        message = f"expected a variable or a literal, but found {cursor.met()}"
        raise FormulaFault(token.offset, "E310", message, "write `x == y` or `x == 3`")
    return _variable(cursor.take())


def _variable(token: Token) -> Variable:
    if token.text == "_":
        message = "`_` means any value and cannot be compared"
        mend = "use a variable instead: `p(name=x)`"
        raise FormulaFault(token.offset, "E310", message, mend)
    return Variable(token.text)


def _atom(cursor: Cursor, name: Token) -> Atom:
    if name.text == "_":
        message = "`_` means a value, and a predicate is expected here"
        raise FormulaFault(name.offset, "E309", message, "write the predicate's name")
    arguments: dict[str, Term] = {}
    if cursor.is_sign("("):
        cursor.take()
        if not cursor.is_sign(")"):
            _argument(cursor, name, arguments)
        while not cursor.is_sign(")"):
            cursor.expect(",", "separate arguments with `,` and close with `)`")
            _argument(cursor, name, arguments)
        cursor.take()
    return Atom(name.text, tuple(arguments.items()), cursor.place(name))


def _argument(cursor: Cursor, predicate: Token, arguments: dict[str, Term]) -> None:
    key = cursor.token
    is_bare = key.sort in ("name", "word") and cursor.following.text in (",", ")")
    if is_bare or _is_literal(key):
        message = f"the argument {show_text(key.text)} of `{predicate.text}` has no name"
        mend = f"write `{predicate.text}(name={key.text})`, with a name from its `with`"
        mend += meant_by_call(predicate.text)
        raise FormulaFault(key.offset, "E303", message, mend)
    mend = f"write `{predicate.text}(name=x)`, with a name from its `with`"
    cursor.name("a value's name", mend)
    if cursor.is_sign(*COMPARISON_SIGNS):
        message = f"`{cursor.token.text}` is not allowed in an argument"
        mend = f"write `{predicate.text}({key.text}=x)`, and compare `x` next to it"
        raise FormulaFault(cursor.token.offset, "E303", message, mend)
    cursor.expect("=", mend)
    if key.text in arguments:
        message = f"`{predicate.text}` has the argument {show_text(key.text)} twice"
        mend = f"join two atoms: `{predicate.text}(...) and {predicate.text}(...)`"
        raise FormulaFault(key.offset, "E311", message, mend)
    arguments[key.text] = _term(cursor, mend)


def _term(cursor: Cursor, mend: str) -> Term:
    if _is_literal(cursor.token):
        return parse_constant(cursor.take())
    name = cursor.name("a variable, a literal or `_`", mend).text
    return Anything() if name == "_" else Variable(name)
