"""Static checks of an expression: names, functions, types that cannot match.

Types are inferred only where they are certain; `any` never makes a fault. All faults of an
expression are found at once. The codes:

    E101 syntax                          E107 too long, or nested too deep
    E102 unknown name                    E108 unknown list, or a list element that is not plain
    E103 unknown function, wrong form    E109 a constant call that always fails
    E104 types that cannot match         E150 (warning) `double(...)`: write number(...)
    E105 a pattern that is not a literal, E151 (warning) arithmetic on fields of events
         or that RE2 refuses             E110 unknown source, or not a literal
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, assert_never

import re2

from ..model.errors import Fault, Place
from ..values.value import Failure, type_name, utf8
from . import globs, names
from .ast import (
    Calculation,
    Call,
    Comparison,
    Comprehension,
    Conditional,
    Constant,
    Has,
    Index,
    ListOf,
    Logical,
    MapOf,
    Name,
    Node,
    Select,
    Unary,
    free_names,
)
from .data_functions import FUNCTIONS_ASKING, NO_SOURCES, SourcePlaces, source_name
from .functions import FIELD_TYPES, FUNCTIONS, Function, Type
from .known_lists import constant_list, list_name
from .type_mends import (
    mend_of_call,
    mend_of_comparison,
    mend_of_count,
    mend_of_elements,
    mend_of_need,
    mend_of_sum,
)
from .unknown_names import (
    mend_of_function,
    mend_of_key,
    mend_of_list,
    mend_of_name,
    mend_of_source,
)

_NUMBERS: Final = frozenset({"int", "double"})
_ORDERED: Final = _NUMBERS | {"bool", "string", "timestamp", "duration"}
_SUMS: Final[dict[tuple[str, str, str], Type]] = {
    ("string", "+", "string"): "string",
    ("list", "+", "list"): "list",
    ("timestamp", "+", "duration"): "timestamp",
    ("duration", "+", "timestamp"): "timestamp",
    ("duration", "+", "duration"): "duration",
    ("timestamp", "-", "timestamp"): "duration",
    ("timestamp", "-", "duration"): "timestamp",
    ("duration", "-", "duration"): "duration",
    ("int", "%", "int"): "int",
    **{("int", operator, "int"): "int" for operator in "+-*/"},
    **{("double", operator, "double"): "double" for operator in "+-*/"},
}


def check(
    node: Node, *, file: str, lists: Mapping[str, Any], sources: SourcePlaces = NO_SOURCES
) -> tuple[Type, list[Fault]]:
    """The type of `node` as far as it is certain, and its faults and warnings."""
    checker = _Checker(file, lists, sources)
    return checker.type_of(node, frozenset()), checker.faults


class _Checker:
    """Collects the faults of one expression while types flow up from its leaves."""

    def __init__(self, file: str, lists: Mapping[str, Any], sources: SourcePlaces) -> None:
        self._file, self._lists, self._sources = file, lists, sources
        self.faults: list[Fault] = []

    def _fault(self, place: Place, code: str, message: str, mend: str = "") -> None:
        self.faults.append(Fault(self._file, place, code, message, mend))

    def _warn(self, place: Place, code: str, message: str, mend: str) -> None:
        self.faults.append(Fault(self._file, place, code, message, mend, "warning"))

    def _need(self, node: Node, met: Type, allowed: Iterable[str], what: str) -> None:
        if met != "any" and met not in allowed:
            wanted = " or ".join(sorted(allowed))
            is_part = what == "the right side of `in`" and met == "string"
            mend = 'to test for a part of a text, write `text.contains("a")`' if is_part else ""
            is_negated = what == "the operand of `!`"
            mend = "write `!(...)` around a comparison" if is_negated else mend
            mend = mend or mend_of_need(node, met, tuple(allowed))
            self._fault(node.place, "E104", f"{what} is {met} where {wanted} is needed", mend)

    def type_of(self, node: Node, bound: frozenset[str]) -> Type:
        match node:
            case Constant():
                return type_name(node.value)  # type: ignore[return-value]
            case Name():
                return self._name(node, bound)
            case Select() | Has():
                return self._select(node, bound)
            case Index():
                return self._index(node, bound)
            case Call():
                return self._call(node, bound)
            case Unary():
                return self._unary(node, bound)
            case Calculation():
                return self._calculation(node, bound)
            case Comparison():
                return self._comparison(node, bound)
            case Logical():
                for operand in node.operands:
                    met = self.type_of(operand, bound)
                    self._need(operand, met, ("bool",), f"an operand of `{node.operator}`")
                return "bool"
            case Conditional():
                return self._conditional(node, bound)
            case ListOf():
                for element in node.elements:
                    self.type_of(element, bound)
                return "list"
            case MapOf():
                for key, value in node.entries:
                    self._need(key, self.type_of(key, bound), ("string",), "the key of a map")
                    self.type_of(value, bound)
                return "map"
            case Comprehension():
                return self._comprehension(node, bound)
            case _:
                assert_never(node)

    def _name(self, node: Name, bound: frozenset[str]) -> Type:
        if node.name in bound:
            return "any"
        if node.name not in FIELD_TYPES:
            self._fault(
                node.place,
                "E102",
                f"unknown name `{node.name}`",
                mend_of_name(node.name, self._lists),
            )
        return FIELD_TYPES.get(node.name, "any")

    def _select(self, node: Select | Has, bound: frozenset[str]) -> Type:
        met = self.type_of(node.operand, bound)
        if met == "string" and isinstance(node, Select) and isinstance(node.operand, Name):
            mend = mend_of_key(node.operand.name, node.key)
            message = f"the value before `.{node.key}` is string where map is needed"
            self._fault(node.operand.place, "E104", message, mend)
        else:
            self._need(node, met, ("map",), f"the value before `.{node.key}`")
        result: Type = "bool" if isinstance(node, Has) else "any"
        if isinstance(node, Select) and list_name(node) is not None:
            return self._known_list(node.key, node.operand.place)
        return result

    def _known_list(self, name: str, place: Place) -> Type:
        if name not in self._lists:
            mend = mend_of_list(name, self._lists)
            self._fault(place, "E108", f"unknown list `lists.{name}`", mend)
        return "list"

    def _index(self, node: Index, bound: frozenset[str]) -> Type:
        met, key = self.type_of(node.operand, bound), self.type_of(node.key, bound)
        self._need(node, met, ("map", "list"), "the value before `[`")
        if met == "map":
            self._need(node.key, key, ("string",), "the key of a map")
        if met == "list":
            self._need(node.key, key, _NUMBERS, "the position in a list")
        name = list_name(node)
        return "any" if name is None else self._known_list(name, node.operand.place)

    def _unary(self, node: Unary, bound: frozenset[str]) -> Type:
        met = self.type_of(node.operand, bound)
        if node.operator == "!":
            self._need(node.operand, met, ("bool",), "the operand of `!`")
            return "bool"
        self._need(node.operand, met, _NUMBERS, "the operand of `-`")
        self._warn_arithmetic(node, "-", (node.operand,), (met,))
        return met

    def _calculation(self, node: Calculation, bound: frozenset[str]) -> Type:
        left, right = self.type_of(node.left, bound), self.type_of(node.right, bound)
        results: set[Type] = {
            result
            for (first, operator, second), result in _SUMS.items()
            if operator == node.operator and left in (first, "any") and right in (second, "any")
        }
        if not results:
            mend = mend_of_sum(left, node.operator, right)
            message = f"no `{node.operator}` between {left} and {right}"
            self._fault(node.place, "E104", message, mend)
        pair = (node.left, node.right)
        self._warn_arithmetic(node, node.operator, pair, (left, right))
        return results.pop() if len(results) == 1 else "any"

    def _warn_arithmetic(
        self, node: Node, operator: str, operands: tuple[Node, ...], types: tuple[Type, ...]
    ) -> None:
        """Numbers of events may be int or double as their sender likes, and may overflow."""
        if any(met not in ("any", "int", "double") for met in types):
            return
        if any(_is_number_of_event(operand) for operand in operands):
            self._warn(
                node.place,
                "E151",
                f"`{operator}` on fields of events: int with double and overflow are unknown",
                "compare number(...) with a constant, or use sum(...) in a formula",
            )

    def _comparison(self, node: Comparison, bound: frozenset[str]) -> Type:
        left, right = self.type_of(node.left, bound), self.type_of(node.right, bound)
        if node.operator == "in":
            self._need(node.right, right, ("list", "map"), "the right side of `in`")
            self._check_elements(node, left)
            return "bool"
        is_mixed = left != right and not {left, right} <= _NUMBERS and "any" not in (left, right)
        if node.operator in ("==", "!="):
            if is_mixed:
                outcome = "false" if node.operator == "==" else "true"
                message = f"`{node.operator}` between {left} and {right} is always {outcome}"
                mend = mend_of_comparison(node, left, right)
                self._fault(node.place, "E104", message, mend)
            return "bool"
        for operand, met in ((node.left, left), (node.right, right)):
            self._need(operand, met, _ORDERED, f"an operand of `{node.operator}`")
        if is_mixed and {left, right} <= _ORDERED:
            message = f"no `{node.operator}` between {left} and {right}"
            mend = mend_of_comparison(node, left, right)
            self._fault(node.place, "E104", message, mend)
        return "bool"

    def _check_elements(self, node: Comparison, left: Type) -> None:
        elements = constant_list(node.right, self._lists)
        if not elements or left == "any":
            return
        alike = _NUMBERS if left in _NUMBERS else {left}
        strangers = [element for element in elements if type_name(element) not in alike]
        is_literal = isinstance(node.right, ListOf)
        if strangers and (is_literal or len(strangers) == len(elements)):
            message = f"{left} is never equal to {type_name(strangers[0])} in this list"
            self._fault(node.right.place, "E104", message, mend_of_elements(node, left))

    def _conditional(self, node: Conditional, bound: frozenset[str]) -> Type:
        condition = self.type_of(node.condition, bound)
        self._need(node.condition, condition, ("bool",), "the condition before `?`")
        chosen, otherwise = self.type_of(node.chosen, bound), self.type_of(node.otherwise, bound)
        return chosen if chosen == otherwise else "any"

    def _comprehension(self, node: Comprehension, bound: frozenset[str]) -> Type:
        met = self.type_of(node.source, bound)
        self._need(node.source, met, ("list", "map"), f"the value before `.{node.macro}`")
        if node.variable in FIELD_TYPES:
            message = f"the variable `{node.variable}` would shadow the event's own"
            self._fault(node.place, "E102", message, "choose another name")
        inner = bound | {node.variable}
        body = self.type_of(node.body, inner)
        if node.macro != "map" or node.transform is not None:
            self._need(node.body, body, ("bool",), f"the condition of `{node.macro}`")
        if node.transform is not None:
            self.type_of(node.transform, inner)
        return "list" if node.macro in ("filter", "map") else "bool"

    def _call(self, node: Call, bound: frozenset[str]) -> Type:
        met = [self.type_of(argument, bound) for argument in node.arguments]
        function = FUNCTIONS.get(node.function)
        if function is None:
            self._unknown_function(node)
            return "any"
        if not self._has_form(node, function):
            return function.gives
        for argument, kind, allowed in zip(node.arguments, met, function.takes, strict=True):
            self._need(argument, kind, allowed, f"an argument of `{node.function}`")
        if node.function == "double":
            mend = "write number(...), which takes both and refuses NaN"
            self._warn(node.place, "E150", "`double` makes NaN and rounding possible", mend)
        self._check_patterns(node, bound)
        return function.gives

    def _unknown_function(self, node: Call) -> None:
        mend = mend_of_function(node.function, is_method=node.is_method)
        self._fault(node.place, "E103", f"unknown function `{node.function}`", mend)

    def _has_form(self, node: Call, function: Function) -> bool:
        if function.style not in ("both", "method" if node.is_method else "function"):
            message = f"`{function.name}` is a {function.style}"
            mend = mend_of_count(function, is_method=function.style == "method")
            self._fault(node.place, "E103", message, mend)
            return False
        if len(node.arguments) != len(function.takes):
            wanted = len(function.takes) - node.is_method
            given = len(node.arguments) - node.is_method
            counted = f"{wanted} argument{'' if wanted == 1 else 's'}"
            message = f"`{function.name}` takes {counted}, and {given} "
            message += "is given" if given == 1 else "are given"
            mend = mend_of_count(function, is_method=node.is_method)
            self._fault(node.place, "E103", message, mend)
            return False
        return True

    def _check_patterns(self, node: Call, bound: frozenset[str]) -> None:
        """A value that is known at load must be usable at load."""
        if node.function == "matches":
            self._check_expression(node.arguments[1])
        elif node.function in ("glob", "glob_any", "named_any"):
            self._check_globs(node)
        elif node.function in FUNCTIONS_ASKING:
            self._check_source(node)
        elif node.function == "present":
            self._check_field(node.arguments[0], bound)
        elif node.function != "digest":
            self._check_constant(node)

    def _check_field(self, field: Node, bound: frozenset[str]) -> None:
        if not isinstance(field, Name) or field.name in bound or field.name == "lists":
            message = "`present` takes a field of the event, not any value"
            self._fault(field.place, "E103", message, "write present(agent), or has(args.x)")

    def _check_source(self, node: Call) -> None:
        name, place = source_name(node), node.arguments[-1].place
        if name is None:
            message = f"the source that `{node.function}` uses is not a literal"
            self._fault(place, "E110", message, 'write its name as text, such as "user_said"')
        elif name not in self._sources:
            mend = mend_of_source(name, self._sources)
            self._fault(place, "E110", f"unknown source `{name}`", mend)

    def _check_expression(self, pattern: Node) -> None:
        if not (isinstance(pattern, Constant) and isinstance(pattern.value, str)):
            message = "the pattern of `matches` is not a literal"
            self._fault(pattern.place, "E105", message, 'write it as text, such as r"[.]env$"')
            return
        try:
            re2.compile(utf8(pattern.value), globs.options())
        except re2.error as error:
            reason = error.args[0] if error.args else "refused"
            shown = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
            message = f"RE2 refuses this pattern: {shown}"
            self._fault(pattern.place, "E105", message, "see RE2's syntax page")

    def _check_globs(self, node: Call) -> None:
        first = node.arguments[0]
        patterns: list[Any] | None = [first.value] if isinstance(first, Constant) else None
        if node.function != "glob":
            patterns = constant_list(first, self._lists)
        if patterns is None:
            return
        if not all(isinstance(pattern, str) for pattern in patterns):
            message = f"`{node.function}` needs patterns that are all strings"
            self._fault(first.place, "E104", message, "write each pattern in quotes")
            return
        prepare = names.named_matcher if node.function == "named_any" else globs.any_matcher
        try:
            prepare(patterns)
        except Failure as failure:
            message = f"`{node.function}` cannot use these patterns: {failure.reason}"
            self._fault(first.place, "E105", message, "write `*` for any text")
        except re2.error:
            self._fault(first.place, "E105", "RE2 refuses this pattern", "shorten it")

    def _check_constant(self, node: Call) -> None:
        values = [part.value for part in node.arguments if isinstance(part, Constant)]
        if len(values) < len(node.arguments):
            return
        try:
            FUNCTIONS[node.function].apply(*values)
        except Failure as failure:
            message = f"this call always fails: {failure.reason}"
            self._fault(node.place, "E109", message, mend_of_call(node.function))


def _is_number_of_event(node: Node) -> bool:
    """True if a number that the sender chose flows into `node`; sizes and dates count."""
    if isinstance(node, Call) and node.function not in ("number", "dyn"):
        return node.function in ("int", "double") and any(free_names(node))
    if isinstance(node, Has | Comparison | Logical):
        return False
    return any(name.name != "lists" for name in free_names(node))
