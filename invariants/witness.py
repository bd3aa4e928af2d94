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
from .memory_aggregate import AggregateMemory
from .memory_previous import PreviousMemory
from .memory_since import ClosedSinceMemory, SinceMemory
from .moment import Moment
from .verdict import Absence, EventRef, Witness

Refs = dict[EventRef, dict[str, None]]
"""Events with their roles."""


class Grounds:
    """Collects, without repeats, what a value rests on."""

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
        """Note events, as unknown ones where `truth` is unknown."""
        target = self._unknowns if truth == 1 else self._events
        for ref in refs:
            target.setdefault(ref, {}).update(dict.fromkeys(ref.roles))

    def collect(self, node: Node, now: Moment, cells: Cells, env: Env) -> None:
        """Note what the value of `node` rests on."""
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
            certain, doubtful = memory.refs(now, cells, env)
            roles = (memory.atom_text,)
            self.add(2, *(replace(ref, roles=roles) for ref in certain))
            if truth == 1:
                self.add(truth, *(replace(ref, roles=roles) for ref in doubtful))
            return
        if truth == 0:
            self._absences[self._absence(node, now, cells, env)] = None
            return
        if isinstance(memory, PreviousMemory):
            frame = cells[memory.index][1]
            self.collect(memory.body, frame.moment, frame.cells, env)
            return
        entry = memory.read(now, cells, env).entry
        if entry is not None:
            first, *others = entry.refs()
            assert isinstance(memory, ClosedSinceMemory | SinceMemory), "others have no entries"
            self.add(truth, replace(first, roles=(memory.right_text,)), *others)
            if memory.undoing_text and truth == 2:
                kept = Absence(memory.undoing_text, first.time_ns, now.time_ns, after=first)
                self._absences[kept] = None

    @staticmethod
    def _absence(node: MemoryNode, now: Moment, cells: Cells, env: Env) -> Absence:
        memory = node.memory
        window = memory.window
        from_ns = None if window.high_ns is None else now.time_ns - window.high_ns
        undone_by = None
        if isinstance(memory, ClosedSinceMemory | SinceMemory):
            undone_by = memory.undone_by(cells, env)
        if undone_by is not None and from_ns is not None and undone_by.time_ns < from_ns:
            undone_by = None
        return Absence(memory.text, from_ns, now.time_ns - window.low_ns, undone_by)


def _listed(refs: Refs) -> tuple[EventRef, ...]:
    """In the order of the trace, each event once, with all its roles."""
    return tuple(replace(ref, roles=tuple(refs[ref])) for ref in sorted(refs))


def _deciding(
    node: AndNode | OrNode, truth: int, now: Moment, cells: Cells, env: Env
) -> list[Node]:
    """All members where all are needed, else those that decide."""
    if truth == (2 if isinstance(node, AndNode) else 0):
        return list(node.members)
    deciding = [m for m in node.members if m.value(now, cells, env) == truth]
    if truth == 1 and isinstance(node, AndNode):
        certain = [m for m in node.members if m.value(now, cells, env) == 2]
        return [*deciding, *certain]
    return deciding


def _deciding_rows(node: ExistsNode, truth: int, now: Moment, cells: Cells, env: Env) -> list[Env]:
    """All rows where all are needed, else those that decide."""
    rows = [*node.rows(now, env).envs]
    if truth == 0:
        return rows
    return [row for row in rows if node.body.value(now, cells, row) == truth]


def because(node: Node, now: Moment, cells: Cells, env: Env) -> tuple[EventRef, ...]:
    """The earlier events that the value of `node` rests on, latest first."""
    refs = grounds(node, now, cells, env).refs()
    return tuple(ref for ref in refs if ref.position != now.position)


def grounds(node: Node, now: Moment, cells: Cells, env: Env) -> Grounds:
    """What the value of `node` rests on, at this context and for this binding."""
    collected = Grounds()
    collected.collect(node, now, cells, env)
    return collected
