"""The Kafka source against a real broker: positions, frontiers, holes, rebalances, restarts."""

from __future__ import annotations

import pytest

from invariants.model.errors import ConfigError
from monitor.transport.base import Stream
from monitor.transport.kafka.consumer import KafkaSource
from tests.support.kafka_broker import Broker
from tests.support.kafka_topics import (
    committed,
    delete_before,
    fresh_topics,
    one_topic,
    publish_all,
    read_until,
)

pytestmark = pytest.mark.kafka


def numbered(count: int, start: int = 0, sessions: int = 7) -> list[tuple[str, bytes]]:
    return [(f"s{n % sessions}", b'{"n":%d}' % n) for n in range(start, start + count)]


def test_every_record_comes_once_in_order_with_its_append_time(kafka_broker: Broker) -> None:
    """Records come in the order of each stream, keyed, with the broker's append time."""
    names = fresh_topics(kafka_broker.bootstrap)
    publish_all(kafka_broker.bootstrap, names.events, numbered(100))
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    source.resume({})
    records, _ = read_until(source, 100)
    source.close()
    source.close()
    assert sorted(r.value for r in records) == sorted(v for _, v in numbered(100))
    assert all(r.arrival_ns is not None and r.arrival_ns > 10**18 for r in records)
    by_stream: dict[Stream, list[int]] = {}
    for record in records:
        by_stream.setdefault(record.stream, []).append(record.origin.offset)
        assert record.key is not None
    assert all(offsets == list(range(len(offsets))) for offsets in by_stream.values())


def test_nothing_comes_before_resume_has_placed_a_gained_stream(kafka_broker: Broker) -> None:
    """A gained stream gives no record until the store has said where to read it."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    publish_all(kafka_broker.bootstrap, names.events, numbered(5))
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    source.resume({})
    gained = ()
    while not gained:
        poll = source.poll(0.2, 10)
        gained = poll.gained
    assert Stream(names.events, "0") in gained
    for _ in range(5):
        assert source.poll(0.1, 10).records == ()
    source.resume({Stream(names.events, "0"): 3})
    records, _ = read_until(source, 2)
    source.close()
    assert [r.origin.offset for r in records] == [3, 4]


def test_the_stores_position_beats_the_committed_one(kafka_broker: Broker) -> None:
    """What was committed to the group is advisory: reading goes on where the store says."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    stream = Stream(names.events, "0")
    publish_all(kafka_broker.bootstrap, names.events, numbered(10))
    first = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    first.resume({})
    read_until(first, 10)
    first.commit({stream: 10})
    first.close()
    assert committed(kafka_broker.bootstrap, names.group, names.events, 0) == 10
    second = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    second.resume({stream: 4})
    records, polls = read_until(second, 6, {stream: 4})
    second.close()
    assert [r.origin.offset for r in records] == [4, 5, 6, 7, 8, 9]
    assert not any(poll.notices for poll in polls)


def test_what_another_member_had_read_is_read_again_and_said(kafka_broker: Broker) -> None:
    """A store that knows nothing of a stream builds its states anew; that is not kept silent."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    stream = Stream(names.events, "0")
    publish_all(kafka_broker.bootstrap, names.events, numbered(10))
    first = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    first.resume({})
    _, polls = read_until(first, 10)
    assert not any(poll.notices for poll in polls)
    first.commit({stream: 7})
    first.close()
    second = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    second.resume({})
    records, polls = read_until(second, 10)
    second.close()
    assert [r.origin.offset for r in records] == list(range(10))
    notices = [notice for poll in polls for notice in poll.notices]
    assert [(n.kind, n.stream, n.from_offset, n.to_offset) for n in notices] == [
        ("reread", stream, 0, 7)
    ]


def test_frontiers_reach_the_end_and_count_the_lag(kafka_broker: Broker) -> None:
    """A frontier counts what is unread, and is at its end exactly when nothing is."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    publish_all(kafka_broker.bootstrap, names.events, numbered(30))
    publish_all(kafka_broker.bootstrap, names.approvals, numbered(2))
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    source.resume({})
    while not source.poll(0.2, 10).gained:
        pass
    source.resume({})
    seen = []
    while sum(len(poll.records) for poll in seen) < 32:
        seen.append(source.poll(0.5, 10))
    events = Stream(names.events, "0")
    first = seen[0].frontiers[events]
    assert not first.is_at_end
    assert first.lag_records == 30 - first.next_offset
    last = seen[-1].frontiers
    assert all(frontier.is_at_end and frontier.lag_records == 0 for frontier in last.values())
    assert last[events].next_offset == 30
    assert first.read_to_ns == max(r.arrival_ns or 0 for r in seen[0].records if r.stream == events)
    assert last[events].read_to_ns is None, "an end that was asked for last needs no time"
    source.close()


def test_a_frontier_is_not_at_its_end_while_an_older_approval_is_unread(
    kafka_broker: Broker,
) -> None:
    """An event never comes with the claim that unread approvals before it are read."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    source.resume({})
    while not source.poll(0.2, 10).gained:
        pass
    source.resume({})
    approvals = Stream(names.approvals, "0")
    read = 0
    for turn in range(6):
        publish_all(kafka_broker.bootstrap, names.approvals, numbered(1, turn))
        publish_all(kafka_broker.bootstrap, names.events, numbered(1, turn))
        is_event_seen = False
        while not (is_event_seen and read == turn + 1):
            poll = source.poll(0.2, 1)
            read += sum(r.stream == approvals for r in poll.records)
            is_event_seen |= any(r.stream.topic == names.events for r in poll.records)
            if is_event_seen and poll.frontiers[approvals].is_at_end:
                assert read == turn + 1
    source.close()


def test_a_position_below_the_log_start_is_told_and_reading_goes_on(kafka_broker: Broker) -> None:
    """What retention took from under the store's position is a loud `truncated` notice."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    stream = Stream(names.events, "0")
    publish_all(kafka_broker.bootstrap, names.events, numbered(10))
    delete_before(kafka_broker.bootstrap, names.events, 0, 6)
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    source.resume({stream: 2})
    records, polls = read_until(source, 4, {stream: 2})
    source.close()
    assert [r.origin.offset for r in records] == [6, 7, 8, 9]
    notices = [notice for poll in polls for notice in poll.notices]
    assert [(n.kind, n.from_offset, n.to_offset) for n in notices] == [("truncated", 2, 6)]
    assert notices[0].has_lost, "sessions of the partition are told of it"


def test_a_position_beyond_the_end_is_told_and_all_is_read(kafka_broker: Broker) -> None:
    """A topic that was made anew is read from its start, loudly."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    stream = Stream(names.events, "0")
    publish_all(kafka_broker.bootstrap, names.events, numbered(3))
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    source.resume({stream: 500})
    records, polls = read_until(source, 3, {stream: 500})
    source.close()
    assert len(records) == 3
    notices = [notice for poll in polls for notice in poll.notices]
    assert [(n.kind, n.from_offset, n.to_offset) for n in notices] == [("truncated", 500, 0)]


def test_what_retention_takes_while_reading_is_told(kafka_broker: Broker) -> None:
    """A reader that was overtaken by retention says so and goes on at the earliest record."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    stream = Stream(names.events, "0")
    source = KafkaSource(
        kafka_broker.bootstrap, names.topics, names.group, max_partition_fetch_bytes=2_000
    )
    source.resume({})
    while not source.poll(0.2, 10).gained:
        pass
    pairs = [("s", b"%01000d" % n) for n in range(50)]
    for pair in pairs:
        publish_all(kafka_broker.bootstrap, names.events, [pair])
    source.resume({})
    offsets = []
    notices = []
    while 49 not in offsets:
        poll = source.poll(0.2, 1)
        offsets += [r.origin.offset for r in poll.records]
        notices += list(poll.notices)
        if offsets == [0]:
            delete_before(kafka_broker.bootstrap, names.events, 0, 40)
    source.close()
    assert [(n.kind, n.stream, n.to_offset) for n in notices] == [("truncated", stream, 40)]
    assert offsets[-10:] == list(range(40, 50))


@pytest.mark.parametrize("is_trusted", [False, True])
def test_times_of_producers_are_refused_unless_trusted(
    kafka_broker: Broker, is_trusted: bool
) -> None:
    """A topic with `CreateTime` is refused; with `trust_ts` its records carry no arrival."""
    topic = one_topic(kafka_broker.bootstrap, message_timestamp_type="CreateTime")
    if not is_trusted:
        with pytest.raises(ConfigError, match="LogAppendTime"):
            KafkaSource(kafka_broker.bootstrap, [topic], "g-" + topic)
        return
    publish_all(kafka_broker.bootstrap, topic, numbered(1))
    source = KafkaSource(kafka_broker.bootstrap, [topic], "g-" + topic, trust_ts=True)
    source.resume({})
    records, _ = read_until(source, 1)
    source.close()
    assert records[0].arrival_ns is None


def test_unequal_partition_counts_are_refused(kafka_broker: Broker) -> None:
    """Topics keyed by session that differ in partitions would tear sessions apart."""
    topics = [one_topic(kafka_broker.bootstrap, count) for count in (2, 3)]
    with pytest.raises(ConfigError, match="same number of partitions"):
        KafkaSource(kafka_broker.bootstrap, topics, "g")


def test_a_missing_topic_is_refused(kafka_broker: Broker) -> None:
    """A topic that is not there is named, with the command that makes it."""
    with pytest.raises(ConfigError, match="`nowhere` does not exist; run `interlock kafka init`"):
        KafkaSource(kafka_broker.bootstrap, ["nowhere"], "g")
