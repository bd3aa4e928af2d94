"""A state as canonical, versioned bytes: the stored state of one invariant and scope.

    [version, events, texts, cells, pending, lost count, reported]    docs/state.md

States that mean the same from a time on give the same bytes at that time, whatever happened before:
maps stand in the order of their keys' bytes, what no later event can read is left out, and what can
be computed of the rest is not written. Events are named by their positions in the scope's trace;
`events` is the one table of their times and ids.

The bytes contain no program: they are decoded with the automaton under whose digest they are
stored. A state of another version, or damaged bytes, are an error and never a guess.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from pyrsistent import pmap

from ..model.errors import InterlockError
from ..operators.codec import Reader, Writer, put_value, take_value
from ..operators.future import EMPTY_PENDING
from ..runtime.machine_state import State
from ..runtime.report_mode import Stretch, Told
from ..runtime.stepper import Stepper

STATE_VERSION: Final = 7

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode
_unpack_parts = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_unpack_events = msgspec.msgpack.Decoder(list[tuple[int, int, str]]).decode


DAMAGE: Final = (
    msgspec.MsgspecError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    ArithmeticError,
    RecursionError,
)
"""The errors by which damaged bytes show while they are read; also numbers of no value (`1/0`), and
lists in lists without end."""


class StateError(InterlockError):
    """Stored bytes that are not a state of this version."""


def encode_state(automaton: Stepper, state: State, now_ns: int) -> bytes:
    """`state` as bytes, for a scope whose last event was at `now_ns`.

    Cost: proportional to the state.
    """
    out = Writer()
    cells = _put_cells(automaton, state.cells, now_ns, out)
    future = automaton.tables.future
    pending = [] if future is None else future.encode(state.pending, out)
    packed = [cells, pending, state.lost_count, _put_told(state.told, out)]
    if state.is_born:
        held = state.favourable
        packed.append(None if held is None else _put_cells(automaton, held, now_ns, out))
    return _pack([STATE_VERSION, *out.tables(), *packed])


def decode_state(automaton: Stepper, data: bytes) -> State:
    """The state that `encode_state` wrote down. Raises StateError for anything else."""
    try:
        version, *rest = _unpack(data)
        if version != STATE_VERSION:
            raise StateError(
                f"a stored state has version {version!r}, this program reads {STATE_VERSION}; name "
                "another `state_dir` and let the monitor read its topics again"
            )
        events, texts, cells, pending, lost_count, told, *born = rest
        source, future = Reader(events, texts), automaton.tables.future
        state = State(
            _take_cells(automaton, cells, source),
            EMPTY_PENDING if future is None else future.decode(pending, source),
            lost_count,
            _take_told(told, source),
        )
        if not born:
            return state
        favourable = None if born[0] is None else _take_cells(automaton, born[0], source)
        return state._replace(is_born=True, favourable=favourable)
    except DAMAGE as error:
        raise StateError(f"stored state cannot be read: {error}") from error


def named_positions(data: bytes) -> frozenset[int]:
    """The positions of all events that a state names, of its bytes. Raises StateError for damaged
    ones.
    """
    try:
        _, events, *_ = _unpack_parts(data)
        return frozenset(position for position, _, _ in _unpack_events(events))
    except DAMAGE as error:
        raise StateError(f"stored state cannot be read: {error}") from error


def _put_cells(automaton: Stepper, cells: tuple[Any, ...], now_ns: int, out: Writer) -> Any:
    memories = automaton.tables.memories
    return [memory.encode(cell, now_ns, out) for memory, cell in zip(memories, cells, strict=True)]


def _take_cells(automaton: Stepper, data: Any, source: Reader) -> tuple[Any, ...]:
    memories = automaton.tables.memories
    return tuple(memory.decode(cell, source) for memory, cell in zip(memories, data, strict=True))


def _put_told(told: Told, out: Writer) -> Any:
    names = {key: [[[name, put_value(value)] for name, value in key[0]], key[1]] for key in told}
    return [
        [*names[key], _put_stretch(told[key], out)]
        for key in sorted(told, key=lambda key: _pack(names[key]))
    ]


def _take_told(data: Any, source: Reader) -> Told:
    return pmap(
        {
            (tuple((name, take_value(value)) for name, value in binding), kind): (
                _take_stretch(stretch, source)
            )
            for binding, kind, stretch in data
        }
    )


def _put_stretch(stretch: Stretch, out: Writer) -> Any:
    if stretch.first is None or stretch.last is None:
        return [stretch.kind]
    run = [stretch.kind, stretch.length, out.ref(stretch.first), out.ref(stretch.last)]
    return [*run, stretch.over_length] if stretch.over_length else run


def _take_stretch(data: Any, source: Reader) -> Stretch:
    kind, *run = data
    if not run:
        return Stretch(kind)
    length, first, last, *over = run
    return Stretch(kind, length, source.ref(first), source.ref(last), *over)
