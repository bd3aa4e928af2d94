"""The past operators: the kinds of memories, and the formulas that they keep.

A new operator has its file here, a name in `KINDS` and a case in `memory_of`.
"""

from __future__ import annotations

from typing import Final

from ..formula.ast import AggregateComparison, Formula, Temporal, Until
from .aggregate import AggregateMemory, build_aggregate
from .closed_since import ClosedSinceMemory
from .contract import Builder, Memory
from .previous import PreviousMemory, build_previous
from .relation import Relation
from .since import SinceMemory, build_since
from .slices import SinceTexts

KINDS: Final = {
    "since-closed": ClosedSinceMemory,
    "since": SinceMemory,
    "previous": PreviousMemory,
    "aggregate": AggregateMemory,
}
"""The kinds of memories by their names in an image."""

RECORDS: Final = {"relation": Relation, "since-texts": SinceTexts}
"""Parts of their descriptions, likewise."""


def memory_of(formula: Formula, build: Builder) -> Memory:
    """The memory of a past operator or an aggregate; its operands are built first."""
    match formula:
        case Temporal("once", window, body):
            return build_since(formula, window, None, body, build)
        case Until("since", window, left, right):
            return build_since(formula, window, left, right, build)
        case Temporal("previous", window, body):
            return build_previous(formula, window, body, build)
        case AggregateComparison():
            return build_aggregate(formula, build)
        case _:
            raise AssertionError(f"no memory for {type(formula).__name__}: check refuses it")
