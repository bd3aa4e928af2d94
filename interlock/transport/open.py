"""Opens the transport of a target, and names the shard that its events enter."""

from __future__ import annotations

from collections.abc import Mapping

from ..watermarks import Shard
from .base import Transport, Whereabouts
from .target import EVENTS_TOPIC, KafkaTarget, LogTarget, Target


def shard_of(target: Target, whereabouts: Whereabouts, session_id: str) -> Shard | None:
    """The shard of a session's events; None until it is known.

    `NAME/ID` is a session of another principal, which has its own topic. An ancestor that is named
    only by its ID is assumed to publish to this topic too.
    """
    if isinstance(target, LogTarget):
        owner = whereabouts.owner
        return None if owner is None else Shard(target.topic, owner, is_partition=False)
    count = whereabouts.partitions_count
    if count is None:
        return None
    from .kafka import partition_of

    principal, _, own_id = session_id.rpartition("/")
    topic = f"{EVENTS_TOPIC}.{principal}" if principal else target.topic
    return Shard(topic, partition_of(own_id, count), is_partition=True)


def open_transport(
    target: Target, kafka_options: Mapping[str, object], whereabouts: Whereabouts
) -> Transport:
    """A transport for `target`; OSError if it cannot be opened now."""
    match target:
        case LogTarget():
            from .logdir import LogTransport

            return LogTransport(target.directory / target.topic, whereabouts=whereabouts)
        case KafkaTarget():
            from .kafka import KafkaTransport

            return KafkaTransport(target, kafka_options, whereabouts)
