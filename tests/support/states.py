"""States written down and read back, as a restart of the monitor would."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from invariants.codec.state import decode_state, encode_state
from invariants.model.trace_point import TracePoint
from invariants.runtime.machine_state import State
from invariants.runtime.stepper import Stepper


def read_back(automaton: Stepper, state: State, now_ns: int) -> State:
    """The state that comes of its bytes; asserts that it means the same, by its own bytes."""
    written = encode_state(automaton, state, now_ns)
    back = decode_state(automaton, written)
    assert encode_state(automaton, back, now_ns) == written, "what is read back means the same"
    return back


def time_of(steps: Iterable[object]) -> int:
    """The time of the last event among the steps of a run; 0 before the first."""
    return max((step.time_ns for step in steps if isinstance(step, TracePoint)), default=0)


def positions_named(written: bytes) -> set[int]:
    """The events that an encoded state can still name, by its table."""
    _, events, *_ = msgspec.msgpack.decode(written)
    return {position for position, _, _ in events}
