"""Names of topics, the kinds that each may assert, and the retention of each topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

EVENTS: Final = "agent.events"
APPROVALS: Final = "interlock.approvals"
ENFORCEMENT: Final = "interlock.enforcement"
GATE: Final = "interlock.gate"
FINDINGS: Final = "interlock.findings"
CONTROL: Final = "interlock.control"
DEAD_LETTERS: Final = "interlock.dlq"
CLAIMS: Final = "interlock.claims"

READ_TOGETHER: Final = (EVENTS, APPROVALS, ENFORCEMENT, GATE)
"""Keyed by session, with the same number of partitions, read by one consumer."""
OPTIONAL: Final = (GATE,)
"""Of these, the topics that need not exist. One that is created later is then read as well."""

DAY_MS: Final = 86_400_000


class TopicPolicy(msgspec.Struct, frozen=True):
    """The creation of a topic: `retention_ms` is None if compaction keeps the last of each key."""

    cleanup: Literal["delete", "compact"]
    retention_ms: int | None
    partitions: int | None = None
    """Of every such topic, however many the others have; None: as many as the others."""


POLICIES: Final[Mapping[str, TopicPolicy]] = {
    EVENTS: TopicPolicy("delete", 7 * DAY_MS),
    APPROVALS: TopicPolicy("delete", 30 * DAY_MS),
    ENFORCEMENT: TopicPolicy("delete", 30 * DAY_MS),
    GATE: TopicPolicy("delete", 7 * DAY_MS),
    FINDINGS: TopicPolicy("delete", 90 * DAY_MS),
    CONTROL: TopicPolicy("compact", None),
    DEAD_LETTERS: TopicPolicy("delete", 30 * DAY_MS),
    # One order of all claims decides who has a session.
    CLAIMS: TopicPolicy("compact", None, partitions=1),
}
