"""The machine says what the reference says: at every prefix, binding and verdict.

Cases are drawn by seed; a failure tells the seed, the formula, a shrunk run, both verdicts, and
the line to keep. Two allowances: a binding that merely *holds* for one of the two engines is no
difference where the formula compares variables (which of them an event makes is a matter of
reading, and decides nothing but a count); and where a list was too long to be kept the machine
may be in doubt about what the reference still knows, never the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import pytest

from invariants.compile.automaton import compile_invariant
from invariants.formula.ast import Comparison
from invariants.formula.format import format_formula
from invariants.model.fact import Fact, Truth
from invariants.model.trace_point import TracePoint
from invariants.model.verdict import Verdict
from invariants.spec.model import InvariantSpec
from tests.laws.census import Census, nodes_of
from tests.laws.conftest import CASES, FIRST_SEED
from tests.laws.shrinking import Run, shrink_run
from tests.support.cases import show_verdicts, write_case
from tests.support.engines import Letter, Verdicts, final_verdicts, history
from tests.support.formulas import PREDICATES
from tests.support.states import read_back, time_of

Law = Callable[[InvariantSpec, Run, Random], str]
"""What is wrong with one case, or nothing."""


def agrees(invariant: InvariantSpec, run: Run, random: Random) -> str:
    """After every event and every tick both have told the same verdicts."""
    stages = zip(
        history("machine", invariant, run), history("reference", invariant, run), strict=True
    )
    for told, meant in stages:
        if not are_same(invariant, told, meant):
            return f"machine:   {show_verdicts(told)}\nreference: {show_verdicts(meant)}"
    return ""


def errs_towards_doubt(invariant: InvariantSpec, run: Run, random: Random) -> str:
    """With lists too long to keep, the machine says what the reference says, or is in doubt."""
    doubtful = "violated" if invariant.on_unknown == "violate" else "inconclusive"
    stages = zip(
        history("machine", invariant, run), history("reference", invariant, run), strict=True
    )
    for told, meant in stages:
        for key in {*told, *meant}:
            if told.get(key, "holds") not in (doubtful, "pending", meant.get(key, "holds")):
                return f"machine:   {show_verdicts(told)}\nreference: {show_verdicts(meant)}"
    return ""


def survives_storage(invariant: InvariantSpec, run: Run, random: Random) -> str:
    """Encoding and decoding the state at any cut changes no later verdict, witness or time."""
    plain = all_told(invariant, run, set())
    cuts = {count for count in range(len(run)) if random.random() < 0.5}
    stored = all_told(invariant, run, cuts)
    return "" if stored == plain else f"cuts {cuts}\nplain  {plain}\nstored {stored}"


def ignores_ticks(invariant: InvariantSpec, run: Run, random: Random) -> str:
    """Ticks up to the last event tell what the events tell without them, and no more."""
    events = [step for step in run if isinstance(step, TracePoint)]
    end_ns = events[-1].time_ns if events else 0
    ticked = [step for step in run if isinstance(step, TracePoint) or step <= end_ns]
    one, other = (
        {(v.anchor, v.binding): v.kind for v in all_told(invariant, steps, set())}
        for steps in (ticked, events)
    )
    return "" if one == other else f"with ticks    {one}\nwithout ticks {other}"


def may_be_routed(invariant: InvariantSpec, run: Run, random: Random) -> str:
    """Routes leave out what no live predicate can touch, and change no verdict but `holds`."""
    whole = unsettled(all_told(invariant, run, set()))
    routed = unsettled(all_told_by_routes(invariant, run, random))
    return "" if routed == whole else f"whole  {whole}\nrouted {routed}"


@pytest.mark.parametrize(
    ("law", "has_overflow"),
    [
        (agrees, False),
        (errs_towards_doubt, True),
        (survives_storage, True),
        (ignores_ticks, True),
        (may_be_routed, False),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_machine(law: Law, has_overflow: bool, census: Census) -> None:
    """The law holds of every case drawn."""
    census.law = law.__name__
    for seed, invariant, run in census.cases(CASES, FIRST_SEED, has_overflow=has_overflow):
        if law(invariant, run, Random(seed)):
            shrunk = shrink_run(run, lambda r: bool(law(invariant, r, Random(seed))))  # noqa: B023
            pytest.fail(report(seed, invariant, shrunk, law(invariant, shrunk, Random(seed))))


def are_same(invariant: InvariantSpec, told: Verdicts, meant: Verdicts) -> bool:
    """Equal, but for bindings that merely hold where the formula compares variables."""
    if told == meant:
        return True
    if not any(isinstance(node, Comparison) for node in nodes_of(invariant.formula)):
        return False
    keys = {*told, *meant}
    return all(told.get(key, "holds") == meant.get(key, "holds") for key in keys)


def report(seed: int, invariant: InvariantSpec, run: Run, wrong: str) -> str:
    """What to read when a law fails, and the line to keep for ever."""
    meant = final_verdicts("reference", invariant, run)
    return (
        f"\nseed {seed}, {invariant.form}: {format_formula(invariant.formula)}\n{wrong}"
        f"\ncase: {write_case('found by a law', invariant, run, meant)}\n"
    )


def all_told(
    invariant: InvariantSpec, run: Sequence[TracePoint | int], cuts: set[int]
) -> list[Verdict]:
    """Every verdict that the machine tells, its state written and read back at the cuts."""
    automaton = compile_invariant(invariant)
    state = automaton.initial()
    told: list[Verdict] = []
    for count, step in enumerate(run):
        if count in cuts:
            state = read_back(automaton, state, time_of(run[:count]))
        if isinstance(step, TracePoint):
            state, more = automaton.step(state, step, is_verbose=True)
        else:
            state, more = automaton.tick(state, step, is_verbose=True)
        told += more
    return told


def all_told_by_routes(invariant: InvariantSpec, run: Run, random: Random) -> list[Verdict]:
    """The same, each event going only where its live predicates (and some more) can lead."""
    automaton = compile_invariant(invariant)
    state = automaton.initial()
    told: list[Verdict] = []
    for step in run:
        more: Sequence[Verdict] = ()
        if isinstance(step, TracePoint):
            assert isinstance(step.letter, Letter)
            others = [name for name in PREDICATES if random.random() < 0.2]
            varying = {*step.letter, *others}
            known = {name: False for name in PREDICATES if name not in varying}
            known |= {name: True for name in varying if is_plain(step.letter[name])}
            route = automaton.route(known, is_end=step.is_session_end)
            if route is not None:
                state, more = automaton.step(state, step, True, route)
            elif state.pending.due_ns is not None:
                state, more = automaton.tick(state, step.time_ns, True)
        else:
            state, more = automaton.tick(state, step, True)
        told += more
    return told


def is_plain(fact: Fact) -> bool:
    """Whether a plan may fold the fact into formulas: true, and nothing more to it."""
    return fact.truth == Truth.TRUE and not (fact.values or fact.missing or fact.overflowing)


def unsettled(verdicts: Sequence[Verdict]) -> dict[object, object]:
    """The last verdict of every event and binding, where it is not that it holds."""
    last = {(v.anchor, v.binding): (v.kind, v.witness, v.decided_ns) for v in verdicts}
    return {key: told for key, told in last.items() if told[0] != "holds"}
