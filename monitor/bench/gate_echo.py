"""The echo beside the gate: the same server library answers with a body that it appends to a file.

    python -m monitor.bench.gate_echo SOCKET FILE

It reads, writes a record and answers as a gate does, and judges nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys

from aiohttp import web


async def serve(socket_path: str, file_path: str) -> None:
    """Echo until the process is ended."""
    file = os.open(file_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def echo(request: web.BaseRequest) -> web.Response:
        body = await request.read()
        os.write(file, body + b"\n")
        return web.Response(body=body, content_type="application/json")

    runner = web.ServerRunner(web.Server(echo))
    await runner.setup()
    await web.UnixSite(runner, socket_path).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
