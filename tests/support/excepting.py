"""Exceptions of operators, signed by keys that last as long as the tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from monitor.exceptions.signing import make_key, read_key, sign
from monitor.exceptions.statement import SignedStatement, Statement, statement_text
from monitor.gate.gate import Gate

ISSUER: Final = "olga"
_PEM, PUBLIC_KEY = make_key(b"")
ENTRY: Final = f'{{roles: [security], public_key: "{PUBLIC_KEY}"}}'
"""Of the issuer, in a file of principals."""
RULES: Final = """\
    exceptions: {roles: [security], longest: 90d}
    break_glass: {roles: [security], longest: 1h}
"""
"""For the end of a version."""


def exception(
    gate: Gate, number: int, now_ns: int, for_ns: int, invariant: str, **whom: Any
) -> SignedStatement:
    """An exception of an invariant, or without one a break-glass; `number` makes its id."""
    statement = Statement(
        id=f"x-{number:032x}",
        sort="exception" if invariant else "break-glass",
        gate=gate.exceptions(ISSUER).gate,
        issuer=ISSUER,
        issued_ns=now_ns,
        expires_ns=now_ns + for_ns,
        invariant=invariant,
        reason="drawn",
        owner="tests",
        **whom,
    )
    return sign(read_key(_PEM, b""), statement_text(statement))


def excepted_in(
    records: Sequence[dict[str, Any]], principal: str, session: str, time_ns: int
) -> set[str]:
    """The invariants that a log says are excepted for a session; `""` for all of them."""
    gates = {one["gate"]["name"] for one in records if one["session"] == session}
    over = {one["session"] for one in records if one["kind"] == "session.ended"}
    told = [
        one["attributes"]
        for one in records
        if one["principal"] == ISSUER
        and one["kind"] == "control.applied"
        and one["gate"]["name"] in gates
        and one["session"] not in over
    ]
    return {
        str(one["invariant"])
        for one in told
        if time_ns < one["expires_ns"]
        and one["principal"] in ("", principal)
        and one["session"] in ("", session)
    }
