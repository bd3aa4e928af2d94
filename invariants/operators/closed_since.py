"""`f since[w] g` and `once[w] g` over formulas without variables: the cell is one slice, or None.

`once[w] g` is `true since[w] g`: then `left` is None. With variables: `since.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ..formula.ast import Window
from ..model.limits import Limits
from ..model.trace_point import TracePoint
from .codec import Reader, Writer
from .contract import (
    FALSE_READING,
    Because,
    Birth,
    Capacity,
    CellOf,
    Content,
    Entry,
    Grounds,
    Memory,
    Reading,
    is_bounded,
)
from .nodes import UNBOUND, Cells, Env, Node
from .sides import touched_sides
from .slices import (
    NEVER_BLURRED,
    SinceTexts,
    Slice,
    collect_begun,
    collect_ended,
    push,
    put_slice,
    read,
    settle,
    take_slice,
    times_max,
    times_of,
    undone,
    unseen_span,
)
from .specialise import Known


@dataclass(frozen=True, slots=True)
class ClosedSinceMemory:
    """`left since[window] right` over formulas without variables."""

    index: int
    texts: SinceTexts
    window: Window
    left: Node | None
    right: Node
    width: int
    limits: Limits
    rests_on_memory: bool
    unfolded: Node | None = None
    """The right side as it was before `touched_by`: the source of a witness."""

    initial: ClassVar[Slice | None] = None
    beside: ClassVar[tuple[Memory, ...]] = ()
    slots: ClassVar[tuple[int, ...]] = ()
    is_monotone: ClassVar[bool] = True
    bound_slot: ClassVar[int | None] = None

    @property
    def text(self) -> str:
        """The formula, as written."""
        return self.texts.whole

    @property
    def operands(self) -> tuple[Node, ...]:
        """Both sides."""
        return (self.right,) if self.left is None else (self.left, self.right)

    def read(self, now: TracePoint, cells: Cells, env: Env) -> Reading:
        """The truth of the one slice."""
        held: Slice | None = cells[self.index]
        if held is None:
            return FALSE_READING
        return read(held, now.time_ns, self.window, NEVER_BLURRED)

    def step(
        self, held: Slice | None, now: TracePoint, cells: Cells, because: Because
    ) -> Slice | None:
        """The slice after the event."""
        nobody: Env = (UNBOUND,) * self.width
        if held is not None and self.left is not None:
            truth = self.left.value(now, cells, nobody)
            if truth == 0:
                held = undone(held, now, self.window, NEVER_BLURRED)
            elif truth == 1:
                held = settle(held, now.position, NEVER_BLURRED, is_weakened=True)
        truth = self.right.value(now, cells, nobody)
        if not truth:
            return held
        refs = (
            because(self.unfolded or self.right, now, cells, nobody) if self.rests_on_memory else ()
        )
        entry = Entry(now.time_ns, now.position, now.id, refs)
        entries_max = self.limits.window_entries_max
        return push(held, entry, truth, self.window, entries_max=entries_max)

    def touched_by(self, known: Known, is_end: bool) -> ClosedSinceMemory | None:
        """Itself, simplified for events with these known facts; None if they change nothing."""
        sides = touched_sides(self.left, self.right, known, is_end)
        return sides and replace(self, left=sides[0], right=sides[1], unfolded=self.right)

    @staticmethod
    def lost_count(held: Any) -> int:
        """How often something found no room in the cell."""
        return 0 if held is None else int(held.lost_count)

    def collect(
        self, grounds: Grounds, truth: int, now: TracePoint, cells: Cells, env: Env
    ) -> None:
        """The event that began it, and that nothing undid it; or why it is false."""
        held: Slice | None = cells[self.index]
        if truth:
            collect_begun(self.texts, self.read(now, cells, env), grounds, truth, now)
        else:
            undone_by = None if held is None else held.undone_by
            collect_ended(self.texts, self.window, undone_by, grounds, now)

    def encode(self, cell: Slice | None, now_ns: int, out: Writer) -> Any:
        """The slice; None if the right side has never held."""
        return None if cell is None else put_slice(cell, NEVER_BLURRED, now_ns, self.window, out)

    def decode(self, data: Any, source: Reader) -> Slice | None:
        """The slice."""
        return None if data is None else take_slice(data, source)

    def describe(self, now: TracePoint, cells: Cells) -> Content:
        """The one slice."""
        held: Slice | None = cells[self.index]
        if held is None:
            return Content()
        return Content(times=(times_of((), held),), lost_count=held.lost_count)

    def capacity(self, limits: Limits) -> Capacity:
        """The times of one binding."""
        entries_max = min(2 * times_max(self.window), 2 * limits.window_entries_max)
        return Capacity("times", 1, entries_max, "its window")

    def unseen(self, birth: Birth, past: int, cell_of: CellOf) -> Slice:
        """A span in which the right side may have held."""
        return unseen_span(birth, past)

    def unsure(self, cell: Slice | None, unknown: Sequence[Any]) -> Any:
        """Unknown times; but a right side that has never held has not."""
        return unknown[self.index] if cell is not None and is_bounded(self.window) else cell
