"""The forwarder of a gate's log on a real broker: its order, its restarts, its death in between."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from monitor.clock import SystemClock
from monitor.topics import GATE
from monitor.transport.gate_forward.forwarder import CHUNK_RECORDS, Forwarder
from monitor.transport.kafka.consumer import KafkaSource
from monitor.transport.kafka.producer import KafkaPublisher
from monitor.transport.kafka.topic_config import init_topics
from monitor.transport.logdir.writer import LogDirPublisher
from tests.support.kafka_broker import Broker, start_broker
from tests.support.kafka_topics import ends_of, read_until

pytestmark = pytest.mark.kafka
ROOT: Final = Path(__file__).parents[2]
PARTITIONS: Final = 4
DIES_WHEN_IT_STORES: Final = """
import os, signal, sys
from pathlib import Path
from monitor.clock import SystemClock
from monitor.transport.gate_forward.forwarder import Forwarder
from monitor.transport.gate_forward.position_file import PositionFile
from monitor.transport.kafka.producer import KafkaPublisher

folder, bootstrap, lives = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = PositionFile.store

def dying(self, places):
    global lives
    if lives == 0 and any(place.offset for place in places.values()):
        os.kill(os.getpid(), signal.SIGKILL)
    lives -= 1
    store(self, places)

PositionFile.store = dying
forwarder = Forwarder(
    folder / "log", folder / "position.json", lambda: KafkaPublisher(bootstrap),
    now_ns=SystemClock().now_ns, needed_file=lambda: "gate-g-1.jsonl",
)
forwarder.start()
signal.pause()
"""


class Place:
    """A gate's log, and where it is sent."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.folder, self.bootstrap = folder, bootstrap
        (folder / "log").mkdir()
        init_topics(bootstrap, PARTITIONS, 1)
        self.starts = ends_of(bootstrap, GATE)
        self.numbers: dict[str, int] = {}

    def write(self, count: int, sessions: int) -> None:
        log = LogDirPublisher(self.folder / "log", "gate-g", file_bytes_max=40_000)
        for number in range(count):
            session = f"{self.folder.name}-{number % sessions}"
            seq = self.numbers.get(session, 0)
            content = {"session": session, "seq": seq, "ts": number, "kind": "a"}
            log.publish(GATE, session, json.dumps(content).encode())
            self.numbers[session] = seq + 1
        log.close()

    def forwarder(self) -> Forwarder:
        return Forwarder(
            self.folder / "log",
            self.folder / "position.json",
            lambda: KafkaPublisher(self.bootstrap),
            now_ns=SystemClock().now_ns,
            needed_file=lambda: "gate-g-1.jsonl",
        )

    def arrived(self, count: int) -> list[tuple[str, int]]:
        """Session and number of every record of ours, a partition after the other, in order."""
        source = KafkaSource(self.bootstrap, (GATE,), None)
        source.resume({})
        total = sum(ends_of(self.bootstrap, GATE).values())
        records, _ = read_until(source, max(total, count))
        source.close()
        records.sort(key=lambda one: (int(one.origin.partition), one.origin.offset))
        found: list[tuple[str, int]] = []
        partitions: dict[str, set[str]] = {}
        for record in records:
            if record.origin.offset < self.starts[int(record.origin.partition)]:
                continue
            content = json.loads(record.value)
            if content["session"] not in self.numbers:
                continue  # Of another test.
            assert record.key == content["session"].encode()
            partitions.setdefault(content["session"], set()).add(record.origin.partition)
            found.append((content["session"], content["seq"]))
        assert all(len(of_session) == 1 for of_session in partitions.values())
        return found

    def wait_sent(self, forwarder: Forwarder, count: int, seconds: float = 60) -> None:
        waiting = threading.Event()
        for _ in range(int(seconds / 0.05)):
            if forwarder.status.sent_count >= count and not forwarder.status.lag_records:
                return
            waiting.wait(0.05)
        raise AssertionError(f"not sent in time: {forwarder.status}")


def is_in_order(found: list[tuple[str, int]], numbers: dict[str, int]) -> None:
    """Without copies, each session's records are all there, in their order."""
    firsts: dict[str, list[int]] = {}
    for session, seq in dict.fromkeys(found):
        firsts.setdefault(session, []).append(seq)
    assert firsts == {session: list(range(count)) for session, count in numbers.items()}


@pytest.fixture
def place(kafka_broker: Broker, tmp_path: Path) -> Place:
    return Place(tmp_path, kafka_broker.bootstrap)


def test_all_arrives_in_order_and_once(place: Place) -> None:
    """Over several files and two runs, while more is written."""
    place.write(700, 30)
    for count in (700, 900):
        forwarder = place.forwarder()
        forwarder.start()
        if count > 700:
            place.write(200, 7)
        place.wait_sent(forwarder, count if count == 700 else 200)
        forwarder.close()
    found = place.arrived(900)
    assert len(found) == len(set(found)) == 900
    is_in_order(found, place.numbers)


@pytest.mark.parametrize("lives", [0, 1])
def test_a_process_that_dies_between_sending_and_storing_loses_nothing(
    place: Place, lives: int
) -> None:
    """What it had sent and not stored is sent again: at most one chunk."""
    place.write(3 * CHUNK_RECORDS, 40)
    command = [sys.executable, "-c", DIES_WHEN_IT_STORES, str(place.folder), place.bootstrap]
    killed = subprocess.run(
        [*command, str(lives)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    before = place.arrived(1)
    assert before
    forwarder = place.forwarder()
    forwarder.start()
    place.wait_sent(forwarder, 3 * CHUNK_RECORDS - lives * CHUNK_RECORDS)
    forwarder.close()
    found = place.arrived(3 * CHUNK_RECORDS)
    is_in_order(found, place.numbers)
    assert 0 < len(found) - 3 * CHUNK_RECORDS <= CHUNK_RECORDS


@pytest.fixture
def _collected(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let the collector close the sockets of refused connections, which the library forgets."""
    caplog.set_level(logging.CRITICAL, logger="kafka")
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.usefixtures("_collected")
def test_a_broker_that_is_killed_and_comes_back_gets_all(tmp_path: Path) -> None:
    """While it is away the forwarder tells so, and it goes on by itself."""
    broker = start_broker(tmp_path / "kafka")
    try:
        place = Place(tmp_path, broker.bootstrap)
        forwarder = place.forwarder()
        forwarder.start()
        place.write(50, 5)
        place.wait_sent(forwarder, 50)
        broker.kill()
        place.write(50, 5)
        waiting = threading.Event()
        for _ in range(1_200):
            if forwarder.status.trouble:
                break
            waiting.wait(0.05)
        assert "Kafka does not" in forwarder.status.trouble
        assert forwarder.status.behind_since_ns is not None
        broker = start_broker(tmp_path / "kafka")
        place.wait_sent(forwarder, 100, seconds=120)
        assert forwarder.status.trouble == ""
        forwarder.close()
        is_in_order(place.arrived(100), place.numbers)
    finally:
        broker.stop()
