"""Requests that a gate does not answer, each with a stable code that the server maps to a status.

GateError
├── MalformedError    `malformed`     the request cannot be read, or is beyond a limit
├── ForbiddenError    `forbidden`     the principal may not do this
├── UnknownError      `unknown`       no such session, request or held call
├── ConflictError     `conflict`      it contradicts what the gate holds
├── CrowdedError      `crowded`       a bound of this principal is reached
└── NotReadyError     `not_ready`     the gate cannot record, so it answers nothing
    └── ClaimPendingError             a session's claim is being written; ask again behind it
"""

from __future__ import annotations

from concurrent.futures import Future


class GateError(Exception):
    """A request that got no answer: nothing was recorded, and the call may not be made."""

    code = "error"


class MalformedError(GateError):
    """The request cannot be read, or is beyond a limit."""

    code = "malformed"


class ForbiddenError(GateError):
    """The principal may not do this."""

    code = "forbidden"


class UnknownError(GateError):
    """The gate has no such session, request or held call."""

    code = "unknown"


class ConflictError(GateError):
    """The request contradicts what the gate holds."""

    code = "conflict"


class CrowdedError(GateError):
    """A bound of this principal is reached; it may ask again after `retry_after_s`."""

    code = "crowded"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReadyError(GateError):
    """The gate cannot record, so it answers nothing."""

    code = "not_ready"


class ClaimPendingError(NotReadyError):
    """The claim of a session is being written; `claimed` ends when it is known who has it."""

    def __init__(self, claimed: Future[None]) -> None:
        super().__init__("the session is being claimed; ask again")
        self.claimed = claimed
