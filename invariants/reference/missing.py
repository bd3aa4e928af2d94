"""Values that an event lacks and a formula uses: the event is then doubtful by itself.

Source: docs/language.md, Missing values.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial

from ..formula.ast import Aggregate, Anything, Atom, Formula
from ..model.fact import Truth
from ..model.trace_point import TracePoint
from .anchors import Anchors
from .leaves import FALSE, number_of
from .syntax import CACHED_MAX, inward, parts_of
from .value import Env


def is_asked_without(
    missing: frozenset[tuple[str, str]], anchors: Anchors, violating: Formula, i: int
) -> bool:
    """True if the trigger, missing arguments read as `_`, is not false for some binding."""

    def asked(leaf: Formula, is_positive: bool, env: Env) -> Truth:
        if isinstance(leaf, Atom):
            kept = tuple(a for a in leaf.arguments if (leaf.predicate, a[0]) not in missing)
            leaf = Atom(leaf.predicate, kept)
        return anchors.asked(leaf, is_positive, i, env)

    return any(
        inward(violating, True, partial(asked, env=env), min, max) != FALSE
        for env in anchors.assignments(i)
    )


def missing_uses(formula: Formula, moment: TracePoint) -> Iterator[tuple[str, str]]:
    """(predicate, name) of values that the formula uses and the event does not have."""
    for predicate, name, is_number_needed in _uses(formula):
        fact = moment.letter[predicate]
        no_numbers = [v for v in fact.values.get(name, ()) if number_of(v) is None]
        is_too_long = is_number_needed and fact.elements(name) is None
        is_missing = name in fact.missing or name in fact.overflowing or is_too_long
        if fact.truth != FALSE and (is_missing or (is_number_needed and no_numbers)):
            yield predicate, name


@lru_cache(CACHED_MAX)
def _uses(formula: Formula) -> tuple[tuple[str, str, bool], ...]:
    """Every value that is matched with a variable or literal, or aggregated; if as a number."""
    uses = []
    for node in parts_of(formula):
        match node:
            case Atom(predicate, arguments):
                named = (name for name, term in arguments if not isinstance(term, Anything))
                uses += [(predicate, name, False) for name in named]
            case Aggregate(function, atom, str(name)):
                uses.append((atom.predicate, name, function != "distinct"))
            case _:
                pass
    return tuple(uses)
