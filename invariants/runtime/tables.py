"""The static data of a compiled invariant: what its automaton steps by."""

from __future__ import annotations

from dataclasses import dataclass

from ..operators.contract import Memory
from ..operators.future import Future
from ..operators.nodes import Node


@dataclass(frozen=True, slots=True)
class MissingUse:
    """A value that the invariant matches or aggregates; `is_number` if only numbers count."""

    predicate: str
    name: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class Tables:
    """The static data of an invariant."""

    violating: Node
    binder: Node
    """Makes the bindings for which the invariant may be judged."""
    trigger: Node | None
    future: Future | None
    memories: tuple[Memory, ...]
    variables: tuple[str, ...]
    width: int
    """How many slots a binding has: the variables', and one for each `exists`."""
    predicates: tuple[str, ...]
    missing_uses: tuple[MissingUse, ...]
    is_large: bool
    """True if routes of its formulas are not folded: thousands of them are remembered."""
