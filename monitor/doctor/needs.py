"""The needs of each role of an installation on a broker. Source: docs/running.md.

Pure. A role is the part that the settings or the flags name: a monitor (`source`), a gate
(`gate.publish`), an agent without a gate (`--target`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from monitor.topics import (
    APPROVALS,
    CLAIMS,
    CONTROL,
    DEAD_LETTERS,
    EVENTS,
    FINDINGS,
    GATE,
    OPTIONAL,
    POLICIES,
    TopicPolicy,
)
from monitor.transport.address import KafkaAddress

Role = Literal["monitor", "gate", "agent"]


class Needs(msgspec.Struct, frozen=True):
    """Operations by topic, and the group, that a role needs on its brokers.

    `together` are topics that need equal numbers of partitions; `optional` ones need not exist.
    """

    role: Role
    bootstrap: str
    operations: Mapping[str, frozenset[str]]
    together: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    group: str | None = None
    trust_ts: bool = False


def monitor_needs(address: KafkaAddress, *, reads_all: bool, trust_ts: bool) -> Needs:
    """The needs of `interlock run`; `reads_all`: it joins no group."""
    read = dict.fromkeys(address.topics, frozenset({"READ"}))
    written = {
        CONTROL: frozenset({"READ", "WRITE"}),
        FINDINGS: frozenset({"WRITE"}),
        DEAD_LETTERS: frozenset({"WRITE"}),
    }
    return Needs(
        "monitor",
        address.bootstrap,
        {**read, **written},
        together=address.topics,
        optional=frozenset(OPTIONAL),
        group=None if reads_all else address.group,
        trust_ts=trust_ts or address.trust_ts,
    )


def gate_needs(address: KafkaAddress) -> Needs:
    """The needs of `interlock gate serve`. Topics of operators need not exist: see docs/gate.md."""
    operations = {
        GATE: frozenset({"WRITE"}),
        CONTROL: frozenset({"READ"}),
        CLAIMS: frozenset({"READ", "WRITE"}),
    }
    return Needs("gate", address.bootstrap, operations)


def agent_needs(address: KafkaAddress) -> Needs:
    """The needs of a client that publishes without a gate, to the first topic of its target."""
    topic = address.topics[0]
    write, read = frozenset({"WRITE"}), frozenset({"READ"})
    return Needs("agent", address.bootstrap, {topic: write, CONTROL: read})


def policy_of(topic: str) -> TopicPolicy | None:
    """The policy of a topic: that of its family, for one of a principal or an operator."""
    for family in (EVENTS, APPROVALS):
        if topic.startswith(family + "."):
            return POLICIES[family]
    return POLICIES.get(topic)
