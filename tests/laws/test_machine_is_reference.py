"""The machine says what the reference says: at every prefix, binding and verdict."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from invariants.formula.format import format_formula
from invariants.machine import compile_invariant
from invariants.moment import Moment
from invariants.spec import InvariantSpec
from invariants.state import decode_state, encode_state
from invariants.verdict import Verdict
from tests.laws.census import CENSUS
from tests.support.cases import show_verdicts, write_case
from tests.support.engines import Step, Verdicts, final_verdicts, history
from tests.support.formulas import invariants, runs

MACHINE_FUTURE = ("eventually",)  # The machine knows no other future operator yet.
machine_invariants = invariants(future=MACHINE_FUTURE, has_exists=False)


def report(invariant: InvariantSpec, steps: Sequence[Step], told: Verdicts, meant: Verdicts) -> str:
    """What to read when a law fails, and the line to keep."""
    differing = sorted({key[0] for key, kind in {*told.items()} ^ {*meant.items()}})
    return (
        f"\n{invariant.form}: {format_formula(invariant.formula)}"
        f"\nat events {differing} after {len(steps)} steps"
        f"\nmachine:   {show_verdicts(told)}"
        f"\nreference: {show_verdicts(meant)}"
        f"\ncase: {write_case('found by a law', invariant, steps, meant)}\n"
    )


@given(machine_invariants, runs())
def test_the_machine_is_the_reference(invariant: InvariantSpec, steps: tuple[Step, ...]) -> None:
    """After every event and every tick both have told the same verdicts."""
    meant: Verdicts = {}
    stages = zip(
        history("machine", invariant, steps), history("reference", invariant, steps), strict=True
    )
    for count, (told, meant) in enumerate(stages, 1):
        assert told == meant, report(invariant, steps[:count], told, meant)
    text = write_case("", invariant, steps, meant)
    CENSUS.note(text, invariant.formula, meant)


@given(machine_invariants, runs(), st.data())
def test_a_state_written_and_read_is_the_state(
    invariant: InvariantSpec, steps: tuple[Step, ...], data: st.DataObject
) -> None:
    """Encoding and decoding at any cut changes no later verdict, witness or time."""
    cuts = data.draw(st.sets(st.integers(0, len(steps))))
    plain, cut = all_told(invariant, steps, set()), all_told(invariant, steps, cuts)
    assert plain == cut, report(invariant, steps, final_verdicts("machine", invariant, steps), {})


@given(machine_invariants, runs())
def test_ticks_change_no_verdict(invariant: InvariantSpec, steps: tuple[Step, ...]) -> None:
    """With and without ticks the events have the same verdicts, once time has passed them."""
    last = [step for step in steps if isinstance(step, Moment)][-1:]
    quiet = [step for step in steps if isinstance(step, Moment)]
    with_ticks = (
        [step for step in steps if isinstance(step, Moment) or step <= last[0].time_ns]
        if last
        else []
    )
    told = final_verdicts("machine", invariant, with_ticks)
    without = final_verdicts("machine", invariant, quiet)
    assert told == without, report(invariant, with_ticks, told, without)


def all_told(invariant: InvariantSpec, steps: Sequence[Step], cuts: set[int]) -> list[Verdict]:
    """Every verdict that the machine tells, its state written and read back at the cuts."""
    automaton = compile_invariant(invariant)
    state = automaton.initial()
    told: list[Verdict] = []
    for count, step in enumerate(steps):
        if count in cuts:
            state = decode_state(automaton, encode_state(automaton, state))
        if isinstance(step, Moment):
            state, more = automaton.step(state, step, is_verbose=True)
        else:
            state, more = automaton.tick(state, step, is_verbose=True)
        told += more
    return told
