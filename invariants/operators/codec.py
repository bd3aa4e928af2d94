"""Values, events and facts of a state as plain data for msgpack, and back.

A `Writer` collects the events that a state names in one table, position -> (time, id), and the
texts of formulas in another. The data refer to an event by its position in the scope's trace, and
to a text by its number. A `Reader` looks both up. Data of a wrong shape raise ValueError,
TypeError, KeyError or IndexError, which `codec/state.py` reports as a damaged state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import msgspec

from ..model.fact import Fact, Truth, Value
from ..model.verdict import Absence, EventRef, Witness
from .contract import Entry, Key

_INT64_MAX: Final = 2**63 - 1
_pack = msgspec.msgpack.Encoder().encode


class Writer:
    """Takes the tables of a state while its parts are encoded."""

    __slots__ = ("_events", "_texts")

    def __init__(self) -> None:
        self._events: dict[int, tuple[int, str]] = {}
        self._texts: dict[str, int] = {}

    def event(self, position: int, time_ns: int, id_: str) -> int:
        """The position of an event, whose time and id enter the table."""
        known = self._events.setdefault(position, (time_ns, id_))
        assert known == (time_ns, id_), "a position is one event"
        return position

    def text(self, text: str) -> int:
        """The number of a text."""
        return self._texts.setdefault(text, len(self._texts))

    def ref(self, ref: EventRef) -> Any:
        """An event with its roles: its position, or a list that begins with it."""
        position = self.event(ref.position, ref.time_ns, ref.id)
        return [position, *map(self.text, ref.roles)] if ref.roles else position

    def maybe_ref(self, ref: EventRef | None) -> Any:
        """The same, or None."""
        return None if ref is None else self.ref(ref)

    def entry(self, entry: Entry) -> Any:
        """An entry: a position, or a list that begins with it if it rests on other events."""
        position = self.event(entry.position, entry.time_ns, entry.id)
        return [position, *map(self.ref, entry.because)] if entry.because else position

    def witness(self, witness: Witness) -> Any:
        """The parts of a witness."""
        return [
            list(map(self.ref, witness.events)),
            list(map(self._absence, witness.absences)),
            list(map(self.ref, witness.unknowns)),
        ]

    def _absence(self, absence: Absence) -> Any:
        edges = list(map(self.maybe_ref, absence.edges()))
        return [self.text(absence.formula), absence.from_ns, absence.to_ns, *edges]

    def tables(self) -> tuple[list[Any], list[str]]:
        """The events, in the order of the trace, and the texts, in the order of their numbers."""
        events = [[position, *self._events[position]] for position in sorted(self._events)]
        return events, list(self._texts)


class Reader:
    """Looks up the events and texts to which the parts of a state refer."""

    __slots__ = ("_events", "_texts")

    def __init__(self, events: Iterable[Any], texts: Sequence[str]) -> None:
        self._events: dict[int, tuple[int, str]] = {
            position: (time_ns, id_) for position, time_ns, id_ in events
        }
        self._texts = texts

    def event(self, position: int) -> tuple[int, str]:
        """The time and the id of an event."""
        return self._events[position]

    def text(self, number: int) -> str:
        """A text."""
        return self._texts[number]

    def ref(self, data: Any) -> EventRef:
        """An event with its roles."""
        position, *roles = data if isinstance(data, list) else (data,)
        return EventRef(position, *self._events[position], tuple(map(self.text, roles)))

    def maybe_ref(self, data: Any) -> EventRef | None:
        """The same, or None."""
        return None if data is None else self.ref(data)

    def entry(self, data: Any) -> Entry:
        """An entry."""
        position, *because = data if isinstance(data, list) else (data,)
        time_ns, id_ = self._events[position]
        return Entry(time_ns, position, id_, tuple(map(self.ref, because)))

    def witness(self, data: Any) -> Witness:
        """A witness."""
        events, absences, unknowns = data
        return Witness(
            tuple(map(self.ref, events)),
            tuple(map(self._absence, absences)),
            tuple(map(self.ref, unknowns)),
        )

    def _absence(self, data: Any) -> Absence:
        formula, from_ns, to_ns, *edges = data
        return Absence(self.text(formula), from_ns, to_ns, *map(self.maybe_ref, edges))


def put_fact(fact: Fact) -> Any:
    """A fact; its names are sorted."""
    values = [[name, put_values(fact.values[name])] for name in sorted(fact.values)]
    repeated = [[n, None if held is None else put_values(held)] for n, held in fact.repeated]
    return [int(fact.truth), values, sorted(fact.missing), sorted(fact.overflowing), repeated]


def take_fact(data: Any) -> Fact:
    """A fact."""
    truth, values, missing, overflowing, more = data
    taken = {name: tuple(map(take_value, held)) for name, held in values}
    repeated = tuple(
        (n, None if held is None else tuple(map(take_value, held))) for n, held in more
    )
    return Fact(Truth(truth), taken, frozenset(missing), frozenset(overflowing), repeated)


def by_key(held: Mapping[Key, Any]) -> list[tuple[Any, Any]]:
    """The items of a map with their keys as data, in the order of the keys' bytes."""
    items = [(put_values(key), value) for key, value in held.items()]
    if len(items) > 1:
        items.sort(key=_packed_key)
    return items


def _packed_key(item: tuple[Any, Any]) -> bytes:
    return _pack(item[0])


def put_values(values: tuple[Value | None, ...]) -> list[Any]:
    """Values, and None for no value."""
    return [put_value(value) for value in values]


def take_values(data: Any) -> Key:
    """Values, and None for no value."""
    return tuple(None if item is None else take_value(item) for item in data)


def put_value(value: Value | None) -> Any:
    """Tagged values become lists; so do integers that 64 bits cannot hold."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, int) and not -_INT64_MAX <= value <= _INT64_MAX:
        return ["int", hex(value)]
    return value


def take_value(data: Any) -> Value:
    """A canonical value."""
    if isinstance(data, list):
        if data[0] == "int":
            return int(data[1], 16)
        return tuple(data)
    if isinstance(data, str | int | float):
        return data
    raise ValueError(f"no value: {type(data).__name__}")


def put_number(number: int | Fraction) -> Any:
    """An exact number; a fraction that is whole is a whole number."""
    if isinstance(number, Fraction):
        if number.denominator == 1:
            return put_value(number.numerator)
        return ["fraction", hex(number.numerator), hex(number.denominator)]
    return put_value(number)


def take_number(data: Any) -> int | Fraction:
    """An exact number."""
    if isinstance(data, list) and data[0] == "fraction":
        return Fraction(int(data[1], 16), int(data[2], 16))
    value = take_value(data)
    if not isinstance(value, int):
        raise ValueError("no number")
    return value
