"""Which events, and which absences, justify the value of a formula.

Input: a node that was just evaluated, at the same context and binding. Output: the events it
rests on. The witness suffices to see the verdict; of equal ones the latest events are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from ..model.trace_point import TracePoint
from ..model.verdict import Absence, EventRef, Witness
from .nodes import (
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

    def collect(self, node: Node, now: TracePoint, cells: Cells, env: Env) -> None:
        """Record the grounds of the value of `node`."""
        truth = node.value(now, cells, env)
        match node:
            case AtomNode():
                if truth:
                    self.add(truth, _with_role(now, node.predicate))
            case EndNode():
                self.add(truth, _with_role(now, *(("session_end",) if truth else ())))
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
                node.memory.collect(self, truth, now, cells, env)
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

    def miss(self, absence: Absence) -> None:
        """Record an absence."""
        self._absences[absence] = None


def witness_of(node: Node, truth: int, now: TracePoint, cells: Cells, env: Env) -> Witness:
    """The witness of the value of `node`, which is `truth` and not false."""
    if type(node) is AtomNode:  # By far the most; the same as below, made short.
        refs = (_with_role(now, node.predicate),)
        return Witness(refs) if truth == 2 else Witness(unknowns=refs)
    return grounds(node, now, cells, env).witness()


def _with_role(now: TracePoint, *roles: str) -> EventRef:
    return EventRef(now.position, now.time_ns, now.id, roles)


def _listed(refs: Refs) -> tuple[EventRef, ...]:
    """In the order of the trace, each event once, with all its roles."""
    return tuple(
        [EventRef(ref.position, ref.time_ns, ref.id, tuple(refs[ref])) for ref in sorted(refs)]
    )


def _deciding(
    node: AndNode | OrNode, truth: int, now: TracePoint, cells: Cells, env: Env
) -> list[Node]:
    """All members if all are needed, else those that decide."""
    if truth == (2 if isinstance(node, AndNode) else 0):
        return list(node.members)
    deciding = [m for m in node.members if m.value(now, cells, env) == truth]
    if truth == 1 and isinstance(node, AndNode):
        certain = [m for m in node.members if m.value(now, cells, env) == 2]
        return [*deciding, *certain]
    return deciding


def _deciding_rows(
    node: ExistsNode, truth: int, now: TracePoint, cells: Cells, env: Env
) -> list[Env]:
    """All rows if all are needed, else those that decide."""
    rows = [*node.rows(now, env).envs]
    if truth == 0:
        return rows
    return [row for row in rows if node.body.value(now, cells, row) == truth]


def because(node: Node, now: TracePoint, cells: Cells, env: Env) -> tuple[EventRef, ...]:
    """The earlier events that the value of `node` rests on, latest first."""
    refs = grounds(node, now, cells, env).refs()
    return tuple(ref for ref in refs if ref.position != now.position)


def grounds(node: Node, now: TracePoint, cells: Cells, env: Env) -> Grounds:
    """The grounds of the value of `node`, at this context and for this binding."""
    collected = Grounds()
    collected.collect(node, now, cells, env)
    return collected
