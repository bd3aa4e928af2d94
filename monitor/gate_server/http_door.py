"""The HTTP library's only door: bytes of a connection -> `Request`, `Response` -> bytes.

aiohttp frames requests (decision 0054). Everything that it would do with their content is switched
off here: nothing is decompressed, no cookie, form or upgrade is read, and nothing is logged by it,
since its messages contain what the client sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from monitor.gate_server.bounds import Bounds
from monitor.gate_server.connection import Connection
from monitor.gate_server.refusal import Refused, fault_body
from monitor.log import say

READ_BYTES: Final = 16 * 1024
LINGER_S: Final = 1.0
"""How long the rest of a refused body is read, so that the client can read the refusal."""
JSON: Final = "application/json"
_HEADERS: Final = {
    "Server": "interlock",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_SILENT: Final = logging.getLogger("interlock.http")


class Response:
    """A response; `closes` also ends the connection."""

    __slots__ = ("body", "closes", "headers", "media_type", "status")

    def __init__(
        self,
        status: int,
        body: bytes,
        media_type: str = JSON,
        *,
        headers: Mapping[str, str] = {},
        closes: bool = False,
    ) -> None:
        self.status, self.body, self.media_type = status, body, media_type
        self.headers, self.closes = headers, closes


class Request:
    """One request whose head has arrived; the body is read on demand."""

    __slots__ = ("_bounds", "_request", "connection", "method", "target")

    def __init__(self, request: web.BaseRequest, connection: Connection, bounds: Bounds) -> None:
        self._request, self._bounds = request, bounds
        self.connection = connection
        self.method = request.method
        self.target = request.raw_path

    def header(self, name: str) -> str | None:
        """The value of a header. Raises Refused if it is there twice."""
        values = self._request.headers.getall(name, ())
        if len(values) > 1:
            raise Refused("malformed", f"the header `{name}` is there twice; send it once")
        return values[0] if values else None

    @property
    def length(self) -> int | None:
        """The stated length of the body in bytes; None if it comes in chunks of unknown number."""
        stated = self.header("Content-Length")
        if stated is not None:
            return int(stated)  # The library has refused any other text.
        return 0 if not self._request.can_read_body else None

    async def permit_body(self) -> None:
        """Tell a client that waits for it to send its body (`Expect: 100-continue`)."""
        await self._request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._request.writer.output_size = 0

    async def body(self, bytes_max: int) -> bytes:
        """The whole body. Raises Refused if it is too long, breaks off, or takes too long."""
        content, parts, size = self._request.content, [], 0
        try:
            async with asyncio.timeout(self._bounds.body_s):
                while not content.at_eof():
                    part = await content.readany()
                    size += len(part)
                    if size > bytes_max:
                        text = f"the body is longer than {bytes_max} bytes"
                        raise Refused("too_large", text, closes=True)
                    parts.append(part)
        except TimeoutError:
            text = f"the body took longer than {self._bounds.body_s:g} s; send it at once"
            raise Refused("slow", text, closes=True) from None
        except (web.RequestPayloadError, ConnectionError):
            text = "the body's framing is not valid; send `Content-Length`, or whole chunks"
            raise Refused("malformed", text, closes=True) from None
        return b"".join(parts)


Respond = Callable[[Request], Awaitable[Response]]


class HttpDoor:
    """Makes the protocol of each connection; `respond` answers requests.

    `failed` is called with an error that `respond` did not expect: a bug.
    """

    def __init__(
        self,
        respond: Respond,
        bounds: Bounds,
        failed: Callable[[BaseException], None],
        unframed: Callable[[], None],
    ) -> None:
        self._respond, self._bounds = respond, bounds
        self.failed, self.unframed = failed, unframed
        self._server = web.Server(self._handle)

    def protocol(self, connection: Connection) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _Framing(
            self._server,
            self,
            connection,
            loop=asyncio.get_running_loop(),
            logger=_SILENT,
            access_log=None,
            max_line_size=self._bounds.line_bytes_max,
            max_field_size=self._bounds.line_bytes_max,
            max_headers=self._bounds.headers_max,
            lingering_time=LINGER_S,
            read_bufsize=READ_BYTES,
            auto_decompress=False,
            tcp_keepalive=False,
        )

    async def drain(self, patience_s: float) -> None:
        """Finish the requests that are being answered, and close every connection."""
        self._server.pre_shutdown()
        await self._server.shutdown(patience_s)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        framing = request.protocol
        assert isinstance(framing, _Framing)
        connection = framing.connection
        connection.begin()
        try:
            response = await self._respond(Request(request, connection, self._bounds))
        except ConnectionError:
            response = Response(400, b"", closes=True)  # The client has gone: nobody reads it.
        finally:
            connection.end()
        return _sent(response)


class _Framing(RequestHandler):
    """The library's protocol; requests that it cannot frame are refused as all others are."""

    def __init__(
        self, server: web.Server, door: HttpDoor, connection: Connection, **options: Any
    ) -> None:
        super().__init__(server, **options)
        self._door, self.connection = door, connection

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The response to a request that was not framed, or to an error that is a bug."""
        if request.writer.output_size > 0:
            raise ConnectionError("part of a response is sent already")
        if status >= 500:
            assert exc is not None
            self._door.failed(exc)
            text = "the gate has stopped, because of an error of its own"
            return _sent(Response(503, fault_body("not_ready", text), closes=True))
        self._door.unframed()
        text = "this is not HTTP/1.1 within the gate's limits; docs/gate.md lists them"
        return _sent(Response(400, fault_body("malformed", text), closes=True))


def _sent(response: Response) -> web.Response:
    made = web.Response(
        status=response.status,
        body=response.body,
        headers={**_HEADERS, "Content-Type": response.media_type, **response.headers},
    )
    if response.closes:
        made.force_close()
    return made


def tell_failure(error: BaseException) -> None:
    """Log a bug with its place; its message may contain what a client sent, and is left out."""
    place, step = "", error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        place, step = f"{code.co_filename}:{step.tb_lineno} ({code.co_name})", step.tb_next
    say("critical", "gate_failed", error=type(error).__name__, place=place)
