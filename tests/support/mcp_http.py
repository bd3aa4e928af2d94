"""The proxy of MCP over HTTP in this process, between a client and a server of the test."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import aiohttp
from aiohttp import web

from interlock.errors import Denied
from interlock.mcp_proxy.http_server import serving
from interlock.mcp_proxy.tool_call import Call, Outcome
from interlock.mcp_proxy.tools import Tools

Respond = Callable[[web.BaseRequest, bytes], Awaitable[web.StreamResponse]]
BOTH = "application/json, text/event-stream"


class Decided:
    """The calls of a connection, about which the test decides. `log` is what happened, in order."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log
        self.decision: Any = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def ask(self, call: Call) -> Any:
        """The arguments to use instead, or None; `Denied` if `decision` is a text."""
        self.log.append(("asked", call.tool, dict(call.args)))
        await self.gate.wait()
        if isinstance(self.decision, str):
            raise Denied(call.tool, self.decision)
        return self.decision

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self.log.append(("ended", outcome.call.id, outcome.error or "completed"))

    def not_made(self, call: Call) -> None:
        self.log.append(("not made", call.id))

    def close(self) -> None:
        self.log.append(("closed",))


class Between:
    """What the test sees: `got` are the requests that reached the server."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http
        self.log: list[Any] = []
        self.notes: list[str] = []
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.url = self.to = ""
        self.opened: list[Decided] = []

    def open_calls(self) -> Any:
        self.opened.append(Decided(self.log))
        return self.opened[-1]

    async def post(self, content: Any, **headers: str) -> tuple[int, Any]:
        """Status, and the body: parsed if it is JSON, else the bytes."""
        body = content if isinstance(content, bytes | io.BytesIO) else json.dumps(content).encode()
        given = {"Content-Type": "application/json", "Accept": BOTH}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send("POST", body, given)

    async def send(
        self, method: str, body: Any, headers: dict[str, str], url: str = ""
    ) -> tuple[int, Any]:
        async with self.http.request(
            method, url or self.url, data=body, headers=headers, allow_redirects=False
        ) as response:
            told = await response.read()
            is_json = response.content_type == "application/json" and told
            return response.status, json.loads(told) if is_json else told


def call(id_: Any = 1, **args: Any) -> dict[str, Any]:
    params = {"name": "pay", "arguments": args or {"amount": 1}}
    return {"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": params}


def result(id_: Any = 1, text: str = "paid") -> bytes:
    content = {"content": [{"type": "text", "text": text}]}
    return json.dumps({"jsonrpc": "2.0", "id": id_, "result": content}).encode()


async def answering(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
    """A server that answers each request at once; `initialize` begins the session `s-1`."""
    message = json.loads(body) if body else {}
    if "id" not in message:
        return web.Response(status=202 if request.method == "POST" else 200)
    begins = {"Mcp-Session-Id": "s-1"} if message["method"] == "initialize" else {}
    return web.Response(body=result(message["id"]), content_type="application/json", headers=begins)


@contextlib.asynccontextmanager
async def between(respond: Respond = answering) -> AsyncIterator[Between]:
    """A server that responds so, the proxy before it, and a client."""
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        seen = Between(http)

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            body = await request.read()
            headers = {name.lower(): value for name, value in request.headers.items()}
            seen.got.append((request.method, headers, body))
            return await respond(request, body)

        server = web.Server(handle)
        listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
        seen.to = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/mcp"
        async with serving(
            "127.0.0.1",
            0,
            seen.to,
            tools=Tools(""),
            open_calls=seen.open_calls,
            note=seen.notes.append,
        ) as seen.url:
            yield seen
        listening.close()
        server.pre_shutdown()
        await server.shutdown(1)
