"""Laws of the language itself, held by the reference alone; every operator takes part."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from hypothesis import given

from invariants.check_binding import check_formula
from invariants.formula.ast import AggregateComparison, Not
from invariants.formula.format import format_formula
from invariants.formula.parser import parse_formula
from invariants.spec import InvariantSpec
from invariants.verdict import MISSING_BINDING
from tests.support.engines import Step, Verdicts, final_verdicts, history
from tests.support.formulas import invariants, runs


@given(invariants())
def test_every_drawn_invariant_would_load(invariant: InvariantSpec) -> None:
    """The strategies keep the rules of variables: what they draw is what users can write."""
    faults = [fault for fault in check_formula(invariant, "law") if fault.severity == "error"]
    assert not faults, f"{invariant.form}: {format_formula(invariant.formula)}\n{faults}"


@given(invariants())
def test_what_is_written_is_read_back(invariant: InvariantSpec) -> None:
    """parse(format(f)) == f."""
    text = format_formula(invariant.formula)
    assert parse_formula(text) == invariant.formula, text


@given(invariants(), runs())
def test_a_definite_verdict_never_changes(
    invariant: InvariantSpec, steps: tuple[Step, ...]
) -> None:
    """Later events and ticks decide what is pending, and nothing else."""
    before: Verdicts = {}
    for verdicts in history("reference", invariant, steps):
        for key, kind in before.items():
            assert kind in ("pending", verdicts[key]), f"{key} was {kind}, is {verdicts[key]}"
        before = verdicts


@given(invariants(), runs())
def test_on_unknown_changes_only_what_is_inconclusive(
    invariant: InvariantSpec, steps: tuple[Step, ...]
) -> None:
    """`violate` makes violations of inconclusive verdicts, all but some of binding `?`."""
    reported = final_verdicts("reference", replace(invariant, on_unknown="report"), steps)
    violated = final_verdicts("reference", replace(invariant, on_unknown="violate"), steps)
    assert reported.keys() == violated.keys()
    for (position, binding), kind in reported.items():
        escalated = violated[position, binding]
        if kind != "inconclusive":
            assert escalated == kind
        elif binding != MISSING_BINDING:
            assert escalated == "violated"


@given(invariants(), runs())
def test_always_is_never_not(invariant: InvariantSpec, steps: tuple[Step, ...]) -> None:
    """`always: f` is `never: not f`, but for limits, which have a trigger of their own."""
    formula = invariant.formula
    if isinstance(formula, AggregateComparison):
        return
    other: Literal["never", "always"] = "never" if invariant.form == "always" else "always"
    mirrored = replace(invariant, form=other, formula=Not(formula))
    assert final_verdicts("reference", mirrored, steps) == final_verdicts(
        "reference", invariant, steps
    )
