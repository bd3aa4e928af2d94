"""Every error that the client raises on purpose.

    ClientError
    ├── SettingError     a setting, an address or a name given to the client is faulty
    ├── SessionOver      a call was made in a session that has ended, or after `Client.close()`
    └── Refused          the call was not made
        ├── Quarantined  the session, or what it belongs to, is quarantined
        ├── Killed       the same, for good
        ├── NoView       nobody can say: the control topic was not read lately, or events do not
        │                arrive, so that nobody watches
        ├── Denied       the gate judged the call, and denied it
        ├── Held         the gate holds the call for an approval, which did not come in time
        └── NoGate       the gate did not judge the call: it is away, or did not accept the request

Trouble with the transport is never an error of the agent: it is counted in `Client.stats()`.
"""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """The root of all errors of this package."""


class SettingError(ClientError, ValueError):
    """An unusable setting; the message contains its name and a correction."""


class SessionOver(ClientError):  # noqa: N818 - reads as what it says, like StopIteration
    """A call in a session that has ended would be seen by no invariant, so it is not made."""


class Refused(ClientError):  # noqa: N818 - the call is refused, which is not an error
    """The call was not made.

    `state` is `quarantined`, `killed`, `denied`, `held` or `unknown`; `key` is the control key with
    that state (`""` if there is none); `incident` is the id to give to an operator. The finding of
    that incident contains the reason of a stop, which is never given here: other agents can read
    the control topic. `invariants` are the ids of those that a gate denied or held the call for,
    and `approval` is the id of the approval that a held call waits for.
    """

    state: str = "unknown"

    def __init__(
        self,
        tool: str,
        message: str,
        *,
        key: str = "",
        incident: str = "",
        invariants: tuple[str, ...] = (),
        approval: str = "",
    ) -> None:
        super().__init__(message)
        self.tool = tool
        self.key = key
        self.incident = incident
        self.invariants = invariants
        self.approval = approval

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a process pool: the default would lose the arguments after the first."""
        more = {
            "key": self.key,
            "incident": self.incident,
            "invariants": self.invariants,
            "approval": self.approval,
        }
        return _rebuilt, (type(self), self.tool, str(self), more)


class Quarantined(Refused):
    """Stopped until an operator releases it, or until the quarantine expires."""

    state = "quarantined"


class Killed(Refused):
    """Stopped for good: only a later `active` record releases it, never the passing of time."""

    state = "killed"


class NoView(Refused):
    """The client cannot determine if the call is allowed, and its settings require a refusal then.

    Either the view of the control topic is missing or too old, or the client's own events have
    not been delivered for too long, so that no monitor could find anything.
    """


class Denied(Refused):
    """The call would violate invariants; its text is one sentence for the model."""

    state = "denied"


class Held(Refused):
    """The call waits for an approval, and was given up after `hold_s_max`.

    It was withdrawn, so nobody can approve it later: the agent makes it again, as a new request.
    A deferred call (`ToolCall.is_deferred`) goes on waiting, and gets the decision if it is made
    again with the same id and arguments.
    """

    state = "held"


class NoGate(Refused):
    """The gate did not judge the call.

    Either no gate answered for `ask_s_max`, and the settings require a refusal then; or the gate
    did not accept the request (its text contains the reason); or the answer is not one of a gate.
    """


def _rebuilt(kind: type[Refused], tool: str, message: str, more: dict[str, Any]) -> Refused:
    return kind(tool, message, **more)
