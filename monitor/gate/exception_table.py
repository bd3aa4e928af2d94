"""The exceptions in force at one gate: a part of its book, and a function of its log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from invariants.codec.state import StateError
from invariants.model.excepted import Excepted
from monitor.exceptions.statement import SignedStatement, Statement, read_statement
from monitor.gate.note import GateNote
from monitor.trace_key import TraceKey

TABLE_NAME: Final = "\x1fgate-exceptions"
"""No trace has such a name (`monitor/scope_key.py`)."""


class ExceptionTable:
    """The exceptions that were taken, until their end is recorded."""

    def __init__(self, stored: bytes | None) -> None:
        self._signed: dict[str, SignedStatement] = {}
        self._statements: dict[str, Statement] = {}
        try:
            kept = msgspec.json.decode(stored or b"[]", type=list[SignedStatement])
        except msgspec.MsgspecError as error:
            raise StateError(f"the stored exceptions cannot be read: {error}") from error
        for signed in kept:
            self._add(signed)
        self._has_changed = False

    def __len__(self) -> int:
        return len(self._statements)

    def all(self) -> list[Statement]:
        """The oldest first; some may have expired, whose end is not recorded yet."""
        return list(self._statements.values())

    def get(self, id_: str) -> Statement | None:
        """One of them."""
        return self._statements.get(id_)

    def signed(self, id_: str) -> SignedStatement:
        """One of them, as its issuer signed it."""
        return self._signed[id_]

    def is_known(self, signed: SignedStatement) -> bool:
        """True if exactly this was taken before, and has not ended."""
        return signed in self._signed.values()

    def apply(self, note: GateNote) -> None:
        """A record of the log about an exception."""
        if note.exception is not None:
            self._add(note.exception)
        if note.exception_over:
            self._signed.pop(note.exception_over, None)
            self._statements.pop(note.exception_over, None)
            self._has_changed = True

    def _add(self, signed: SignedStatement) -> None:
        statement = read_statement(signed.statement)
        self._signed[statement.id], self._statements[statement.id] = signed, statement
        self._has_changed = True

    def of(self, key: TraceKey, time_ns: int) -> tuple[Excepted, ...]:
        """Those that an event of a session states: they concern it, or it is about one of them."""
        if not self._statements:
            return ()
        return tuple(
            one.excepted
            for one in self._statements.values()
            if time_ns < one.expires_ns and (one.concerns(*key) or key == own_session(one))
        )

    def take_changes(self) -> Iterable[bytes]:
        """The content to store, if it has changed since the last call."""
        if self._has_changed:
            self._has_changed = False
            yield msgspec.json.encode(list(self._signed.values()))


def own_session(statement: Statement) -> TraceKey:
    """The session whose events tell when an exception began and ended."""
    return TraceKey(statement.issuer, statement.id)
