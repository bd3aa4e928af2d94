"""The stepping machine: one invariant over one scope's trace.

    step(state, moment)   -> (state', verdicts)
    tick(state, time_ns)  -> (state', verdicts)      deadlines before time_ns are decided

States are immutable: a step makes a new small tuple, and whoever keeps the old one can go back.
The cost of an event is the predicates it meets, the slices it names, the deadlines it passes and
the window entries it expires (each once); never the length of the session.

Source of the meaning: docs/language.md; `reference/` is the same thing written naively.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ..model.limits import Limits
from ..model.trace_point import TracePoint
from ..model.verdict import MISSING_BINDING, Binding, EventRef, Verdict, VerdictKind, Witness
from ..operators.contract import Memory
from ..operators.future import Anchor, Decision
from ..operators.nodes import (
    FALSE_NODE,
    TRUE_NODE,
    UNBOUND,
    AtomNode,
    Bindings,
    Cells,
    Env,
    Node,
    bindings,
    nobody,
)
from ..operators.specialise import Known, assumed, folded
from ..operators.witness import witness_of
from .declared import Declared
from .machine_state import Route, State, stepped, without_grounds
from .missing_values import is_missing, without_missing
from .report_mode import Covers, end_runs, runs_of, take_told
from .tables import MissingUse, Tables

_KINDS: Final[tuple[VerdictKind, ...]] = ("holds", "inconclusive", "violated")


@dataclass(frozen=True, slots=True)
class Stepper:
    """A compiled invariant."""

    declared: Declared
    tables: Tables
    limits: Limits
    _whole_route: Route

    def initial(self) -> State:
        """The state before the first event."""
        return State(tuple(memory.initial for memory in self.tables.memories))

    def route(self, known: Known, *, is_end: bool) -> Route | None:
        """The part that an event with these known facts has to pass.

        None if such an event changes nothing and is not a violation.
        """
        tables = self.tables
        future = tables.future
        touched = (memory.touched_by(known, is_end) for memory in tables.memories)
        asked = tables.trigger and folded(tables.trigger, known, is_end)
        violating = folded(tables.violating, known, is_end)
        route = Route(
            memories=tuple(memory for memory in touched if memory is not None),
            is_judged=asked is not FALSE_NODE
            and (violating is not FALSE_NODE or self.declared.report == "edge"),
            is_observed=future is not None and future.is_touched(known, is_end),
            missing_uses=tuple(
                use for use in tables.missing_uses if known.get(use.predicate) is None
            ),
            trigger=None if asked is TRUE_NODE else asked,
            violating=violating,
            bound=_bound(asked, violating, tables.binder),
        )
        ends_runs = is_end and self.declared.report == "edge"
        if not any(route[:4]) and not ends_runs:
            return None
        return self._whole_route._replace(is_judged=route.is_judged) if tables.is_large else route

    def step(
        self,
        state: State,
        now: TracePoint,
        is_verbose: bool = False,
        route: Route | None = None,
        covers: Covers | None = None,
    ) -> tuple[State, Sequence[Verdict]]:
        """Process one event.

        Returns violated and inconclusive verdicts; with `is_verbose` also those that hold, and
        pending ones where they begin. Verdicts of deadlines that the event passes come first.
        `route` leaves out the parts that this kind of event cannot concern; by default none.
        """
        route = route or self._whole_route
        verdicts: list[Verdict] = []
        lost_before = state.lost_count
        if state.pending.waiting_count:
            state, verdicts = self._pass_time(state, now.time_ns)
        cells: Sequence[Any] = state.cells
        if route.memories:
            cells, state = self._advance(state, now, route.memories)
        if route.missing_uses:
            verdicts += self._missing(now, route.missing_uses)
        if self.tables.future is None:
            if route.is_judged:
                # Where nothing was reported, a verdict that holds ends no run.
                is_whole = is_verbose or (self.declared.report == "edge" and bool(state.told))
                verdicts += self._judge(now, cells, is_whole, route, state)
        elif route.is_judged or route.is_observed:
            state, more = self._judge_future(state, now, cells, route, is_verbose)
            verdicts += more
        if verdicts and state.lost_count == lost_before and self._is_cut(now, route, verdicts):
            state = state._replace(lost_count=lost_before + 1)
        if is_verbose:
            return state, verdicts
        found: Sequence[Verdict] = verdicts
        if verdicts:
            state, found = self.reported(state, verdicts, covers)
        if now.is_session_end and state.told and self.declared.report == "edge":
            told, ended = end_runs(state.told, self.declared.id, _ref(now))
            if ended:
                state, found = state._replace(told=told), [*found, *ended]
        return state, found

    def runs(self, state: State) -> list[Verdict]:
        """The violations in a row that are not over (`report: edge`)."""
        return runs_of(state.told, self.declared.id) if self.declared.report == "edge" else []

    def _is_cut(self, now: TracePoint, route: Route, verdicts: Sequence[Verdict]) -> bool:
        """True if the event has a longer list, or more bindings, than are considered."""
        reason = self._too_many_text
        return any(verdict.reason == reason for verdict in verdicts) or any(
            use.name in now.letter[use.predicate].overflowing for use in route.missing_uses
        )

    @property
    def _too_many_text(self) -> str:
        return f"the event makes more than {self.limits.bindings_max} bindings (bindings_max)"

    def reported(
        self, state: State, verdicts: Sequence[Verdict], covers: Covers | None = None
    ) -> tuple[State, Sequence[Verdict]]:
        """The verdicts that become findings, and the state that records them."""
        if not verdicts:
            return state, verdicts
        told, findings = take_told(
            self.declared.report, state.told, verdicts, self.limits.slices_max, covers
        )
        if told is not state.told:
            state = state._replace(told=told)
        return state, findings

    def tick(
        self,
        state: State,
        time_ns: int,
        is_verbose: bool = False,
        covers: Covers | None = None,
    ) -> tuple[State, Sequence[Verdict]]:
        """Time has reached `time_ns`: every deadline before it is decided."""
        state, verdicts = self._pass_time(state, time_ns)
        return (state, verdicts) if is_verbose else self.reported(state, verdicts, covers)

    def _pass_time(self, state: State, time_ns: int) -> tuple[State, list[Verdict]]:
        future = self.tables.future
        due_ns = state.pending.due_ns
        if future is None or due_ns is None or due_ns >= time_ns:
            return state, []
        pending, decisions = future.pass_time(state.pending, time_ns)
        state = state._replace(pending=pending)
        return state, [self.decided(d, state) for d in decisions]

    @staticmethod
    def _advance(
        state: State, now: TracePoint, memories: Sequence[Memory]
    ) -> tuple[Sequence[Any], State]:
        """The cells after the event, and the state with them."""
        held, pending, lost_count, told, is_born, favourable = state
        cells, lost, is_changed = stepped(held, now, memories)
        if favourable is not None:
            favourable = tuple(stepped(favourable, now, memories, without_grounds)[0])
        elif not is_changed:
            return cells, state
        # A plain call: it is a third faster than `_replace`, and this is the innermost loop.
        after = tuple(cells) if is_changed else held
        return cells, State(after, pending, lost_count + lost, told, is_born, favourable)

    def _bindings(self, now: TracePoint) -> Bindings:
        """The bindings for which the invariant may be judged at the event."""
        tables = self.tables
        if not tables.variables:
            return nobody(tables.width)
        return bindings(tables.binder, now, tables.width, self.limits.bindings_max)

    def _asked(self, now: TracePoint, route: Route) -> tuple[Node | None, Node]:
        """The trigger and the violating formula for the bindings of the event."""
        bound, binder = route.bound, self.tables.binder
        if bound is None or type(binder) is not AtomNode:
            return route.trigger, route.violating
        is_true = now.letter[binder.predicate].truth == 2
        return bound if is_true else (route.trigger, route.violating)

    def _judge(
        self, now: TracePoint, cells: Cells, is_verbose: bool, route: Route, state: State
    ) -> Sequence[Verdict]:
        verdicts: list[Verdict] = []
        asked, violating = self._asked(now, route)
        found = self._bindings(now)
        for env in found.envs:
            if asked is not None and not asked.value(now, cells, env):
                continue
            truth = violating.value(now, cells, env)
            if truth == 0 and not is_verbose:
                continue
            violation = self.tables.violating
            witness = witness_of(violation, truth, now, cells, env) if truth else Witness()
            verdict = self._verdict(truth, _ref(now), env, witness, now.time_ns)
            if truth == 1 and state.is_born and not self._is_doubted(state, now, env, violating):
                verdict = _not_escalated(verdict)
            verdicts.append(verdict)
        if found.is_cut:
            verdicts.append(self._too_many(now))
        return verdicts

    @staticmethod
    def _is_doubted(state: State, now: TracePoint, env: Env, violating: Node) -> bool:
        """True if the doubt remains under the most favourable past before a birth."""
        return state.favourable is not None and violating.value(now, state.favourable, env) > 0

    def unscoped(self, now: TracePoint, route: Route) -> list[Verdict]:
        """The verdicts at an event without a trace: inconclusive, if it would be judged."""
        if not route.is_judged:
            return []
        cells = self.initial().cells
        verdicts = self._missing(now, route.missing_uses)
        found = self._bindings(now)
        for env in found.envs:
            if route.trigger is None or route.trigger.value(now, cells, env):
                witness = Witness(unknowns=(_ref(now),))
                verdict = self._verdict(1, _ref(now), env, witness, now.time_ns)
                reason = f"neither the event nor its session so far names the {self.declared.per}"
                verdicts.append(replace(verdict, reason=f"{reason} that this invariant is about"))
        return [*verdicts, self._too_many(now)] if found.is_cut else verdicts

    def _judge_future(
        self, state: State, now: TracePoint, cells: Cells, route: Route, is_verbose: bool
    ) -> tuple[State, list[Verdict]]:
        """Without `is_verbose`, no verdicts that hold or are pending: none becomes a finding."""
        future = self.tables.future
        assert future is not None, "called for future formulas only"
        verdicts: list[Verdict] = []
        pending, lost_count = state.pending, state.lost_count
        asked, violating = self._asked(now, route)
        found = self._bindings(now)
        here = _ref(now)
        for env in found.envs:
            if asked is not None and not asked.value(now, cells, env):
                continue
            truth = violating.value(now, cells, env)
            if truth == 0:
                if is_verbose:
                    verdicts.append(self._verdict(0, here, env, Witness(), now.time_ns))
                continue
            witness = witness_of(self.tables.violating, truth, now, cells, env)
            grown = future.take_in(pending, Anchor(here, env, truth, witness))
            if grown is None:
                verdicts.append(self._no_room(here, env))
                lost_count += 1
            else:
                pending = grown
                if is_verbose:
                    verdicts.append(self._pending(here, env, witness))
        if found.is_cut:
            verdicts.append(self._too_many(now))
        decisions: list[Decision] = []
        if route.is_observed and pending.waiting_count:
            pending, decisions = future.observe(pending, now, cells)
        if now.is_session_end:
            pending, more = future.end(pending, now.time_ns)
            decisions += more
        verdicts += (
            self.decided(decision, state) for decision in decisions if is_verbose or decision.truth
        )
        if pending is state.pending and lost_count == state.lost_count:
            return state, verdicts
        return state._replace(pending=pending, lost_count=lost_count), verdicts

    def _missing(self, now: TracePoint, uses: Sequence[MissingUse]) -> list[Verdict]:
        """The verdict of binding `?`: the event lacks a value that the invariant needs."""
        letter, used = now.letter, list[MissingUse]()
        for use in uses:
            fact = letter[use.predicate]
            # Most facts have all their values: then there is no need for a call.
            is_open = fact.missing or fact.overflowing or use.is_number
            if is_open and is_missing(use, fact):
                used.append(use)
        if not used:
            return []
        names = ", ".join(sorted({f"{use.predicate}.{use.name}" for use in used}))
        is_violated = self.declared.on_unknown == "violate" and self._may_be_triggered(now, used)
        here = _ref(now)
        return [
            Verdict(
                self.declared.id,
                "violated" if is_violated else "inconclusive",
                here,
                MISSING_BINDING,
                Witness((here,) if is_violated else (), (), (here,)),
                now.time_ns,
                is_escalated=is_violated,
                reason=f"the event has no usable value for {names}",
            )
        ]

    def _may_be_triggered(self, now: TracePoint, used: list[MissingUse]) -> bool:
        """True if the trigger is not false for some binding, with missing values read as `_`."""
        asked = self.tables.trigger
        if asked is None:
            return True
        lenient = without_missing(asked, {(use.predicate, use.name) for use in used})
        found = bindings(lenient, now, self.tables.width, self.limits.bindings_max)
        return found.is_cut or any(lenient.value(now, (), env) for env in found.envs)

    def _verdict(
        self, truth: int, anchor: EventRef, env: Env, witness: Witness, decided_ns: int
    ) -> Verdict:
        is_escalated = truth == 1 and self.declared.on_unknown == "violate"
        kind: VerdictKind = "violated" if is_escalated else _KINDS[truth]
        return Verdict(
            self.declared.id, kind, anchor, self._binding(env), witness, decided_ns, is_escalated
        )

    def decided(self, decision: Decision, state: State) -> Verdict:
        anchor = decision.anchor
        verdict = self._verdict(
            decision.truth, anchor.ref, anchor.env, decision.witness, decision.decided_ns
        )
        # Its formula reads memories: here the doubt about the past cannot be separated.
        return _not_escalated(verdict) if state.is_born else verdict

    def _pending(self, anchor: EventRef, env: Env, witness: Witness) -> Verdict:
        return Verdict(
            self.declared.id, "pending", anchor, self._binding(env), witness, anchor.time_ns
        )

    def _no_room(self, anchor: EventRef, env: Env) -> Verdict:
        verdict = self._verdict(1, anchor, env, Witness(unknowns=(anchor,)), anchor.time_ns)
        text = f"more than {self.limits.pending_max} verdicts are pending (pending_max)"
        return replace(verdict, reason=text)

    def _too_many(self, now: TracePoint) -> Verdict:
        here = _ref(now)
        unbound: Env = (UNBOUND,) * self.tables.width
        verdict = self._verdict(1, here, unbound, Witness(unknowns=(here,)), now.time_ns)
        return replace(verdict, reason=self._too_many_text)

    def _binding(self, env: Env) -> Binding:
        # Slots after the variables belong to `exists`.
        pairs = zip(self.tables.variables, env, strict=False)
        return tuple((name, chosen) for name, chosen in pairs if chosen is not UNBOUND)


def _bound(asked: Node | None, violating: Node, binder: Node) -> tuple[Node | None, Node] | None:
    if type(binder) is not AtomNode or binder.constants:
        return None  # Bindings of an atom with a literal do not say that it is true.
    trigger = None if asked is None else assumed(asked, binder)
    return None if trigger is TRUE_NODE else trigger, assumed(violating, binder)


def _not_escalated(verdict: Verdict) -> Verdict:
    """Doubt that comes only from the past before a birth stops nobody."""
    if not verdict.is_escalated:
        return verdict
    return replace(verdict, kind="inconclusive", is_escalated=False)


def automaton_of(declared: Declared, tables: Tables, limits: Limits) -> Stepper:
    """The automaton of an invariant."""
    whole = Route(
        memories=tables.memories,
        is_judged=True,
        is_observed=tables.future is not None,
        missing_uses=tables.missing_uses,
        trigger=tables.trigger,
        violating=tables.violating,
    )
    return Stepper(declared, tables, limits, whole)


def _ref(now: TracePoint) -> EventRef:
    return EventRef(now.position, now.time_ns, now.id)
