"""Scopes wider than a session on a real broker: one trace of what stands in many partitions.

The events of a tenant's sessions are spread over all partitions. A monitor that is killed in the
middle, and two that are told to share the work, find what is found in a file of the same events.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from monitor.findings.model import Finding
from monitor.topics import EVENTS, FINDINGS, POLICIES
from monitor.transport.kafka.producer import KafkaPublisher
from monitor.transport.kafka.topic_config import init_topics
from tests.conftest import require_or_skip
from tests.support.kafka_broker import CHECKOUT, start_broker, why_not_available
from tests.support.kafka_topics import ends_of, values_from
from tests.support.monitor_process import MonitorProcess, findings_of_file, wait_until_done
from tests.support.unnamed import without_principal

pytestmark = pytest.mark.kafka

INVARIANTS = CHECKOUT / "fixtures" / "proof" / "wider.yaml"
PARTITIONS = 4
EVENTS_COUNT = 2_000
SESSIONS = 40
TENANTS = ("acme", "blue", "")
START_NS = 1_700_000_000 * 10**9


@dataclass(frozen=True)
class Stage:
    """A topic with events, and what is found in a file of them."""

    bootstrap: str
    topic: str
    expected: dict[str, Finding]

    def monitor(self, folder: Path, group: str, *, trust_ts: bool = True) -> MonitorProcess:
        trusts = "true" if trust_ts else "false"
        source = f"kafka://{self.bootstrap}/{self.topic}?group={group}&trust_ts={trusts}"
        return MonitorProcess(source, INVARIANTS, folder, ("--batch-records-max", "50"))


def contents() -> list[dict[str, object]]:
    """Events a second apart. A session with an odd number says its tenant at first only; some
    never say one.
    """
    draw = random.Random(11)
    made: list[dict[str, object]] = []
    seqs = [0] * SESSIONS
    for number in range(EVENTS_COUNT):
        which = draw.randrange(SESSIONS)
        seq, tenant = seqs[which], TENANTS[which % len(TENANTS)]
        seqs[which] += 1
        is_pay = draw.random() < 0.3
        made.append(
            {
                "session": f"s{which}",
                "seq": seq,
                "ts": START_NS + number * 10**9,
                "kind": "tool.requested" if is_pay else "tool.completed",
                "tool": "pay" if is_pay else draw.choice(("block", "note", "note")),
                "args": {"to": f"r{draw.randrange(30)}"},
                **({"tenant": tenant} if tenant and (seq == 0 or which % 2 == 0) else {}),
            }
        )
    return made


def publish(bootstrap: str, topic: str, events: list[dict[str, object]]) -> None:
    publisher = KafkaPublisher(bootstrap)
    for event in events:
        publisher.publish(topic, str(event["session"]), msgspec.json.encode(event))
    publisher.flush(30)
    publisher.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    reason = why_not_available()
    if reason is not None:
        require_or_skip("kafka", reason)
    folder = tmp_path_factory.mktemp("wider")
    broker = start_broker(folder)
    topic = f"{EVENTS}.wider-{uuid.uuid4().hex[:8]}"
    init_topics(broker.bootstrap, PARTITIONS, 1)
    init_topics(broker.bootstrap, PARTITIONS, 1, topics={topic: POLICIES[EVENTS]})
    events = contents()
    path = folder / "events.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, events)) + b"\n")
    publish(broker.bootstrap, topic, events)
    found = read(findings_of_file(path, INVARIANTS, folder / "file").splitlines())
    yield Stage(broker.bootstrap, topic, {finding.id: finding for finding in found})
    broker.stop()


@pytest.fixture
def running() -> Iterator[list[MonitorProcess]]:
    monitors: list[MonitorProcess] = []
    yield monitors
    for monitor in monitors:
        monitor.end()


def read(lines: list[bytes]) -> list[Finding]:
    """Each as it was told last: a group grows. The principal is the topic's, a file has none."""
    decoded = (msgspec.json.decode(line, type=Finding) for line in lines)
    told = {finding.id: finding for finding in decoded}
    return [without_principal(finding) for finding in told.values()]


def test_the_file_has_something_to_say(stage: Stage) -> None:
    """Both invariants across sessions are violated, in sessions that do not break the third."""
    kinds = {(f.invariant, f.type) for f in stage.expected.values()}
    assert ("no-pay-to-who-was-blocked", "violated") in kinds
    assert ("five-payments-an-hour", "violated") in kinds
    assert ("no-pay-to-who-was-blocked", "inconclusive") in kinds
    assert any(f.type == "unscoped" for f in stage.expected.values())
    across = [f for f in stage.expected.values() if len({e.session for e in f.witness}) > 1]
    assert len(across) > 50


def test_a_monitor_that_is_killed_finds_what_the_file_has(
    stage: Stage, tmp_path: Path, running: list[MonitorProcess]
) -> None:
    """Three times in the middle, while records of some partitions wait for those of others."""
    starts = ends_of(stage.bootstrap, FINDINGS)
    monitor = stage.monitor(tmp_path / "m", "killed")
    running.append(monitor)
    for part in (0.2, 0.5, 0.8):
        monitor.start()
        monitor.wait_for(stage.topic, int(part * EVENTS_COUNT))
        monitor.kill()
    monitor.start()
    wait_until_done([monitor], stage.topic, ends_of(stage.bootstrap, stage.topic))
    monitor.stop()
    told = read(values_from(stage.bootstrap, FINDINGS, starts))
    assert {finding.id: finding for finding in told} == stage.expected


def test_two_monitors_of_one_group_find_all_of_it_each(
    stage: Stage, tmp_path: Path, running: list[MonitorProcess]
) -> None:
    """They join no group, so that none of them has a part only."""
    starts = ends_of(stage.bootstrap, FINDINGS)
    monitors = [stage.monitor(tmp_path / name, "both") for name in ("a", "b")]
    running += monitors
    ends = ends_of(stage.bootstrap, stage.topic)
    for monitor in monitors:
        monitor.start()
    for monitor in monitors:
        wait_until_done([monitor], stage.topic, ends)
        monitor.stop()
        assert monitor.reached(stage.topic).records == EVENTS_COUNT
    told = read(values_from(stage.bootstrap, FINDINGS, starts))
    assert {finding.id: finding for finding in told} == stage.expected


def test_what_happens_now_is_told_now(
    stage: Stage, tmp_path: Path, running: list[MonitorProcess]
) -> None:
    """By the broker's times, with partitions that bring nothing beside those that do."""
    topic = f"{EVENTS}.now-{uuid.uuid4().hex[:8]}"
    init_topics(stage.bootstrap, PARTITIONS, 1, topics={topic: POLICIES[EVENTS]})
    now = Stage(stage.bootstrap, topic, {})
    starts = ends_of(stage.bootstrap, FINDINGS)
    monitor = now.monitor(tmp_path / "m", "now", trust_ts=False)
    running.append(monitor)
    monitor.start()
    base = {"seq": 0, "tenant": "acme", "args": {"to": "r"}}
    for session, kind, tool in (
        ("one", "tool.completed", "block"),
        ("two", "tool.requested", "pay"),
    ):
        event = {"session": session, "ts": time.time_ns(), "kind": kind, "tool": tool, **base}
        publish(stage.bootstrap, topic, [event])
    wait_until_done([monitor], topic, ends_of(stage.bootstrap, topic))
    monitor.stop()
    found = read(values_from(stage.bootstrap, FINDINGS, starts))
    assert [(f.invariant, f.session, f.scope) for f in found] == [
        ("no-pay-to-who-was-blocked", "two", "acme")
    ]
