"""An upper bound on the memory of each part of an invariant in one scope.

At the bound, existing entries are kept, and further entries are unknown (docs/language.md,
Bounds). An entry is an event's time, position and id, with values if they are aggregated: about 300
bytes in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..check.checked import CheckedSpec
from ..compile.automaton import compile_invariant
from ..formula.format import format_formula
from ..model.limits import Limits
from ..operators.contract import Memory
from ..spec.model import InvariantSpec, Per


@dataclass(frozen=True, slots=True)
class Bound:
    """One sub-formula: the kind of its entries, and the bounds on bindings and entries."""

    invariant: str
    formula: str
    keeps: str
    bindings_max: int
    entries_max: int
    setting: str
    """The setting that bounds it, or what else does."""
    per: Per = "session"


def bounds_of(specs: Sequence[CheckedSpec], limits: Limits) -> list[Bound]:
    """The bounds of all invariants and sources of some files."""
    found = [
        replace(bound, per=i.per)
        for spec in specs
        for i in spec.invariants
        for bound in _of(i, limits)
    ]
    sources = {source.name: source for spec in specs for source in spec.sources}
    return found + [
        Bound("", f"source {name}", "fingerprints", 1, limits.pairs_max, "pairs_max")
        for name in sources
    ]


def _of(invariant: InvariantSpec, limits: Limits) -> Iterator[Bound]:
    tables = compile_invariant(invariant, limits).tables
    for memory in tables.memories:
        yield _of_memory(invariant.id, memory, limits)
    if tables.future is not None:
        text = format_formula(invariant.formula)
        count = limits.pending_max
        yield Bound(invariant.id, text, "pending verdicts", count, count, "pending_max")


def _of_memory(invariant: str, memory: Memory, limits: Limits) -> Bound:
    return Bound(invariant, memory.text, *memory.capacity(limits))
