"""Publishing to a real broker, its control topic, and the making of topics."""

from __future__ import annotations

import gc
import logging
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
import pytest

from invariants.model.errors import ConfigError
from monitor.topics import CONTROL, POLICIES, READ_TOGETHER, TopicPolicy
from monitor.transport.kafka.client import client_settings, open_admin
from monitor.transport.kafka.consumer import KafkaSource
from monitor.transport.kafka.control_reader import KafkaControlReader
from monitor.transport.kafka.producer import KafkaPublisher
from monitor.transport.kafka.topic_config import check_topics, init_topics
from tests.support.kafka_broker import Broker, start_broker
from tests.support.kafka_topics import fresh_topics, one_topic, publish_all, read_until

pytestmark = pytest.mark.kafka

NOWHERE = "127.0.0.1:1"

# The library forgets to close the socket of a connection that was refused.
FORGETS_SOCKETS = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def _collected(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let the collector close such sockets here, where the warning is expected.

    Records of the library's log would keep them alive until the end of the session.
    """
    caplog.set_level(logging.CRITICAL, logger="kafka")
    yield
    gc.collect()


def test_a_record_comes_back_with_key_and_headers(kafka_broker: Broker) -> None:
    """Key, value and headers arrive as they were handed over."""
    names = fresh_topics(kafka_broker.bootstrap)
    publisher = KafkaPublisher(kafka_broker.bootstrap)
    headers = (("content-type", b"application/x-ndjson"), ("again", b"\xff"))
    publisher.publish(names.events, "sitzung-ü", b"{}", headers)
    publisher.flush(10)
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    source.resume({})
    records, _ = read_until(source, 1)
    source.close()
    publisher.close()
    publisher.close()
    assert (records[0].key, records[0].value) == ("sitzung-ü".encode(), b"{}")
    assert records[0].headers == headers
    with pytest.raises(OSError, match="closed"):
        publisher.publish(names.events, "s", b"{}")


def test_keys_meet_those_of_other_clients_in_one_partition(kafka_broker: Broker) -> None:
    """A key's partition is the murmur2 one, as for every client that is set to it."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=12)
    keys = [f"session-{number}" for number in range(40)] + ["ü", "a" * 300]
    publish_all(kafka_broker.bootstrap, names.events, [(key, b"ours") for key in keys])
    other = confluent_kafka.Producer(
        {"bootstrap.servers": kafka_broker.bootstrap, "partitioner": "murmur2_random"}
    )
    for key in keys:
        other.produce(names.events, key=key.encode(), value=b"theirs")
    assert other.flush(20) == 0
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group)
    source.resume({})
    records, _ = read_until(source, 2 * len(keys))
    source.close()
    met: dict[bytes | None, set[str]] = {}
    for record in records:
        met.setdefault(record.key, set()).add(record.origin.partition)
    assert {len(partitions) for partitions in met.values()} == {1}
    assert len(set().union(*met.values())) > 6


def test_what_the_broker_refuses_fails_the_flush(kafka_broker: Broker) -> None:
    """A record that the broker does not take is an error of `flush`, once."""
    topic = one_topic(kafka_broker.bootstrap, max_message_bytes="1000")
    publisher = KafkaPublisher(kafka_broker.bootstrap)
    publisher.publish(topic, "s", b"fits")
    publisher.publish(topic, "s", b"x" * 5_000)
    with pytest.raises(OSError, match="at least 1 were not accepted; the first: "):
        publisher.flush(10)
    publisher.publish(topic, "s", b"fits again")
    publisher.flush(10)
    publisher.close()


@pytest.mark.parametrize("value", [b"x" * 1_048_577])
def test_a_record_too_large_for_any_broker_fails_at_once(
    kafka_broker: Broker, value: bytes
) -> None:
    """Where it can be told at once, `publish` itself raises."""
    topic = one_topic(kafka_broker.bootstrap)
    publisher = KafkaPublisher(kafka_broker.bootstrap)
    with pytest.raises(OSError, match="could not be queued"):
        publisher.publish(topic, "s", value)
    publisher.close()


def test_without_a_topic_publishing_fails(kafka_broker: Broker) -> None:
    """Topics are never made in passing."""
    publisher = KafkaPublisher(kafka_broker.bootstrap, block_ms=500)
    with pytest.raises(OSError):
        publisher.publish("not-there", "s", b"{}")
        publisher.flush(5)
    publisher.close()


@FORGETS_SOCKETS
@pytest.mark.usefixtures("_collected")
def test_a_broker_that_goes_away_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    """While the broker is away, `flush` raises and the source waits; then all arrives."""
    broker = start_broker(tmp_path / "kafka")
    try:
        names = fresh_topics(broker.bootstrap, partitions=1)
        publisher = KafkaPublisher(broker.bootstrap)
        source = KafkaSource(broker.bootstrap, names.topics, names.group, session_timeout_ms=6_000)
        source.resume({})
        publisher.publish(names.events, "s", b"before")
        publisher.flush(10)
        records, _ = read_until(source, 1)
        broker.kill()
        publisher.publish(names.events, "s", b"while away")
        with pytest.raises(OSError, match="not acknowledged within"):
            publisher.flush(0.5)
        assert source.poll(0.2, 10).records == ()
        broker = start_broker(tmp_path / "kafka")
        publisher.flush(30)
        stored = {records[0].stream: 1}
        more, polls = read_until(source, 1, stored)
        source.close()
        publisher.close()
    finally:
        broker.stop()
        assert [r.value for r in more] == [b"while away"]
    assert not any(poll.notices for poll in polls)


@FORGETS_SOCKETS
@pytest.mark.usefixtures("_collected")
@pytest.mark.parametrize(
    "make",
    [
        lambda: KafkaPublisher(NOWHERE),
        lambda: KafkaControlReader(NOWHERE),
        lambda: KafkaSource(NOWHERE),
        lambda: init_topics(NOWHERE),
    ],
    ids=["publisher", "control", "source", "init"],
)
def test_no_broker_is_told_with_its_address(make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is away at the start is named."""
    monkeypatch.setattr("monitor.transport.kafka.client.BOOTSTRAP_MS", 300)
    assert callable(make)
    with pytest.raises(
        ConnectionError, match=re.escape("no Kafka broker answered at `127.0.0.1:1`")
    ):
        make()


class TestControl:
    """The control topic, read whole."""

    def test_all_is_read_and_then_followed(self, kafka_broker: Broker) -> None:
        """Everything from the beginning, in the order of each key; then what comes."""
        topic = one_topic(kafka_broker.bootstrap, 3, cleanup_policy="compact")
        pairs = [(f"session:{n % 5}", b"%d" % n) for n in range(100)]
        publish_all(kafka_broker.bootstrap, topic, pairs)
        reader = KafkaControlReader(kafka_broker.bootstrap, topic)
        found = reader.read_to_end(20)
        for key in {key for key, _ in pairs}:
            assert [v for k, v in found if k == key] == [v for k, v in pairs if k == key]
        publisher = KafkaPublisher(kafka_broker.bootstrap)
        publisher.publish(topic, "global", b"now")
        publisher.flush(10)
        later: list[tuple[str, bytes | None]] = []
        while not later:
            later = reader.poll(1)
        assert later == [("global", b"now")]
        assert reader.poll(0.1) == []
        publisher.close()
        reader.close()
        reader.close()

    def test_partitions_that_come_later_are_read(self, kafka_broker: Broker) -> None:
        """A release may stand there: without it whoever was released counts as stopped, and is not
        stopped again. What was read is not read twice."""
        topic = one_topic(kafka_broker.bootstrap, 1, cleanup_policy="compact")
        pairs = [(f"session:{n}", b"%d" % n) for n in range(20)]
        publish_all(kafka_broker.bootstrap, topic, pairs)
        reader = KafkaControlReader(
            kafka_broker.bootstrap, topic, look_every_s=0, metadata_max_age_ms=500
        )
        assert sorted(reader.read_to_end(20)) == sorted(pairs)
        admin = open_admin(kafka_broker.bootstrap, {})
        admin.create_partitions({topic: 4})
        admin.close()
        publish_all(kafka_broker.bootstrap, topic, pairs)
        later: list[tuple[str, bytes | None]] = []
        while len(later) < len(pairs):
            later += reader.poll(1)
        assert sorted(later) == sorted(pairs)
        reader.close()

    def test_an_empty_topic_has_an_end(self, kafka_broker: Broker) -> None:
        """Nothing to read is read at once."""
        topic = one_topic(kafka_broker.bootstrap, 2, cleanup_policy="compact")
        reader = KafkaControlReader(kafka_broker.bootstrap, topic)
        assert reader.read_to_end(20) == []
        reader.close()

    def test_a_missing_topic_is_told(self, kafka_broker: Broker) -> None:
        """A guard must not take a topic that is not there for an empty one."""
        reader = KafkaControlReader(kafka_broker.bootstrap, "no-such-control")
        with pytest.raises(OSError, match="does not exist"):
            reader.read_to_end(5)
        reader.close()


class TestTopics:
    """`interlock kafka init`."""

    def test_topics_are_made_once_with_their_policies(self, kafka_broker: Broker) -> None:
        """The first run makes them all; the second changes nothing and finds no difference."""
        mark = uuid.uuid4().hex[:8]
        policies = {f"{mark}.{topic}": policy for topic, policy in POLICIES.items()}
        first = init_topics(kafka_broker.bootstrap, 3, 1, topics=policies)
        assert [report.topic for report in first] == list(policies)
        assert [report for report in first if not report.is_created or report.differences] == []
        second = init_topics(kafka_broker.bootstrap, 3, 1, topics=policies)
        assert [report for report in second if report.is_created or report.differences] == []
        together = [f"{mark}.{topic}" for topic in READ_TOGETHER]
        checked = check_topics(kafka_broker.bootstrap, together)
        assert (checked.topics, checked.warnings) == (tuple(together), ())
        reader = KafkaControlReader(kafka_broker.bootstrap, f"{mark}.{CONTROL}")
        assert reader.read_to_end(10) == []
        reader.close()

    def test_differences_are_told_and_left_alone(self, kafka_broker: Broker) -> None:
        """A topic that differs is reported, and neither its settings nor its count is touched."""
        topic = one_topic(kafka_broker.bootstrap, 2, retention_ms="5000")
        for _ in range(2):
            (report,) = init_topics(
                kafka_broker.bootstrap, 3, 1, topics={topic: TopicPolicy("delete", 7_000)}
            )
            assert not report.is_created
            assert report.differences == (
                "`retention.ms` is `5000`, not `7000`",
                "it has 2 partitions, not 3 (never changed: keys would move)",
            )


class TestSettings:
    """What users may set of the client."""

    def test_a_password_comes_from_its_file(self, tmp_path: Path) -> None:
        """The file's content without its last line break is the password."""
        path = tmp_path / "password"
        path.write_text("hunter2\n")
        assert client_settings(
            {"security_protocol": "SASL_SSL", "sasl_plain_password_file": str(path)}
        ) == {"security_protocol": "SASL_SSL", "sasl_plain_password": "hunter2"}

    @pytest.mark.parametrize(
        "settings",
        [{"sasl_plain_password": "hunter2"}, {"group_id": "g"}, {"ssl_password_file": "/none"}],
    )
    def test_what_is_no_setting_is_refused(self, settings: dict[str, object]) -> None:
        """Unknown names, passwords in place and missing files are faults of the configuration."""
        with pytest.raises(ConfigError) as caught:
            client_settings(settings)
        assert "hunter2" not in str(caught.value)
