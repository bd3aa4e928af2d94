"""The standing of an event's principal, as far as something vouches for it.

A gate's record states it; for all others the monitor's own file of principals gives it, by the
version in force at the event's effective time. Nothing else does: a producer cannot choose it.
"""

from __future__ import annotations

import msgspec

from invariants.model.event import Event
from monitor.principals.model import Principals


def with_standing(event: Event, principals: Principals | None, *, is_trusted: bool) -> Event:
    """An event with its effective time, with the standing of its principal; None if not known.

    `is_trusted`: a finished file may name the principal in the event itself. The standing of a
    principal whom a gate did not know stays unknown, and so does that of an event whose time is not
    known: another version may have been in force then.
    """
    if principals is None or event.standing is not None or event.is_of_gate:
        return event
    name = event.principal or (event.record.principal if is_trusted else "")
    if not name or event.is_time_unsure:
        return event
    return msgspec.structs.replace(event, standing=principals.standing(name, event.time_ns))
