"""The memory of `f since[w] g` and `once[w] g` (which is `true since[w] g`), with variables.

A slice is made by an event that names its value, touched only by such events, or dropped or
blurred together with all others when the left side fails or is unknown for values that the event
does not name. Both are O(1) for the slices that are not named. Without variables there is one
slice: `closed_since.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, NamedTuple

from ..check.normal_form import free_variables, normalise
from ..formula.ast import Formula, Window
from ..formula.format import format_formula
from ..model.fact import NO_FACT
from ..model.limits import Limits
from ..model.trace_point import TracePoint
from ..model.verdict import EventRef
from .closed_since import ClosedSinceMemory
from .codec import Reader, Writer, by_key, take_values
from .contract import (
    Because,
    Birth,
    Builder,
    Capacity,
    CellOf,
    Content,
    Entry,
    Grounds,
    Key,
    Memory,
    Reading,
    env_of,
    is_bounded,
    key_of,
    shown,
)
from .keyed import EMPTY_KEYED, Keyed, keyed
from .nodes import UNBOUND, Cells, Env, Node, atoms, bindings, memories, overflows
from .sides import names_all, touched_sides
from .slices import (
    NEVER_BLURRED,
    SinceTexts,
    Slice,
    collect_begun,
    collect_ended,
    dies_ns,
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

UNDONE_MAX: Final = 64  # Chosen: they serve explanations; past it, older ones are forgotten.


class SinceCell(NamedTuple):
    """Slices by binding; `rest` represents every binding that was not added at a bound.

    `blur` is the position of the last event at which the left side was unknown for all bindings
    that it did not name.
    """

    slices: Keyed[Slice]
    rest: Slice | None = None
    blur: int = NEVER_BLURRED
    undone: Mapping[Key, EventRef] = {}
    """Of some bindings without a slice (`UNDONE_MAX`): the event at which the left side failed."""


EMPTY_SINCE: Final = SinceCell(EMPTY_KEYED)


@dataclass(frozen=True, slots=True)
class SinceMemory:
    """`left since[window] right` with variables; without `left` it is `once[window] right`."""

    index: int
    texts: SinceTexts
    window: Window
    left: Node | None
    right: Node
    slots: tuple[int, ...]
    width: int
    limits: Limits
    rests_on_memory: bool
    names_every_key: bool
    """Each atom of `left` names all of `slots`: then the slices that an event touches can be looked
    up."""
    unfolded: Node | None = None
    """The right side as it was before `touched_by`: the source of a witness."""

    initial: ClassVar[SinceCell] = EMPTY_SINCE
    beside: ClassVar[tuple[Memory, ...]] = ()
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
        """The truth for one binding: from its own slice, or from the bindings that were not
        added.
        """
        slices, rest, blur, _ = cells[self.index]
        own = read(slices.held.get(key_of(env, self.slots)), now.time_ns, self.window, blur)
        if own.truth == 2 or rest is None:
            return own
        return max(own, read(rest, now.time_ns, self.window, blur), key=_by_truth)

    def step(self, cell: SinceCell, now: TracePoint, cells: Cells, because: Because) -> SinceCell:
        """The cell after the event; `because` gives the grounds of the right side."""
        due_ns = cell.slices.due_ns
        if due_ns is not None and due_ns < now.time_ns:
            cell = cell._replace(slices=cell.slices.expired(now.time_ns, self._dies_ns))
        if self.left is not None and (cell.slices.held or cell.rest is not None):
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
            cell = self._lose(cell, Entry(now.time_ns, now.position, now.id))
        return cell

    def touched_by(self, known: Known, is_end: bool) -> SinceMemory | None:
        """Itself, simplified for events with these known facts; None if they change nothing."""
        sides = touched_sides(self.left, self.right, known, is_end)
        return sides and replace(self, left=sides[0], right=sides[1], unfolded=self.right)

    @staticmethod
    def lost_count(cell: SinceCell) -> int:
        """How often something found no room in the cell."""
        return cell.slices.lost_count

    def _dies_ns(self, held: Slice) -> int:
        assert self.window.high_ns is not None, "only windows that end have a queue"
        return dies_ns(held, self.window.high_ns)

    def _step_left(self, cell: SinceCell, left: Node, now: TracePoint, cells: Cells) -> SinceCell:
        nobody: Env = (UNBOUND,) * self.width
        elsewhere = left.value(now, cells, nobody)
        named, speaks_of_rest = self._named(cell, left, now)
        if elsewhere == 0:
            survivors = {key: cell.slices.held[key] for key in named}
            cell = self._undone(cell, [k for k in cell.slices.held if k not in survivors], now)
            rest = cell.rest if speaks_of_rest else None
            cell = cell._replace(slices=cell.slices.only(survivors), rest=rest)
        old_blur = cell.blur
        if elsewhere == 1:
            cell = cell._replace(blur=now.position)
        for key in named:
            truth = left.value(now, cells, env_of(key, self.slots, self.width))
            held = cell.slices.held[key]
            if truth == 0:
                cell = self._undone(cell, [key], now)
                cell = cell._replace(slices=cell.slices.without(key))
            elif truth != elsewhere:
                settled = settle(held, now.position, old_blur, is_weakened=truth == 1)
                cell = cell._replace(slices=cell.slices.changed(key, settled))
        return cell

    def _undone(self, cell: SinceCell, keys: Sequence[Key], now: TracePoint) -> SinceCell:
        """Remembers, for explanations, which event ended some slices; of too many, none."""
        if not 0 < len(keys) <= UNDONE_MAX:
            return cell
        ended = {}
        for key in keys:
            ended_by = undone(cell.slices.held[key], now, self.window, cell.blur).undone_by
            if ended_by is not None:
                ended[key] = ended_by
        kept = cell.undone if len(cell.undone) + len(ended) <= UNDONE_MAX else {}
        return cell._replace(undone={**kept, **ended}) if ended else cell

    def _named(self, cell: SinceCell, left: Node, now: TracePoint) -> tuple[list[Key], bool]:
        """The slices for which the event may give `left` another value than elsewhere, and a flag
        if it may do so for a binding that was not added.
        """
        held = cell.slices.held
        spoken = [a for a in atoms(left) if a.slots and now.letter[a.predicate] is not NO_FACT]
        if not spoken:
            return [], False
        if not self.names_every_key:
            return list(held), True
        keys: dict[Key, None] = {}
        for atom in spoken:
            found = bindings(atom, now, self.width, self.limits.bindings_max)
            if found.is_cut or (len(atom.slots) > 1 and overflows(atom, now)):
                # It may name values that only some of its arguments gave.
                return list(held), True
            for env in found.envs:
                keys[key_of(env, self.slots)] = None
        return [key for key in keys if key in held], bool(keys)

    def _take_in(self, cell: SinceCell, key: Key, entry: Entry, truth: int) -> SinceCell:
        slices, rest, blur, undone_before = cell
        held = slices.held.get(key)
        if held is None and len(slices.held) >= self.limits.slices_max:
            return self._lose(cell, entry)
        if held is not None and held.stamp < blur:
            held = settle(held, entry.position, blur, is_weakened=False)
        window = self.window
        grown = push(held, entry, truth, window, entries_max=self.limits.window_entries_max)
        high_ns = window.high_ns
        if high_ns is None:
            slices = slices.changed(key, grown)
        else:
            slices = slices.put(key, grown, entry.time_ns + high_ns, self._dies_ns)
        if grown.lost_count:
            slices = slices.lost(grown.lost_count - (held.lost_count if held else 0))
        if key in undone_before:
            undone_before = {k: ref for k, ref in undone_before.items() if k != key}
        return SinceCell(slices, rest, blur, undone_before)

    def _lose(self, cell: SinceCell, entry: Entry) -> SinceCell:
        entries_max, held = self.limits.window_entries_max, cell.rest
        if held is not None and held.stamp < cell.blur:
            held = settle(held, entry.position, cell.blur, is_weakened=False)
        rest = push(held, entry, 1, self.window, entries_max=entries_max)
        return cell._replace(rest=rest, slices=cell.slices.lost())

    def collect(
        self, grounds: Grounds, truth: int, now: TracePoint, cells: Cells, env: Env
    ) -> None:
        """The event that began it, and that nothing undid it; or why it is false."""
        if truth:
            collect_begun(self.texts, self.read(now, cells, env), grounds, truth, now)
        else:
            cell: SinceCell = cells[self.index]
            undone_by = cell.undone.get(key_of(env, self.slots))
            collect_ended(self.texts, self.window, undone_by, grounds, now)

    def encode(self, cell: SinceCell, now_ns: int, out: Writer) -> Any:
        """Its slices, in the order of their keys; slices that are over are left out."""
        held: Mapping[Key, Slice] = cell.slices.held
        if self.window.high_ns is not None:
            held = {k: piece for k, piece in held.items() if self._dies_ns(piece) >= now_ns}
        rest = None if cell.rest is None else self._put(cell.rest, cell.blur, now_ns, out)
        return [
            [[key, self._put(piece, cell.blur, now_ns, out)] for key, piece in by_key(held)],
            rest if rest and any(rest[:3]) else None,
            cell.slices.lost_count,
            [[key, out.ref(ref)] for key, ref in by_key(cell.undone)],
        ]

    def _put(self, held: Slice, blur: int, now_ns: int, out: Writer) -> list[Any]:
        """A slice as data; its losses are in the count of the cell."""
        return put_slice(held._replace(lost_count=0), blur, now_ns, self.window, out)

    def decode(self, data: Any, source: Reader) -> SinceCell:
        """Its slices."""
        slices, rest, lost_count, undone_before = data
        held = {take_values(key): take_slice(piece, source) for key, piece in slices}
        dies = None if self.window.high_ns is None else self._dies_ns
        return SinceCell(
            keyed(held, lost_count, dies),
            None if rest is None else take_slice(rest, source),
            undone={take_values(key): source.ref(ref) for key, ref in undone_before},
        )

    def describe(self, now: TracePoint, cells: Cells) -> Content:
        """Its slices."""
        slices: Keyed[Slice] = cells[self.index].slices
        held = tuple(times_of(key, piece) for key, piece in slices.held.items())
        return Content(times=held, lost_count=slices.lost_count)

    def capacity(self, limits: Limits) -> Capacity:
        """The times of so many bindings."""
        each = min(2 * times_max(self.window), 2 * limits.window_entries_max)
        return Capacity(
            "times", limits.slices_max, limits.slices_max * each, "slices_max, its window"
        )

    def unseen(self, birth: Birth, past: int, cell_of: CellOf) -> SinceCell:
        """A span in which the right side may have held, for any binding."""
        return EMPTY_SINCE._replace(rest=unseen_span(birth, past))

    def unsure(self, cell: SinceCell, unknown: Sequence[Any]) -> Any:
        """Unknown times, for any binding."""
        return unknown[self.index] if is_bounded(self.window) else cell


def build_since(
    formula: Formula, window: Window, left: Formula | None, right: Formula, build: Builder
) -> Memory:
    """The memory of `left since[window] right`; without `left`, of `once[window] right`."""
    left_node = None if left is None else build.node(left)
    right_node = build.node(right)
    slots = build.slots_of(free_variables(right))
    undoing = "" if left is None else format_formula(normalise(left, is_negated=True))
    texts = SinceTexts(format_formula(formula), shown(right), format_formula(right), undoing)
    index, rests_on_memory = len(build.memories), any(memories(right_node))
    width, limits = build.width, build.limits
    if not slots:
        return ClosedSinceMemory(
            index, texts, window, left_node, right_node, width, limits, rests_on_memory
        )
    return SinceMemory(
        index=index,
        texts=texts,
        window=window,
        left=left_node,
        right=right_node,
        slots=slots,
        width=width,
        limits=limits,
        rests_on_memory=rests_on_memory,
        names_every_key=names_all(left_node, slots),
    )


def _by_truth(reading: Reading) -> int:
    return reading.truth
