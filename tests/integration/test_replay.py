"""Recorded while a real monitor watches, replayed in another process: the same findings.

On a log directory and on Kafka; the live group does not notice, and every byte that is printed
is the same from run to run.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from interlock import Client, ClientOptions
from invariants.model.errors import InterlockError
from monitor.clock import SystemClock
from monitor.findings.model import Finding
from monitor.store.store import STORE_FILE, Store
from monitor.topics import APPROVALS, CONTROL, ENFORCEMENT, EVENTS, FINDINGS, READ_TOGETHER
from monitor.transport.address import KafkaAddress
from monitor.transport.base import Stream
from monitor.transport.kafka.client import open_admin
from monitor.transport.kafka.consumer import KafkaSource
from monitor.transport.kafka.topic_config import init_topics
from monitor.transport.readonly.open import open_bystander
from replay.capture.recorder import Recorder, RecordingChoice
from replay.recording.format import RecordLine
from replay.recording.reader import RecordedFile
from replay.recording.writer import RecordingWriter
from tests.support import recorded
from tests.support.kafka_broker import Broker
from tests.support.kafka_mock import API_VERSION, mock_cluster, unchecked, why_no_mock
from tests.support.kafka_topics import ends_of, read_until, values_from
from tests.support.monitor_process import MonitorProcess, wait_until_done
from tests.support.recordings import WATCHED, event, header_of, record, told, write
from tests.support.rim import make_finding

ROOT = Path(__file__).resolve().parents[2]
INVARIANTS = ROOT / "fixtures" / "invariants"
SESSIONS = sorted((ROOT / "fixtures" / "sessions").glob("*.jsonl.gz"))
PATIENCE_S = 150.0


def interlock(*arguments: str | Path, seed: str = "0") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "monitor.cli", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )


@pytest.fixture
def running() -> Iterator[list[Any]]:
    started: list[Any] = []
    yield started
    for process in started:
        process.end() if isinstance(process, MonitorProcess) else process.kill()
    for process in started:
        if isinstance(process, subprocess.Popen):
            process.communicate(timeout=20)


def publish(target: str, files: list[Path]) -> int:
    with Client(target, ClientOptions(control=False, block_ms_max=60_000, linger_ms=5)) as client:
        count = 0
        for content in recorded.events(files):
            client.publish_recorded(content)
            count += 1
        assert client.flush(60)
    return count


def taken_in(state: Path) -> tuple[dict[str, int], int]:
    """How far each file was read, and how many findings wait to go out."""
    try:
        with closing(Store(state / STORE_FILE, clock=SystemClock(), is_read_only=True)) as store:
            positions, waiting = store.load_positions(), store.pending_findings(1)
    except (InterlockError, OSError):
        return {}, 1  # The monitor has not made its store yet.
    read = {s.partition: p.next_offset for s, p in positions.items() if s.topic == EVENTS}
    return read, len(waiting)


def wait_until_watched(state: Path, log: Path) -> None:
    """Until the store has taken in every byte of the directory, and published all it found."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        sizes = {path.name: path.stat().st_size for path in (log / EVENTS).glob("*.jsonl")}
        if taken_in(state) == (sizes, 0):
            return
        time.sleep(0.05)
    raise AssertionError("the monitor did not come to the end")


def wait_until_recorded(recording: Path, count: int) -> None:
    """Until so many events stand in a recording that is being written."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        text = zlib.decompressobj(32 + zlib.MAX_WBITS).decompress(recording.read_bytes())
        if text.count(b'"line":"event"') >= count:
            return
        time.sleep(0.05)
    raise AssertionError("the recorder did not come to the end")


def live_findings(log: Path) -> list[Finding]:
    lines = [
        line
        for path in sorted((log / FINDINGS).iterdir())
        for line in path.read_bytes().splitlines()
    ]
    return [msgspec.json.decode(line, type=Finding) for line in lines]


def test_a_log_directory_recorded_beside_a_live_monitor(tmp_path: Path, running: list[Any]) -> None:
    """Recorded while it was watched, and afterwards: both replays find what was found live."""
    log, state = tmp_path / "log", tmp_path / "state"
    log.mkdir()
    monitor = MonitorProcess(f"log:{log}", INVARIANTS, state)
    running.append(monitor)
    monitor.start()
    during, after = tmp_path / "during.jsonl.gz", tmp_path / "after.jsonl"
    common = ("--source", f"log:{log}", "--invariants", INVARIANTS, "--state-dir", state)
    command = [sys.executable, "-m", "monitor.cli", "record", *map(str, common)]
    recorder = subprocess.Popen(
        [*command, "-o", str(during), "--follow"], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    running.append(recorder)
    count = publish(f"log:{log}", SESSIONS)
    wait_until_watched(state, log)
    wait_until_recorded(during, count)
    recorder.send_signal(signal.SIGTERM)
    out, err = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, err.decode()
    assert f"{count} event".encode() in out, out
    done = interlock("record", *common, "-o", after)
    assert done.returncode == 0, done.stderr.decode()
    monitor.stop()
    live = live_findings(log)
    assert len(live) > 20
    for path in (during, after):
        replayed = interlock(
            "replay", path, "--digest-key-file", state / "digest.key", "--output", "json"
        )
        assert replayed.returncode == 0, (replayed.stdout[-800:], replayed.stderr)
        told_now = json.loads(replayed.stdout)
        assert told_now["comparison"]["compared_count"] == len(live)
        assert told_now["comparison"]["not_compared"] == []
        assert {f["id"] for f in told_now["findings"]} == {f.id for f in live}
        assert told_now["damage"] == ""


def test_what_is_printed_is_the_same_from_run_to_run(tmp_path: Path) -> None:
    """Byte for byte, in processes that order their sets and maps differently."""
    path = tmp_path / "r.jsonl"
    lines = [record(event("s", 0, "file.read", args={"path": "/secret"}), 0)]
    lines += [
        record(event("s", n, "approval.requested", n, call=f"c{n % 7}", tool="x", args={}), n)
        for n in range(1, 20)
    ]
    lines += [
        record(event("s", n, "tool.failed", n, tool=f"t{n % 9}", args={}), n) for n in range(20, 40)
    ]
    write(path, [*lines, told(make_finding("f-1", session="s"))])
    for more in ((), ("--at", "39"), ("--session", "s", "--at", "5")):
        for output in ("json", "text"):
            outs = {
                interlock("replay", path, "--output", output, *more, seed=seed).stdout
                for seed in ("1", "2", "77")
            }
            assert len(outs) == 1 and outs.pop()


def test_exit_codes(tmp_path: Path) -> None:
    """0 equal, 1 different, 2 what a person can mend; a damaged recording is told, not fatal."""
    path, watched = tmp_path / "r.jsonl", tmp_path / "w.yaml"
    watched.write_text(WATCHED)
    events = [
        record(event("s", 0, "file.read", args={"path": "/secret"}), 0),
        record(event("s", 1, "tool.requested", 1, tool="post", args={}), 1),
    ]
    plain = tmp_path / "plain.jsonl"
    plain.write_text("".join(f"{line.text}\n" for line in events))
    found = interlock("replay", plain, "--invariants", watched, "--output", "json")
    assert found.returncode == 1, "a plain file ends as `run` ends"
    live = msgspec.json.decode(
        msgspec.json.encode(json.loads(found.stdout)["findings"]), type=list[Finding]
    )
    write(path, [*events, *map(told, live)])
    assert interlock("replay", path).returncode == 0
    forged = msgspec.structs.replace(live[0], id="f-0", session="s\x1b[2J")
    write(path, [*events, told(msgspec.structs.replace(forged, session="s"))])
    differing = interlock("replay", path)
    assert differing.returncode == 1
    assert b"first difference (missing, at input 1) in s:" in differing.stdout
    assert b"\x1b" not in differing.stdout
    path.write_bytes(path.read_bytes()[:-20])
    damaged = interlock("replay", path, "--at", "1")
    assert damaged.returncode == 0
    assert b"recording is damaged at line 5" in damaged.stderr
    for arguments in (
        (tmp_path / "none.jsonl",), ("-",), (path, "--at", "2"), (path, "--session", "nobody"),
    ):  # fmt: skip
        told_so = interlock("replay", *arguments)
        assert told_so.returncode == 2, told_so
        assert b"Traceback" not in told_so.stderr


@pytest.mark.skipif(why_no_mock() is not None, reason=str(why_no_mock()))
def test_the_live_group_does_not_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a topic is recorded its member keeps all partitions, and its offsets stay put."""
    monkeypatch.setattr("monitor.transport.kafka.consumer.check_topics", unchecked)
    old = {"api_version": API_VERSION}
    topics = {EVENTS: 4, APPROVALS: 4, ENFORCEMENT: 4, CONTROL: 2, FINDINGS: 4}
    with mock_cluster(topics) as bootstrap:
        from monitor.transport.kafka.producer import KafkaPublisher

        publisher = KafkaPublisher(bootstrap, settings=old)
        for n in range(200):
            content = msgspec.json.encode(event(f"s{n % 9}", n // 9, "x", n))
            publisher.publish(EVENTS, f"s{n % 9}", content)
        publisher.flush(20)
        live = KafkaSource(bootstrap, READ_TOGETHER, "g", settings=old)
        live.resume({})
        records, _ = read_until(live, 200)
        positions = {Stream(EVENTS, str(n)): n + 1 for n in range(4)}
        live.commit(positions)
        address, clock = KafkaAddress(bootstrap, group="g"), SystemClock()
        place = open_bystander(address, old, clock.now_ns)
        path = tmp_path / "r.jsonl"
        writer = RecordingWriter(path, header_of())
        wanted, deadline = RecordingChoice(), time.monotonic() + PATIENCE_S
        with closing(place.source):
            recorder = Recorder(place, writer, header_of(), wanted, clock)
            writer.end(recorder.run(lambda: time.monotonic() > deadline))
        file = RecordedFile(str(path))
        lines = [line for line in file.lines() if isinstance(line, RecordLine)]
        file.close()
        assert file.end is not None and file.end.reason == "the end of the input"
        assert len(lines) == len(records) == 200
        publisher.publish(EVENTS, "s0", msgspec.json.encode(event("s0", 99, "x", 300)))
        publisher.flush(20)
        publisher.close()
        more, polls = read_until(live, 1, positions={})
        assert len(more) == 1
        assert not any(poll.gained or poll.lost for poll in polls)
        live.close()


def group_of(bootstrap: str, group: str) -> tuple[object, object]:
    """Who is in a group, and what it has committed."""
    admin = open_admin(bootstrap, {})
    try:
        offsets = {
            (tp.topic, tp.partition): told_offset.offset
            for tp, told_offset in admin.list_group_offsets([group])[group].items()
        }
        members = sorted(
            member["member_id"] for member in admin.describe_groups([group])[group]["members"]
        )
    finally:
        admin.close()
    return members, offsets


@pytest.mark.kafka
def test_a_topic_recorded_beside_a_live_monitor(
    kafka_broker: Broker, tmp_path: Path, running: list[Any]
) -> None:
    """By the broker's times live and replayed are one; group, members and offsets untouched."""
    bootstrap = kafka_broker.bootstrap
    init_topics(bootstrap, 4, 1)
    state, source = tmp_path / "state", f"kafka://{bootstrap}?group=replay-test"
    before = {name: ends_of(bootstrap, name) for name in (EVENTS, FINDINGS)}
    count = publish(f"kafka://{bootstrap}", SESSIONS)
    monitor = MonitorProcess(source, INVARIANTS, state)
    running.append(monitor)
    monitor.start()
    wait_until_done([monitor], EVENTS, ends_of(bootstrap, EVENTS))
    group = group_of(bootstrap, "replay-test")
    assert group[0] and group[1]
    path = tmp_path / "r.jsonl.gz"
    done = interlock(
        "record", "--source", source, "--invariants", INVARIANTS, "--state-dir", state, "-o", path
    )
    assert done.returncode == 0, done.stderr.decode()
    assert group_of(bootstrap, "replay-test") == group
    monitor.stop()
    live = [
        msgspec.json.decode(value, type=Finding)
        for value in values_from(bootstrap, FINDINGS, before[FINDINGS])
    ]
    assert sum(ends_of(bootstrap, EVENTS).values()) - sum(before[EVENTS].values()) == count
    replayed = interlock(
        "replay", path, "--digest-key-file", state / "digest.key", "--output", "json"
    )
    content = json.loads(replayed.stdout)
    assert replayed.returncode == 0, content["comparison"]["first"]
    assert content["comparison"]["is_recorded"]
    assert {f.id for f in live} <= {f["id"] for f in content["findings"]}
    assert content["comparison"]["compared_count"] >= len({f.id for f in live}) > 20
