"""The exceptions in force at one gate: a part of its book, and a function of its log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from invariants.codec.state import StateError
from invariants.model.excepted import Excepted
from monitor.exceptions.statement import SignedStatement, Statement, read_statement
from monitor.gate.note import GateNote
from monitor.trace_key import TraceKey

TABLE_NAME: Final = "\x1fgate-exceptions"
"""No trace has such a name (`monitor/scope_key.py`)."""


class _Taken(NamedTuple):
    """One exception, read and as it was signed."""

    statement: Statement
    signed: SignedStatement


class ExceptionTable:
    """The exceptions that were taken, until their end is recorded."""

    def __init__(self, stored: bytes | None) -> None:
        self._taken: dict[str, _Taken] = {}
        """By id, the oldest first."""
        try:
            kept = msgspec.json.decode(stored or b"[]", type=list[SignedStatement])
        except msgspec.MsgspecError as error:
            raise StateError(f"the stored exceptions cannot be read: {error}") from error
        for signed in kept:
            self._add(signed)
        self._has_changed = False

    def __len__(self) -> int:
        return len(self._taken)

    def all(self) -> list[Statement]:
        """The oldest first; some may have expired, whose end is not recorded yet."""
        return [one.statement for one in self._taken.values()]

    def get(self, id_: str) -> Statement | None:
        """One of them."""
        taken = self._taken.get(id_)
        return None if taken is None else taken.statement

    def signed(self, id_: str) -> SignedStatement:
        """One of them, as its issuer signed it."""
        return self._taken[id_].signed

    def is_known(self, signed: SignedStatement) -> bool:
        """True if exactly this was taken before, and has not ended."""
        return any(one.signed == signed for one in self._taken.values())

    def apply(self, note: GateNote) -> None:
        """A record of the log about an exception."""
        if note.exception is not None:
            self._add(note.exception)
        if note.exception_over:
            self._taken.pop(note.exception_over, None)
            self._has_changed = True

    def _add(self, signed: SignedStatement) -> None:
        statement = read_statement(signed.statement)
        self._taken[statement.id] = _Taken(statement, signed)
        self._has_changed = True

    def of(self, key: TraceKey, time_ns: int) -> tuple[Excepted, ...]:
        """Those that concern an event of a session."""
        return tuple(
            one.statement.excepted
            for one in self._taken.values()
            if time_ns < one.statement.expires_ns and one.statement.concerns(*key)
        )

    def take_changes(self) -> Iterable[bytes]:
        """The content to store, if it has changed since the last call."""
        if self._has_changed:
            self._has_changed = False
            yield msgspec.json.encode([one.signed for one in self._taken.values()])


def own_session(statement: Statement) -> TraceKey:
    """The session whose events tell when an exception began and ended."""
    return TraceKey(statement.issuer, statement.id)
