"""The verdicts of an invariant: what violates it, and what its `on_unknown` makes of doubt.

Source: docs/language.md, Trigger, Three values and Verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..formula.ast import AggregateComparison, Binary, Formula, Not
from ..model.trace_point import TracePoint
from ..model.verdict import MISSING_BINDING, Binding, VerdictKind
from ..spec.model import InvariantSpec
from .anchors import Anchors
from .missing import is_asked_without, missing_uses
from .value import Meaning

_KINDS: Final[tuple[VerdictKind, ...]] = ("holds", "inconclusive", "violated")


def judge(
    invariant: InvariantSpec,
    trace: Sequence[TracePoint],
    *,
    ticked_to_ns: int | None = None,
    first: int = 0,
) -> dict[tuple[int, Binding], VerdictKind]:
    """The verdict of every judged (position of the anchor, binding), given the events so far.

    No further event lies before `ticked_to_ns`; None is the time of the last event. Of anchors
    before event number `first` nothing is said.
    """
    violating = violating_formula(invariant)
    meaning = Meaning(trace, violating, ticked_to_ns)
    anchors = Anchors(meaning, violating)
    at_unknown: VerdictKind = "violated" if invariant.on_unknown == "violate" else "inconclusive"
    kinds: dict[tuple[int, Binding], VerdictKind] = {}
    for i, moment in enumerate(trace[first:], first):
        for env in anchors.judged(i):
            values = meaning.possible(violating, i, env)
            kind = _KINDS[min(values)] if len(values) == 1 else "pending"
            kinds[moment.position, env] = at_unknown if kind == "inconclusive" else kind
        missing = frozenset(missing_uses(violating, moment))
        if missing:
            is_asked = is_asked_without(missing, anchors, violating, i)
            kinds[moment.position, MISSING_BINDING] = at_unknown if is_asked else "inconclusive"
    return kinds


def violating_formula(invariant: InvariantSpec) -> Formula:
    """True where the invariant is violated; an upper bound alone is asked only where it is used."""
    formula = invariant.formula
    violating = formula if invariant.form == "never" else Not(formula)
    upper_bounds = (">", ">=") if invariant.form == "never" else ("<", "<=")
    if isinstance(formula, AggregateComparison) and formula.operator in upper_bounds:
        return Binary("and", formula.aggregate.atom, violating)
    return violating
