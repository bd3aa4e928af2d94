"""The memory of a compared aggregate: `count(p)[w] <= n`, `sum(p.v)[w] > x` and the others.

A limit, `sum(p.v)[w] <= first(q.u)`, has a memory of its own, which the other one reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..check.normal_form import normalise
from ..formula.ast import Aggregate, AggregateComparison, AggregateFunction, Operator, Window
from ..formula.format import format_formula
from ..model.fact import Fact
from ..model.limits import Limits
from ..model.trace_point import TracePoint
from ..model.verdict import EventRef
from .aggregate_cell import (
    CUT_MAX,
    EMPTY_AGGREGATE,
    AggregateCell,
    CutSample,
    dies_ns,
    inside,
    is_born_inside,
    put_cell,
    take_cell,
)
from .codec import Reader, Writer
from .contract import (
    READINGS,
    UNKNOWN_PAST,
    Because,
    Birth,
    Builder,
    Capacity,
    CellOf,
    Content,
    Grounds,
    Key,
    Reading,
    absence_at,
    absence_in,
    env_of,
    is_bounded,
    key_of,
    shown,
)
from .contribution import contribution, is_cut
from .keyed import Keyed
from .minimal_witness import hardest, lately, limiting, needed
from .nodes import FALSE_NODE, UNBOUND, AtomNode, Cells, Env, Node, bindings
from .relation import Relation, compare, compare_ranges
from .specialise import Known, folded
from .tally import (
    EMPTY_TALLY,
    Number,
    Range,
    Sample,
    Tally,
    add,
    count_of,
    expire,
    limit_range,
    lose,
    number,
    value_range,
)


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
    relation: Relation[AggregateMemory] | None
    """None for a limit."""
    slots: tuple[int, ...]
    width: int
    limits: Limits

    initial: ClassVar[AggregateCell] = EMPTY_AGGREGATE
    is_monotone: ClassVar[bool] = False

    @property
    def limit(self) -> AggregateMemory | None:
        """The memory of the limit, if there is one."""
        return None if self.relation is None else self.relation.limit

    @property
    def operands(self) -> tuple[Node, ...]:
        """The atom, and the limit's."""
        return (self.atom,) if self.limit is None else (self.atom, self.limit.atom)

    @property
    def beside(self) -> tuple[AggregateMemory, ...]:
        """The limit."""
        return () if self.limit is None else (self.limit,)

    @property
    def bound_slot(self) -> int | None:
        """The slot of the variable that is the bound, if it is one."""
        return None if self.relation is None else self.relation.bound_slot

    def tally(self, now: TracePoint, cells: Cells, env: Env) -> Tally:
        """The samples inside the window for one binding, with its losses."""
        cell: AggregateCell = cells[self.index]
        horizon_ns = self.window.high_ns
        held = cell.tallies.held.get(key_of(env, self.slots))
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
                if self.relation is None:
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

    def read(self, now: TracePoint, cells: Cells, env: Env) -> Reading:
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
                return READINGS[1]
            truth = compare(tally, self.function, operator, bound)
        # Whatever else was lost since: the time before a birth may have decided it alone.
        if truth == 1 and any(
            is_born_inside(cells[memory.index], now.time_ns, memory.window.high_ns)
            for memory in (self, *self.beside)
        ):
            truth = cells[self.index].past
        return READINGS[truth]

    def collect(
        self, grounds: Grounds, truth: int, now: TracePoint, cells: Cells, env: Env
    ) -> None:
        """The events that were counted; and that there were no others, if more could change it."""
        relation = self.relation
        assert relation is not None, "a limit stands in no formula of its own"
        tally, limit = self.tally(now, cells, env), relation.limit
        self._collect_counted(grounds, truth, tally, self._passed(now, cells, env))
        if limit is not None:
            given = limit.tally(now, cells, env)
            limit._collect_given(grounds, truth, given, relation.operator)
            if given.is_empty:
                grounds.miss(absence_in(limit.body_text, limit.window, now))
        is_empty = tally.is_empty
        if is_empty:
            grounds.miss(absence_in(self.body_text, self.window, now))
        elif truth == 0:
            grounds.miss(absence_at(self.text, now))
        can_more_change_it = not is_empty and relation.operator not in (">", ">=")
        if truth == 2 and (limit is not None or can_more_change_it):
            grounds.miss(absence_at(relation.negated_text, now))

    def _collect_counted(
        self, grounds: Grounds, truth: int, tally: Tally, passed: Number | None
    ) -> None:
        """The events on which the comparison rests; without doubt they are as few as will do."""
        assert self.relation is not None, "a limit has no truth"
        asked = lately(tally, self.function)
        certain: Iterable[Sample] = (sample for sample in asked if sample.is_certain)
        if passed is not None and truth == 2:
            certain = needed(certain, self.function, self.relation.operator, passed)
        self._add(grounds, 2, certain)
        if truth == 1:
            doubtful = (s for s in lately(tally, self.function) if not s.is_certain)
            self._add(grounds, 1, doubtful)

    def _collect_given(
        self, grounds: Grounds, truth: int, tally: Tally, operator: Operator
    ) -> None:
        """The events that gave a limit, and those that may have or that named no number."""
        samples = list(lately(tally, self.function))
        certain = [sample for sample in samples if sample.is_certain]
        if hardest(self.range_of(tally), operator) is not None:
            certain = limiting(certain, self.function, operator)
        self._add(grounds, 2, (sample for sample in certain if sample.values))
        if truth == 1:
            self._add(grounds, 1, (sample for sample in certain if not sample.values))
            self._add(grounds, 1, (sample for sample in samples if not sample.is_certain))

    def _add(self, grounds: Grounds, truth: int, samples: Iterable[Sample]) -> None:
        roles = (self.atom_text,)
        refs = (EventRef(s.position, s.time_ns, s.id, roles) for s in samples)
        grounds.add(truth, *refs)

    def _passed(self, now: TracePoint, cells: Cells, env: Env) -> Number | None:
        """The number that the aggregate is compared with, of a limit the hardest to pass."""
        assert self.relation is not None, "a limit is compared with nothing"
        operator, slot, bound, limit, _ = self.relation
        if limit is not None:
            return hardest(limit.range_of(limit.tally(now, cells, env)), operator)
        bound = bound if slot is None else env[slot]
        return None if bound is UNBOUND else number(bound)

    def step(
        self, cell: AggregateCell, now: TracePoint, cells: Cells, because: Because
    ) -> AggregateCell:
        """The cell after the event: one sample for each binding that the event makes."""
        due_ns = cell.tallies.due_ns
        if due_ns is not None and due_ns < now.time_ns:
            cell = cell._replace(tallies=cell.tallies.expired(now.time_ns, self._dies_ns))
        atom = self.atom
        fact = now.letter[atom.predicate]
        if not fact.truth:
            return cell
        found = bindings(atom, now, self.width, self.limits.bindings_max)
        for env in found.envs:
            # Variables have the values of the fact itself.
            truth = atom.value_of(fact, env) if atom.constants else fact.truth
            if truth:
                cell = self._take_in(cell, key_of(env, self.slots), now, fact, truth)
        if found.is_cut:
            return cell._replace(all_lost_ns=now.time_ns, tallies=cell.tallies.lost())
        if fact.overflowing:
            cell = self._take_in_cut(cell, now, fact)
        return cell

    def _dies_ns(self, tally: Tally) -> int:
        assert self.window.high_ns is not None, "only windows that end have a queue"
        return dies_ns(tally, self.window.high_ns)

    def _take_in_cut(self, cell: AggregateCell, now: TracePoint, fact: Fact) -> AggregateCell:
        """Keep an event that may name any value of some slot, for readers to weigh."""
        if not any(name in fact.overflowing for name, _ in self.atom.slots):
            return cell
        cut, tallies = inside(cell.cut, now.time_ns, self.window.high_ns), cell.tallies.lost()
        if len(cut) >= CUT_MAX or is_cut(fact, self.function, self.value_name):
            return cell._replace(all_lost_ns=now.time_ns, tallies=tallies, cut=cut)
        item = CutSample(self._sample(now, fact, is_certain=False), fact)
        return cell._replace(cut=(*cut, item), tallies=tallies)

    def _sample(self, now: TracePoint, fact: Fact, *, is_certain: bool) -> Sample:
        values = contribution(fact, self.function, self.value_name)
        return Sample(now.time_ns, now.position, now.id, is_certain, values)

    def _take_in(
        self, cell: AggregateCell, key: Key, now: TracePoint, fact: Fact, truth: int
    ) -> AggregateCell:
        tallies, horizon_ns, now_ns = cell.tallies, self.window.high_ns, now.time_ns
        held = tallies.held.get(key)
        if held is None:
            if len(tallies.held) >= self.limits.slices_max:
                return cell._replace(rest_lost_ns=now_ns, tallies=tallies.lost())
            held = EMPTY_TALLY
            if cell.rest_lost_ns is not None:
                held = lose(held, cell.rest_lost_ns)
        elif horizon_ns is None and self.function == "first" and held.totals.certain_count:
            return cell  # No later event matters: the first of a session is known.
        name, entries_max = self.value_name, self.limits.window_entries_max
        if name is None:
            sample = Sample(now_ns, now.position, now.id, truth == 2, ())
            grown = add(held, sample, self.function, horizon_ns, entries_max)
        else:
            sample = self._sample(now, fact, is_certain=truth == 2)
            grown = add(held, sample, self.function, horizon_ns, entries_max)
            if is_cut(fact, self.function, name):
                grown = lose(grown, now_ns)
        is_lost = grown.lost_ns == now_ns
        if self.relation is None:
            # An event without a number leaves its time in the tally, and found its room.
            is_lost = is_lost and held.lost_ns != now_ns
            grown = self._without_number(grown, sample)
        if horizon_ns is None or not self.slots:
            tallies = tallies.changed(key, grown)
        else:
            tallies = tallies.put(key, grown, now_ns + horizon_ns, self._dies_ns)
        if is_lost:
            tallies = tallies.lost()
        _, rest_lost_ns, all_lost_ns, cut, born_ns, past = cell
        return AggregateCell(tallies, rest_lost_ns, all_lost_ns, cut, born_ns, past)

    def _without_number(self, tally: Tally, sample: Sample) -> Tally:
        """The tally; as one that lost something if the event of a limit names no number."""
        is_number = self.function == "first" or bool(sample.values)
        return tally if is_number else lose(tally, sample.time_ns)

    def touched_by(self, known: Known, is_end: bool) -> AggregateMemory | None:
        """Itself; None if events with these known facts change nothing."""
        return None if folded(self.atom, known, is_end) is FALSE_NODE else self

    @staticmethod
    def lost_count(cell: AggregateCell) -> int:
        """How often something found no room in the cell."""
        return cell.tallies.lost_count

    def encode(self, cell: AggregateCell, now_ns: int, out: Writer) -> Any:
        """Its tallies, in the order of their keys, without what is over."""
        horizon_ns = self.window.high_ns
        # Without a window, more is counted than is kept event by event.
        keeps_totals = horizon_ns is None and self.function in ("count", "sum")
        if self.limit is None and not is_born_inside(cell, now_ns, horizon_ns):
            cell = cell._replace(past=UNKNOWN_PAST)
        return put_cell(cell, now_ns, horizon_ns, keeps_totals=keeps_totals, out=out)

    def decode(self, data: Any, source: Reader) -> AggregateCell:
        """Its tallies."""
        return take_cell(data, self.window.high_ns if self.slots else None, source)

    def describe(self, now: TracePoint, cells: Cells) -> Content:
        """The counts of each binding, as they are at the event."""
        tallies: Keyed[Tally] = cells[self.index].tallies
        counts = []
        for key in tallies.held:
            tally = self.tally(now, cells, env_of(key, self.slots, self.width))
            counts.append(count_of(key, tally, self.range_of(tally)))
        return Content(counts=tuple(counts), lost_count=tallies.lost_count)

    def capacity(self, limits: Limits) -> Capacity:
        """The samples of each group."""
        groups = limits.slices_max if self.slots else 1
        settings = "slices_max, window_entries_max" if self.slots else "window_entries_max"
        return Capacity("samples", groups, groups * limits.window_entries_max, settings)

    def unseen(self, birth: Birth, past: int, cell_of: CellOf) -> AggregateCell:
        """Any events may have been counted."""
        born_ns = birth.time_ns
        return EMPTY_AGGREGATE._replace(all_lost_ns=born_ns, born_ns=born_ns, past=past)

    def unsure(self, cell: AggregateCell, unknown: Sequence[Any]) -> Any:
        """Any events may be in the window."""
        return unknown[self.index] if is_bounded(self.window) else cell


def build_aggregate(formula: AggregateComparison, build: Builder) -> AggregateMemory:
    """The memory of a comparison; a limit's own memory comes before it."""
    text, bound = format_formula(formula), formula.bound
    if isinstance(bound, Aggregate):
        limit = _built(bound, text, None, build)
        build.memories.append(limit)
        slot, value = None, None
    else:
        limit = None
        slot, value = build.side(bound)
    negated = format_formula(normalise(formula, is_negated=True))
    relation = Relation(formula.operator, slot, value, limit, negated)
    return _built(formula.aggregate, text, relation, build)


def _built(
    aggregate: Aggregate, text: str, relation: Relation[AggregateMemory] | None, build: Builder
) -> AggregateMemory:
    atom = build.atom(aggregate.atom)
    return AggregateMemory(
        index=len(build.memories),
        text=text,
        window=aggregate.window,
        function=aggregate.function,
        atom=atom,
        atom_text=shown(aggregate.atom),
        body_text=format_formula(aggregate.atom),
        value_name=aggregate.value,
        relation=relation,
        slots=tuple(sorted({slot for _, slot in atom.slots})),
        width=build.width,
        limits=build.limits,
    )
