"""`report: first` and `edge` tell what their definitions say of all verdicts, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple

import pytest

from invariants.compile.automaton import compile_invariant
from invariants.formula.format import format_formula
from invariants.model.report import Report
from invariants.model.trace_point import TracePoint
from invariants.model.verdict import MISSING_BINDING, Binding, EventRef, Run, Verdict, Witness
from invariants.spec.model import InvariantSpec
from tests.laws.census import FORMULAS_TRIED, Census
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.engines import Letter
from tests.support.formulas import FUTURE_OPERATORS, PREDICATES
from tests.support.states import read_back, time_of

FOUND = ("violated", "inconclusive")


class Decided(NamedTuple):
    """The verdicts of one step, and the event if it ends the session."""

    verdicts: list[Verdict]
    end: EventRef | None


def every_verdict(invariant: InvariantSpec, run: Sequence[TracePoint | int]) -> list[Decided]:
    """All that the machine decides, step by step."""
    automaton = compile_invariant(invariant)
    state = automaton.initial()
    told: list[Decided] = []
    for step in run:
        end = None
        if isinstance(step, TracePoint):
            state, more = automaton.step(state, step, is_verbose=True)
            end = EventRef(step.position, step.time_ns, step.id) if step.is_session_end else None
        else:
            state, more = automaton.tick(state, step, is_verbose=True)
        told.append(Decided([verdict for verdict in more if verdict.kind != "pending"], end))
    return told


def meant(report: Report, decided: Sequence[Decided]) -> list[Verdict]:
    """The definition, by looking back over everything each time."""
    before: list[Verdict] = []
    told: list[Verdict] = []
    over: set[tuple[EventRef, Binding, int]] = set()
    for verdicts, end in decided:
        for verdict in verdicts:
            told += [one for one in _reports_at(report, verdict, before) if _name(one) not in over]
            before.append(verdict)
        if end is not None and report == "edge":
            ended = [one for one in _runs_until(before, end) if _name(one) not in over]
            told += ended
            over |= {_name(one) for one in ended}
    return told


def _name(verdict: Verdict) -> tuple[EventRef, Binding, int]:
    """A run by its first event and its size; no run ends twice with one size."""
    is_over = verdict.run is not None and verdict.run.over is not None
    return verdict.anchor, verdict.binding, verdict.run.count if verdict.run and is_over else 0


def _reports_at(report: Report, verdict: Verdict, before: Sequence[Verdict]) -> list[Verdict]:
    if report == "edge":
        return _edges_at(verdict, before)
    is_new = report == "every" or not any(_is_like(verdict, old) for old in before)
    return [verdict] if verdict.kind in FOUND and is_new else []


def _edges_at(verdict: Verdict, before: Sequence[Verdict]) -> list[Verdict]:
    """The reports of an edge or of a run, when this verdict is decided after the others."""
    if verdict.binding == MISSING_BINDING:
        return [verdict]
    own = [old for old in before if old.binding == verdict.binding]
    run = _run_at_end_of(own)
    if own and own[-1].kind == verdict.kind:
        run = [*run, verdict] if run else []
        is_told = len(run) in (10, 100, 1_000)
        return [_repeated(run, None, verdict.decided_ns)] if is_told else []
    told = [] if len(run) < 2 else [_repeated(run, verdict.anchor, verdict.anchor.time_ns)]
    if verdict.kind not in FOUND:
        return told
    if verdict.kind == "violated" and not verdict.is_escalated:
        return [*told, replace(verdict, run=Run(1, verdict.anchor))]
    return [*told, verdict]


def _run_at_end_of(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The last verdicts of one binding that are violated; none if an escalated one begins them."""
    run: list[Verdict] = []
    for verdict in reversed(verdicts):
        if verdict.kind != "violated":
            break
        run.insert(0, verdict)
    return [] if run and run[0].is_escalated else run


def _repeated(run: Sequence[Verdict], over: EventRef | None, decided_ns: int) -> Verdict:
    first = replace(run[0], witness=Witness(), decided_ns=decided_ns)
    return replace(first, run=Run(len(run), run[-1].anchor, over))


def _runs_until(verdicts: Sequence[Verdict], end: EventRef) -> list[Verdict]:
    """The runs of two or more that an end ends, in the order of their first events."""
    bindings = {verdict.binding: None for verdict in verdicts if verdict.binding != MISSING_BINDING}
    runs = [_run_at_end_of([v for v in verdicts if v.binding == of]) for of in bindings]
    told = [_repeated(run, end, end.time_ns) for run in runs if len(run) > 1]
    return sorted(told, key=lambda verdict: (verdict.anchor, repr(verdict.binding)))


def _is_like(verdict: Verdict, old: Verdict) -> bool:
    return old.kind == verdict.kind and old.binding == verdict.binding


def findings_of(
    invariant: InvariantSpec, run: Sequence[TracePoint | int], random: Random
) -> list[Verdict]:
    """What becomes a finding, by routes, with the state written down and read back at random."""
    automaton = compile_invariant(invariant)
    state = automaton.initial()
    told: list[Verdict] = []
    for count, step in enumerate(run):
        if random.random() < 0.3:
            state = read_back(automaton, state, time_of(run[:count]))
        more: Sequence[Verdict] = ()
        if isinstance(step, TracePoint):
            assert isinstance(step.letter, Letter)
            known = {name: False for name in PREDICATES if name not in step.letter}
            route = automaton.route(known, is_end=step.is_session_end)
            if route is not None:
                state, more = automaton.step(state, step, False, route)
            elif state.pending.due_ns is not None:
                state, more = automaton.tick(state, step.time_ns)
        else:
            state, more = automaton.tick(state, step)
        told += more
    return told


@pytest.mark.parametrize("report", ["every", "first", "edge"])
def test_findings_are_those_that_report_asks_for(report: Report, census: Census) -> None:
    """On random invariants and runs, with unknowns, ends and ticks."""
    some_silent = 0
    runs_over: list[Verdict] = []
    census.law = f"report_{report}"
    future = () if report == "edge" else FUTURE_OPERATORS
    tried = FORMULAS_TRIED if future else FORMULAS_TRIED + 2
    for seed, drawn, run in census.cases(CASES, FIRST_SEED, future=future, formulas_tried=tried):
        invariant = replace(drawn, report=report)
        decided = every_verdict(invariant, run)
        expected = meant(report, decided)
        found = findings_of(invariant, run, Random(seed))
        assert found == expected, f"seed {seed}: {format_formula(invariant.formula)}"
        told_count = sum(v.run is None or v.run.count == 1 for v in expected)
        some_silent += told_count < sum(v.kind in FOUND for one in decided for v in one.verdicts)
        runs_over += [v for v in expected if v.run is not None and v.run.over is not None]
    assert report == "every" or some_silent, "no case in which `report` kept anything back"
    if report == "edge":
        assert runs_over, "no case in which a run of two or more ended"
