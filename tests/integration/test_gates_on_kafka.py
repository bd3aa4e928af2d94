"""Two gates, each a process of its own, that publish to one Kafka: one has each session."""

from __future__ import annotations

import gc
import json
import logging
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from monitor.topics import POLICIES
from monitor.transport.kafka.topic_config import init_topics
from tests.conftest import require_or_skip
from tests.support.gate_served import ServedGate
from tests.support.kafka_broker import CHECKOUT, Broker, start_broker, why_not_available
from tests.support.monitor_process import ENTRY

pytestmark = pytest.mark.kafka
SESSIONS = 40
LEASE = "3s"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    reason = why_not_available()
    if reason is not None:
        require_or_skip("kafka", reason)
    broker = start_broker(tmp_path / "kafka")
    init_topics(broker.bootstrap, 2, 1, topics=POLICIES)
    yield broker
    broker.stop()


def gate_at(folder: Path, broker: Broker, lease: str) -> ServedGate:
    publish = f"kafka://{broker.bootstrap}"
    return ServedGate(folder, tokens=("a",), publish=publish, more=("--claim-lease", lease))


def allowed(gate: ServedGate, session: str) -> bool:
    """True if a gate answers for a session; false if another has it."""
    reply = gate.ask(session, "read_file", token="a")
    assert reply.status == 200 or reply.code == "conflict", reply
    return reply.status == 200


def command(broker: Broker, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A part of `interlock gate`."""
    return subprocess.run(
        [*ENTRY, "gate", *arguments, "--publish", f"kafka://{broker.bootstrap}"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_one_of_two_gates_has_each_session(broker: Broker, tmp_path: Path) -> None:
    """Asked at both at once; over a kill; and until an operator retires the gate."""
    gates = [gate_at(tmp_path / name, broker, LEASE) for name in ("one", "two")]
    one, two = gates
    try:
        for gate in gates:
            gate.start()
        with ThreadPoolExecutor(8) as pool:
            asked = [
                (session, gate, pool.submit(allowed, gate, f"s-{session}"))
                for session in range(SESSIONS)
                for gate in (gates if session % 2 else gates[::-1])
            ]
            won = [(session, gate) for session, gate, result in asked if result.result(120)]
        assert sorted(session for session, _ in won) == list(range(SESSIONS))
        of_one = [f"s-{session}" for session, gate in won if gate is one]
        assert 0 < len(of_one) < SESSIONS, "it was a race"
        opened = one.send("POST", "/v1/sessions", {}, token="a")
        assert opened.status == 200, opened
        assert not allowed(two, opened.content["session"])
        one.kill()
        assert not allowed(two, of_one[0])
        one.start()
        assert allowed(one, of_one[0])
        assert not allowed(one, next(f"s-{session}" for session, gate in won if gate is two))
        metrics = one.send("GET", "/metrics").content.decode()
        assert f"interlock_gate_claims {SESSIONS + 1}.0" in metrics
        one.kill()
        listed = json.loads(command(broker, "list", "--output", "json").stdout)
        (name,) = [found["gate"] for found in listed if found["claims"] == len(of_one) + 1]
        text = command(broker, "list").stdout
        assert f"{name}  runs  {len(of_one) + 1} claims" in text
        retired = command(broker, "retire", name)
        assert retired.returncode == 0, retired.stderr
        assert "waits 3 s" in retired.stderr
        assert retired.stdout == f"retired `{name}`: {len(of_one) + 1} claims released\n"
        until(lambda: allowed(two, of_one[0]))
        one.begin()
        assert one.process is not None
        assert one.process.wait(60) == 2
        assert "an operator has retired this gate" in one.told()
    finally:
        for gate in gates:
            gate.end()


@pytest.fixture
def _collected(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let the collector close the sockets of refused connections, which the library forgets."""
    caplog.set_level(logging.CRITICAL, logger="kafka")
    yield
    gc.collect()


@pytest.mark.usefixtures("_collected")
def test_without_kafka_sessions_go_on_and_none_begins(broker: Broker, tmp_path: Path) -> None:
    """Within the lease; beyond it the gate refuses, and says so where a supervisor looks."""
    lasting, short = (gate_at(tmp_path / lease, broker, lease) for lease in ("1h", LEASE))
    try:
        lasting.start()
        short.start()
        assert allowed(lasting, "s-1")
        assert allowed(short, "s-2")
        broker.kill()
        begun = lasting.ask("s-3", "read_file", token="a")
        assert (begun.status, begun.code) == (503, "not_ready"), begun
        assert allowed(lasting, "s-1"), "it was claimed before"
        until(lambda: short.ask("s-2", "read_file", token="a").status == 503)
        assert b"gate.claim_lease" in short.send("GET", "/-/ready").content
        again = start_broker(tmp_path / "kafka")
        try:
            until(lambda: allowed(short, "s-2"))
            until(lambda: lasting.ask("s-3", "read_file", token="a").status == 200)
        finally:
            lasting.end()
            short.end()
            again.stop()
    finally:
        lasting.end()
        short.end()


def until(is_so: object) -> None:
    """Wait for a condition; a gate that is not ready is asked again."""
    assert callable(is_so)
    waiting = threading.Event()
    for _ in range(1_200):
        try:
            if is_so():
                return
        except AssertionError as error:
            assert "not_ready" in str(error), error
        waiting.wait(0.1)
    raise AssertionError("it did not come")
