"""Webhooks against a real server on loopback: signed, bounded, never redirected."""

from __future__ import annotations

import hashlib
import hmac
import json
import select
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from invariants.model.errors import ConfigError
from monitor.actions.contract import Order
from monitor.actions.webhook import WAITING_MAX, WebhookDriver, WebhookSettings
from monitor.config.webhook_address import WebhookAddress, parse_webhook_url
from monitor.response.plan import ResponsePolicy, plan
from monitor.secret import Secret
from tests.support.rim import START_NS, HandClock, make_finding


class Receiver:
    """An HTTP server that answers with `status` and keeps what it got."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.gate = threading.Event()
        self.gate.set()
        receiver = self

        class Request(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.gate.wait(10)
                receiver.got.append((self.path, dict(self.headers), body))
                self.send_response(receiver.status)
                if 300 <= receiver.status < 400:
                    self.send_header("Location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Request)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.gate.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def make_driver(port: int, **more: object) -> WebhookDriver:
    address = WebhookAddress(False, "127.0.0.1", port, "/in?team=a")
    return WebhookDriver(WebhookSettings(address, **more), HandClock())  # type: ignore[arg-type]


def make_order(number: int = 1, attempts: int = 0) -> Order:
    finding = make_finding(f"f-{number}", summary="né\n")
    action = plan(finding, ResponsePolicy(has_webhook=True))[-1]
    assert action.target == "webhook"
    return Order(action, finding, attempts)


def test_a_delivery_is_signed_and_whole(receiver: Receiver) -> None:
    """The receiver can check the signature by the documented rule, and finds the finding."""
    driver = make_driver(receiver.port, secret=Secret(b"k3y"))
    order = make_order()
    assert driver.deliver(order).kind == "done"
    path, headers, body = receiver.got[0]
    timestamp = headers["Interlock-Timestamp"]
    signed = hmac.new(b"k3y", f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert path == "/in?team=a"
    assert headers["Interlock-Signature"] == f"v1={signed}"
    assert int(timestamp) == START_NS // 10**9
    assert headers["Interlock-Delivery"] == order.action.id
    told = json.loads(body)
    assert (told["v"], told["finding"]["id"], told["action"]["kind"]) == (1, "f-1", "alert")
    driver.close()


def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    """No signature is better than one that proves nothing."""
    driver = make_driver(receiver.port)
    driver.deliver(make_order())
    assert "Interlock-Signature" not in receiver.got[0][1]
    driver.close()


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 429, 500, 503])
def test_anything_but_success_is_tried_again(receiver: Receiver, status: int) -> None:
    """Refusals may be mended by a person meanwhile; redirects are not followed."""
    receiver.status = status
    driver = make_driver(receiver.port)
    outcome = driver.deliver(make_order())
    assert outcome.kind == "retry"
    assert str(status) in outcome.detail
    assert [path for path, _, _ in receiver.got] == ["/in?team=a"]
    driver.close()


def test_attempts_are_bounded(receiver: Receiver) -> None:
    """The last attempt that is allowed fails for good, and says how many there were."""
    receiver.status = 500
    driver = make_driver(receiver.port, attempts_max=3)
    assert driver.deliver(make_order(attempts=1)).kind == "retry"
    outcome = driver.deliver(make_order(attempts=2))
    assert outcome.kind == "failed"
    assert "3 attempts" in outcome.detail
    driver.close()


def test_a_receiver_that_is_away_is_tried_again() -> None:
    """A refused connection is an outcome, not an exception."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    driver = make_driver(port)
    assert driver.deliver(make_order()).kind == "retry"
    driver.close()


def test_a_receiver_that_says_nothing_is_cut_off() -> None:
    """The time-out ends an attempt whose answer does not come."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        driver = make_driver(server.getsockname()[1], timeout_s=0.1)
        outcome = driver.deliver(make_order())
        driver.close()
    assert outcome.kind == "retry"
    assert "TimeoutError" in outcome.detail


def test_a_receiver_that_answers_a_byte_at_a_time_is_cut_off() -> None:
    """The limit is of the whole attempt: each byte alone comes soon enough."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not select.select([connection], [], [], 0.01)[0]:
                    connection.sendall(b"x")

        thread = threading.Thread(target=answer)
        thread.start()
        driver = make_driver(server.getsockname()[1], timeout_s=0.3)
        outcome = driver.deliver(make_order())
        thread.join()
        driver.close()
    assert outcome.kind == "retry"


def test_a_receiver_that_speaks_no_http_is_tried_again() -> None:
    """Noise in place of an answer is an outcome."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(b"\x00\xff noise\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        driver = make_driver(server.getsockname()[1])
        outcome = driver.deliver(make_order())
        thread.join()
        driver.close()
    assert outcome.kind == "retry"


def test_a_slow_receiver_delays_nobody(receiver: Receiver) -> None:
    """Handing over returns at once, and past the bound says that it is busy."""
    receiver.gate.clear()
    driver = make_driver(receiver.port)
    kinds = [driver.carry_out(make_order(number)).kind for number in range(WAITING_MAX + 5)]
    assert kinds.count("started") in (WAITING_MAX, WAITING_MAX + 1)
    assert kinds[-1] == "busy"
    assert driver.finished() == []
    receiver.gate.set()
    done: list[tuple[str, object]] = []
    while len(done) < 20:
        done += driver.finished()
    assert [id_ for id_, _ in done[:20]] == [make_order(n).action.id for n in range(20)]
    driver.close()
    driver.close()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://host/x", "begin with"),
        ("file:///etc/passwd", "begin with"),
        ("https://user:pw@host/x", "must not contain a user or password"),
        ("https:///x", "HOST"),
        ("https://host/x#part", "HOST"),
        ("https://host:99999/", "not a valid address"),
        ("https://host/a b", "HOST"),
        ("https://host/a\r\nX: y", "HOST"),
        ("https://hóst/", "HOST"),
        ("https://[::1/", "not a valid address"),
    ],
)
def test_addresses_that_are_refused(url: str, why: str) -> None:
    """Other schemes, passwords, and what would break out of the request; none is repeated."""
    with pytest.raises(ConfigError, match=why) as caught:
        parse_webhook_url(url)
    assert "pw" not in str(caught.value)


def test_addresses_that_are_taken() -> None:
    """Ports and paths have their defaults."""
    assert parse_webhook_url("http://h") == WebhookAddress(False, "h", 80, "/")
    assert parse_webhook_url("https://[::1]:8443/a") == WebhookAddress(True, "::1", 8443, "/a")


def test_a_missing_certificate_file_is_told() -> None:
    """At start, not at the first alert."""
    settings = WebhookSettings(WebhookAddress(True, "h", 443, "/"), ca_file="/no/such/file")
    with pytest.raises(ConfigError, match=r"webhook.ca_file"):
        WebhookDriver(settings, HandClock())
