"""Where a stamp is wrong and that shows, nothing is decided that the true times would make wrong.

A run has true times, and one event of it is stamped otherwise: later than the time of reading, or
so late that the times of later events run back. The machine is given the stamps, by way of the
stage that orders events; the naive reference is given the true times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from invariants.compile.automaton import compile_invariant
from invariants.formula.format import format_formula
from invariants.model.event import Event, EventRecord, Origin
from invariants.model.trace_point import TracePoint
from invariants.model.verdict import Binding, Verdict
from invariants.operators.contract import EARLIEST_NS, Birth
from invariants.runtime.machine_state import State
from invariants.runtime.stepper import Stepper
from invariants.runtime.unsure_time import unsure_state
from monitor.ingest.effective_time import Clocks, timing_of
from monitor.ingest.sequence import Header
from tests.laws.census import Census
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.engines import final_verdicts
from tests.support.states import read_back

CLOCKS = Clocks(0, 0, trust_ts=True)
READ_NS = 10**15
Told = dict[tuple[int, Binding], tuple[Verdict, int]]
"""Each verdict as it stands at the end, and the position at which it was given."""


@dataclass
class Counts:
    """How telling the cases were."""

    decided: int = 0
    doubted: int = 0


def told_of(automaton: Stepper, moments: list[TracePoint], stamps: list[int]) -> Told:
    """The verdicts of a machine that is given these stamps."""
    state, header = automaton.initial(), Header()
    told: Told = {}

    def doubt(state: State, time_ns: int, sure_ns: int, number: int) -> State:
        if not number:
            return state
        birth = Birth(number - 1, time_ns, is_time_known=False)
        after, found = unsure_state(automaton, state, birth, sure_ns)
        told.update({(v.anchor.position, v.binding): (v, number) for v in found})
        return after

    for number, (moment, stamp) in enumerate(zip(moments, stamps, strict=True)):
        record = EventRecord(session="s", ts=0, kind="x")
        event = Event(record, "", stamp, b"", Origin("t", "", number), read_ns=READ_NS)
        timing = timing_of(event, header.time_ns, CLOCKS, is_before_unsure=header.is_time_unsure)
        if timing.doubt is not None:
            state = doubt(state, timing.time_ns, timing.doubt.sure_ns, number)
        seen = moment._replace(time_ns=timing.time_ns)
        state, found = automaton.step(state, seen, is_verbose=True)
        told.update({(v.anchor.position, v.binding): (v, number) for v in found})
        if timing.doubt is not None and timing.doubt.is_own:
            state = doubt(state, timing.time_ns, EARLIEST_NS, number + 1)
        state = read_back(automaton, state, timing.time_ns)
        header = Header(number + 1, timing.time_ns, is_time_unsure=timing.is_unsure)
    return told


def is_nested(automaton: Stepper) -> bool:
    """Whether an operator without a window may remember what one with a window said before."""
    windows = [memory.window for memory in automaton.tables.memories]
    bounded = [bool(window.low_ns) or window.high_ns is not None for window in windows]
    return any(bounded) and not all(bounded)


def test_no_wrong_time_decides(census: Census) -> None:
    """What is decided is what the reference says of the true times."""
    census.law = "unsure times"
    counts = {"later": Counts(), "back": Counts()}
    for seed, drawn, run in census.cases(CASES, FIRST_SEED):
        random = Random(seed)
        moments = [step for step in run if isinstance(step, TracePoint)]
        if len(moments) < 2:
            continue
        way = random.choice(("later", "back"))
        automaton = compile_invariant(replace(drawn, on_unknown="report"))
        if way == "back" and is_nested(automaton):
            continue
        liar = random.randrange(len(moments) - (way == "back"))
        stamps = [moment.time_ns for moment in moments]
        span_ns = max(stamps) - min(stamps) + 1
        ahead = stamps[liar] + random.randrange(1, random.choice((2, 8, 16)) * span_ns // 8 + 2)
        stamps[liar] = 2 * READ_NS if way == "later" else ahead
        true = final_verdicts("reference", replace(drawn, on_unknown="report"), list(moments))
        for (position, binding), (verdict, given) in told_of(automaton, moments, stamps).items():
            if way == "back" and (given <= liar or stamps[liar + 1] >= ahead):
                continue  # It does not show yet.
            expected = true.get((position, binding), "holds")
            what = (
                f"seed {seed}, {way}, {drawn.form}: {format_formula(drawn.formula)}, event {liar} "
                f"is stamped otherwise, at {position} {binding}: {verdict.kind}, {expected}"
            )
            if verdict.kind in ("holds", "violated"):
                assert verdict.kind == expected, what
                counts[way].decided += 1
            counts[way].doubted += verdict.kind == "inconclusive"
    print(f"unsure times: {counts}")
    for one in counts.values():
        assert min(one.decided, one.doubted) > CASES // 100
