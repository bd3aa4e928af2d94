"""The proxy of MCP on standard input and output: its streams and its gate are the test's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from interlock.mcp_proxy import asked_calls, stdio
from interlock.mcp_proxy.relay import Relay
from interlock.mcp_proxy.tools import Tools
from tests.support.kafka_broker import CHECKOUT
from tests.support.mcp_http import Decided, call

SERVER = CHECKOUT / "tests" / "support" / "mcp_stdio_server.py"
PATIENCE_S = 60
CANCEL = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}


class Side:
    """The client: what it sends, and what it got, each with the log as it was then."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()
        self.got: asyncio.Queue[tuple[Any, list[Any]]] = asyncio.Queue()
        self.log: list[Any] = []
        self.calls = Decided(self.log)
        self.is_gone = False

    async def read(self) -> bytes:
        return await self.sent.get()

    async def write(self, message: bytes) -> None:
        if self.is_gone:
            raise BrokenPipeError
        self.got.put_nowait((json.loads(message), list(self.log)))

    def send(self, content: Any) -> None:
        self.sent.put_nowait(json.dumps(content).encode() + b"\n")


@contextlib.asynccontextmanager
async def proxied(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Side]:
    """A client whose server notes in `folder` what arrives."""
    side = Side()
    patch.setattr(stdio, "Input", lambda: side)
    patch.setattr(stdio, "Output", lambda: side)
    command = [sys.executable, str(SERVER), str(folder / "arrived")]
    running = asyncio.create_task(
        stdio.run_server(
            command,
            side.calls,
            Relay(Tools("")),
            side.log.append,
            asyncio.Event(),  # type: ignore[arg-type]
        )
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield side
    finally:
        side.sent.put_nowait(b"")
        code = await asyncio.wait_for(running, PATIENCE_S)
    assert code == 0


def arrived(folder: Path) -> list[Any]:
    file = folder / "arrived"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_an_outcome_is_reported_before_the_client_reads_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the next call is judged with it; that of a cancelled call is reported, too."""

    async def run() -> None:
        async with proxied(tmp_path, monkeypatch) as side:
            side.send(call())
            got, log = await side.got.get()
            assert got["id"] == 1 and log[-1] == ("ended", 1, "completed")
            silent = call()
            silent["params"]["name"] = "silent"
            side.send(silent)
            while len(arrived(tmp_path)) < 2:
                await asyncio.sleep(0.01)
            side.send(CANCEL)
            side.send(call(2))
            _, log = await side.got.get()
            assert ("ended", 1, "cancelled by the client") in log

    asyncio.run(run())
    assert [one.get("id") for one in arrived(tmp_path)] == [1, 1, None, 2]


def test_a_refused_call_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with proxied(tmp_path, monkeypatch) as side:
            side.calls.decision = "no payments"
            side.send(call())
            got, log = await side.got.get()
            assert got["result"]["content"][0]["text"] == "no payments"
            assert log == [("asked", "pay", {"amount": 1})]

    asyncio.run(run())
    assert arrived(tmp_path) == []


def test_a_client_that_follows_progress_gets_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its call waits; others get none."""

    async def run() -> None:
        async with proxied(tmp_path, monkeypatch) as side:
            monkeypatch.setattr(asked_calls, "SIGN_S", 0.01)
            side.calls.gate.clear()
            side.send(call(1))
            follows = call(2)
            follows["params"]["_meta"] = {"progressToken": "t"}
            side.send(follows)
            for step in (1, 2, 3):
                got, _ = await side.got.get()
                assert got["params"]["progressToken"] == "t"
                assert got["params"]["progress"] == step / 1000
            assert arrived(tmp_path) == []
            side.calls.gate.set()

    asyncio.run(run())


def test_a_withdrawn_call_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the gate says later, and its id is free."""

    async def run() -> None:
        async with proxied(tmp_path, monkeypatch) as side:
            side.calls.gate.clear()
            side.send(call())
            while not side.log:
                await asyncio.sleep(0.01)
            side.send(CANCEL)
            # One that is withdrawn before anybody could ask about it.
            side.send(call(1, amount=3))
            side.send(CANCEL)
            while ("not made", 1) not in side.log:
                await asyncio.sleep(0.01)
            side.calls.gate.set()
            side.send(call(1, amount=2))
            await side.got.get()

    asyncio.run(run())
    assert [one["params"]["arguments"] for one in arrived(tmp_path)] == [{"amount": 2}]


def test_a_client_that_reads_no_more_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy and the server end, though nothing says that its other stream has."""

    async def run() -> None:
        async with proxied(tmp_path, monkeypatch) as side:
            side.is_gone = True
            side.send(call())
            side.send = lambda _: None  # type: ignore[method-assign]
            while ("ended", 1, "completed") not in side.log:
                await asyncio.sleep(0.01)

    asyncio.run(run())
