"""Agents that use a server of MCP through the proxy, with the real library.

python mcp_agents.py GATE FOLDER       runs all cases, and prints what each met, as JSON

The token of the agents is `bot`, that of the operator `op`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitResult

from interlock.gate.address import Token, parse_gate
from interlock.gate.exchange import Exchange

SERVER = str(Path(__file__).with_name("mcp_server.py"))
POST = {"url": "https://paste.example/x", "body": "b"}
SECRET = {"path": "/secrets/key"}
PATIENCE_S = 60.0


class Setting:
    """The gate, the folder of logs, and one server over HTTP behind one proxy."""

    def __init__(self, gate: str, folder: Path) -> None:
        self.gate, self.folder = gate, folder
        self.operator = Exchange(parse_gate(gate, is_network_allowed=False), Token("op"))
        self.to = self.proxied = self.notes = ""

    def proxy(self, case: str, *more: str) -> list[str]:
        command = ["-m", "interlock.mcp_proxy", "--gate", self.gate, "--agent", case]
        return [*command, "--name", "demo", *more]

    def ran(self, case: str) -> list[Any]:
        log = self.folder / f"{case}.ran"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    async def held(self) -> dict[str, Any]:
        """The call that waits for an operator."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                calls = (await self._operate("GET", "/v1/approvals", None))["approvals"]
                if calls:
                    return dict(calls[0])
                await asyncio.sleep(0.02)

    async def rule(self, approval: str, **ruling: Any) -> None:
        body = json.dumps(ruling).encode()
        await self._operate("POST", f"/v1/approvals/{approval}", body)

    async def _operate(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        response = await asyncio.to_thread(self.operator.send, method, path, body, 30)
        return dict(json.loads(response.body))


@contextlib.asynccontextmanager
async def stdio(
    setting: Setting, case: str, mode: str, how: str = "", **more: Any
) -> AsyncIterator[Client]:
    """A client of a server on standard input and output; `direct` is without the proxy."""
    server = [SERVER, str(setting.folder / f"{case}.ran")]
    proxy = [] if how == "direct" else [*setting.proxy(case), "--", sys.executable]
    environment = {**os.environ, "INTERLOCK_GATE_TOKEN": "bot"}
    parameters = StdioServerParameters(
        command=sys.executable, args=[*proxy, *server], env=environment
    )
    with (setting.folder / "errors").open("a") as errors:
        async with Client(stdio_client(parameters, errlog=errors), mode=mode, **more) as client:  # type: ignore[arg-type]
            yield client


def told(result: Any) -> Any:
    return [result.is_error, [block.text for block in result.content], result.structured_content]


async def hijacked(client: Client) -> Any:
    """Reads a secret, and is made to post it; refused, it goes on with another plan."""
    listed = await client.list_tools()
    steps = [("read_file", SECRET), ("http.post", POST), ("read_file", {"path": "/notes"})]
    return [len(listed.tools), *[told(await client.call_tool(*step)) for step in steps]]


async def honest(client: Client) -> Any:
    """Reads, posts, fails, lists and reads a resource."""
    broken = {**POST, "url": "https://broken.example"}
    steps = [("read_file", {"path": "/notes"}), ("http.post", POST), ("http.post", broken)]
    results = [await client.list_tools(), *[await client.call_tool(*step) for step in steps]]
    results += [await client.read_resource("notes://all"), await client.list_prompts()]
    return [result.model_dump_json() for result in results]


async def parallel(client: Client) -> Any:
    """Each of many calls at once gets its own answer."""
    await client.call_tool("read_file", SECRET)
    posts = [client.call_tool("http.post", {**POST, "body": str(n)}) for n in range(8)]
    reads = [client.call_tool("read_file", {"path": f"/{n}"}) for n in range(8)]
    results = await asyncio.gather(*posts, *reads)
    return [told(result)[0] for result in results]


async def cancelled(setting: Setting, client: Client) -> Any:
    """A call in progress, whose progress is seen, and a held one."""
    seen: list[float] = []

    async def progressed(done: float, total: float | None, message: str | None) -> None:
        seen.append(done)

    waiting = asyncio.create_task(client.call_tool("wait", {}, progress_callback=progressed))
    async with asyncio.timeout(PATIENCE_S):
        while not seen:
            await asyncio.sleep(0.02)
    waiting.cancel()
    await asyncio.wait([waiting])
    paying = asyncio.create_task(client.call_tool("pay", {"amount": 5}))
    await setting.held()
    paying.cancel()
    await asyncio.wait([paying])
    result = await client.call_tool("read_file", {"path": "/notes"})
    return [waiting.cancelled(), paying.cancelled(), seen, told(result)[0]]


async def approved(setting: Setting, client: Client) -> Any:
    """A held call is made as it was approved, also with other arguments."""
    rulings: list[dict[str, Any]] = [
        {"decision": "grant"},
        {"decision": "grant", "args": {"amount": 3}},
        {"decision": "deny"},
    ]
    met = []
    for ruling in rulings:
        paying = asyncio.create_task(client.call_tool("pay", {"amount": 40}))
        await setting.rule((await setting.held())["id"], **ruling)
        met.append(told(await paying))
    return met


async def asked_back(client: Client) -> Any:
    """Requests of the server, whose ids are those of the client's own, too."""
    return told(await client.call_tool("ask_user", {}))


async def elicited(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"text": f"answer to {params.message}"})


async def died(client: Client) -> Any:
    """The server ends in the middle of a call."""
    try:
        return told(await client.call_tool("die", {}))
    except MCPError as error:
        return str(error)


async def on_stdio(setting: Setting) -> dict[str, Any]:
    met: dict[str, Any] = {}
    for mode in ("legacy", "2026-07-28"):
        async with stdio(setting, f"hijacked-{mode}", mode) as client:
            met[f"hijacked-{mode}"] = await hijacked(client)
    for how in ("direct", "proxied"):
        async with stdio(setting, f"honest-{how}", "auto", how) as client:
            met[f"honest-{how}"] = await honest(client)
    async with stdio(setting, "parallel", "auto") as client:
        met["parallel"] = await parallel(client)
    async with stdio(setting, "cancelled", "legacy") as client:
        met["cancelled"] = await cancelled(setting, client)
    async with stdio(setting, "approved", "auto") as client:
        met["approved"] = await approved(setting, client)
        met["token"] = told(await client.call_tool("token_of_gate", {}))
    async with stdio(setting, "asked-back", "legacy", elicitation_callback=elicited) as client:
        met["asked-back"] = await asked_back(client)
    async with stdio(setting, "died", "legacy") as client:
        met["died"] = await died(client)
    return met


@contextlib.asynccontextmanager
async def http_server(setting: Setting) -> AsyncIterator[None]:
    """One server over HTTP, and one proxy before it."""
    log, errors = setting.folder / "http.ran", (setting.folder / "errors").open("a")
    server = await asyncio.create_subprocess_exec(
        sys.executable, SERVER, str(log), "--http", stdout=PIPE, stderr=errors
    )
    assert server.stdout is not None
    setting.to = f"http://127.0.0.1:{int(await server.stdout.readline())}/mcp"
    proxy = await asyncio.create_subprocess_exec(
        sys.executable,
        *setting.proxy("http", "--listen", "127.0.0.1:0", "--to", setting.to),
        env={**os.environ, "INTERLOCK_GATE_TOKEN": "bot"},
        stderr=PIPE,
    )
    assert proxy.stderr is not None
    setting.proxied = (await proxy.stderr.readline()).decode().split()[-1]
    try:
        yield
    finally:
        proxy.terminate()
        setting.notes = (await proxy.stderr.read()).decode()
        await proxy.wait()
        server.kill()
        await server.wait()


@contextlib.asynccontextmanager
async def http(
    setting: Setting, case: str, mode: str, how: str = "", **more: Any
) -> AsyncIterator[Client]:
    """A client over HTTP; `direct` is without the proxy."""
    url = setting.to if how == "direct" else setting.proxied
    async with Client(streamable_http_client(url), mode=mode, **more) as client:  # type: ignore[arg-type]
        yield client


async def over_http(setting: Setting) -> dict[str, Any]:
    met: dict[str, Any] = {}
    for how in ("direct", "proxied"):
        for mode in ("legacy", "2026-07-28"):
            async with http(setting, "", mode, how) as client:
                met[f"honest-{how}-{mode}"] = await honest(client)
    async with http(setting, "", "legacy", elicitation_callback=elicited) as client:
        met["asked-back"] = await asked_back(client)
        met["approved"] = await approved(setting, client)
        met["cancelled"] = await cancelled(setting, client)
    async with http(setting, "", "legacy") as client:
        met["hijacked"] = await hijacked(client)
        met["parallel"] = await parallel(client)
    async with http(setting, "", "2026-07-28") as client:
        met["hijacked-modern"] = await hijacked(client)
    return met


async def main(gate: str, folder: Path) -> None:
    setting = Setting(gate, folder)
    met = await on_stdio(setting)
    async with http_server(setting):
        over = await over_http(setting)
    setting.operator.close()
    ran = {log.stem: setting.ran(log.stem) for log in folder.glob("*.ran")}
    print(json.dumps({"stdio": met, "http": over, "ran": ran, "notes": setting.notes}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
