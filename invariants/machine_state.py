"""One invariant's memory of one scope, and what an event has to pass of an invariant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .compile import MissingUse
from .core import Node
from .memories import PastMemory
from .moment import Moment
from .pending import EMPTY_PENDING, PendingCell
from .report import NOTHING_TOLD, Told
from .witness import because


class State(NamedTuple):
    """One invariant's memory of one scope.

    `lost_count` counts what found no room; when a step raises it, a `capacity` finding is due.
    """

    cells: tuple[Any, ...]
    pending: PendingCell = EMPTY_PENDING
    lost_count: int = 0
    told: Told = NOTHING_TOLD
    """What `report` has to remember of what became a finding."""
    is_born: bool = False
    """The trace was under way when the invariant began to see it (`birth.py`)."""
    favourable: tuple[Any, ...] | None = None
    """Of a born state: the cells as they were if its past spoke against every violation; None
    if that cannot be said."""


class Route(NamedTuple):
    """What an event has to pass: everything that its kind and tool cannot concern is left out."""

    memories: tuple[PastMemory, ...]
    is_judged: bool
    is_observed: bool
    missing_uses: tuple[MissingUse, ...]
    trigger: Node | None
    violating: Node
    """Folded, as the memories' formulas are, with what is known of the event."""


def stepped(
    held: tuple[Any, ...], now: Moment, memories: Sequence[PastMemory]
) -> tuple[list[Any], int, bool]:
    """Cells after the event, what found no room in them, and whether any is another one.

    Memories inside others come first.
    """
    cells = list(held)
    lost_count, is_changed = 0, False
    for memory in memories:
        # Cells are as varied as memories; each memory knows its own.
        before: Any = cells[memory.index]
        after = memory.step(before, now, cells, because)
        if after is not before:
            is_changed = True
            cells[memory.index] = after
            lost_count += memory.lost_count(after) - memory.lost_count(before)
    return cells, lost_count, is_changed
