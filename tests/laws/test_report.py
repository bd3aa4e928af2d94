"""`report: first` and `edge` tell what their definitions say of all verdicts, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from invariants.formula.format import format_formula
from invariants.machine import compile_invariant
from invariants.moment import Moment
from invariants.report import Report
from invariants.spec import InvariantSpec
from invariants.state import decode_state, encode_state
from invariants.verdict import MISSING_BINDING, Binding, Verdict
from tests.laws.census import FORMULAS_TRIED, Census
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.engines import Letter
from tests.support.formulas import FUTURE_OPERATORS, PREDICATES

FOUND = ("violated", "inconclusive")


def every_verdict(invariant: InvariantSpec, run: Sequence[Moment | int]) -> list[Verdict]:
    """All that the machine decides, in its order."""
    automaton = compile_invariant(invariant)
    state = automaton.initial()
    told: list[Verdict] = []
    for step in run:
        if isinstance(step, Moment):
            state, more = automaton.step(state, step, is_verbose=True)
        else:
            state, more = automaton.tick(state, step, is_verbose=True)
        told += more
    return [verdict for verdict in told if verdict.kind != "pending"]


def meant(report: Report, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The definition, by looking back over everything each time."""
    found = [(n, v) for n, v in enumerate(verdicts) if v.kind in FOUND]
    if report == "every":
        return [v for _, v in found]
    if report == "first":
        return [v for n, v in found if not any(_is_like(v, old) for old in verdicts[:n])]
    return [
        v
        for n, v in found
        if v.binding == MISSING_BINDING or _last_kind(v.binding, verdicts[:n]) != v.kind
    ]


def _is_like(verdict: Verdict, old: Verdict) -> bool:
    return old.kind == verdict.kind and old.binding == verdict.binding


def _last_kind(binding: Binding, before: Sequence[Verdict]) -> str | None:
    return next((old.kind for old in reversed(before) if old.binding == binding), None)


def findings_of(
    invariant: InvariantSpec, run: Sequence[Moment | int], random: Random
) -> list[Verdict]:
    """What becomes a finding, by routes, with the state written down and read back at random."""
    automaton = compile_invariant(invariant)
    state = automaton.initial()
    told: list[Verdict] = []
    for step in run:
        if random.random() < 0.3:
            state = decode_state(automaton, encode_state(automaton, state))
        more: Sequence[Verdict] = ()
        if isinstance(step, Moment):
            assert isinstance(step.letter, Letter)
            known = {name: False for name in PREDICATES if name not in step.letter}
            route = automaton.route(known, is_end=step.is_session_end)
            if route is not None:
                state, more = automaton.step(state, step, False, route)
            elif state.pending.queue.length:
                state, more = automaton.tick(state, step.time_ns)
        else:
            state, more = automaton.tick(state, step)
        told += more
    return told


@pytest.mark.parametrize("report", ["every", "first", "edge"])
def test_findings_are_those_that_report_asks_for(report: Report, census: Census) -> None:
    """On random invariants and runs, with unknowns, ends and ticks."""
    some_silent = 0
    census.law = f"report_{report}"
    future = () if report == "edge" else FUTURE_OPERATORS
    tried = FORMULAS_TRIED if future else FORMULAS_TRIED + 2
    for seed, drawn, run in census.cases(CASES, FIRST_SEED, future=future, formulas_tried=tried):
        invariant = replace(drawn, report=report)
        verdicts = every_verdict(invariant, run)
        expected = meant(report, verdicts)
        found = findings_of(invariant, run, Random(seed))
        assert found == expected, f"seed {seed}: {format_formula(invariant.formula)}"
        some_silent += len(expected) < sum(v.kind in FOUND for v in verdicts)
    assert report == "every" or some_silent, "no case in which `report` kept anything back"
