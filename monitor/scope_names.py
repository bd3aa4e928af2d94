"""Names of scopes in a store, and of events in a trace that is of many sessions."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from invariants.spec import WIDER, Per
from monitor.trace_key import TraceKey

_MARK: Final = "\x1f"
_TRACE: Final = f"{_MARK}trace{_MARK}"
_USERS: Final = f"{_MARK}users{_MARK}"


def stored_trace(key: TraceKey) -> str:
    """The name under which a store keeps a trace.

    Without a principal it is the session's id, which its agent chose: no id can be the name of
    another principal's trace, or of a wider scope.
    """
    if key.principal:
        return _TRACE + msgspec.json.encode(key).decode()
    return _MARK + key.session if key.session.startswith(_MARK) else key.session


def stored_users(session: str) -> str:
    """The name under which a store keeps the users of a session's id (`monitor/owners.py`)."""
    return _USERS + session


def stored_name(per: Per, value: str) -> str:
    """The name under which a store keeps a scope wider than a session."""
    assert per != "session", "a session's is `stored_trace`"
    return f"{_MARK}{per}{_MARK}{value}"


def scope_named(stored: str) -> TraceKey | tuple[Per, str]:
    """Which scope a stored name is of: the inverse of `stored_trace` and `stored_name`."""
    if not stored.startswith(_MARK):
        return TraceKey("", stored)
    if stored.startswith(_TRACE):
        return msgspec.json.decode(stored.removeprefix(_TRACE), type=TraceKey)
    for per in WIDER:
        head = f"{_MARK}{per}{_MARK}"
        if stored.startswith(head):
            return per, stored.removeprefix(head)
    return TraceKey("", stored.removeprefix(_MARK))


class Named(NamedTuple):
    """An event in a trace of many sessions: its position and id in its own session.

    `agent` and `principal` are those that its session had stated by then, and `life` is that of its
    header (`Header.life_at`), `digest` its record of conflicting ids (`Header.conflict_at`): a
    verdict on the event may come after the session was evicted.
    """

    session: str
    position: int
    id: str
    agent: str
    principal: str
    life: str = ""
    digest: str = ""


def packed_id(named: Named) -> str:
    """The name of an event in a trace that is of many sessions."""
    # Few ids are in conflict, and each stored entry carries a name.
    return msgspec.json.encode(named if named.digest else named[:-1]).decode()


def unpacked_id(packed: str) -> Named:
    """The inverse of `packed_id`."""
    return msgspec.json.decode(packed, type=Named)
