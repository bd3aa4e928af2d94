"""Calls that wait for an approval: granted, refused, edited, given up, cancelled, interrupted."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock import Client, ClientOptions, Denied, Held, NoGate, Refused, SessionOver
from tests.support.agents_gate import AgentsGate
from tests.support.faulty_line import FaultyLine
from tests.support.gated import QUICK, held, in_background, kinds


@pytest.fixture
def client(gate: AgentsGate) -> Iterator[Client]:
    with Client(gate=gate.address, options=QUICK, agent="bot", user="u") as client:
        yield client


def test_a_held_call_waits_for_its_approval(gate: AgentsGate, client: Client) -> None:
    """It is made when an operator has granted it, and not before."""
    session = client.session(gate.id("s1"))
    thread, results = in_background(lambda: session.call("pay", lambda amount: amount, amount=3))
    request = held(gate)
    assert not results
    gate.rule(request, "grant")
    thread.join(30)
    assert results == [3]
    assert client.flush(10)
    assert kinds(gate)[1:] == [
        "approval.requested", "approval.granted", "tool.requested", "tool.completed",
    ]  # fmt: skip


def test_a_held_call_that_is_refused_or_forgotten_is_not_made(gate: AgentsGate) -> None:
    """A refusal is a denial; without an answer the call is withdrawn, and no operator sees it."""
    options = ClientOptions(hold_s_max=0)
    with Client(gate=gate.address, options=options) as hasty, pytest.raises(Held) as given_up:
        hasty.session(gate.id("hasty")).call("pay", pytest.fail)
    assert given_up.value.approval.startswith("a-")
    told = ["approval.requested", "approval.denied", "tool.denied"]
    assert kinds(gate)[1:4] == told and "tool.failed" not in kinds(gate)
    assert not gate.held()
    with Client(gate=gate.address, options=QUICK) as client:
        session = client.session(gate.id("s1"))
        thread, results = in_background(lambda: session.call("pay", pytest.fail))
        gate.rule(held(gate), "deny")
        thread.join(30)
    assert isinstance(results[0], Denied)
    assert str(results[0]).startswith("This call was refused before it ran")


def deferred(client: Client, session: str, amount: int = 3) -> object:
    """The call `c1`, made by a process that does not wait for approvals."""
    call = client.session(session, is_resumable=True).tool("pay", amount=amount).with_id("c1")
    call.is_deferred = True
    return call.run(lambda amount: amount)


def test_a_deferred_call_is_made_again_when_it_is_decided(gate: AgentsGate) -> None:
    """By another client, with the arguments that were approved, and once."""
    approvals = set()
    for _ in range(2):
        with Client(gate=gate.address, options=QUICK) as client, pytest.raises(Held) as waits:
            deferred(client, gate.id("s1"))
        assert "is not yet given" in str(waits.value)
        approvals.add(waits.value.approval)
    assert len(approvals) == 1
    (waiting,) = gate.held()
    with Client(gate=gate.address, options=QUICK) as client, pytest.raises(NoGate):
        deferred(client, gate.id("s1"), amount=4)  # No approval is one of other arguments.
    gate.rule(waiting, "grant", {"amount": 1})
    with Client(gate=gate.address, options=QUICK) as client:
        assert deferred(client, gate.id("s1")) == 1
        with pytest.raises(Refused):
            deferred(client, gate.id("s1"))
        assert client.flush(10)
    with Client(gate=gate.address, options=QUICK) as client:
        with pytest.raises(Refused, match="has ended"):
            deferred(client, gate.id("s1"))  # As a process that resumes an old checkpoint.
        assert client.flush(10)
    assert kinds(gate).count("tool.completed") == 1


def test_a_granted_call_is_made_by_one_of_two_processes(gate: AgentsGate) -> None:
    """Both have its answer before either has reported an outcome."""
    with Client(gate=gate.address, options=QUICK) as client, pytest.raises(Held):
        deferred(client, gate.id("s1"))
    gate.rule(held(gate), "grant")
    with (
        Client(gate=gate.address, options=QUICK) as one,
        Client(gate=gate.address, options=QUICK) as other,
    ):
        call = one.session(gate.id("s1"), is_resumable=True).tool("pay", amount=3).with_id("c1")
        call.is_deferred = True
        call.begin()
        with pytest.raises(Refused, match="reported other events"):
            deferred(other, gate.id("s1"))


def test_a_deferred_call_that_is_refused_is_denied(gate: AgentsGate) -> None:
    with Client(gate=gate.address, options=QUICK) as client:
        with pytest.raises(Held):
            deferred(client, gate.id("s1"))
        gate.rule(held(gate), "deny")
        for _ in range(2):
            with pytest.raises(Denied, match="an operator refused it"):
                deferred(client, gate.id("s1"))


@pytest.mark.parametrize(
    ("decision", "edited"), [("grant", None), ("grant", {"amount": 1}), ("deny", None)]
)
def test_an_operator_who_is_as_fast_as_the_end_of_the_wait_decides(
    gate: AgentsGate, tmp_path: Path, decision: str, edited: dict[str, object] | None
) -> None:
    """The answer that the gate has recorded counts: it says that the call was made, or not."""

    def fate(told: str) -> str:
        if "/v1/withdraw" in told:
            gate.rule(held(gate), decision, edited)
        return "pass"

    line = FaultyLine(tmp_path / "line.sock", gate.path, fate)
    options = ClientOptions(hold_s_max=0, ask_s_max=60)
    with Client(gate=line.address, options=options) as client:
        session = client.session(gate.id("s1"))
        if decision == "deny":
            with pytest.raises(Denied, match="an operator refused it"):
                session.call("pay", pytest.fail)
        else:
            assert session.call("pay", lambda amount: amount, amount=3) == (1 if edited else 3)
    line.close()
    made = ["tool.requested", "tool.completed"] if decision == "grant" else ["tool.denied"]
    assert kinds(gate)[3:] == [*made, "session.ended"]


def test_a_withdrawal_without_an_answer_is_reported_as_a_failure(
    gate: AgentsGate, tmp_path: Path
) -> None:
    """The report waits in the queue until it arrives; the gate then withdraws the call."""
    refused = b"HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}"
    line = FaultyLine(
        tmp_path / "line.sock",
        gate.path,
        lambda told: [refused] if "/v1/withdraw" in told else "pass",
    )
    options = ClientOptions(hold_s_max=0, ask_s_max=60)
    with Client(gate=line.address, options=options) as client:
        with pytest.raises(Held):
            client.session(gate.id("s1")).call("pay", pytest.fail)
        assert client.flush(30)
        assert not gate.held()
    line.close()
    told = ["approval.requested", "approval.denied", "tool.denied", "tool.failed"]
    assert kinds(gate)[1:5] == told


def test_a_call_that_was_approved_with_other_arguments_is_made_with_them(
    gate: AgentsGate, client: Client
) -> None:
    """By every form that can receive them; the outcome states them too."""
    session = client.session(gate.id("s1"))
    got: list[object] = []

    class Bank:
        @session.tool_call("pay")
        def pay(self, amount: int, /, to: str = "x", *notes: str, **more: object) -> None:
            got.append((self, amount, to, notes, more))

    bank = Bank()

    def as_a_call() -> None:
        session.call("pay", lambda amount, to: got.append((amount, to)), amount=3, to="x")

    works = [lambda: bank.pay(3, "x", "n", k=1), as_a_call]
    edits: list[dict[str, object]] = [
        {"amount": 1, "to": "y", "notes": ["m"], "k": 2},
        {"amount": 1, "to": "y"},
    ]
    for work, edited in zip(works, edits, strict=True):
        thread, results = in_background(work)
        gate.rule(held(gate), "grant", edited)
        thread.join(30)
        assert results == [None]
    assert got == [(bank, 1, "y", ("m",), {"k": 2}), (1, "y")]
    assert client.flush(10)
    outcomes = [e["args"] for e in gate.log() if e["kind"] == "tool.completed"]
    assert outcomes == edits


def test_a_block_does_not_run_with_arguments_that_nobody_approved(
    gate: AgentsGate, client: Client
) -> None:
    """The code of a block cannot receive others: it is refused, and recorded as not made."""
    session = client.session(gate.id("s1"))

    def block() -> None:
        with session.tool("pay", amount=3):
            pytest.fail("ran")

    thread, results = in_background(block)
    gate.rule(held(gate), "grant", {"amount": 1})
    thread.join(30)
    assert isinstance(results[0], Denied)
    assert client.flush(10)
    assert kinds(gate)[-2:] == ["tool.requested", "tool.failed"]


def test_arguments_that_the_tool_lacks_are_an_error_of_the_call(
    gate: AgentsGate, client: Client
) -> None:
    """Nothing ran, and the outcome says why."""
    session = client.session(gate.id("s1"))
    pay = session.tool_call("pay")(lambda amount: pytest.fail("ran"))
    thread, results = in_background(lambda: pay(3))
    gate.rule(held(gate), "grant", {"amount": 1, "to": "y"})
    thread.join(30)
    assert isinstance(results[0], TypeError)
    assert client.flush(10)
    assert kinds(gate)[-1] == "tool.failed"


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/answers", "/v1/tell"])
def test_a_crowded_gate_is_asked_again(gate: AgentsGate, tmp_path: Path, path: str) -> None:
    """After the pause that it asks for; a held call remains held meanwhile."""
    crowded = b"HTTP/1.1 429 X\r\nContent-Length: 2\r\nRetry-After: 1\r\n\r\n{}"
    answers = iter([[crowded], "pass"])
    line = FaultyLine(
        tmp_path / "line.sock",
        gate.path,
        lambda told: next(answers, "pass") if path in told else "pass",
    )
    with Client(gate=line.address, options=QUICK) as client:
        session = client.session(gate.id("s1"))
        thread, results = in_background(lambda: session.call("pay", lambda: 1))
        gate.rule(held(gate), "grant")
        thread.join(30)
    line.close()
    assert results == [1]
    assert kinds(gate).count("tool.requested") == kinds(gate).count("tool.completed") == 1


def test_an_interrupted_call_is_recorded_as_not_made(gate: AgentsGate, client: Client) -> None:
    """Ctrl-C while it waits for an approval, which cannot come any more."""
    session = client.session(gate.id("s1"))

    def interrupt() -> None:
        held(gate)
        os.kill(os.getpid(), signal.SIGINT)

    # A process that a shell started in the background ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread, _ = in_background(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            session.call("pay", pytest.fail)
    finally:
        signal.signal(signal.SIGINT, before)
    thread.join(30)
    assert client.flush(10)
    assert not gate.held(), "a grant would be for a call that nobody makes"
    assert kinds(gate)[-3:] == ["approval.denied", "tool.denied", "tool.failed"]
    failed = next(event for event in gate.log() if event["kind"] == "tool.failed")
    assert failed["error"] == "KeyboardInterrupt: the call was not made"


def test_a_closed_client_makes_no_calls(gate: AgentsGate, client: Client) -> None:
    """Also if it is closed while a call waits for an approval."""
    session = client.session(gate.id("s1"))
    thread, results = in_background(lambda: session.call("pay", pytest.fail))
    held(gate)
    client.close()
    thread.join(30)
    assert isinstance(results[0], SessionOver)
    with pytest.raises(SessionOver):
        session.call("t", pytest.fail)
    assert kinds(gate)[-3:] == ["approval.denied", "tool.denied", "session.ended"]


def test_waiting_for_an_approval_blocks_no_other_task(gate: AgentsGate, client: Client) -> None:
    """Neither the loop, nor the threads that other code gives to it."""
    session = client.session(gate.id("s1"))
    waiting_count = 40

    async def pay(n: int) -> int:
        return n

    async def main() -> list[int]:
        calls = [
            asyncio.ensure_future(session.call_async("pay", pay, n=n)) for n in range(waiting_count)
        ]
        while len(gate.held()) < waiting_count:
            await asyncio.to_thread(lambda: None)
        for request in gate.held():
            await asyncio.to_thread(gate.rule, request, "grant")
        return await asyncio.gather(*calls)

    assert asyncio.run(main()) == list(range(waiting_count))


def test_a_cancelled_call_is_not_made_and_recorded_so(gate: AgentsGate, client: Client) -> None:
    """The gate withdraws it at once: a grant would be for a call that nobody makes."""
    session = client.session(gate.id("s1"))

    async def pay() -> None:
        pytest.fail("ran")

    async def main() -> None:
        call = asyncio.ensure_future(session.call_async("pay", pay))
        while not gate.held():
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        while gate.held():
            await asyncio.sleep(0)

    asyncio.run(main())
    assert client.flush(30)
    assert kinds(gate)[-3:] == ["approval.denied", "tool.denied", "tool.failed"]
    assert gate.log()[-1]["error"] == "CancelledError: the call was not made"
