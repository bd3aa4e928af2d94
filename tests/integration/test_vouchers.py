"""Real monitors that judge the same events with other invariants: who holds a guard back."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interlock import Client, ClientOptions, NoView, Refused, Session
from monitor.topics import EVENTS, POLICIES
from monitor.transport.kafka.client import open_consumer
from monitor.transport.kafka.topic_config import init_topics
from tests.support.kafka_broker import CHECKOUT, Broker
from tests.support.monitor_process import ENTRY, PATIENCE_S, MonitorProcess

INVARIANTS = CHECKOUT / "fixtures" / "invariants"
AGE_S_MAX = 5


class Place:
    """A log directory with monitors, each under a name of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.log.mkdir()
        self.monitors: list[MonitorProcess] = []

    def monitor(self, name: str, *more: str) -> MonitorProcess:
        flags = ("--respond-heartbeat", "1s", "--respond-issuer", name, *more)
        made = MonitorProcess(f"log:{self.log}", INVARIANTS, self.folder / name, flags)
        self.monitors.append(made)
        made.start()
        return made

    def control(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [*ENTRY, "control", *arguments, "--source", f"log:{self.log}"]
        return subprocess.run(command, cwd=CHECKOUT, capture_output=True, timeout=120, check=False)

    def vouchers(self) -> str:
        return self.control("list").stdout.decode()


WIDER = """\
version: 1
predicates:
  pay: kind == "tool.requested" && tool == "pay"
invariants:
  - id: few-payments
    severity: warning
    mode: enforce
    per: tenant
    always: count(pay)[1h] <= 5
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for monitor in made.monitors:
        monitor.end()


def refused(session: Session) -> Refused | None:
    try:
        session.guard("t")
    except Refused as answer:
        return answer
    return None


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_a_guard_refuses_when_one_of_two_monitors_dies_until_it_is_retired(place: Place) -> None:
    """The other lives on throughout, and one that observed is gone as well."""
    first, observer = place.monitor("first"), place.monitor("looks-on", "--mode", "observe")
    place.monitor("second")
    names = ("issuer:first", "issuer:looks-on", "issuer:second")
    wait_until(lambda: all(name in place.vouchers() for name in names), "all three vouch")
    with Client(f"log:{place.log}", ClientOptions(view_age_s_max=AGE_S_MAX), agent="bot") as client:
        session = client.session("s")
        wait_until(lambda: refused(session) is None, "all three live")
        first.kill()
        observer.kill()
        wait_until(lambda: "issuer:first" in str(refused(session)), "the silent one is named")
        assert isinstance(refused(session), NoView)
        assert not client.wait_until_judged(1)
        waiting = place.control("wait", "--timeout", "1s")
        assert waiting.returncode == 3 and b"issuer:first" in waiting.stderr
        assert place.control("retire", "issuer:frist").returncode == 2
        retired = place.control("retire", "issuer:first", "--output", "json")
        assert json.loads(retired.stdout) == {"retired": "issuer:first"}
        wait_until(lambda: refused(session) is None, "only one is left that can stop")
        assert client.wait_until_judged(PATIENCE_S)
    assert "looks-on" in place.vouchers() and "issuer:first" not in place.vouchers()


def test_a_monitor_that_stops_cleanly_leaves_guards_refusing(place: Place) -> None:
    """Whoever keeps it knows whether it comes back; nobody judges what it judged until then."""
    first = place.monitor("first")
    place.monitor("second")
    with Client(f"log:{place.log}", ClientOptions(view_age_s_max=AGE_S_MAX), agent="bot") as client:
        session = client.session("s")
        names = ("issuer:first", "issuer:second")
        wait_until(lambda: all(name in place.vouchers() for name in names), "both vouch")
        wait_until(lambda: refused(session) is None, "both live")
        first.stop()
        wait_until(lambda: "issuer:first" in str(refused(session)), "the other is not enough")
        first.start()
        wait_until(lambda: refused(session) is None, "it is back")


@pytest.mark.kafka
def test_over_kafka_a_monitor_of_wider_scopes_does_not_vouch_for_a_group(
    kafka_broker: Broker, place: Place
) -> None:
    """Nor to a client that starts when the group is dead, and reads its last word."""
    topic = f"{EVENTS}.{uuid.uuid4().hex[:8]}"
    init_topics(kafka_broker.bootstrap, 4, 1)
    consumer = open_consumer(kafka_broker.bootstrap, {})
    partitions = len(consumer.partitions_for_topic(EVENTS))
    consumer.close()
    init_topics(kafka_broker.bootstrap, partitions, 1, topics={topic: POLICIES[EVENTS]})
    source = f"kafka://{kafka_broker.bootstrap}/{topic}"
    wider = place.folder / "wider.yaml"
    wider.write_text(WIDER)
    flags = ("--respond-heartbeat", "1s")
    group = MonitorProcess(f"{source}?group={topic}", INVARIANTS, place.folder / "group", flags)
    alone = MonitorProcess(source, wider, place.folder / "wider", flags)
    place.monitors += [group, alone]
    group.start()
    alone.start()
    options = ClientOptions(view_age_s_max=AGE_S_MAX, before_view="refuse")
    with Client(source, options, agent="bot") as client, Client(source, options) as later:
        sessions = [client.session(f"s-{n}") for n in range(8)]

        def is_known() -> bool:
            told = subprocess.run(
                [*ENTRY, "control", "list", "--source", source],
                cwd=CHECKOUT, capture_output=True, timeout=120, check=False,
            ).stdout.decode()  # fmt: skip
            return f"group:{topic}" in told and told.count("issuer:") > 0

        wait_until(is_known, "both vouch")
        wait_until(lambda: all(refused(one) is None for one in sessions), "both live")
        group.kill()
        silent = f"group:{topic}"
        wait_until(lambda: all(silent in str(refused(one)) for one in sessions), "none is judged")
        new = later.session("s-new")
        wait_until(lambda: silent in str(refused(new)), "the last word of the group is read")
        retire = [*ENTRY, "control", "retire", silent, "--source", source]
        assert subprocess.run(retire, cwd=CHECKOUT, timeout=120, check=False).returncode == 0
        wait_until(lambda: all(refused(one) is None for one in [*sessions, new]), "one is left")
        alone.kill()
        wait_until(lambda: all(refused(one) for one in sessions), "nobody vouches any more")
