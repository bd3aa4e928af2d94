"""A gate over HTTP, as a process: who may ask, what is refused, what outlives a kill."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.cli.__main__ import main
from tests.support.gate_served import Reply, ServedGate, UnixHttp, exchange


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGate]:
    """Principals `a`, `b` and the operator `op`, by token; everybody else by user id."""
    gate = ServedGate(tmp_path_factory.mktemp("g"), tokens=("a", "b", "op"))
    gate.start()
    yield gate
    gate.stop()


def test_a_call_is_allowed_and_the_same_request_gets_the_same_answer(gate: ServedGate) -> None:
    """A retry with the same id is not judged again; other content under that id is a conflict."""
    first = gate.ask("same", "read_file", token="a", args={"path": "/x"}, request="r1")
    assert first.status == 200 and first.content["decision"] == "allow"
    again = gate.ask("same", "read_file", token="a", args={"path": "/x"}, request="r1")
    assert again.content == first.content
    other = gate.ask("same", "read_file", token="a", args={"path": "/y"}, request="r1")
    assert (other.status, other.code) == (409, "conflict")


def test_a_call_that_violates_is_denied(gate: ServedGate) -> None:
    """The answer names the invariant and has a sentence for the model."""
    told = {"kind": "tool.completed", "tool": "read_file", "args": {"path": "/secrets/k"}}
    body = {"session": "leak", "events": [told]}
    assert gate.send("POST", "/v1/tell", body, token="a").content == {"seq": [1]}
    denied = gate.ask("leak", "http.post", token="a", args={"url": "http://evil"})
    assert denied.status == 200 and denied.content["decision"] == "deny"
    assert [one["id"] for one in denied.content["invariants"]] == ["no-leak"]
    assert "refused before it ran" in denied.content["message"]


def test_a_body_over_several_lines_is_as_good(gate: ServedGate) -> None:
    """Its line breaks end no record, and no gate."""
    body = b'{\n "session": "lines",\n "tool": "read_file",\n "args": {\n  "path": "/x"\n }\n}'
    connection = UnixHttp(gate.socket)
    headers = {"Content-Type": "application/json", "Authorization": "Bearer a"}
    connection.request("POST", "/v1/ask", body, headers)
    assert connection.getresponse().status == 200
    connection.close()
    assert gate.ask("lines", "read_file", token="a").status == 200


def test_sessions_belong_to_principals(gate: ServedGate) -> None:
    """The same id of another principal is another session, and its answers are not readable."""
    gate.ask("own", "read_file", token="a", request="q1")
    path = "/v1/answers?session=own&request=q1"
    assert gate.send("GET", path, token="a").status == 200
    refused = gate.send("GET", path, token="b")
    assert (refused.status, refused.code) == (404, "unknown")


def test_no_event_opens_a_session_of_another(gate: ServedGate) -> None:
    """Not even one that says that the session begins here."""
    gate.ask("begun", "read_file", token="a")
    for kind in ("session.started", "heartbeat", "session.started"):
        body = {"session": "begun", "events": [{"kind": kind}]}
        refused = gate.send("POST", "/v1/tell", body, token="b")
        assert (refused.status, refused.code) == (403, "forbidden"), kind
    assert gate.ask("begun", "read_file", token="b").status == 403
    assert gate.send("POST", "/v1/sessions", {"session": "begun"}, token="b").status == 403
    told = {"session": "told", "events": [{"kind": "session.started"}, {"kind": "heartbeat"}]}
    assert gate.send("POST", "/v1/tell", told, token="b").content == {"seq": [0, 1]}


def test_a_held_call_waits_for_an_operator(gate: ServedGate) -> None:
    """The long poll ends when the operator has decided, and a grant is used once."""
    held = gate.ask("hold", "pay", token="a", args={"amount": 5}, request="p1")
    assert held.content["decision"] == "hold"
    replies: list[Reply] = []
    path = "/v1/answers?session=hold&request=p1&wait_s=60"
    poll = threading.Thread(target=lambda: replies.append(gate.send("GET", path, token="a")))
    poll.start()
    listed = gate.send("GET", "/v1/approvals", token="op").content["approvals"]
    (mine,) = [call for call in listed if call["request"] == "p1"]
    page = gate.send("GET", f"/v1/approvals/{mine['id']}", token="op").content
    assert page["approval"]["args"] == {"amount": 5}
    assert [line["kind"] for line in page["recent"]] == ["session.started", "approval.requested"]
    granted = gate.send("POST", f"/v1/approvals/{mine['id']}", {"decision": "grant"}, token="op")
    assert granted.content["decision"] == "allow"
    poll.join()
    assert replies[0].content["decision"] == "allow"
    again = gate.send("POST", f"/v1/approvals/{mine['id']}", {"decision": "grant"}, token="op")
    assert (again.status, again.code) == (404, "unknown")


def test_only_operators_see_and_decide_held_calls(gate: ServedGate) -> None:
    """An agent cannot list, read or grant; its own user id does not help it."""
    held = gate.ask("four-eyes", "pay", token="a", args={"amount": 5})
    path = f"/v1/approvals/{held.content['approval']['id']}"
    for reply in (
        gate.send("GET", "/v1/approvals", token="a"),
        gate.send("GET", path, token="a"),
        gate.send("POST", path, {"decision": "grant"}, token="a"),
        gate.send("POST", path, {"decision": "grant"}),
    ):
        assert (reply.status, reply.code) == (403, "forbidden")


def test_an_unknown_token_is_refused(gate: ServedGate) -> None:
    """It does not fall back to the user id, and the token is in neither the answer nor the log."""
    for value in ("Bearer guessed-token", "Basic YTpi", "Bearer", "Bearer a b", "bearer \tA"):
        reply = gate.send("GET", "/v1/approvals", headers={"Authorization": value})
        assert (reply.status, reply.code) == (401, "unauthenticated"), value
        assert reply.headers["www-authenticate"] == "Bearer"
    assert "guessed-token" not in gate.told()
    text = gate.send("GET", "/metrics").content.decode()
    assert "interlock_gate_authentication_failures_total 5.0" in text
    assert "guessed-token" not in text


def test_pages_in_browsers_are_refused(gate: ServedGate) -> None:
    """A request with `Origin` is a page's; a form cannot have the media type."""
    body = {"session": "s", "tool": "read_file"}
    reply = gate.send("POST", "/v1/ask", body, headers={"Origin": "http://localhost"})
    assert (reply.status, reply.code) == (403, "forbidden")
    for media_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        reply = gate.send("POST", "/v1/ask", body, headers={"Content-Type": media_type})
        assert (reply.status, reply.code) == (415, "media_type"), media_type


BODIES = [
    (b"", "malformed"),
    (b"[]", "malformed"),
    (b"{", "malformed"),
    (b'{"session":"s","tool":"t","session":"u"}', "malformed"),
    (b'{"session":"s","tool":"t","args":{"a":1,"a":2}}', "malformed"),
    (b'{"session":"s","tool":"t","extra":1}', "malformed"),
    (b'{"session":"s","tool":7}', "malformed"),
    (b'{"session":"s","tool":"t","args":[]}', "malformed"),
    (b'{"session":"s","tool":"t","args":{"a":"\xff"}}', "malformed"),
    (b'{"session":"s","tool":"t","args":{"a":"\\ud800"}}', "malformed"),
    (b'{"session":"s","tool":"t","args":{"a":NaN}}', "malformed"),
    (b'{"session":"","tool":"t"}', "malformed"),
    (b'{"session":"' + b"s" * 513 + b'","tool":"t"}', "malformed"),
    (b'{"session":"s","tool":"t","args":' + b'{"a":' * 64 + b"1" + b"}" * 64 + b"}", "malformed"),
    (b'{"session":"s","tool":"t","args":{"a":[' + b"1e308," * 2_000 + b"1]}}", "malformed"),
    (b" " * (900 * 1024 + 1), "too_large"),
]


@pytest.mark.parametrize(("body", "code"), BODIES, ids=range(len(BODIES)))
def test_a_faulty_body_is_refused(gate: ServedGate, body: bytes, code: str) -> None:
    """With its code and a message; nothing is recorded."""
    before = len(gate.records())
    reply = gate.send("POST", "/v1/ask", body, token="b")
    assert reply.code == code and reply.content["error"]["message"]
    assert len(gate.records()) == before


def test_a_number_out_of_range_is_a_missing_value(gate: ServedGate) -> None:
    """As on the stream: the rest of the request is judged."""
    body = b'{"session":"numbers","tool":"read_file","args":{"a":1e309}}'
    assert gate.send("POST", "/v1/ask", body, token="b").content["decision"] == "allow"


def test_chunks_and_expectations_are_read(gate: ServedGate) -> None:
    """A body may come in chunks, and after `100 Continue`."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(gate.socket))
        head = b"POST /v1/ask HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\n"
        head += b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        client.sendall(head + b"Expect: 100-continue\r\n\r\n")
        assert client.recv(4_096).startswith(b"HTTP/1.1 100 ")
        client.sendall(b'10\r\n{"session":"chu"\r\n14\r\n,"tool":"read_file"}\r\n0\r\n\r\n')
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_one_connection_serves_many_requests(gate: ServedGate) -> None:
    """Also after a refusal, unless the body was not read."""
    connection = UnixHttp(gate.socket)
    for _ in range(3):
        assert exchange(connection, "GET", "/v1/none", token="a").status == 404
        body = {"session": "kept", "tool": "read_file"}
        assert exchange(connection, "POST", "/v1/ask", body, token="a").status == 200
        connection_before = connection.sock
    assert connection.sock is connection_before
    connection.close()


def test_methods_and_pages(gate: ServedGate) -> None:
    """A known page with another method says which it has."""
    reply = gate.send("DELETE", "/v1/ask", token="a")
    assert (reply.status, reply.code, reply.headers["allow"]) == (405, "method", "POST")
    assert gate.send("GET", "/v1/../metrics").code == "unknown"
    assert gate.send("GET", "http://localhost/v1/approvals", token="op").code == "unknown"
    for query in ("a=1", "session=s&session=t&request=r", "session=s", "session=%ff&request=r"):
        assert gate.send("GET", f"/v1/answers?{query}", token="a").code == "malformed", query


def test_answers_outlive_a_kill(tmp_path: Path) -> None:
    """After kill -9 the same request gets the same answer, and a held call is still held."""
    gate = ServedGate(tmp_path / "g")
    gate.start()
    try:
        allowed = gate.ask("s", "read_file", request="r1").content
        held = gate.ask("s", "pay", args={"amount": 1}, request="r2").content
        gate.kill()
        gate.start()
        assert gate.ask("s", "read_file", request="r1").content == allowed
        assert gate.ask("s", "pay", args={"amount": 1}, request="r2").content == held
        numbers = [record["seq"] for record in gate.records()]
        assert numbers == list(range(len(numbers)))
        gate.stop()
        assert not gate.socket.exists()
    finally:
        gate.end()


def test_requests_in_flight_are_finished_at_a_stop(tmp_path: Path) -> None:
    """A long poll gets its answer as it stands, and the gate ends with 0."""
    gate = ServedGate(tmp_path / "g")
    gate.start()
    try:
        gate.ask("s", "pay", args={"amount": 1}, request="r")
        replies: list[Reply] = []
        path = "/v1/answers?session=s&request=r&wait_s=60"
        poll = threading.Thread(target=lambda: replies.append(gate.send("GET", path)))
        poll.start()
        while b"interlock_gate_polls 1.0" not in gate.send("GET", "/metrics").content:
            pass
        gate.stop()
        poll.join()
        assert replies[0].content["decision"] == "hold"
    finally:
        gate.end()


def _serve(tmp_path: Path, listen: str, *more: str) -> int:
    (tmp_path / "f.yaml").write_text("version: 1\ninvariants: []\n")
    command = ["gate", "serve", "--invariants", "pack:default", "--listen", listen]
    command += ["--publish", f"log:{tmp_path / 'log'}", "--state-dir", str(tmp_path / "state")]
    return main([*command, *more])


@pytest.mark.parametrize(
    ("listen", "text"),
    [
        ("http://127.0.0.1:0", "set `principals`"),
        ("http://0.0.0.0:80", "is not a loopback address"),
        ("http://127.0.0.1", "expected `unix:PATH`"),
        ("https://127.0.0.1:1", "expected `unix:PATH`"),
        ("unix:", "1 to 107 bytes"),
        ("unix:" + "x" * 108, "1 to 107 bytes"),
        ("unix:a,unix:a", "different addresses"),
        ("unix:DIR/missing/gate.sock", "make the folder"),
        ("unix:DIR/file", "is not a socket"),
        ("unix:DIR/link", "is not a socket"),
        ("unix:DIR/open/gate.sock", "other users may replace"),
    ],
)
def test_an_unsafe_address_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], listen: str, text: str
) -> None:
    """Before anything listens, with what to do."""
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert _serve(tmp_path, listen.replace("DIR", str(tmp_path))) == 2
    assert text in capsys.readouterr().err
    assert (tmp_path / "file").exists() and (tmp_path / "link").is_symlink()


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two gates never share a path."""
    gate = ServedGate(tmp_path / "g")
    gate.start()
    try:
        assert _serve(tmp_path, f"unix:{gate.socket}") == 2
        assert "another process listens" in capsys.readouterr().err
        gate.kill()
        assert gate.socket.is_socket()
        gate.start()
        assert gate.socket.stat().st_mode & 0o777 == 0o660
        assert gate.socket.stat().st_uid == os.geteuid()
        gate.stop()
    finally:
        gate.end()
