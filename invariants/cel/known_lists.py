"""Lists in an expression whose elements are known when the file is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .ast import Constant, Index, ListOf, Name, Node, Select


def constant_list(node: Node, lists: Mapping[str, Any]) -> list[Any] | None:
    """The elements of a list that is known completely at load: a literal, or `lists.x`."""
    if isinstance(node, ListOf):
        elements = [part.value for part in node.elements if isinstance(part, Constant)]
        return elements if len(elements) == len(node.elements) else None
    name = list_name(node)
    return None if name is None else lists.get(name)


def list_name(node: Node) -> str | None:
    """`x` of `lists.x` or `lists["x"]`; None of all else."""
    if isinstance(node, Select) and is_lists(node.operand):
        return node.key
    if isinstance(node, Index) and is_lists(node.operand) and isinstance(node.key, Constant):
        return node.key.value if isinstance(node.key.value, str) else None
    return None


def is_lists(node: Node) -> bool:
    """True if `node` is the name `lists` itself."""
    return isinstance(node, Name) and node.name == "lists"
