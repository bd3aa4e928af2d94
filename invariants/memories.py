"""The memories of past operators: how a cell is read, and how one event changes it.

There are three kinds, each a frozen description with an `initial` cell, a `read` and a `step`;
the cells are immutable values that `state.py` can write down.

- `SinceMemory` for `f since[w] g` and `once[w] g` (which is `true since[w] g`),
- `PreviousMemory` for `previous[w] f`,
- `AggregateMemory` for `count(p)[w] <= n` and the other aggregates.

A slice is made by an event that names its value, touched only by such events, or dropped or
blurred together with all others when the left side of a `since` fails or is unknown for values
that the event does not name. Both are O(1) for the slices that are not named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyrsistent import PDeque, PMap, pdeque, pmap

from .aggregates import EMPTY_TALLY, Sample, Tally, add, compare_range, expire, lose, value_range
from .core import (
    UNBOUND,
    AtomNode,
    Context,
    Env,
    Node,
    atom_value,
    atoms,
    bindings,
    overflows,
    value,
)
from .fact import NO_FACT, Fact, Truth, Value
from .formula.ast import AggregateFunction, Operator, Window
from .limits import Limits
from .slices import FALSE_READING, Entry, Reading, Slice, dies_ns, push, read, settle
from .verdict import EventRef

Because = Callable[[Node, Env], tuple[EventRef, ...]]
"""Earlier events that a formula's value rests on, at the event at hand."""

Key = tuple[Value | None, ...]
"""The values of a memory's own variables, in the order of its slots."""


def key_of(env: Env, slots: tuple[int, ...]) -> Key:
    """What of a binding a memory keeps its slices by."""
    return tuple(env[slot] for slot in slots)


class SinceCell(NamedTuple):
    """Slices by binding; `rest` stands for every binding that found no room.

    `queue` holds each live slice once, with a time before which it need not be looked at.
    `blur` is the position of the last event at which the left side was unknown for all that it
    did not name.
    """

    slices: PMap[Key, Slice]
    queue: PDeque[tuple[int, Key]]
    rest: Slice | None = None
    blur: int = -1
    lost_count: int = 0


EMPTY_SINCE = SinceCell(pmap(), pdeque())


@dataclass(frozen=True, slots=True)
class SinceMemory:
    """`left since[window] right`; without `left` it is `once[window] right`."""

    index: int
    text: str
    window: Window
    left: Node | None
    right: Node
    slots: tuple[int, ...]
    width: int
    limits: Limits
    names_every_key: bool
    """Each atom of `left` names all of `slots`: then what an event touches can be looked up."""

    initial = EMPTY_SINCE

    def read(self, context: Context, env: Env) -> Reading:
        """The truth for one binding: its own slice, or what found no room."""
        cell: SinceCell = context.cells[self.index]
        own = read(
            cell.slices.get(key_of(env, self.slots)), context.time_ns, self.window, cell.blur
        )
        if own.truth is Truth.TRUE or cell.rest is None:
            return own
        return max(own, read(cell.rest, context.time_ns, self.window, cell.blur), key=_by_truth)

    def step(self, cell: SinceCell, context: Context, because: Because) -> SinceCell:
        """The cell after the event; `because(node, env)` gives the witness of the right side."""
        cell = self._free(cell, context.time_ns)
        if self.left is not None:
            cell = self._step_left(cell, self.left, context)
        found = bindings(self.right, context, self.width, self.limits.bindings_max)
        for env in found.envs:
            truth = value(self.right, context, env)
            if truth is not Truth.FALSE:
                entry = Entry(
                    context.time_ns, context.position, context.id, because(self.right, env)
                )
                cell = self._take_in(cell, key_of(env, self.slots), entry, truth)
        if found.is_cut or overflows(self.right, context):
            entry = Entry(context.time_ns, context.position, context.id)
            cell = self._lose(cell, entry)
        return cell

    def _free(self, cell: SinceCell, now_ns: int) -> SinceCell:
        """Drop slices that no later reading can see; each is looked at once an age."""
        while cell.queue and cell.queue.left[0] < now_ns:
            key = cell.queue.left[1]
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

    def _step_left(self, cell: SinceCell, left: Node, context: Context) -> SinceCell:
        if not cell.slices and cell.rest is None:
            return cell
        nobody: Env = (UNBOUND,) * self.width
        elsewhere = value(left, context, nobody)
        named = self._named(cell, left, context)
        if elsewhere is Truth.FALSE:
            survivors = {k: cell.slices[k] for k in named}
            cell = cell._replace(slices=pmap(survivors), rest=cell.rest if named else None)
        old_blur = cell.blur
        if elsewhere is Truth.UNKNOWN:
            cell = cell._replace(blur=context.position)
        for key in named:
            truth = value(left, context, self._env(key))
            if truth is Truth.FALSE:
                cell = cell._replace(slices=cell.slices.discard(key))
            elif truth is not elsewhere:
                settled = settle(
                    cell.slices[key],
                    context.position,
                    old_blur,
                    is_weakened=truth is Truth.UNKNOWN,
                )
                cell = cell._replace(slices=cell.slices.set(key, settled))
        return cell

    def _named(self, cell: SinceCell, left: Node, context: Context) -> list[Key]:
        """The slices for which the event may say something else of `left` than elsewhere."""
        spoken = [a for a in atoms(left) if a.slots and context.letter[a.predicate] is not NO_FACT]
        if not spoken:
            return []
        if not self.names_every_key:
            return list(cell.slices)
        keys: dict[Key, None] = {}
        for atom in spoken:
            for env in bindings(atom, context, self.width, self.limits.bindings_max).envs:
                keys[key_of(env, self.slots)] = None
        return [key for key in keys if key in cell.slices]

    def _env(self, key: Key) -> Env:
        env: list[Value | None] = [UNBOUND] * self.width
        for slot, chosen in zip(self.slots, key, strict=True):
            env[slot] = chosen
        return tuple(env)

    def _take_in(self, cell: SinceCell, key: Key, entry: Entry, truth: Truth) -> SinceCell:
        held = cell.slices.get(key)
        if held is None and len(cell.slices) >= self.limits.slices_max:
            return self._lose(cell, entry)
        if held is not None and held.stamp < cell.blur:
            held = settle(held, entry.position, cell.blur, is_weakened=False)
        grown = push(held, entry, truth, self.window, entries_max=self.limits.window_entries_max)
        lost = cell.lost_count + (grown.lost_ns != (held.lost_ns if held else None))
        queue = cell.queue
        if held is None and self.slots and self.window.high_ns is not None:
            queue = queue.append((entry.time_ns + self.window.high_ns, key))
        return cell._replace(slices=cell.slices.set(key, grown), queue=queue, lost_count=lost)

    def _lose(self, cell: SinceCell, entry: Entry) -> SinceCell:
        rest = push(
            cell.rest,
            entry,
            Truth.UNKNOWN,
            self.window,
            entries_max=self.limits.window_entries_max,
        )
        return cell._replace(rest=rest, lost_count=cell.lost_count + 1)


def _by_truth(reading: Reading) -> Truth:
    return reading.truth


class Frame(NamedTuple):
    """All that is needed to evaluate a formula at the event before this one."""

    position: int
    time_ns: int
    id: str
    is_session_end: bool
    letter: Mapping[str, Fact]
    cells: Mapping[int, Any]


@dataclass(frozen=True, slots=True)
class PreviousMemory:
    """`previous[window] body`: the cell is the frame of the event at hand, for the next one.

    A frame holds only the facts and cells that `body` reads, so frames do not chain.
    """

    index: int
    text: str
    window: Window
    body: Node
    predicates: tuple[str, ...]
    inner: Mapping[int, PastMemory]
    """The memories that `body` reads, by their index."""

    initial = (None, None)

    def read(self, context: Context, env: Env) -> Reading:
        """The body's truth one event ago; the cell's second part is that event's frame."""
        frame: Frame | None = context.cells[self.index][1]
        if frame is None or frame.position != context.position - 1:
            return FALSE_READING
        age_ns = context.time_ns - frame.time_ns
        high_ns = self.window.high_ns
        if age_ns < self.window.low_ns or (high_ns is not None and age_ns > high_ns):
            return FALSE_READING
        truth = value(self.body, self.frame_context(frame), env)
        return Reading(truth, Entry(frame.time_ns, frame.position, frame.id))

    @staticmethod
    def frame_context(frame: Frame) -> Context:
        """The moment that a frame has kept."""
        return Context(
            frame.position,
            frame.time_ns,
            frame.id,
            frame.letter,
            frame.is_session_end,
            frame.cells,
        )

    def step(
        self, cell: tuple[Frame | None, Frame | None], context: Context, because: Any
    ) -> tuple[Frame | None, Frame | None]:
        """The newest frame moves to second place: readers at this event see the one before."""
        newest = Frame(
            context.position,
            context.time_ns,
            context.id,
            context.is_session_end,
            {name: context.letter[name] for name in self.predicates},
            {index: context.cells[index] for index in self.inner},
        )
        return (newest, cell[0])


class AggregateCell(NamedTuple):
    """Tallies by binding; `rest_lost_ns` is the newest time that found no room for its binding."""

    tallies: PMap[Key, Tally]
    queue: PDeque[tuple[int, Key]]
    rest_lost_ns: int | None = None
    lost_count: int = 0


EMPTY_AGGREGATE = AggregateCell(pmap(), pdeque())


@dataclass(frozen=True, slots=True)
class AggregateMemory:
    """`function(atom.value_name)[horizon] operator bound`."""

    index: int
    text: str
    window: Window
    function: AggregateFunction
    atom: AtomNode
    value_name: str | None
    operator: Operator
    bound_slot: int | None
    bound: Value | None
    slots: tuple[int, ...]
    width: int
    limits: Limits

    initial = EMPTY_AGGREGATE

    def tally(self, context: Context, env: Env) -> Tally:
        """The samples inside the window for one binding, with what was lost for it."""
        cell: AggregateCell = context.cells[self.index]
        horizon_ns = self.window.high_ns
        held = cell.tallies.get(key_of(env, self.slots))
        if held is not None:
            return expire(held, context.time_ns, horizon_ns)
        if cell.rest_lost_ns is None:
            return EMPTY_TALLY
        return expire(lose(EMPTY_TALLY, cell.rest_lost_ns), context.time_ns, horizon_ns)

    def read(self, context: Context, env: Env) -> Reading:
        """The comparison's truth for one binding."""
        bound = self.bound if self.bound_slot is None else env[self.bound_slot]
        if bound is UNBOUND:
            return Reading(Truth.UNKNOWN)
        tally = self.tally(context, env)
        return Reading(compare_range(value_range(tally, self.function), self.operator, bound))

    def refs(self, context: Context, env: Env) -> tuple[tuple[EventRef, ...], tuple[EventRef, ...]]:
        """The events counted for certain, and those that may or may not count; latest first."""
        samples = list(self.tally(context, env).samples)[::-1]
        certain = tuple(sample.ref() for sample in samples if sample.is_certain)
        return certain, tuple(sample.ref() for sample in samples if not sample.is_certain)

    def step(self, cell: AggregateCell, context: Context, because: Because) -> AggregateCell:
        """The cell after the event: one sample for each binding that the event makes."""
        cell = self._free(cell, context.time_ns)
        fact = context.letter[self.atom.predicate]
        if fact.truth is Truth.FALSE:
            return cell
        found = bindings(self.atom, context, self.width, self.limits.bindings_max)
        for env in found.envs:
            truth = atom_value(self.atom, fact, env)
            if truth is not Truth.FALSE:
                cell = self._take_in(cell, key_of(env, self.slots), context, fact, truth)
        names = {name for name, _ in self.atom.slots} | {n for n, _ in self.atom.constants}
        if found.is_cut or (fact.overflowing & names):
            cell = cell._replace(rest_lost_ns=context.time_ns, lost_count=cell.lost_count + 1)
        return cell

    def _free(self, cell: AggregateCell, now_ns: int) -> AggregateCell:
        horizon_ns = self.window.high_ns
        while cell.queue and cell.queue.left[0] < now_ns:
            key = cell.queue.left[1]
            queue = cell.queue.popleft()
            tally = expire(cell.tallies[key], now_ns, horizon_ns)
            if tally == EMPTY_TALLY:
                cell = cell._replace(queue=queue, tallies=cell.tallies.remove(key))
                continue
            assert horizon_ns is not None, "only windows that end have a queue"
            newest_ns = tally.samples.right.time_ns if tally.samples else tally.lost_ns
            assert newest_ns is not None, "a tally that is not empty has a newest time"
            cell = cell._replace(
                queue=queue.append((newest_ns + horizon_ns, key)),
                tallies=cell.tallies.set(key, tally),
            )
        return cell

    def _take_in(
        self, cell: AggregateCell, key: Key, context: Context, fact: Fact, truth: Truth
    ) -> AggregateCell:
        held = cell.tallies.get(key)
        if held is None and len(cell.tallies) >= self.limits.slices_max:
            return cell._replace(rest_lost_ns=context.time_ns, lost_count=cell.lost_count + 1)
        queue, horizon_ns = cell.queue, self.window.high_ns
        if held is None:
            held = EMPTY_TALLY
            if cell.rest_lost_ns is not None:
                held = lose(held, cell.rest_lost_ns)
            if self.slots and horizon_ns is not None:
                queue = queue.append((context.time_ns + horizon_ns, key))
        name = self.value_name
        values = fact.values.get(name, ()) if name is not None else ()
        sample = Sample(context.time_ns, context.position, context.id, truth is Truth.TRUE, values)
        grown = add(held, sample, self.function, horizon_ns, self.limits.window_entries_max)
        if name is not None and name in fact.overflowing:
            grown = lose(grown, context.time_ns)
        lost = cell.lost_count + (grown.lost_ns == context.time_ns)
        return cell._replace(tallies=cell.tallies.set(key, grown), queue=queue, lost_count=lost)


PastMemory = SinceMemory | PreviousMemory | AggregateMemory
