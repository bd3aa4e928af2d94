"""The trace to which an event belongs: (principal, session), see decision 0031.

The principal is the NAME of the topic `agent.events.NAME`, which the broker's access rights
protect. If the topic has no name, it is empty, and the session alone identifies the trace. A value
that a producer writes into an event (`agent`, `user`, `session`) is never an identity.

Operators, supervisors and gates have their own topics, and their records concern sessions of other
principals. Only there a record's field `principal` is trusted. `monitor/kernel/owners.py` finds the
session of a record without it. The records of a gate are the events of its sessions, as the agents
told them to it; those of operators and supervisors are about sessions of others.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from interlock.control_record import session_target, session_targets
from monitor.topics import APPROVALS, ENFORCEMENT, EVENTS, GATE

_PRINCIPAL_PREFIX: Final = EVENTS + "."
OTHERS_TOPICS: Final = frozenset({APPROVALS, ENFORCEMENT})
AUTHORITY_TOPICS: Final = OTHERS_TOPICS | {GATE}


class TraceKey(NamedTuple):
    """Identifies a trace; `principal` is empty if the topic of its events has no name.

    Examples
    --------
    >>> str(TraceKey("alice", "s-1")), str(TraceKey("", "s-1"))
    ('alice/s-1', 's-1')
    >>> TraceKey("alice", "s-1").control_target
    'session-of:alice/s-1'
    """

    principal: str
    session: str

    def __str__(self) -> str:
        return f"{self.principal}/{self.session}" if self.principal else self.session

    @property
    def control_target(self) -> str:
        """The control topic's key of this trace, and of no other principal's."""
        return session_target(self.principal, self.session)

    @property
    def control_targets(self) -> tuple[str, ...]:
        """All keys of the control topic that a guard obeys for this session."""
        return session_targets(self.principal, self.session)


def principal_of(topic: str) -> str:
    """The authenticated sender: NAME of `agent.events.NAME`, else empty."""
    return topic.removeprefix(_PRINCIPAL_PREFIX) if topic.startswith(_PRINCIPAL_PREFIX) else ""


def is_authority(topic: str) -> bool:
    """True if operators or gates write to this topic, and may name the principal of a session."""
    return topic in AUTHORITY_TOPICS


def is_about_others(topic: str) -> bool:
    """True if the records of this topic are about sessions whose own events are on others."""
    return topic in OTHERS_TOPICS
