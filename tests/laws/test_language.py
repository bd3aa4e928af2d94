"""Laws of the language itself, held by the reference alone; every operator takes part."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from invariants.check.normal_form import violating_formula
from invariants.check.safety import check_formula
from invariants.formula.ast import AggregateComparison, Not
from invariants.formula.format import format_formula
from invariants.formula.parser import parse_formula
from invariants.model.verdict import MISSING_BINDING
from tests.laws.census import Census
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.engines import Verdicts, final_verdicts, history


def test_what_is_written_is_read_back(census: Census) -> None:
    """What is drawn would load, so that users can write it; and parse(format(f)) == f."""
    for seed, invariant, _ in census.cases(CASES, FIRST_SEED):
        text = format_formula(invariant.formula)
        assert parse_formula(text) == invariant.formula, f"seed {seed}: {text}"
        faults = [f for f in check_formula(invariant, "law") if f.severity == "error"]
        assert not faults, f"seed {seed}: {invariant.form}: {text}\n{faults}"


def test_a_definite_verdict_never_changes(census: Census) -> None:
    """Later events and ticks decide what is pending, and nothing else."""
    for seed, invariant, run in census.cases(CASES, FIRST_SEED, has_overflow=True):
        before: Verdicts = {}
        for verdicts in history("reference", invariant, run):
            for key, kind in before.items():
                assert kind in ("pending", verdicts[key]), f"seed {seed}: {key} was {kind}"
            before = verdicts


def test_on_unknown_changes_only_what_is_inconclusive(census: Census) -> None:
    """`violate` makes violations of inconclusive verdicts, all but some of binding `?`."""
    for seed, invariant, run in census.cases(CASES, FIRST_SEED, has_overflow=True):
        reported = final_verdicts("reference", replace(invariant, on_unknown="report"), run)
        violated = final_verdicts("reference", replace(invariant, on_unknown="violate"), run)
        assert reported.keys() == violated.keys()
        for (position, binding), kind in reported.items():
            escalated = violated[position, binding]
            if kind != "inconclusive":
                assert escalated == kind, f"seed {seed}"
            elif binding != MISSING_BINDING:
                assert escalated == "violated", f"seed {seed}"


def test_rewriting_keeps_meaning(census: Census) -> None:
    """The normal form that the machine is made of means what was written; so does `never: not f`.

    `always: f` is `never: not f`, but for limits, which have a trigger of their own.
    """
    for seed, invariant, run in census.cases(CASES, FIRST_SEED, has_overflow=True):
        meant = final_verdicts("reference", invariant, run)
        violating = violating_formula(invariant)
        if isinstance(violating, AggregateComparison):
            violating = Not(Not(violating))  # Alone, it would be a limit with a trigger.
        normal = replace(invariant, form="never", formula=violating)
        assert final_verdicts("reference", normal, run) == meant, f"seed {seed}"
        if not isinstance(invariant.formula, AggregateComparison):
            other: Literal["never", "always"] = "always" if invariant.form == "never" else "never"
            mirrored = replace(invariant, form=other, formula=Not(invariant.formula))
            assert final_verdicts("reference", mirrored, run) == meant, f"seed {seed}"
