"""An exception as its issuer signs it: one JSON text, and a signature over its bytes.

    read_statement(signed) -> Statement     or StatementError with what is wrong

An exception names one invariant, break-glass none: it concerns every invariant. Both say whom they
concern, why, until when, and who answers for them. Nothing here reads a clock or a key.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from interlock.errors import SettingError
from interlock.names import checked_name, checked_session_id
from invariants.model.excepted import EVERY_INVARIANT, Excepted
from monitor.ingest.unrepeated import check_unrepeated
from monitor.principals.model import ExceptionSort

STATEMENT_CHARS_MAX: Final = 4_096
REASON_CHARS_MAX: Final = 500
OWNER_CHARS_MAX: Final = 100
"""Chosen: a sentence or two, and a name of a person or a team."""
ID: Final = re.compile(r"x-[0-9a-f]{32}")


class StatementError(ValueError):
    """It is not a statement; the message says what is wrong, and what to write."""


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An operator's exception. Times are in ns, `expires_ns` is excluded.

    `gate` is the name of the only gate that takes it. It concerns the sessions of `principal`, or
    one `session` of it, or without a principal everybody but its `issuer`. `owner` answers for it.
    """

    v: Literal[1] = 1
    id: str
    sort: ExceptionSort
    gate: str
    issuer: str
    issued_ns: int
    expires_ns: int
    invariant: str = ""
    principal: str = ""
    session: str = ""
    reason: str
    owner: str

    @property
    def excepted(self) -> Excepted:
        """As the events state it that it concerns."""
        invariant = self.invariant if self.sort == "exception" else EVERY_INVARIANT
        return Excepted(self.id, invariant, self.expires_ns)

    def concerns(self, principal: str, session: str) -> bool:
        """True for the events of a session: nobody makes an exception for themselves."""
        if principal == self.issuer:
            return False
        return self.principal in ("", principal) and self.session in ("", session)


class SignedStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text of a statement, and its Ed25519 signature in base64."""

    statement: str
    signature: str


_decoder: Final = msgspec.json.Decoder(Statement, strict=True)


def statement_text(statement: Statement) -> str:
    """The text that its issuer signs."""
    return msgspec.json.encode(statement).decode()


def read_statement(text: str) -> Statement:
    """The statement in a text.

    Raises
    ------
    StatementError
        It has another form, or its parts contradict each other.
    """
    if len(text) > STATEMENT_CHARS_MAX:
        raise StatementError(f"`statement` has more than {STATEMENT_CHARS_MAX} characters")
    try:
        statement = _decoder.decode(text)
        # An auditor's parser may take another of two values than ours.
        check_unrepeated(text.encode())
    except (msgspec.MsgspecError, ValueError, RecursionError):
        text = "make it with `interlock exceptions add` or `interlock gate break-glass`"
        raise StatementError(f"`statement` has another form; {text}") from None
    _check_parts(statement)
    return statement


def _check_parts(statement: Statement) -> None:
    if not ID.fullmatch(statement.id):
        raise StatementError("`id` must be `x-` and 32 hexadecimal digits")
    if (statement.sort == "exception") != bool(statement.invariant):
        raise StatementError("an exception names one `invariant`, and break-glass names none")
    if statement.session and not statement.principal:
        raise StatementError("`session` needs its `principal`: ids of sessions are not unique")
    if not statement.reason.strip() or not statement.owner.strip():
        raise StatementError("`reason` and `owner` must not be empty")
    if len(statement.reason) > REASON_CHARS_MAX or len(statement.owner) > OWNER_CHARS_MAX:
        raise StatementError(
            f"`reason` has at most {REASON_CHARS_MAX} characters, `owner` {OWNER_CHARS_MAX}"
        )
    try:
        for what in ("issuer", "gate", "principal", "invariant"):
            checked_name(getattr(statement, what), what)
        if statement.session:
            checked_session_id(statement.session)
    except SettingError as error:
        raise StatementError(str(error)) from None
