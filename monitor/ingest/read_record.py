"""A record as an event, with the properties that its source vouches for."""

from __future__ import annotations

from invariants.model.event import Event
from monitor.ingest.decode import decode_event
from monitor.ingest.rejected import Rejected
from monitor.trace_key import principal_of
from monitor.transport.base import Record


def read_record(record: Record, *, is_trusted: bool = False) -> Event | Rejected:
    """The event in a record, with the properties that its source vouches for; or the rejection.

    `is_trusted` is that of `Provenance`.
    """
    return decode_event(
        record.value,
        record.origin,
        arrival_ns=record.arrival_ns,
        not_before_ns=record.not_before_ns,
        principal=principal_of(record.origin.topic),
        is_trusted=is_trusted,
    )
