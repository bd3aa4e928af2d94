"""Temporal formulas as they are written: frozen nodes with their places.

Equality of nodes ignores places. `operators/nodes.py` reduces these to a few operators;
`reference/` interprets them directly, and `format.py` writes them back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from ..model.errors import Place
from ..model.fact import Value

_NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Window:
    """Ages from `low_ns` to `high_ns`, both included; None is infinity."""

    low_ns: int = 0
    high_ns: int | None = None


UNBOUNDED = Window()


@dataclass(frozen=True, slots=True)
class Variable:
    """A name for a value; the invariant must hold for each value."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal, in canonical form (see `fact.Value`)."""

    value: Value


@dataclass(frozen=True, slots=True)
class Anything:
    """The term `_`: matches every value, and a missing one too."""


Term = Variable | Constant | Anything
Operator = Literal["==", "!=", "<", "<=", ">", ">="]
AggregateFunction = Literal["count", "sum", "min", "max", "avg", "distinct", "first"]


@dataclass(frozen=True, slots=True)
class Atom:
    """`p(name=term, ...)`: the predicate holds at the event, with these values."""

    predicate: str
    arguments: tuple[tuple[str, Term], ...] = ()
    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """The event is its session's `session.ended`."""

    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`x == y`, `x < 3`: between variables bound at the event and literals."""

    operator: Operator
    left: Variable | Constant
    right: Variable | Constant
    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`count(p(...))[w]` or `sum(p(...).v)[w]`; `value` is None for count only."""

    function: AggregateFunction
    atom: Atom
    value: str | None
    window: Window
    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class AggregateComparison:
    """`aggregate op bound`; the parser turns `3 >= count(p)` into `count(p) <= 3`.

    An aggregate as the bound is a *limit*: a value that earlier events gave.
    """

    aggregate: Aggregate
    operator: Operator
    bound: Variable | Constant | Aggregate
    place: Place = field(default=_NOWHERE, compare=False)

    @property
    def aggregates(self) -> tuple[Aggregate, ...]:
        """The aggregate, and the limit if there is one."""
        limit = (self.bound,) if isinstance(self.bound, Aggregate) else ()
        return (self.aggregate, *limit)

    @property
    def bound_term(self) -> Variable | Constant | None:
        """The bound; None for a limit."""
        return None if isinstance(self.bound, Aggregate) else self.bound


@dataclass(frozen=True, slots=True)
class Not:
    body: Formula
    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """A connective of propositional logic."""

    operator: Literal["and", "or", "implies", "iff"]
    left: Formula
    right: Formula
    place: Place = field(default=_NOWHERE, compare=False)


UnaryOperator = Literal["previous", "once", "historically", "next", "eventually", "always"]
UNARY_OPERATORS: Final[tuple[str, ...]] = get_args(UnaryOperator)
"""The words of temporal operators on one formula; the grammar takes them from here."""


@dataclass(frozen=True, slots=True)
class Temporal:
    """A temporal operator on one formula, with its window."""

    operator: UnaryOperator
    window: Window
    body: Formula
    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Until:
    """`left since[w] right` or `left until[w] right`."""

    operator: Literal["since", "until"]
    window: Window
    left: Formula
    right: Formula
    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Exists:
    """`exists x (body)`."""

    variable: str
    body: Formula
    place: Place = field(default=_NOWHERE, compare=False)


Formula = (
    Atom | SessionEnd | Comparison | AggregateComparison | Not | Binary | Temporal | Until | Exists
)

FUTURE_OPERATORS = frozenset({"next", "eventually", "always", "until"})
