"""The rim for a server that is reached over HTTP: a loopback port in front of it.

    client  <->  http://127.0.0.1:PORT/PATH of this process  <->  the server's URL

A session of MCP (`Mcp-Session-Id`) is one of Interlock; it must have begun here. Requests without
such an id share one session, as the proxy cannot tell them apart. Nothing but the server's own page
is reached, and only by clients of this machine: not by a page in a browser.

Source: the Model Context Protocol, transports (Streamable HTTP).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from .asked_calls import AskedCalls
from .headers import SESSION_HEADER, Headers, check_repeats, is_json, why_foreign
from .http_exchange import JSON, Connection, Exchange, Upstream, open_http
from .message import INVALID_REQUEST, MESSAGE_BYTES_MAX, error
from .relay import Relay
from .tools import Tools

CONNECTIONS_MAX: Final = 1_000
"""Chosen: sessions of MCP at a time; the one that was not used for longest must begin anew."""
END_S: Final = 1.0
"""How long requests may go on that are being answered when the proxy ends."""
LINE_BYTES_MAX: Final = 32 * 1024
"""Chosen: credentials in a header may be long."""
_SILENT: Final = logging.getLogger("interlock.mcp_proxy.http")
# The library's own lines contain what a client has sent, credentials included.
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


@contextlib.asynccontextmanager
async def serving(
    host: str,
    port: int,
    url: str,
    *,
    tools: Tools,
    open_calls: Callable[[], AskedCalls],
    note: Callable[[str], None],
) -> AsyncIterator[str]:
    """Serve on a port until the end of the block; 0 is a free one. The address of the page.

    `open_calls` begins the calls of a new connection. Raises OSError if the port is taken.
    """
    async with open_http() as http:
        proxy = _HttpProxy(Upstream(http, url), tools, open_calls, note)
        server = web.Server(
            proxy.respond,
            handler_cancellation=True,
            logger=_SILENT,
            access_log=None,
            auto_decompress=False,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=LINE_BYTES_MAX,
        )
        listening = await asyncio.get_running_loop().create_server(server, host, port)
        proxy.port = listening.sockets[0].getsockname()[1]
        try:
            shown = f"[{host}]" if ":" in host else host
            yield f"http://{shown}:{proxy.port}{proxy.path}"
        finally:
            listening.close()
            server.pre_shutdown()
            await server.shutdown(END_S)
            proxy.close()


class _HttpProxy:
    def __init__(
        self,
        upstream: Upstream,
        tools: Tools,
        open_calls: Callable[[], AskedCalls],
        note: Callable[[str], None],
    ) -> None:
        self._upstream, self._tools = upstream, tools
        self._open_calls, self._note = open_calls, note
        self._kept: OrderedDict[str, Connection] = OrderedDict()
        self._shared = open_calls()
        self.port = 0
        self.path = urlsplit(upstream.url).path or "/"

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """The response to one request."""
        headers = [(name.lower(), value) for name, value in request.headers.items()]
        if reason := why_foreign(headers, self.port):
            return _fault(403, f"the request is not for this proxy: {reason}")
        if request.raw_path != self.path:
            return _fault(404, "this proxy has one page, with the path of the server's")
        if request.method not in ("POST", "GET", "DELETE"):
            return _fault(405, "the methods are POST, GET and DELETE")
        connection = self._connection(headers)
        if connection is None:
            return _fault(404, "the session did not begin here; initialize again")
        try:
            if request.method == "POST":
                return await self._post(request, headers, connection)
            return await self._other(request, headers, connection)
        except ConnectionError:
            return web.Response(status=400)  # The client has gone: nobody reads it.
        except Exception as bug:
            self._note(f"a request failed by a fault of the proxy: {type(bug).__name__}")
            raise

    def close(self) -> None:
        """End all connections."""
        for session in tuple(self._kept):
            self._forget(session)

    async def _post(
        self, request: web.BaseRequest, headers: Headers, connection: Connection
    ) -> web.StreamResponse:
        if not is_json(headers):
            return _fault(415, "the body is not `application/json` in UTF-8")
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MESSAGE_BYTES_MAX:
                return _fault(413, f"the body is longer than {MESSAGE_BYTES_MAX} bytes")
        step = connection.relay.from_client(
            bytes(body), lambda message: check_repeats(headers, message)
        )
        seen = (lambda _: None) if connection.is_kept else self._begun
        exchange = Exchange(
            request, headers, self._upstream, connection, note=self._note, seen=seen
        )
        return await exchange.run(step)

    async def _other(
        self, request: web.BaseRequest, headers: Headers, connection: Connection
    ) -> web.StreamResponse:
        exchange = Exchange(request, headers, self._upstream, connection, note=self._note)
        response = await exchange.forward(None)
        if request.method == "DELETE" and response.status < 300:
            self._forget(_session(headers))
        return response

    def _connection(self, headers: Headers) -> Connection | None:
        """The one that the request belongs to; None if it names one that did not begin here."""
        session = _session(headers)
        if session:
            if session in self._kept:
                self._kept.move_to_end(session)
            return self._kept.get(session)
        return Connection(Relay(self._tools), self._shared, is_kept=False)

    def _begun(self, given: Headers) -> None:
        """The server has responded to a request without a session: perhaps one begins."""
        session = _session(given)
        if not session or session in self._kept:
            return
        self._kept[session] = Connection(Relay(self._tools), self._open_calls(), is_kept=True)
        if len(self._kept) > CONNECTIONS_MAX:
            self._forget(next(iter(self._kept)))

    def _forget(self, session: str) -> None:
        connection = self._kept.pop(session, None)
        if connection is not None:
            connection.end()


def _session(headers: Headers) -> str:
    return ",".join(value for name, value in headers if name == SESSION_HEADER)


def _fault(status: int, text: str) -> web.Response:
    body = error(None, INVALID_REQUEST, f"refused by Interlock: {text}")
    return web.Response(status=status, body=body, content_type=JSON)
