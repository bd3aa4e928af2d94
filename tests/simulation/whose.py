"""Whose trace an event enters, written down again from decision 0031, to judge the monitor by.

It shares no code with `monitor/kernel/owners.py`. It knows neither repeats nor evicted sessions:
whoever used an ID stays its user, so that it judges only worlds in which no session is let go of.
"""

from __future__ import annotations

from collections.abc import Iterable

from invariants.model.event import Event
from monitor.topics import APPROVALS, ENFORCEMENT
from tests.simulation.ledger import Stepped, WrongError
from tests.simulation.outside import PRINCIPALS

Trace = tuple[str, str]
ASKING: tuple[str, ...] = ("tool.requested", "approval.requested")


def judge_traces(given: Iterable[Stepped]) -> int:
    """Each event was for the traces that the rules name; how many were an operator's or a gate's.

    `given` are events as one monitor took them in, those of a session in their order.
    """
    users: dict[str, list[str]] = {}
    asked: set[tuple[str, str, str]] = set()
    spoken_count = 0
    for one in given:
        event = one.event
        traces = _traces(event, users.get(event.session, []), asked)
        if set(one.traces) != set(traces):
            raise WrongError(
                f"{event.kind} at {event.origin} of `{event.session}` was for {one.traces}, "
                f"expected {traces}; its ID is used by {users.get(event.session)}"
            )
        if event.origin.topic not in PRINCIPALS:
            spoken_count += 1
            continue
        sender = PRINCIPALS[event.origin.topic]
        names = users.setdefault(event.session, [])
        if sender not in names:
            names.append(sender)
        if event.kind in ASKING:
            asked.add((sender, event.session, event.record.call))
    return spoken_count


def _traces(event: Event, users: list[str], asked: set[tuple[str, str, str]]) -> list[Trace]:
    """One trace, or all that an event may concern which acts for nobody."""
    session, call = event.session, event.record.call
    if event.origin.topic not in (APPROVALS, ENFORCEMENT):
        return [(PRINCIPALS[event.origin.topic], session)]
    if event.record.principal:
        return [(event.record.principal, session)]
    if len(users) <= 1:
        return [(users[0] if users else "", session)]
    askers = [name for name in users if (name, session, call) in asked] if call else []
    # Who has no name is anybody, and may have asked for any call.
    if len(askers) == 1 and "" not in users:
        return [(askers[0], session)]
    return [(name, session) for name in users]
