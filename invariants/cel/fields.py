"""Reads each name of an expression from an event, with the rules for absent values.

Absent text is `""` and absent maps are empty already in `EventView`. A field that the event's kind
carries (`CARRIED_BY`) and that the event omits is a failure here. So are an absent `seq`, an
unknown `principal`, its unknown roles and attributes, and a JSON value that CEL cannot represent: a
whole number beyond int64, when it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

import msgspec

from ..model.event import CARRIED_BY
from ..model.standing import Standing
from ..taint.event_view import ABSENT_ARGS
from ..values.value import Failure, in_range, type_name
from . import times

Evaluator = Callable[[Any], Any]
"""Takes an `EventView`, gives a CEL value or raises `Failure`."""

# What decoding a part that no stage has decoded before may raise; the event is at fault.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

ABSENT: Final = object()


def _read_time(source: Any) -> Any:
    if source.event.is_time_unsure:
        raise Failure("the time of the event is not known: it runs back, or lies in the future")
    return times.timestamp(source.time_ns)


def _read_seq(source: Any) -> Any:
    seq = source.record.seq
    if seq is msgspec.UNSET:
        raise Failure("the event has no `seq`")
    return in_range(seq)


def read_args(source: Any) -> Any:
    """The arguments of the call; a failure if the event of a call has none."""
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


def _stated(name: str) -> Evaluator:
    """A text of the record; a failure if the event's kind carries it and the event omits it."""
    kinds, missing = CARRIED_BY[name], f"the event does not state its `{name}`"
    field = attrgetter(name)

    def read(source: Any) -> str:
        record = source.record
        value: str = field(record)
        if value or not record.kind.startswith(kinds):
            return value
        raise Failure(missing)

    return read


def _identity(name: str) -> Evaluator:
    """A scope value of the event: its own, else its session's first; else a failure."""
    missing, field = f"neither the event nor its session so far states `{name}`", attrgetter(name)

    def read(source: Any) -> str:
        value: str = field(source.event)
        if value:
            return value
        raise Failure(missing)

    return read


def _read_principal(source: Any) -> str:
    principal: str = source.event.principal
    if principal:
        return principal
    raise Failure("nobody vouches for who sent the event, so it has no `principal`")


def _read_roles(source: Any) -> list[str]:
    return list(_standing(source).roles)


def _read_principal_attributes(source: Any) -> Any:
    return _standing(source).attributes


def _standing(source: Any) -> Standing:
    standing: Standing | None = source.event.standing
    if standing is None:
        raise Failure("the roles and attributes of the principal are not known at this event")
    return standing


def _uncut(name: str, read: Evaluator) -> Evaluator:
    """`read`, or a failure if the client published only a beginning of the field."""
    is_cut, reason = attrgetter(f"left_out.{name}"), f"the client left out a part of `{name}`"

    def read_uncut(source: Any) -> Any:
        if memoryview(source.record.attributes) and is_cut(source):
            raise Failure(reason)
        return read(source)

    return read_uncut


READERS: Final[dict[str, Evaluator]] = {
    "kind": lambda source: source.record.kind,
    "tool": _stated("tool"),
    "call": _stated("call"),
    "agent": _identity("agent"),
    "principal": _read_principal,
    "principal.roles": _read_roles,
    "principal.attributes": _read_principal_attributes,
    "session": lambda source: source.record.session,
    "user": _identity("user"),
    "tenant": _identity("tenant"),
    "seq": _read_seq,
    "time": _read_time,
    "text": _uncut("text", _stated("text")),
    "args": read_args,
    "result": _read_result,
    "error": _uncut("error", attrgetter("record.error")),
    "attributes": _read_attributes,
}


def present(name: str) -> Evaluator:
    """`present(agent)`: true if reading `agent` would give a value; never fails.

    Null, `""` and an empty `attributes` count as absent; `args: {}` does not.
    """
    if name in ("tool", "call", "text", "error", "kind", "session"):
        field = attrgetter(name)
        return lambda source: bool(field(source.record))
    if name in ("agent", "user", "tenant", "principal"):
        field = attrgetter(name)
        return lambda source: bool(field(source.event))
    match name:
        case "principal.roles" | "principal.attributes":
            return lambda source: source.event.standing is not None
        case "seq":
            return lambda source: source.record.seq is not msgspec.UNSET
        case "args":
            return lambda source: bool(memoryview(source.record.args))
        case "result" | "attributes":
            return _has_content(name)
        case _:
            return lambda source: True


def _has_content(name: str) -> Evaluator:
    field = attrgetter(name)

    def test(source: Any) -> bool:
        try:
            value = field(source)
        except UNREADABLE:
            return True
        return value is not None if name == "result" else bool(value)

    return test


def no_fields(container: Any, key: str) -> Any:
    """Raises the failure of `container.key` and `has(container.key)` of a value without keys."""
    raise Failure(f"no fields in {type_name(container)}, so no `{key}`")


def checked_value(value: Any, key: str) -> Any:
    """A map's value under `key`: a failure if it is `ABSENT`, or a whole number beyond int64."""
    if value is ABSENT:
        raise Failure(f"no key `{key}`")
    return in_range(value) if type(value) is int else value


def indexed(container: Any, position: Any) -> Any:
    """`container[position]`: an element of a list by its position from 0, or a map's value."""
    if type(container) is dict:
        value = container.get(position, ABSENT) if type(position) is str else ABSENT
        if value is ABSENT:
            raise Failure("no such key")
    elif type(container) is list:
        value = _element(container, position)
    else:
        raise Failure(f"no elements in {type_name(container)}")
    return in_range(value) if type(value) is int else value


def _element(container: list[Any], position: Any) -> Any:
    is_whole = type(position) is int or (type(position) is float and position.is_integer())
    if not is_whole:
        raise Failure("a position in a list is a whole number")
    if not 0 <= position < len(container):
        raise Failure("no such position in the list")
    return container[int(position)]
