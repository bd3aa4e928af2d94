"""Finds the session that a record of an operator or a gate means, and other users of its ID.

Input: events in the order of the stream, and the headers of traces (`Header`). Output: the trace
that an event enters, or none, and the findings to report. Decision 0031 contains the rules and the
threat. The state has one row for each session ID that a principal has used; IDs that were used
without principals have none. A row is evicted with the last trace of its users.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import msgspec

from invariants.model.event import Event
from monitor.ingest.rejected import Rejected
from monitor.ingest.sequence import CALLS_MAX, Header, Noticed, call_digest
from monitor.kernel.scope import LoadedScope, ScopeChange
from monitor.scope_key import stored_users
from monitor.trace_key import TraceKey, is_authority

USERS_MAX: Final = 16
"""Chosen: principals that use one session ID; beyond it, the users of the ID are not known."""
ROWS_IN_MEMORY_MAX: Final = 10_000
SHOWN_MAX: Final = 4
"""Principals that a text names."""


class Users(msgspec.Struct, frozen=True, array_like=True):
    """The principals that used a session ID, in the order of their first events.

    `is_crowded`: more than `USERS_MAX` did, so that the list is not all of them.
    """

    names: tuple[str, ...] = ()
    is_crowded: bool = False


NOBODY: Final = Users()


class Unowned(NamedTuple):
    """A record of an operator or a gate that was not applied: the traces that it may concern."""

    traces: tuple[TraceKey, ...]
    noticed: Noticed


class Owners:
    """The users of each session ID. `load` reads the store, `header_of` returns a trace's
    header.
    """

    def __init__(
        self, load: Callable[[str], LoadedScope], header_of: Callable[[TraceKey], Header]
    ) -> None:
        self._load = load
        self._header_of = header_of
        self._rows: OrderedDict[str, Users] = OrderedDict()
        self._changed: set[str] = set()

    def trace_of(self, event: Event) -> TraceKey | Unowned:
        """The trace that an event enters; changes nothing."""
        record = event.record
        session = record.session
        if event.is_of_gate:
            return TraceKey(record.principal, session)
        if not is_authority(event.origin.topic):
            return TraceKey(event.principal, session)
        if record.principal:
            return TraceKey(record.principal, session)
        users = self._users(session)
        if not users.names:
            return TraceKey("", session)
        if len(users.names) == 1:
            return TraceKey(users.names[0], session)
        asked = None if users.is_crowded else self._who_asked(users, session, event.record.call)
        if asked is not None:
            return TraceKey(asked, session)
        text = (
            f"`{event.kind}` names no `principal`, and {_shown(users)} use session `{session}`: it "
            "was applied to none of them; publish it again, with a new ID and with `principal`"
        )
        traces = tuple(TraceKey(name, session) for name in users.names)
        return Unowned(traces, Noticed("unowned", text))

    def concerned(self, rejected: Rejected) -> tuple[TraceKey, ...]:
        """The traces that an unreadable record may concern; changes nothing.

        An agent's record concerns its own; an operator's concerns those of all users of the
        session's ID.
        """
        session = rejected.known.session
        if not session:
            return ()
        if not is_authority(rejected.origin.topic):
            return (TraceKey(rejected.principal, session),)
        return tuple(TraceKey(name, session) for name in self._users(session).names or ("",))

    def _who_asked(self, users: Users, session: str, call: str) -> str | None:
        """The only user that requested the call; None if that is not certain."""
        if not call:
            return None
        digest, asked = call_digest(call), []
        for name in users.names:
            header = self._header_of(TraceKey(name, session))
            # Without a principal the user is unknown, and one with evicted calls may have requested
            # it.
            if not name or len(header.calls) >= CALLS_MAX or digest in header.calls:
                asked.append(name)
        is_known = len(asked) == 1 and digest in self._header_of(TraceKey(asked[0], session)).calls
        return asked[0] if is_known else None

    def users_of(self, session: str) -> frozenset[str]:
        """The principals that have used a session's id, as far as they are remembered."""
        return frozenset(self._users(session).names)

    def speaks(self, key: TraceKey) -> list[Noticed]:
        """An agent's first event in its trace: check for other users of the session's ID."""
        users = self._users(key.session)
        if not key.principal and not users.names:
            return []
        noticed: list[Noticed] = []
        if not users.names:
            unnamed = self._header_of(TraceKey("", key.session))
            if unnamed.has_spoken:
                users = Users(("",))
            elif unnamed.position:
                noticed.append(Noticed("unowned", _early_text(key)))
        if users.names:
            text = (
                f"{_shown(users)} used the ID of this session before `{key.principal}`: the "
                "sessions are judged separately; approvals and gates should name the `principal`"
            )
            noticed.append(Noticed("contested", text))
        self._put(key.session, _with(users, key.principal))
        return noticed

    def forget(self, key: TraceKey) -> None:
        """A trace is gone, and so is its use of the session's ID."""
        users = self._users(key.session)
        if key.principal in users.names:
            names = tuple(name for name in users.names if name != key.principal)
            is_crowded = users.is_crowded and bool(names)
            self._put(key.session, Users(names, is_crowded))

    def take_changes(self) -> tuple[list[ScopeChange], list[str]]:
        """Rows that must be written since the last call, and those that are gone."""
        changes: list[ScopeChange] = []
        dropped: list[str] = []
        for session in sorted(self._changed):
            users = self._rows[session]
            if users.names:
                header = msgspec.msgpack.encode(users)
                changes.append(ScopeChange(stored_users(session), header, None, {}, ()))
            else:
                dropped.append(stored_users(session))
        self._changed.clear()
        while len(self._rows) > ROWS_IN_MEMORY_MAX:
            self._rows.popitem(last=False)
        return changes, dropped

    def forget_all(self) -> None:
        """Streams went to another monitor: rows are read again from the store."""
        self._rows.clear()
        self._changed.clear()

    def _users(self, session: str) -> Users:
        users = self._rows.get(session)
        if users is None:
            loaded = self._load(stored_users(session)).header
            users = NOBODY if loaded is None else msgspec.msgpack.decode(loaded, type=Users)
            self._rows[session] = users
        self._rows.move_to_end(session)
        return users

    def _put(self, session: str, users: Users) -> None:
        self._rows[session] = users
        self._changed.add(session)


def _with(users: Users, name: str) -> Users:
    if name in users.names:
        return users
    if len(users.names) >= USERS_MAX:
        return Users(users.names, is_crowded=True)
    return Users((*users.names, name), users.is_crowded)


def _shown(users: Users) -> str:
    def names() -> Iterator[str]:
        for name in users.names[:SHOWN_MAX]:
            yield f"`{name}`" if name else "a sender without a principal"
        more = len(users.names) - SHOWN_MAX
        if more > 0:
            yield f"{more}{' or more' if users.is_crowded else ''} others"

    *rest, last = names()
    return f"{', '.join(rest)} and {last}" if rest else last


def _early_text(key: TraceKey) -> str:
    return (
        f"operators or gates published records for `{key.session}` without a `principal` before "
        f"any use of the ID: they do not apply to `{key.principal}`; publish them again with "
        "`principal`"
    )
