"""The broker of docker-compose.yml with its own settings, without Docker: topics and monitor."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.cli.__main__ import main
from monitor.topics import EVENTS
from monitor.transport.kafka.producer import KafkaPublisher
from tests.conftest import require_or_skip
from tests.support.compose import here, services
from tests.support.kafka_broker import Broker, free_port, start_with, why_not_available
from tests.support.monitor_process import MonitorProcess

ENVIRONMENT: dict[str, str] = services()["kafka"]["environment"]
NOT_FOR_THE_BROKER = {"KAFKA_HEAP_OPTS"}
INSIDE, CONTROLLER, OUTSIDE = ":19092", ":9093", ":9092"


def broker_settings(directory: Path) -> dict[str, str]:
    """The environment as the image turns it into settings; hosts and ports are this machine's."""
    settings = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in ENVIRONMENT.items()
        if name.startswith("KAFKA_") and name not in NOT_FOR_THE_BROKER
    }
    ports = {port: free_port() for port in (INSIDE, CONTROLLER, OUTSIDE)}
    for name in ("listeners", "advertised.listeners", "controller.quorum.voters"):
        for host in ("//", "//kafka", "//localhost", "@kafka"):
            for old, new in ports.items():
                mark = host[: 2 if host.startswith("//") else 1]
                settings[name] = settings[name].replace(host + old, f"{mark}127.0.0.1:{new}")
    return {**settings, "log.dirs": str(directory / "data")}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    reason = why_not_available()
    if reason is not None:
        require_or_skip("kafka", reason)
    directory = tmp_path / "kafka"
    broker = start_with(directory, broker_settings(directory), ENVIRONMENT["CLUSTER_ID"])
    yield broker
    broker.stop()


@pytest.fixture
def monitor(tmp_path: Path, broker: Broker) -> Iterator[MonitorProcess]:
    config = str(here("monitor", "/etc/interlock/interlock.yaml"))
    monitor = MonitorProcess(
        f"kafka://{broker.bootstrap}?instance=monitor-1",
        here("monitor", "/etc/interlock/invariants"),
        tmp_path / "state",
        ("--config", config, "--output", "json"),
    )
    yield monitor
    monitor.end()


def test_the_broker_serves_topics_and_monitor(
    broker: Broker, monitor: MonitorProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one-shot command makes the topics, and again finds no difference; the monitor watches."""
    command = services()["topics"]["command"]
    made = [broker.bootstrap if word == "kafka:19092" else word for word in command]
    assert main(made) == 0
    assert f"{EVENTS}: created" in capsys.readouterr().out
    assert main(made) == 0
    assert "differs" not in capsys.readouterr().out

    monitor.start()
    event = {"session": "s-1", "seq": 0, "ts": time.time_ns(), "kind": "tool.requested"}
    text = json.dumps({**event, "tool": "bash", "call": "c-1", "args": {}})
    publisher = KafkaPublisher(broker.bootstrap)
    publisher.publish(EVENTS, "s-1", text.encode())
    publisher.close()
    monitor.wait_for(EVENTS, 1)
    monitor.stop()
    assert "shell-needs-watching" in (monitor.state_dir.parent / "state.log").read_text()
