"""Simplifies formulas by facts about all events of one kind.

    folded(node, known, is_end) -> node'      equal to it at every such event

Input: the predicates that are always true or always false there. The decided parts of a formula are
removed; if all of it is decided, the result is `TRUE_NODE` or `FALSE_NODE`.
"""

from __future__ import annotations

from collections.abc import Mapping

from .nodes import (
    FALSE_NODE,
    TRUE_NODE,
    AndNode,
    AtomNode,
    ComparisonNode,
    ConstantNode,
    EndNode,
    ExistsNode,
    Node,
    NotNode,
    OrNode,
)

Known = Mapping[str, bool]
"""Predicates whose truth is the same at every event of some kind; the others may vary."""


def folded(node: Node, known: Known, is_end: bool) -> Node:
    """`node` for known truth values of some predicates: equal to it at every such event.

    It makes the same bindings too, except those at which it is false.
    """
    match node:
        case AtomNode(predicate, constants, slots):
            truth = known.get(predicate)
            if truth is None or (truth and (constants or slots)):
                return node
            return TRUE_NODE if truth else FALSE_NODE
        case EndNode():
            return TRUE_NODE if is_end else FALSE_NODE
        case NotNode(body):
            inner = folded(body, known, is_end)
            if isinstance(inner, ConstantNode):
                return FALSE_NODE if inner.truth else TRUE_NODE
            return NotNode(inner)
        case ExistsNode(slot, body, bindings_max):
            inner = folded(body, known, is_end)
            # What is true without naming x needs an event that names it: the body binds x.
            return FALSE_NODE if inner is FALSE_NODE else ExistsNode(slot, inner, bindings_max)
        case AndNode(members):
            return _folded_and([folded(member, known, is_end) for member in members])
        case OrNode(members):
            return _folded_or([folded(member, known, is_end) for member in members])
        case _:
            return node


def assumed(node: Node, atom: AtomNode) -> Node:
    """`node` at an event at which `atom` is true, for the bindings that it makes."""
    match node:
        case AtomNode():
            return TRUE_NODE if node == atom else node
        case NotNode(body):
            inner = assumed(body, atom)
            if isinstance(inner, ConstantNode):
                return FALSE_NODE if inner.truth else TRUE_NODE
            return NotNode(inner)
        case AndNode(members):
            return _folded_and([assumed(member, atom) for member in members])
        case OrNode(members):
            return _folded_or([assumed(member, atom) for member in members])
        case _:
            return node


def _folded_and(members: list[Node]) -> Node:
    if FALSE_NODE in members:
        return FALSE_NODE
    kept = tuple(member for member in members if member is not TRUE_NODE)
    if len(kept) == 1:
        return kept[0]
    return AndNode(kept) if kept else TRUE_NODE


def _folded_or(members: list[Node]) -> Node:
    """A true member decides the disjunction only if no other would bind a variable."""
    kept = tuple(member for member in members if member is not FALSE_NODE)
    if TRUE_NODE in kept and not any(map(_binds, kept)):
        return TRUE_NODE
    if len(kept) == 1:
        return kept[0]
    return OrNode(kept) if kept else FALSE_NODE


def _binds(node: Node) -> bool:
    match node:
        case AtomNode():
            return bool(node.slots)
        case ComparisonNode():
            return True
        case ExistsNode(body=body):
            return _binds(body)
        case AndNode(members) | OrNode(members):
            return any(map(_binds, members))
        case _:
            return False
