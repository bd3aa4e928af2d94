"""A witness is a proof: it suffices, and nothing in it can be left out; the reference is asked.

That nothing can be left out is asked where one operator looks at other events: each takes the
latest event that proves it, and of two operators one event might have served for both.

Taken away is every event that the witness does not name. What is left must still be a violation at
the anchor, and no more one without any other of its events. Operators that count events
(`previous`, `next`) and comparisons that more events can undo are left out of this law, as are
`until` (a left side that broke and a right side that never came are two proofs of one thing) and
verdicts that rest on what was unknown; an absence is proven by there being fewer events. A left
side that remembers other events is left out too: that it has held is told as an absence, which
`test_absences.py` asks the reference about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from invariants.check.normal_form import violating_formula
from invariants.compile.automaton import compile_invariant
from invariants.formula.ast import AggregateComparison, Formula, Not, Temporal, Until
from invariants.formula.format import format_formula
from invariants.model.trace_point import TracePoint
from invariants.model.verdict import Verdict
from invariants.reference import judge
from invariants.spec.model import InvariantSpec
from tests.laws.census import Census, nodes_of
from tests.laws.conftest import CASES, FIRST_SEED

LATE_NS = 10**18  # Every deadline has passed.
GROWING = {*product(("count", "distinct"), (">", ">="))}
"""Aggregates and comparisons that more events can make true and not undo, and fewer not unknown."""


def is_fit(formula: Formula) -> bool:
    """Whether what holds for want of events holds at the anchor itself, and not at a past event."""
    for node in nodes_of(formula):
        match node:
            case Temporal(body=body) if not grows_with_events(body):
                return False
            case Until(left=left, right=right) if memories_count(left) or not (
                grows_with_events(right)
            ):
                return False
            case Temporal("previous" | "next" | "historically" | "always"):
                return False
            case AggregateComparison(aggregate, operator):
                if (aggregate.function, operator) not in GROWING:
                    return False
            case Until("until"):
                return False
            case Not(body) if any(isinstance(n, Until) for n in nodes_of(body)):
                return False  # What broke a left side is not remembered: the absence stands for it.
            case _:
                pass
    return True


def grows_with_events(violating: Formula) -> bool:
    """Whether no event can be grounds for the absence of another: then less is less."""
    return not any(
        isinstance(node, Not) and any(isinstance(n, Temporal | Until) for n in nodes_of(node.body))
        for node in nodes_of(violating)
    )


def memories_count(violating: Formula) -> int:
    """How many operators look at other events: with two, one event may serve for both."""
    return sum(
        len(node.aggregates) if isinstance(node, AggregateComparison) else 1
        for node in nodes_of(violating)
        if isinstance(node, Temporal | Until | AggregateComparison)
    )


def violations(invariant: InvariantSpec, run: Sequence[TracePoint | int]) -> list[Verdict]:
    """Violations that rest on nothing unknown."""
    automaton = compile_invariant(invariant)
    state = automaton.initial()
    told: list[Verdict] = []
    for step in run:
        if isinstance(step, TracePoint):
            state, more = automaton.step(state, step)
        else:
            state, more = automaton.tick(state, step)
        told += more
    return [v for v in told if v.kind == "violated" and not v.witness.unknowns]


def is_violated(invariant: InvariantSpec, trace: Sequence[TracePoint], verdict: Verdict) -> bool:
    """By the reference, on these events alone, once the time of the verdict has passed."""
    anchor = verdict.anchor.position
    renumbered = [moment._replace(position=n) for n, moment in enumerate(trace)]
    place = next(n for n, moment in enumerate(trace) if moment.position == anchor)
    told = judge(invariant, renumbered, ticked_to_ns=LATE_NS)
    return told.get((place, verdict.binding)) == "violated"


def is_end_of(moment: TracePoint, verdict: Verdict) -> bool:
    """Whether the session's end is what decided a verdict that waited."""
    return moment.is_session_end and moment.time_ns == verdict.decided_ns


def test_a_witness_suffices_and_is_minimal(census: Census) -> None:
    """On random invariants of those sorts, and runs."""
    checked = smaller = 0
    for seed, drawn, run in census.cases(
        CASES,
        FIRST_SEED,
        is_fit=lambda invariant: is_fit(violating_formula(invariant)),
        formulas_tried=12,  # Measured: of those that are fit, few have two operators.
    ):
        invariant = replace(drawn, on_unknown="report")
        violating = violating_formula(invariant)
        waits = any(
            isinstance(n, Temporal) and n.operator == "eventually" for n in nodes_of(violating)
        )
        is_monotone = grows_with_events(violating) and memories_count(violating) <= 1
        events = [step for step in run if isinstance(step, TracePoint)]
        for verdict in violations(invariant, run):
            named = {ref.position for ref in verdict.witness.events} | {verdict.anchor.position}
            ends = {m.position for m in events if is_end_of(m, verdict)} if waits else set()
            kept = [moment for moment in events if moment.position in named | ends]
            what = f"seed {seed}: {invariant.form}: {format_formula(invariant.formula)}\n{verdict}"
            assert is_violated(invariant, kept, verdict), f"does not suffice: {what}"
            for moment in kept:
                if moment.position == verdict.anchor.position or moment.position in ends:
                    continue
                if not is_monotone:
                    continue
                fewer = [other for other in kept if other is not moment]
                assert not is_violated(invariant, fewer, verdict), f"not minimal: {what}"
            checked += 1
            smaller += len(kept) < len(events)
    assert checked > CASES // 50
    assert smaller > checked // 4
