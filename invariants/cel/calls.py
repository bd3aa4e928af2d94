"""Calls of functions and arithmetic as statements, each charged to the event.

A call with a short text costs no steps, so it is written without the question for its cost.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec
import re2

from ..shell.derived import READERS_OF_SHELL
from ..taint.event_view import EventView
from ..values.unknown_text import UnknownText
from ..values.value import STEP_CHARACTERS, sure, text, utf8
from . import arithmetic, costs, digests, fields, globs, names, strings
from . import data_functions as asked
from . import python_tree as py
from .ast import Calculation, Call, Constant, Name, Unary
from .functions import FUNCTIONS, Function
from .known_lists import constant_list
from .writer import VIEW, Writer

_METHODS: Final[Mapping[str, str]] = {"startsWith": "startswith", "endsWith": "endswith"}
"""Functions of a short text and a literal that Python's texts have as methods."""


class Bindings(msgspec.Struct, frozen=True):
    """The things that calls of one file need besides their arguments."""

    lists: Mapping[str, list[Any]]
    digest_key: bytes
    sources: asked.SourcePlaces


def counts_steps(node: Call) -> bool:
    """True if it counts steps whatever its arguments."""
    if node.function in READERS_OF_SHELL:
        return not isinstance(node.arguments[0], Constant)
    return node.function == "digest" or node.function in asked.FUNCTIONS_ASKING


def called(writer: Writer, node: Call, bindings: Bindings) -> ast.expr:
    """The value of a call."""
    first, last = node.arguments[0], node.arguments[-1]
    if node.function == "present":
        assert isinstance(first, Name), "check refuses everything else"
        return writer.kept(py.call(writer.bound("present", fields.present(first.name)), VIEW))
    if node.function in READERS_OF_SHELL and not isinstance(first, Constant):
        read = writer.bound("commands", READERS_OF_SHELL[node.function])
        return writer.kept(py.call(read, writer.emit(first), VIEW))
    if node.function == "digest":
        digest = writer.bound("digest", digests.digest)
        key = py.constant(bindings.digest_key)
        return writer.kept(py.call(digest, writer.emit(first), key, VIEW))
    if node.function in asked.FUNCTIONS_ASKING:
        ask = writer.bound("ask", asked.asking(node, bindings.sources))
        return writer.kept(py.call(ask, writer.emit(first), VIEW))
    if (prepared := _prepared(node, bindings.lists)) is not None:
        operand = writer.emit(first if node.function == "matches" else last)
        return _of_short_text(writer, operand, *prepared)
    function = FUNCTIONS[node.function]
    if all(isinstance(argument, Constant) for argument in node.arguments):
        # Once, and not at every event; one that fails was refused by `check`.
        values = (cast(Constant, argument).value for argument in node.arguments)
        return writer.bound("known", function.apply(*values))
    return _charged(writer, function, node)


Test = Callable[[Any], Any]


def _prepared(node: Call, lists: Mapping[str, list[Any]]) -> tuple[Test, Test, costs.Steps] | None:
    """For patterns of the file: the function of a short text, that of any value, and its steps."""
    first, last = node.arguments[0], node.arguments[-1]
    if node.function == "matches":
        assert isinstance(last, Constant)
        pattern = re2.compile(utf8(str(last.value)), globs.options())
        matches = strings.matcher(pattern.search, str(last.value))
        return matches, matches, costs.by_length
    if node.function == "glob" and isinstance(first, Constant):
        return _globbing("glob", [str(first.value)])
    known = constant_list(first, lists)
    if node.function == "glob_any" and known is not None:
        return _globbing("glob_any", known)
    if node.function == "named_any" and known is not None:
        return _naming(known)
    return None


def _globbing(function: str, patterns: list[Any]) -> tuple[Test, Test, costs.Steps]:
    """Each pattern is tried, and each costs as much as a regular expression."""
    matcher = globs.any_matcher(patterns)
    expression = "|".join(rf"\A(?:{globs.pattern_of(one)})\z" for one in patterns)
    wild_count = max(1, sum(1 for pattern in patterns if {"*", "?"} & set(pattern)))

    def steps(value: Any) -> int:
        return wild_count * costs.by_length(value)

    def matches(value: Any) -> bool:
        if type(value) is UnknownText:
            return sure(value.answer(expression), value)
        return matcher(text(value, function))

    return matcher, matches, costs.by_length if wild_count == 1 else steps


def _naming(patterns: list[Any]) -> tuple[Test, Test, costs.Steps]:
    """A name that was met before is looked up."""
    of_short, of_any = names.named_matchers(tuple(patterns))

    def matches(value: Any) -> bool:
        name = text(value, "named_any")
        return (of_short if len(name) < names.SHORT_NAME_CHARACTERS else of_any)(name)

    def steps(value: Any) -> int:
        return costs.naming(len(patterns), value)

    return of_short, matches, steps


def _of_short_text(
    writer: Writer, operand: ast.expr, of_short: Test, of_any: Test, steps: costs.Steps
) -> ast.expr:
    """A function of one text, which costs nothing if that is short."""

    def charged(value: Any, view: EventView) -> Any:
        view.charge(steps(value))
        return of_any(value)

    quickly = py.call(writer.bound("short", of_short), operand)
    slowly = py.call(writer.bound("any", charged), operand, VIEW)
    return writer.kept(py.chosen(_is_short(operand, STEP_CHARACTERS), quickly, slowly))


def _is_short(operand: ast.expr, characters: int) -> ast.expr:
    """True for a text of less than so many characters."""
    length = py.call(py.name("len"), operand)
    is_text = py.has_type(operand, "str")
    return py.both(is_text, py.compare(length, "<", py.constant(characters)))


def _charged(writer: Writer, function: Function, node: Call) -> ast.expr:
    """Any other call: its steps, the call, and the steps of its result if that is charged too."""
    arguments = [writer.emit(argument) for argument in node.arguments]
    if function.steps is costs.by_length and len(arguments) <= 2 and not function.makes:
        return _reading(writer, function, node, arguments)
    steps = py.call(writer.bound("steps", function.steps), *arguments)
    writer.add(py.do(py.call(py.attribute(VIEW, "charge"), steps)))
    result = writer.kept(py.call(writer.bound("apply", function.apply), *arguments))
    if function.makes:
        charge_made(writer, result)
    return result


def charge_made(writer: Writer, result: ast.expr) -> None:
    """Take off the steps of a list or a text that was made."""
    steps = py.call(writer.bound("made", costs.made), result)
    writer.add(py.do(py.call(py.attribute(VIEW, "charge"), steps)))


def _reading(
    writer: Writer, function: Function, node: Call, arguments: Sequence[ast.expr]
) -> ast.expr:
    """The common functions, whose cost is the length of the texts that they read."""
    operand, second = arguments[0], node.arguments[-1] if len(arguments) == 2 else None
    plainly = py.call(writer.bound("apply", function.apply), *arguments)
    slowly = py.call(writer.bound("charged", _charging(function)), VIEW, *arguments)
    if second is None:
        return writer.kept(py.chosen(_is_short(operand, STEP_CHARACTERS), plainly, slowly))
    if not isinstance(second, Constant) or type(second.value) is not str:
        return writer.kept(slowly)
    if function.name in _METHODS:
        plainly = py.call(py.attribute(operand, _METHODS[function.name]), arguments[1])
    elif function.name == "contains":
        plainly = py.compare(arguments[1], "in", operand)
    room = STEP_CHARACTERS - len(second.value)
    return writer.kept(py.chosen(_is_short(operand, room), plainly, slowly))


def _charging(function: Function) -> Callable[..., Any]:
    """A call of any arguments, charged."""
    apply = function.apply

    def of_one(view: EventView, value: Any) -> Any:
        if type(value) is str:
            view.charge(costs.by_length(value))
        elif type(value) is UnknownText:
            view.charge(value.steps)
        return apply(value)

    def of_two(view: EventView, one: Any, two: Any) -> Any:
        if type(one) is str and type(two) is str:
            view.charge(costs.by_length(one, two))
        elif type(one) is UnknownText:
            view.charge(one.steps)
        return apply(one, two)

    return of_one if len(function.takes) == 1 else of_two


def calculation(writer: Writer, node: Calculation) -> ast.expr:
    """Arithmetic: only the results of `+` on texts and lists can be long."""
    left, right = writer.emit(node.left), writer.emit(node.right)
    operation = writer.bound("operation", arithmetic.OPERATIONS[node.operator])
    result = writer.kept(py.call(operation, left, right))
    if node.operator == "+":
        with writer.block() as body:
            charge_made(writer, result)
        is_made = py.either(py.has_type(result, "str"), py.has_type(result, "list"))
        writer.add(py.when(is_made, body))
    return result


def negative(writer: Writer, node: Unary) -> ast.expr:
    """`-x`."""
    value = writer.emit(node.operand)
    return writer.kept(py.call(writer.bound("negate", arithmetic.negate), value))
