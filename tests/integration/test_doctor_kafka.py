"""`interlock doctor` on a real broker: topics, settings, the latest records. Nothing is written."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.doctor.broker import judge_broker
from monitor.doctor.needs import gate_needs
from monitor.topics import CLAIMS, CONTROL, DEAD_LETTERS, EVENTS, FINDINGS, GATE, POLICIES
from monitor.transport.address import KafkaAddress
from monitor.transport.kafka.client import open_admin
from monitor.transport.kafka.survey import survey
from monitor.transport.kafka.topic_config import init_topics, topic_settings
from tests.conftest import require_or_skip
from tests.support.kafka_broker import CHECKOUT, start_broker, why_not_available
from tests.support.kafka_topics import ends_of, publish_all
from tests.support.monitor_process import ENTRY, PATIENCE_S

pytestmark = pytest.mark.kafka
ALL = (EVENTS, CONTROL, GATE, FINDINGS, DEAD_LETTERS, CLAIMS)


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of this file: the latest records of the shared one may be those of any test."""
    reason = why_not_available()
    if reason is not None:
        require_or_skip("kafka", reason)
    broker = start_broker(tmp_path_factory.mktemp("broker"))
    try:
        init_topics(broker.bootstrap)
        yield broker.bootstrap
    finally:
        broker.stop()


def fresh(bootstrap: str, **settings: str) -> str:
    """A topic of one principal, made as `interlock kafka init` does but for these settings."""
    name = f"{EVENTS}.p-{uuid.uuid4().hex[:8]}"
    counts = ends_of(bootstrap, EVENTS)
    configs = topic_settings(POLICIES[EVENTS]) | {
        key.replace("_", "."): value for key, value in settings.items()
    }
    admin = open_admin(bootstrap, {})
    wanted = {"num_partitions": len(counts), "replication_factor": 1, "configs": configs}
    admin.create_topics({name: wanted}, wait_for_metadata=True)
    admin.close()
    return name


def doctor(*arguments: str, code: int) -> list[dict[str, Any]]:
    done = subprocess.run(
        [
            *ENTRY,
            "doctor",
            *arguments,
            "--invariants",
            "pack:loops",
            "--no-http-enabled",
            "--output",
            "json",
            "--timeout",
            "60s",
        ],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
    return found


def not_ok(found: list[dict[str, Any]], begins: str) -> list[tuple[str, str]]:
    """Of a group that no monitor has joined yet the broker does not say enough."""
    return [
        (one["check"], one["outcome"])
        for one in found
        if one["check"].startswith(begins)
        and one["outcome"] != "ok"
        and one["place"] != "group `interlock`"
    ]


def event(seq: int, **more: object) -> bytes:
    content = {"v": 1, "session": "s", "kind": "tool.requested", "seq": seq, "ts": 1 + seq, **more}
    return json.dumps(content).encode()


def test_topics_that_are_well(bootstrap: str, tmp_path: Path) -> None:
    """A monitor, a gate and an agent have all that they need; no topic has a record more."""
    topic = fresh(bootstrap)
    publish_all(bootstrap, topic, [("s", event(number)) for number in range(30)])
    before = {name: ends_of(bootstrap, name) for name in (*ALL, topic)}
    found = doctor(
        "--source", f"kafka://{bootstrap}/{topic}",
        "--target", f"kafka://{bootstrap}/{topic}", "--state-dir", str(tmp_path / "s"),
        "--latest", "5", code=1,
    )  # fmt: skip
    assert not not_ok(found, "broker.") and not not_ok(found, "events.")
    assert len([one for one in found if one["check"] == "broker.reach"]) == 2
    needs = gate_needs(KafkaAddress(bootstrap))
    facts = survey(bootstrap, list(needs.operations), None, {})
    assert {one.outcome for one in judge_broker(needs, facts)} == {"ok"}
    (schema,) = [one for one in found if one["check"] == "events.schema"]
    assert schema["text"] == "the latest 5 records are valid events"
    assert not not_ok(found, "clock.")
    # Agents need a monitor that runs.
    assert not_ok(found, "control.") == [("control.heartbeats", "trouble")]
    assert {name: ends_of(bootstrap, name) for name in before} == before


@pytest.mark.parametrize(
    ("settings", "is_required"),
    [
        ({"message_timestamp_type": "CreateTime"}, True),
        ({"cleanup_policy": "compact"}, True),
        ({"compression_type": "producer"}, False),
        ({"retention_ms": "60000"}, False),
    ],
)
def test_a_topic_with_another_setting(
    bootstrap: str, tmp_path: Path, settings: dict[str, str], is_required: bool
) -> None:
    """It is named, with the command that sets it."""
    topic = fresh(bootstrap, **settings)
    found = doctor(
        "--source", f"kafka://{bootstrap}/{topic}", "--state-dir", str(tmp_path / "s"),
        code=1 if is_required else 0,
    )  # fmt: skip
    (wrong,) = [one for one in found if one["check"] == "broker.settings"]
    assert topic in wrong["place"] and wrong["is_required"] is is_required
    ((name, _),) = settings.items()
    assert f"--entity-name {topic} --alter --add-config {name.replace('_', '.')}=" in wrong["mend"]


def test_a_topic_that_does_not_exist(bootstrap: str, tmp_path: Path) -> None:
    """It is trouble; the events on it are not known, and not fine."""
    source = f"kafka://{bootstrap}/{EVENTS}.nobody"
    found = doctor("--source", source, "--state-dir", str(tmp_path / "s"), code=1)
    first, *others = not_ok(found, "broker.")
    assert first == ("broker.topics", "trouble")
    assert {outcome for _, outcome in others} == {"unknown"}
    assert not_ok(found, "events.") == [("events.schema", "unknown")]


def test_records_that_this_version_cannot_read(bootstrap: str, tmp_path: Path) -> None:
    """A later version of events, and a kind that agents may not assert."""
    topic = fresh(bootstrap)
    values = [event(1), event(2, v=2), event(3, kind="approval.granted")]
    publish_all(bootstrap, topic, [("s", value) for value in values])
    found = doctor(
        "--source", f"kafka://{bootstrap}/{topic}", "--state-dir", str(tmp_path / "s"), code=1
    )
    assert not_ok(found, "events.") == [("events.schema", "trouble"), ("events.kinds", "trouble")]
    (schema,) = [one for one in found if one["check"] == "events.schema"]
    assert "upgrade" in schema["mend"] and "version 1" in schema["text"]
