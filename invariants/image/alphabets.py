"""The kinds of nodes that an image consists of."""

from __future__ import annotations

from typing import Final

from ..cel import ast
from ..core import (
    AndNode,
    AtomNode,
    ComparisonNode,
    EndNode,
    ExistsNode,
    MemoryNode,
    NotNode,
    OrNode,
)
from ..formula.ast import Window
from ..limits import Limits
from ..memory_aggregate import AggregateMemory, Relation
from ..memory_previous import PreviousMemory
from ..memory_since import ClosedSinceMemory, SinceMemory
from ..pending import Future
from ..tables import MissingUse
from .flat import Alphabet

OPERATORS: Final = {
    "since-closed": ClosedSinceMemory,
    "since": SinceMemory,
    "previous": PreviousMemory,
    "aggregate": AggregateMemory,
}
LIMITS: Final = "limits"

EXPRESSIONS: Final = Alphabet(
    parts={
        "constant": ast.Constant,
        "name": ast.Name,
        "select": ast.Select,
        "has": ast.Has,
        "index": ast.Index,
        "call": ast.Call,
        "unary": ast.Unary,
        "calculation": ast.Calculation,
        "comparison": ast.Comparison,
        "logical": ast.Logical,
        "conditional": ast.Conditional,
        "list": ast.ListOf,
        "map": ast.MapOf,
        "comprehension": ast.Comprehension,
    },
    records={},
    shared={},
)

FORMULAS: Final = Alphabet(
    parts={
        "atom": AtomNode,
        "end": EndNode,
        "comparison": ComparisonNode,
        "not": NotNode,
        "and": AndNode,
        "or": OrNode,
        "exists": ExistsNode,
        "operator": MemoryNode,
        **OPERATORS,
    },
    records={
        "future": Future,
        "missing": MissingUse,
        "relation": Relation,
        "window": Window,
    },
    shared={LIMITS: Limits},
)
