"""What a finding says was not there was not there, and what it says ended it did; by the reference.

Of past operators and aggregates: the formula is false at the event at hand, and where an event is
named that ended a `since`, the formula is false from there on and was not before. What must not
have come since an event, for a left side to hold, is false at every event behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

from invariants.binding import violating_formula
from invariants.fact import Truth
from invariants.formula.ast import FUTURE_OPERATORS, Temporal, Until
from invariants.formula.format import format_formula
from invariants.formula.parser import parse_formula
from invariants.moment import Moment
from invariants.reference import _Meaning
from invariants.reference_leaves import free_variables
from invariants.spec import InvariantSpec
from invariants.verdict import Absence, Verdict
from tests.laws.census import Census, nodes_of
from tests.laws.conftest import CASES, FIRST_SEED
from tests.laws.test_witness import violations


def is_fit(invariant: InvariantSpec) -> bool:
    """Without future operators, whose absences speak of what came later, and without `previous`."""
    operators = (*FUTURE_OPERATORS, "previous")
    return not any(
        isinstance(node, Temporal | Until) and node.operator in operators
        for node in nodes_of(violating_formula(invariant))
    )


def value_at(
    absence: Absence, verdict: Verdict, trace: Sequence[Moment], place: int
) -> Truth | None:
    """The truth of what was absent; None where it speaks of what an `exists` bound."""
    formula = parse_formula(absence.formula)
    if not free_variables(formula) <= {name for name, _ in verdict.binding}:
        return None
    return _Meaning(trace, formula, None).value(formula, place, verdict.binding)


def test_absences_are_true(census: Census) -> None:
    """On random invariants and runs."""
    checked = ended = kept = 0
    for seed, invariant, run in census.cases(CASES, FIRST_SEED, is_fit=is_fit):
        trace = [step for step in run if isinstance(step, Moment)]
        places = {moment.position: place for place, moment in enumerate(trace)}
        for verdict in violations(invariant, run):
            anchor = places[verdict.anchor.position]
            for absence in verdict.witness.absences:
                what = f"seed {seed}: {format_formula(invariant.formula)}\n{verdict}"
                if absence.after is not None:
                    begin = places[absence.after.position] + 1
                    after = [
                        value_at(absence, verdict, trace, place)
                        for place in range(begin, anchor + 1)
                    ]
                    kept += None not in after
                    assert set(after) <= {Truth.FALSE, None}, what
                    continue
                now = value_at(absence, verdict, trace, anchor)
                if now is None:
                    continue
                checked += 1
                assert now is Truth.FALSE, what
                if absence.undone_by is None:
                    continue
                ended += 1
                first = places[absence.undone_by.position]
                told = [value_at(absence, verdict, trace, place) for place in range(anchor + 1)]
                assert set(told[first:]) == {Truth.FALSE}, what
    assert checked > CASES // 20
    assert ended > CASES // 200
    assert kept > CASES // 200
