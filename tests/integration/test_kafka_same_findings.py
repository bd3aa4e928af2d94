"""On a real broker the monitor finds what it finds in files, also when it is killed half-way.

The events are recordings of others (../shared/data), published by our own client. Counts of
doubled records are printed: run with `-s` to see them.
"""

from __future__ import annotations

import dataclasses
import os
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from monitor.findings.model import Finding
from monitor.topics import EVENTS, FINDINGS, POLICIES
from monitor.transport.kafka.topic_config import init_topics
from tests.conftest import require_or_skip
from tests.support import recorded
from tests.support.kafka_broker import CHECKOUT, Broker, start_broker, why_not_available
from tests.support.kafka_topics import ends_of, values_from
from tests.support.monitor_process import MonitorProcess, findings_of_file, wait_until_done
from tests.support.unnamed import without_principal

pytestmark = [pytest.mark.kafka, pytest.mark.data]

INVARIANTS = CHECKOUT / "fixtures" / "proof" / "sessions.yaml"
PARTITIONS = 4
SEED = int(os.environ.get("INTERLOCK_SEED", "20"))


@dataclass(frozen=True)
class Recording:
    """Files of events, the topic that holds the same, and what the files give."""

    files: list[Path]
    bootstrap: str
    topic: str
    expected: dict[str, list[Finding]]
    events_count: int

    def monitor(self, folder: Path, *more: str) -> MonitorProcess:
        """The only monitor of its group, known by its name again after a restart."""
        return MonitorProcess(self.source(folder) + "&instance=m", INVARIANTS, folder / "m", more)

    def members(self, folder: Path) -> tuple[MonitorProcess, MonitorProcess]:
        """Two of one group, without lasting names: who leaves gives its partitions up at once."""
        a, b = (MonitorProcess(self.source(folder), INVARIANTS, folder / n) for n in ("a", "b"))
        return a, b

    def source(self, folder: Path) -> str:
        return f"kafka://{self.bootstrap}/{self.topic}?group={folder.name}&trust_ts=true"


def by_session(lines: list[bytes]) -> dict[str, list[Finding]]:
    """Findings in their order, per session. The principal is the topic's, so it is set aside."""
    sessions: dict[str, list[Finding]] = {}
    for line in lines:
        finding = msgspec.json.decode(line, type=Finding)
        told = without_principal(finding)
        sessions.setdefault(finding.session, []).append(told)
    return sessions


def without_doubles(findings: list[Finding]) -> list[Finding]:
    """Each finding where it came first."""
    first: dict[str, Finding] = {}
    for finding in findings:
        first.setdefault(finding.id, finding)
    return list(first.values())


def fresh_topic(broker: Broker) -> str:
    topic = f"{EVENTS}.proof-{uuid.uuid4().hex[:8]}"
    init_topics(broker.bootstrap, PARTITIONS, 1)
    init_topics(broker.bootstrap, PARTITIONS, 1, topics={topic: POLICIES[EVENTS]})
    return topic


def make_recording(broker: Broker, files: list[Path], folder: Path) -> Recording:
    """Publish the files to a topic of its own, and let the monitor read them as files."""
    topic = fresh_topic(broker)
    count = recorded.publish(f"kafka://{broker.bootstrap}/{topic}", recorded.events(files))
    path = recorded.joined(files, folder / "events.jsonl.gz")
    lines = findings_of_file(path, INVARIANTS, folder / "file-state").splitlines()
    print(f"\n{count} events published; {len(lines)} findings from files")
    return Recording(files, broker.bootstrap, topic, by_session(lines), count)


@pytest.fixture(scope="module")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of its own: topics that other tests made there have other partition counts."""
    reason = why_not_available()
    if reason is not None:
        require_or_skip("kafka", reason)
    broker = start_broker(tmp_path_factory.mktemp("proof"))
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def everything(kafka_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recording = make_recording(
        kafka_broker, recorded.session_files(), tmp_path_factory.mktemp("all")
    )
    assert recording.events_count == recorded.EVENTS_COUNT
    assert sum(map(len, recording.expected.values())) > 5_000
    return recording


@pytest.fixture(scope="module")
def one_file(kafka_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return make_recording(kafka_broker, recorded.smallest_file(), tmp_path_factory.mktemp("one"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / f"g-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def running() -> Iterator[list[MonitorProcess]]:
    monitors: list[MonitorProcess] = []
    yield monitors
    for monitor in monitors:
        monitor.end()


def hold_together(recording: Recording, starts: dict[int, int]) -> int:
    """No finding is missing, none is other, each session's stand in order; the doubled ones."""
    found = by_session(values_from(recording.bootstrap, FINDINGS, starts))
    ids = Counter(finding.id for findings in found.values() for finding in findings)
    expected = {finding.id for findings in recording.expected.values() for finding in findings}
    assert expected - ids.keys() == set(), "missing"
    assert ids.keys() - expected == set(), "other"
    assert {name: without_doubles(told) for name, told in found.items()} == recording.expected
    return sum(ids.values()) - len(ids)


def undisturbed(recording: Recording, folder: Path, running: list[MonitorProcess]) -> int:
    """Read the topic once; how many findings came twice."""
    starts = ends_of(recording.bootstrap, FINDINGS)
    monitor = recording.monitor(folder)
    running.append(monitor)
    monitor.start()
    wait_until_done([monitor], recording.topic, ends_of(recording.bootstrap, recording.topic))
    monitor.stop()
    return hold_together(recording, starts)


def disturbed(
    recording: Recording, monitor: MonitorProcess, running: list[MonitorProcess], ends: list[str]
) -> int:
    """Read the topic with as many ends in the middle as told; how many findings came twice."""
    draw = random.Random(SEED)
    starts = ends_of(recording.bootstrap, FINDINGS)
    # One in each stretch of the topic, so that they do not fall together.
    points = [(n + draw.uniform(0.1, 0.9)) / (len(ends) + 0.5) for n in range(len(ends))]
    running.append(monitor)
    for how, point in zip(ends, points, strict=True):
        monitor.start()
        monitor.wait_for(recording.topic, int(point * recording.events_count))
        # Anywhere in the turn of the loop: before and after the commit, while publishing. Each
        # look takes a moment, in which the monitor goes on.
        for _ in range(draw.randrange(200)):
            monitor.reached(recording.topic)
        monitor.stop() if how == "SIGTERM" else monitor.kill()
    monitor.start()
    wait_until_done([monitor], recording.topic, ends_of(recording.bootstrap, recording.topic))
    monitor.stop()
    doubled = hold_together(recording, starts)
    told = ", ".join(f"{how} at {point:.0%}" for how, point in zip(ends, points, strict=True))
    print(f"seed {SEED}: {told}: {doubled} findings came twice")
    return doubled


@pytest.mark.long("make chaos")
@pytest.mark.timeout(3_600)
def test_all_recorded_sessions_give_the_findings_of_their_files(
    everything: Recording, folder: Path, running: list[MonitorProcess]
) -> None:
    """Same findings, same order in each session, and undisturbed none of them twice."""
    assert undisturbed(everything, folder, running) == 0


@pytest.mark.long("make chaos")
@pytest.mark.timeout(3_600)
def test_all_recorded_sessions_survive_ends_in_the_middle(
    everything: Recording, folder: Path, running: list[MonitorProcess]
) -> None:
    """Ended politely and killed without warning, the monitor goes on and finds the same."""
    disturbed(everything, everything.monitor(folder), running, ["SIGKILL", "SIGTERM", "SIGKILL"])


def test_one_file_gives_the_findings_of_the_file(
    one_file: Recording, folder: Path, running: list[MonitorProcess]
) -> None:
    """The same for 5,598 events, for quick runs."""
    assert undisturbed(one_file, folder, running) == 0


def test_one_file_survives_many_ends_in_small_batches(
    one_file: Recording, folder: Path, running: list[MonitorProcess]
) -> None:
    """Small batches have many more moments at which to die."""
    monitor = one_file.monitor(folder, "--batch-records-max", "100")
    disturbed(one_file, monitor, running, ["SIGKILL", "SIGTERM", "SIGKILL", "SIGKILL", "SIGKILL"])


def test_two_monitors_of_a_group_lose_nothing(
    kafka_broker: Broker, one_file: Recording, folder: Path, running: list[MonitorProcess]
) -> None:
    """One joins, the other leaves and comes back, in the middle of every session.

    Each has a store of its own: who is given a partition that it does not know reads it from its
    beginning, and tells again what the other had told (docs/decisions/0015).
    """
    recording = dataclasses.replace(one_file, topic=fresh_topic(kafka_broker))
    target = f"kafka://{recording.bootstrap}/{recording.topic}"
    starts = ends_of(recording.bootstrap, FINDINGS)
    first, second = recording.members(folder)
    running += [first, second]
    parts = recorded.in_parts(recording.files, 4)
    recorded.publish(target, parts[0])
    first.start()
    first.wait_for(recording.topic, len(parts[0]))
    second.start()
    second.wait_for(recording.topic, 1)
    recorded.publish(target, parts[1])
    wait_until_done([first, second], recording.topic, ends_of(recording.bootstrap, recording.topic))
    recorded.publish(target, parts[2])
    first.stop()
    second.wait_for(recording.topic, sum(map(len, parts[:3])))
    records_before = first.reached(recording.topic).records
    first.start()
    first.wait_for(recording.topic, records_before + 1)
    recorded.publish(target, parts[3])
    wait_until_done([first, second], recording.topic, ends_of(recording.bootstrap, recording.topic))
    first.stop()
    second.stop()
    assert len(first.reached(recording.topic).next_offsets) == PARTITIONS
    assert len(second.reached(recording.topic).next_offsets) == PARTITIONS
    print(f"two monitors: {hold_together(recording, starts)} findings came twice")
