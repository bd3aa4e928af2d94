"""Which events, and which absences, justify the value of a formula.

Input: a node that was just evaluated, at the same context and binding. Output: the events it
rests on. The witness suffices to see the verdict; of equal ones the latest events are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from .core import (
    AndNode,
    AtomNode,
    Cells,
    ComparisonNode,
    ConstantNode,
    EndNode,
    Env,
    ExistsNode,
    MemoryNode,
    Node,
    NotNode,
    OrNode,
)
from .formula.ast import Window
from .memory_aggregate import AggregateMemory, AggregateRefs
from .memory_previous import PreviousMemory
from .memory_since import ClosedSinceMemory, SinceMemory
from .moment import Moment
from .verdict import Absence, EventRef, Witness

Refs = dict[EventRef, dict[str, None]]
"""Events with their roles."""


class Grounds:
    """Collects, without repeats, the grounds of a value."""

    def __init__(self) -> None:
        self._events: Refs = {}
        self._unknowns: Refs = {}
        self._absences: dict[Absence, None] = {}

    def witness(self) -> Witness:
        """The grounds in the order of the trace."""
        return Witness(_listed(self._events), tuple(self._absences), _listed(self._unknowns))

    def refs(self) -> tuple[EventRef, ...]:
        """All events, certain and unknown, latest first."""
        return _listed({**self._events, **self._unknowns})[::-1]

    def add(self, truth: int, *refs: EventRef) -> None:
        """Record events, as unknown ones if `truth` is unknown."""
        target = self._unknowns if truth == 1 else self._events
        for ref in refs:
            target.setdefault(ref, {}).update(dict.fromkeys(ref.roles))

    def collect(self, node: Node, now: Moment, cells: Cells, env: Env) -> None:
        """Record the grounds of the value of `node`."""
        truth = node.value(now, cells, env)
        here = EventRef(now.position, now.time_ns, now.id)
        match node:
            case AtomNode():
                if truth:
                    self.add(truth, replace(here, roles=(node.predicate,)))
            case EndNode():
                self.add(truth, replace(here, roles=("session_end",) if truth else ()))
            case ComparisonNode() | ConstantNode():
                pass
            case NotNode(body):
                self.collect(body, now, cells, env)
            case ExistsNode(body=body):
                rows = _deciding_rows(node, truth, now, cells, env)
                proofs = [grounds(body, now, cells, row) for row in rows]
                self._take(proofs, is_one_enough=truth == 2)
            case AndNode(members) | OrNode(members):
                deciding = _deciding(node, truth, now, cells, env)
                proofs = [grounds(member, now, cells, env) for member in deciding]
                is_one_enough = truth != 1 and truth == (0 if isinstance(node, AndNode) else 2)
                self._take(proofs, is_one_enough=is_one_enough and len(members) > 1)
            case MemoryNode():
                self._collect_memory(node, now, cells, env)
            case _:
                assert_never(node)

    def _take(self, proofs: Sequence[Grounds], *, is_one_enough: bool) -> None:
        """All of some proofs; or the one that adds the fewest events, of equal ones the latest."""
        if is_one_enough:
            proofs = sorted(proofs, key=self._added)[:1]
        for proof in proofs:
            self.add(2, *_listed(proof._events))
            self.add(1, *_listed(proof._unknowns))
            self._absences.update(proof._absences)

    def _added(self, proof: Grounds) -> tuple[int, int, list[int]]:
        new = [ref.position for ref in proof._events if ref not in self._events]
        return len(new), len(proof._absences), sorted(-position for position in new)

    def _collect_memory(self, node: MemoryNode, now: Moment, cells: Cells, env: Env) -> None:
        memory, truth = node.memory, node.value(now, cells, env)
        if isinstance(memory, AggregateMemory):
            self._collect_aggregate(memory, truth, now, cells, env)
        elif isinstance(memory, PreviousMemory):
            self._collect_previous(memory, truth, now, cells, env)
        else:
            assert isinstance(memory, ClosedSinceMemory | SinceMemory), "there are no others"
            self._collect_since(memory, truth, now, cells, env)

    def _collect_since(
        self,
        memory: ClosedSinceMemory | SinceMemory,
        truth: int,
        now: Moment,
        cells: Cells,
        env: Env,
    ) -> None:
        """The event that began it, and that nothing undid it; or why it is false."""
        if truth == 0:
            self._miss(_never(memory, now, cells, env))
            return
        entry = memory.read(now, cells, env).entry
        if entry is None:
            return
        first, *others = entry.refs()
        self.add(truth, replace(first, roles=(memory.right_text,)), *others)
        if memory.undoing_text and truth == 2:
            text, from_ns = memory.undoing_text, first.time_ns
            self._miss(Absence(text, from_ns, now.time_ns, after=first, last=_here(now)))

    def _miss(self, absence: Absence) -> None:
        self._absences[absence] = None

    def _collect_aggregate(
        self, memory: AggregateMemory, truth: int, now: Moment, cells: Cells, env: Env
    ) -> None:
        """The events that were counted; and that there were no others, if more could change it."""
        relation = memory.relation
        assert relation is not None, "a limit stands in no formula of its own"
        self._collect_counted(memory.refs(now, cells, env), memory, truth)
        limit = relation.limit
        if limit is not None:
            given = limit.refs_as_limit(now, cells, env, relation.operator)
            self._collect_counted(given, limit, truth)
            if limit.is_empty(now, cells, env):
                self._miss(_in_window(limit.body_text, limit.window, now))
        is_empty = memory.is_empty(now, cells, env)
        if is_empty:
            self._miss(_in_window(memory.body_text, memory.window, now))
        elif truth == 0:
            self._miss(_at(memory.text, now))
        can_more_change_it = not is_empty and relation.operator not in (">", ">=")
        if truth == 2 and (limit is not None or can_more_change_it):
            self._miss(_at(relation.negated_text, now))

    def _collect_counted(self, refs: AggregateRefs, memory: AggregateMemory, truth: int) -> None:
        """The events of one side of a comparison, the doubtful ones if they leave it in doubt."""
        roles = (memory.atom_text,)
        self.add(2, *(replace(ref, roles=roles) for ref in refs.certain))
        if truth == 1:
            self.add(truth, *(replace(ref, roles=roles) for ref in refs.doubtful))

    def _collect_previous(
        self, memory: PreviousMemory, truth: int, now: Moment, cells: Cells, env: Env
    ) -> None:
        """The grounds at the previous event; or that there is none in the window."""
        frame = memory.frame(now, cells)
        if frame is None:
            self._miss(_at(memory.text, now))
            return
        self.collect(memory.body, frame.moment, frame.cells, env)
        if truth == 0:
            self._miss(_at(memory.body_text, frame.moment))


def _here(now: Moment) -> EventRef:
    return EventRef(now.position, now.time_ns, now.id)


def _at(text: str, now: Moment) -> Absence:
    """A formula that is false at one event."""
    return Absence(text, now.time_ns, now.time_ns, first=_here(now), last=_here(now))


def _in_window(text: str, window: Window, now: Moment) -> Absence:
    """A formula that is false at every event of a window that ends at the current event."""
    from_ns = None if window.high_ns is None else now.time_ns - window.high_ns
    return Absence(text, from_ns, now.time_ns - window.low_ns, last=_here(now))


def _never(memory: ClosedSinceMemory | SinceMemory, now: Moment, cells: Cells, env: Env) -> Absence:
    """Why a `once` or `since` is false.

    Of a `once` nothing in the window made its body true. A `since` can have been undone: it is
    false from then on, as far as that event is remembered, and at the event at hand in any case.
    """
    if not memory.undoing_text:
        return _in_window(memory.body_text, memory.window, now)
    undone_by = memory.undone_by(cells, env)
    if undone_by is None:
        return _at(memory.text, now)
    return Absence(memory.text, undone_by.time_ns, now.time_ns, undone_by, last=_here(now))


def _listed(refs: Refs) -> tuple[EventRef, ...]:
    """In the order of the trace, each event once, with all its roles."""
    return tuple(replace(ref, roles=tuple(refs[ref])) for ref in sorted(refs))


def _deciding(
    node: AndNode | OrNode, truth: int, now: Moment, cells: Cells, env: Env
) -> list[Node]:
    """All members if all are needed, else those that decide."""
    if truth == (2 if isinstance(node, AndNode) else 0):
        return list(node.members)
    deciding = [m for m in node.members if m.value(now, cells, env) == truth]
    if truth == 1 and isinstance(node, AndNode):
        certain = [m for m in node.members if m.value(now, cells, env) == 2]
        return [*deciding, *certain]
    return deciding


def _deciding_rows(node: ExistsNode, truth: int, now: Moment, cells: Cells, env: Env) -> list[Env]:
    """All rows if all are needed, else those that decide."""
    rows = [*node.rows(now, env).envs]
    if truth == 0:
        return rows
    return [row for row in rows if node.body.value(now, cells, row) == truth]


def because(node: Node, now: Moment, cells: Cells, env: Env) -> tuple[EventRef, ...]:
    """The earlier events that the value of `node` rests on, latest first."""
    refs = grounds(node, now, cells, env).refs()
    return tuple(ref for ref in refs if ref.position != now.position)


def grounds(node: Node, now: Moment, cells: Cells, env: Env) -> Grounds:
    """The grounds of the value of `node`, at this context and for this binding."""
    collected = Grounds()
    collected.collect(node, now, cells, env)
    return collected
