"""Restrictions on scopes wider than a session: no session end, and no unbounded memory.

Input: one invariant. Output: faults E414 and E415. A session ends and is evicted; an agent, a user
or a tenant is not. So each stored value needs a time after which it may be evicted, and each
pending verdict a time at which it is decided.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..formula.ast import (
    FUTURE_OPERATORS,
    AggregateComparison,
    Formula,
    SessionEnd,
    Temporal,
    Until,
)
from ..model.errors import Fault, Place
from ..spec.model import InvariantSpec
from .normal_form import free_variables
from .safety import subformulas

RUNNING: Final = ("count", "sum")
"""Aggregates that keep one number; the others keep every value."""


def check_scope(invariant: InvariantSpec, file: str) -> Iterator[Fault]:
    """Faults of an invariant that needs more than its scope has."""
    if invariant.per == "session":
        return
    scope = f"`per: {invariant.per}`"
    for node in subformulas(invariant.formula):
        match node:
            case SessionEnd(place):
                message = f"`session_end` is the end of one session, and {scope} never ends"
                where = invariant.formula_source.place if place == Place() else place
                yield Fault(file, where, "E414", message, "write `per: session`, or a window")
            case Temporal(operator, window, _, place) | Until(operator, window, _, _, place):
                if window.high_ns is None and _needs_window(node, operator):
                    yield _no_window(operator, place, scope, file)
            case AggregateComparison(place=place):
                for aggregate in node.aggregates:
                    keeps_all = aggregate.function not in RUNNING or bool(free_variables(node))
                    if aggregate.window.high_ns is None and keeps_all:
                        yield _no_window(f"{aggregate.function}(...)", place, scope, file)
            case _:
                pass


def _needs_window(node: Formula, operator: str) -> bool:
    return operator in FUTURE_OPERATORS or bool(free_variables(node))


def _no_window(operator: str, place: Place, scope: str, file: str) -> Fault:
    what = "waits" if operator in FUTURE_OPERATORS else "remembers each value"
    message = f"`{operator}` {what} without limit, since {scope} never ends"
    return Fault(file, place, "E415", message, f"give it a window: `{operator}[24h]`")


def reach_ns(formula: Formula) -> int | None:
    """The longest window, or None if one is unbounded.

    After a longer time without an event, earlier events no longer affect a verdict: they are in no
    window of a later event, and no event in between referred to them.
    """
    highs: list[int | None] = []
    for node in subformulas(formula):
        match node:
            case Temporal(_, window) | Until(_, window):
                highs.append(window.high_ns)
            case AggregateComparison():
                highs += [aggregate.window.high_ns for aggregate in node.aggregates]
            case _:
                pass
    known = [high for high in highs if high is not None]
    return max(known, default=0) if len(known) == len(highs) else None
