"""How each name of an expression is read from an event, with the rules for absent values.

Absent text is `""` and absent maps are empty already in `EventView`; here absent `seq`, and absent
`args` of a call, become failures, and so does what JSON holds but CEL does not: a whole number
beyond int64, at the moment it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from ..event import ABSENT_ARGS
from . import times
from .values import INT_MAX, INT_MIN, Failure, in_range, type_name

Evaluator = Callable[[Any], Any]
"""A prepared expression: takes an `EventView`, or a `Frame` where the builder says so."""

# What decoding a part that no stage has decoded before may raise; the event is at fault.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

ABSENT: Final = object()


def _read_time(source: Any) -> Any:
    return times.timestamp(source.time_ns)


def _read_seq(source: Any) -> Any:
    seq = source.record.seq
    if seq is msgspec.UNSET:
        raise Failure("the event has no `seq`")
    return in_range(seq)


def read_args(source: Any) -> Any:
    """The arguments of the call; a failure where the event of a call has none."""
    try:
        args = source.args
    except UNREADABLE:
        raise Failure("`args` cannot be read as JSON") from None
    if args is ABSENT_ARGS:
        raise Failure("the event of a call has no `args`")
    return args


def _read_result(source: Any) -> Any:
    try:
        result = source.result
    except UNREADABLE:
        raise Failure("`result` cannot be read as JSON") from None
    return in_range(result) if type(result) is int else result


def _read_attributes(source: Any) -> Any:
    try:
        return source.attributes
    except UNREADABLE:
        raise Failure("`attributes` cannot be read as JSON") from None


READERS: Final[dict[str, Evaluator]] = {
    "kind": lambda source: source.record.kind,
    "tool": lambda source: source.record.tool,
    "call": lambda source: source.record.call,
    "agent": lambda source: source.record.agent,
    "principal": lambda source: source.event.principal,
    "session": lambda source: source.record.session,
    "user": lambda source: source.record.user,
    "tenant": lambda source: source.record.tenant,
    "seq": _read_seq,
    "time": _read_time,
    "text": lambda source: source.record.text,
    "args": read_args,
    "result": _read_result,
    "error": lambda source: source.record.error,
    "attributes": _read_attributes,
}

CERTAIN_TEXTS: Final = frozenset(
    {"kind", "tool", "call", "agent", "principal", "session", "user", "tenant", "text", "error"}
)
"""Names whose reading never fails and always gives a string."""


def selected(operand: Evaluator, key: str) -> Evaluator:
    """`operand.key`: a map's value; a failure where there is no map or no key."""
    missing = f"no key `{key}`"

    def select(source: Any) -> Any:
        container = operand(source)
        if type(container) is not dict:
            raise Failure(f"no fields in {type_name(container)}, so no `{key}`")
        value = container.get(key, ABSENT)
        if value is ABSENT:
            raise Failure(missing)
        if type(value) is int and not INT_MIN <= value <= INT_MAX:
            raise Failure("a whole number beyond int64")
        return value

    return select


def has(operand: Evaluator, key: str) -> Evaluator:
    """`has(operand.key)`: whether a map has the key, null included."""

    def test(source: Any) -> bool:
        container = operand(source)
        if type(container) is not dict:
            raise Failure(f"no fields in {type_name(container)}, so no `{key}`")
        return key in container

    return test


def indexed(operand: Evaluator, key: Evaluator) -> Evaluator:
    """`operand[key]`: an element of a list by its position from 0, or a map's value."""

    def index(source: Any) -> Any:
        container, position = operand(source), key(source)
        if type(container) is dict:
            value = container.get(position, ABSENT) if type(position) is str else ABSENT
            if value is ABSENT:
                raise Failure("no such key")
        elif type(container) is list:
            value = _element(container, position)
        else:
            raise Failure(f"no elements in {type_name(container)}")
        return in_range(value) if type(value) is int else value

    return index


def _element(container: list[Any], position: Any) -> Any:
    is_whole = type(position) is int or (type(position) is float and position.is_integer())
    if not is_whole:
        raise Failure("a position in a list is a whole number")
    if not 0 <= position < len(container):
        raise Failure("no such position in the list")
    return container[int(position)]
