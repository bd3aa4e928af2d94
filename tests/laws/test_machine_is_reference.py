"""The machine says what the reference says: at every prefix, binding and verdict.

Two allowances, both named in the reports that a failure prints: an event's binding that is *held*
by only one of the two engines is no difference where the formula compares variables (which of
them an event makes is a matter of reading, and decides nothing but a count); and where a list
was too long to be kept the machine may say `inconclusive` of what the reference still knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import assume, given
from hypothesis import strategies as st

from invariants.formula.ast import Aggregate, Comparison, Formula
from invariants.formula.format import format_formula
from invariants.machine import compile_invariant
from invariants.moment import Moment
from invariants.spec import InvariantSpec
from invariants.state import decode_state, encode_state
from invariants.verdict import Verdict
from tests.laws.census import CENSUS, nodes_of
from tests.support.cases import show_verdicts, write_case
from tests.support.engines import Step, Verdicts, history
from tests.support.formulas import invariants, runs

MACHINE_FUTURE = ("eventually",)  # The machine knows no other future operator yet.
machine_invariants = invariants(future=MACHINE_FUTURE, has_exists=False)


@given(machine_invariants, runs(has_overflow=False))
def test_the_machine_is_the_reference(invariant: InvariantSpec, steps: tuple[Step, ...]) -> None:
    """After every event and every tick both have told the same verdicts."""
    meant: Verdicts = {}
    for count, (told, meant) in enumerate(both_histories(invariant, steps), 1):
        assert are_same(invariant, told, meant), report(invariant, steps[:count], told, meant)
    CENSUS.note(write_case("", invariant, steps, meant), invariant.formula, meant)


@given(machine_invariants, runs(has_overflow=True))
def test_what_was_not_kept_is_never_fine(invariant: InvariantSpec, steps: tuple[Step, ...]) -> None:
    """With lists too long to keep, the machine says what the reference says, or inconclusive."""
    # An aggregate's groups that exist already do not hear of such a list yet; see case 33.
    assume(not has_grouped_aggregate(invariant.formula))
    doubtful = "violated" if invariant.on_unknown == "violate" else "inconclusive"
    for count, (told, meant) in enumerate(both_histories(invariant, steps), 1):
        for key in {*told, *meant}:
            said = told.get(key, "holds")
            is_right = said in (doubtful, "pending", meant.get(key, "holds"))
            assert is_right, report(invariant, steps[:count], told, meant)


@given(machine_invariants, runs(), st.sets(st.integers(0, 8)))
def test_a_state_written_and_read_is_the_state(
    invariant: InvariantSpec, steps: tuple[Step, ...], cuts: set[int]
) -> None:
    """Encoding and decoding at any cut changes no later verdict, witness or time."""
    plain, cut = all_told(invariant, steps, set()), all_told(invariant, steps, cuts)
    shown = "\n".join(map(str, plain)) + "\n\n" + "\n".join(map(str, cut))
    assert plain == cut, report(invariant, steps, {}, {}) + f"cuts {cuts}\n{shown}"


@given(machine_invariants, runs())
def test_ticks_change_no_verdict(invariant: InvariantSpec, steps: tuple[Step, ...]) -> None:
    """Ticks up to the last event tell what the events tell without them, and no more."""
    events = [step for step in steps if isinstance(step, Moment)]
    end_ns = events[-1].time_ns if events else 0
    ticked = [step for step in steps if isinstance(step, Moment) or step <= end_ns]
    by_key = {(v.anchor, v.binding): v.kind for v in all_told(invariant, ticked, set())}
    quiet = {(v.anchor, v.binding): v.kind for v in all_told(invariant, events, set())}
    assert by_key == quiet, report(invariant, ticked, {}, {}) + f"{by_key}\n{quiet}"


def both_histories(
    invariant: InvariantSpec, steps: Sequence[Step]
) -> list[tuple[Verdicts, Verdicts]]:
    """What the machine and what the reference has told after each step."""
    told = history("machine", invariant, steps)
    return list(zip(told, history("reference", invariant, steps), strict=True))


def are_same(invariant: InvariantSpec, told: Verdicts, meant: Verdicts) -> bool:
    """Equal, but for bindings that merely hold where the formula compares variables."""
    if told == meant:
        return True
    if not any(isinstance(node, Comparison) for node in nodes_of(invariant.formula)):
        return False
    keys = {*told, *meant}
    return all(told.get(key, "holds") == meant.get(key, "holds") for key in keys)


def has_grouped_aggregate(formula: Formula) -> bool:
    """Whether an aggregate has an argument."""
    nodes = nodes_of(formula)
    return any(isinstance(node, Aggregate) and node.atom.arguments for node in nodes)


def report(invariant: InvariantSpec, steps: Sequence[Step], told: Verdicts, meant: Verdicts) -> str:
    """What to read when a law fails, and the line to keep for ever."""
    return (
        f"\n{invariant.form}: {format_formula(invariant.formula)}"
        f"\nafter {len(steps)} steps"
        f"\nmachine:   {show_verdicts(told)}"
        f"\nreference: {show_verdicts(meant)}"
        f"\ncase: {write_case('found by a law', invariant, steps, meant)}\n"
    )


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
