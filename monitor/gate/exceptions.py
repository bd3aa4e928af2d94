"""Exceptions and break-glass: who may make one, and when it ends.

    check(operator, signed) -> Statement    may it be taken? nothing is written
    take(statement, signed)                 write it down: it is in force from here on
    end(statement, ...)                     it was revoked, has expired, or lost its right

An exception changes no verdict. Each event that it concerns states it (`Recorder.line`), and the
kernel marks the violations that it covers: those refuse no call and stop nobody, here and in every
monitor that reads the log. So a replay needs no clock, no key, and no file of principals.
"""

from __future__ import annotations

from typing import Final

import msgspec

from invariants.formula.durations import format_duration
from invariants.model.event import SECOND_NS
from monitor.exceptions.statement import (
    SignedStatement,
    Statement,
    StatementError,
    read_statement,
)
from monitor.gate.decider import Decider
from monitor.gate.errors import ConflictError, ForbiddenError, MalformedError, UnknownError
from monitor.gate.exception_table import own_session
from monitor.gate.note import GateNote
from monitor.gate.recorder import Recorder
from monitor.ingest.excepted import EXCEPTED_MAX
from monitor.log import say
from monitor.principals.model import ExceptionSort, Principals
from monitor.principals.names import OF_UID

SIGNED_NS_MAX: Final = 600 * SECOND_NS
"""Chosen: from signing to asking. An older statement may come from a place where it was kept."""
EXCEPTION_EXPIRED: Final = "expired"
_SORTS: Final[tuple[ExceptionSort, ...]] = ("exception", "break-glass")
_NO_RIGHT: Final = (
    "only a principal with a role that the file of principals lists under `exceptions` or "
    "`break_glass` can do this"
)


class Exceptions:
    """The exceptions of one gate."""

    def __init__(self, recorder: Recorder, decider: Decider, invariants: frozenset[str]) -> None:
        self._recorder, self._decider, self._invariants = recorder, decider, invariants
        self._fitting: dict[str, bytes] = {}
        """By exception, the key that verified it."""

    def check_operator(self, operator: str) -> None:
        """ForbiddenError unless this principal may see and end exceptions."""
        time_ns = self._recorder.reach_now()
        principals = self._recorder.principals
        if principals is None or not any(
            principals.may_except(operator, sort, time_ns) for sort in _SORTS
        ):
            raise ForbiddenError(_NO_RIGHT)

    def check(self, operator: str, signed: SignedStatement) -> Statement:
        """The statement, if it may be taken.

        Raises
        ------
        MalformedError
            It is not a statement, or out of bounds.
        ForbiddenError
            The operator may not make it, or has not signed it.
        ConflictError
            It is for another gate, another time, or its id was used before.
        """
        try:
            statement = read_statement(signed.statement)
        except StatementError as error:
            raise MalformedError(str(error)) from None
        time_ns = self._recorder.reach_now()
        self._check_signer(operator, statement, signed, time_ns)
        if statement.gate != self._recorder.name:
            raise ConflictError("it was signed for another gate; sign one for this gate")
        if self._recorder.book.exceptions.is_known(signed):
            return statement
        if statement.principal and not self._may_ask(statement.principal, time_ns):
            raise MalformedError("the file of principals has no such `principal`")
        if statement.sort == "exception" and statement.invariant not in self._invariants:
            raise MalformedError("the gate has no such invariant; `invariant` is its id")
        # After a kill its session may have begun, and nothing else: then asking again is right.
        if self._recorder.book.row(own_session(statement)).seq > 1:
            raise ConflictError("this id was used before; sign a new statement")
        if len(self._recorder.book.exceptions) >= EXCEPTED_MAX:
            raise ConflictError(f"{EXCEPTED_MAX} exceptions are in force; revoke one first")
        return statement

    def _may_ask(self, principal: str, time_ns: int) -> bool:
        """True for a principal of the file, and for a user of the machine whom it does not name."""
        principals = self._recorder.principals
        is_known = principals is not None and principals.standing(principal, time_ns) is not None
        return is_known or OF_UID.fullmatch(principal) is not None

    def _check_signer(
        self, operator: str, statement: Statement, signed: SignedStatement, time_ns: int
    ) -> None:
        # The library takes a tenth of a second to import: a gate starts without it.
        from monitor.exceptions.signing import fits

        principals = self._recorder.principals
        if principals is None or not principals.may_except(operator, statement.sort, time_ns):
            raise ForbiddenError(_NO_RIGHT)
        if statement.issuer != operator:
            raise ForbiddenError("`issuer` must be the operator who asks")
        if statement.principal == operator:
            raise ForbiddenError("nobody may make an exception for themselves")
        key = principals.public_key(operator, time_ns)
        if key is None:
            raise ForbiddenError("the file of principals has no `public_key` of this operator")
        if not fits(key, signed):
            raise ForbiddenError("the signature does not fit the operator's `public_key`")
        _check_times(statement, principals, time_ns)

    def take(self, statement: Statement, signed: SignedStatement) -> None:
        """Write an exception down, in a session of its own that has begun."""
        told = msgspec.to_builtins(statement)
        told["exception"] = told.pop("id")
        del told["v"], told["gate"]
        self._write(statement, "control.applied", told, exception=signed)
        level = "error" if statement.sort == "break-glass" else "warning"
        say(
            level,
            "gate_exception_taken",
            id=statement.id,
            sort=statement.sort,
            issuer=statement.issuer,
            invariant=statement.invariant,
            principal=statement.principal,
            expires_ns=statement.expires_ns,
        )

    def statement(self, id_: str) -> Statement:
        """One that is in force. UnknownError if there is none of this id."""
        statement = self._recorder.book.exceptions.get(id_)
        if statement is None:
            raise UnknownError("no exception of this id is in force: it has ended")
        return statement

    def over(self) -> list[tuple[Statement, str]]:
        """Those that have ended by themselves, with the reason."""
        time_ns = self._recorder.reach_now()
        principals = self._recorder.principals
        found = []
        for one in self._recorder.book.exceptions.all():
            if one.expires_ns <= time_ns:
                found.append((one, EXCEPTION_EXPIRED))
            elif principals is None or not principals.may_except(one.issuer, one.sort, time_ns):
                found.append((one, "its issuer may make none any more"))
            elif not self._fits(one, principals.public_key(one.issuer, time_ns)):
                found.append((one, "its issuer has another key"))
        return found

    def _fits(self, statement: Statement, key: bytes | None) -> bool:
        """True if the key still verifies the signature; each pair of them is looked at once."""
        if key is not None and self._fitting.get(statement.id) != key:
            from monitor.exceptions.signing import fits

            if not fits(key, self._recorder.book.exceptions.signed(statement.id)):
                return False
            self._fitting[statement.id] = key
        return key is not None

    def end(self, statement: Statement, why: str, *, by: str = "", reason: str = "") -> None:
        """Write down that an exception is over; its own session ends with it."""
        told: dict[str, object] = {"exception": statement.id, "over": why}
        if by:
            told["by"] = by
        if reason:
            told["reason"] = reason
        self._write(statement, "session.ended", told, over=statement.id)
        self._fitting.pop(statement.id, None)
        say("warning", "gate_exception_over", id=statement.id, why=why)

    def _write(
        self,
        statement: Statement,
        kind: str,
        told: dict[str, object],
        *,
        exception: SignedStatement | None = None,
        over: str = "",
    ) -> None:
        attributes = msgspec.Raw(msgspec.json.encode(told))
        time_ns = self._recorder.reach_now()
        line = self._recorder.line(own_session(statement), kind, time_ns, attributes=attributes)
        excepted = msgspec.Raw(msgspec.json.encode([statement.excepted]))
        note = GateNote(name=self._recorder.name, exception=exception, exception_over=over)
        self._decider.record(msgspec.structs.replace(line, excepted=excepted, gate=note))


def _check_times(statement: Statement, principals: Principals, time_ns: int) -> None:
    if not time_ns - SIGNED_NS_MAX <= statement.issued_ns <= time_ns + SIGNED_NS_MAX:
        raise ConflictError(
            f"it was signed more than {format_duration(SIGNED_NS_MAX)} before or after the gate's "
            "time; sign it now, and compare the clocks"
        )
    if statement.expires_ns <= time_ns:
        raise ConflictError("it has expired; sign a new statement")
    longest_ns = principals.exceptions(statement.sort, time_ns).longest_ns
    if statement.expires_ns - max(statement.issued_ns, time_ns) > longest_ns:
        most = format_duration(longest_ns)
        raise ConflictError(f"it may be in force for at most `{most}`; choose an earlier end")
