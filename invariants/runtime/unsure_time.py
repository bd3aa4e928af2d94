"""Events whose distance in time from others is not known.

    step_at(program, progress, event, doubt, asked) -> Judged
    violations_at(program, judged, progress, event, doubt, asked) -> verdicts

The producers choose the times of a trace. If times run back, or are later than the time at which
they are read, the order of the events is certain, but their distance is not known. So the content
of an operator with a window becomes a span of unknown times, as at a birth (`birth.py`): a verdict
that depends on it is inconclusive until the window has passed over it. Obligations with a window
become inconclusive, except those whose distance from the event is known. Operators without a window
depend only on the order, and are unaffected.

The producer causes the doubt. In its own session it counts like any other doubt (`on_unknown`). In
a wider scope the doubt of one session must not stop another: it is escalated like doubt about a
birth.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from ..model.event import Event
from ..model.verdict import Verdict
from ..operators.contract import EARLIEST_NS, Birth, is_bounded
from ..taint.memory import Shown
from .birth import born, born_progress, unknown_cells
from .machine_state import State
from .report_mode import Covers
from .scope_program import Judged, Progress, ScopeProgram
from .stepper import Stepper

REASON: Final = (
    "the times of its trace run back, or lie in the future: how long it waited is not known"
)


class TimeDoubt(msgspec.Struct, frozen=True):
    """The distance in time between an event and earlier ones is not known.

    The distance from obligations that began up to `sure_ns` is known. `is_own`: the event's own
    time is not known, so that no distance from it is known either. `has_forgotten`: a trace that is
    wider than a session may have forgotten events that were too old for the time believed.
    """

    sure_ns: int = EARLIEST_NS
    is_own: bool = False
    has_forgotten: bool = False


def step_at(
    program: ScopeProgram,
    progress: Progress,
    event: Event,
    doubt: TimeDoubt | None,
    asked: Shown | None = None,
    *,
    covers: Covers | None = None,
) -> Judged:
    """`ScopeProgram.step`, of an event whose time is in doubt or is not."""
    if doubt is None:
        return program.step(progress, event, asked, covers=covers)
    progress, before = _unsure(
        program,
        progress,
        event.time_ns,
        doubt.sure_ns,
        has_forgotten=doubt.has_forgotten,
        covers=covers,
    )
    judged = program.step(progress, event, asked, covers=covers)
    after: list[tuple[int, Verdict]] = []
    if doubt.is_own:
        progress, after = _unsure(
            program, judged.progress, event.time_ns, EARLIEST_NS, covers=covers
        )
        judged = judged._replace(progress=progress)
    return judged._replace(verdicts=(*before, *judged.verdicts, *after))


def violations_at(
    program: ScopeProgram,
    judged: Judged,
    progress: Progress,
    event: Event,
    *,
    doubt: TimeDoubt | None,
    asked: Shown | None = None,
) -> tuple[tuple[int, Verdict], ...]:
    """Every violation that an event decides, also those that `report` leaves out.

    `judged` is what `step_at` made of the other arguments. Verdicts of deadlines before the event
    are not the event's.
    """
    verdicts = judged.verdicts
    if program.leaves_out(progress):
        if doubt is not None:
            progress, _ = _unsure(program, progress, event.time_ns, doubt.sure_ns)
        verdicts = program.step(progress, event, asked, is_unreported=True).verdicts
    return tuple(one for one in verdicts if _is_violated_at(one[1], event.time_ns))


def _is_violated_at(verdict: Verdict, time_ns: int) -> bool:
    """True for a violation that an event of this time decides, but not for an earlier one that is
    reported again as a run.
    """
    is_again = verdict.run is not None and verdict.run.count > 1
    return verdict.kind == "violated" and verdict.decided_ns >= time_ns and not is_again


def timed_ids(program: ScopeProgram) -> tuple[str, ...]:
    """The invariants of the program that measure time."""
    own = (c.declared.id for c in program.invariants if _measures_time(c.automaton))
    return tuple(sorted(own))


def _measures_time(automaton: Stepper) -> bool:
    tables = automaton.tables
    windows = [memory.window for memory in tables.memories]
    windows += [tables.future.window] if tables.future is not None else []
    return any(map(is_bounded, windows))


def _unsure(
    program: ScopeProgram,
    progress: Progress,
    time_ns: int,
    sure_ns: int,
    *,
    has_forgotten: bool = False,
    covers: Covers | None = None,
) -> tuple[Progress, list[tuple[int, Verdict]]]:
    """The progress if the distance of earlier events from `time_ns` is unknown."""
    birth = Birth(progress.position - 1, time_ns, is_time_known=False)
    if not progress.position:
        if has_forgotten and program.per != "session":
            timed = {c.digest for c in program.invariants if _measures_time(c.automaton)}
            progress, _ = born_progress(program, progress, birth, timed)
        return progress, []
    states, verdicts = {}, list[tuple[int, Verdict]]()
    for index, compiled in enumerate(program.invariants):
        state, found = unsure_state(
            compiled.automaton, progress.states[index], birth, sure_ns, covers
        )
        verdicts += [(index, verdict) for verdict in found]
        states[compiled.digest] = state
    return program.with_states(progress.position, states, progress.shown), verdicts


def unsure_state(
    automaton: Stepper, state: State, birth: Birth, sure_ns: int, covers: Covers | None = None
) -> tuple[State, list[Verdict]]:
    """The same of one invariant; `birth` is the last event, and when it was at the latest."""
    if not _measures_time(automaton):
        return state, []
    state, found = _given_up(automaton, state, birth.time_ns, sure_ns, covers)
    return _forgotten(automaton, state, birth, is_shared=automaton.declared.per != "session"), found


def _given_up(
    automaton: Stepper, state: State, time_ns: int, sure_ns: int, covers: Covers | None
) -> tuple[State, list[Verdict]]:
    """The state without the obligations that cannot be decided any more, and their verdicts."""
    future = automaton.tables.future
    if future is None or not is_bounded(future.window):
        return state, []
    pending, decisions = future.given_up(state.pending, time_ns, sure_ns)
    state = state._replace(pending=pending)
    found = [replace(automaton.decided(one, state), reason=REASON) for one in decisions]
    state, told = automaton.reported(state, found, covers)
    return state, list(told)


def _forgotten(automaton: Stepper, state: State, birth: Birth, *, is_shared: bool) -> State:
    """The state with unknown times in place of the content of operators with a window."""
    memories = automaton.tables.memories
    fresh = unknown_cells(memories, birth, {})
    cells = tuple(memory.unsure(state.cells[memory.index], fresh) for memory in memories)
    if not (is_shared or state.is_born):
        return state._replace(cells=cells)
    supposed = born(automaton, birth).favourable
    held = state.favourable if state.is_born else state.cells
    favourable = None
    if supposed is not None and held is not None:
        favourable = tuple(
            (supposed if is_bounded(memory.window) else held)[memory.index] for memory in memories
        )
    return state._replace(cells=cells, is_born=True, favourable=favourable)
