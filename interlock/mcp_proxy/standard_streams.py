"""The standard input and output of this process for an event loop, each with a thread of its own.

They may be pipes, files or terminals, which a loop cannot all wait for. A thread that waits for the
other side does not hold up the end of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from typing import Final

READ_BYTES: Final = 64 * 1024
CHUNKS_MAX: Final = 16
_INPUT, _OUTPUT = 0, 1


class Input:
    """The bytes of standard input."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(CHUNKS_MAX)
        threading.Thread(target=self._read, name="interlock-mcp-in", daemon=True).start()

    async def read(self) -> bytes:
        """The next bytes; `b""` at the end, once."""
        return await self._chunks.get()

    def _read(self) -> None:
        chunk = b"first"
        # The loop is closed: the process ends.
        with contextlib.suppress(RuntimeError):
            while chunk:
                chunk = _read_some()
                asyncio.run_coroutine_threadsafe(self._chunks.put(chunk), self._loop).result()


class Output:
    """Standard output, for one message after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._messages: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._write, name="interlock-mcp-out", daemon=True).start()

    async def write(self, message: bytes) -> None:
        """Write one line. Raises OSError if nobody reads it."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._messages.put((message + b"\n", done))
        await done

    def _write(self) -> None:
        while True:
            line, done = self._messages.get()
            error: OSError | None = None
            try:
                while line:
                    line = line[os.write(_OUTPUT, line) :]
            except OSError as met:
                error = met
            try:
                self._loop.call_soon_threadsafe(_settle, done, error)
            except RuntimeError:
                return  # The loop is closed: the process ends.


def _read_some() -> bytes:
    try:
        return os.read(_INPUT, READ_BYTES)
    except OSError:
        return b""


def _settle(done: asyncio.Future[None], error: OSError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
