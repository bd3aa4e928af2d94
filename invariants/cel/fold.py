"""The value of an expression at *every* event of one kind and tool, whatever its other fields.

Used to skip predicates. Sound by construction: only parts that read nothing but `kind`, `tool` and
`lists`, and that count no steps, are evaluated. `&&`, `||`, `!` and the ternary are then decided
like in CEL, including failures. Any other result is None: it depends on the event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from .ast import Conditional, Logical, Node, Unary
from .common import CommonParts, is_of_call
from .evaluate import Prepared, prepare
from .values import Failure

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


def fold(node: Node, lists: Mapping[str, list[Any]], common: CommonParts | None = None) -> Folding:
    """Prepares the answers for `node`, which has no faults."""
    if isinstance(node, Logical):
        parts = tuple(fold(operand, lists, common) for operand in node.operands)
        return _logical(parts, decisive=node.operator == "||")
    if isinstance(node, Unary) and node.operator == "!":
        return _negation(fold(node.operand, lists, common))
    if isinstance(node, Conditional):
        condition, chosen, otherwise = (
            fold(part, lists, common) for part in (node.condition, node.chosen, node.otherwise)
        )
        return _conditional(condition, chosen, otherwise)
    if is_of_call(node):
        prepared = prepare(node, lists, b"", common=common)
        if not prepared.counts_steps:
            return _evaluation(prepared)
    return lambda known: None


def _evaluation(prepared: Prepared) -> Folding:
    def evaluated(known: KindAndTool) -> bool | None:
        try:
            value = prepared.evaluate(known)
        except Failure:
            return None
        return value if type(value) is bool else None

    return evaluated


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
