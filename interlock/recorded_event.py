"""Converts an event that was recorded elsewhere to a message, with its own session, number and
time.

Recordings are not trusted: an event that a client could not have published is refused here, before
it reaches a topic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from .errors import SettingError
from .kinds import meant_kind
from .limits import (
    COSTLY_NUMBERS_MAX,
    NESTING_MAX,
    NUMBER_MAX,
    RECORD_BYTES_MAX,
    has_too_costly_numbers,
    nests_too_deep,
    unit_of_time,
)
from .names import checked_name, checked_session_id
from .transport.base import Message


class RecordedEvent(NamedTuple):
    """The kind, which decides the order of shedding, and the message, ready to be sent."""

    kind: str
    message: Message


class _Place(msgspec.Struct):
    """The fields that give an event its partition, position and time."""

    session: str
    kind: str
    ts: int | str
    seq: int | None = None
    id: str | None = None
    v: int = 1


def recorded_event(event: bytes | Mapping[str, object]) -> RecordedEvent:
    """Read the session and the kind; bytes are sent unchanged.

    Raises
    ------
    SettingError
        It is not a JSON object with `session`, `kind`, `ts`, and `seq` or `id`, or it is past a
        limit of `limits.py`: the monitor would refuse it.
    """
    try:
        value = event if isinstance(event, bytes) else msgspec.json.encode(event)
        place = msgspec.json.decode(value, type=_Place)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        # The text is not repeated: it may contain content that must not appear in a log.
        raise SettingError(f"a recorded event cannot be read: {type(error).__name__}") from None
    if place.seq is None and place.id is None:
        raise SettingError("a recorded event needs `seq` or `id`")
    if place.seq is not None and not 0 <= place.seq <= NUMBER_MAX:
        raise SettingError(f"a recorded event has a `seq` that is not from 0 to {NUMBER_MAX}")
    if isinstance(place.ts, int) and (unit := unit_of_time(place.ts)) is not None:
        raise SettingError(f"a recorded event has a `ts` in {unit}, expected nanoseconds")
    if place.v != 1:
        raise SettingError(f"a recorded event has version {place.v}, expected 1")
    if len(value) > RECORD_BYTES_MAX:
        raise SettingError(f"a recorded event has more than {RECORD_BYTES_MAX} bytes")
    if nests_too_deep(value):
        raise SettingError(f"a recorded event is nested deeper than {NESTING_MAX} levels")
    if has_too_costly_numbers(value):
        raise SettingError(f"a recorded event's numbers cost more than {COSTLY_NUMBERS_MAX}")
    if not checked_name(place.kind, "kind"):
        raise SettingError("`kind` is empty")
    if (kind := meant_kind(place.kind)) not in ("", place.kind):
        raise SettingError(f"a recorded event has a misspelling of `{kind}` as its kind")
    return RecordedEvent(place.kind, Message(checked_session_id(place.session), value))
