"""`interlock mcp-proxy` on standard input and output, with a server that is not strict."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.support.agents_gate import AgentsGate
from tests.support.kafka_broker import CHECKOUT
from tests.support.monitor_process import ENTRY, LOOK_EVERY_S, PATIENCE_S

SERVER = CHECKOUT / "tests" / "support" / "mcp_stdio_server.py"


class Proxied:
    """The proxy as a process, and a client that sends bytes."""

    def __init__(self, folder: Path, gate: str, *more: str, token: str = "") -> None:
        self.log = folder / "arrived"
        self.errors = folder / "errors"
        command = [*ENTRY, "mcp-proxy", "--gate", gate, *more]
        command += ["--", sys.executable, str(SERVER), str(self.log)]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env={**os.environ, "INTERLOCK_GATE_TOKEN": token},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Whatever became of it."""
        if self.process.poll() is None:
            self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate(timeout=PATIENCE_S)

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def call(self, id_: Any, tool: str = "search", **args: Any) -> bytes:
        params = {"name": tool, "arguments": args}
        message = {"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": params}
        line = json.dumps(message).encode()
        self.send(line)
        return line

    def read(self) -> Any:
        """The next message to the client; None at the end."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def arrived(self) -> list[bytes]:
        return self.log.read_bytes().splitlines() if self.log.exists() else []

    def end(self) -> int:
        """The client leaves; the exit code."""
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode


@pytest.fixture
def proxied(gate: AgentsGate, tmp_path: Path) -> Iterator[Proxied]:
    with Proxied(tmp_path, gate.address, token=gate.token) as found:
        yield found


def text(answer: Any) -> str:
    return str(answer["result"]["content"][0]["text"])


def test_calls_pass_or_are_refused(gate: AgentsGate, proxied: Proxied) -> None:
    """What is allowed arrives as the client's own bytes, and the server does not get the token."""
    first = proxied.call(1, q="é\u2028")
    assert text(proxied.read()) == "none"
    proxied.call(2, "delete")
    refused = proxied.read()
    assert refused["result"]["isError"] and "nothing is deleted" in text(refused)
    assert proxied.arrived() == [first]
    assert proxied.end() == 0
    kinds = [event["kind"] for event in gate.log()]
    assert kinds == [
        "session.started",
        "tool.requested",
        "tool.completed",
        "tool.denied",
        "session.ended",
    ]


def test_hostile_lines_reach_nobody(gate: AgentsGate, proxied: Proxied) -> None:
    """A call that is hidden from the gate, in every way that a line offers."""
    hidden = '{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"delete"}}'
    for line in (
        f"[{hidden}]",
        hidden.replace("tools/call", "Tools/Call"),
        hidden.replace('"method"', '"method":"ping","method"'),
        hidden.replace('"method"', '"method":"ping","METHOD"'),
        hidden.replace('"name"', '"name":"search","Name"'),
        "\ufeff" + hidden,
        hidden + hidden,
        "x" * 17_000_000,
    ):
        proxied.send(line.encode())
        assert "refused by Interlock" in proxied.read()["error"]["message"]
    proxied.send(hidden.replace('"id":9,', "").encode())
    proxied.send(b"")
    proxied.send(
        f'{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":\r{hidden}\r}}}}'.encode()
    )
    assert proxied.read() == {"jsonrpc": "2.0", "id": 1, "result": {}}
    (arrived,) = proxied.arrived()
    assert b"\r" not in arrived
    assert proxied.end() == 0 and gate.log() == []


def test_a_server_that_says_too_much(gate: AgentsGate, proxied: Proxied) -> None:
    """Lines that are no messages are dropped; a result that is there twice is an error."""
    proxied.call(1, "noise")
    assert proxied.read()["id"] == 1
    proxied.call(2, "twice")
    assert "cannot be read" in proxied.read()["error"]["message"]
    proxied.call(3, "flood")
    assert proxied.read() is None
    proxied.process.wait(PATIENCE_S)
    told = proxied.errors.read_text()
    assert told.count("dropped a message of the server") == 2 and "more than" in told
    failed = [event["error"] for event in gate.log() if event["kind"] == "tool.failed"]
    assert len(failed) == 2 and failed[1] == "the connection ended before the result"


def test_the_end_of_the_server_is_the_end(gate: AgentsGate, proxied: Proxied) -> None:
    """With its exit code, and its calls have failed."""
    proxied.call(1, "silent")
    proxied.call(2, "exit")
    assert proxied.read() is None
    assert proxied.process.wait(PATIENCE_S) == 7
    kinds = [event["kind"] for event in gate.log()]
    assert kinds.count("tool.failed") == 2 and kinds[-1] == "session.ended"


def test_the_end_of_the_client_withdraws_held_calls(gate: AgentsGate, proxied: Proxied) -> None:
    """Nobody can grant them any more, and the server is ended."""
    proxied.call(1, "pay")
    proxied.call(2, "search")
    assert proxied.read()["id"] == 2
    proxied.end()
    events = gate.log()
    assert "approval.denied" in [event["kind"] for event in events]
    assert gate.held() == [] and len(proxied.arrived()) == 1


def test_a_signal_ends_both(gate: AgentsGate, proxied: Proxied) -> None:
    """As the client's leaving does."""
    proxied.call(1, "silent")
    while not proxied.arrived():
        time.sleep(LOOK_EVERY_S)
    proxied.process.send_signal(signal.SIGTERM)
    assert proxied.read() is None
    proxied.process.wait(PATIENCE_S)
    assert [event["kind"] for event in gate.log()][-2:] == ["tool.failed", "session.ended"]


def test_a_held_call_is_withdrawn_by_its_client(gate: AgentsGate, proxied: Proxied) -> None:
    proxied.call(1, "pay")
    while not gate.held():
        time.sleep(LOOK_EVERY_S)
    proxied.send(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}')
    while gate.held():
        time.sleep(LOOK_EVERY_S)
    proxied.call(1, "search")
    assert text(proxied.read()) == "none"
    assert len(proxied.arrived()) == 1


def test_without_a_gate_no_call_is_made(tmp_path: Path) -> None:
    """All else passes."""
    with Proxied(tmp_path, f"unix:{tmp_path / 'none'}", "--ask", "0.2") as proxied:
        proxied.call(1)
        refused = proxied.read()
        assert refused["result"]["isError"] and "no gate answered" in text(refused)
        proxied.send(b'{"jsonrpc":"2.0","id":2,"method":"ping"}')
        assert proxied.read()["id"] == 2
        assert len(proxied.arrived()) == 1
        assert proxied.end() == 0


def test_a_shared_session_goes_on(gate: AgentsGate, tmp_path: Path) -> None:
    """Two connections in one session: ids of calls differ, and nobody ends it."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        flags = ("--session", gate.id("run"), "--name", name, "--agent", "bot")
        with Proxied(tmp_path / name, gate.address, *flags, token=gate.token) as proxied:
            proxied.call(1)
            assert text(proxied.read()) == "none"
            assert proxied.end() == 0
    events = gate.log()
    assert {event["session"] for event in events} == {gate.id("run")}
    asked = [event for event in events if event["kind"] == "tool.requested"]
    assert [event["tool"] for event in asked] == ["mcp__a__search", "mcp__b__search"]
    assert len({event["call"] for event in asked}) == 2
    assert "session.ended" not in {event["kind"] for event in events}


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--gate", "unix:g"], "give `-- COMMAND`"),
        (["--gate", "unix:g", "--to", "http://h/mcp"], "give `-- COMMAND`"),
        (["--gate", "unix:g", "--to", "http://h/mcp", "--", "x"], "give `-- COMMAND`"),
        (["--gate", "unix:g", "--listen", "127.0.0.1:0", "--", "x"], "give `-- COMMAND`"),
        (["--gate", "unix:g", "--listen", "0.0.0.0:1", "--to", "http://h/"], "loopback"),
        (["--gate", "unix:g", "--listen", "127.0.0.1:1", "--to", "file:///x"], "`--to`"),
        (["--gate", "unix:g", "--name", "a__b", "--", "x"], "`--name`"),
        (["--gate", "gate.sock", "--", "x"], "gate"),
        (["--gate", "unix:g", "--session", "a b", "--", "x"], "session id"),
        (["--gate", "unix:g", "--hold", "-1", "--", "x"], "hold_s_max"),
    ],
)
def test_faulty_flags_are_refused(flags: list[str], reason: str) -> None:
    """In one line, before anything is started; the client's own command does the same."""
    for command in ([*ENTRY, "mcp-proxy"], [sys.executable, "-m", "interlock.mcp_proxy"]):
        done = subprocess.run(
            [*command, *flags], cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2 and done.stdout == ""
        assert reason in done.stderr and done.stderr.count("\n") == 1, done.stderr
