"""The requests of agents and operators to a gate, and its answers, field by field as JSON has them.

Source: docs/gate.md. Values of arguments stay raw bytes until a predicate reads them.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, Literal

import msgspec

from invariants.model.event import RAW_ABSENT
from monitor.exceptions.statement import Statement

Decision = Literal["allow", "deny", "hold"]
DIGEST_BYTES: Final = 16


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Open a session, or resume it. Names that are left out are those of the session so far."""

    session: str = ""
    agent: str = ""
    user: str = ""
    tenant: str = ""
    parent: str = ""


class Opened(msgspec.Struct, frozen=True):
    """A session that is open; `seq` is the number that its next event gets."""

    session: str
    principal: str
    is_resumed: bool
    seq: int


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """May this call be made? `request` makes a retry get the same answer; `call` is the model's
    id of the call.
    """

    session: str
    tool: str
    args: msgspec.Raw = RAW_ABSENT
    request: str = ""
    call: str = ""
    attributes: msgspec.Raw = RAW_ABSENT


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Anything else that happened: an outcome of a call, a message."""

    kind: str
    tool: str = ""
    call: str = ""
    args: msgspec.Raw = RAW_ABSENT
    result: msgspec.Raw = RAW_ABSENT
    error: str = ""
    text: str = ""
    attributes: msgspec.Raw = RAW_ABSENT


class Telling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events of one session, in their order. With a `request`, a retry records nothing again."""

    session: str
    events: list[Told]
    request: str = ""

    def digest(self) -> str:
        """Of everything that a repeated report must have in common with the first."""
        text = msgspec.json.encode(self.events)
        return blake2b(text, digest_size=DIGEST_BYTES).hexdigest()


class Withdrawal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nobody waits for the answer to this request any more."""

    session: str
    request: str


class Recorded(msgspec.Struct, frozen=True):
    """The numbers that events got in their session."""

    seq: list[int]


class WitnessRef(msgspec.Struct, frozen=True):
    """An event of the session that proves a violation."""

    position: int
    id: str
    time_ns: int
    roles: list[str] = []


class Reason(msgspec.Struct, frozen=True):
    """One invariant that the call would violate, with the finding that reports it; none does if the
    call was denied for arguments that it omits.

    `exception` is the id of the operator's exception that covers the violation, if one does.
    """

    id: str
    summary: str
    finding: str
    witness: list[WitnessRef] = []
    exception: str = ""


class Hold(msgspec.Struct, frozen=True):
    """The approval that a held call waits for, or waited for; times in ns. `expires_ns` is 0 when
    it waits no longer.
    """

    id: str
    expires_ns: int


class Answer(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The answer to a request.

    `message` is for the model, and contains only text of our own and of invariants. `would_deny`
    are invariants in `mode: observe` that the call violates, and `excepted` are those that refuse
    nothing under an exception of an operator. `args` are those that an operator
    approved in place of the agent's.
    """

    decision: Decision
    request: str
    call: str
    session: str
    seq: int
    message: str = ""
    reason: str = ""
    incident: str = ""
    invariants: list[Reason] = []
    would_deny: list[Reason] = []
    excepted: list[Reason] = []
    approval: Hold | None = None
    args: msgspec.Raw = RAW_ABSENT


class HeldCall(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A call that waits for an approval, as an operator sees it."""

    id: str
    principal: str
    session: str
    request: str
    call: str
    tool: str
    args: msgspec.Raw = RAW_ABSENT
    attributes: msgspec.Raw = RAW_ABSENT
    args_digest: str
    asked_ns: int
    expires_ns: int
    message: str
    invariants: list[Reason]
    granted_by: list[str] = []
    approvers: int = 1
    is_edited: bool = False
    refused: str = ""
    """Why it is to be denied: an operator refused it, or nobody waits for it any more."""

    @property
    def is_decided(self) -> bool:
        """True if it was refused, or enough operators have granted it; its answer is to follow."""
        return bool(self.refused) or len(self.granted_by) >= self.approvers


class Ruling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operator's decision about a held call; `args` replace the agent's."""

    decision: Literal["grant", "deny"]
    reason: str = ""
    args: msgspec.Raw = RAW_ABSENT


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """End an exception before its time."""

    reason: str = ""


class InForce(msgspec.Struct, frozen=True):
    """The exceptions in force at a gate, the oldest first. A new one states `gate`, the name of the
    gate, and `operator`, the principal that asks here.
    """

    gate: str
    operator: str
    exceptions: list[Statement]
