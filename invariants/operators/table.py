"""The past operators: the kinds of memories, and the formulas that they keep.

A new operator has its file here, a name in `KINDS` and a case in `memory_of`.
"""

from __future__ import annotations

from typing import Final, assert_never

from ..formula.ast import AggregateComparison, Formula, Temporal, UnaryOperator, Until
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
        case Temporal(operator):
            return _memory_of_temporal(operator, formula, build)
        case Until("since", window, left, right):
            return build_since(formula, window, left, right, build)
        case AggregateComparison():
            return build_aggregate(formula, build)
        case _:
            raise AssertionError(f"no memory for {type(formula).__name__}: check refuses it")


def _memory_of_temporal(operator: UnaryOperator, formula: Temporal, build: Builder) -> Memory:
    window, body = formula.window, formula.body
    match operator:
        case "once":
            return build_since(formula, window, None, body, build)
        case "previous":
            return build_previous(formula, window, body, build)
        case "historically" | "next" | "eventually" | "always":
            # `normalise` writes the first by `once`; those of the future are in `future.py`.
            raise AssertionError(f"`{operator}` has no memory of the past")
        case _:
            assert_never(operator)
