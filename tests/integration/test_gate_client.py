"""Agents that ask a gate before each call: what runs, what is recorded, and in which order."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from interlock import (
    Client,
    ClientOptions,
    Denied,
    NoGate,
    SettingError,
    guard,
    guarded,
)
from interlock.adapters.running import Conversations
from tests.support.agents_gate import AgentsGate
from tests.support.faulty_line import FaultyLine
from tests.support.gated import QUICK, in_background, kinds


@pytest.fixture
def client(gate: AgentsGate) -> Iterator[Client]:
    with Client(gate=gate.address, options=QUICK, agent="bot", user="u") as client:
        yield client


def test_a_call_is_asked_made_and_told(gate: AgentsGate, client: Client) -> None:
    """In this order, under one call id, with the names of the session stated once."""
    seen_before: list[list[str]] = []

    def fetch(url: str) -> str:
        seen_before.append(kinds(gate))
        return f"<{url}>"

    with client.session(gate.id("s1")) as session:
        session.user_message("hello")
        assert session.call("http.get", fetch, url="ü") == "<ü>"
    assert client.flush(10)
    assert seen_before == [["session.started", "message.user", "tool.requested"]]
    started, _, requested, completed, _ = gate.log()
    assert (started["agent"], started["user"]) == ("bot", "u")
    assert requested["args"] == completed["args"] == {"url": "ü"}
    assert requested["call"] == completed["call"]
    assert completed["result"] == "<ü>"
    assert kinds(gate)[3:] == ["tool.completed", "session.ended"]
    assert client.stats().asked == 1


def test_an_id_that_another_process_has_used_is_replaced(gate: AgentsGate) -> None:
    """A framework that resumes elsewhere repeats the ids: each call is judged, by its own id.
    Two calls of a program with one id remain a mistake of the program.
    """
    told = []
    for _ in range(2):
        with Client(gate=gate.address, options=QUICK) as client:
            with Conversations(client).of(gate.id("s1")).call("read", {"x": 1}, "c1") as call:
                told.append(call.id)
            assert client.flush(10)
    assert told[0] == "c1" and told[1].startswith("c1~")
    done = [r["call"] for r in gate.log() if r["kind"] == "tool.completed"]
    assert done == [r["call"] for r in gate.log() if r["kind"] == "tool.requested"] == told
    with Client(gate=gate.address, options=QUICK) as client:
        own = client.session(gate.id("s1"), is_resumable=True).tool("read", x=1).with_id("c1")
        with pytest.raises(NoGate, match="asked for before"):
            own.begin()


def test_a_denied_call_is_not_made(gate: AgentsGate, client: Client) -> None:
    """The error is the sentence for the model; the gate itself has recorded the denial."""
    with client.session(gate.id("s1")) as session:
        with pytest.raises(Denied) as denied:
            session.call("delete", pytest.fail, path="/x")
        assert session.call("read", lambda: 1) == 1
    told = str(denied.value)
    assert told.startswith("This call was refused before it ran: nothing is deleted.")
    assert denied.value.invariants == ("nothing-deleted",)
    assert denied.value.state == "denied"
    assert denied.value.incident.startswith("i-")
    assert client.flush(10)
    assert kinds(gate)[1:3] == ["tool.denied", "tool.requested"]


def test_each_form_of_a_call_asks_once(gate: AgentsGate, client: Client) -> None:
    """Blocks, decorators, `async` functions and generators of both sorts."""
    session = client.session(gate.id("s1"))

    @session.tool_call("decorated")
    def decorated(n: int, *more: int, flag: bool = False) -> int:
        return n

    @guarded(lambda: session, "lazy")
    async def lazy(n: int) -> int:
        return n

    @session.tool_call("counted")
    def counted(n: int) -> Iterator[int]:
        yield from range(n)

    @session.tool_call("counted_async")
    async def counted_async(n: int) -> AsyncIterator[int]:
        for i in range(n):
            yield i

    async def plain(n: int) -> int:
        return n

    async def main() -> None:
        assert await lazy(2) == 2
        assert await session.call_async("call_async", plain, n=3) == 3
        assert await session.call("call", plain, n=4) == 4
        async with session.tool("block_async", n=5) as call:
            call.result = 5
        assert [i async for i in counted_async(2)] == [0, 1]

    assert decorated(1, 2) == 1
    asyncio.run(main())
    with session.tool("block", n=6).with_id("model-1") as call:
        call.result = 6
    assert list(counted(2)) == [0, 1]
    assert client.flush(10)
    requested = [e["tool"] for e in gate.log() if e["kind"] == "tool.requested"]
    completed = [e["tool"] for e in gate.log() if e["kind"] == "tool.completed"]
    assert requested == completed == [
        "decorated", "lazy", "call_async", "call", "block_async", "counted_async", "block",
        "counted",
    ]  # fmt: skip
    assert next(e for e in gate.log() if e.get("tool") == "block")["call"] == "model-1"


FATES = ("lose request", "lose answer", "cut answer")


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/ask", "/v1/tell"])
def test_a_lost_request_or_answer_changes_nothing(
    gate: AgentsGate, tmp_path: Path, path: str, fate: str
) -> None:
    """The tool runs once, and the gate records each event once, in order."""
    faults = itertools.cycle([fate, fate, "pass"])
    line = FaultyLine(
        tmp_path / "line.sock", gate.path, lambda told: next(faults) if path in told else "pass"
    )
    ran: list[int] = []
    with (
        Client(gate=line.address, options=QUICK) as client,
        client.session(gate.id("s1")) as session,
    ):
        for n in range(3):
            session.call("count", lambda n: ran.append(n), n=n)
            session.assistant_message(str(n))
    line.close()
    assert ran == [0, 1, 2]
    one = ["tool.requested", "tool.completed", "message.assistant"]
    assert kinds(gate) == ["session.started", *one * 3, "session.ended"]
    assert [e["args"]["n"] for e in gate.log() if e["kind"] == "tool.requested"] == ran
    assert client.stats().dropped == {}


def test_events_of_parallel_sessions_each_keep_their_order(
    gate: AgentsGate, client: Client
) -> None:
    """An ask comes after all that its own session told before, whatever the others do."""

    def agent(name: str) -> None:
        with client.session(gate.id(name)) as session:
            for n in range(20):
                session.assistant_message(str(n))
                session.call("t", lambda n: n, n=n)

    threads = [threading.Thread(target=agent, args=(f"s{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.flush(10)
    one = ["message.assistant", "tool.requested", "tool.completed"]
    for i in range(8):
        told = [e for e in gate.log() if e["session"] == gate.id(f"s{i}")]
        assert [e["kind"] for e in told] == ["session.started", *one * 20, "session.ended"]
        assert [int(e["text"]) for e in told if "text" in e] == list(range(20))


def test_parallel_calls_of_one_session_are_each_asked(gate: AgentsGate, client: Client) -> None:
    """One answer for each call."""
    session = client.session(gate.id("s1"))
    works = [in_background(lambda n=n: session.call("t", lambda n: n, n=n)) for n in range(16)]
    for thread, _ in works:
        thread.join(30)
    assert [results for _, results in works] == [[n] for n in range(16)]
    assert client.flush(10)
    assert kinds(gate).count("tool.requested") == kinds(gate).count("tool.completed") == 16


def test_without_a_gate_no_call_is_made(tmp_path: Path) -> None:
    """The refusal names the address and what can be done; once it is known, it comes at once."""
    options = ClientOptions(ask_s_max=0.3)
    with Client(gate=f"unix:{tmp_path}/away.sock", options=options) as client:
        session = client.session("s1")
        for _ in range(2):
            with pytest.raises(NoGate, match=r"away\.sock.*start the gate"):
                session.call("t", pytest.fail)
        assert client.stats().unanswered == 2
        client.close(0)


def test_an_agent_may_continue_without_a_gate_and_tells_it_later(
    gate: AgentsGate, tmp_path: Path
) -> None:
    """But not for irreversible tools. The gate learns of the calls when it is back."""
    gate.stop()
    options = ClientOptions(ask_s_max=0.3, fail="open", irreversible_tools=["pay"])
    with Client(gate=gate.address, options=options) as client:
        session = client.session(gate.id("s1"))
        assert session.call("t", lambda: 1) == 1
        with pytest.raises(NoGate):
            session.call("pay", pytest.fail)
        gate.start()
        assert client.flush(30)
        assert session.call("t", lambda: 2) == 2
        assert client.stats().unasked == 1
    unasked, completed, asked, *_ = gate.log()[1:]
    assert unasked["kind"] == "tool.requested"
    assert unasked["attributes"] == {"interlock_unasked": True}
    assert completed["call"] == unasked["call"]
    assert asked["gate"]["request"]


def test_a_session_that_the_gate_does_not_know_in_full_makes_no_calls(
    gate: AgentsGate, client: Client
) -> None:
    """An event that was refused could have been the one that matters; others are still told."""
    session = client.session(gate.id("s1"))
    session.emit("note.first")
    session.publish("control.applied")  # Which `emit` would not.
    session.emit("note.last")
    assert client.flush(10)
    with pytest.raises(NoGate, match=r"did not reach the gate.*control\.applied.*new session"):
        session.call("t", pytest.fail)
    assert kinds(gate) == ["session.started", "note.first", "note.last"]
    assert client.stats().dropped == {"other": 1}
    assert client.session(gate.id("s2")).call("t", lambda: 1) == 1


def test_names_of_a_session_cannot_change(gate: AgentsGate, client: Client) -> None:
    """Another user's session is not continued: nothing is asked in it."""
    client.session(gate.id("s1")).call("t", lambda: 1)
    other = Client(gate=gate.address, options=QUICK, user="mallory")
    with other, pytest.raises(NoGate, match="cannot change"):
        other.session(gate.id("s1")).call("t", pytest.fail)


def test_a_session_is_resumed_by_its_id(gate: AgentsGate) -> None:
    """By a client that ends before the session does, as in a queue's workers."""
    for n in range(3):
        client = Client(gate=gate.address, options=QUICK)
        with client, client.session(gate.id("run-1"), is_resumable=True) as session:
            session.call("t", lambda n: n, n=n)
            if n == 2:
                session.end()
    one = ["tool.requested", "tool.completed"]
    assert kinds(gate) == ["session.started", *one * 3, "session.ended"]


def test_what_only_a_target_can_do_is_refused(gate: AgentsGate, client: Client) -> None:
    """Loudly: a guard that decides nothing would be believed."""
    session = client.session(gate.id("s1"))
    with pytest.raises(SettingError, match="judges a call by its arguments"):
        guard(session, "t")
    with pytest.raises(SettingError, match="the gate itself records"):
        session.emit("tool.requested", tool="t")
    with pytest.raises(SettingError, match="publish recorded events to a target"):
        client.publish_recorded({"session": "a", "seq": 0, "ts": 0, "kind": "x"})
    session.user_message("hi")
    assert client.wait_until_judged(10)
    assert kinds(gate) == ["session.started", "message.user"]
