"""The references of an expression, and its content without its layout.

Both are derived from the parsed expression and never from its text: `args.hostname` does not refer
to a list `host`, and neither a comment nor a string literal refers to anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import msgspec

from .ast import Call, Has, Name, Node, walk
from .data_functions import FUNCTIONS_ASKING, source_name
from .known_lists import is_lists, list_name

_LAYOUT: Final = frozenset({"place", "is_method"})
"""Fields of nodes that do not change a value: `size(x)` is `x.size()`."""


class References(msgspec.Struct, frozen=True):
    """The names that an expression refers to, apart from fields of the event."""

    lists: frozenset[str] | None
    """None if which list it reads is decided only at the event: then it refers to all."""
    sources: frozenset[str] | None
    """None if it refers to all sources of its file, as `only_from` does."""
    functions: frozenset[str]

    def lists_of(self, lists: Mapping[str, Sequence[Any]]) -> dict[str, list[Any] | None]:
        """The lists of a file to which it refers; None for one that the file does not declare."""
        names = lists if self.lists is None else self.lists
        return {name: list(lists[name]) if name in lists else None for name in names}


def references_of(node: Node) -> References:
    """Everything that `node` refers to."""
    named: set[str] = set()
    sources: set[str] = set()
    functions: set[str] = set()
    mentions_count = static_count = 0
    for part in walk(node):
        mentions_count += isinstance(part, Name) and part.name == "lists"
        # `has(lists.x)` tests only if the list is declared; this is a reference all the same.
        name = part.key if isinstance(part, Has) and is_lists(part.operand) else list_name(part)
        if name is not None:
            static_count += 1
            named.add(name)
        if isinstance(part, Call):
            functions.add(part.function)
            if part.function in FUNCTIONS_ASKING:
                sources.add(source_name(part) or "")
    return References(
        lists=frozenset(named) if mentions_count == static_count else None,
        sources=None if "only_from" in functions else frozenset(sources),
        functions=frozenset(functions),
    )


def describe(node: Node, lists: Mapping[str, Sequence[Any]]) -> list[object]:
    """An expression without its layout, with the lists to which it refers, as plain JSON.

    Two expressions of equal description have equal values at every event.
    """
    return [_plain(node), references_of(node).lists_of(lists)]


def _plain(part: object) -> object:
    if isinstance(part, tuple):
        return [_plain(item) for item in part]
    if isinstance(part, Node):
        return [type(part).__name__, *map(_plain, content_of(part))]
    return list(literal(part))


def content_of(node: Node) -> Iterator[object]:
    """The fields of a node that can change its value: nodes, tuples of them, and literals."""
    return (getattr(node, field.name) for field in fields(node) if field.name not in _LAYOUT)


def literal(value: object) -> tuple[str, str]:
    """By its type too: 1 and 1.0 and true are three values."""
    return type(value).__name__, repr(value)
