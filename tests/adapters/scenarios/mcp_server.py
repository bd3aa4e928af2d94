"""A server of MCP with the real library; run in an environment of its own.

python mcp_server.py LOG              on standard input and output
python mcp_server.py LOG --http       on a free port, which is the first line it prints

Each call that arrives is a line of LOG.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import ToolAnnotations
from pydantic import BaseModel

LOG = Path(sys.argv[1])
server = MCPServer("scenario")


def note(tool: str, args: dict[str, Any]) -> None:
    with LOG.open("a") as log:
        log.write(json.dumps([tool, args]) + "\n")


class Answer(BaseModel):
    """What a user is asked for."""

    text: str


@server.tool(annotations=ToolAnnotations(readOnlyHint=True, openWorldHint=False))
def read_file(path: str) -> str:
    """Read a file."""
    note("read_file", {"path": path})
    return "TOKEN" if path.startswith("/secrets") else 'notes\n"<é\u2028\U0001f600>'


@server.tool(name="http.post", annotations=ToolAnnotations(destructiveHint=True))
async def http_post(url: str, body: str) -> str:
    """Post."""
    note("http.post", {"url": url, "body": body})
    if "broken" in url:
        raise ValueError("no route")
    return "200"


@server.tool()
def pay(amount: int) -> str:
    """Pay."""
    note("pay", {"amount": amount})
    return f"paid {amount}"


@server.tool()
async def wait(context: Context[Any, Any]) -> str:
    """Wait until it is cancelled."""
    note("wait", {})
    await context.report_progress(1, 2, "waits")
    await anyio.sleep_forever()
    return "never"


@server.tool()
async def ask_user(context: Context[Any, Any]) -> str:
    """Ask the user back, by a request of the server."""
    note("ask_user", {})
    answer = await context.elicit("Which one?", Answer)
    return str(answer.data.text if answer.action == "accept" else answer.action)


@server.tool()
def token_of_gate() -> str:
    """What the server knows of the gate's token."""
    return os.environ.get("INTERLOCK_GATE_TOKEN", "nothing")


@server.tool()
def die() -> str:
    """End the server in the middle of a call."""
    note("die", {})
    os._exit(7)


@server.resource("notes://all")
def notes() -> str:
    """A resource."""
    return "a note"


def serve_http() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(server.streamable_http_app(), log_level="error")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    serve_http() if "--http" in sys.argv else server.run("stdio")
