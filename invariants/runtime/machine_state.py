"""One invariant's memory of one scope, and the part of an invariant that an event has to pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..model.trace_point import TracePoint
from ..model.verdict import EventRef
from ..operators.contract import Because, Memory
from ..operators.future import EMPTY_PENDING, PendingCell
from ..operators.nodes import Cells, Env, Node
from ..operators.witness import because
from .report_mode import NOTHING_TOLD, Told
from .tables import MissingUse


class State(NamedTuple):
    """One invariant's memory of one scope.

    `lost_count` counts the entries that were not added at a bound; when a step raises it, a
    `capacity` finding is due.
    """

    cells: tuple[Any, ...]
    pending: PendingCell = EMPTY_PENDING
    lost_count: int = 0
    told: Told = NOTHING_TOLD
    """The record that `report` keeps of verdicts that became findings."""
    is_born: bool = False
    """The trace was under way when the invariant began to see it (`birth.py`)."""
    favourable: tuple[Any, ...] | None = None
    """For a born state: the cells as they would be if its past opposed every violation; None if
    that is not defined."""


class Route(NamedTuple):
    """The part that an event has to pass, without everything that its kind and tool cannot
    concern.
    """

    memories: tuple[Memory, ...]
    is_judged: bool
    is_observed: bool
    missing_uses: tuple[MissingUse, ...]
    trigger: Node | None
    violating: Node
    """Folded, like the memories' formulas, with the known facts of the event."""
    bound: tuple[Node | None, Node] | None = None
    """Trigger and violating formula for the bindings of the binder, if it is an atom that is true
    at the event: it is left out."""


def without_grounds(node: Node, now: TracePoint, cells: Cells, env: Env) -> tuple[EventRef, ...]:
    """The grounds in favourable cells, which are asked for truth alone: none.

    They suppose events that were not seen, at positions of events that were.
    """
    return ()


def stepped(
    held: tuple[Any, ...],
    now: TracePoint,
    memories: Sequence[Memory],
    grounds: Because = because,
) -> tuple[list[Any], int, bool]:
    """Cells after the event, the entries that were not added, and a flag for a changed cell.

    Inner memories come first.
    """
    cells = list(held)
    lost_count, is_changed = 0, False
    for memory in memories:
        # Cells are as varied as memories; each memory has its own type.
        before: Any = cells[memory.index]
        after = memory.step(before, now, cells, grounds)
        if after is not before:
            is_changed = True
            cells[memory.index] = after
            lost_count += memory.lost_count(after) - memory.lost_count(before)
    return cells, lost_count, is_changed
