"""Metrics and health over real HTTP on loopback, and clients that misbehave."""

from __future__ import annotations

import http.client
import io
import logging
import socket
from collections.abc import Iterator

import pytest

from invariants.model.errors import ConfigError
from monitor.log import configure_log
from monitor.telemetry.http import MonitorPages, Pulse, Standing
from monitor.telemetry.http_server import MonitorServer
from tests.support.rim import HandClock


class Rig:
    """A served monitor whose standing the test chooses."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.healthy = Standing(True, "turning")
        self.ready = Standing(False, "the control topic is not read yet")
        self.fails = False
        pages = MonitorPages(
            metrics=self.metrics,
            metrics_type="text/plain; version=1.0.0",
            healthy=lambda: self.healthy,
            ready=lambda: self.ready,
        )
        self.server = MonitorServer(pages, "127.0.0.1", 0, self.clock)

    def metrics(self) -> bytes:
        if self.fails:
            raise ZeroDivisionError("a bug of ours")
        return b"interlock_ready 1\n"

    def ask(self, target: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, target)
            response = connection.getresponse()
            return response.status, dict(response.headers), response.read()
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=10)

    def exchange(self, request: bytes) -> bytes:
        with self.connect() as connection:
            connection.sendall(request)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass  # The server closed with bytes of ours unread; what it said came before.
    return b"".join(parts)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.server.close()


def test_metrics_are_served_as_they_are(rig: Rig) -> None:
    """Body and type are the metrics' own; a query changes nothing."""
    status, headers, body = rig.ask("/metrics?x=1")
    assert (status, body) == (200, b"interlock_ready 1\n")
    assert headers["Content-Type"] == "text/plain; version=1.0.0"


@pytest.mark.parametrize(("path", "alias"), [("/-/healthy", "/healthz"), ("/-/ready", "/readyz")])
def test_health_is_told_with_its_reason(rig: Rig, path: str, alias: str) -> None:
    """200 or 503, and why; both names of a page say the same."""
    for is_well, status in ((True, 200), (False, 503)):
        rig.healthy = rig.ready = Standing(is_well, "because\udc80")
        assert rig.ask(path)[::2] == rig.ask(alias)[::2] == (status, b"because\\udc80\n")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/-/", "/../etc/passwd", "/-/reload"])
def test_there_is_nothing_else(rig: Rig, path: str) -> None:
    """No listing, no files; what was asked for is not repeated."""
    status, _, body = rig.ask(path)
    assert (status, body) == (404, b"there is no such page\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "<script>"])
def test_only_reading_is_allowed(rig: Rig, method: str) -> None:
    """Other methods are refused without a look at their body."""
    answer = rig.exchange(method.encode() + b" /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 405 ")
    assert b"Allow: GET, HEAD" in answer
    assert b"script" not in answer


def test_head_has_no_body(rig: Rig) -> None:
    """The headers alone, with the length that a GET would have."""
    status, headers, body = rig.ask("/metrics", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "18", b"")


@pytest.mark.parametrize("path", ["/metrics", "/nowhere", "/-/ready"])
def test_every_answer_is_guarded(rig: Rig, path: str) -> None:
    """No sniffing, framing, caching or scripts; no version of anything is told."""
    _, headers, _ = rig.ask(path)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Connection"] == "close"
    assert headers["Server"] == "interlock"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    ],
    ids=["long target", "many headers", "long header", "version", "tls"],
)
def test_requests_out_of_bounds_are_refused(rig: Rig, request_: bytes) -> None:
    """They get an error or nothing, and the next request is served."""
    answer = rig.exchange(request_)
    assert b" 200 " not in answer.split(b"\r\n")[0]
    assert rig.ask("/metrics")[0] == 200


def test_a_page_that_fails_is_told_in_the_log(rig: Rig) -> None:
    """The client gets no traceback, the log gets the error, and serving goes on."""
    stream = io.StringIO()
    handler = configure_log("info", "json", stream=stream)
    rig.fails = True
    assert rig.exchange(b"GET /metrics HTTP/1.0\r\n\r\n") == b""
    rig.fails = False
    assert rig.ask("/metrics")[0] == 200
    logging.getLogger().removeHandler(handler)
    assert "a bug of ours" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_an_address_that_is_taken_is_told(rig: Rig) -> None:
    """At start, with the settings to change."""
    pages = MonitorPages(metrics=bytes, metrics_type="", healthy=lambda: rig.ready, ready=rig_ready)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"http.port.*{port}"):
            MonitorServer(pages, "127.0.0.1", port, rig.clock)
    with pytest.raises(ConfigError, match=r"http.host"):
        MonitorServer(pages, "999.1.1.1.invalid", 0, rig.clock)


def rig_ready() -> Standing:
    return Standing(True, "")


def test_closing_twice_is_safe(rig: Rig) -> None:
    """And nobody answers afterwards."""
    rig.server.close()
    rig.server.close()
    with pytest.raises(ConnectionRefusedError):
        rig.connect()


def test_the_pulse_tells_a_loop_that_stands_still() -> None:
    """Healthy up to the limit and not beyond it, by the clock that never jumps."""
    clock = HandClock()
    pulse = Pulse(clock, 5_000_000_000)
    clock.move(5)
    assert pulse.standing() == Standing(True, "the loop turned 5.0 s ago")
    clock.elapsed_ns += 1
    assert not pulse.standing().is_well
    pulse.beat()
    clock.wall_ns += 10**18
    assert pulse.standing().is_well
