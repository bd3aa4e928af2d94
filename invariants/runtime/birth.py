"""The birth of an invariant in a running trace: the earlier events are unknown to it.

    born(automaton, birth) -> State

An invariant that is new, or was edited, meets sessions that have begun. It has not seen their past,
and must not treat it as empty: then "paid without an approval" would be violated by every session
whose approval came before the edit. So each memory begins with a span of time, up to the last event
before, in which its formula may have held, for any binding. A verdict that only the past can decide
is unknown (inconclusive) until the window has passed over the span, or the left side of a `since`
has failed. A verdict that later events decide alone is decided at once.

Doubt about the past must never become a stop. An invariant with `on_unknown: violate` escalates
doubt; for a born state it does so only if the doubt remains with the most *favourable* past. So a
born state has a second set of cells, in which the span counts as evidence against a violation: by
the polarity of the memory in the violating formula. Truth there is at most the truth under any
past, since the formula is monotone in its memories, up to their polarity.

Source of the idea: predictive semantics with an unknown prefix (docs/decisions/0033).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Final, assert_never

import msgspec

from ..operators.contract import UNKNOWN_PAST, Birth, Memory
from ..operators.nodes import (
    AndNode,
    AtomNode,
    ComparisonNode,
    ConstantNode,
    EndNode,
    ExistsNode,
    MemoryNode,
    Node,
    NotNode,
    OrNode,
)
from .machine_state import State
from .stepper import Stepper

if TYPE_CHECKING:
    from .scope_program import ScopeProgram
from .scope_program import Compiled, Progress

FAVOURABLE: Final = {1: 0, -1: 2}
"""By the polarity of a memory in the violating formula: the reading against a violation."""


def born(automaton: Stepper, birth: Birth) -> State:
    """The state of an invariant that sees a trace only after `birth`.

    For a formula without memories it is the initial one: the past is irrelevant.
    """
    memories = automaton.tables.memories
    if not memories:
        return automaton.initial()
    unknown = unknown_cells(memories, birth, {})
    polarity = _polarities(automaton)
    favourable = None
    if automaton.tables.future is None and None not in polarity.values():
        pasts = {index: FAVOURABLE[sign] for index, sign in polarity.items() if sign}
        favourable = unknown_cells(memories, birth, pasts)
    return State(unknown, is_born=True, favourable=favourable)


def born_progress(
    program: ScopeProgram, progress: Progress, birth: Birth, unseen: AbstractSet[str]
) -> tuple[Progress, list[Compiled]]:
    """The progress with the invariants `unseen` (by digest) born, and the list of them.

    Only those of the program's own sort of scope; their previous states are discarded.
    """
    own = [c for c in program.invariants if c.digest in unseen]
    states = {
        compiled.digest: state
        for compiled, state in zip(program.invariants, progress.states, strict=True)
    }
    states |= {compiled.digest: born(compiled.automaton, birth) for compiled in own}
    return program.with_states(progress.position, states, progress.shown), own


def unknown_cells(
    memories: tuple[Memory, ...], birth: Birth, pasts: Mapping[int, int]
) -> tuple[Any, ...]:
    """A cell for each memory; `pasts` gives the reading of the span, unknown by default."""
    past = _Past(pasts)
    return tuple(past.cell(memory, birth) for memory in memories)


class _Past(msgspec.Struct, frozen=True):
    """Cells at an unseen event, created once for each memory and event."""

    pasts: Mapping[int, int]
    made: dict[tuple[int, int], Any] = {}

    def cell(self, memory: Memory, birth: Birth) -> Any:
        """Of a memory behind the event that `birth` names."""
        key = memory.index, birth.position
        if key not in self.made:
            past = self.pasts.get(memory.index, UNKNOWN_PAST)
            self.made[key] = memory.unseen(birth, past, self.cell)
        return self.made[key]


def _polarities(automaton: Stepper) -> dict[int, int | None]:
    """For each memory: 1 if it supports a violation, -1 if it opposes one, None if both."""
    found: dict[int, int | None] = {}
    for memory, sign in _signed(automaton.tables.violating, 1):
        known = found.setdefault(memory.index, sign)
        if known != sign:
            found[memory.index] = None
    return found


def _signed(node: Node, sign: int) -> Iterator[tuple[Memory, int]]:
    match node:
        case MemoryNode(memory):
            yield memory, sign
            for operand in memory.operands if memory.is_monotone else ():
                yield from _signed(operand, sign)
        case NotNode(body):
            yield from _signed(body, -sign)
        case ExistsNode(body=body):
            yield from _signed(body, sign)
        case AndNode(members) | OrNode(members):
            for member in members:
                yield from _signed(member, sign)
        case AtomNode() | EndNode() | ComparisonNode() | ConstantNode():
            return
        case _:
            assert_never(node)
