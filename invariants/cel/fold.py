"""The value of an expression at *every* event of one kind and tool, whatever its other fields.

Used to skip predicates. Sound by construction: only parts that read nothing but `kind`, `tool` and
`lists`, and that count no steps, are evaluated. `&&`, `||`, `!` and the ternary are then decided
like in CEL, including failures. Any other result is None: it depends on the event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ..values.value import Failure
from .ast import Conditional, Logical, Node, Unary, free_names
from .common import CommonParts, is_of_call
from .evaluate import Prepared, prepare

Folding = Callable[[Any], bool | None]
"""Takes a `KindAndTool`; gives the truth value that is certain, or None."""


_UNBOUNDED_STEPS: Final = 2**62


class KindAndTool:
    """The known part of an event, used in place of its view.

    `shared` and `of_call` collect the values of common parts (`common.py`), with their steps.
    Nothing bounds the steps here: names are short, and a plan is made once.
    """

    __slots__ = ("kind", "of_call", "shared", "steps_left", "tool")

    def __init__(self, kind: str, tool: str) -> None:
        self.kind = kind
        self.tool = tool
        self.steps_left = _UNBOUNDED_STEPS
        self.shared: dict[int, Any] = {}
        self.of_call: dict[int, Any] = {}

    @property
    def record(self) -> KindAndTool:
        return self

    def charge(self, steps: int) -> None:
        """Count steps, for those who remember a value with its cost."""
        self.steps_left -= steps


class Leaf:
    """A part of expressions that reads nothing of the event but its kind and tool, and the lists.

    Leaves of equal `number` have equal values; None if no other expression is known.
    """

    __slots__ = ("_prepared", "number", "reads_tool")

    def __init__(self, prepared: Prepared, number: int | None, *, reads_tool: bool) -> None:
        self._prepared = prepared
        self.number = number
        self.reads_tool = reads_tool

    def truth(self, known: KindAndTool) -> bool | None:
        """Its truth value; None if it fails, or is another value."""
        try:
            value = self._prepared.evaluate(known)
        except Failure:
            return None
        return value if type(value) is bool else None


def fold(
    node: Node,
    lists: Mapping[str, list[Any]],
    common: CommonParts | None,
    leaves: list[Leaf],
) -> Folding:
    """Prepares the answers for `node`, which has no faults.

    They depend on the truth of its leaves alone, which are added to `leaves`.
    """
    if isinstance(node, Logical):
        parts = tuple(fold(operand, lists, common, leaves) for operand in node.operands)
        return _logical(parts, decisive=node.operator == "||")
    if isinstance(node, Unary) and node.operator == "!":
        return _negation(fold(node.operand, lists, common, leaves))
    if isinstance(node, Conditional):
        condition, chosen, otherwise = (
            fold(part, lists, common, leaves)
            for part in (node.condition, node.chosen, node.otherwise)
        )
        return _conditional(condition, chosen, otherwise)
    if is_of_call(node):
        prepared = prepare(node, lists, b"", common=common)
        if not prepared.counts_steps:
            number = None if common is None else common.number(node, lists)
            reads_tool = any(name.name == "tool" for name in free_names(node))
            leaves.append(Leaf(prepared, number, reads_tool=reads_tool))
            return leaves[-1].truth
    return lambda known: None


def _logical(parts: tuple[Folding, ...], *, decisive: bool) -> Folding:
    def logical(known: KindAndTool) -> bool | None:
        is_certain = True
        for part in parts:
            value = part(known)
            if value is decisive:
                return decisive
            is_certain = is_certain and value is not None
        return (not decisive) if is_certain else None

    return logical


def _negation(part: Folding) -> Folding:
    def negated(known: KindAndTool) -> bool | None:
        value = part(known)
        return None if value is None else not value

    return negated


def _conditional(condition: Folding, chosen: Folding, otherwise: Folding) -> Folding:
    def ternary(known: KindAndTool) -> bool | None:
        value = condition(known)
        if value is None:
            return None
        return (chosen if value else otherwise)(known)

    return ternary
