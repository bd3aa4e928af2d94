"""Addresses of gates, and tokens: what is accepted, and that a token is shown nowhere."""

from __future__ import annotations

import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from interlock import Client, ClientOptions, NoGate, SettingError
from interlock.gate.address import SOCKET_PATH_BYTES_MAX, find_token, parse_gate

SECRET = "s3cret-token-of-a-test"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("unix:/run/gate.sock", "unix:/run/gate.sock"),
        ("http://127.0.0.1:8181", "http://127.0.0.1:8181"),
        ("http://127.1.2.3:8181/", "http://127.1.2.3:8181"),
        ("http://localhost:8181", "http://127.0.0.1:8181"),
        ("http://[::1]:8181", "http://[::1]:8181"),
    ],
)
def test_addresses_of_this_host_are_accepted(text: str, told: str) -> None:
    """`localhost` is not looked up."""
    assert str(parse_gate(text, is_network_allowed=False)) == told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected `unix:PATH`"),
        ("unix:", "expected a socket"),
        ("unix:/a\0b", "expected a socket"),
        ("unix:/" + "x" * SOCKET_PATH_BYTES_MAX, "at most 107 bytes"),
        ("https://127.0.0.1:8181", "expected `unix:PATH`"),
        ("http://127.0.0.1", "expected `unix:PATH`"),
        ("http://127.0.0.1:0", "expected a port"),
        ("http://127.0.0.1:70000", "expected a port"),
        ("http://user:pw@127.0.0.1:8181", "expected `unix:PATH`"),
        ("http://127.0.0.1:8181/path", "expected `unix:PATH`"),
        ("http://127.0.0.1:8181\r\nX: y", "expected `unix:PATH`"),
        ("http://gate.example:8181", "another host"),
        ("http://10.0.0.1:8181", "another host"),
        ("http://127.0.0.1.example:8181", "another host"),
        ("http://0.0.0.0:8181", "another host"),
    ],
)
def test_other_addresses_are_refused(text: str, message: str) -> None:
    """`http` is in clear, so another host needs an option."""
    with pytest.raises(SettingError, match=message):
        Client(gate=text, token=SECRET)


def test_another_host_is_accepted_if_the_user_says_so() -> None:
    """For networks that are encrypted by other means."""
    options = ClientOptions(gate_over_network=True)
    Client(gate="http://gate.example:8181", token=SECRET, options=options).close()


def test_exactly_one_of_target_and_gate() -> None:
    """A second way of publishing would record everything twice."""
    for arguments in ({}, {"target": "log:/x", "gate": "unix:/x"}):
        with pytest.raises(SettingError, match="exactly one"):
            Client(**arguments)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="`token` is for a `gate`"):
        Client("log:/x", token=SECRET)
    with pytest.raises(SettingError, match="finds out who asks"):
        Client(gate="unix:/x", options=ClientOptions(principal="billing"))
    with pytest.raises(SettingError, match="needs a gate"):
        Client("log:/x", ClientOptions(control=False)).session("s", is_resumable=True)


def test_a_token_comes_as_text_as_a_file_or_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is given goes before the environment; a file is read again."""
    address = parse_gate("http://127.0.0.1:8181", is_network_allowed=False)
    with pytest.raises(SettingError, match="`http` needs one"):
        find_token(None, address)
    (tmp_path / "env").write_text("from-file\n")
    monkeypatch.setenv("INTERLOCK_GATE_TOKEN_FILE", str(tmp_path / "env"))
    assert find_token(None, address).read() == "from-file"
    monkeypatch.setenv("INTERLOCK_GATE_TOKEN", "from-variable")
    assert find_token(None, address).read() == "from-variable"
    assert find_token("given", address).read() == "given"
    token = find_token(tmp_path / "env", address)
    (tmp_path / "env").write_text("replaced")
    assert token.read() == "replaced"


@pytest.mark.parametrize("text", ["secret with blanks", "secret\nline", "sécret", "s" * 5_000])
def test_a_faulty_token_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    """Also in a file."""
    (tmp_path / "token").write_text(text)
    for token in (text, tmp_path / "token"):
        with pytest.raises(SettingError, match="visible ASCII") as refused:
            Client(gate="http://127.0.0.1:8181", token=token)
        assert text not in str(refused.value)
    with pytest.raises(SettingError, match="cannot be read: No such file"):
        Client(gate="http://127.0.0.1:8181", token=tmp_path / "none")


def test_a_token_is_sent_and_shown_nowhere() -> None:
    """Not in a representation, a refusal with its traceback, the counts, or a local variable."""
    got: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(str(self.headers["Authorization"]))
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    with Client(gate=address, token=SECRET, options=ClientOptions(ask_s_max=5)) as client:
        session = client.session("s1")
        with pytest.raises(NoGate, match="status 401") as refused:
            session.call("t", pytest.fail)
        told = "".join(traceback.TracebackException.from_exception(refused.value).format())
        shown = [told, repr(client), repr(session), repr(client.stats()), str(refused.value)]
        judge = client._connection.judge
        shown += [repr(vars(judge)), repr(refused.value.__reduce__())]
        client.close(0)
    server.shutdown()
    server.server_close()
    assert got[0] == f"Bearer {SECRET}"
    assert not [text for text in shown if SECRET in text]
