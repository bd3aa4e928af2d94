"""Topics that their owners make anew, or wider, while a monitor reads them or is away."""

from __future__ import annotations

import time

import pytest

from monitor.topics import EVENTS, POLICIES
from monitor.transport.base import Notice, Record, Stream
from monitor.transport.kafka.client import open_admin
from monitor.transport.kafka.consumer import KafkaSource
from monitor.transport.kafka.topic_config import init_topics
from tests.support.kafka_broker import Broker
from tests.support.kafka_topics import fresh_topics, publish_all, read_until

pytestmark = pytest.mark.kafka
PATIENCE_S = 40


def make_anew(bootstrap: str, topic: str) -> None:
    """Delete a topic and make it again under its name, with one partition."""
    admin = open_admin(bootstrap, {})
    admin.delete_topics([topic])
    deadline = time.monotonic() + PATIENCE_S
    while any(one["error_code"] == 0 for one in admin.describe_topics([topic])):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    admin.close()
    init_topics(bootstrap, 1, 1, topics={topic: POLICIES[EVENTS]})


def numbered(count: int) -> list[tuple[str, bytes]]:
    return [("s", b"%d" % n) for n in range(count)]


def test_a_topic_made_anew_while_the_monitor_was_away_is_read_from_its_start(
    kafka_broker: Broker,
) -> None:
    """It holds more records than the position that the old one had been read to."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    stream = Stream(names.events, "0")
    publish_all(kafka_broker.bootstrap, names.events, numbered(5))
    first = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    first.resume({})
    _, polls = read_until(first, 5)
    first.close()
    known = polls[-1].frontiers[stream]
    assert known.next_offset == 5 and known.identity is not None
    make_anew(kafka_broker.bootstrap, names.events)
    publish_all(kafka_broker.bootstrap, names.events, numbered(9))
    second = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    second.recognise({stream: known.identity})
    second.resume({stream: 5})
    records, polls = read_until(second, 9, {stream: 5})
    second.close()
    assert [record.origin.offset for record in records] == list(range(9))
    notices = [notice for poll in polls for notice in poll.notices]
    assert [(n.kind, n.from_offset, n.to_offset) for n in notices] == [("replaced", 5, 0)]


def test_the_same_topic_is_read_on(kafka_broker: Broker) -> None:
    """Its identity lasts, and nothing is said."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    stream = Stream(names.events, "0")
    publish_all(kafka_broker.bootstrap, names.events, numbered(5))
    identities: dict[Stream, str] = {}
    for start in (0, 3):
        source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
        source.recognise(identities)
        source.resume({stream: start})
        records, polls = read_until(source, 5 - start, {stream: start})
        source.close()
        assert [record.origin.offset for record in records] == list(range(start, 5))
        assert not any(poll.notices for poll in polls)
        identity = polls[-1].frontiers[stream].identity
        assert identity is not None and identities.get(stream, identity) == identity
        identities[stream] = identity


def test_a_topic_made_anew_while_it_is_read_is_read_from_its_start(kafka_broker: Broker) -> None:
    """Some come twice, at first behind the old position, until the client knows; none is lost."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    publish_all(kafka_broker.bootstrap, names.events, numbered(5))
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group, metadata_max_age_ms=500)
    source.resume({})
    read_until(source, 5)
    make_anew(kafka_broker.bootstrap, names.events)
    publish_all(kafka_broker.bootstrap, names.events, numbered(9))
    records, notices = followed(source, 0, seconds=8)
    source.close()
    assert [record.origin.offset for record in records][-9:] == list(range(9))
    assert {notice.kind for notice in notices} & {"replaced", "truncated"}


def test_a_topic_that_is_deleted_ends_no_monitor(kafka_broker: Broker) -> None:
    """Its streams are at no end any more, and the others are read on."""
    names, other = fresh_topics(kafka_broker.bootstrap, 1), fresh_topics(kafka_broker.bootstrap, 1)
    topics = (names.events, other.events)
    source = KafkaSource(kafka_broker.bootstrap, topics, names.group, metadata_max_age_ms=500)
    source.resume({})
    publish_all(kafka_broker.bootstrap, names.events, numbered(3))
    read_until(source, 3)
    admin = open_admin(kafka_broker.bootstrap, {})
    admin.delete_topics([names.events])
    deleted = Stream(names.events, "0")
    deadline = time.monotonic() + PATIENCE_S
    while (frontier := source.poll(0.2, 100).frontiers.get(deleted)) and frontier.is_at_end:
        assert time.monotonic() < deadline
    admin.close()
    publish_all(kafka_broker.bootstrap, other.events, numbered(4))
    records, _ = followed(source, 4)
    assert {record.origin.topic for record in records} == {other.events}
    source.close()


def test_a_topic_with_more_partitions_than_before_is_told(kafka_broker: Broker) -> None:
    """Running sessions move: once, and for the topic that grew."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=2)
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group, metadata_max_age_ms=500)
    source.resume({})
    publish_all(kafka_broker.bootstrap, names.events, numbered(1))
    read_until(source, 1)
    admin = open_admin(kafka_broker.bootstrap, {})
    admin.create_partitions({names.events: 3})
    admin.close()
    _, notices = followed(source, 0, seconds=14)
    source.close()
    told = [(n.kind, n.stream.topic, n.from_offset, n.to_offset) for n in notices]
    assert told == [("grown", names.events, 2, 3)]


def test_a_bystander_reads_the_partitions_that_came_later(kafka_broker: Broker) -> None:
    """No group gives them to it: what stands there would be missing, and nobody would know."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=2)
    source = KafkaSource(kafka_broker.bootstrap, names.topics, None, metadata_max_age_ms=500)
    source.resume({})
    publish_all(kafka_broker.bootstrap, names.events, [("k", b"first")])
    read_until(source, 1)
    admin = open_admin(kafka_broker.bootstrap, {})
    admin.create_partitions({names.events: 5})
    admin.close()
    _, notices = followed(source, 0, seconds=4)
    assert [notice.kind for notice in notices] == ["grown"]
    publish_all(kafka_broker.bootstrap, names.events, [(f"k{n}", b"%d" % n) for n in range(40)])
    records, _ = followed(source, 40)
    source.close()
    assert sorted(int(record.value) for record in records) == list(range(40))
    assert len({record.stream.partition for record in records}) > 2


def followed(
    source: KafkaSource, count: int, seconds: float = PATIENCE_S
) -> tuple[list[Record], list[Notice]]:
    """Records and notices until so many records came; with 0, for the whole time."""
    records: list[Record] = []
    notices: list[Notice] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (len(records) < count or not count):
        poll = source.poll(0.1, 100)
        records += poll.records
        notices += poll.notices
        if poll.gained:
            source.resume({})
    return records, notices
