"""Names of scopes in a store, and of events in a trace that is of many sessions."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from invariants.spec import WIDER, Per

_MARK: Final = "\x1f"


def stored_name(per: Per, value: str) -> str:
    """The name under which a store keeps a scope.

    A session's is its id, which its agent chose: no id can be the name of a wider scope.
    """
    if per == "session":
        return _MARK + value if value.startswith(_MARK) else value
    return f"{_MARK}{per}{_MARK}{value}"


def scope_named(stored: str) -> tuple[Per, str]:
    """Which scope a stored name is of: the inverse of `stored_name`."""
    if not stored.startswith(_MARK):
        return "session", stored
    for per in WIDER:
        head = f"{_MARK}{per}{_MARK}"
        if stored.startswith(head):
            return per, stored.removeprefix(head)
    return "session", stored.removeprefix(_MARK)


class Named(NamedTuple):
    """An event in a trace that is of many sessions: where it stands in its own, and its id there.

    `agent` and `principal` are those that its session had named by then: a verdict on the event
    may come when nothing is known of the session any more.
    """

    session: str
    position: int
    id: str
    agent: str
    principal: str


def packed_id(named: Named) -> str:
    """The name of an event in a trace that is of many sessions."""
    return msgspec.json.encode(named).decode()


def unpacked_id(packed: str) -> Named:
    """The inverse of `packed_id`."""
    return msgspec.json.decode(packed, type=Named)
