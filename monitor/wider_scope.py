"""The types of scopes wider than a session: headers, states in memory, results."""

from __future__ import annotations

from operator import is_
from typing import NamedTuple

import msgspec

from invariants.event import Event
from invariants.scope_program import Judged, Progress
from invariants.spec import Per
from monitor.order import Noticed


class WiderHeader(msgspec.Struct, frozen=True, array_like=True):
    """The record of a wider scope besides states: the number of its events, and its last time."""

    position: int = 0
    time_ns: int = 0
    epoch: int = 0
    is_time_unsure: bool = False
    is_disordered: bool = False
    """Both as of a session (`monitor/order.py`)."""


class HeldScope(msgspec.Struct):
    """A wider scope in memory; mutable, as `LiveScope` is."""

    header: WiderHeader
    progress: Progress
    stored: Progress
    queued_ns: int | None = None
    owed: tuple[Noticed, ...] = ()
    """Notices from its loading, to be reported with its next event."""
    owed_since: int = 0
    """While notices are pending: the stored epoch, so that a start reports them again."""


class WiderJudged(NamedTuple):
    """The result of an event, or of time alone, in one wider scope; nothing of it is kept yet.

    `value` is empty if the event names no scope: then `verdicts` concern only the event.
    """

    per: Per
    value: str
    header: WiderHeader
    judged: Judged
    noticed: tuple[Noticed, ...] = ()


def is_blank(progress: Progress, initial: Progress) -> bool:
    """True if no invariant remembers anything."""
    return all(map(is_, progress.states, initial.states))


def scope_of(per: Per, event: Event) -> str:
    """The scope that the event names, else the one that its session named first."""
    match per:
        case "agent":
            return event.agent
        case "user":
            return event.user
        case "tenant":
            return event.tenant
        case "session":
            return event.session
