"""Keys of scopes, and their names in a store."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from invariants.spec.model import WIDER, Per
from monitor.trace_key import TraceKey

_MARK: Final = "\x1f"
_TRACE: Final = f"{_MARK}trace{_MARK}"
_USERS: Final = f"{_MARK}users{_MARK}"


class WiderKey(NamedTuple):
    """Identifies a scope wider than a session: an agent, a user or a tenant, by name."""

    per: Per
    value: str


def stored_trace(key: TraceKey) -> str:
    """The name under which a store keeps a trace.

    Without a principal it is the session's id, which its agent chose: no id can be the name of
    another principal's trace, or of a wider scope.
    """
    if key.principal:
        return _TRACE + msgspec.json.encode(key).decode()
    return _MARK + key.session if key.session.startswith(_MARK) else key.session


def stored_users(session: str) -> str:
    """The name under which a store keeps the users of a session's id
    (`monitor/kernel/owners.py`).
    """
    return _USERS + session


def stored_name(key: WiderKey) -> str:
    """The name under which a store keeps a scope wider than a session."""
    assert key.per != "session", "a session's is `stored_trace`"
    return f"{_MARK}{key.per}{_MARK}{key.value}"


def scope_named(stored: str) -> TraceKey | WiderKey:
    """Which scope a stored name is of: the inverse of `stored_trace` and `stored_name`."""
    if not stored.startswith(_MARK):
        return TraceKey("", stored)
    if stored.startswith(_TRACE):
        return msgspec.json.decode(stored.removeprefix(_TRACE), type=TraceKey)
    for per in WIDER:
        head = f"{_MARK}{per}{_MARK}"
        if stored.startswith(head):
            return WiderKey(per, stored.removeprefix(head))
    return TraceKey("", stored.removeprefix(_MARK))
