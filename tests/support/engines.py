"""Two engines behind one call: the naive reference, and the machine.

A history is what an engine said after each step of a run: for every judged (anchor, binding) the
verdict as it stands then. A step is an event (a `TracePoint`) or a tick (a time in nanoseconds).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from invariants.compile.automaton import compile_invariant
from invariants.formula.ast import Formula
from invariants.formula.format import format_formula
from invariants.model.errors import Place
from invariants.model.fact import NO_FACT, Fact
from invariants.model.source_text import SourceText
from invariants.model.trace_point import TracePoint
from invariants.model.verdict import Binding, VerdictKind
from invariants.reference import judge
from invariants.spec.model import InvariantSpec

Step = TracePoint | int
Verdicts = dict[tuple[int, Binding], VerdictKind]
Kernel = Literal["reference", "machine"]


class Letter(dict[str, Fact]):
    """What every predicate says of one event; a predicate that is not told is false."""

    def __missing__(self, predicate: str) -> Fact:
        return NO_FACT


def make_moment(
    position: int, time_ns: int, facts: Mapping[str, Fact], *, is_session_end: bool = False
) -> TracePoint:
    """One event of a trace; its id is its position."""
    return TracePoint(position, time_ns, f"e{position}", Letter(facts), is_session_end)


def make_invariant(
    form: Literal["never", "always"],
    formula: Formula,
    on_unknown: Literal["violate", "report"] = "report",
) -> InvariantSpec:
    """An invariant of which nothing matters but what it says."""
    place = Place()
    source = SourceText(format_formula(formula), place)
    return InvariantSpec("law", "info", form, formula, source, place, on_unknown=on_unknown)


def history(engine: Kernel, invariant: InvariantSpec, steps: Sequence[Step]) -> Iterator[Verdicts]:
    """All verdicts as they stand after each step."""
    if engine == "reference":
        return _reference_history(invariant, steps)
    return _machine_history(invariant, steps)


def final_verdicts(engine: Kernel, invariant: InvariantSpec, steps: Sequence[Step]) -> Verdicts:
    """All verdicts as they stand after the last step."""
    if engine == "reference":  # Which looks at the whole trace each time, so once is enough.
        return _judged(invariant, steps)
    return [{}, *history(engine, invariant, steps)][-1]


def _reference_history(invariant: InvariantSpec, steps: Sequence[Step]) -> Iterator[Verdicts]:
    for count in range(1, len(steps) + 1):
        yield _judged(invariant, steps[:count])


def _judged(invariant: InvariantSpec, steps: Sequence[Step]) -> Verdicts:
    trace = [step for step in steps if isinstance(step, TracePoint)]
    ticks_ns = [step for step in steps if not isinstance(step, TracePoint)]
    return judge(invariant, trace, ticked_to_ns=max(ticks_ns, default=None))


def _machine_history(invariant: InvariantSpec, steps: Sequence[Step]) -> Iterator[Verdicts]:
    automaton = compile_invariant(invariant)
    state = automaton.initial()
    verdicts: Verdicts = {}
    for step in steps:
        if isinstance(step, TracePoint):
            state, told = automaton.step(state, step, is_verbose=True)
        else:
            state, told = automaton.tick(state, step, is_verbose=True)
        for verdict in told:
            key = verdict.anchor.position, verdict.binding
            was = verdicts.get(key, "pending")
            assert was == "pending", f"{key} was {was} and is told again as {verdict.kind}"
            verdicts[key] = verdict.kind
        yield dict(verdicts)
