"""The gate's own part of the events that it records, and how an event is put together.

Each record of a gate's log is an event as docs/events.md defines it, with a field `gate`: what was
asked, what was answered and why. The log alone is enough to give every answer again.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from invariants.model.event import RAW_ABSENT
from monitor.exceptions.statement import SignedStatement
from monitor.gate.wire import Reason

Answered = Literal["", "allow", "deny", "hold"]


class GateNote(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The part of an event that a gate adds. `name` is the gate's; times in ns.

    `request` and `digest` (of tool, call and arguments) identify what was asked, `decision` is the
    answer, with its texts. `approval` is the held call that the event is about, `by` are the
    operators who have granted it so far, `approvers` is how many must. `telling` is the id of the
    request that reported the event, and `digest` is then that of all its events. `excepted` are
    violations that exceptions of operators cover. `exception` is one that begins with this event,
    `exception_over` the id of one that ends.
    """

    name: str
    request: str = ""
    digest: str = ""
    decision: Answered = ""
    message: str = ""
    reason: str = ""
    incident: str = ""
    invariants: list[Reason] = []
    would_deny: list[Reason] = []
    excepted: list[Reason] = []
    approval: str = ""
    asked_ns: int = 0
    expires_ns: int = 0
    approvers: int = 1
    by: list[str] = []
    is_edited: bool = False
    telling: str = ""
    exception: SignedStatement | None = None
    exception_over: str = ""


class Line(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One record of the log: an event with everything that a gate vouches for."""

    session: str
    seq: int
    ts: int
    kind: str
    principal: str = ""
    agent: str = ""
    user: str = ""
    tenant: str = ""
    parent: str = ""
    tool: str = ""
    call: str = ""
    args: msgspec.Raw = RAW_ABSENT
    result: msgspec.Raw = RAW_ABSENT
    error: str = ""
    text: str = ""
    attributes: msgspec.Raw = RAW_ABSENT
    standing: msgspec.Raw = RAW_ABSENT
    excepted: msgspec.Raw = RAW_ABSENT
    gate: GateNote


_encode: Final = msgspec.json.Encoder().encode
_decoder: Final = msgspec.json.Decoder(Line)


def line_bytes(line: Line) -> bytes:
    """The record as it is written: one line of JSON, without its end."""
    return _encode(line)


def read_line(data: bytes) -> Line:
    """A record of the log. msgspec.DecodeError if it is damaged."""
    return _decoder.decode(data)
