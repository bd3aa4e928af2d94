"""Corrections for values of the wrong type: what converts them, or what was meant instead.

Input: nodes with their types. Output: a correction as text. `check.py` decides what is a fault.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from .ast import Comparison, Constant, ListOf, Logical, Name, Node, Unary
from .functions import FIELD_TYPES, Function, Type

_NUMBERS: Final = frozenset({"int", "double"})
_TIMES: Final = frozenset({"timestamp", "duration"})
_TEXTS: Final = 'a text is tested as in `text.contains("a")` or `tool.startsWith("a")`'
_CALLS: Final = {
    **dict.fromkeys(("host", "domain"), 'write a whole URL, such as `"https://a.example/x"`'),
    **dict.fromkeys(("int", "double", "number"), "write the number without quotes"),
    "bool": "write `true` or `false` without quotes",
    "duration": 'write it as in `duration("1h30m")`',
    "timestamp": 'write it as in `timestamp("2026-01-31T12:00:00Z")`',
}


def mend_of_call(function: str) -> str:
    """For a call of literals that always fails."""
    return _CALLS.get(function, "correct its argument, or pass a field of the event")


def mend_of_count(function: Function, *, is_method: bool) -> str:
    """The form of a function that is called with another number of arguments."""
    letters = [chr(ord("a") + index) for index in range(len(function.takes))]
    if is_method:
        return f"its form is `{letters[0]}.{function.name}({', '.join(letters[1:])})`"
    return f"its form is `{function.name}({', '.join(letters)})`"


def mend_of_need(node: Node, met: Type, allowed: Collection[str]) -> str:
    """For a value of type `met` where one of the types `allowed` is needed."""
    is_literal = isinstance(node, Constant)
    if set(allowed) == {"bool"}:
        name = node.name if isinstance(node, Name) else ""
        is_field = name in FIELD_TYPES and name != "lists"
        present = f", or write `present({name})`" if is_field else ""
        return f'compare it on this side too, as in `tool == "a"`{present}'
    if met == "null":
        return "write a value, and test a missing key with `has(args.x)`"
    if met == "timestamp" and set(allowed) == {"map"}:
        return "its parts are methods, as in `time.getHours()`"
    if met == "string" and set(allowed) <= {"list", "map"}:
        return _TEXTS
    if met == "string" and _TIMES.intersection(allowed) and not _NUMBERS.intersection(allowed):
        return "write `timestamp(...)` around it"
    if met == "string" and _NUMBERS.intersection(allowed):
        return "write it without quotes" if is_literal else "write `number(...)` around it"
    if "string" in allowed and met in ("int", "double", "bool"):
        return "write it in quotes" if is_literal else "write `string(...)` around it"
    if met == "list":
        return "test its elements with `.exists(x, ...)`"
    if met == "map":
        return "name one of its keys, as in `args.x`"
    return f"use a value of type {' or '.join(sorted(allowed))}"


def mend_of_sum(left: Type, operator: str, right: Type) -> str:
    """For operands that cannot be calculated with."""
    types = {left, right}
    if types == _NUMBERS:
        return "convert one of them, as in `double(args.n) + 0.5`"
    if types & _TIMES:
        return 'a span of time is written `duration("10m")`'
    if "string" in types and types & _NUMBERS:
        around = "`string(...)` around the number" if operator == "+" else "the text as a number"
        return f"write {around}"
    return "use two numbers" + (", two texts or two lists" if operator == "+" else "")


def mend_of_comparison(node: Comparison, left: Type, right: Type) -> str:
    """For operands of different types."""
    types = {left, right}
    if isinstance(node.left, Comparison):
        return "join two comparisons with `&&`, as in `1 < args.n && args.n < 3`"
    if isinstance(node.left, Unary) and node.left.operator == "!":
        return f'`!` is read first; write `!(tool {node.operator} "a")`'
    if isinstance(node.right, Logical):
        return 'compare on both sides, or write `in`, as in `tool in ["a", "b"]`'
    if right == "list" and node.operator in ("==", "!="):
        return "write `in`" if node.operator == "==" else 'write `!(tool in ["a", "b"])`'
    if "null" in types:
        return _mend_of_null(node)
    if "duration" in types:
        return 'a span of time is written `duration("10m")`'
    if "timestamp" in types:
        return "write `timestamp(...)` around the other value"
    if "string" in types and types & _NUMBERS:
        return _mend_of_quotes(node)
    return "compare values of one type"


def _mend_of_quotes(node: Comparison) -> str:
    """For a text and a number: the literal of the two is corrected, if there is one."""
    literals = [one.value for one in (node.left, node.right) if isinstance(one, Constant)]
    if not literals:
        return "write `number(...)` around the text"
    return f"write the number {'without' if isinstance(literals[-1], str) else 'in'} quotes"


def _mend_of_null(node: Comparison) -> str:
    field = next((one for one in (node.left, node.right) if isinstance(one, Name)), None)
    if field is None or field.name not in FIELD_TYPES:
        return "compare values of one type"
    negation = "!" if node.operator == "==" else ""
    return f"a field is never null; write `{negation}present({field.name})`"


def mend_of_elements(node: Comparison, left: Type) -> str:
    """For a list with elements of another type than the value on the left."""
    if not isinstance(node.right, ListOf):
        return "compare values of one type"
    if left == "string":
        return "write its elements in quotes"
    return "write its elements without quotes" if left in _NUMBERS else "compare values of one type"
