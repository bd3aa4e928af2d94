"""What is said of invariants before any event is so on every trace that is tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from invariants.analysis import traces
from invariants.analysis.deep import Alone, Together, analyse
from invariants.analysis.mutants import mutants_of
from invariants.analysis.traces import FAR_NS, Seen
from invariants.check.checked import CheckedSpec
from invariants.check.normal_form import trigger, violating_formula
from invariants.formula.format import format_formula
from invariants.model.trace_point import TracePoint
from invariants.reference import judge
from invariants.spec.model import InvariantSpec
from tests.laws.conftest import CASES, FIRST_SEED
from tests.laws.test_same_meaning import spec_of
from tests.support.engines import make_invariant
from tests.support.formulas import choose_invariant, choose_run

EVENTS_MAX = 5  # Chosen: the reference tries every choice of unknown events and values.
OTHERS_MAX = 3
INVARIANTS_COUNT = max(30, CASES // 40)
# Predicates that are free: the law's letters know nothing of kinds.
FREE = spec_of(is_free=True)


def marks(invariant: InvariantSpec, trace: Sequence[TracePoint], *kinds: str) -> set[int]:
    """At which events the reference says one of some verdicts; time goes on behind the trace."""
    later_ns = trace[-1].time_ns + FAR_NS if trace else FAR_NS
    told = judge(replace(invariant, on_unknown="report"), trace, ticked_to_ns=later_ns)
    return {at for (at, _), kind in told.items() if kind in kinds}


def moments(trace: Sequence[Seen]) -> list[TracePoint]:
    """The trace that an analysis shows, as events."""
    time_ns, found = 0, []
    for position, (happening, gap_ns) in enumerate(trace):
        time_ns += gap_ns if position else 0
        is_end = happening.is_end
        found.append(TracePoint(position, time_ns, f"e{position}", happening, is_end))
    return found


def shown(invariant: InvariantSpec) -> str:
    return f"{invariant.form}: {format_formula(invariant.formula)}"


def check_alone(found: Alone, runs: Sequence[Sequence[TracePoint]]) -> None:
    invariant = found.invariant
    if found.kind == "violable" and found.trace and len(found.trace) <= EVENTS_MAX:
        assert marks(invariant, moments(found.trace), "violated"), shown(invariant)
    for run in runs:
        if found.kind == "never":
            assert not marks(invariant, run, "violated"), shown(invariant)
        if found.kind == "always":
            assert marks(invariant, run, "violated", "inconclusive") == set(range(len(run)))


def check_together(found: Together, runs: Sequence[Sequence[TracePoint]]) -> None:
    one, other = found.one.invariant, found.other.invariant
    what = f"{shown(one)} | {found.relation} | {shown(other)}"
    if found.trace and len(found.trace) <= EVENTS_MAX:
        assert marks(other, moments(found.trace), "violated"), what
        assert not marks(one, moments(found.trace), "violated"), what
    for run in runs:
        first, second = marks(one, run, "violated"), marks(other, run, "violated")
        if found.relation == "contained":
            assert first <= second, what
        if found.relation == "same":
            assert first == second, what
        if found.relation == "contradict":
            asked = trigger(violating_formula(one))
            assert asked is not None
            triggered = marks(make_invariant("never", asked), run, "violated")
            doubtful = marks(one, run, "inconclusive") | marks(other, run, "inconclusive")
            assert triggered <= first | second | doubtful, what


def test_what_is_said_is_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of random invariants, and of small changes of them."""
    monkeypatch.setattr(traces, "STEPS_MAX", 1_500)
    counts: Counter[str] = Counter()
    for number in range(INVARIANTS_COUNT):
        random = Random(FIRST_SEED * 1_000_003 + number)
        first = replace(choose_invariant(random.choice), id="first")
        mutants = mutants_of(FREE, first).found
        others = random.sample(mutants, min(OTHERS_MAX, len(mutants)))
        changed = [replace(m.invariant, id=f"other{n}") for n, m in enumerate(others)]
        spec: CheckedSpec = replace(FREE, invariants=(first, *changed))
        analysis = analyse([spec])
        runs = [
            [step for step in run if isinstance(step, TracePoint)][:EVENTS_MAX]
            for run in (choose_run(random.choice, has_overflow=False) for _ in range(4))
        ]
        runs = [[m._replace(position=n) for n, m in enumerate(run)] for run in runs]
        for alone in analysis.alone:
            counts[alone.kind] += 1
            check_alone(alone, runs)
        for together in analysis.together:
            counts[together.relation] += 1
            check_together(together, runs)
    assert counts["violable"] > counts["undecided"] * 4
    assert counts["contained"] > INVARIANTS_COUNT // 4
    assert counts["never"] and counts["same"]
