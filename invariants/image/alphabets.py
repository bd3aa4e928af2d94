"""The kinds of nodes that an image consists of."""

from __future__ import annotations

from typing import Final

from ..cel import ast
from ..formula.ast import Window
from ..model.limits import Limits
from ..operators.future import Future
from ..operators.nodes import (
    AndNode,
    AtomNode,
    ComparisonNode,
    EndNode,
    ExistsNode,
    MemoryNode,
    NotNode,
    OrNode,
)
from ..operators.table import KINDS, RECORDS
from ..runtime.tables import MissingUse
from .flat import Alphabet

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
        **KINDS,
    },
    records={
        "future": Future,
        "missing": MissingUse,
        **RECORDS,
        "window": Window,
    },
    shared={LIMITS: Limits},
)
