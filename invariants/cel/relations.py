"""Equality, order and membership as statements; common shapes are simplified at load.

A shape is common if one side is a literal or a completely known list: then no container is compared
and no step counted. All others use `values.equal`.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..taint.event_view import EventView
from ..values.unknown_text import UnknownText, exactly
from ..values.value import comparable, contains, equal, sure
from . import python_tree as py
from .ast import Comparison, Constant, Name, Node, Relation
from .known_lists import constant_list
from .writer import VIEW, Writer

_ORDERS: Final[dict[Relation, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EVENT_TEXTS: Final = frozenset({"kind", "tool", "session"})
"""Fields that are texts, all of them known."""


def comparison(writer: Writer, node: Comparison, lists: Mapping[str, list[Any]]) -> ast.expr:
    """The value of a comparison."""
    if node.operator == "in":
        return _membership(writer, node, lists)
    if node.operator not in ("==", "!="):
        left, right = writer.emit(node.left), writer.emit(node.right)
        order = writer.bound("order", ordered(_ORDERS[node.operator]))
        return writer.kept(py.call(order, left, right))
    if isinstance(node.right, Constant):
        is_equal = _equals_constant(writer, node.left, node.right.value)
    elif isinstance(node.left, Constant):
        is_equal = _equals_constant(writer, node.right, node.left.value)
    else:
        left, right = writer.emit(node.left), writer.emit(node.right)
        is_equal = py.call(writer.bound("equal", equal), left, right, VIEW)
    return writer.kept(is_equal if node.operator == "==" else py.negated(is_equal))


def is_plain(node: Comparison, lists: Mapping[str, Any]) -> bool:
    """True if it counts no steps of containers."""
    if node.operator == "in":
        known = constant_list(node.right, lists)
        return known is not None and not _has_containers(known)
    if node.operator in ("==", "!="):
        return isinstance(node.left, Constant) or isinstance(node.right, Constant)
    return True


def _equals_constant(writer: Writer, node: Node, value: Any) -> ast.expr:
    """`node == literal`; the literal is null, a bool, a number or a string."""
    operand = writer.emit(node)
    if value is None or value is True or value is False:
        return py.compare(operand, "is", py.constant(value))
    same = py.compare(operand, "==", py.constant(value))
    if type(value) is str:
        if isinstance(node, Name) and node.name in _EVENT_TEXTS and writer.place(node.name) is None:
            return same
        slowly = py.call(writer.bound("equals", equals_text(value)), operand, VIEW)
        return py.chosen(py.has_type(operand, "str"), same, slowly)
    is_number = py.either(py.has_type(operand, "int"), py.has_type(operand, "float"))
    return py.both(is_number, same)


def equals_text(value: str) -> Callable[[Any, EventView], bool]:
    """Equality of a value that is not a known text with a text."""
    pattern = exactly(value)

    def is_equal(met: Any, view: EventView) -> bool:
        if type(met) is not UnknownText:
            return False
        view.charge(met.steps)
        return sure(met.answer(pattern), met)

    return is_equal


def ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """An order of two values, if they have one."""

    def order(first: Any, second: Any) -> bool:
        if type(first) is not int or type(second) is not int:
            comparable(first, second)
        return compare(first, second)

    return order


def _membership(writer: Writer, node: Comparison, lists: Mapping[str, list[Any]]) -> ast.expr:
    operand = writer.emit(node.left)
    known = constant_list(node.right, lists)
    if known is None or _has_containers(known):
        container = writer.emit(node.right)
        found = py.call(writer.bound("contains", contains), operand, container, VIEW)
        return writer.kept(found)
    texts = frozenset(element for element in known if type(element) is str)
    is_in = py.compare(operand, "in", writer.bound("texts", texts))
    slowly = py.call(writer.bound("member", member_of(known)), operand, VIEW)
    return writer.kept(py.chosen(py.has_type(operand, "str"), is_in, slowly))


def _has_containers(elements: Sequence[Any]) -> bool:
    return any(type(element) in (list, dict) for element in elements)


def member_of(elements: Sequence[Any]) -> Callable[[Any, EventView], bool]:
    """Membership of a value that is not a known text, by one look-up; no element is a container."""
    # Not-a-number equals nothing, and a set would find it by identity.
    numbers = frozenset(
        element for element in elements if type(element) in (int, float) and not math.isnan(element)
    )
    texts = sorted({element for element in elements if type(element) is str})
    alternatives = "|".join(map(exactly, texts)) or r"[^\x00-\x{10ffff}]"
    others = [element for element in elements if element is None or type(element) is bool]

    def is_member(value: Any, view: EventView) -> bool:
        kind = type(value)
        if kind is int or kind is float:
            return value in numbers
        if kind is UnknownText:
            view.charge(value.steps)
            return sure(value.answer(alternatives), value)
        return any(value is other for other in others)

    return is_member
