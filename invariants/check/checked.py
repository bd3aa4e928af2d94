"""A checked invariant file: every expression parsed and typed, every formula without an error.

`specs.py` makes it of a `Spec`. The compiler, digests, analysis and drawing read it: none of them
reads text, and none of them finds a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cel.checked import CheckedExpression
from ..model.errors import Fault, Place
from ..spec.model import InvariantSpec


@dataclass(frozen=True, slots=True)
class CheckedPredicate:
    """A predicate on one event: `when`, and the values that it names."""

    name: str
    when: CheckedExpression
    values: tuple[tuple[str, CheckedExpression], ...]
    place: Place

    @property
    def expressions(self) -> tuple[CheckedExpression, ...]:
        """`when`, and each value."""
        return self.when, *(value for _, value in self.values)

    @property
    def value_names(self) -> tuple[str, ...]:
        """The names of the values, in the order of the file."""
        return tuple(name for name, _ in self.values)

    @property
    def sources(self) -> frozenset[str]:
        """The sources whose memories it reads."""
        return frozenset[str]().union(*(part.sources for part in self.expressions))

    @property
    def fields(self) -> frozenset[str]:
        """The names of the event that it reads, and `lists`."""
        return frozenset[str]().union(*(part.fields for part in self.expressions))

    @property
    def functions(self) -> frozenset[str]:
        """The functions that it calls."""
        return frozenset[str]().union(*(part.references.functions for part in self.expressions))


@dataclass(frozen=True, slots=True)
class CheckedSource:
    """A data memory: the events that show something to it (`when`), and the values (`values`)."""

    name: str
    when: CheckedExpression
    values: CheckedExpression
    place: Place

    @property
    def expressions(self) -> tuple[CheckedExpression, ...]:
        """Both of them."""
        return self.when, self.values


@dataclass(frozen=True, slots=True)
class CheckedSpec:
    """One invariant file without an error. `warnings` are for its author."""

    file: str
    lists: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    sources: tuple[CheckedSource, ...] = ()
    predicates: tuple[CheckedPredicate, ...] = ()
    invariants: tuple[InvariantSpec, ...] = ()
    warnings: tuple[Fault, ...] = ()

    @property
    def values(self) -> dict[tuple[str, str], CheckedExpression]:
        """All values, by the names of the predicate and the value."""
        return {
            (predicate.name, name): value
            for predicate in self.predicates
            for name, value in predicate.values
        }

    @property
    def declared(self) -> tuple[CheckedPredicate | CheckedSource, ...]:
        """All that has expressions."""
        return *self.predicates, *self.sources

    @property
    def source_places(self) -> dict[str, int]:
        """Each source's place among the file's sources, by its name."""
        return {source.name: place for place, source in enumerate(self.sources)}
