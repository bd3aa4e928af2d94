"""The monitor on a real broker with access control: exactly its rights suffice, no fewer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from interlock import Client, ClientOptions
from interlock.errors import Quarantined
from invariants.model.errors import ConfigError
from monitor.clock import SystemClock
from monitor.config.load import load_settings
from monitor.doctor.broker import judge_broker
from monitor.doctor.diagnosis import worst
from monitor.doctor.needs import monitor_needs
from monitor.service.assemble import Service, open_service
from monitor.topics import (
    APPROVALS,
    CONTROL,
    DEAD_LETTERS,
    ENFORCEMENT,
    EVENTS,
    FINDINGS,
    GATE,
    POLICIES,
)
from monitor.transport.address import KafkaAddress, parse_source_url
from monitor.transport.kafka.client import open_admin
from monitor.transport.kafka.survey import survey
from monitor.transport.kafka.topic_config import check_topics, init_topics
from tests.support.kafka_broker import why_not_available
from tests.support.kafka_secured import ADMIN, Right, Rights, start_secured, user_settings

ROOT: Final = Path(__file__).parents[2]
TOPICS: Final = (f"{EVENTS}.alice", f"{EVENTS}.bob")
NEEDED: Final = (
    Right("READ", "topic", TOPICS[0]),
    Right("READ", "topic", TOPICS[1]),
    Right("READ", "topic", APPROVALS),
    Right("READ", "topic", ENFORCEMENT),
    Right("READ", "topic", GATE),
    Right("READ", "topic", CONTROL),
    Right("WRITE", "topic", CONTROL),
    Right("WRITE", "topic", FINDINGS),
    Right("WRITE", "topic", DEAD_LETTERS),
    Right("READ", "group", "interlock"),
)
"""As docs/running.md lists them; DESCRIBE_CONFIGS is for the check at the start alone."""
AGENTS: Final = {
    name: (Right("WRITE", "topic", f"{EVENTS}.{name}"), Right("READ", "topic", CONTROL))
    for name in ("alice", "bob")
}
INVARIANTS: Final = """\
version: 1
predicates:
  secret: kind == "tool.completed" && tool == "vault"
  post: kind == "tool.requested" && tool == "post"
invariants:
  - id: leak
    severity: critical
    on_unknown: report
    mode: enforce
    respond: [quarantine, alert]
    never: post and once secret
"""


class Lab:
    """A broker, its administrator, and what a monitor of the user `monitor` needs."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap, self.folder = bootstrap, folder
        self.source = f"kafka://{bootstrap}/{','.join(TOPICS)}"
        self.rights = Rights(bootstrap, folder)
        admin = user_settings("admin", folder)
        init_topics(bootstrap, 2, 1, settings=admin)
        init_topics(bootstrap, 2, 1, settings=admin, topics=dict.fromkeys(TOPICS, POLICIES[EVENTS]))
        (folder / "leak.yaml").write_text(INVARIANTS)

    def allow(self, *rights: Right) -> None:
        """Exactly these rights for the monitor."""
        self.rights.revoke_all("monitor")
        self.rights.grant("monitor", rights)

    def open(self, stack: ExitStack, state: str) -> Service:
        """A monitor; closed with the stack."""
        config = self.folder / f"{state}.json"
        flags = {
            "source": self.source,
            "invariants": [str(self.folder / "leak.yaml")],
            "state_dir": str(self.folder / state),
        }
        kafka = user_settings("monitor", self.folder)
        config.write_text(json.dumps({**flags, "http": {"enabled": False}, "kafka": kafka}))
        return open_service(load_settings(str(config)), SystemClock(), stack)

    def agent(self, name: str) -> Client:
        """A client that authenticates as its principal."""
        options = {**ADMIN, "sasl_plain_username": name, "sasl_plain_password": name}
        target = f"kafka://{self.bootstrap}/{EVENTS}.{name}"
        return Client(
            target,
            ClientOptions(fail="open", before_view="allow", kafka_options=options),
            agent="bot",
        )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    reason = why_not_available()
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("secured")
    broker = start_secured(folder / "broker")
    try:
        lab = Lab(broker.bootstrap, folder)
        for name, rights in AGENTS.items():
            lab.rights.grant(name, rights)
        yield lab
        lab.rights.close()
    finally:
        broker.stop()


def test_the_rights_of_the_page_are_those_of_this_test() -> None:
    """docs/running.md names every right that is needed, with its resource."""
    page = (ROOT / "docs" / "running.md").read_text()
    table = page[page.index("Access rights of the monitor") :]
    for right in NEEDED:
        name = "agent.events*" if right.name.startswith(EVENTS) else right.name
        assert f"| {right.operation} | {right.kind} | `{name}` |" in table, right
    assert "| DESCRIBE_CONFIGS |" in table


def test_exactly_the_rights_suffice_and_a_stranger_stops_itself_alone(lab: Lab) -> None:
    """Alice breaks an invariant under bob's session ID: she is stopped, and bob goes on."""
    lab.allow(*NEEDED)
    with ExitStack() as stack:
        service = lab.open(stack, "exact")
        (warning,) = service.surroundings.warnings
        assert "`User:monitor` may not DESCRIBE_CONFIGS" in warning
        assert TOPICS[0] in warning
        service.loop.start()
        alice, bob = (stack.enter_context(lab.agent(name)) for name in ("alice", "bob"))
        with bob.session("s-bob") as his, alice.session("s-bob") as hers:
            his.call("read", lambda: 1)
            hers.call("vault", lambda: 1)
            hers.call("post", lambda: 1)
            assert alice.flush() and bob.flush()
            service.loop.run(lambda: _is_stopped(alice, "principal:alice"))
            with pytest.raises(Quarantined):
                hers.call("read", lambda: 1)
            assert his.call("post", lambda: 2) == 2
            follower = bob._connection.judge.follower
            assert follower is not None
            assert follower.record("principal:bob") is None
            assert follower.record("session:s-bob") is None
            assert follower.record("session-of:alice/s-bob") is not None
            assert follower.record("session-of:bob/s-bob") is None


def _is_stopped(client: Client, key: str) -> bool:
    follower = client._connection.judge.follower
    assert follower is not None
    return follower.record(key) is not None


def test_without_the_right_on_the_gates_topic_the_monitor_starts_and_warns(lab: Lab) -> None:
    """The broker answers the same for a topic that does not exist, which is not an error."""
    lab.allow(*(right for right in NEEDED if right.name != GATE))
    with ExitStack() as stack:
        service = lab.open(stack, "no-gate")
        denied, _ = service.surroundings.warnings
        assert denied.startswith(f"`User:monitor` may not READ the topic `{GATE}` (or it does not")
        assert denied.endswith("no monitor judges their sessions until then")


@pytest.mark.parametrize(
    "missing",
    [right for right in NEEDED if right.name != GATE],
    ids=lambda right: "-".join(right),
)
def test_a_missing_right_is_named(lab: Lab, missing: Right) -> None:
    """The error names the principal, the operation and the resource, and nothing else."""
    lab.allow(*(right for right in NEEDED if right != missing))
    with ExitStack() as stack, pytest.raises(ConfigError) as error:
        lab.open(stack, "missing")
    lines = str(error.value).splitlines()
    assert len(lines) == 1
    told = f"`User:monitor` may not {missing.operation} the {missing.kind} `{missing.name}`"
    assert lines[0].startswith(told)
    assert f"--operation {missing.operation} --{missing.kind} {missing.name}" in lines[0]


def test_all_missing_rights_are_named_at_once(lab: Lab) -> None:
    """Nobody has to start the monitor nine times."""
    lab.allow()
    with ExitStack() as stack, pytest.raises(ConfigError) as error:
        lab.open(stack, "nothing")
    assert len(str(error.value).splitlines()) == len(NEEDED) - 1  # The gate's need not exist.


@pytest.mark.parametrize(
    "missing",
    [Right("READ", "topic", TOPICS[1]), Right("WRITE", "topic", CONTROL), NEEDED[-1]],
    ids=lambda right: "-".join(right),
)
def test_the_doctor_names_a_missing_right(lab: Lab, missing: Right) -> None:
    """With exactly the rights of the page all required checks are ok; without one it is named."""
    address = parse_source_url(lab.source)
    assert isinstance(address, KafkaAddress)
    needs = monitor_needs(address, reads_all=False, trust_ts=False)
    kafka = user_settings("monitor", lab.folder)
    lab.allow(*NEEDED)
    facts = survey(needs.bootstrap, list(needs.operations), needs.group, kafka)
    assert worst(judge_broker(needs, facts)) == "ok"
    lab.allow(*(right for right in NEEDED if right != missing))
    facts = survey(needs.bootstrap, list(needs.operations), needs.group, kafka)
    (wrong,) = [
        one for one in judge_broker(needs, facts) if one.outcome != "ok" and one.is_required
    ]
    assert (wrong.check, wrong.outcome) == ("broker.rights", "trouble")
    assert f"--operation {missing.operation} --{missing.kind} {missing.name}" in wrong.mend


def test_with_describe_configs_the_topics_are_checked(lab: Lab) -> None:
    """A topic whose times are the producers' is refused; without the right that is a doubt."""
    lab.allow(*NEEDED)
    topic = f"{EVENTS}.own-times"
    monitor = user_settings("monitor", lab.folder)
    _create_with_own_times(lab, topic)
    lab.rights.grant("monitor", [Right("READ", "topic", topic)])
    (doubt,) = check_topics(lab.bootstrap, [topic], monitor).warnings
    assert "LogAppendTime" in doubt
    lab.rights.grant("monitor", [Right("DESCRIBE_CONFIGS", "topic", topic)])
    with pytest.raises(ConfigError, match=r"times that producers choose.*LogAppendTime"):
        check_topics(lab.bootstrap, [topic], monitor)


def _create_with_own_times(lab: Lab, topic: str) -> None:
    admin = open_admin(lab.bootstrap, user_settings("admin", lab.folder))
    configs = {"message.timestamp.type": "CreateTime"}
    wanted = {"num_partitions": 2, "replication_factor": 1, "configs": configs}
    admin.create_topics({topic: wanted}, wait_for_metadata=True)
    admin.close()
