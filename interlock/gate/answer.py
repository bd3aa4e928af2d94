"""The gate's answer to a request: JSON to a value that is checked, or `NotAGate`.

Only the fields that the client uses are read. Texts of an answer reach the model and logs, so they
are cut, and characters that are not printable are replaced.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from .exchange import NotAGate

MESSAGE_CHARACTERS_MAX: Final = 2_000
"""Chosen: a sentence for the model, with room for the summaries of several invariants."""
_INVARIANTS_MAX: Final = 100


class _Reason(msgspec.Struct, frozen=True):
    id: str


class _Approval(msgspec.Struct, frozen=True):
    id: str


class Answer(msgspec.Struct, frozen=True):
    """The part of an answer that decides what the client does."""

    decision: Literal["allow", "deny", "hold"]
    request: str
    session: str
    message: str = ""
    reason: str = ""
    incident: str = ""
    invariants: list[_Reason] = []
    approval: _Approval | None = None
    args: dict[str, Any] | None = None

    @property
    def invariant_ids(self) -> tuple[str, ...]:
        """The invariants that denied or held the call."""
        return tuple(shown(reason.id)[:200] for reason in self.invariants[:_INVARIANTS_MAX])

    @property
    def approval_id(self) -> str:
        """The held call that waits, or that operators decided; `""` if it was never held."""
        return shown(self.approval.id)[:200] if self.approval is not None else ""


class _Error(msgspec.Struct, frozen=True):
    message: str = ""


class _Failure(msgspec.Struct, frozen=True):
    error: _Error = _Error()


def read_answer(body: bytes, session: str, request: str) -> Answer:
    """Read the answer to `request`.

    Raises
    ------
    NotAGate
        It cannot be read, or is the answer to another request.
    """
    try:
        answer = msgspec.json.decode(body, type=Answer)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotAGate(f"its answer cannot be read: {type(error).__name__}") from None
    if (answer.session, answer.request) != (session, request):
        raise NotAGate("its answer is that of another request")
    return answer


def read_failure(body: bytes) -> str:
    """The message of an error response; `""` if there is none."""
    try:
        return shown(msgspec.json.decode(body, type=_Failure).error.message)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""


def shown(text: str) -> str:
    """`text` of a gate as it may stand in a message."""
    cut = text[:MESSAGE_CHARACTERS_MAX]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else " " for c in cut)
