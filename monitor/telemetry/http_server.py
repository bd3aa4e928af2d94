"""Serves the pages of `http.py` on one thread, so that no client can block the response to another.

A connection has no thread. When the head of its request has arrived, one of two workers builds the
page, with metrics separate from all others. Waiting work is bounded twice. If there are too many
connections without a complete request, the oldest is closed. If there are too many requests for
metrics, further ones are refused. So neither slow clients nor many or slow scrapes delay health
checks.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from invariants.model.errors import ConfigError

from ..clock import Clock
from ..log import say
from .http import METRICS, TEXT, Answer, MonitorPages
from .http_request import HEAD_BYTES_MAX, OwnNames, Request, own_names, parse_request

CONNECTIONS_MAX: Final = 128
"""Chosen: connections that have not sent a request, or have received the response and linger."""
METRICS_MAX: Final = 8
"""Chosen: requests for metrics at a time, from asking to the last byte."""
CONNECTION_NS: Final = 10_000_000_000  # For a connection as a whole, however it drips.
TURN_S: Final = 0.25  # How often connections that are too old are looked for.
RECEIVE_BYTES: Final = 65_536
UNASKED_BYTES_MAX: Final = 1024 * 1024
"""Chosen: bytes that a client may send after its request before it is closed; they are not read."""
ACCEPTS_MAX: Final = 64  # In one turn: then those that are there are served.
HEADERS: Final = (
    "Server: interlock\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cache-Control: no-store\r\n"
    "Connection: close\r\n"
)


@dataclass(slots=True, eq=False)
class _Connection:
    """One client; mutable, of the server's thread alone."""

    socket: socket.socket
    since_ns: int
    head: bytearray = field(default_factory=bytearray)
    rest: memoryview | None = None
    """The unsent part of its response; None while there is no response."""
    is_head: bool = False
    is_asked: bool = False
    """True once its page is being built, or was."""
    is_metrics: bool = False
    is_closed: bool = False
    unasked_bytes: int = 0

    @property
    def is_answered(self) -> bool:
        """True once its whole response is being sent; it lingers until the client has it."""
        return self.rest is not None and not self.rest


class MonitorServer:
    """Serves the pages on its own threads until `close`.

    `names` are further names under which it may be requested, as in the `Host` header.

    Raises
    ------
    ConfigError
        The address cannot be taken, or one of `names` is not a host name.
    """

    def __init__(
        self, pages: MonitorPages, host: str, port: int, clock: Clock, *, names: str = ""
    ) -> None:
        self._pages = pages
        self._clock = clock
        self._listener = _listen(host, port)
        self._port = int(self._listener.getsockname()[1])
        try:
            address = str(self._listener.getsockname()[0]).split("%", 1)[0]
            self._own: OwnNames = own_names(address, host, names.split(","))
        except ValueError as error:
            self._listener.close()
            raise ConfigError(
                f"`http.names`: `{str(error)[:80]!a}` is not a host name; expected names with "
                "commas between them, without ports"
            ) from None
        self._waiting: dict[_Connection, None] = {}
        self._metrics: dict[_Connection, None] = {}
        self._workers = [ThreadPoolExecutor(1, name) for name in ("http-health", "http-metrics")]
        self._made: deque[tuple[_Connection, Future[Answer]]] = deque()
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._is_closing = False
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is served, even if a free one was requested."""
        return self._port

    def close(self) -> None:
        """Stop serving. Safe to call twice."""
        if self._is_closing:
            return
        self._is_closing = True
        with suppress(BlockingIOError):
            self._wake.send(b"x")
        self._thread.join()
        for worker in self._workers:
            worker.shutdown(cancel_futures=True)
        for connection in [*self._waiting, *self._metrics]:
            self._drop(connection)
        self._selector.close()
        for one in (self._listener, self._wake, self._woken):
            one.close()

    def _serve(self) -> None:
        """The server's own loop."""
        while not self._is_closing:
            for key, _ in self._selector.select(TURN_S):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._woken:
                    self._take_made()
                else:
                    self._go_on(key.data)
            self._cut_off_old()

    def _accept(self) -> None:
        for _ in range(ACCEPTS_MAX):
            try:
                accepted, _address = self._listener.accept()
            except OSError:
                return  # None waiting, closed already, or too many open files.
            accepted.setblocking(False)
            connection = _Connection(accepted, self._clock.monotonic_ns())
            self._waiting[connection] = None
            self._selector.register(accepted, selectors.EVENT_READ, connection)
            if len(self._waiting) > CONNECTIONS_MAX:
                self._drop(next(iter(self._waiting)))
            # Most have sent their request already: they need not wait among the others.
            self._go_on(connection)

    def _go_on(self, connection: _Connection) -> None:
        """A connection can be read or written."""
        if connection.is_closed:
            return
        if connection.rest:
            self._send(connection)
            return
        try:
            data = connection.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data and connection.rest is None and not connection.is_asked:
            self._take(connection, data)
            return
        connection.unasked_bytes += len(data)
        if not data or connection.unasked_bytes > UNASKED_BYTES_MAX:
            self._drop(connection)

    def _take(self, connection: _Connection, data: bytes) -> None:
        """One more piece of a request's head."""
        head = connection.head
        begin = max(0, len(head) - 3)
        head += data
        lengths = [n for end in (b"\r\n\r\n", b"\n\n") if (n := head.find(end, begin)) >= 0]
        length = min(lengths, default=len(head))
        if length > HEAD_BYTES_MAX:
            self._answer(connection, _refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        elif lengths:
            asked = parse_request(bytes(head[:length]), self._own)
            self._answer_request(connection, asked)

    def _answer_request(self, connection: _Connection, asked: Request | HTTPStatus) -> None:
        if isinstance(asked, HTTPStatus):
            self._answer(connection, _refusal(asked))
            return
        connection.is_head, connection.is_asked = asked.is_head, True
        connection.is_metrics = asked.path == METRICS
        if connection.is_metrics:
            if len(self._metrics) >= METRICS_MAX:
                text = b"too many clients are reading metrics; try again\n"
                self._answer(connection, Answer(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, text))
                return
            self._metrics[connection] = None
        del self._waiting[connection]
        if not connection.is_metrics:
            self._waiting[connection] = None  # Connections with a complete request are closed last.
        made = self._workers[connection.is_metrics].submit(self._pages.answer, asked.path)
        made.add_done_callback(lambda made: self._hand_over(connection, made))

    def _hand_over(self, connection: _Connection, made: Future[Answer]) -> None:
        """Called by a worker."""
        self._made.append((connection, made))
        with suppress(BlockingIOError):  # Full: the server is awake.
            self._wake.send(b"x")

    def _take_made(self) -> None:
        self._woken.recv(RECEIVE_BYTES)
        while self._made:
            connection, made = self._made.popleft()
            error = made.exception()
            if error is not None:
                say("error", "http page failed", error=repr(error))
                self._drop(connection)
            elif not connection.is_closed:
                self._answer(connection, made.result())

    def _answer(self, connection: _Connection, answer: Answer) -> None:
        connection.rest = memoryview(_encoded(answer, is_head=connection.is_head))
        self._send(connection)

    def _send(self, connection: _Connection) -> None:
        assert connection.rest is not None, "there is an answer"
        try:
            sent = connection.socket.send(connection.rest)
            connection.rest = connection.rest[sent:]
            if connection.is_answered:
                # Closed once the client has closed: a reset would take the answer from it.
                connection.socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)
            return
        events = selectors.EVENT_READ if connection.is_answered else selectors.EVENT_WRITE
        self._selector.modify(connection.socket, events, connection)
        if connection.is_answered and connection in self._metrics:
            del self._metrics[connection]
            self._waiting[connection] = None

    def _cut_off_old(self) -> None:
        oldest_ns = self._clock.monotonic_ns() - CONNECTION_NS
        for connection in [c for c in (*self._waiting, *self._metrics) if c.since_ns <= oldest_ns]:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        if connection.is_closed:
            return
        connection.is_closed = True
        self._waiting.pop(connection, None)
        self._metrics.pop(connection, None)
        self._selector.unregister(connection.socket)
        connection.socket.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2 * CONNECTIONS_MAX)
    except (OSError, OverflowError, UnicodeError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"`http.host`, `http.port`: `{host}:{port}` cannot be used: {reason}"
        ) from None
    listener.setblocking(False)
    return listener


def _refusal(status: HTTPStatus) -> Answer:
    """A refusal repeats nothing of the request."""
    text = f"{status.phrase.lower()}\n"
    if status == HTTPStatus.MISDIRECTED_REQUEST:
        text = "the `Host` header names another server; add the name to `http.names`\n"
    return Answer(status, TEXT, text.encode())


def _encoded(answer: Answer, *, is_head: bool) -> bytes:
    status = answer.status
    allow = "Allow: GET, HEAD\r\n" if status == HTTPStatus.METHOD_NOT_ALLOWED else ""
    head = (
        f"HTTP/1.0 {status.value} {status.phrase}\r\n{HEADERS}{allow}"
        f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n\r\n"
    )
    return head.encode("ascii") + (b"" if is_head else answer.body)
