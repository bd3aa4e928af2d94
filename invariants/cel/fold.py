"""The value of an expression at *every* event of one kind and tool, whatever its other fields.

Used to skip predicates. Sound by construction: only parts that read nothing but `kind`, `tool` and
`lists`, and that count no steps, are evaluated. `&&`, `||`, `!` and the ternary are then decided
like in CEL, including failures. Any other result is None: it depends on the event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .ast import Conditional, Logical, Node, Unary, free_names
from .common import KNOWN_NAMES
from .evaluate import prepare
from .fields import Evaluator
from .values import Failure

Folding = Callable[[Any], bool | None]
"""Takes a `Call`; gives the truth value that is certain, or None."""


@dataclass(frozen=True, slots=True)
class KindAndTool:
    """The known part of an event's record, used in place of the record."""

    kind: str
    tool: str

    @property
    def record(self) -> KindAndTool:
        return self

    def charge(self, steps: int) -> None:
        """Names are short, and a plan is made once: nothing is counted."""


def fold(node: Node, lists: Mapping[str, list[Any]]) -> Folding:
    """Prepares the answers for `node`, which has no faults."""
    if isinstance(node, Logical):
        parts = tuple(fold(operand, lists) for operand in node.operands)
        return _logical(parts, decisive=node.operator == "||")
    if isinstance(node, Unary) and node.operator == "!":
        return _negation(fold(node.operand, lists))
    if isinstance(node, Conditional):
        condition = fold(node.condition, lists)
        return _conditional(condition, fold(node.chosen, lists), fold(node.otherwise, lists))
    if all(name.name in KNOWN_NAMES for name in free_names(node)):
        prepared = prepare(node, lists, b"")
        if not prepared.counts_steps:
            return _evaluation(prepared.evaluator)
    return lambda known: None


def _evaluation(evaluator: Evaluator) -> Folding:
    def evaluated(known: KindAndTool) -> bool | None:
        try:
            value = evaluator(known)
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
