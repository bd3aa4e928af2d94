"""Two monitors of one group, and monitors that die: nothing is lost, sessions stay whole."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from monitor.transport.base import Stream
from monitor.transport.kafka.client import open_admin
from monitor.transport.kafka.consumer import KafkaSource
from tests.support.kafka_broker import CHECKOUT, Broker
from tests.support.kafka_topics import Names, fresh_topics, publish_all, read_until

pytestmark = pytest.mark.kafka

PATIENCE_POLLS = 400

READER = """
import json, sqlite3, sys
from monitor.transport.base import Stream
from monitor.transport.kafka.consumer import KafkaSource

bootstrap, topics, group, store = sys.argv[1], sys.argv[2].split(","), sys.argv[3], sys.argv[4]
base = sqlite3.connect(store)
base.execute("create table if not exists position"
             " (topic, number, next, primary key (topic, number))")
base.execute("create table if not exists seen (topic, number, place)")

def positions():
    return {Stream(t, n): o for t, n, o in base.execute("select * from position")}

source = KafkaSource(bootstrap, topics, group, instance="reader", session_timeout_ms=6000)
source.resume(positions())
while True:
    poll = source.poll(0.2, 20)
    with base:
        for record in poll.records:
            o = record.origin
            base.execute("insert into seen values (?, ?, ?)", (o.topic, o.partition, o.offset))
            base.execute("replace into position values (?, ?, ?)",
                         (o.topic, o.partition, o.offset + 1))
    if poll.gained:
        source.resume(positions())
    source.commit({s: f.next_offset for s, f in poll.frontiers.items()})
    print(len(poll.records), flush=True)
"""


class Member:
    """One monitor of the group on a thread of its own, with the store that all share."""

    def __init__(self, broker: Broker, names: Names, store: dict[Stream, int]) -> None:
        self.source = KafkaSource(
            broker.bootstrap, names.topics, names.group, session_timeout_ms=6_000
        )
        self.store = store
        self.seen: list[tuple[Stream, int]] = []
        self.held: set[Stream] = set()
        self.faults: list[str] = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.source.resume(store)
        self.thread.start()

    def _run(self) -> None:
        while not self.stopping.is_set():
            poll = self.source.poll(0.1, 10)
            self.held = (self.held - set(poll.lost)) | set(poll.gained)
            if self.held != set(poll.frontiers):
                self.faults.append(f"holds {self.held}, frontiers {set(poll.frontiers)}")
            for record in poll.records:
                if record.stream not in self.held:
                    self.faults.append(f"{record.origin} of a stream that is not held")
                self.seen.append((record.stream, record.origin.offset))
                self.store[record.stream] = record.origin.offset + 1
            self.source.commit(dict(self.store))
            if poll.gained:
                self.source.resume(dict(self.store))

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join(30)
        self.source.close()


def numbers(streams: set[Stream]) -> dict[str, set[str]]:
    """Per topic, the partition numbers held."""
    found: dict[str, set[str]] = {}
    for stream in streams:
        found.setdefault(stream.topic, set()).add(stream.partition)
    return found


def wait(condition: object, seconds: float = 40) -> None:
    assert callable(condition)
    waiting = threading.Event()
    for _ in range(int(seconds / 0.1)):
        if condition():
            return
        waiting.wait(0.1)
    raise AssertionError("it did not come about in time")


def test_two_members_lose_nothing_and_keep_sessions_whole(kafka_broker: Broker) -> None:
    """Joining and leaving under load: every record is seen, a number's topics stay together."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=6)
    pairs = [(f"s{n % 40}", b"%d" % n) for n in range(200)]
    store: dict[Stream, int] = {}
    first = Member(kafka_broker, names, store)
    publish_all(kafka_broker.bootstrap, names.events, pairs)
    publish_all(kafka_broker.bootstrap, names.approvals, pairs)
    wait(lambda: len(first.seen) >= 50)
    second = Member(kafka_broker, names, store)
    publish_all(kafka_broker.bootstrap, names.events, pairs)
    wait(lambda: len(first.held) == len(second.held) == 12)
    for member in (first, second):
        held = numbers(member.held)
        assert set(held) == set(names.topics)
        assert len({frozenset(found) for found in held.values()}) == 1
    assert not first.held & second.held
    publish_all(kafka_broker.bootstrap, names.approvals, pairs)
    first.stop()
    wait(lambda: len(second.held) == 24)
    publish_all(kafka_broker.bootstrap, names.events, pairs)
    wait(lambda: len({*first.seen, *second.seen}) == 1_000)
    second.stop()
    assert first.faults + second.faults == []
    last: dict[Stream, int] = {}
    for stream, offset in {*first.seen, *second.seen}:
        last[stream] = max(last.get(stream, 0), offset + 1)
    assert last == store


def test_a_join_that_outlasts_a_poll_is_not_left_behind(kafka_broker: Broker) -> None:
    """The broker confirms late: the client, which asks whether it must join, must still say yes.

    Without `go_on_joining` the member is in the group for the broker, and reads nothing more.
    """
    names = fresh_topics(kafka_broker.bootstrap, partitions=1)
    source = KafkaSource(kafka_broker.bootstrap, names.topics, names.group, metadata_max_age_ms=500)
    source.resume({})
    publish_all(kafka_broker.bootstrap, names.events, [("s", b"1")])
    read_until(source, 1)
    manager = source._consumer._coordinator._manager
    send, confirmed = manager.send, []

    def send_late(request: object, *given: object, **more: object) -> object:
        async def late() -> object:
            await manager._net.sleep(1)
            confirmed.append(request)
            return await send(request, *given, **more)

        is_last_step = type(request).__name__.startswith("SyncGroup")
        return manager.call_soon(late) if is_last_step else send(request, *given, **more)

    manager.send = send_late
    admin = open_admin(kafka_broker.bootstrap, {})
    admin.create_partitions(dict.fromkeys(names.topics, 2))
    admin.close()
    publish_all(kafka_broker.bootstrap, names.events, [(f"s{n}", b"2") for n in range(20)])
    records, _ = read_until(source, 20, {Stream(names.events, "0"): 1})
    assert confirmed
    assert {record.stream.partition for record in records} == {"0", "1"}
    source.close()


def start_reader(broker: Broker, names: Names, store: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", READER, broker.bootstrap, ",".join(names.topics)]
    return subprocess.Popen(
        [*command, names.group, str(store)], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    )


def read_lines_until(process: subprocess.Popen[str], count: int) -> None:
    assert process.stdout is not None
    total = 0
    while total < count:
        line = process.stdout.readline()
        assert line, "the reader died"
        total += int(line)


def test_a_reader_killed_at_any_time_goes_on_at_its_stores_positions(
    kafka_broker: Broker, tmp_path: Path
) -> None:
    """`kill -9` between any two steps: with the store's positions each record is seen once."""
    names = fresh_topics(kafka_broker.bootstrap, partitions=2)
    store = tmp_path / "store.sqlite"
    pairs = [(f"s{n}", json.dumps(n).encode()) for n in range(400)]
    publish_all(kafka_broker.bootstrap, names.events, pairs)
    for enough in (40, 100, 60):
        process = start_reader(kafka_broker, names, store)
        read_lines_until(process, enough)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    publish_all(kafka_broker.bootstrap, names.events, pairs)
    process = start_reader(kafka_broker, names, store)
    base = sqlite3.connect(store, timeout=30)
    wait(lambda: base.execute("select count(*) from seen").fetchone()[0] >= 800)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    seen = base.execute("select topic, number, place from seen").fetchall()
    base.close()
    assert len(seen) == len(set(seen)) == 800
