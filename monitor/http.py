"""Metrics and health over HTTP, for Prometheus and for whoever restarts the monitor.

    GET /metrics      what Prometheus reads
    GET /-/healthy    200 while the loop turns, else 503 and why (also `/healthz`)
    GET /-/ready      200 once the monitor watches, else 503 and what it waits for (`/readyz`)

It reads no body, follows no path and has no other page. Connections are few and short: whoever
holds one open is cut off, and can keep metrics from being read, but never the monitor from working.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from invariants.errors import ConfigError

from .clock import Clock
from .log import say

CONNECTIONS_MAX: Final = 16
READ_S: Final = 3.0  # Between two pieces of a request.
CONNECTION_NS: Final = 10_000_000_000  # For a connection as a whole, however it drips.
TURN_S: Final = 0.25  # How often the server looks for connections that are too old.
TEXT: Final = "text/plain; charset=utf-8"
HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Connection", "close"),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether it is well, and a short text that says why (not)."""

    is_well: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers."""

    status: HTTPStatus
    content_type: str
    body: bytes


class Pulse:
    """Notes each turn of the loop, and says from another thread whether it still turns."""

    def __init__(self, clock: Clock, stall_limit_ns: int) -> None:
        self._clock = clock
        self._stall_limit_ns = stall_limit_ns
        self._last_ns = clock.monotonic_ns()

    def beat(self) -> None:
        self._last_ns = self._clock.monotonic_ns()

    def age_s(self) -> float:
        """How long ago the loop turned."""
        return (self._clock.monotonic_ns() - self._last_ns) / 1e9

    def standing(self) -> Standing:
        age_s = self.age_s()
        return Standing(age_s <= self._stall_limit_ns / 1e9, f"the loop turned {age_s:.1f} s ago")


class MonitorPages:
    """The answer of each path; everything is a callable, so that it is asked when it is read."""

    def __init__(
        self,
        *,
        metrics: Callable[[], bytes],
        metrics_type: str,
        healthy: Callable[[], Standing],
        ready: Callable[[], Standing],
    ) -> None:
        self._pages: Mapping[str, Callable[[], Answer]] = {
            "/metrics": lambda: Answer(HTTPStatus.OK, metrics_type, metrics()),
            "/-/healthy": lambda: _told(healthy()),
            "/healthz": lambda: _told(healthy()),
            "/-/ready": lambda: _told(ready()),
            "/readyz": lambda: _told(ready()),
        }

    def answer(self, target: str) -> Answer:
        """The answer of a request's target; its query is passed over."""
        page = self._pages.get(target.split("?", 1)[0])
        if page is None:
            return Answer(HTTPStatus.NOT_FOUND, TEXT, b"there is no such page\n")
        return page()


class MonitorServer:
    """Serves the pages on a thread until `close`.

    Raises
    ------
    ConfigError
        Where the address cannot be taken.
    """

    def __init__(self, pages: MonitorPages, host: str, port: int, clock: Clock) -> None:
        try:
            self._server = _Server(pages, host, port, clock)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(
                f"`http.host`, `http.port`: `{host}:{port}` cannot be served on: {reason}"
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(TURN_S,), name="http", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is served on, also where a free one was asked for."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving. Safe to call twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.cut_off(older_than_ns=0)
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """One thread a connection, `CONNECTIONS_MAX` at most, each for `CONNECTION_NS` at most."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = CONNECTIONS_MAX

    def __init__(self, pages: MonitorPages, host: str, port: int, clock: Clock) -> None:
        self.pages = pages
        self._clock = clock
        self._open: dict[int, tuple[int, socket.socket]] = {}
        self._guard = threading.Lock()
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Request)

    def server_bind(self) -> None:
        """As the base class's grandparent: no look-up of this machine's name, which may hang."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "interlock", self.server_address[1]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Called for each new connection, before it has a thread."""
        with self._guard:
            if len(self._open) >= CONNECTIONS_MAX:
                return False
            self._open[id(request)] = (self._clock.monotonic_ns(), request)
        return True

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.pop(id(request), None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called at every turn of the server's own loop."""
        self.cut_off(CONNECTION_NS)

    def cut_off(self, older_than_ns: int) -> None:
        now_ns = self._clock.monotonic_ns()
        with self._guard:
            old = [s for since, s in self._open.values() if now_ns - since >= older_than_ns]
        for connection in old:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # It went away by itself.

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event; a page that failed is ours."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            say("error", "http page failed", error=repr(error))


class _Request(BaseHTTPRequestHandler):
    """One request, one answer, and the connection is closed."""

    server: _Server
    timeout = READ_S
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self._send(self.server.pages.answer(self.path))

    def do_HEAD(self) -> None:
        self.do_GET()

    def version_string(self) -> str:
        return "interlock"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
        """Nothing: scrapes would fill the log, and the path is foreign text."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Without the base class's page, which repeats what was asked for."""
        status = HTTPStatus(code)
        if status == HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self.close_connection = True
        self._send(Answer(status, TEXT, f"{status.phrase.lower()}\n".encode()))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in HEADERS:
            self.send_header(name, value)
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


def _told(standing: Standing) -> Answer:
    status = HTTPStatus.OK if standing.is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return Answer(status, TEXT, f"{standing.reason}\n".encode("utf-8", "backslashreplace"))
