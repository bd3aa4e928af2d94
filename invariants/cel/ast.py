"""CEL expressions as written: frozen nodes, each with its place in the file.

`&&` and `||` keep all their operands in one node, so that a long chain is not a deep tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Literal, get_args

from ..model.errors import Place

Arithmetic = Literal["+", "-", "*", "/", "%"]
Relation = Literal["==", "!=", "<", "<=", ">", ">=", "in"]
Macro = Literal["all", "exists", "exists_one", "filter", "map"]

RELATIONS: frozenset[str] = frozenset(get_args(Relation))
QUALIFIED: frozenset[str] = frozenset({"principal.roles", "principal.attributes"})
"""Names with a point. As in CEL, the longest name counts: `principal` itself is a text."""

MACROS: frozenset[str] = frozenset(get_args(Macro))


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal: None, bool, int, float or str."""

    value: bool | int | float | str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Name:
    """A field of the event (also one of `QUALIFIED`), `lists`, or a variable of a macro."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.key`."""

    operand: Node
    key: str
    place: Place


@dataclass(frozen=True, slots=True)
class Has:
    """`has(operand.key)`."""

    operand: Node
    key: str
    place: Place


@dataclass(frozen=True, slots=True)
class Index:
    """`operand[key]`."""

    operand: Node
    key: Node
    place: Place


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`, or with a receiver, which is then the first of `arguments`."""

    function: str
    is_method: bool
    arguments: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Unary:
    """`!operand` or `-operand`."""

    operator: Literal["!", "-"]
    operand: Node
    place: Place


@dataclass(frozen=True, slots=True)
class Calculation:
    """Arithmetic between two values."""

    operator: Arithmetic
    left: Node
    right: Node
    place: Place


@dataclass(frozen=True, slots=True)
class Comparison:
    """A relation between two values."""

    operator: Relation
    left: Node
    right: Node
    place: Place


@dataclass(frozen=True, slots=True)
class Logical:
    """Two or more operands of `&&`, or of `||`."""

    operator: Literal["&&", "||"]
    operands: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Conditional:
    """`condition ? chosen : otherwise`."""

    condition: Node
    chosen: Node
    otherwise: Node
    place: Place


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`."""

    elements: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{"a": b}`."""

    entries: tuple[tuple[Node, Node], ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Comprehension:
    """`source.macro(variable, body)`; `transform` is the last argument of `map(x, body, t)`."""

    macro: Macro
    source: Node
    variable: str
    body: Node
    transform: Node | None
    place: Place


Node = (
    Constant
    | Name
    | Select
    | Has
    | Index
    | Call
    | Unary
    | Calculation
    | Comparison
    | Logical
    | Conditional
    | ListOf
    | MapOf
    | Comprehension
)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in the order in which they are written."""
    match node:
        case Constant() | Name():
            return ()
        case Select() | Has() | Unary():
            return (node.operand,)
        case Index():
            return (node.operand, node.key)
        case Call():
            return node.arguments
        case Calculation() | Comparison():
            return (node.left, node.right)
        case Logical():
            return node.operands
        case Conditional():
            return (node.condition, node.chosen, node.otherwise)
        case ListOf():
            return node.elements
        case MapOf():
            return tuple(part for entry in node.entries for part in entry)
        case Comprehension():
            below = (node.source, node.body)
            return below if node.transform is None else (*below, node.transform)


def free_names(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[Name]:
    """Every name in `node` that no macro within it binds."""
    if isinstance(node, Name):
        if node.name not in bound:
            yield node
    elif isinstance(node, Comprehension):
        yield from free_names(node.source, bound)
        inner = bound | {node.variable}
        yield from free_names(node.body, inner)
        if node.transform is not None:
            yield from free_names(node.transform, inner)
    else:
        for child in children(node):
            yield from free_names(child, bound)


def walk(node: Node) -> Iterator[Node]:
    """`node` and every node below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def operands_of(node: Logical) -> list[Node]:
    """The operands, those of operands with the same operator among them."""
    parts = [
        operands_of(operand)
        if isinstance(operand, Logical) and operand.operator == node.operator
        else [operand]
        for operand in node.operands
    ]
    return reduce(lambda whole, part: whole + part, parts)


def sure_nodes_count(node: Node) -> int:
    """How many of its nodes are evaluated once, whatever the event: all but operands of `&&` and
    `||`, counted when they are evaluated, and bodies of macros, counted for each element.
    """
    match node:
        case Logical():
            return 1
        case Comprehension():
            return 1 + sure_nodes_count(node.source)
        case _:
            return 1 + sum(map(sure_nodes_count, children(node)))
