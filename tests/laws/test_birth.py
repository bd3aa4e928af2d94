"""An invariant that sees only the end of a trace says nothing that its past could make wrong.

A run is cut in two. The machine is born behind the first part and given the second; the naive
reference is given the whole. Whatever the first part was, what the born machine decides must be
what the reference says, and what it escalates must be no event that the reference finds fine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from random import Random

import pytest

from invariants.check.normal_form import violating_formula
from invariants.compile.automaton import compile_invariant
from invariants.formula.ast import Window
from invariants.formula.format import format_formula
from invariants.model.trace_point import TracePoint
from invariants.model.verdict import Binding, Verdict
from invariants.operators.contract import Birth
from invariants.runtime.birth import born
from invariants.spec.model import InvariantSpec
from tests.laws.census import Census, Run
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.engines import final_verdicts
from tests.support.states import read_back, time_of

DECIDED = ("holds", "violated")


@dataclass
class Counts:
    """How telling the cases were."""

    decided: int = 0
    doubted: int = 0
    escalated: int = 0
    spared: int = 0
    past_reach: int = 0


def cut(run: Run, random: Random) -> tuple[Birth, Run] | None:
    """The run behind a birth; None where nothing would be before or behind it."""
    places = [place for place, step in enumerate(run) if isinstance(step, TracePoint)]
    if len(places) < 2:
        return None
    place = random.choice(places[:-1])
    last = run[place]
    assert isinstance(last, TracePoint)
    return Birth(last.position, last.time_ns), run[place + 1 :]


def born_verdicts(
    invariant: InvariantSpec, birth: Birth, run: Run
) -> dict[tuple[int, Binding], Verdict]:
    """What a machine that was born there says of the rest, each verdict as it stands at the end."""
    automaton = compile_invariant(invariant)
    state = born(automaton, birth)
    verdicts: dict[tuple[int, Binding], Verdict] = {}
    for count, step in enumerate(run):
        state = read_back(automaton, state, max(birth.time_ns, time_of(run[:count])))
        if isinstance(step, TracePoint):
            state, told = automaton.step(state, step, is_verbose=True)
        else:
            state, told = automaton.tick(state, step, is_verbose=True)
        verdicts |= {(v.anchor.position, v.binding): v for v in told}
    return verdicts


def machine_verdict(invariant: InvariantSpec, run: Run, at: tuple[int, Binding]) -> str:
    """What a machine says of an event that has seen the whole trace."""
    return final_verdicts("machine", invariant, run).get(at, "holds")


def depth_ns(node: object) -> int | None:
    """How far back a formula looks, windows inside windows added up; None if without end."""
    own = 0
    window = getattr(node, "window", None)
    if isinstance(window, Window):
        if window.high_ns is None:
            return None
        own = window.high_ns
    inside = [
        depth_ns(part)
        for name in getattr(node, "__dataclass_fields__", ())
        for part in _parts(getattr(node, name))
    ]
    known = [depth for depth in inside if depth is not None]
    return own + max(known, default=0) if len(known) == len(inside) else None


def _parts(held: object) -> Iterable[object]:
    return held if isinstance(held, tuple) else (held,)


def judge(seed: int, drawn: InvariantSpec, run: Run, counts: Counts) -> None:
    """One case: a machine that is born in the middle of its run, against the whole."""
    random = Random(seed)
    parts = cut(run, random)
    if parts is None:
        return
    birth, rest = parts
    reported = replace(drawn, on_unknown="report")
    true = final_verdicts("reference", reported, run)
    told = born_verdicts(replace(drawn, on_unknown="violate"), birth, rest)
    reach = depth_ns(violating_formula(drawn))
    for (position, binding), verdict in told.items():
        what = (
            f"seed {seed}, {drawn.form}: {format_formula(drawn.formula)}, born behind "
            f"{birth}, at {position} {binding}: {verdict.kind}, "
            f"{true.get((position, binding))} with the past"
        )
        expected = true.get((position, binding), "holds")
        whole_verdict = partial(machine_verdict, reported, run, (position, binding))
        if verdict.kind == "violated" and not verdict.is_escalated:
            assert expected == "violated", what
            counts.decided += 1
        elif verdict.kind == "holds":
            assert expected == "holds", what
            counts.decided += 1
        elif verdict.kind == "violated":
            # With lists that are too long the machine doubts what the reference decides.
            whole = expected if expected != "holds" else whole_verdict()
            assert whole != "holds", what
            counts.escalated += 1
        elif verdict.kind == "inconclusive":
            counts.doubted += 1
            counts.spared += expected == "holds"
        if reach is not None and verdict.anchor.time_ns - birth.time_ns > reach:
            was = "inconclusive" if verdict.is_escalated else verdict.kind
            assert was in (expected, "pending") or was == whole_verdict(), what
            counts.past_reach += 1


@pytest.mark.parametrize("seed", [1_081, 900_909, 5_004_260])
def test_what_long_runs_found_stays_mended(seed: int) -> None:
    """The session's end before a birth, two events before it, and a list that was cut since."""
    for found, drawn, run in Census("births").cases(1, seed, has_overflow=True):
        judge(found, drawn, run, Counts())


def test_nothing_is_decided_that_the_past_could_change(census: Census) -> None:
    """Decided and escalated for every past; and once all windows have passed, as with the past."""
    census.law = "births"
    counts = Counts()
    for seed, drawn, run in census.cases(CASES, FIRST_SEED, has_overflow=True):
        judge(seed, drawn, run, counts)
    print(f"births: {counts}")
    assert min(counts.decided, counts.doubted, counts.escalated, counts.spared) > CASES // 100
    assert counts.past_reach > CASES // 100
