"""What an agent can write into a topic never stops the monitor (each of these once did)."""

from __future__ import annotations

import confluent_kafka
import pytest

from monitor.transport.kafka.client import open_producer
from monitor.transport.kafka.consumer import KafkaSource
from tests.support.kafka_broker import Broker
from tests.support.kafka_topics import fresh_topics, one_topic, publish_all, read_until

pytestmark = pytest.mark.kafka
PATIENCE_S = 120


class NotText(str):
    """Text for the client's checks; on the wire, bytes that are no UTF-8."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


def produce(
    broker: Broker,
    topic: str,
    values: list[bytes],
    **settings: object,
) -> None:
    """By another client, as an agent may use it; in one batch, which the flush alone ends."""
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": broker.bootstrap, "linger.ms": 60_000}
        | {name.replace("_", "."): value for name, value in settings.items()}
    )
    for value in values:
        producer.produce(topic, value=value, key=b"s")
    assert producer.flush(PATIENCE_S) == 0


@pytest.mark.parametrize("codec", ["lz4", "zstd", "snappy"])
def test_a_batch_of_another_codec_is_passed_over(kafka_broker: Broker, codec: str) -> None:
    """Batches by a codec that is not read are passed over with a notice; the rest is read."""
    topic = one_topic(kafka_broker.bootstrap, compression_type="producer")
    publish_all(kafka_broker.bootstrap, topic, [("s", b"before")] * 3)
    produce(kafka_broker, topic, [b"hidden" * 20] * 50, compression_type=codec)
    publish_all(kafka_broker.bootstrap, topic, [("s", b"after")] * 2)
    source = KafkaSource(kafka_broker.bootstrap, [topic], "g-" + topic)
    assert "are skipped" in source.warnings[0]
    source.resume({})
    records, polls = read_until(source, 5)
    source.close()
    assert [r.value for r in records] == [b"before"] * 3 + [b"after"] * 2
    notices = [notice for poll in polls for notice in poll.notices]
    assert {n.kind for n in notices} == {"unreadable"}
    # The producer may make two batches of them: librdkafka's thread does not wait for our loop.
    assert {at for n in notices for at in range(n.from_offset, n.to_offset)} == set(range(3, 53))


def test_our_topics_take_every_codec(kafka_broker: Broker) -> None:
    """On topics that `init_topics` made, the broker itself unpacks what producers compressed."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    produce(kafka_broker, names.events, [b"x" * 100] * 50, compression_type="zstd")
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    assert source.warnings == ()
    source.resume({})
    records, polls = read_until(source, 50)
    source.close()
    assert len(records) == 50
    assert not any(poll.notices for poll in polls)


def test_a_gzip_bomb_is_passed_over(kafka_broker: Broker) -> None:
    """A batch that unpacks to more than the bound is never unpacked."""
    topic = one_topic(
        kafka_broker.bootstrap, compression_type="producer", max_message_bytes="2000000"
    )
    produce(
        kafka_broker,
        topic,
        [b"0" * 900_000] * 90,
        compression_type="gzip",
        batch_size=200_000_000,
        message_max_bytes=100_000_000,
    )
    publish_all(kafka_broker.bootstrap, topic, [("s", b"after")])
    source = KafkaSource(kafka_broker.bootstrap, [topic], "g-" + topic)
    source.resume({})
    records, polls = read_until(source, 1)
    source.close()
    assert records[-1].value == b"after"
    notices = [notice for poll in polls for notice in poll.notices]
    assert notices
    assert all("gzip content is larger" in notice.detail for notice in notices)


def test_a_header_that_is_no_text_does_not_stop_the_stream(kafka_broker: Broker) -> None:
    """A header whose name is not UTF-8 costs its own batch, with a notice, and no more."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    publish_all(kafka_broker.bootstrap, names.events, [("s", b"before")])
    producer = open_producer(kafka_broker.bootstrap, {})
    producer.send(names.events, key=b"s", value=b"odd", headers=[(NotText("n"), b"\xff")])
    producer.close()
    publish_all(kafka_broker.bootstrap, names.events, [("s", b"after")])
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    source.resume({})
    records, polls = read_until(source, 2)
    source.close()
    assert [r.value for r in records] == [b"before", b"after"]
    notices = [notice for poll in polls for notice in poll.notices]
    assert [(n.kind, n.from_offset, n.to_offset) for n in notices] == [("unreadable", 1, 2)]


def test_a_tombstone_is_an_empty_record(kafka_broker: Broker) -> None:
    """A record without a value is a record that the decoder will reject."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka_broker.bootstrap})
    producer.produce(names.events, key=b"s", value=None)
    assert producer.flush(PATIENCE_S) == 0
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    source.resume({})
    records, _ = read_until(source, 1)
    source.close()
    assert records[0].value == b""
