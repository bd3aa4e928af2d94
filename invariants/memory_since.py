"""The memory of `f since[w] g` and `once[w] g` (which is `true since[w] g`).

A slice is made by an event that names its value, touched only by such events, or dropped or
blurred together with all others when the left side fails or is unknown for values that the event
does not name. Both are O(1) for the slices that are not named. Without variables there is one
slice, and the cell is that slice itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from pyrsistent import PMap, pmap

from .core import FALSE_NODE, TRUE_NODE, UNBOUND, Cells, Env, Node, atoms, bindings, overflows
from .fact import NO_FACT, Value
from .fifo import EMPTY_FIFO, Fifo
from .folding import Known, folded
from .formula.ast import Window
from .keys import Because, Key, key_of
from .limits import Limits
from .moment import Moment
from .slices import FALSE_READING, Entry, Reading, Slice, dies_ns, push, read, settle, undone
from .verdict import EventRef

NEVER_BLURRED: Final = -1
UNDONE_MAX: Final = 64  # Chosen: they serve explanations; past it, older ones are forgotten.


@dataclass(frozen=True, slots=True)
class ClosedSinceMemory:
    """`left since[window] right` over formulas without variables; the cell is a slice or None."""

    index: int
    text: str
    window: Window
    left: Node | None
    right: Node
    width: int
    limits: Limits
    right_text: str
    body_text: str
    """The right side, whole."""
    undoing_text: str
    """The condition that ends it: the left side's negation, or empty."""
    rests_on_memory: bool
    unfolded: Node | None = None
    """The right side as it was before `touched_by`: the source of a witness."""

    initial = None
    beside = ()

    def read(self, now: Moment, cells: Cells, env: Env) -> Reading:
        """The truth of the one slice."""
        held: Slice | None = cells[self.index]
        if held is None:
            return FALSE_READING
        return read(held, now.time_ns, self.window, NEVER_BLURRED)

    def step(self, held: Slice | None, now: Moment, cells: Cells, because: Because) -> Slice | None:
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

    def undone_by(self, cells: Cells, env: Env) -> EventRef | None:
        """The event that ended a condition that held, if it has not held since."""
        held: Slice | None = cells[self.index]
        return None if held is None else held.undone_by

    def touched_by(self, known: Known, is_end: bool) -> ClosedSinceMemory | None:
        """Itself, simplified for events with these known facts; None if they change nothing."""
        sides = _sides(self.left, self.right, known, is_end)
        return sides and replace(self, left=sides[0], right=sides[1], unfolded=self.right)

    @staticmethod
    def lost_count(held: Any) -> int:
        """How often something found no room in the cell."""
        return 0 if held is None else int(held.lost_count)


def _sides(
    left: Node | None, right: Node, known: Known, is_end: bool
) -> tuple[Node | None, Node] | None:
    """Both sides folded; a true left side becomes none. None if neither has an effect."""
    if left is not None:
        left = folded(left, known, is_end)
    if left is TRUE_NODE:
        left = None
    right = folded(right, known, is_end)
    return None if left is None and right is FALSE_NODE else (left, right)


class SinceCell(NamedTuple):
    """Slices by binding; `rest` represents every binding that was not added at a bound.

    `queue` contains each live slice once, with a time before which it need not be checked. `blur`
    is the position of the last event at which the left side was unknown for all bindings that it
    did not name.
    """

    slices: PMap[Key, Slice]
    queue: Fifo[tuple[int, Key]]
    rest: Slice | None = None
    blur: int = -1
    lost_count: int = 0
    undone: PMap[Key, EventRef] = pmap()
    """Of some bindings without a slice (`UNDONE_MAX`): the event at which the left side failed."""


EMPTY_SINCE = SinceCell(pmap(), EMPTY_FIFO)


@dataclass(frozen=True, slots=True)
class SinceMemory:
    """`left since[window] right` with variables; without `left` it is `once[window] right`."""

    index: int
    text: str
    window: Window
    left: Node | None
    right: Node
    slots: tuple[int, ...]
    width: int
    limits: Limits
    right_text: str
    body_text: str
    """The right side, whole."""
    undoing_text: str
    """The condition that ends it: the left side's negation, or empty."""
    rests_on_memory: bool
    names_every_key: bool
    """Each atom of `left` names all of `slots`: then the slices that an event touches can be looked
    up."""
    unfolded: Node | None = None
    """The right side as it was before `touched_by`: the source of a witness."""

    initial = EMPTY_SINCE
    beside = ()

    def read(self, now: Moment, cells: Cells, env: Env) -> Reading:
        """The truth for one binding: from its own slice, or from the bindings that were not
        added.
        """
        cell: SinceCell = cells[self.index]
        own = read(cell.slices.get(key_of(env, self.slots)), now.time_ns, self.window, cell.blur)
        if own.truth == 2 or cell.rest is None:
            return own
        return max(own, read(cell.rest, now.time_ns, self.window, cell.blur), key=_by_truth)

    def step(self, cell: SinceCell, now: Moment, cells: Cells, because: Because) -> SinceCell:
        """The cell after the event; `because` gives the grounds of the right side."""
        if cell.queue.length and cell.queue.oldest()[0] < now.time_ns:
            cell = self._free(cell, now.time_ns)
        if self.left is not None:
            cell = self._step_left(cell, self.left, now, cells)
        found = bindings(self.right, now, self.width, self.limits.bindings_max)
        for env in found.envs:
            truth = self.right.value(now, cells, env)
            if truth:
                refs = (
                    because(self.unfolded or self.right, now, cells, env)
                    if self.rests_on_memory
                    else ()
                )
                entry = Entry(now.time_ns, now.position, now.id, refs)
                cell = self._take_in(cell, key_of(env, self.slots), entry, truth)
        if found.is_cut or overflows(self.right, now):
            entry = Entry(now.time_ns, now.position, now.id)
            cell = self._lose(cell, entry)
        return cell

    def touched_by(self, known: Known, is_end: bool) -> SinceMemory | None:
        """Itself, simplified for events with these known facts; None if they change nothing."""
        sides = _sides(self.left, self.right, known, is_end)
        return sides and replace(self, left=sides[0], right=sides[1], unfolded=self.right)

    def undone_by(self, cells: Cells, env: Env) -> EventRef | None:
        """The event that ended a condition that held for a binding, if it is remembered."""
        cell: SinceCell = cells[self.index]
        return cell.undone.get(key_of(env, self.slots))

    @staticmethod
    def lost_count(cell: Any) -> int:
        """How often something found no room in the cell."""
        return int(cell.lost_count)

    def _free(self, cell: SinceCell, now_ns: int) -> SinceCell:
        """Drop slices that no later reading can see; each is looked at once an age."""
        while cell.queue.length and cell.queue.oldest()[0] < now_ns:
            key = cell.queue.oldest()[1]
            queue = cell.queue.popleft()
            held = cell.slices.get(key)
            if held is None:
                cell = cell._replace(queue=queue)
                continue
            dies = dies_ns(held, self.window)
            assert dies is not None, "only windows that end have a queue"
            if dies < now_ns:
                cell = cell._replace(queue=queue, slices=cell.slices.remove(key))
            else:
                cell = cell._replace(queue=queue.append((dies, key)))
        return cell

    def _step_left(self, cell: SinceCell, left: Node, now: Moment, cells: Cells) -> SinceCell:
        if not cell.slices and cell.rest is None:
            return cell
        nobody: Env = (UNBOUND,) * self.width
        elsewhere = left.value(now, cells, nobody)
        named, speaks_of_rest = self._named(cell, left, now)
        if elsewhere == 0:
            survivors = {k: cell.slices[k] for k in named}
            cell = self._undone(cell, [k for k in cell.slices if k not in survivors], now)
            cell = cell._replace(slices=pmap(survivors), rest=cell.rest if speaks_of_rest else None)
        old_blur = cell.blur
        if elsewhere == 1:
            cell = cell._replace(blur=now.position)
        for key in named:
            truth = left.value(now, cells, self._env(key))
            if truth == 0:
                cell = self._undone(cell, [key], now)
                cell = cell._replace(slices=cell.slices.discard(key))
            elif truth != elsewhere:
                settled = settle(
                    cell.slices[key],
                    now.position,
                    old_blur,
                    is_weakened=truth == 1,
                )
                cell = cell._replace(slices=cell.slices.set(key, settled))
        return cell

    def _undone(self, cell: SinceCell, keys: Sequence[Key], now: Moment) -> SinceCell:
        """Remembers, for explanations, which event ended some slices; of too many, none."""
        if not 0 < len(keys) <= UNDONE_MAX:
            return cell
        ended = {}
        for key in keys:
            ended_by = undone(cell.slices[key], now, self.window, cell.blur).undone_by
            if ended_by is not None:
                ended[key] = ended_by
        kept = cell.undone if len(cell.undone) + len(ended) <= UNDONE_MAX else pmap()
        return cell._replace(undone=kept.update(ended)) if ended else cell

    def _named(self, cell: SinceCell, left: Node, now: Moment) -> tuple[list[Key], bool]:
        """The slices for which the event may give `left` another value than elsewhere, and a flag
        if it may do so for a binding that was not added.
        """
        spoken = [a for a in atoms(left) if a.slots and now.letter[a.predicate] is not NO_FACT]
        if not spoken:
            return [], False
        if not self.names_every_key:
            return list(cell.slices), True
        keys: dict[Key, None] = {}
        for atom in spoken:
            found = bindings(atom, now, self.width, self.limits.bindings_max)
            if found.is_cut or (len(atom.slots) > 1 and overflows(atom, now)):
                # It may name values that only some of its arguments gave.
                return list(cell.slices), True
            for env in found.envs:
                keys[key_of(env, self.slots)] = None
        return [key for key in keys if key in cell.slices], bool(keys)

    def _env(self, key: Key) -> Env:
        env: list[Value | None] = [UNBOUND] * self.width
        for slot, chosen in zip(self.slots, key, strict=True):
            env[slot] = chosen
        return tuple(env)

    def _take_in(self, cell: SinceCell, key: Key, entry: Entry, truth: int) -> SinceCell:
        held = cell.slices.get(key)
        if held is None and len(cell.slices) >= self.limits.slices_max:
            return self._lose(cell, entry)
        if held is not None and held.stamp < cell.blur:
            held = settle(held, entry.position, cell.blur, is_weakened=False)
        grown = push(held, entry, truth, self.window, entries_max=self.limits.window_entries_max)
        lost = cell.lost_count + grown.lost_count - (held.lost_count if held else 0)
        queue = cell.queue
        if held is None and self.slots and self.window.high_ns is not None:
            queue = queue.append((entry.time_ns + self.window.high_ns, key))
        undone_before = cell.undone.discard(key) if cell.undone else cell.undone
        slices = cell.slices.set(key, grown)
        return SinceCell(slices, queue, cell.rest, cell.blur, lost, undone_before)

    def _lose(self, cell: SinceCell, entry: Entry) -> SinceCell:
        rest = push(
            cell.rest,
            entry,
            1,
            self.window,
            entries_max=self.limits.window_entries_max,
        )
        return cell._replace(rest=rest, lost_count=cell.lost_count + 1)


def _by_truth(reading: Reading) -> int:
    return reading.truth
