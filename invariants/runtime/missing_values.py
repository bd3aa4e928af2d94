"""Values that an invariant needs and an event does not have: the binding `?`."""

from __future__ import annotations

from ..model.fact import Fact
from ..operators.contribution import are_numbers
from ..operators.nodes import AndNode, AtomNode, Node, OrNode
from .tables import MissingUse


def is_missing(use: MissingUse, fact: Fact) -> bool:
    """True if the predicate may hold, and has no usable value for this use."""
    if not fact.truth:
        return False
    if use.name in fact.missing or use.name in fact.overflowing:
        return True
    return use.is_number and not are_numbers(fact.elements(use.name))


def without_missing(node: Node, missing: set[tuple[str, str]]) -> Node:
    """A trigger whose arguments with a missing value are read as `_`."""
    match node:
        case AtomNode(predicate, constants, slots):
            return AtomNode(
                predicate,
                tuple((n, v) for n, v in constants if (predicate, n) not in missing),
                tuple((n, s) for n, s in slots if (predicate, n) not in missing),
            )
        case AndNode(members):
            return AndNode(tuple(without_missing(member, missing) for member in members))
        case OrNode(members):
            return OrNode(tuple(without_missing(member, missing) for member in members))
        # Triggers contain no `exists`.
        case _:
            return node
