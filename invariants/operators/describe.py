"""Compiled formulas as text and as trees: the parts whose values `standing.py` shows.

A node is a compiled part of the violating formula; its text is in the invariant language, with
`not` moved inward. Children of a memory are the formulas that it remembers. The variable of an
`exists` loses its name in compilation: it is called `any1`, `any2` here.
"""

from __future__ import annotations

from typing import assert_never

from invariants.formula.format import format_literal
from invariants.model.fact import Value
from invariants.operators.nodes import (
    AndNode,
    AtomNode,
    ComparisonNode,
    ConstantNode,
    EndNode,
    ExistsNode,
    MemoryNode,
    Node,
    NotNode,
    OrNode,
)

Variables = tuple[str, ...]


def node_text(node: Node, variables: Variables) -> str:
    """A node as its author could have written it."""
    match node:
        case AtomNode(predicate, constants, slots):
            inside = [f"{name}={format_literal(value)}" for name, value in constants]
            inside += [f"{name}={slot_name(slot, variables)}" for name, slot in slots]
            return f"{predicate}({', '.join(inside)})" if inside else predicate
        case EndNode():
            return "session_end"
        case ComparisonNode(operator, left_slot, left, right_slot, right):
            sides = _side(left_slot, left, variables), _side(right_slot, right, variables)
            return f"{sides[0]} {operator} {sides[1]}"
        case NotNode(body):
            return f"not {_bracketed(body, variables)}"
        case AndNode(members):
            return " and ".join(
                _bracketed(m, variables) if isinstance(m, OrNode) else node_text(m, variables)
                for m in members
            )
        case OrNode(members):
            return " or ".join(node_text(member, variables) for member in members)
        case ExistsNode(slot, body):
            return f"exists {slot_name(slot, variables)} ({node_text(body, variables)})"
        case MemoryNode(memory):
            return memory.text
        case ConstantNode(truth):
            return ("false", "unknown", "true")[truth]
        case _:
            assert_never(node)


def children(node: Node) -> tuple[Node, ...]:
    """The sub-formulas of a node; for a memory, those that it remembers.

    None for an `exists`: its body has no value outside it.
    """
    match node:
        case AndNode(members) | OrNode(members):
            return members
        case NotNode(body):
            return (body,)
        case MemoryNode(memory):
            return memory.operands
        case AtomNode() | EndNode() | ComparisonNode() | ConstantNode() | ExistsNode():
            return ()
        case _:
            assert_never(node)


def names_variables(node: Node, hidden: frozenset[int] = frozenset()) -> bool:
    """True if the value of a node depends on the binding (except for the slots in `hidden`)."""
    match node:
        case AtomNode(slots=slots):
            return any(slot not in hidden for _, slot in slots)
        case ComparisonNode(left_slot=left, right_slot=right):
            return any(slot is not None and slot not in hidden for slot in (left, right))
        case ExistsNode(slot=slot, body=body):
            return names_variables(body, hidden | {slot})
        case MemoryNode(memory):
            bound = memory.bound_slot
            is_bound = bound is not None and bound not in hidden
            return is_bound or any(names_variables(n, hidden) for n in memory.operands)
        case _:
            return any(names_variables(inner, hidden) for inner in children(node))


def slot_name(slot: int, variables: Variables) -> str:
    """The variable of a slot in a binding."""
    return variables[slot] if slot < len(variables) else f"any{slot - len(variables) + 1}"


def _bracketed(node: Node, variables: Variables) -> str:
    text = node_text(node, variables)
    is_one = isinstance(node, AtomNode | EndNode | NotNode | ConstantNode)
    return text if is_one else f"({text})"


def _side(slot: int | None, value: Value | None, variables: Variables) -> str:
    if slot is not None:
        return slot_name(slot, variables)
    return "?" if value is None else format_literal(value)
