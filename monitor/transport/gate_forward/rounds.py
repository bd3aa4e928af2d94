"""Sends records so that those of one session are never appended in another order.

A producer that fails may have appended later records and not earlier ones. So a record is handed
over only when all earlier ones of its session were acknowledged: a *round* contains at most one
record of each session, and is repeated as a whole until all of it was acknowledged. Repeated
records are copies with the same id, which monitors drop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from ...topics import GATE
from ..base import Publisher, Record

ROUND_RECORDS_MAX: Final = 200
"""Chosen: a round has at most 200 records of 900 KiB that are not acknowledged."""


class ToSend(NamedTuple):
    """A record of a gate's log: its key, its bytes, and the gate's time."""

    session: str
    value: bytes
    ts_ns: int


class _Known(msgspec.Struct):
    session: str = ""
    ts: int = 0


def to_send(record: Record) -> ToSend:
    """The record with its key. Bytes that are not an event have none: a monitor rejects them."""
    try:
        known = msgspec.json.decode(record.value, type=_Known)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        known = _Known()
    return ToSend(known.session, record.value, known.ts)


def rounds(records: Sequence[ToSend]) -> Iterator[list[ToSend]]:
    """The records in rounds; those of one session stay in their order."""
    waiting = list(records)
    while waiting:
        now: dict[str, ToSend] = {}
        later: list[ToSend] = []
        for record in waiting:
            if record.session in now or len(now) >= ROUND_RECORDS_MAX:
                later.append(record)
            else:
                now[record.session] = record
        yield list(now.values())
        waiting = later


def hand_over(publisher: Publisher, records: Sequence[ToSend]) -> None:
    """Give a round to a publisher. Raises OSError: some of it may have been appended."""
    for record in records:
        publisher.publish(GATE, record.session, record.value)
