"""Which events, and which absences, justify the value of a formula.

Input: a node that was just evaluated, at the same context and binding. Output: the events it
rests on. The witness suffices to see the verdict; of equal ones the latest events are taken.
"""

from __future__ import annotations

from typing import assert_never

from .core import (
    AndNode,
    AtomNode,
    ComparisonNode,
    Context,
    EndNode,
    Env,
    MemoryNode,
    Node,
    NotNode,
    OrNode,
    value,
)
from .fact import Truth
from .memories import AggregateMemory, PreviousMemory
from .verdict import Absence, EventRef, Witness


class Grounds:
    """Collects, without repeats, what a value rests on."""

    def __init__(self) -> None:
        self._events: dict[EventRef, None] = {}
        self._unknowns: dict[EventRef, None] = {}
        self._absences: dict[Absence, None] = {}

    def witness(self) -> Witness:
        """The grounds in the order of the trace."""
        return Witness(
            tuple(sorted(self._events)), tuple(self._absences), tuple(sorted(self._unknowns))
        )

    def refs(self) -> tuple[EventRef, ...]:
        """All events, certain and unknown, latest first."""
        return tuple(sorted({**self._events, **self._unknowns}, reverse=True))

    def add(self, truth: Truth, *refs: EventRef) -> None:
        """Note events, as unknown ones where `truth` is unknown."""
        target = self._unknowns if truth is Truth.UNKNOWN else self._events
        target.update(dict.fromkeys(refs))

    def collect(self, node: Node, context: Context, env: Env) -> None:
        """Note what the value of `node` rests on."""
        truth = value(node, context, env)
        here = EventRef(context.position, context.time_ns, context.id)
        match node:
            case AtomNode():
                if truth is not Truth.FALSE:
                    self.add(truth, here)
            case EndNode():
                self.add(truth, here)
            case ComparisonNode():
                pass
            case NotNode(body):
                self.collect(body, context, env)
            case AndNode(members) | OrNode(members):
                self._collect_members(members, truth, isinstance(node, AndNode), context, env)
            case MemoryNode():
                self._collect_memory(node, truth, context, env)
            case _:
                assert_never(node)

    def _collect_members(
        self,
        members: tuple[Node, ...],
        truth: Truth,
        is_and: bool,
        context: Context,
        env: Env,
    ) -> None:
        """All members where all are needed, else the first that decides."""
        needs_all = truth is (Truth.TRUE if is_and else Truth.FALSE)
        for member in members:
            member_truth = value(member, context, env)
            if needs_all or member_truth is truth:
                self.collect(member, context, env)
                if not needs_all and truth is not Truth.UNKNOWN:
                    return

    def _collect_memory(self, node: MemoryNode, truth: Truth, context: Context, env: Env) -> None:
        memory = node.memory
        if isinstance(memory, AggregateMemory):
            certain, doubtful = memory.refs(context, env)
            self.add(Truth.TRUE, *certain)
            if truth is Truth.UNKNOWN:
                self.add(truth, *doubtful)
            return
        if truth is Truth.FALSE:
            self._absences[self._absence(node, context)] = None
            return
        if isinstance(memory, PreviousMemory):
            frame = context.cells[memory.index][1]
            self.collect(memory.body, memory.frame_context(frame), env)
            return
        entry = memory.read(context, env).entry
        if entry is not None:
            self.add(truth, *entry.refs())

    @staticmethod
    def _absence(node: MemoryNode, context: Context) -> Absence:
        window = node.memory.window
        from_ns = None if window.high_ns is None else context.time_ns - window.high_ns
        return Absence(node.memory.text, from_ns, context.time_ns - window.low_ns)


def grounds(node: Node, context: Context, env: Env) -> Grounds:
    """What the value of `node` rests on, at this context and for this binding."""
    collected = Grounds()
    collected.collect(node, context, env)
    return collected
