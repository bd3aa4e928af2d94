"""How varied the cases were that the laws were held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from invariants.formula.ast import Aggregate, Formula, Temporal, Until
from tests.support.engines import Verdicts


def nodes_of(node: object) -> Iterator[object]:
    """A formula and everything that it is made of."""
    yield node
    for name in getattr(node, "__dataclass_fields__", ()):
        yield from nodes_of(getattr(node, name))


@dataclass
class Census:
    """Distinct cases by their text, and how many of them were of a demanding kind."""

    cases: set[int] = field(default_factory=set)
    nested_count: int = 0
    varying_count: int = 0
    judged_count: int = 0

    def note(self, text: str, formula: Formula, verdicts: Verdicts) -> None:
        """Count a case once."""
        if hash(text) in self.cases:
            return
        self.cases.add(hash(text))
        operators = [n for n in nodes_of(formula) if isinstance(n, Temporal | Until | Aggregate)]
        self.nested_count += len(operators) >= 2
        self.varying_count += len(set(verdicts.values())) >= 2
        self.judged_count += bool(verdicts)

    def describe(self) -> str:
        """The census in one line."""
        count = len(self.cases)
        shares = (self.nested_count, self.varying_count, self.judged_count)
        nested, varying, judged = (f"{100 * share / count:.0f}%" for share in shares)
        return (
            f"{count} distinct cases, {nested} with two or more temporal operators, "
            f"{varying} with verdicts that differ, {judged} with any verdict"
        )


CENSUS = Census()
