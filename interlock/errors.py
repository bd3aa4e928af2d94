"""Every error that the client raises on purpose.

    ClientError
    ├── SettingError     a setting, an address or a name given to the client is faulty
    ├── SessionOver      a call was made in a session that has ended, or after `Client.close()`
    └── Refused          guard() says no: the call was not made
        ├── Quarantined  the session, or what it belongs to, is quarantined
        ├── Killed       the same, for good
        └── NoView       nobody can say: the control topic was not read lately, or events do not
                     arrive, so that nobody watches

Trouble with the transport is never an error of the agent: it is counted in `Client.stats()`.
"""

from __future__ import annotations


class ClientError(Exception):
    """The root of all errors of this package."""


class SettingError(ClientError, ValueError):
    """An unusable setting; the message contains its name and a correction."""


class SessionOver(ClientError):  # noqa: N818 - reads as what it says, like StopIteration
    """A call in a session that has ended would be seen by no invariant, so it is not made."""


class Refused(ClientError):  # noqa: N818 - the call is refused, which is not an error
    """The call was not made.

    `state` is `quarantined`, `killed` or `unknown`; `key` is the control key with that state (`""`
    if there is none); `incident` is the id to give to an operator. The finding of that incident
    contains the reason, which is never given here: other agents can read the control topic.
    """

    state: str = "unknown"

    def __init__(self, tool: str, message: str, *, key: str = "", incident: str = "") -> None:
        super().__init__(message)
        self.tool = tool
        self.key = key
        self.incident = incident

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a process pool: the default would lose the arguments after the first."""
        return _rebuilt, (type(self), self.tool, str(self), self.key, self.incident)


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


def _rebuilt(kind: type[Refused], tool: str, message: str, key: str, incident: str) -> Refused:
    return kind(tool, message, key=key, incident=incident)
