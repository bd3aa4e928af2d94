"""One request of a client over HTTP, from its first step to the end of its response.

A response of the server passes message by message, as a body or as a stream of events. While a call
waits for the gate, the client gets a stream that shows that the connection is alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import aiohttp
from aiohttp import web

from ..calls import Edited
from ..errors import ClientError
from .asked_calls import AskedCalls, with_signs
from .headers import Headers, answered, forwarded, repeats_arguments
from .message import INTERNAL_ERROR, MESSAGE_BYTES_MAX, Id, Unreadable, error
from .relay import Answer, Ask, Drop, Forward, Relay, Withdraw
from .sse import Event, Events
from .tool_call import Call, Outcome, progress

JSON: Final = "application/json"
STREAM: Final = "text/event-stream"
CONNECT_S: Final = 30.0


@dataclass(slots=True)
class Connection:
    """The messages of one session of MCP. `is_kept`: it has an id, so streams can be resumed."""

    relay: Relay
    calls: AskedCalls
    is_kept: bool
    asking: dict[int, asyncio.Task[Edited]] = field(default_factory=dict)

    def tell(self, outcomes: list[Outcome]) -> None:
        """Report how calls ended, before their results are passed on."""
        self.calls.tell(outcomes)

    def end(self) -> None:
        """Nothing comes any more: waiting calls are withdrawn, and those under way have failed."""
        self.tell(self.relay.ended("the session of MCP ended before the result"))
        for task in self.asking.values():
            task.cancel()
        self.calls.close()


@dataclass(frozen=True, slots=True)
class Upstream:
    """The server: `url` is its only page."""

    http: aiohttp.ClientSession
    url: str


def open_http() -> aiohttp.ClientSession:
    """Connections to a server: nothing is followed, remembered, unpacked or added."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),  # Streams stay open: each session has one.
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
    )


class Exchange:
    """One request; `seen` is called with the headers of the server's response."""

    def __init__(
        self,
        request: web.BaseRequest,
        headers: Headers,
        upstream: Upstream,
        connection: Connection,
        *,
        note: Callable[[str], None],
        seen: Callable[[Headers], None] = lambda _: None,
    ) -> None:
        self._request, self._headers, self._upstream = request, headers, upstream
        self._connection, self._note, self._seen = connection, note, seen
        self._id: Id | None = None
        self._stream: web.StreamResponse | None = None
        self._is_resumable = False

    async def run(self, step: Forward | Answer | Ask | Withdraw | Drop) -> web.StreamResponse:
        """Carry out the step that a message of the client leads to."""
        match step:
            case Answer(data):
                return await self._end(400, data)
            case Drop(reason):
                self._note(f"dropped a message of the client: {reason}")
                return web.Response(status=202)
            case Withdraw(call):
                self._connection.asking[id(call)].cancel()
                return web.Response(status=202)
            case Ask(call):
                return await self._asked(call)
            case Forward(data, outcome, id_):
                self._connection.tell([outcome] if outcome else [])
                return await self.forward(data, id_)

    async def forward(self, data: bytes | None, id_: Id | None = None) -> web.StreamResponse:
        """Send to the server, and pass its response on."""
        self._id = id_
        reason = "the connection to the server failed"
        try:
            return await self._response(data)
        except (aiohttp.ClientError, TimeoutError, Unreadable) as fault:
            reason = f"the server gave no response: {_reason(fault)}"
            return await self._end(502, error(id_, INTERNAL_ERROR, reason))
        finally:
            if id_ is not None and not self._is_resumable:
                self._connection.tell(self._connection.relay.given_up(id_, reason))

    async def _asked(self, call: Call) -> web.StreamResponse:
        calls, relay = self._connection.calls, self._connection.relay
        edited, refusal = None, ""
        try:
            edited = await self._decided(call)
        except ClientError as refused:
            refusal = str(refused)
        except asyncio.CancelledError:
            calls.not_made(call)
            if relay.is_waiting(call):  # The client has left.
                relay.given_up(call.id, "")
                raise
        if not relay.is_waiting(call):
            calls.not_made(call)
            return await self._end(202, b"")  # Withdrawn by another request.
        if edited is not None and repeats_arguments(self._headers):
            calls.not_made(call)
            refusal = f"`{call.tool}` refused: an operator changed arguments that headers repeat"
        if refusal:
            return await self._end(200, relay.refused(call, refusal))
        return await self.forward(relay.allowed(call, edited), call.id)

    async def _decided(self, call: Call) -> Edited:
        """The answer of the gate, in a task that other requests may cancel."""
        calls, asking = self._connection.calls, self._connection.asking
        task = asyncio.ensure_future(
            with_signs(lambda: calls.ask(call), lambda step: self._sign(call, step))
        )
        asking[id(call)] = task
        try:
            return await task
        finally:
            task.cancel()
            del asking[id(call)]

    async def _response(self, data: bytes | None) -> web.StreamResponse:
        headers = [*forwarded(self._headers), ("Accept-Encoding", "identity")]
        if data is not None:
            headers.append(("Content-Type", JSON))
        async with self._upstream.http.request(
            self._request.method, self._upstream.url, data=data, headers=headers,
            allow_redirects=False,
        ) as response:  # fmt: skip
            given = [(name.lower(), value) for name, value in response.headers.items()]
            if 300 <= response.status < 400:
                raise Unreadable("it redirects, which is not followed; give its address as `--to`")
            if any(name == "content-encoding" for name, _ in given):
                raise Unreadable("its response is compressed, although that was not asked for")
            self._seen(given)
            if response.content_type == STREAM and response.status == 200:
                return await self._events(response.content, given)
            body = await _bounded(response.content)
            if response.content_type == JSON and body:
                return await self._body(response.status, body, given)
            return await self._unreadable(response.status, given)

    async def _body(self, status: int, body: bytes, given: Headers) -> web.StreamResponse:
        match self._connection.relay.from_server(body):
            case Forward(data, outcome):
                self._connection.tell([outcome] if outcome else [])
                return await self._end(status, data, given)
            case Drop(reason):
                self._note(f"dropped a message of the server: {reason}")
        return await self._unreadable(status, given)

    async def _unreadable(self, status: int, given: Headers) -> web.StreamResponse:
        """A response without a message: only its status passes."""
        if status < 300 and self._id is None:
            return await self._end(status, b"", given)
        text = f"the server answered with status {status}, and without a message"
        return await self._end(
            status if status >= 400 else 502, error(self._id, INTERNAL_ERROR, text), given
        )

    async def _events(self, content: aiohttp.StreamReader, given: Headers) -> web.StreamResponse:
        stream = await self._begun(given)
        events = Events()
        try:
            async for chunk in content.iter_any():
                for event in events.feed(chunk):
                    self._is_resumable |= self._connection.is_kept and bool(event.id)
                    await self._event(stream, event)
        except (aiohttp.ClientError, Unreadable) as fault:
            # The client sees the end of a stream that it may resume.
            self._note(f"a stream of the server ended: {_reason(fault)}")
        await stream.write_eof()
        return stream

    async def _event(self, stream: web.StreamResponse, event: Event) -> None:
        if not event.data:
            await stream.write(event.encoded())
            return
        match self._connection.relay.from_server(event.data):
            case Forward(data, outcome):
                self._connection.tell([outcome] if outcome else [])
                await stream.write(replace(event, data=data).encoded())
            case Drop(reason):
                self._note(f"dropped a message of the server: {reason}")

    async def _sign(self, call: Call, step: int) -> None:
        if not any(name == "accept" and STREAM in value.lower() for name, value in self._headers):
            return
        stream = await self._begun([])
        token = call.progress_token
        event = Event() if token is None else _message(progress(token, step))
        await stream.write(event.encoded())

    async def _begun(self, given: Headers) -> web.StreamResponse:
        if self._stream is None:
            headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
            self._stream = web.StreamResponse(headers=[*headers.items(), *answered(given)])
            self._stream.content_type = STREAM
            await self._stream.prepare(self._request)
        return self._stream

    async def _end(self, status: int, data: bytes, given: Headers = ()) -> web.StreamResponse:
        """The whole response: a body, or the last event of a stream that has begun."""
        if self._stream is None:
            made = web.Response(status=status, body=data, headers=answered(given))
            made.content_type = JSON
            return made
        if data:
            await self._stream.write(_message(data).encoded())
        await self._stream.write_eof()
        return self._stream


def _message(data: bytes) -> Event:
    return Event(data, b"message", has_data=True)


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > MESSAGE_BYTES_MAX:
            raise Unreadable(f"its response is longer than {MESSAGE_BYTES_MAX} bytes")
    return bytes(body)


def _reason(fault: Exception) -> str:
    """In words, without an address or what a peer has sent."""
    return str(fault) if isinstance(fault, Unreadable) else type(fault).__name__
