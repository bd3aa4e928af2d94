"""The rim for a server that is a process: its standard input and output, and ours.

    client  <->  standard input and output of this process  <->  server

When one side ends, the other one is ended, as the protocol says: its input is closed, then SIGTERM,
then SIGKILL. The server's standard error is ours. It does not get the gate's token.

Source: the Model Context Protocol, transports (stdio) and lifecycle (shutdown).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from typing import Final

from ..errors import ClientError
from ..gate.address import TOKEN_FILE_VARIABLE, TOKEN_VARIABLE
from .asked_calls import AskedCalls, with_signs
from .lines import Lines
from .message import INVALID_REQUEST, MESSAGE_BYTES_MAX, error
from .relay import Answer, Ask, Drop, Forward, Relay, Withdraw
from .standard_streams import READ_BYTES, Input, Output
from .tool_call import Call, progress

GRACE_S: Final = 2.0
"""Chosen: as long as the SDK for Python lets a server end by itself."""


async def run_server(
    command: Sequence[str],
    calls: AskedCalls,
    relay: Relay,
    note: Callable[[str], None],
    stopped: asyncio.Event,
) -> int:
    """Start the server and relay until a side ends or `stopped` is set; the server's exit code.

    `note` gets a line for people about each message that is dropped. Raises OSError if the server
    cannot be started.
    """
    hidden = (TOKEN_VARIABLE, TOKEN_FILE_VARIABLE)
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    server = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, env=environment
    )
    try:
        await _StdioProxy(calls, relay, server, note, stopped).run()
    finally:
        if server.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                server.kill()
    code = server.returncode or 0
    return code if code >= 0 else 128 - code  # As a shell reports an end by a signal.


class _StdioProxy:
    def __init__(
        self,
        calls: AskedCalls,
        relay: Relay,
        server: Process,
        note: Callable[[str], None],
        stopped: asyncio.Event,
    ) -> None:
        self._calls, self._relay, self._server, self._note = calls, relay, server, note
        self._stopped = stopped
        self._input, self._output = Input(), Output()
        self._asking: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Relay until a side ends, then end the other one."""
        async with asyncio.TaskGroup() as self._group:
            from_server = self._group.create_task(self._from_server())
            others = [
                self._group.create_task(self._from_client()),
                self._group.create_task(self._stopped.wait()),
            ]
            await asyncio.wait([from_server, *others], return_when=asyncio.FIRST_COMPLETED)
            for task in (*others, *self._asking.values()):
                task.cancel()
            await self._end_server()
            # A process that the server has started may keep its output open.
            await asyncio.wait([from_server], timeout=GRACE_S)
            from_server.cancel()
        self._calls.tell(self._relay.ended("the connection ended before the result"))

    async def _from_client(self) -> None:
        lines = Lines()
        while chunk := await self._input.read():
            for line in lines.feed(chunk):
                if line is None:
                    text = f"refused by Interlock: longer than {MESSAGE_BYTES_MAX} bytes"
                    await self._to_client(error(None, INVALID_REQUEST, text))
                else:
                    await self._take(line)

    async def _take(self, line: bytes) -> None:
        match self._relay.from_client(line):
            case Forward(data, outcome):
                self._calls.tell([outcome] if outcome else [])
                await self._to_server(data)
            case Answer(data):
                await self._to_client(data)
            case Ask(call):
                task = self._group.create_task(self._ask(call))
                self._asking[id(call)] = task
                # Not in the task: it may be cancelled before it begins.
                task.add_done_callback(lambda _: self._asking.pop(id(call)))
            case Withdraw(call):
                self._asking[id(call)].cancel()
            case Drop(reason):
                self._note(f"dropped a message of the client: {reason}")

    async def _ask(self, call: Call) -> None:
        try:
            edited = await with_signs(
                lambda: self._calls.ask(call), lambda step: self._sign(call, step)
            )
        except ClientError as refused:
            if self._relay.is_waiting(call):
                await self._to_client(self._relay.refused(call, str(refused)))
            return
        except asyncio.CancelledError:
            self._calls.not_made(call)
            raise
        await self._to_server(self._relay.allowed(call, edited))

    async def _sign(self, call: Call, step: int) -> None:
        if call.progress_token is not None:
            await self._to_client(progress(call.progress_token, step))

    async def _from_server(self) -> None:
        lines = Lines()
        assert self._server.stdout is not None
        while chunk := await self._server.stdout.read(READ_BYTES):
            for line in lines.feed(chunk):
                if line is None:
                    self._note(
                        f"the server sent more than {MESSAGE_BYTES_MAX} bytes at once; ended"
                    )
                    return
                match self._relay.from_server(line):
                    case Forward(data, outcome):
                        self._calls.tell([outcome] if outcome else [])
                        await self._to_client(data)
                    case Drop(reason):
                        self._note(f"dropped a message of the server: {reason}")

    async def _to_client(self, message: bytes) -> None:
        try:
            await self._output.write(message)
        except OSError:
            self._stopped.set()  # The client has gone.

    async def _to_server(self, message: bytes) -> None:
        assert self._server.stdin is not None
        # Its output ends, too, if it has gone.
        with contextlib.suppress(ConnectionError):
            self._server.stdin.write(message + b"\n")
            await self._server.stdin.drain()

    async def _end_server(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        for end in (self._server.terminate, self._server.kill, lambda: None):
            try:
                await asyncio.wait_for(self._server.wait(), GRACE_S)
                return
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    end()
