"""The topic of gates on a real broker: a deployment without one works, and takes it up later."""

from __future__ import annotations

import time
import uuid

import pytest

from invariants.model.errors import ConfigError
from monitor.topics import GATE, POLICIES, READ_TOGETHER
from monitor.transport.base import Notice, Record
from monitor.transport.kafka.consumer import KafkaSource
from monitor.transport.kafka.topic_config import init_topics
from tests.support.kafka_broker import Broker
from tests.support.kafka_topics import ends_of, publish_all, read_until

pytestmark = pytest.mark.kafka
PATIENCE_S = 60


class Without:
    """Topics of a test's own, of which that of gates does not exist yet."""

    def __init__(self, bootstrap: str) -> None:
        mark = uuid.uuid4().hex[:8]
        self.bootstrap, self.group, self.gate = bootstrap, f"group-{mark}", f"{mark}.{GATE}"
        self.topics = tuple(f"{mark}.{topic}" for topic in READ_TOGETHER)
        others = {f"{mark}.{topic}": POLICIES[topic] for topic in READ_TOGETHER if topic != GATE}
        init_topics(bootstrap, 4, 1, topics=others)

    def source(self, group: str | None) -> KafkaSource:
        """A reader that learns of changes soon."""
        return KafkaSource(
            self.bootstrap, self.topics, group, optional=(self.gate,), metadata_max_age_ms=500
        )

    def create_gate(self, partitions: int) -> None:
        """What an administrator does later, with an event of a gate."""
        init_topics(self.bootstrap, partitions, 1, topics={self.gate: POLICIES[GATE]})
        publish_all(self.bootstrap, self.gate, [("s", b"from the gate")])


def test_a_topic_that_is_added_has_as_many_partitions_as_the_others(
    kafka_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next start would refuse it."""
    place = Without(kafka_broker.bootstrap)
    monkeypatch.setattr("monitor.transport.kafka.topic_config.READ_TOGETHER", place.topics)
    topics = dict.fromkeys(place.topics, POLICIES[GATE])
    reports = init_topics(place.bootstrap, None, 1, topics=topics)
    assert [report.topic for report in reports if report.is_created] == [place.gate]
    assert len(ends_of(place.bootstrap, place.gate)) == 4


def followed(source: KafkaSource, topic: str) -> tuple[list[Record], list[Notice]]:
    """Polls, as the loop does, until a record came from the topic, or a notice."""
    records: list[Record] = []
    notices: list[Notice] = []
    end = time.monotonic() + PATIENCE_S
    while not any(r.origin.topic == topic for r in records) and not notices:
        assert time.monotonic() < end, "nothing came from the topic"
        poll = source.poll(0.1, 100)
        records += poll.records
        notices += poll.notices
        if poll.gained:
            source.resume({})
    return records, notices


@pytest.mark.parametrize("is_member", [True, False])
def test_a_topic_that_is_created_later_is_read_from_its_start(
    kafka_broker: Broker, is_member: bool
) -> None:
    """Also by a reader without a group, and the other topics are read before and after."""
    place = Without(kafka_broker.bootstrap)
    source = place.source(place.group if is_member else None)
    source.resume({})
    assert source.warnings == ()
    publish_all(place.bootstrap, place.topics[0], [("s", b"before")])
    records, polls = read_until(source, 1)
    assert {stream.topic for stream in polls[-1].frontiers} == {*place.topics} - {place.gate}
    place.create_gate(4)
    records, notices = followed(source, place.gate)
    assert [r.value for r in records if r.origin.topic == place.gate] == [b"from the gate"]
    assert {notice.kind for notice in notices} <= {"unassigned"}
    publish_all(place.bootstrap, place.topics[1], [("s", b"after")])
    publish_all(place.bootstrap, place.gate, [("s", b"and on")])
    records, _ = read_until(source, 2)
    source.close()
    assert {record.value for record in records} >= {b"after", b"and on"}


def test_a_topic_with_other_partitions_is_told_and_not_read(kafka_broker: Broker) -> None:
    """Its sessions would be in other groups than their operators' records. A start refuses it."""
    place = Without(kafka_broker.bootstrap)
    source = place.source(None)
    source.resume({})
    place.create_gate(3)
    records, notices = followed(source, place.gate)
    source.close()
    assert records == []
    ((kind, topic),) = {(notice.kind, notice.stream.topic) for notice in notices}
    assert (kind, topic) == ("unassigned", place.gate)
    assert "3 partitions, and the other topics have 4" in notices[0].detail
    with pytest.raises(ConfigError, match="same number of partitions"):
        place.source(None)
