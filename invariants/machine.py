"""The stepping machine: one invariant over one scope's trace.

    step(state, moment)   -> (state', verdicts)
    tick(state, time_ns)  -> (state', verdicts)      deadlines before time_ns are decided

States are immutable: a step makes a new small tuple, and whoever keeps the old one can go back.
The cost of an event is the predicates it meets, the slices it names, the deadlines it passes and
the window entries it expires (each once); never the length of the session.

Source of the meaning: docs/language.md; `reference.py` is the same thing written naively.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from .aggregates import number
from .compile import MissingUse, Tables, build_tables
from .core import (
    UNBOUND,
    AndNode,
    AtomNode,
    Context,
    Env,
    MemoryNode,
    Node,
    NotNode,
    OrNode,
    bindings,
    value,
)
from .fact import Fact, Truth
from .formula.format import format_formula
from .limits import DEFAULT_LIMITS, Limits
from .memories import Because, PastMemory
from .moment import Moment
from .pending import EMPTY_PENDING, Anchor, Decision, PendingCell
from .spec import InvariantSpec
from .verdict import MISSING_BINDING, Binding, EventRef, Verdict, VerdictKind, Witness
from .witness import grounds

_KINDS: Final[tuple[VerdictKind, ...]] = ("holds", "inconclusive", "violated")


class State(NamedTuple):
    """One invariant's memory of one scope.

    `lost_count` counts what found no room; when a step raises it, a `capacity` finding is due.
    """

    cells: tuple[Any, ...]
    pending: PendingCell = EMPTY_PENDING
    lost_count: int = 0


@dataclass(frozen=True, slots=True)
class Automaton:
    """A compiled invariant."""

    spec: InvariantSpec
    tables: Tables
    limits: Limits
    digest: str
    """Of the formula and all that its verdicts depend on in the invariant itself."""

    def initial(self) -> State:
        """The state before the first event."""
        return State(tuple(memory.initial for memory in self.tables.memories))

    def step(
        self, state: State, moment: Moment, is_verbose: bool = False
    ) -> tuple[State, tuple[Verdict, ...]]:
        """Take in one event.

        Returns violated and inconclusive verdicts; with `is_verbose` also those that hold, and
        pending ones where they begin. Verdicts of deadlines that the event passes come first.
        """
        state, verdicts = self._pass_time(state, moment.time_ns)
        context = self._advance(state, moment)
        cells = tuple(context.cells[memory.index] for memory in self.tables.memories)
        lost_count = state.lost_count + _cells_lost(cells) - _cells_lost(state.cells)
        if any(new is not old for new, old in zip(cells, state.cells, strict=True)):
            state = state._replace(cells=cells, lost_count=lost_count)
        verdicts += self._missing(context)
        if self.tables.eventually is None:
            verdicts += self._judge(context)
        else:
            state, more = self._judge_future(state, context)
            verdicts += more
        return state, _filtered(verdicts, is_verbose)

    def tick(
        self, state: State, time_ns: int, is_verbose: bool = False
    ) -> tuple[State, tuple[Verdict, ...]]:
        """Time has reached `time_ns`: every deadline before it is decided."""
        state, verdicts = self._pass_time(state, time_ns)
        return state, _filtered(verdicts, is_verbose)

    def end(
        self, state: State, time_ns: int, is_verbose: bool = False
    ) -> tuple[State, tuple[Verdict, ...]]:
        """The scope is over without an event that says so: what is pending is decided."""
        if self.tables.eventually is None:
            return state, ()
        pending, decisions = self.tables.eventually.end(state.pending, time_ns)
        verdicts = [self._decided(decision) for decision in decisions]
        return state._replace(pending=pending), _filtered(verdicts, is_verbose)

    def next_deadline_ns(self, state: State) -> int | None:
        """A time before which no deadline of this state passes; None where nothing waits."""
        eventually = self.tables.eventually
        return eventually.next_deadline_ns(state.pending) if eventually else None

    def _pass_time(self, state: State, time_ns: int) -> tuple[State, list[Verdict]]:
        eventually = self.tables.eventually
        if eventually is None or not state.pending.queue:
            return state, []
        pending, decisions = eventually.pass_time(state.pending, time_ns)
        return state._replace(pending=pending), [self._decided(d) for d in decisions]

    def _advance(self, state: State, moment: Moment) -> Context:
        """The context after the event: every memory stepped, those inside others first."""
        cells: dict[int, Any] = dict(enumerate(state.cells))
        context = Context(
            moment.position,
            moment.time_ns,
            moment.id,
            moment.letter,
            moment.is_session_end,
            cells,
        )

        def because(node: Node, env: Env) -> tuple[EventRef, ...]:
            if not _rests_on_memory(node):
                return ()
            refs = grounds(node, context, env).refs()
            return tuple(ref for ref in refs if ref.position != moment.position)

        for memory in self.tables.memories:
            cells[memory.index] = _step_memory(memory, cells[memory.index], context, because)
        return context

    def _judge(self, context: Context) -> list[Verdict]:
        verdicts: list[Verdict] = []
        found = bindings(
            self.tables.violating, context, len(self.tables.variables), self.limits.bindings_max
        )
        for env in found.envs:
            if not self._is_triggered(context, env):
                continue
            truth = value(self.tables.violating, context, env)
            witness = Witness()
            if truth is not Truth.FALSE:
                witness = grounds(self.tables.violating, context, env).witness()
            here = EventRef(context.position, context.time_ns, context.id)
            verdicts.append(self._verdict(truth, here, env, witness, context.time_ns))
        if found.is_cut:
            verdicts.append(self._too_many(context))
        return verdicts

    def _judge_future(self, state: State, context: Context) -> tuple[State, list[Verdict]]:
        eventually = self.tables.eventually
        assert eventually is not None, "called for future formulas only"
        verdicts: list[Verdict] = []
        pending = state.pending
        here = EventRef(context.position, context.time_ns, context.id)
        found = bindings(
            self.tables.violating, context, len(self.tables.variables), self.limits.bindings_max
        )
        for env in found.envs:
            if not self._is_triggered(context, env):
                continue
            truth = value(self.tables.violating, context, env)
            if truth is Truth.FALSE:
                verdicts.append(self._verdict(truth, here, env, Witness(), context.time_ns))
                continue
            witness = grounds(self.tables.violating, context, env).witness()
            grown = eventually.take_in(pending, Anchor(here, env, truth, witness))
            if grown is None:
                verdicts.append(self._no_room(here, env))
                state = state._replace(lost_count=state.lost_count + 1)
            else:
                pending = grown
                verdicts.append(self._pending(here, env, witness))
        if found.is_cut:
            verdicts.append(self._too_many(context))
        pending, decisions = eventually.observe(pending, context)
        if context.is_session_end:
            pending, more = eventually.end(pending, context.time_ns)
            decisions += more
        verdicts += (self._decided(decision) for decision in decisions)
        if pending is not state.pending:
            state = state._replace(pending=pending)
        return state, verdicts

    def _is_triggered(self, context: Context, env: Env) -> bool:
        asked = self.tables.trigger
        return asked is None or value(asked, context, env) is not Truth.FALSE

    def _missing(self, context: Context) -> list[Verdict]:
        """The verdict of binding `?`: the event lacks a value that the invariant needs."""
        used = [u for u in self.tables.missing_uses if _is_missing(u, context.letter[u.predicate])]
        if not used:
            return []
        here = EventRef(context.position, context.time_ns, context.id)
        names = ", ".join(sorted({f"{u.predicate}.{u.name}" for u in used}))
        reason = f"the event has no usable value for {names}"
        is_violated = self.spec.on_unknown == "violate" and self._may_be_triggered(context, used)
        return [
            Verdict(
                self.spec.id,
                "violated" if is_violated else "inconclusive",
                here,
                MISSING_BINDING,
                Witness((here,) if is_violated else (), (), (here,)),
                context.time_ns,
                is_escalated=is_violated,
                reason=reason,
            )
        ]

    def _may_be_triggered(self, context: Context, used: list[MissingUse]) -> bool:
        """Whether the trigger is not false for some binding, missing values read as `_`."""
        asked = self.tables.trigger
        if asked is None:
            return True
        lenient = _without_missing(asked, {(u.predicate, u.name) for u in used})
        width = len(self.tables.variables)
        found = bindings(lenient, context, width, self.limits.bindings_max)
        return found.is_cut or any(
            value(lenient, context, env) is not Truth.FALSE for env in found.envs
        )

    def _verdict(
        self, truth: Truth, anchor: EventRef, env: Env, witness: Witness, decided_ns: int
    ) -> Verdict:
        is_escalated = truth is Truth.UNKNOWN and self.spec.on_unknown == "violate"
        kind: VerdictKind = "violated" if is_escalated else _KINDS[truth]
        return Verdict(
            self.spec.id, kind, anchor, self._binding(env), witness, decided_ns, is_escalated
        )

    def _decided(self, decision: Decision) -> Verdict:
        anchor = decision.anchor
        return self._verdict(
            decision.truth, anchor.ref, anchor.env, decision.witness, decision.decided_ns
        )

    def _pending(self, anchor: EventRef, env: Env, witness: Witness) -> Verdict:
        return Verdict(self.spec.id, "pending", anchor, self._binding(env), witness, anchor.time_ns)

    def _no_room(self, anchor: EventRef, env: Env) -> Verdict:
        verdict = self._verdict(
            Truth.UNKNOWN, anchor, env, Witness(unknowns=(anchor,)), anchor.time_ns
        )
        text = f"more than {self.limits.pending_max} verdicts are pending (pending_max)"
        return replace(verdict, reason=text)

    def _too_many(self, context: Context) -> Verdict:
        here = EventRef(context.position, context.time_ns, context.id)
        unbound: Env = (UNBOUND,) * len(self.tables.variables)
        verdict = self._verdict(
            Truth.UNKNOWN, here, unbound, Witness(unknowns=(here,)), context.time_ns
        )
        text = f"the event makes more than {self.limits.bindings_max} bindings (bindings_max)"
        return replace(verdict, reason=text)

    def _binding(self, env: Env) -> Binding:
        pairs = zip(self.tables.variables, env, strict=True)
        return tuple((name, chosen) for name, chosen in pairs if chosen is not UNBOUND)


def compile_invariant(
    spec: InvariantSpec,
    limits: Limits = DEFAULT_LIMITS,
    digest: str | None = None,
) -> Automaton:
    """The machine of one checked invariant.

    `digest` names the invariant with all that its verdicts depend on (predicates, lists); by
    default only its own formula is known here.
    """
    if digest is None:
        text = f"{spec.form}: {format_formula(spec.formula)} on_unknown={spec.on_unknown}"
        digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return Automaton(spec, build_tables(spec, limits), limits, digest)


def _step_memory(memory: PastMemory, cell: Any, context: Context, because: Because) -> Any:
    """One memory's new cell. Cells are as varied as memories; each knows its own."""
    return memory.step(cell, context, because)


def _cells_lost(cells: Iterable[Any]) -> int:
    return sum(getattr(cell, "lost_count", 0) for cell in cells)


def _is_missing(use: MissingUse, fact: Fact) -> bool:
    if fact.truth is Truth.FALSE:
        return False
    if use.name in fact.missing or use.name in fact.overflowing:
        return True
    return use.is_number and any(number(v) is None for v in fact.values.get(use.name, ()))


def _without_missing(node: Node, missing: set[tuple[str, str]]) -> Node:
    """A trigger whose arguments with a missing value are read as `_`."""
    match node:
        case AtomNode(predicate, constants, slots):
            return AtomNode(
                predicate,
                tuple((n, v) for n, v in constants if (predicate, n) not in missing),
                tuple((n, s) for n, s in slots if (predicate, n) not in missing),
            )
        case AndNode(members):
            return AndNode(tuple(_without_missing(member, missing) for member in members))
        case OrNode(members):
            return OrNode(tuple(_without_missing(member, missing) for member in members))
        case _:
            return node


def _rests_on_memory(node: Node) -> bool:
    match node:
        case MemoryNode():
            return True
        case NotNode(body):
            return _rests_on_memory(body)
        case AndNode(members) | OrNode(members):
            return any(_rests_on_memory(member) for member in members)
        case _:
            return False


def _filtered(verdicts: Iterable[Verdict], is_verbose: bool) -> tuple[Verdict, ...]:
    if is_verbose:
        return tuple(verdicts)
    return tuple(v for v in verdicts if v.kind in ("violated", "inconclusive"))
