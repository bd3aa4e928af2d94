"""Encodes a state as versioned bytes and decodes it: the stored state of one invariant and scope.

The bytes contain no program: they are decoded with the automaton under whose digest they are
stored. A state of another version, or damaged bytes, are an error and never a guess.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final, assert_never

import msgspec
from pyrsistent import pmap

from .aggregates import Number, Sample, Tally, Totals
from .core import Memory
from .fact import Fact, Truth, Value
from .fifo import fifo
from .machine import Automaton
from .machine_state import State
from .memories import PastMemory
from .memory_aggregate import AggregateCell, AggregateMemory, CutSample
from .memory_previous import Frame, PreviousMemory
from .memory_since import ClosedSinceMemory, SinceCell, SinceMemory
from .moment import Moment
from .pending import Anchor, PendingCell
from .report import Stretch, Told
from .slices import Entry, Slice
from .verdict import Absence, EventRef, Witness

STATE_VERSION: Final = 6

_INT64_MAX: Final = 2**63 - 1


class StateError(Exception):
    """Stored bytes that are not a state of this version."""


def encode_state(automaton: Automaton, state: State) -> bytes:
    """`state` as bytes; equal states of one history give equal bytes."""
    cells = _put_cells(automaton, state.cells)
    told = [
        [[[name, _put_value(value)] for name, value in binding], kind, _put_stretch(stretch)]
        for (binding, kind), stretch in state.told.items()
    ]
    told.sort(key=msgspec.msgpack.encode)
    packed = [STATE_VERSION, cells, _put_pending(state.pending), state.lost_count, told]
    if state.is_born:
        packed.append(None if state.favourable is None else _put_cells(automaton, state.favourable))
    return msgspec.msgpack.encode(packed)


def decode_state(automaton: Automaton, data: bytes) -> State:
    """The state that `encode_state` wrote down. Raises StateError for anything else."""
    try:
        version, *rest = msgspec.msgpack.decode(data)
        if version != STATE_VERSION:
            raise StateError(f"state has version {version!r}, this program reads {STATE_VERSION}")
        cells, pending, lost_count, told, *born = rest
        state = State(
            _take_cells(automaton, cells), _take_pending(pending), lost_count, _take_told(told)
        )
        if not born:
            return state
        favourable = None if born[0] is None else _take_cells(automaton, born[0])
        return state._replace(is_born=True, favourable=favourable)
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError, IndexError) as error:
        raise StateError(f"stored state cannot be read: {error}") from error


def _put_cells(automaton: Automaton, cells: tuple[Any, ...]) -> Any:
    memories = automaton.tables.memories
    return [_put_cell(memory, cell) for memory, cell in zip(memories, cells, strict=True)]


def _take_cells(automaton: Automaton, data: Any) -> tuple[Any, ...]:
    memories = automaton.tables.memories
    return tuple(_take_cell(memory, cell) for memory, cell in zip(memories, data, strict=True))


def _take_told(data: Any) -> Told:
    return pmap(
        {
            (tuple((name, _take_value(value)) for name, value in binding), kind): (
                _take_stretch(stretch)
            )
            for binding, kind, stretch in data
        }
    )


def _put_stretch(stretch: Stretch) -> Any:
    if stretch.first is None or stretch.last is None:
        return [stretch.kind]
    run = [stretch.kind, stretch.length, _put_ref(stretch.first), _put_ref(stretch.last)]
    return [*run, stretch.over_length] if stretch.over_length else run


def _take_stretch(data: Any) -> Stretch:
    kind, *run = data
    if not run:
        return Stretch(kind)
    length, first, last, *over = run
    return Stretch(kind, length, _take_ref(first), _take_ref(last), *over)


def _put_cell(memory: PastMemory, cell: Any) -> Any:
    match memory:
        case ClosedSinceMemory():
            return None if cell is None else _put_slice(cell)
        case SinceMemory():
            slices = [[_put_values(key), _put_slice(held)] for key, held in cell.slices.items()]
            queue = [[time_ns, _put_values(key)] for time_ns, key in cell.queue.items()]
            rest = None if cell.rest is None else _put_slice(cell.rest)
            undone = [[_put_values(key), _put_ref(ref)] for key, ref in cell.undone.items()]
            return [slices, queue, rest, cell.blur, cell.lost_count, undone]
        case PreviousMemory():
            return [None if frame is None else _put_frame(memory, frame) for frame in cell]
        case AggregateMemory():
            tallies = [[_put_values(key), _put_tally(held)] for key, held in cell.tallies.items()]
            queue = [[time_ns, _put_values(key)] for time_ns, key in cell.queue.items()]
            cut = [[_put_sample(item.sample), _put_fact(item.fact)] for item in cell.cut]
            lost = [cell.rest_lost_ns, cell.all_lost_ns, cell.lost_count]
            return [tallies, queue, *lost, cut, cell.born_ns, cell.past]
        case _:
            assert_never(memory)


def _take_cell(memory: PastMemory, data: Any) -> Any:
    match memory:
        case ClosedSinceMemory():
            return None if data is None else _take_slice(data)
        case SinceMemory():
            slices, queue, rest, blur, lost_count, undone = data
            return SinceCell(
                pmap({_take_values(key): _take_slice(held) for key, held in slices}),
                fifo([(time_ns, _take_values(key)) for time_ns, key in queue]),
                None if rest is None else _take_slice(rest),
                blur,
                lost_count,
                pmap({_take_values(key): _take_ref(ref) for key, ref in undone}),
            )
        case PreviousMemory():
            newest, before = data
            return (
                None if newest is None else _take_frame(memory, newest),
                None if before is None else _take_frame(memory, before),
            )
        case AggregateMemory():
            tallies, queue, rest_lost_ns, all_lost_ns, lost_count, cut, born_ns, past = data
            return AggregateCell(
                pmap({_take_values(key): _take_tally(held) for key, held in tallies}),
                fifo([(time_ns, _take_values(key)) for time_ns, key in queue]),
                rest_lost_ns,
                all_lost_ns,
                lost_count,
                tuple(CutSample(_take_sample(sample), _take_fact(fact)) for sample, fact in cut),
                born_ns,
                past,
            )
        case _:
            assert_never(memory)


def _put_frame(memory: PreviousMemory, frame: Frame) -> Any:
    position, time_ns, id_, letter, is_session_end = frame.moment
    facts = [[name, _put_fact(letter[name])] for name in memory.predicates]
    cells = [[i, _put_cell(_past(memory.inner[i]), cell)] for i, cell in frame.cells.items()]
    more = [frame.past, frame.is_age_known]
    return [position, time_ns, id_, is_session_end, facts, cells, *more]


def _take_frame(memory: PreviousMemory, data: Any) -> Frame:
    position, time_ns, id_, is_session_end, facts, cells, past, is_age_known = data
    letter = {name: _take_fact(fact) for name, fact in facts}
    moment = Moment(position, time_ns, id_, letter, is_session_end)
    inner = {i: _take_cell(_past(memory.inner[i]), cell) for i, cell in cells}
    return Frame(moment, inner, past, is_age_known)


def _past(memory: Memory) -> PastMemory:
    assert isinstance(memory, PastMemory), "formulas read no other kind of memory"
    return memory


def _put_fact(fact: Fact) -> Any:
    values = [[name, _put_values(held)] for name, held in fact.values.items()]
    repeated = [[n, None if held is None else _put_values(held)] for n, held in fact.repeated]
    return [int(fact.truth), values, sorted(fact.missing), sorted(fact.overflowing), repeated]


def _take_fact(data: Any) -> Fact:
    truth, values, missing, overflowing, more = data
    taken = {name: tuple(map(_take_value, held)) for name, held in values}
    repeated = tuple(
        (n, None if held is None else tuple(map(_take_value, held))) for n, held in more
    )
    return Fact(Truth(truth), taken, frozenset(missing), frozenset(overflowing), repeated)


def _put_slice(held: Slice) -> Any:
    certain = [_put_entry(entry) for entry in held.certain]
    possible = [_put_entry(entry) for entry in held.possible]
    undone_by = None if held.undone_by is None else _put_ref(held.undone_by)
    return [held.stamp, certain, possible, held.lost_ns, held.lost_count, undone_by, held.past]


def _take_slice(data: Any) -> Slice:
    stamp, certain, possible, lost_ns, lost_count, undone_by, past = data
    return Slice(
        stamp,
        tuple(_take_entry(entry) for entry in certain),
        tuple(_take_entry(entry) for entry in possible),
        None if lost_ns is None else (lost_ns[0], lost_ns[1]),
        lost_count,
        None if undone_by is None else _take_ref(undone_by),
        past,
    )


def _put_entry(entry: Entry) -> Any:
    return [entry.time_ns, entry.position, entry.id, [_put_ref(ref) for ref in entry.because]]


def _take_entry(data: Any) -> Entry:
    time_ns, position, id_, because = data
    return Entry(time_ns, position, id_, tuple(_take_ref(ref) for ref in because))


def _put_sample(sample: Sample) -> Any:
    values = _put_values(sample.values)
    return [sample.time_ns, sample.position, sample.id, sample.is_certain, values]


def _take_sample(data: Any) -> Sample:
    time_ns, position, id_, is_certain, values = data
    return Sample(time_ns, position, id_, is_certain, tuple(_take_value(v) for v in values))


def _put_tally(held: Tally) -> Any:
    samples = [_put_sample(sample) for sample in held.samples.items()]
    return [samples, [_put_number(total) for total in held.totals], held.lost_ns]


def _take_tally(data: Any) -> Tally:
    samples, totals, lost_ns = data
    taken = [_take_sample(sample) for sample in samples]
    certain, possible, *sums = (_take_number(total) for total in totals)
    return Tally(fifo(taken), Totals(int(certain), int(possible), *sums), lost_ns)


def _put_pending(cell: PendingCell) -> Any:
    anchors = [
        [_put_values(key), [_put_anchor(anchor) for anchor in held]]
        for key, held in cell.anchors.items()
    ]
    queue = [[time_ns, _put_values(key)] for time_ns, key in cell.queue.items()]
    return [anchors, queue, cell.waiting_count]


def _take_pending(data: Any) -> PendingCell:
    anchors, queue, waiting_count = data
    return PendingCell(
        pmap({_take_values(key): tuple(_take_anchor(a) for a in held) for key, held in anchors}),
        fifo([(time_ns, _take_values(key)) for time_ns, key in queue]),
        waiting_count,
    )


def _put_anchor(anchor: Anchor) -> Any:
    doubt = None if anchor.doubt is None else _put_ref(anchor.doubt)
    witness = anchor.witness
    return [
        _put_ref(anchor.ref),
        _put_values(anchor.env),
        anchor.truth,
        [_put_ref(ref) for ref in witness.events],
        [_put_absence(absence) for absence in witness.absences],
        [_put_ref(ref) for ref in witness.unknowns],
        anchor.met,
        anchor.still,
        doubt,
    ]


def _take_anchor(data: Any) -> Anchor:
    ref, env, truth, events, absences, unknowns, met, still, doubt = data
    witness = Witness(
        tuple(_take_ref(item) for item in events),
        tuple(_take_absence(item) for item in absences),
        tuple(_take_ref(item) for item in unknowns),
    )
    taken_doubt = None if doubt is None else _take_ref(doubt)
    return Anchor(_take_ref(ref), _take_values(env), truth, witness, met, still, taken_doubt)


def _put_absence(absence: Absence) -> Any:
    edges = [None if edge is None else _put_ref(edge) for edge in absence.edges()]
    return [absence.formula, absence.from_ns, absence.to_ns, edges]


def _take_absence(data: Any) -> Absence:
    formula, from_ns, to_ns, edges = data
    taken = [None if edge is None else _take_ref(edge) for edge in edges]
    return Absence(formula, from_ns, to_ns, *taken)


def _put_ref(ref: EventRef) -> Any:
    return [ref.position, ref.time_ns, ref.id, ref.roles]


def _take_ref(data: Any) -> EventRef:
    position, time_ns, id_, roles = data
    return EventRef(position, time_ns, id_, tuple(roles))


def _put_values(values: tuple[Value | None, ...]) -> Any:
    return [_put_value(value) for value in values]


def _take_values(data: Any) -> tuple[Value | None, ...]:
    return tuple(None if item is None else _take_value(item) for item in data)


def _put_value(value: Value | None) -> Any:
    """Tagged values become lists; so do integers that 64 bits cannot hold."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, int) and not -_INT64_MAX <= value <= _INT64_MAX:
        return ["int", hex(value)]
    return value


def _take_value(data: Any) -> Value:
    if isinstance(data, list):
        if data[0] == "int":
            return int(data[1], 16)
        return tuple(data)
    if isinstance(data, str | int | float):
        return data
    raise ValueError(f"no value: {type(data).__name__}")


def _put_number(number: Number) -> Any:
    if isinstance(number, Fraction):
        return ["fraction", hex(number.numerator), hex(number.denominator)]
    return _put_value(number)


def _take_number(data: Any) -> Number:
    if isinstance(data, list) and data[0] == "fraction":
        return Fraction(int(data[1], 16), int(data[2], 16))
    value = _take_value(data)
    if not isinstance(value, int):
        raise ValueError("no number")
    return value
