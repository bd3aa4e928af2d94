"""The memory of a compared aggregate: `count(p)[w] <= n`, `sum(p.v)[w] > x` and the others.

A limit, `sum(p.v)[w] <= first(q.u)`, has a memory of its own, which the other one reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pyrsistent import PMap, pmap

from .aggregates import (
    EMPTY_TALLY,
    Number,
    Range,
    Sample,
    Tally,
    add,
    compare,
    compare_ranges,
    expire,
    limit_range,
    lose,
    number,
    numbers_told,
    value_range,
)
from .core import FALSE_NODE, UNBOUND, AtomNode, Cells, Env, bindings
from .fact import Fact, Value
from .fifo import EMPTY_FIFO, Fifo
from .folding import Known, folded
from .formula.ast import AggregateFunction, Operator, Window
from .keys import Because, Key, key_of
from .limits import Limits
from .moment import Moment
from .proof import limiting, needed
from .slices import UNKNOWN_PAST, Reading
from .verdict import EventRef

CUT_MAX: Final = 64
"""Chosen: events with a truncated list that one memory keeps separately; each read checks all."""


class CutSample(NamedTuple):
    """An event that may belong to groups whose value it does not name: its list was too long."""

    sample: Sample
    fact: Fact


class AggregateCell(NamedTuple):
    """Tallies by binding, and events that may belong to any of them.

    `rest_lost_ns`: the newest time at which a binding was not added at a bound; `all_lost_ns`: at
    which an event had more bindings, or more was truncated, than is kept separately.
    """

    tallies: PMap[Key, Tally]
    queue: Fifo[tuple[int, Key]]
    rest_lost_ns: int | None = None
    all_lost_ns: int | None = None
    lost_count: int = 0
    cut: tuple[CutSample, ...] = ()
    born_ns: int | None = None
    """The time of the last event before a birth; events up to then are unknown."""
    past: int = UNKNOWN_PAST
    """The reading of a comparison that only events up to then would decide."""


EMPTY_AGGREGATE = AggregateCell(pmap(), EMPTY_FIFO)


class Relation(NamedTuple):
    """The right side of an aggregate's comparison: a variable's slot, a literal, or a limit."""

    operator: Operator
    bound_slot: int | None
    bound: Value | None
    limit: AggregateMemory | None
    negated_text: str


class AggregateRefs(NamedTuple):
    """Events on which a comparison rests, latest first."""

    certain: tuple[EventRef, ...]
    doubtful: tuple[EventRef, ...]


@dataclass(frozen=True, slots=True)
class AggregateMemory:
    """`function(atom.value_name)[horizon]`, compared; a limit itself is compared with nothing."""

    index: int
    text: str
    window: Window
    function: AggregateFunction
    atom: AtomNode
    atom_text: str
    body_text: str
    """The atom, whole."""
    value_name: str | None
    relation: Relation | None
    """None for a limit."""
    slots: tuple[int, ...]
    width: int
    limits: Limits

    initial = EMPTY_AGGREGATE

    @property
    def limit(self) -> AggregateMemory | None:
        """The memory of the limit, if there is one."""
        return None if self.relation is None else self.relation.limit

    @property
    def beside(self) -> tuple[AggregateMemory, ...]:
        """The limit."""
        return () if self.limit is None else (self.limit,)

    @property
    def bound_slot(self) -> int | None:
        """The slot of the variable that is the bound, if it is one."""
        return None if self.relation is None else self.relation.bound_slot

    def tally(self, now: Moment, cells: Cells, env: Env) -> Tally:
        """The samples inside the window for one binding, with its losses."""
        cell: AggregateCell = cells[self.index]
        horizon_ns = self.window.high_ns
        held = cell.tallies.get(key_of(env, self.slots))
        lost_ns = cell.all_lost_ns
        if held is None:
            held = EMPTY_TALLY
            if cell.rest_lost_ns is not None:
                lost_ns = max(cell.rest_lost_ns, lost_ns or 0)
        if lost_ns is not None:
            held = lose(held, lost_ns)
        held = expire(held, now.time_ns, horizon_ns)
        return self._with_cut(held, cell.cut, now.time_ns, env) if cell.cut else held

    def _with_cut(self, held: Tally, cut: tuple[CutSample, ...], now_ns: int, env: Env) -> Tally:
        """The tally, with the events that may belong to its group added as doubtful. For reading
        only.
        """
        room = self.limits.window_entries_max + len(cut)
        horizon_ns = self.window.high_ns
        for sample, fact in cut:
            if horizon_ns is not None and sample.time_ns < now_ns - horizon_ns:
                continue
            if self.atom.value_of(fact, env) and not self._is_named(fact, env):
                held = add(held, sample, self.function, None, room)
                held = self._without_number(held, sample)
        return held

    def _is_named(self, fact: Fact, env: Env) -> bool:
        """True if the event names the group's values: then it is in the group's own tally."""
        return all(env[slot] in fact.values.get(name, ()) for name, slot in self.atom.slots)

    def range_of(self, tally: Tally) -> Range | None:
        """The least and greatest value of a tally; None is unknown."""
        if self.relation is None:
            return limit_range(tally, self.function)
        return value_range(tally, self.function)

    def read(self, now: Moment, cells: Cells, env: Env) -> Reading:
        """The comparison's truth for one binding."""
        assert self.relation is not None, "a limit is read by the aggregate that it limits"
        operator, slot, bound, limit, _ = self.relation
        tally = self.tally(now, cells, env)
        if limit is not None:
            limits = limit.range_of(limit.tally(now, cells, env))
            truth = int(compare_ranges(value_range(tally, self.function), operator, limits))
        else:
            bound = bound if slot is None else env[slot]
            if bound is UNBOUND:
                return Reading(1)
            truth = compare(tally, self.function, operator, bound)
        # Whatever else was lost since: the time before a birth may have decided it alone.
        is_past = truth == 1 and any(m._is_born_inside(now, cells) for m in (self, *self.beside))
        return Reading(cells[self.index].past if is_past else truth)

    def _is_born_inside(self, now: Moment, cells: Cells) -> bool:
        cell: AggregateCell = cells[self.index]
        horizon_ns = self.window.high_ns
        is_over = horizon_ns is not None and (cell.born_ns or 0) < now.time_ns - horizon_ns
        return cell.born_ns is not None and not is_over

    def refs(self, now: Moment, cells: Cells, env: Env) -> AggregateRefs:
        """The events on which the comparison rests, certain and doubtful ones; latest first.

        Without doubt they are as few as will do.
        """
        assert self.relation is not None, "a limit has no truth"
        certain, doubtful = _parted(self._asked(now, cells, env))
        passed = self._passed(now, cells, env)
        if passed is not None and self.read(now, cells, env).truth == 2:
            certain = needed(certain, self.function, self.relation.operator, passed)
        return AggregateRefs(tuple(s.ref() for s in certain), tuple(s.ref() for s in doubtful))

    def _passed(self, now: Moment, cells: Cells, env: Env) -> Number | None:
        """The number that the aggregate is compared with, of a limit the hardest to pass."""
        assert self.relation is not None, "a limit is compared with nothing"
        operator, slot, bound, limit, _ = self.relation
        if limit is not None:
            return limit._hardest(now, cells, env, operator)
        bound = bound if slot is None else env[slot]
        return None if bound is UNBOUND else number(bound)

    def refs_as_limit(
        self, now: Moment, cells: Cells, env: Env, operator: Operator
    ) -> AggregateRefs:
        """The events that gave a limit, and those that may have or that named no number."""
        certain, doubtful = _parted(self._asked(now, cells, env))
        if self._hardest(now, cells, env, operator) is not None:
            certain = limiting(certain, self.function, operator)
        silent = [sample for sample in certain if not sample.values]
        return AggregateRefs(
            tuple(s.ref() for s in certain if s.values),
            tuple(s.ref() for s in (*silent, *doubtful)),
        )

    def _hardest(self, now: Moment, cells: Cells, env: Env, operator: Operator) -> Number | None:
        """The end of a limit's range that is hardest to pass; None if the limit is not known."""
        limits = self.range_of(self.tally(now, cells, env))
        if limits is None:
            return None
        end = limits.greatest if operator in (">", ">=") else limits.least
        return None if isinstance(end, float) else end

    def _asked(self, now: Moment, cells: Cells, env: Env) -> list[Sample]:
        """The samples, latest first; of `first` none that is later than the first certain one."""
        samples = list(self.tally(now, cells, env).samples.items())[::-1]
        if self.function != "first":
            return samples
        earliest = min((s.position for s in samples if s.is_certain), default=None)
        return [s for s in samples if earliest is None or s.position <= earliest]

    def is_empty(self, now: Moment, cells: Cells, env: Env) -> bool:
        """True if it is certain that no event of the window is counted."""
        tally = self.tally(now, cells, env)
        return not tally.samples.length and tally.lost_ns is None

    def step(
        self, cell: AggregateCell, now: Moment, cells: Cells, because: Because
    ) -> AggregateCell:
        """The cell after the event: one sample for each binding that the event makes."""
        if cell.queue.length and cell.queue.oldest()[0] < now.time_ns:
            cell = self._free(cell, now.time_ns)
        fact = now.letter[self.atom.predicate]
        if not fact.truth:
            return cell
        found = bindings(self.atom, now, self.width, self.limits.bindings_max)
        for env in found.envs:
            truth = self.atom.value_of(fact, env)
            if truth and not self._is_settled(cell, key_of(env, self.slots)):
                cell = self._take_in(cell, key_of(env, self.slots), now, fact, truth)
        if found.is_cut:
            return cell._replace(all_lost_ns=now.time_ns, lost_count=cell.lost_count + 1)
        if fact.overflowing:
            cell = self._take_in_cut(cell, now, fact)
        return cell

    def _take_in_cut(self, cell: AggregateCell, now: Moment, fact: Fact) -> AggregateCell:
        """Keep an event that may name any value of some slot, for readers to weigh."""
        if not any(name in fact.overflowing for name, _ in self.atom.slots):
            return cell
        cut, lost = cell.cut, cell.lost_count + 1
        if self.window.high_ns is not None:
            oldest_ns = now.time_ns - self.window.high_ns
            cut = tuple(item for item in cut if item.sample.time_ns >= oldest_ns)
        if len(cut) >= CUT_MAX or self._is_cut(fact):
            return cell._replace(all_lost_ns=now.time_ns, lost_count=lost, cut=cut)
        item = CutSample(Sample(now.time_ns, now.position, now.id, False, self._values(fact)), fact)
        return cell._replace(cut=(*cut, item), lost_count=lost)

    def _free(self, cell: AggregateCell, now_ns: int) -> AggregateCell:
        horizon_ns = self.window.high_ns
        while cell.queue.length and cell.queue.oldest()[0] < now_ns:
            key = cell.queue.oldest()[1]
            queue = cell.queue.popleft()
            tally = expire(cell.tallies[key], now_ns, horizon_ns)
            if tally == EMPTY_TALLY:
                cell = cell._replace(queue=queue, tallies=cell.tallies.remove(key))
                continue
            assert horizon_ns is not None, "only windows that end have a queue"
            newest_ns = tally.samples.newest.time_ns if tally.samples.newest else tally.lost_ns
            assert newest_ns is not None, "a tally that is not empty has a newest time"
            cell = cell._replace(
                queue=queue.append((newest_ns + horizon_ns, key)),
                tallies=cell.tallies.set(key, tally),
            )
        return cell

    def _take_in(
        self, cell: AggregateCell, key: Key, now: Moment, fact: Fact, truth: int
    ) -> AggregateCell:
        held = cell.tallies.get(key)
        if held is None and len(cell.tallies) >= self.limits.slices_max:
            return cell._replace(rest_lost_ns=now.time_ns, lost_count=cell.lost_count + 1)
        queue, horizon_ns = cell.queue, self.window.high_ns
        if held is None:
            held = EMPTY_TALLY
            if cell.rest_lost_ns is not None:
                held = lose(held, cell.rest_lost_ns)
            if self.slots and horizon_ns is not None:
                queue = queue.append((now.time_ns + horizon_ns, key))
        sample = Sample(now.time_ns, now.position, now.id, truth == 2, self._values(fact))
        grown = add(held, sample, self.function, horizon_ns, self.limits.window_entries_max)
        if self._is_cut(fact):
            grown = lose(grown, now.time_ns)
        # An event without a number leaves its time in the tally of a limit, and found its room.
        is_known = self.relation is None and held.lost_ns == now.time_ns
        lost = cell.lost_count + (grown.lost_ns == now.time_ns and not is_known)
        grown = self._without_number(grown, sample)
        tallies = cell.tallies.set(key, grown)
        return cell._replace(tallies=tallies, queue=queue, lost_count=lost)

    def _values(self, fact: Fact) -> tuple[Value, ...]:
        """The contribution of an event: for `distinct` its values, else its numbers."""
        if self.value_name is None:
            return ()
        if self.function == "distinct":
            return fact.values.get(self.value_name, ())
        told = numbers_told(fact, self.value_name)
        return () if self.function == "first" and len(told) != 1 else told

    def _without_number(self, tally: Tally, sample: Sample) -> Tally:
        """The tally; as one that lost something if the event of a limit names no number."""
        is_told = self.relation is not None or self.function == "first" or bool(sample.values)
        return tally if is_told else lose(tally, sample.time_ns)

    def _is_settled(self, cell: AggregateCell, key: Key) -> bool:
        """True if no later event matters: the first of a session is known."""
        if self.function != "first" or self.window.high_ns is not None:
            return False
        held = cell.tallies.get(key)
        return held is not None and bool(held.totals.certain_count)

    def _is_cut(self, fact: Fact) -> bool:
        """True if the event's contribution exceeds the part of a list that is kept."""
        if self.value_name is None or self.function == "first":
            return False  # Of `first` an event with a list names no number.
        if self.function == "distinct":
            return self.value_name in fact.overflowing
        return fact.elements(self.value_name) is None

    def touched_by(self, known: Known, is_end: bool) -> AggregateMemory | None:
        """Itself; None if events with these known facts change nothing."""
        return None if folded(self.atom, known, is_end) is FALSE_NODE else self

    @staticmethod
    def lost_count(cell: Any) -> int:
        """How often something found no room in the cell."""
        return int(cell.lost_count)


def _parted(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Certain and doubtful samples."""
    certain = [sample for sample in samples if sample.is_certain]
    return certain, [sample for sample in samples if not sample.is_certain]
