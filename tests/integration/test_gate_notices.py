"""A webhook hears of calls that wait at a gate, and delays no answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from monitor.actions.webhook import sign
from monitor.gate.wire import Answer, Hold, Reason
from monitor.gate_server.notices import ATTEMPTS_MAX, WAITING_MAX, Notices
from monitor.secret import Secret
from tests.support.gate_served import ServedGate
from tests.support.monitor_process import PATIENCE_S


class Hook:
    """A receiver that answers only while `answers` is set, and remembers what it got."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.has_got = threading.Event()
        self.answers = threading.Event()
        hook = self

        class Request(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.answers.wait(PATIENCE_S)
                hook.got.append((dict(self.headers), body))
                self.send_response(204)
                self.end_headers()
                hook.has_got.set()

            def log_message(self, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Request)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.answers.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.close()


def test_a_held_call_is_posted_signed_and_nobody_waits_for_it(hook: Hook, tmp_path: Path) -> None:
    """The agent has its answer while the receiver hangs; the notice has no argument in it."""
    (tmp_path / "secret").write_text("hook-key")
    (tmp_path / "gate.settings.yaml").write_text(
        f"webhook:\n  url: http://127.0.0.1:{hook.server.server_address[1]}/held\n"
        f"  secret_file: {tmp_path / 'secret'}\n  timeout: 60s\n"
    )
    more = ("--config", str(tmp_path / "gate.settings.yaml"))
    gate = ServedGate(tmp_path / "g", tokens=("a", "op"), more=more)
    gate.start()
    try:
        answer = gate.ask("s-1", "pay", token="a", args={"amount": 5, "to": "IBAN-1"}).content
        assert answer["decision"] == "hold" and not hook.got
        assert gate.ask("s-2", "read", token="a").content["decision"] == "allow"
        hook.answers.set()
        assert hook.has_got.wait(PATIENCE_S)
        gate.stop()
    finally:
        gate.end()
    headers, body = hook.got[0]
    notice = json.loads(body)
    assert notice["approval"] == headers["Interlock-Delivery"] == answer["approval"]["id"]
    assert (notice["principal"], notice["session"], notice["tool"]) == ("a", "s-1", "pay")
    assert notice["invariants"][0]["id"] == "pay-approved" and b"IBAN-1" not in body
    signed = sign(Secret(b"hook-key"), int(headers["Interlock-Timestamp"]), body)
    assert headers["Interlock-Signature"] == signed


def held(number: int) -> Answer:
    return Answer(
        decision="hold",
        request="r",
        call="c",
        session="s",
        seq=0,
        approval=Hold(f"a-{number}", 1),
        invariants=[Reason("i", "text", "f")],
    )


def test_a_full_queue_loses_notices_and_counts_them() -> None:
    """While the receiver hangs, `tell` returns at once; what does not fit is counted."""
    entered, released = threading.Event(), threading.Event()

    def post(delivery: str, body: bytes) -> int:
        entered.set()
        released.wait(PATIENCE_S)
        return 200

    notices = Notices(post)
    notices.tell("a", "pay", held(0))
    assert entered.wait(PATIENCE_S)
    for number in range(1, WAITING_MAX + 4):
        notices.tell("a", "pay", held(number))
        notices.tell("a", "pay", held(1))  # A request that is repeated takes no place.
    assert notices.lost_count == 3
    released.set()
    notices.close()


@pytest.mark.parametrize("status", [302, 500, None])
def test_a_receiver_that_refuses_is_tried_again_and_given_up(status: int | None) -> None:
    """Each attempt has the same delivery; the loss is counted, and the next notice arrives."""
    tried: list[str] = []
    arrived = threading.Event()

    def post(delivery: str, body: bytes) -> int:
        tried.append(delivery)
        if delivery == "a-1":
            arrived.set()
            return 200
        if status is None:
            raise ConnectionRefusedError
        return status

    notices = Notices(post, pause_s=0)
    notices.tell("a", "pay", held(0))
    notices.tell("a", "pay", held(1))
    assert arrived.wait(PATIENCE_S)
    assert tried == ["a-0"] * ATTEMPTS_MAX + ["a-1"] and notices.lost_count == 1
    notices.close()
