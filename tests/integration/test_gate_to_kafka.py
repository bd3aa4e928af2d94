"""A gate that publishes to Kafka, and a monitor that reads it there: one verdict, found by both."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitor.findings.model import Finding
from monitor.topics import APPROVALS, EVENTS, FINDINGS, GATE, POLICIES
from monitor.transport.kafka.topic_config import init_topics
from tests.conftest import require_or_skip
from tests.support.gate_served import ServedGate
from tests.support.kafka_broker import Broker, start_broker, why_not_available
from tests.support.kafka_topics import ends_of, publish_all, values_from
from tests.support.monitor_process import LOOK_EVERY_S, MonitorProcess, wait_until_done
from tests.support.rim import START_NS

pytestmark = pytest.mark.kafka
PARTITIONS = 4
AGENT = f"{EVENTS}.a"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of its own, on which no topic of gates exists at first."""
    reason = why_not_available()
    if reason is not None:
        require_or_skip("kafka", reason)
    broker = start_broker(tmp_path_factory.mktemp("gate-to-kafka"))
    topics = {name: policy for name, policy in POLICIES.items() if name != GATE}
    init_topics(broker.bootstrap, PARTITIONS, 1, topics={**topics, AGENT: POLICIES[EVENTS]})
    yield broker
    broker.stop()


def test_gate_and_monitor_tell_the_same_finding(broker: Broker, tmp_path: Path) -> None:
    """Over a kill of the gate; the monitor was there before the topic; bypasses are told."""
    gate = ServedGate(tmp_path / "gate", tokens=("a",), publish=f"kafka://{broker.bootstrap}")
    source = f"kafka://{broker.bootstrap}/{AGENT}?group=gate"
    monitor = MonitorProcess(source, tmp_path / "gate" / "gate.yaml", tmp_path / "monitor")
    try:
        monitor.start()
        publish_all(broker.bootstrap, AGENT, [("s-0", _event("s-0", 0, "message.user"))])
        monitor.wait_for(AGENT, 1)
        (report,) = init_topics(broker.bootstrap, None, 1, topics={GATE: POLICIES[GATE]})
        assert report.is_created
        gate.start()
        told = {"kind": "tool.completed", "tool": "read_file", "args": {"path": "/secrets/k"}}
        gate.send("POST", "/v1/tell", {"session": "s-1", "events": [told]}, token="a")
        denied = gate.ask("s-1", "http.post", token="a", args={"url": "http://evil"}).content
        assert denied["decision"] == "deny"
        gate.kill()
        gate.start()
        assert gate.ask("s-1", "read_file", token="a", args={}).content["decision"] == "allow"
        gate.stop()
        wait_until_done([monitor], GATE, ends_of(broker.bootstrap, GATE))
        around = [("s-1", _event("s-1", 9, "tool.requested", tool="http.post"))]
        publish_all(broker.bootstrap, AGENT, around)
        late = [("s-1", _event("s-1", None, "approval.granted", principal="a", id="ap-1"))]
        publish_all(broker.bootstrap, APPROVALS, late)
        for topic in (AGENT, APPROVALS):
            wait_until_done([monitor], topic, ends_of(broker.bootstrap, topic))
        monitor.stop()
    finally:
        monitor.end()
        gate.end()
    published = values_from(broker.bootstrap, GATE, dict.fromkeys(range(PARTITIONS), 0))
    assert list(dict.fromkeys(map(_seq, published))) == [0, 1, 2, 3], "in order, none is lost"
    lines = values_from(broker.bootstrap, FINDINGS, dict.fromkeys(range(PARTITIONS), 0))
    found = {one.id: one for one in (msgspec.json.decode(x, type=Finding) for x in lines)}
    prevented = found[denied["invariants"][0]["finding"]]
    assert (prevented.invariant, prevented.prevention) == ("no-leak", "prevented")
    types = sorted((one.type, one.invariant, one.prevention) for one in found.values())
    assert ("bypass", "", "detected") in types
    assert ("misplaced", "", "detected") in types
    assert ("violated", "no-leak", "detected") in types, "the call past the gate is judged"


def test_a_broker_that_is_gone_is_told_and_stops_no_answer(broker: Broker, tmp_path: Path) -> None:
    """The last test of this file, since the broker ends here."""
    gate = ServedGate(tmp_path / "gate", publish=f"kafka://{broker.bootstrap}")
    try:
        gate.start()
        assert gate.send("GET", "/-/ready").content == b"answering\n"
        gate.ask("s-1", "read_file", args={})  # Beginning a session needs Kafka.
        broker.stop()
        assert gate.ask("s-1", "read_file", args={}).content["decision"] == "allow"
        while (told := gate.send("GET", "/-/ready")).content == b"answering\n":
            time.sleep(LOOK_EVERY_S)
        assert told.status == 200 and b"answering, but Kafka does not" in told.content
        assert b"interlock_gate_publish_trouble 1" in gate.send("GET", "/metrics").content
        assert gate.ask("s-1", "read_file", args={}).content["decision"] == "allow"
    finally:
        gate.end()


def _event(session: str, seq: int | None, kind: str, **more: object) -> bytes:
    return json.dumps(
        {"session": session, "seq": seq, "ts": START_NS, "kind": kind, **more}
    ).encode()


def _seq(value: bytes) -> int:
    return int(json.loads(value)["seq"])
