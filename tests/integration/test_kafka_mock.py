"""The Kafka source, publisher and control reader against a second broker, without Java."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitor.topics import APPROVALS, CONTROL, ENFORCEMENT, EVENTS, READ_TOGETHER
from monitor.transport.base import Stream
from monitor.transport.kafka.client import KafkaTimeoutError
from monitor.transport.kafka.consumer import KafkaSource
from monitor.transport.kafka.control_reader import KafkaControlReader
from monitor.transport.kafka.producer import KafkaPublisher
from tests.support.kafka_mock import API_VERSION, mock_cluster, unchecked, why_no_mock
from tests.support.kafka_topics import read_until

pytestmark = pytest.mark.skipif(why_no_mock() is not None, reason=str(why_no_mock()))

OLD = {"api_version": API_VERSION}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # The mock answers no admin request.
    monkeypatch.setattr("monitor.transport.kafka.consumer.check_topics", unchecked)
    with mock_cluster({EVENTS: 4, APPROVALS: 4, ENFORCEMENT: 4, CONTROL: 2}) as bootstrap:
        yield bootstrap


def publish(bootstrap: str, topic: str, pairs: list[tuple[str, bytes]]) -> None:
    publisher = KafkaPublisher(bootstrap, settings=OLD)
    for key, value in pairs:
        publisher.publish(topic, key, value)
    publisher.flush(20)
    publisher.close()


def test_what_was_published_is_read_once_and_in_order(cluster: str) -> None:
    """Another implementation of the protocol gives the same records, keyed the same way."""
    pairs = [(f"s{n % 9}", b"%d" % n) for n in range(300)]
    publish(cluster, EVENTS, pairs)
    publish(cluster, APPROVALS, pairs[:9])
    source = KafkaSource(cluster, READ_TOGETHER, "g", settings=OLD)
    source.resume({})
    records, polls = read_until(source, 309)
    source.close()
    for session in {key for key, _ in pairs}:
        of_session = [r for r in records if r.key == session.encode()]
        found = [r.value for r in of_session if r.origin.topic == EVENTS]
        assert found == [value for key, value in pairs if key == session]
        assert len({r.origin.partition for r in of_session}) == 1
    assert all(frontier.is_at_end for frontier in polls[-1].frontiers.values())


def test_reading_goes_on_at_the_stores_positions(cluster: str) -> None:
    """The store's position decides, whatever the group committed."""
    publish(cluster, EVENTS, [("s", b"%d" % n) for n in range(20)])
    # The mock keeps a member that left until its session is over.
    first = KafkaSource(cluster, READ_TOGETHER, "g", settings=OLD, session_timeout_ms=4_000)
    first.resume({})
    records, _ = read_until(first, 20)
    stream = records[0].stream
    first.commit({stream: 20})
    first.close()
    second = KafkaSource(cluster, READ_TOGETHER, "g", settings=OLD)
    second.resume({stream: 15})
    again, polls = read_until(second, 5, {stream: 15})
    second.close()
    assert [r.origin.offset for r in again] == [15, 16, 17, 18, 19]
    assert {notice.kind for poll in polls for notice in poll.notices} == {"unstamped"}


def test_a_position_beyond_the_end_is_told(cluster: str) -> None:
    """A position that this broker never had is loud, and all is read."""
    publish(cluster, EVENTS, [("s", b"%d" % n) for n in range(3)])
    wrong = {Stream(EVENTS, str(number)): 1_000 for number in range(4)}
    source = KafkaSource(cluster, READ_TOGETHER, "g", settings=OLD)
    source.resume(wrong)
    records, polls = read_until(source, 3, wrong)
    source.close()
    assert len(records) == 3
    notices = [n for poll in polls for n in poll.notices if n.kind != "unstamped"]
    assert {(n.kind, n.stream) for n in notices} == {("truncated", stream) for stream in wrong}


def test_times_of_producers_are_none_of_the_brokers(cluster: str) -> None:
    """This broker stamps nothing, as a topic whose settings were changed under the monitor.

    Records count as arrived when they were read, and it is said once: were the times that agents
    choose taken instead, one stamped 2262 would keep its session's deadlines away for ever.
    """
    publish(cluster, EVENTS, [("s", b"%d" % n) for n in range(9)])
    source = KafkaSource(cluster, READ_TOGETHER, "g", settings=OLD, now_ns=lambda: 77)
    source.resume({})
    records, polls = read_until(source, 9)
    source.close()
    assert {(r.arrival_ns, r.not_before_ns) for r in records} == {(77, 0)}
    notices = [notice for poll in polls for notice in poll.notices]
    assert [(n.kind, n.stream) for n in notices] == [("unstamped", records[0].stream)]


def test_the_control_topic_is_read_whole(cluster: str) -> None:
    """From the beginning to the end, then what comes."""
    pairs = [(f"k{n % 3}", b"%d" % n) for n in range(30)]
    publish(cluster, CONTROL, pairs)
    reader = KafkaControlReader(cluster, settings=OLD)
    found = reader.read_to_end(20)
    assert sorted(v or b"" for _, v in found) == sorted(v for _, v in pairs)
    publish(cluster, CONTROL, [("global", b"now")])
    later: list[tuple[str, bytes | None]] = []
    while not later:
        later = reader.poll(1)
    reader.close()
    assert later == [("global", b"now")]


def test_an_end_that_was_asked_for_in_vain_is_asked_for_again(
    cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the records at hand wait until another one comes: a kill would wait with them."""
    publish(cluster, EVENTS, [("s", b"1")])
    source = KafkaSource(cluster, READ_TOGETHER, "g", settings=OLD)
    source.resume({})
    ask = source._consumer.end_offsets

    def once_in_vain(*places: object, **said: object) -> None:
        monkeypatch.setattr(source._consumer, "end_offsets", ask)
        raise KafkaTimeoutError("no answer")

    source.poll(0.1, 10)
    while not source.poll(0.1, 10).frontiers:
        source.resume({})
    source.resume({})
    source._place([])
    monkeypatch.setattr(source._consumer, "end_offsets", once_in_vain)
    records, polls = read_until(source, 1)
    assert not any(frontier.is_at_end for frontier in polls[-1].frontiers.values())
    later = source.poll(0.1, 10)
    source.close()
    assert len(records) == 1 and not later.records
    assert all(frontier.is_at_end for frontier in later.frontiers.values())
