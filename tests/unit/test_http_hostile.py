"""Health over real sockets beside clients that are slow, many, large, or call us by other names."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invariants.model.errors import ConfigError
from monitor.telemetry.http import MonitorPages, Standing
from monitor.telemetry.http_request import (
    HEAD_BYTES_MAX,
    OwnNames,
    Request,
    own_names,
    parse_request,
)
from monitor.telemetry.http_server import (
    CONNECTION_NS,
    CONNECTIONS_MAX,
    METRICS_MAX,
    UNASKED_BYTES_MAX,
    MonitorServer,
)
from tests.support.rim import HandClock
from tests.unit.test_http import read_all

METRICS = b"GET /metrics HTTP/1.0\r\n\r\n"
LARGE = b"m 1\n" * 4_000_000
"""More than the buffers of two sockets hold."""


class Rig:
    """A server whose metrics take as long as the test says."""

    def __init__(self, names: str = "") -> None:
        self.clock = HandClock()
        self.may_render = threading.Event()
        self.may_render.set()
        self.body = b"interlock_ready 1\n"
        well = Standing(True, "turning")
        pages = MonitorPages(
            metrics=self.metrics,
            metrics_type="text/plain",
            healthy=lambda: well,
            ready=lambda: well,
        )
        self.server = MonitorServer(pages, "127.0.0.1", 0, self.clock, names=names)

    def metrics(self) -> bytes:
        self.may_render.wait()
        return self.body

    def connect(self, request: bytes = b"") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=20)
        connection.sendall(request)
        return connection

    def read_slowly(self, held: ExitStack) -> list[socket.socket]:
        """As many clients as may read metrics. When health answers, the server has taken the
        request that was sent before: else a later one could take its place.
        """
        clients = []
        for _ in range(METRICS_MAX):
            clients.append(held.enter_context(self.connect(METRICS)))
            assert self.is_healthy()
        return clients

    def exchange(self, request: bytes) -> bytes:
        with self.connect(request) as connection:
            return read_all(connection)

    def is_healthy(self) -> bool:
        return b" 200 OK" in self.exchange(b"GET /-/healthy HTTP/1.0\r\n\r\n").split(b"\r\n")[0]

    def status(self, request: bytes) -> int:
        return int(self.exchange(request).split()[1])


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.may_render.set()
    made.server.close()


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_slow_metrics_do_not_stand_before_health(rig: Rig, held: ExitStack) -> None:
    """While as many as may read metrics wait for them, one more is refused and health answers."""
    rig.may_render.clear()
    waiting = rig.read_slowly(held)
    assert rig.status(METRICS) == 503
    assert rig.is_healthy()
    rig.may_render.set()
    assert all(b" 200 OK" in read_all(connection) for connection in waiting)
    assert rig.status(METRICS) == 200


def test_clients_that_do_not_read_do_not_stand_before_health(rig: Rig, held: ExitStack) -> None:
    """Their metrics wait in buffers; nobody else does, and they are cut off."""
    rig.body = LARGE
    slow = rig.read_slowly(held)
    assert rig.status(METRICS) == 503
    assert rig.is_healthy()
    rig.clock.elapsed_ns += CONNECTION_NS
    assert all(len(read_all(connection)) < len(LARGE) for connection in slow)
    assert len(rig.exchange(METRICS)) > len(LARGE)


@pytest.mark.parametrize("begun", [b"", b"GET /-/hea", b"GET / HTTP/1.1\r\nX: y\r\n"])
def test_unfinished_requests_do_not_stand_before_health(
    rig: Rig, held: ExitStack, begun: bytes
) -> None:
    """Slowloris: of too many the oldest goes, whatever it goes on sending."""
    many = [held.enter_context(rig.connect(begun)) for _ in range(CONNECTIONS_MAX + 10)]
    assert rig.is_healthy()
    assert read_all(many[0]) == b""
    rig.clock.elapsed_ns += CONNECTION_NS
    assert read_all(many[-1]) == b""
    assert rig.is_healthy()


def test_a_request_in_single_bytes_is_served(rig: Rig) -> None:
    """Slow is not hostile, while there is room and time."""
    with rig.connect() as connection:
        for byte in b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert read_all(connection).startswith(b"HTTP/1.0 200 OK\r\n")


def test_heads_are_bounded(rig: Rig) -> None:
    """A longer one is refused with its status, whatever it is made of."""
    for head in (b"GET /" + b"a" * HEAD_BYTES_MAX, b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000):
        assert rig.status(head) == 431
    many = b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n"
    assert rig.status(many) == 431
    assert rig.is_healthy()


def test_what_comes_behind_a_request_is_bounded(rig: Rig) -> None:
    """A body is not read, and one without end is cut off."""
    with rig.connect(b"POST / HTTP/1.0\r\n\r\n") as connection:
        assert connection.recv(12) == b"HTTP/1.0 405"
        with pytest.raises(OSError):
            for _ in range(1_000):
                connection.sendall(bytes(UNASKED_BYTES_MAX))
    assert rig.is_healthy()


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "127.0.0.1:9847", "127.9.9.9", "[::1]:80", "localhost."],
)
def test_names_of_loopback_are_ours(rig: Rig, host: str) -> None:
    """With a port or without, in either case of letters."""
    assert rig.status(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "10.0.0.1", "a b",
        "localhost@evil.example", "evil.example#localhost", "[::1", "x" * 300, "monitor",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/nowhere"])
def test_other_names_are_refused(rig: Rig, host: str, path: str) -> None:
    """A browser that was led here by a name of somebody else reads nothing."""
    answer = rig.exchange(f"GET {path} HTTP/1.1\r\nhOsT : {host}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.0 421 ")
    assert b"evil" not in answer and b"interlock_ready" not in answer


def test_two_hosts_are_a_bad_request(rig: Rig) -> None:
    """Two readers could follow two names."""
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n"
    assert rig.status(request) == 400


def test_further_names_are_a_setting() -> None:
    """Those and no others; what is not a name is refused at start."""
    rig = Rig(names="monitor, m.ns.svc")
    for host, status in (("monitor:9847", 200), ("M.ns.svc", 200), ("ns.svc", 421)):
        assert rig.status(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()) == status
    rig.server.close()
    for names in ("monitor:9847", "a b", "*"):
        with pytest.raises(ConfigError, match=r"`http.names`: .* is not a host name"):
            Rig(names)


def test_the_bound_address_is_ours() -> None:
    """An address of another interface is not, unless every address is served."""
    assert own_names("10.0.0.5", "10.0.0.5", []).has("10.0.0.5:9847")
    assert not own_names("10.0.0.5", "10.0.0.5", []).has("10.0.0.6")
    for everywhere in ("0.0.0.0", "::"):
        own = own_names(everywhere, everywhere, [])
        assert own.has("10.1.2.3:9847") and own.has("[2001:db8::1]")
        assert not own.has("rebound.example")
    assert own_names("10.0.0.5", "monitor.example", []).has("Monitor.example:1")


@given(st.binary(max_size=200))
def test_no_head_makes_the_parser_fail(head: bytes) -> None:
    """It is a request for a path, or a status that refuses."""
    parsed = parse_request(head, OwnNames("127.0.0.1"))
    assert isinstance(parsed, Request | HTTPStatus)
