"""What a finding says was not there was not there; the reference is asked at each event.

An absence names a formula and an interval of the trace: times, and the events that bound it. Of
all operators, those of the future and `previous` too, and of violations and doubts alike: the
formula is false at every event of exactly that interval that had come when the verdict was decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import pytest

from invariants.compile.automaton import compile_invariant
from invariants.formula.format import format_formula
from invariants.formula.parser import parse_formula
from invariants.model.event import SECOND_NS
from invariants.model.fact import NO_FACT, Fact, Truth
from invariants.model.trace_point import TracePoint
from invariants.model.verdict import Absence, Verdict
from invariants.reference.syntax import free_variables
from invariants.reference.value import Meaning
from invariants.spec.model import InvariantSpec
from tests.laws.census import Census
from tests.laws.conftest import CASES, FIRST_SEED
from tests.laws.shrinking import Run
from tests.support.engines import make_invariant

EDGES = ("undone_by", "after", "first", "last", "before")


def covers(absence: Absence, moment: TracePoint) -> bool:
    """Whether an event lies in the interval of an absence."""
    position, bounds = moment.position, absence
    return (
        (bounds.from_ns is None or bounds.from_ns <= moment.time_ns)
        and moment.time_ns <= bounds.to_ns
        and (bounds.first is None or bounds.first.position <= position)
        and (bounds.undone_by is None or bounds.undone_by.position <= position)
        and (bounds.after is None or bounds.after.position < position)
        and (bounds.last is None or position <= bounds.last.position)
        and (bounds.before is None or position < bounds.before.position)
    )


def decided(invariant: InvariantSpec, run: Run) -> list[tuple[Verdict, int]]:
    """Each verdict, with the number of events that had come when it was told."""
    automaton = compile_invariant(invariant)
    state, count = automaton.initial(), 0
    told: list[tuple[Verdict, int]] = []
    for step in run:
        if isinstance(step, TracePoint):
            # What was due before the event is told by it, and rests on what had come before.
            state, late = automaton.tick(state, step.time_ns)
            told += [(verdict, count) for verdict in late]
            count += 1
            state, more = automaton.step(state, step)
        else:
            state, more = automaton.tick(state, step)
        told += [(verdict, count) for verdict in more]
    return told


def value_at(
    absence: Absence, verdict: Verdict, trace: Sequence[TracePoint], place: int
) -> Truth | None:
    """The truth of what was absent; None where it speaks of what an `exists` bound."""
    formula = parse_formula(absence.formula)
    if not free_variables(formula) <= {name for name, _ in verdict.binding}:
        return None
    return Meaning(trace, formula).value(formula, place, verdict.binding)


def test_absences_are_true(census: Census) -> None:
    """On random invariants and runs, with and without events of equal times."""
    told: Counter[str] = Counter()
    for seed, invariant, run in census.cases(CASES, FIRST_SEED):
        trace = [step for step in run if isinstance(step, TracePoint)]
        for verdict, count in decided(invariant, run):
            for absence in verdict.witness.absences:
                what = f"seed {seed}: {format_formula(invariant.formula)}\n{verdict}\n{absence}"
                spoken = [i for i in range(count) if covers(absence, trace[i])]
                values = {value_at(absence, verdict, trace, place) for place in spoken}
                assert values <= {Truth.FALSE, None}, what
                told["checked"] += Truth.FALSE in values
                for name in EDGES:
                    told[name] += Truth.FALSE in values and getattr(absence, name) is not None
    assert told["checked"] > CASES // 10
    for name in EDGES[:-1]:
        assert told[name] > CASES // 200, told


CASES_OF_EACH: tuple[tuple[Literal["never", "always"], str, list[str], list[str]], ...] = (
    ("always", "a implies once[10s] b", ["b 0", "c 5", "a 11"], ["b 1..11"]),
    ("always", "a implies count(b)[10s] >= 3", ["b 0", "b 5", "a 6"], ["count(b)[10s] >= 3 @2"]),
    ("always", "a implies count(b)[10s] >= 3", ["c 0", "a 60"], ["b 50..60"]),
    ("never", "a and not previous b", ["b 0", "c 5", "a 11"], ["b @1"]),
    ("never", "a and not previous b", ["a 3"], ["previous b @0"]),
    ("never", "a and not previous[5s] b", ["b 0", "a 6"], ["previous[5s] b @1"]),
    ("always", "a implies next b", ["a 0", "c 1"], ["b @1"]),
    ("always", "a implies next[5s] b", ["b 0", "a 0", "c 9"], ["b 0..5 after 1"]),
    ("always", "a implies eventually[5s] b", ["b 0", "a 0", "c 9"], ["b 0..5 first 1"]),
    ("always", "a implies (d until[5s] b)", ["b 0", "ad 0", "d 1", "c 2"], ["b 0..2 first 1"]),
    ("never", "a and (d until b)", ["ad 0", "d 1", "b 2"], ["not d 0..2 first 0 before 2"]),
    ("never", "a and not (b since c)", ["c 0", "b 1", "x 2", "b 3", "a 4"], ["b since c 2..4"]),
    ("never", "a and not avg(b.v)[10s] <= 3", ["a 20"], ["b 10..20"]),
)
"""Formula, letters of the trace with their times in seconds, what must be told as absent."""


@pytest.mark.parametrize(("form", "formula", "letters", "absent"), CASES_OF_EACH)
def test_what_was_absent(
    form: Literal["never", "always"], formula: str, letters: list[str], absent: list[str]
) -> None:
    """The body of a window that had none, and of the others what the reference denies."""
    trace: list[TracePoint | int] = []
    for position, letter in enumerate(letters):
        names, at = letter.split()
        facts = Facts({name: Fact(Truth.TRUE, {}) for name in names})
        trace.append(TracePoint(position, int(at) * SECOND_NS, f"e{position}", facts))
    told = [v for v, _ in decided(make_invariant(form, parse_formula(formula)), (*trace, 10**12))]
    shown = [list(map(show, v.witness.absences)) for v in told if v.kind != "holds"]
    assert absent in shown, shown


def show(absence: Absence) -> str:
    """As the cases above write it."""
    if absence.first is not None and absence.first == absence.last:
        return f"{absence.formula} @{absence.first.position}"
    begin = "" if absence.from_ns is None else absence.from_ns // SECOND_NS
    text = f"{absence.formula} {begin}..{absence.to_ns // SECOND_NS}"
    for name in ("after", "first", "before"):
        edge = getattr(absence, name)
        text += "" if edge is None else f" {name} {edge.position}"
    return text


class Facts(dict[str, Fact]):
    """A letter in which everything else is false."""

    def __missing__(self, name: str) -> Fact:
        return NO_FACT
