"""A gate that is killed, and a network that loses half of everything: each call is made once, and
is in the log once, in the order of its agent.
"""

from __future__ import annotations

import contextlib
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from interlock import Client, ClientOptions, Denied
from tests.support.agents_gate import AgentsGate
from tests.support.faulty_line import FaultyLine

PATIENT = ClientOptions(ask_s_max=120, linger_ms=0)
FATES = ("lose request", "lose answer", "cut answer")


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/ask", "/v1/tell"])
def test_a_gate_that_is_killed_after_it_recorded_gives_the_same_answer(
    gate: AgentsGate, tmp_path: Path, path: str
) -> None:
    """Its answer is lost with it. The client asks the gate that comes after."""
    alive = [gate]

    def kill(line: str) -> str | None:
        if path not in line or not alive:
            return None
        alive.pop().kill()
        gate.start()
        return "lose answer"

    line = FaultyLine(tmp_path / "line.sock", gate.path, lambda _: "pass", kill)
    ran: list[int] = []
    client = Client(gate=line.address, options=PATIENT)
    with client, client.session(gate.id("s1")) as session:
        for n in range(2):
            session.call("count", lambda n: ran.append(n), n=n)
    line.close()
    assert not alive
    assert ran == [0, 1]
    one = ["tool.requested", "tool.completed"]
    assert [e["kind"] for e in gate.log()] == ["session.started", *one * 2, "session.ended"]


AGENTS = 4
CALLS = 12
KILLS = 3


@pytest.mark.parametrize("seed", [1, 2])
def test_parallel_agents_of_a_faulty_network_and_a_killed_gate(
    gate: AgentsGate, tmp_path: Path, seed: int
) -> None:
    """What ran was asked before, once; what was denied did not run; each event is there once."""
    chance = random.Random(seed)
    line = FaultyLine(
        tmp_path / "line.sock",
        gate.path,
        lambda _: "pass" if chance.random() < 0.7 else chance.choice(FATES),
    )
    ran: dict[str, list[int]] = {gate.id(f"s{i}"): [] for i in range(AGENTS)}
    client = Client(gate=line.address, options=PATIENT)

    def agent(name: str) -> None:
        with client.session(name) as session:
            for n in range(CALLS):
                session.assistant_message(str(n))
                tool = "delete" if n % 4 == 3 else "count"
                with contextlib.suppress(Denied):
                    session.call(tool, lambda n: ran[name].append(n), n=n)

    threads = [threading.Thread(target=agent, args=(name,)) for name in ran]
    for thread in threads:
        thread.start()
    for done in range(1, KILLS + 1):
        while sum(map(len, ran.values())) < done * AGENTS:
            threading.Event().wait(0.01)
        gate.kill()
        gate.start()
    for thread in threads:
        thread.join()
    assert client.flush(120)
    client.close()
    line.close()
    for name, numbers in ran.items():
        check([event for event in gate.log() if event["session"] == name], numbers)


def check(told: list[dict[str, Any]], ran: list[int]) -> None:
    """The whole session of one agent, in its order."""
    expected: list[tuple[str, object]] = [("session.started", None)]
    for n in range(CALLS):
        expected.append(("message.assistant", str(n)))
        if n % 4 == 3:
            expected.append(("tool.denied", n))
        else:
            expected += [("tool.requested", n), ("tool.completed", n)]
    expected.append(("session.ended", None))
    found = [(e["kind"], e.get("text", e.get("args", {}).get("n"))) for e in told]
    assert [one for one in found if one[0] != "heartbeat"] == expected
    assert [e["seq"] for e in told] == list(range(len(told)))
    assert ran == [n for n in range(CALLS) if n % 4 != 3]
