"""Operators who decide by topics: the gate checks as over HTTP, and its log has the approval."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.gate.topic_rulings import ruling_on
from monitor.gate.wire import HeldCall
from monitor.topics import APPROVALS, CLAIMS
from tests.conftest import require_or_skip
from tests.support.gate_served import ServedGate
from tests.support.kafka_broker import CHECKOUT, Broker, start_broker, why_not_available
from tests.support.kafka_topics import publish_all
from tests.support.monitor_process import ENTRY, LOOK_EVERY_S, PATIENCE_S

pytestmark = pytest.mark.kafka
OPERATORS = ("op1", "op2", "a", "nobody")
RULES = "    approvals: {roles: [approver], approvers: 1, expires: 1h}\n"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    reason = why_not_available()
    if reason is not None:
        require_or_skip("kafka", reason)
    broker = start_broker(tmp_path_factory.mktemp("kafka"))
    init(broker, ",".join(OPERATORS))
    yield broker
    broker.stop()


def init(broker: Broker, operators: str, code: int = 0) -> str:
    """`interlock kafka init`; what it prints."""
    command = [*ENTRY, "kafka", "init", "--bootstrap", broker.bootstrap, "--partitions", "2"]
    command += ["--replication-factor", "1", "--operators", operators]
    done = subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_topics_of_operators_are_created_by_name(broker: Broker) -> None:
    """Beside the usual ones; a name that a topic cannot have is refused."""
    told = init(broker, "op1")
    assert f"{APPROVALS}.op1: exists" in told
    assert f"{CLAIMS}: exists" in told
    assert "cannot be a part of a topic's name" in init(broker, "op1,a/b", code=2)


class Place:
    """A gate that publishes to Kafka. `a` asks; `op1` and `op2` may approve."""

    def __init__(self, folder: Path, broker: Broker, approvers: int = 1) -> None:
        self.broker, self.id = broker, folder.name
        publish = f"kafka://{broker.bootstrap}"
        self.gate = ServedGate(folder, tokens=("a", "op1", "op2"), publish=publish)
        file = folder / "principals.yaml"
        text = file.read_text()
        rules = RULES.replace("approvers: 1", f"approvers: {approvers}")
        file.write_text(text[: text.index("    approvals:")] + rules)
        self.gate.start()

    def hold(self, name: str) -> HeldCall:
        """A call of `a` that waits."""
        session = f"{self.id}-{name}"
        answer = self.gate.ask(session, "pay", token="a", args={"amount": 5}, request="r1")
        assert answer.content["decision"] == "hold", answer
        path = f"/v1/approvals/{answer.content['approval']['id']}"
        page = self.gate.send("GET", path, token="op1")
        return msgspec.json.decode(json.dumps(page.content["approval"]), type=HeldCall)

    def publish(self, operator: str, *rulings: Any) -> None:
        lines = [("x", msgspec.json.encode(one)) for one in rulings]
        publish_all(self.broker.bootstrap, f"{APPROVALS}.{operator}", lines)

    def answer(self, held: HeldCall) -> Any:
        path = f"/v1/answers?session={held.session}&request={held.request}"
        return self.gate.send("GET", path, token="a").content

    def wait(self, held: HeldCall) -> Any:
        """The answer, once it is no longer `hold`."""
        deadline = time.monotonic() + PATIENCE_S
        while (answer := self.answer(held))["decision"] == "hold":
            assert time.monotonic() < deadline, self.gate.told()
            time.sleep(LOOK_EVERY_S)
        return answer

    def until_told(self, text: str) -> None:
        """Wait until the gate has logged a text."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.gate.told():
            assert time.monotonic() < deadline, self.gate.told()
            time.sleep(LOOK_EVERY_S)

    def run(self, *arguments: str, code: int = 0) -> str:
        """`interlock approvals` over Kafka; what it prints."""
        command = [*ENTRY, "approvals", *arguments, "--gate", f"kafka://{self.broker.bootstrap}"]
        done = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def place(broker: Broker, tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / f"g{time.time_ns()}", broker)
    yield place
    place.gate.end()


def test_a_decision_counts_if_it_names_the_call_and_comes_from_an_operator(place: Place) -> None:
    """Everything else is refused, with a reason, and the call goes on waiting."""
    held, other = place.hold("1"), place.hold("2")
    wrong = [
        {**msgspec.to_builtins(ruling_on(held, "grant", "")), name: value}
        for name, value in (
            ("principal", "b"),
            ("session", other.session),
            ("call", "c-9"),
            ("args_digest", other.args_digest[::-1]),
        )
    ]
    place.publish("op1", *wrong, {"approval": held.id}, ruling_on(held, "deny", "x" * 501))
    place.publish("a", ruling_on(held, "grant", "my own"))
    place.publish("nobody", ruling_on(held, "grant", ""))
    place.until_told("`reason`: at most")
    text = place.gate.told()
    assert text.count("the decision names another call") == len(wrong)
    assert text.count("gate_ruling_unreadable") == 1
    place.publish("op2", ruling_on(other, "deny", "no"))
    assert place.wait(other)["decision"] == "deny"
    while place.gate.told().count("only a principal with a role that may approve") < 2:
        time.sleep(LOOK_EVERY_S)
    assert place.answer(held)["decision"] == "hold"
    place.publish("op1", ruling_on(held, "grant", "as agreed"))
    assert place.wait(held)["decision"] == "allow"
    (granted,) = [r for r in place.gate.records() if r["kind"] == "approval.granted"]
    assert granted["attributes"] == {
        "approval": held.id,
        "approver": "op1",
        "approvers": ["op1"],
        "reason": "as agreed",
    }
    place.gate.kill()
    place.gate.start()
    again = place.hold("3")
    place.publish("op1", ruling_on(again, "grant", ""))
    assert place.wait(again)["decision"] == "allow"
    granted = [r for r in place.gate.records() if r["kind"] == "approval.granted"]
    assert len(granted) == 2, "what was decided before is read again, and means nothing"


def test_a_decision_that_came_while_no_gate_ran_counts(place: Place) -> None:
    """The gate reads the topics from their beginnings."""
    held = place.hold("1")
    place.gate.kill()
    place.publish("op1", ruling_on(held, "grant", ""))
    place.gate.start()
    assert place.wait(held)["decision"] == "allow"


def test_two_operators_decide_by_their_topics(broker: Broker, tmp_path: Path) -> None:
    """Four eyes: the same operator twice is one."""
    place = Place(tmp_path / f"g{time.time_ns()}", broker, approvers=2)
    try:
        held = place.hold("1")
        place.publish("op1", *[ruling_on(held, "grant", "")] * 2)
        place.until_told("you have granted it already")
        assert place.answer(held)["decision"] == "hold"
        shown = place.run("show", held.id)
        assert "granted by op1 (1 of 2)" in shown
        assert "granted: the agent may" in place.run("grant", held.id, "--operator", "op2")
        assert place.answer(held)["decision"] == "allow"
    finally:
        place.gate.end()


def test_the_command_lists_shows_grants_and_denies(place: Place) -> None:
    """As over HTTP; its refusals say what to do."""
    held, other = place.hold("1"), place.hold("2")
    deadline = time.monotonic() + PATIENCE_S
    while not {held.id, other.id} <= {
        one["id"] for one in json.loads(place.run("list", "--output", "json"))["approvals"]
    }:
        assert time.monotonic() < deadline
    page = json.loads(place.run("show", held.id, "--output", "json"))
    assert page["approval"]["args"] == {"amount": 5}
    assert page["recent"][-1]["kind"] == "approval.requested"
    told = place.run("deny", held.id, "--operator", "op1", "--reason", "no")
    assert "denied: the agent reads" in told
    assert place.answer(held)["decision"] == "deny"
    assert "granted: the agent may" in place.run("grant", other.id, "--operator", "op2")
    assert place.answer(other)["decision"] == "allow"
    assert "no call waits" in place.run("grant", other.id, "--operator", "op2", code=2)
    last = place.hold("3")
    deadline = time.monotonic() + PATIENCE_S
    while last.id not in place.run("list"):
        assert time.monotonic() < deadline
    assert "--operator NAME" in place.run("grant", last.id, code=2)
    assert "a topic cannot have this name" in place.run("list", "--operator", "a/b", code=2)
