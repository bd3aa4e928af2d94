"""The comparison of an aggregate with a bound, where either may lie anywhere in a range."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar, assert_never

from ..formula.ast import AggregateFunction, Operator
from ..model.fact import Truth, Value
from .tally import Range, Tally, number, value_range

LimitT = TypeVar("LimitT")


class Relation(NamedTuple, Generic[LimitT]):
    """The right side of an aggregate's comparison: a variable's slot, a literal, or a limit, which
    is an aggregate too.
    """

    operator: Operator
    bound_slot: int | None
    bound: Value | None
    limit: LimitT | None
    negated_text: str


_ORDERS: Final[dict[Operator, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compare(tally: Tally, function: AggregateFunction, relation: Operator, bound: Value) -> int:
    """The truth of `function(...) relation bound`. `tally` must be expired."""
    if function == "count" and tally.lost_ns is None and type(bound) is int:
        totals = tally.totals
        if not totals.possible_count:  # By far the most; the same as below, made short.
            return 2 if _ORDERS[relation](totals.certain_count, bound) else 0
    return compare_range(value_range(tally, function), relation, bound)


def compare_range(values: Range | None, relation: Operator, bound: Value) -> Truth:
    """`aggregate relation bound` for an aggregate anywhere in the range."""
    if values is None:
        return Truth.UNKNOWN
    limit = number(bound)
    if limit is None:
        if relation in ("==", "!="):
            return Truth.FALSE if relation == "==" else Truth.TRUE
        return Truth.UNKNOWN
    return compare_ranges(values, relation, Range(limit, limit))


def compare_ranges(values: Range | None, relation: Operator, limits: Range | None) -> Truth:
    """`aggregate relation limit` where each lies anywhere in its range."""
    if values is None or limits is None:
        return Truth.UNKNOWN
    least, greatest = values
    low, high = limits
    match relation:
        case "<=":
            return _both(least <= high, greatest <= low)
        case "<":
            return _both(least < high, greatest < low)
        case ">=":
            return _both(greatest >= low, least >= high)
        case ">":
            return _both(greatest > low, least > high)
        case "==" | "!=":
            is_outside = high < least or low > greatest
            is_point = least == greatest == low == high
            if not (is_outside or is_point):
                return Truth.UNKNOWN
            return Truth.TRUE if is_point == (relation == "==") else Truth.FALSE
        case _:
            assert_never(operator)


def _both(at_best: bool, at_worst: bool) -> Truth:
    """True if it holds even in the worst case, false if not even in the best case."""
    if at_best and at_worst:
        return Truth.TRUE
    return Truth.UNKNOWN if at_best or at_worst else Truth.FALSE
