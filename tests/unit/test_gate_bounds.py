"""Each bound of the gate's server, reached over real sockets: its effect and its count."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.gate_server.bounds import Bounds
from tests.support.gate_in_thread import (
    HEAD,
    ServedHere,
    asking,
    post,
    read_reply,
    status,
)

SMALL = Bounds(refusal_pause_s=0.01)


def is_closed(client: socket.socket) -> bool:
    """True if the server has closed it, without a response."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


def until(condition: Callable[[], bool]) -> None:
    """Wait; the timeout of tests is the bound."""
    while not condition():
        pass


def test_time_limits(tmp_path: Path) -> None:
    """A head or a body that drips, and an idle connection, are closed; others are served."""
    bounds = Bounds(head_s=0.2, body_s=0.2, idle_s=0.2)
    with ServedHere(tmp_path, bounds) as server:
        silent, head = server.connect(), server.connect(HEAD)
        body = server.connect(HEAD + b"Content-Length: 9\r\n\r\n{")
        idle = server.connect(asking("s"))
        assert status(read_reply(idle)) == 200
        assert is_closed(silent) and is_closed(head) and is_closed(idle)
        assert status(read_reply(body)) == 408
        assert server.reached("head_time") == 2 and server.reached("idle_time") >= 1
        assert server.reached("body_time") == 1
        assert status(read_reply(server.connect(asking("s")))) == 200


def test_a_client_that_does_not_read_is_disconnected(tmp_path: Path) -> None:
    """Its responses fill the buffers; nobody else waits for it."""
    with ServedHere(tmp_path, Bounds(write_s=0.2)) as server:
        client = server.connect()
        client.setblocking(False)
        asked = b"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
        rest = b""
        while server.reached("write_time") == 0:
            rest = rest or asked
            with contextlib.suppress(BlockingIOError, ConnectionError):
                rest = rest[client.send(rest) :]
            assert status(server.get("/-/healthy")) == 200


def test_requests_of_a_principal_wait_unread(tmp_path: Path) -> None:
    """While as many as may are in progress, others wait; if their client leaves, they are gone."""
    with ServedHere(tmp_path, Bounds(requests_of_principal_max=1)) as server:
        kept = server.connect(asking("kept"))
        assert status(read_reply(kept)) == 200
        first = server.connect(HEAD + b"Content-Length: 30\r\n\r\n")
        until(lambda: _can_not_enter(server))
        kept.sendall(asking("kept"))
        gone = server.connect(asking("gone"))
        until(lambda: server.reached("requests") >= 2)
        gone.close()
        first.sendall(b'{"session":"s","tool":"read"} ')
        assert status(read_reply(first)) == 200
        assert status(read_reply(kept)) == 200
        assert status(read_reply(server.connect(asking("s")))) == 200
        assert server.gate is not None
        assert "gone" not in {record["session"] for record in server.gate.records()}


def _can_not_enter(server: ServedHere) -> bool:
    """True once another request of the principal has to wait."""
    before = server.reached("requests")
    with server.connect(asking("try")) as client:
        client.setblocking(False)
        while True:
            if server.reached("requests") > before:
                return True
            try:
                client.recv(1)
            except BlockingIOError:
                continue
            return False


def test_connections_of_a_principal(tmp_path: Path) -> None:
    """One more gets 429 and is closed; when one ends, there is room."""
    bounds = Bounds(connections_of_principal_max=2, refusal_pause_s=0.01)
    with ServedHere(tmp_path, bounds) as server:
        clients = [server.connect(asking("s")) for _ in range(2)]
        assert [status(read_reply(client)) for client in clients] == [200, 200]
        third = server.connect(asking("s"))
        reply = read_reply(third)
        assert status(reply) == 429 and b"Retry-After: 1" in reply and b'"crowded"' in reply
        assert is_closed(third)
        clients[0].close()
        until(lambda: status(read_reply(server.connect(asking("s")))) == 200)


def test_strangers_close_their_own_oldest(tmp_path: Path) -> None:
    """Connections that send nothing are replaced by newer ones, and owned ones are not."""
    with ServedHere(tmp_path, Bounds(strangers_max=3)) as server:
        owned = server.connect(asking("s"))
        assert status(read_reply(owned)) == 200
        strangers = [server.connect() for _ in range(8)]
        assert all(is_closed(client) for client in strangers[:4])
        owned.sendall(asking("s"))
        assert status(read_reply(owned)) == 200
        assert server.reached("strangers") >= 5


def test_connections_in_all(tmp_path: Path) -> None:
    """If every connection has a principal, a new one is closed."""
    with ServedHere(tmp_path, Bounds(connections_max=2)) as server:
        clients = [server.connect(asking("s")) for _ in range(2)]
        assert [status(read_reply(client)) for client in clients] == [200, 200]
        assert is_closed(server.connect(asking("s")))
        clients[0].close()
        until(lambda: status(read_reply(server.connect(asking("s")))) == 200)


def test_long_polls_of_a_principal(tmp_path: Path) -> None:
    """One more gets 429; a poll is no request in progress."""
    bounds = Bounds(
        polls_of_principal_max=1, requests_of_principal_max=1, refusal_pause_s=0.01, wait_s_max=1
    )
    with ServedHere(tmp_path, bounds) as server:
        assert b'"hold"' in read_reply(server.connect(asking("s", "pay", request="r")))
        poll = b"GET /v1/answers?session=s&request=r&wait_s=99999 HTTP/1.1\r\nHost: x\r\n\r\n"
        first = server.connect(poll)
        until(lambda: b"interlock_gate_polls 1.0" in server.get("/metrics"))
        assert status(read_reply(server.connect(poll))) == 429
        assert status(read_reply(server.connect(asking("t")))) == 200
        assert b'"hold"' in read_reply(first)


def test_new_sessions_of_a_principal(tmp_path: Path) -> None:
    """Known ones go on, and one more is allowed each second."""
    bounds = Bounds(sessions_burst_max=2, refusal_pause_s=0.01)
    with ServedHere(tmp_path, bounds) as server:
        client = server.connect()
        found = []
        for session in ("a", "b", "c", "a"):
            client.sendall(asking(session))
            found.append(status(read_reply(client)))
        assert found == [200, 200, 429, 200]
        assert server.gate is not None
        server.gate.clock.time_ns += 1_000_000_000
        client.sendall(asking("c"))
        assert status(read_reply(client)) == 200


def test_events_of_a_tell(tmp_path: Path) -> None:
    """More are refused, and none is recorded."""
    with ServedHere(tmp_path, Bounds(events_of_tell_max=2)) as server:
        events = b",".join([b'{"kind":"heartbeat"}'] * 3)
        body = b'{"session":"s","events":[' + events + b"]}"
        assert status(read_reply(server.connect(post(body, "/v1/tell")))) == 413
        assert server.gate is not None and not server.gate.records()


def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    """Two requests in one packet are two responses."""
    with ServedHere(tmp_path, SMALL) as server:
        client = server.connect(asking("s", request="r1") + asking("s", request="r2"))
        data = b""
        while data.count(b"HTTP/1.1 200") < 2 or not data.endswith(b"}"):
            data += client.recv(65_536)
        assert data.index(b'"r1"') < data.index(b'"r2"')


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"Host: evil.example", 421),
        (b"Host: localhost.evil.example", 421),
        (b"X: y", 400),
        (b"Host: localhost\r\nHost: localhost", 400),
        (b"Host: localhost", 401),
        (b"Host: 127.0.0.1:9", 401),
        (b"Host: [::1]", 401),
        (b"Host: localhost\r\nOrigin: null", 403),
        (b"Host: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade", 400),
        (b"Host: localhost\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y", 400),
        (b"Host: localhost\r\nA: " + b"x" * 5_000, 400),
        (b"Host: localhost\r\n" + b"\r\n".join(b"A%d: x" % n for n in range(40)), 400),
        (b"Host: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", 400),
        (b"Host: localhost\r\nContent-Length: 1\r\nContent-Length: 2", 400),
        (b"Host: localhost\r\n Folded: x", 400),
        (b"Host: localhost\r\nA : b", 400),
    ],
)
def test_heads_over_tcp(tmp_path: Path, head: bytes, expected: int) -> None:
    """Only a loopback name is ours; nothing on a port is anybody without a token."""
    with ServedHere(tmp_path, SMALL) as server:
        client = server.connect_tcp(b"GET /v1/approvals HTTP/1.1\r\n" + head + b"\r\n\r\n")
        reply = read_reply(client)
        assert status(reply) == expected, reply
        assert b'{"error":{"code":' in reply


@pytest.mark.parametrize(
    ("coding", "expected"), [(b"chunked", 200), (b"Chunked", 200), (b"gzip, chunked", 400)]
)
def test_a_body_has_no_other_transfer_coding(tmp_path: Path, coding: bytes, expected: int) -> None:
    """A proxy before the gate could undo it, and the gate would judge another body."""
    head = b"POST /v1/ask HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    body = b'1d\r\n{"session":"s-1","tool":"tt"}\r\n0\r\n\r\n'
    with ServedHere(tmp_path, SMALL) as server:
        reply = read_reply(
            server.connect(head + b"Transfer-Encoding: " + coding + b"\r\n\r\n" + body)
        )
        assert status(reply) == expected, reply


def test_a_key_twice_is_refused(tmp_path: Path) -> None:
    """At any depth: what is judged must be what is used."""
    with ServedHere(tmp_path, SMALL) as server:
        for body in (b'{"session":"s","session":"s","tool":"t"}', DEEP):
            assert status(read_reply(server.connect(post(body)))) == 400


DEEP = b'{"session":"s","tool":"t","args":{"a":[{"b":1,"b":2}]}}'
