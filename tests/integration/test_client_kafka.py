"""The client against a real broker: events out, control records in, forks, missing topics."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from interlock import Client, ClientOptions, Killed, Refused, Session
from interlock.control_record import ControlState
from interlock.limits import RECORD_BYTES_MAX
from monitor.topics import CONTROL, EVENTS, TopicPolicy
from monitor.transport.kafka.client import TopicPartition, open_consumer
from monitor.transport.kafka.producer import KafkaPublisher
from monitor.transport.kafka.topic_config import init_topics
from tests.support.kafka_broker import Broker

pytestmark = pytest.mark.kafka


class Monitor:
    """Writes control records to the broker at once, and reads events back."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._publisher = KafkaPublisher(bootstrap)

    def put(self, key: str, state: ControlState = "active") -> None:
        value = msgspec.json.encode({"state": state, "issued_at": time.time_ns()})
        self._publisher.publish(CONTROL, key, value)
        self._publisher.flush(10)

    def events(self, topic: str = EVENTS) -> list[tuple[int, str, dict[str, Any]]]:
        """Partition, key and event of every record in `topic`."""
        consumer = open_consumer(self.bootstrap, {}, auto_offset_reset="earliest")
        partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)
        found = []
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            for tp, records in consumer.poll(200).items():
                for record in records:
                    event = msgspec.json.decode(record.value)
                    found.append((tp.partition, record.key.decode(), event))
        consumer.close()
        return found

    def close(self) -> None:
        self._publisher.close()


@pytest.fixture(scope="module")
def monitor(kafka_broker: Broker) -> Iterator[Monitor]:
    init_topics(kafka_broker.bootstrap, 4, 1)
    monitor = Monitor(kafka_broker.bootstrap)
    yield monitor
    monitor.close()


@pytest.fixture
def client(monitor: Monitor) -> Iterator[Client]:
    with Client(
        f"kafka://{monitor.bootstrap}/{EVENTS}", ClientOptions(view_age_s_max=60), agent="bot"
    ) as client:
        yield client


def wait_for(session: Session, kind: type[Refused] | None) -> None:
    """Ask until the answer is `kind`."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        answer: type[Refused] | None = None
        try:
            session.guard("t")
        except Refused as refused:
            answer = type(refused)
        if answer is kind:
            return
        time.sleep(0.0005)
    raise AssertionError(f"guard never answered {kind}")


def test_a_sessions_events_are_one_partition_in_order(client: Client, monitor: Monitor) -> None:
    """Keyed by session; every number once, in order; as large as an event may be."""
    monitor.put("heartbeat")
    sessions = [f"s-{uuid.uuid4().hex}" for _ in range(5)]
    for session_id in sessions:
        with client.session(session_id) as session:
            for n in range(20):
                session.call("t", lambda n: n, n=n)
            session.call("large", lambda: "x" * 2 * RECORD_BYTES_MAX)
    assert client.flush(30)
    events = monitor.events()
    for session_id in sessions:
        mine = [(part, key, e) for part, key, e in events if e["session"] == session_id]
        assert len({part for part, _, _ in mine}) == 1
        assert {key for _, key, _ in mine} == {session_id}
        assert [e["seq"] for _, _, e in mine] == list(range(44))
    stats = client.stats()
    assert (stats.dropped, stats.errors, stats.is_healthy, stats.cut) == ({}, 0, True, 5)


def test_every_kill_reaches_the_guard_and_so_does_every_release(
    client: Client, monitor: Monitor
) -> None:
    """Forty times in turn. How long it takes is measured by `interlock bench kill-switch`."""
    monitor.put("heartbeat")
    session = client.session()
    wait_for(session, None)
    for _ in range(40):
        monitor.put("heartbeat")
        monitor.put(f"session:{session.id}", "killed")
        wait_for(session, Killed)
        monitor.put(f"session:{session.id}", "active")
        wait_for(session, None)


def test_who_waits_until_judged_knows_of_stops_in_any_partition(monitor: Monitor) -> None:
    """Heartbeats and stops stand in several partitions: a stop written before is known after."""
    with Client(f"kafka://{monitor.bootstrap}/{EVENTS}", agent="bot") as client:
        for _ in range(6):
            session = client.session()
            session.user_message("hello")
            answers: list[bool] = []
            waiting = threading.Thread(target=lambda: answers.append(client.wait_until_judged(120)))  # noqa: B023
            waiting.start()
            assert client.flush(60)
            monitor.put(f"session:{session.id}", "killed")
            while waiting.is_alive():
                monitor.put("heartbeat")
                waiting.join(0.1)
            assert answers == [True]
            with pytest.raises(Killed):
                session.guard("t")


def test_a_client_that_comes_later_knows_of_earlier_kills(monitor: Monitor) -> None:
    """The topic is read to its end before the first answer, so the first call is refused."""
    session_id = f"s-{uuid.uuid4().hex}"
    monitor.put(f"session:{session_id}", "killed")
    for n in range(300):
        monitor.put(f"session:other-{n}", "killed")
    monitor.put("heartbeat")
    target = f"kafka://{monitor.bootstrap}/{EVENTS}"
    with Client(target, ClientOptions(view_age_s_max=60)) as client:
        with pytest.raises(Killed):
            client.session(session_id).guard("t")
        client.session().guard("t")


def test_events_for_a_topic_that_is_not_there_wait_for_it(monitor: Monitor) -> None:
    """The agent works on, the client says that it is not well, and all arrive in the end."""
    topic = f"{EVENTS}.t{uuid.uuid4().hex[:8]}"
    client = Client(f"kafka://{monitor.bootstrap}/{topic}", ClientOptions(control=False))
    with client.session() as session:
        assert session.call("t", lambda: 1) == 1
    deadline = time.monotonic() + 120
    while client.healthy and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not client.healthy
    init_topics(monitor.bootstrap, 4, 1, topics={topic: TopicPolicy("delete", 3_600_000)})
    assert client.flush(60)
    assert client.close().dropped == {}
    assert sorted({e["seq"] for _, _, e in monitor.events(topic)}) == [0, 1, 2, 3]


AWAY = """
from interlock import Client, ClientOptions, NoView
client = Client("kafka://127.0.0.1:9/agent.events", ClientOptions(before_view="refuse"))
session = client.session()
try:
    session.guard("t")
    raise SystemExit("guard let a call pass without a view")
except NoView:
    pass
for _ in range(100):
    session.emit("file.read")
stats = client.close(0.2)
assert stats.waiting_events == 102, stats
"""


def test_a_broker_that_is_away_costs_the_agent_nothing() -> None:
    """Calls are refused for want of a view, and all ends, although the broker never comes: neither
    publishing nor closing waits for it.

    In a process of its own: the library leaves the sockets of refused connections to the
    collector, which warns of them later.
    """
    done = subprocess.run(
        [sys.executable, "-c", AWAY], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr


AWAY_FOR_LONG = """
import threading, time
import interlock.transport.kafka
from interlock import Client
interlock.transport.kafka.BOOTSTRAP_MS = 100
client = Client("kafka://127.0.0.1:9/agent.events")
client.session().start()
deadline = time.monotonic() + 200
while min(client.stats().errors, client.stats().control_errors) < 5:
    assert time.monotonic() < deadline, client.stats()
    time.sleep(0.05)
assert threading.active_count() <= 5, threading.enumerate()
client.close(0.1)
"""


def test_a_broker_that_stays_away_uses_up_nothing() -> None:
    """Every attempt cleans up after itself: the number of threads does not grow."""
    done = subprocess.run(
        [sys.executable, "-c", AWAY_FOR_LONG],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr


FORKING = """
import os, sys
from interlock import Client, ClientOptions
client = Client(sys.argv[1], ClientOptions(wait_s_max=30, view_age_s_max=60))
session = client.session(sys.argv[2])
session.call("t", lambda: 1)
assert client.flush(30)
pid = os.fork()
session.call("t", lambda: 2)
assert client.flush(30), client.stats()
if pid == 0:
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
session.call("t", lambda: 3)
assert client.flush(30), client.stats()
"""


def test_parent_and_child_publish_on_after_a_fork(monitor: Monitor) -> None:
    """Connections are not shared: the child ends by itself, and the parent works on."""
    monitor.put("heartbeat")
    session_id = f"s-{uuid.uuid4().hex}"
    target = f"kafka://{monitor.bootstrap}/{EVENTS}"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING, target, session_id],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    mine = [e for _, _, e in monitor.events() if session_id in (e["session"], e.get("parent"))]
    parents = [e["seq"] for e in mine if e["session"] == session_id]
    children = [e["seq"] for e in mine if e["session"] != session_id]
    assert parents == list(range(8))
    assert children == list(range(4))
