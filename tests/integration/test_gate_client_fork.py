"""Processes that share the sessions of a gate: forks, workers, and ends of processes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import pytest

from interlock import Client, ClientOptions
from tests.support.agents_gate import AgentsGate

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

PROGRAM = """
import sys
from interlock import Client
client = Client(gate=sys.argv[1])
session = client.session(sys.argv[2], is_resumable=True)
session.call("t", lambda: None)
session.user_message("last")
"""


def test_a_forked_child_continues_the_session(gate: AgentsGate) -> None:
    """Under its id, after all that was told before the fork, and without ending it."""
    client = Client(gate=gate.address, options=ClientOptions(block_ms_max=30_000))
    with client.session(gate.id("s1")) as session:
        for n in range(50):
            session.assistant_message(str(n))
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                session.call("in.child", lambda: None)
                client.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        session.call("in.parent", lambda: None)
    client.close()
    told = [event.get("tool", event["kind"]) for event in gate.log()]
    assert told == [
        "session.started", *["message.assistant"] * 50, "in.child", "in.child", "in.parent",
        "in.parent", "session.ended",
    ]  # fmt: skip


def in_worker(address: str, session: str, n: int) -> None:
    client = Client(gate=address)
    client.session(session, is_resumable=True).call("t", lambda n: n, n=n)


def test_workers_share_a_session_and_deliver_before_they_end(gate: AgentsGate) -> None:
    """`multiprocessing` ends its children without the end of an interpreter."""
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=in_worker, args=(gate.address, gate.id("s1"), n)) for n in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    told = [event["kind"] for event in gate.log()]
    assert sorted(told) == sorted(["session.started", *["tool.requested", "tool.completed"] * 4])


def test_a_program_that_ends_delivers_and_leaves_the_session_open(gate: AgentsGate) -> None:
    """A hook is a process for each call."""
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-c", PROGRAM, gate.address, gate.id("s1")], check=True, timeout=60
        )
    one = ["tool.requested", "tool.completed", "message.user"]
    assert [event["kind"] for event in gate.log()] == ["session.started", *one * 2]
