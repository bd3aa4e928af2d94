"""A real Prometheus reads a running monitor, and the alerts that are shipped really fire."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.telemetry.metrics_table import METRICS
from monitor.topics import EVENTS
from monitor.transport.logdir.writer import LogDirPublisher
from tests.prometheus.dashboard import shown
from tests.prometheus.rule_files import FILES, alerts
from tests.support.monitor_process import LOOK_EVERY_S, PATIENCE_S, MonitorProcess
from tests.support.prometheus_server import PrometheusServer

INVARIANTS = """\
version: 1
predicates:
  forbidden: kind == "tool.requested" && tool == "shell"
invariants:
  - id: no-shell
    summary: The shell is not for agents
    severity: critical
    on_unknown: violate
    mode: enforce
    never: forbidden
    respond: [kill, alert]
"""


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[MonitorProcess]:
    (tmp_path / "invariants.yaml").write_text(INVARIANTS)
    (tmp_path / "log" / EVENTS).mkdir(parents=True)
    monitor = MonitorProcess(
        f"log:{tmp_path / 'log'}",
        tmp_path / "invariants.yaml",
        tmp_path / "state",
        ("--http-enabled", "--http-port", "0"),
    )
    monitor.start()
    yield monitor
    monitor.end()


@pytest.fixture
def prometheus(tmp_path: Path, monitor: MonitorProcess) -> Iterator[PrometheusServer]:
    server = PrometheusServer(tmp_path / "prometheus", FILES, [f"127.0.0.1:{port_of(monitor)}"])
    server.start()
    yield server
    server.end()


def port_of(monitor: MonitorProcess) -> int:
    """The port that it says in its first line."""
    log = monitor.state_dir.parent / f"{monitor.state_dir.name}.log"
    deadline = time.monotonic() + PATIENCE_S
    while True:
        for line in log.read_text().splitlines():
            if '"watching"' in line:
                return int(json.loads(line)["http_port"])
        assert monitor.process is not None and monitor.process.poll() is None, monitor.told()
        assert time.monotonic() < deadline, monitor.told()
        time.sleep(LOOK_EVERY_S)


def ask_for(log: Path, tool: str, session: str) -> None:
    """An agent asks for a tool, and for one that is gone wrong beside it."""
    publisher = LogDirPublisher(log, f"agent-{session}")
    event = {"session": session, "seq": 0, "ts": time.time_ns(), "kind": "tool.requested"}
    text = json.dumps({**event, "tool": tool, "call": "c-1", "args": {}})
    publisher.publish(EVENTS, session, text.encode())
    publisher.publish(EVENTS, session, b'{"session": 1}')
    publisher.close()


def firing(server: PrometheusServer) -> dict[str, dict[str, str]]:
    """Firing alerts with their annotations."""
    return {
        alert["labels"]["alertname"]: alert["annotations"]
        for alert in server.alerts()
        if alert["state"] == "firing"
    }


def test_what_an_agent_does_reaches_a_person(
    monitor: MonitorProcess, prometheus: PrometheusServer, tmp_path: Path
) -> None:
    """Quiet before; then violation, kill and dead letter fire, every panel of the dashboard has
    something to show, and a monitor that died is seen.
    """
    series = prometheus.wait_for('{job="interlock", __name__=~"interlock_.*_total"}')
    prometheus.wait_for("interlock:findings:new5m")
    assert not firing(prometheus)
    names = {sample["metric"]["__name__"] for sample in series}
    assert names == {metric.name for metric in METRICS if metric.type == "counter"}

    ask_for(tmp_path / "log", "shell", "s-1")
    for name in ("InterlockCriticalViolation", "InterlockKillSwitchUsed", "InterlockDeadLetters"):
        prometheus.wait_for(f'ALERTS{{alertname="{name}", alertstate="firing"}}')
    told = firing(prometheus)["InterlockCriticalViolation"]
    assert told["summary"] == "An agent broke the critical invariant no-shell."
    assert told["description"].startswith(f"1 new in 5 minutes on {prometheus.targets[0]}.")
    assert "--invariant no-shell" in told["command"]
    assert firing(prometheus).keys() <= alerts().keys()
    prometheus.wait_for('interlock_targets_stopped{kind="session", state="killed"} == 1')
    assert prometheus.query("interlock_heartbeat_age_seconds < 15")
    empty = {one.panel for one in shown() if not prometheus.query(one.plain())}
    assert empty == {"Detector"}, "this monitor has no model, and all else to show"

    monitor.kill()
    prometheus.wait_for('ALERTS{alertname="InterlockMonitorDown", alertstate="pending"}')
