"""The invariants about one kind of scope, compiled.

`step` and `tick` are the one way in which events meet invariants, in the live monitor, in replay
and in tests of invariant files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..model.event import Event
from ..model.limits import DEFAULT_LIMITS
from ..model.trace_point import TracePoint
from ..model.verdict import Verdict
from ..spec.model import Per
from ..taint.event_view import EventView
from ..taint.memory import NOTHING_SHOWN, Fingerprints, Shown
from .data_source import Showing
from .declared import Declared
from .machine_state import State
from .plan import Facts, Plan, Vector, doubted, is_told
from .planning import Planner
from .predicate import Predicate
from .report_mode import Covers
from .stepper import Stepper


@dataclass(frozen=True, slots=True)
class Compiled:
    """One invariant of a program, and which file's predicates it reads."""

    automaton: Stepper
    file_index: int
    file: str

    @property
    def declared(self) -> Declared:
        """The author's declaration of it."""
        return self.automaton.declared

    @property
    def predicates(self) -> tuple[str, ...]:
        """The predicates that it reads, of its file."""
        return self.automaton.tables.predicates

    @property
    def memories_count(self) -> int:
        """How many operators of its formula remember something."""
        return len(self.automaton.tables.memories)

    @property
    def digest(self) -> str:
        """Of the invariant with all that its verdicts depend on."""
        return self.automaton.declared.digest


class Progress(NamedTuple):
    """All invariants' states on one scope, and how far its trace has come.

    `states` is aligned with the program's invariants.
    """

    position: int
    states: tuple[State, ...]
    next_deadline_ns: int | None = None
    shown: Shown = NOTHING_SHOWN

    def is_waiting(self) -> bool:
        """True if some verdict is pending, with a deadline or without."""
        return any(state.pending.waiting_count for state in self.states)


class Judged(NamedTuple):
    """The result of one input: verdicts, each with the index of its invariant, and losses at
    bounds.

    `lost` contains the indices of invariants whose losses are to be reported, with their count so
    far, `sources_lost` those of sources that are incomplete from now on.
    """

    progress: Progress
    verdicts: tuple[tuple[int, Verdict], ...]
    lost: tuple[tuple[int, int], ...] = ()
    sources_lost: tuple[int, ...] = ()


@dataclass(frozen=True)
class ScopeProgram:
    """The invariants whose traces are of one kind of scope (`per`)."""

    per: Per
    invariants: tuple[Compiled, ...]
    predicates: tuple[Mapping[str, Predicate], ...]
    """Those of each file that invariants name. Kinds of scope share them, and with them the budget
    of an event."""
    initial: Progress
    """A scope before its first event; its states are compared with others by identity."""
    sources: tuple[Showing, ...] = ()
    """Values shown to a session belong to the session: wider scopes do not remember them."""
    fingerprints: tuple[Fingerprints, ...] = ()
    """The keys of data memories: the newest makes new ones, the others go on with theirs."""
    pairs_max: int = DEFAULT_LIMITS.pairs_max
    _planner: Planner = field(init=False, repr=False, compare=False)
    _awaiting: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """The invariants whose verdicts can have deadlines."""
    _selective: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """The invariants whose `report` leaves verdicts out."""

    def __post_init__(self) -> None:
        automata = [(compiled.automaton, compiled.file_index) for compiled in self.invariants]
        planner = Planner(automata, self.predicates, self.sources, self.per)
        # Frozen to its users: a memo changes nothing that they can see.
        object.__setattr__(self, "_planner", planner)
        awaiting = tuple(
            index
            for index, compiled in enumerate(self.invariants)
            if compiled.automaton.tables.future is not None
        )
        object.__setattr__(self, "_awaiting", awaiting)
        selective = tuple(
            index
            for index, compiled in enumerate(self.invariants)
            if compiled.declared.report != "every"
        )
        object.__setattr__(self, "_selective", selective)

    def plan(self, kind: str, tool: str) -> Plan:
        """Which predicates and invariants an event of this kind and tool can concern."""
        return self._planner.plan(kind, tool)

    def step(
        self,
        progress: Progress,
        event: Event,
        asked: Shown | None = None,
        *,
        is_unreported: bool = False,
        covers: Covers | None = None,
    ) -> Judged:
        """Process one event, whose effective time is set and not before its predecessor's.

        `asked` contains the values shown to the event's own session; by default those shown to this
        scope. `is_unreported`: every violation at the event is a verdict, whatever `report` says,
        and no other verdict is; the progress is then of no use. `covers` are the operators'
        exceptions.
        """
        record = event.record
        plan = self.plan(record.kind, record.tool)
        due = progress.next_deadline_ns
        overdue = due is not None and due < event.time_ns
        shown = self.asked_of(progress.shown, event)
        if not plan.concerned and not overdue and not plan.showing:
            position = progress.position + 1
            return Judged(Progress(position, progress.states, due, shown), ())
        verdicts: list[tuple[int, Verdict]] = []
        if overdue:
            progress, late = self._pass_time(progress, event.time_ns, covers)
            verdicts += late
        view = EventView(event, shown if asked is None else asked)
        facts = plan.facts(view)
        moments: dict[int, TracePoint] = {}
        states = list(progress.states)
        lost: list[tuple[int, int]] = []
        is_awaited = False
        # Of what kind and tool leave open, most is false at the event: it is skipped too.
        for index, route in self._planner.concerned(plan, facts):
            compiled = self.invariants[index]
            now = moments.get(compiled.file_index)
            if now is None:
                now = self._moment(compiled.file_index, plan, progress.position, view, facts)
                moments[compiled.file_index] = now
            old = states[index]
            state, found = compiled.automaton.step(old, now, is_unreported, route, covers)
            if is_unreported:
                found = [verdict for verdict in found if verdict.kind == "violated"]
            if state is not old:
                states[index] = state
                is_awaited = is_awaited or state.pending is not old.pending
                if is_told(old.lost_count, state.lost_count):
                    lost.append((index, state.lost_count))
            if found:
                verdicts += [(index, verdict) for verdict in found]
        if view.steps_left < 0:
            verdicts = doubted(verdicts, progress.position, plan.steps_max)
            # An invariant that is already in doubt needs no second report about its losses.
            lost = [item for item in lost if all(item[0] != told for told, _ in verdicts)]
        position = progress.position + 1
        sources_lost: tuple[int, ...] = ()
        if plan.showing:
            shown, sources_lost = self._show(shown, plan.showing, view)
        if is_awaited:
            after = self._progress(position, tuple(states), shown)
        else:
            after = Progress(position, tuple(states), progress.next_deadline_ns, shown)
        return Judged(after, tuple(verdicts), tuple(lost), sources_lost)

    def leaves_out(self, progress: Progress) -> bool:
        """True if `report` may leave out a verdict of the next event."""
        return any(progress.states[index].told for index in self._selective)

    def asked_of(self, shown: Shown, event: Event) -> Shown:
        """The values shown to an event's session, and its parent as the event states it."""
        if event.record.parent and self.sources and not shown.is_child:
            return Shown(shown.memories, is_child=True)
        return shown

    def _moment(
        self, file_index: int, plan: Plan, position: int, view: EventView, facts: Vector
    ) -> TracePoint:
        """The event as the invariants of a file see it."""
        letter = self._planner.letter(file_index, facts)
        return TracePoint(position, view.time_ns, view.event.id, letter, plan.shape.is_end)

    def facts(self, event: Event) -> tuple[Facts, ...]:
        """The facts of each file's predicates for an event, for readers: as in `step`."""
        facts = self.plan(event.kind, event.record.tool).facts(EventView(event))
        return tuple(self._planner.letter(n, facts) for n in range(len(self.predicates)))

    def unscoped(self, event: Event, asked: Shown) -> list[tuple[int, Verdict]] | None:
        """The verdicts at an event that names no scope, and so belongs to no trace.

        None if every predicate is false for it.
        """
        plan = self.plan(event.kind, event.record.tool)
        view = EventView(event, asked)
        facts = plan.facts(view)
        verdicts: list[tuple[int, Verdict]] = []
        is_noticed = False
        for index, route in plan.concerned:
            compiled = self.invariants[index]
            now = self._moment(compiled.file_index, plan, 0, view, facts)
            names = compiled.automaton.tables.predicates
            is_noticed = is_noticed or any(now.letter[name].truth for name in names)
            found = compiled.automaton.unscoped(now, route)
            verdicts += [(index, verdict) for verdict in found]
        return verdicts if is_noticed or verdicts else None

    def memory_ns(self) -> int | None:
        """How long after its last event a trace can still matter; None if there is no limit."""
        if any(compiled.declared.report != "every" for compiled in self.invariants):
            return None  # The record of reported findings is kept for ever.
        reaches = [compiled.declared.reach_ns for compiled in self.invariants]
        return None if None in reaches else max(filter(None, reaches), default=0)

    def _show(
        self, shown: Shown, places: tuple[int, ...], view: EventView
    ) -> tuple[Shown, tuple[int, ...]]:
        """Add the values that an event shows to its session, after its verdicts; returns incomplete
        sources.
        """
        memories = list(shown.memories)
        for place in places:
            source = self.sources[place]
            memories[place] = source.taking(memories[place], view, self.pairs_max)
        lost = tuple(
            place
            for place in places
            if shown.memories[place].is_whole and not memories[place].is_whole
        )
        return Shown(tuple(memories), shown.is_child), lost

    def tick(self, progress: Progress, time_ns: int, covers: Covers | None = None) -> Judged:
        """Time has reached `time_ns`: every deadline before it is decided."""
        due = progress.next_deadline_ns
        if due is None or due >= time_ns:
            return Judged(progress, ())
        progress, verdicts = self._pass_time(progress, time_ns, covers)
        return Judged(progress, tuple(verdicts))

    def runs(self, progress: Progress) -> Judged:
        """The runs of violations that are not over, as far as they have come."""
        found = [
            (index, verdict)
            for index, compiled in enumerate(self.invariants)
            for verdict in compiled.automaton.runs(progress.states[index])
        ]
        return Judged(progress, tuple(found))

    def with_states(self, position: int, states: Mapping[str, State], shown: Shown) -> Progress:
        """Progress from stored states by invariant digest; an invariant without one begins."""
        taken = tuple(
            states.get(compiled.digest, initial)
            for compiled, initial in zip(self.invariants, self.initial.states, strict=True)
        )
        return self._progress(position, taken, shown)

    def _pass_time(
        self, progress: Progress, time_ns: int, covers: Covers | None
    ) -> tuple[Progress, list[tuple[int, Verdict]]]:
        states = list(progress.states)
        verdicts: list[tuple[int, Verdict]] = []
        for index, compiled in enumerate(self.invariants):
            if states[index].pending.due_ns is not None:
                automaton = compiled.automaton
                states[index], found = automaton.tick(states[index], time_ns, covers=covers)
                verdicts += [(index, verdict) for verdict in found]
        verdicts.sort(key=lambda item: item[1].decided_ns)
        return self._progress(progress.position, tuple(states), progress.shown), verdicts

    def _progress(self, position: int, states: tuple[State, ...], shown: Shown) -> Progress:
        due = [states[index].pending.due_ns for index in self._awaiting]
        waiting = [at_ns for at_ns in due if at_ns is not None]
        return Progress(position, states, min(waiting) if waiting else None, shown)
