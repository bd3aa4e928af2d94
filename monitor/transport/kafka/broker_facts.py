"""The facts about a broker and its topics that `interlock doctor` judges. Pure, without Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

UNKNOWN_TOPIC: Final = 3
"""The protocol's error code for a topic that is not there."""
TOPIC_DENIED: Final = 29
"""The protocol's error code for a topic that the connection may not see."""


class TopicFacts(msgspec.Struct, frozen=True):
    """A topic as the broker describes it. `error` is the protocol's code; 0 is none.

    `operations` and `settings` are None if the broker does not show them. `replicas_min` and
    `in_sync_min` are those of the partition with the fewest.
    """

    error: int = 0
    partitions: int = 0
    without_leader: int = 0
    replicas_min: int = 0
    in_sync_min: int = 0
    operations: frozenset[str] | None = None
    settings: Mapping[str, str] | None = None


class BrokerFacts(msgspec.Struct, frozen=True):
    """A broker that answered; `may_read_group` is None if it did not say."""

    version: tuple[int, ...]
    brokers: int
    topics: Mapping[str, TopicFacts]
    may_read_group: bool | None = None
