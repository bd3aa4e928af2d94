"""Topics of a test's own on the shared broker, so that tests do not meet."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from monitor.topics import POLICIES, READ_TOGETHER
from monitor.transport.base import Poll, Record, Source, Stream
from monitor.transport.kafka.client import TopicPartition, open_admin, open_consumer
from monitor.transport.kafka.producer import KafkaPublisher
from monitor.transport.kafka.topic_config import init_topics, topic_settings


@dataclass(frozen=True)
class Names:
    """Fresh names for the topics that are read together, in their usual order."""

    topics: tuple[str, ...]
    group: str

    @property
    def events(self) -> str:
        return self.topics[0]

    @property
    def approvals(self) -> str:
        return self.topics[1]


def fresh_topics(bootstrap: str, partitions: int = 4) -> Names:
    mark = uuid.uuid4().hex[:8]
    policies = {f"{mark}.{topic}": POLICIES[topic] for topic in READ_TOGETHER}
    init_topics(bootstrap, partitions, 1, topics=policies)
    return Names(tuple(policies), f"group-{mark}")


def one_topic(bootstrap: str, partitions: int = 1, **settings: str) -> str:
    """One more topic, whose broker settings differ from ours as given (`_` stands for `.`)."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    configs = topic_settings(POLICIES[READ_TOGETHER[0]])
    configs |= {key.replace("_", "."): value for key, value in settings.items()}
    admin = open_admin(bootstrap, {})
    wanted = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
    admin.create_topics({name: wanted}, wait_for_metadata=True)
    admin.close()
    return name


def delete_before(bootstrap: str, topic: str, partition: int, offset: int) -> None:
    """What retention does: the log of this partition begins at `offset`."""
    admin = open_admin(bootstrap, {})
    admin.delete_records({TopicPartition(topic, partition): offset})
    admin.close()


def publish_all(bootstrap: str, topic: str, pairs: list[tuple[str, bytes]]) -> None:
    publisher = KafkaPublisher(bootstrap)
    for key, value in pairs:
        publisher.publish(topic, key, value)
    publisher.flush(30)
    publisher.close()


def read_until(
    source: Source,
    count: int,
    positions: dict[Stream, int] | None = None,
    seconds_max: float = 90,
) -> tuple[list[Record], list[Poll]]:
    """Poll as the loop does (resume when something was gained) until `count` records came.

    The patience is that of two refreshes of what a client knows of its topics.
    """
    end = time.monotonic() + seconds_max
    stored = dict(positions or {})
    records: list[Record] = []
    polls: list[Poll] = []
    while time.monotonic() < end:
        poll = source.poll(0.2, 500)
        polls.append(poll)
        records += poll.records
        for record in poll.records:
            stored[record.stream] = record.origin.offset + 1
        if poll.gained:
            source.resume(stored)
        if len(records) >= count:
            return records, polls
    raise AssertionError(f"{len(records)} of {count} records after {len(polls)} polls")


def committed(bootstrap: str, group: str, topic: str, partition: int) -> int | None:
    consumer = open_consumer(bootstrap, {}, group_id=group)
    offset = consumer.committed(TopicPartition(topic, partition), timeout_ms=10_000)
    consumer.close()
    return None if offset is None else int(offset)


def ends_of(bootstrap: str, topic: str) -> dict[int, int]:
    """Where each partition of a topic ends now."""
    consumer = open_consumer(bootstrap, {})
    partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
    ends = consumer.end_offsets(partitions)
    consumer.close()
    return {partition.partition: int(end) for partition, end in ends.items()}


def values_from(bootstrap: str, topic: str, starts: dict[int, int]) -> list[bytes]:
    """All values from these offsets to the ends, a partition after the other, in order."""
    consumer = open_consumer(bootstrap, {})
    partitions = {TopicPartition(topic, number): start for number, start in starts.items()}
    consumer.assign([*partitions])
    ends = consumer.end_offsets([*partitions])
    found: dict[int, list[bytes]] = {number: [] for number in starts}
    for partition, start in partitions.items():
        consumer.seek(partition, start)
    while any(consumer.position(partition) < end for partition, end in ends.items()):
        for partition, records in consumer.poll(500).items():
            found[partition.partition] += [record.value for record in records]
    consumer.close()
    return [value for number in sorted(found) for value in found[number]]
