"""The forwarder of a gate's log, to publishers that fail in every way, and across restarts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from invariants.model.errors import ConfigError
from monitor.clock import SystemClock
from monitor.topics import GATE
from monitor.transport.base import Publisher
from monitor.transport.gate_forward.forwarder import Forwarder
from monitor.transport.gate_forward.position_file import Place, PositionFile
from monitor.transport.gate_forward.rounds import ToSend, rounds
from monitor.transport.logdir.writer import LogDirPublisher

PATIENCE_S = 60.0


class Broker:
    """What all publishers appended; each appends any part of what it was given when it fails."""

    def __init__(self, random: Random, fails: float = 0.0) -> None:
        self.random, self.fails = random, fails
        self.appended: list[tuple[str, bytes]] = []
        self.opened_count = self.acknowledged_count = 0
        self._changed = threading.Condition()

    def open(self) -> Publisher:
        """A new producer; sometimes no broker answers."""
        self.opened_count += 1
        if self.random.random() < self.fails / 2:
            raise ConnectionError("no broker")
        return Flaky(self)

    def append(self, records: list[tuple[str, bytes]], *, is_acknowledged: bool) -> None:
        with self._changed:
            self.appended += records
            self.acknowledged_count += len(records) if is_acknowledged else 0
            self._changed.notify_all()

    def wait(self, is_done: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(is_done, PATIENCE_S), "it did not come about in time"

    def of_sessions(self) -> dict[str, list[bytes]]:
        """For each session its records, without copies."""
        found: dict[str, dict[bytes, None]] = {}
        for key, value in self.appended:
            found.setdefault(key, {})[value] = None
        return {key: list(values) for key, values in found.items()}


class Flaky:
    """A producer: a flush appends all, or a part in any order and an error, or times out first."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._waiting: list[tuple[str, bytes]] = []

    def publish(
        self, topic: str, key: str, value: bytes, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        assert topic == GATE
        self._waiting.append((key, value))

    def flush(self, timeout_s: float) -> None:
        random, waiting = self._broker.random, self._waiting
        if random.random() < self._broker.fails:
            if random.random() < 0.5:
                raise TimeoutError("1 record was not acknowledged")
            self._waiting = []
            taken = random.sample(waiting, random.randint(0, len(waiting)))
            self._broker.append(taken, is_acknowledged=False)
            raise OSError("the broker did not accept it")
        self._waiting = []
        self._broker.append(waiting, is_acknowledged=True)

    def close(self) -> None:
        self.flush(0)


def record(session: str, seq: int) -> bytes:
    return json.dumps({"session": session, "seq": seq, "ts": seq, "kind": "a"}).encode()


def write(log: LogDirPublisher, sessions: list[str], numbers: dict[str, int]) -> None:
    for session in sessions:
        log.publish(GATE, session, record(session, numbers.setdefault(session, 0)))
        numbers[session] += 1


def forwarder(folder: Path, broker: Broker, needed_file: str = "gate-g-1.jsonl") -> Forwarder:
    (folder / "log").mkdir(exist_ok=True)
    return Forwarder(
        folder / "log",
        folder / "position.json",
        broker.open,
        now_ns=SystemClock().now_ns,
        needed_file=lambda: needed_file,
    )


def test_records_of_one_session_are_never_handed_over_together() -> None:
    """Each round has the next record of each session, and all rounds have all records."""
    random = Random(1)
    for _ in range(200):
        records = [
            ToSend(random.choice("abc"), b"%d" % number, number)
            for number in range(random.randint(0, 40))
        ]
        found = list(rounds(records))
        for one in found:
            assert len({record.session for record in one}) == len(one)
        for session in "abc":
            sent = [record for one in found for record in one if record.session == session]
            assert sent == [record for record in records if record.session == session]


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost_or_reordered_whatever_fails(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Producers that append a part of what they were given, restarts, and new files."""
    monkeypatch.setattr("monitor.transport.gate_forward.forwarder.PAUSES_S", (0.0,))
    random = Random(seed)
    broker = Broker(random, fails=0.3)
    numbers: dict[str, int] = {}
    for _ in range(3):
        running = forwarder(tmp_path, broker)
        running.start()
        log = LogDirPublisher(tmp_path / "log", "gate-g", file_bytes_max=2_000)
        for _ in range(random.randint(1, 8)):
            write(log, random.choices("abcd", k=random.randint(1, 20)), numbers)
        log.close()
        if random.random() < 0.5:
            running.close()  # In the midst of it.
            running = forwarder(tmp_path, broker)
            running.start()
        expected = {key: [record(key, n) for n in range(count)] for key, count in numbers.items()}
        broker.wait(lambda expected=expected: broker.of_sessions() == expected)  # type: ignore[misc]
        running.close()
    assert broker.of_sessions() == expected


def test_a_restart_sends_only_what_was_not_acknowledged(tmp_path: Path) -> None:
    """All files are acknowledged to their ends: nothing is sent again."""
    broker = Broker(Random(0))
    numbers: dict[str, int] = {}
    for count in (5, 8):
        running = forwarder(tmp_path, broker)
        running.start()
        log = LogDirPublisher(tmp_path / "log", "gate-g")
        write(log, ["s"] * (count - numbers.get("s", 0)), numbers)
        log.close()
        broker.wait(lambda count=count: len(broker.appended) >= count)  # type: ignore[misc]
        running.close()
    assert [value for _, value in broker.appended] == [record("s", n) for n in range(8)]


def test_trouble_is_told_while_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also which record is the oldest that waits; the thread ends when it is asked to."""
    monkeypatch.setattr("monitor.transport.gate_forward.forwarder.PAUSES_S", (0.0,))
    broker = Broker(Random(0), fails=1.0)
    running = forwarder(tmp_path, broker)
    assert running.status.trouble == "it has not started"
    running.start()
    assert running.status.trouble == ""
    log = LogDirPublisher(tmp_path / "log", "gate-g")
    write(log, ["s", "s", "t"], {})
    broker.wait(lambda: broker.opened_count > 20)
    told = running.status
    assert "Kafka does not" in told.trouble
    assert (told.lag_records, told.behind_since_ns) == (3, 0)
    assert running.waiting_bytes() == 3 * (len(record("s", 0)) + 1)
    write(log, ["u"], {})
    assert running.waiting_bytes() == 4 * (len(record("u", 0)) + 1), "without another look"
    broker.fails = 0.0
    broker.wait(lambda: broker.acknowledged_count == 4)
    running.close()
    log.close()
    assert running.status.trouble == ""
    assert running.waiting_bytes() == 0
    assert running.status.behind_since_ns is None


def test_a_damaged_position_is_refused(tmp_path: Path) -> None:
    """To begin anew is for people to decide."""
    (tmp_path / "log").mkdir()
    for text in ("{", '{"v": 2, "files": {}}', '{"v": 1, "files": {"a": {"offset": -1}}}', "[]"):
        (tmp_path / "position.json").write_text(text)
        with pytest.raises(ConfigError, match="is damaged"):
            forwarder(tmp_path, Broker(Random(0)))


def test_a_position_that_cannot_be_stored_leaves_the_old_one(tmp_path: Path) -> None:
    """The file is replaced as a whole, or not at all."""
    from monitor.transport.base import Stream

    file = PositionFile(tmp_path / "position.json")
    file.store({Stream(GATE, "g-1.jsonl"): Place(7, "x")})
    (tmp_path / ".position.json.new").mkdir()
    with pytest.raises(OSError, match="directory"):
        file.store({Stream(GATE, "g-1.jsonl"): Place(9, "x")})
    assert file.load() == {Stream(GATE, "g-1.jsonl"): Place(7, "x")}


def test_bytes_that_are_no_event_are_sent_as_they_are(tmp_path: Path) -> None:
    """A monitor rejects them and keeps them as a dead letter; nothing behind them waits."""
    broker = Broker(Random(0))
    (tmp_path / "log" / GATE).mkdir(parents=True)
    lines = b"garbage\n" + b"[" * 5_000 + b"\n" + record("s", 0) + b"\n"
    (tmp_path / "log" / GATE / "g-1.jsonl").write_bytes(lines)
    running = forwarder(tmp_path, broker)
    running.start()
    broker.wait(lambda: len(broker.appended) == 3)
    running.close()
    assert sorted(key for key, _ in broker.appended) == ["", "", "s"]


def test_what_is_left_at_the_end_is_sent(tmp_path: Path) -> None:
    """A gate that stops for good leaves nothing behind, if Kafka takes it."""
    broker = Broker(Random(0))
    for _ in range(20):
        numbers: dict[str, int] = {}
        running = forwarder(tmp_path, broker)
        running.start()
        log = LogDirPublisher(tmp_path / "log", "gate-g")
        write(log, ["s"] * 30, numbers)
        log.close()
        count = broker.acknowledged_count
        running.close()
        assert broker.acknowledged_count - count <= 30
        assert running.status.lag_records == 0
    assert broker.acknowledged_count == 600


def test_files_that_nobody_needs_are_removed(tmp_path: Path) -> None:
    """Those before the first that a restart of the gate reads, once Kafka has them."""
    broker = Broker(Random(0))
    log = LogDirPublisher(tmp_path / "log", "gate-g", file_bytes_max=300)
    write(log, ["s"] * 20, {})
    other = LogDirPublisher(tmp_path / "log", "gate-other")
    write(other, ["t"], {})
    running = forwarder(tmp_path, broker, "gate-g-3.jsonl")
    running.start()
    broker.wait(lambda: broker.acknowledged_count == 21)
    running.close()
    log.close()
    other.close()
    names = {path.name for path in (tmp_path / "log" / GATE).iterdir()}
    assert {"gate-g-3.jsonl", "gate-g-4.jsonl", "gate-other-1.jsonl"} <= names
    assert not {"gate-g-1.jsonl", "gate-g-2.jsonl"} & names
    running = forwarder(tmp_path, broker, "gate-g-3.jsonl")
    running.start()
    running.close()
    assert broker.acknowledged_count == 21
