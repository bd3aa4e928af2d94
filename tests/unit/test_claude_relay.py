"""The relay of hooks, as the process that Claude Code starts, and the page that it asks."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from interlock import Client, NoGate, SettingError, claude_relay
from monitor.gate_server.bounds import Bounds
from monitor.principals.parse import parse_principals
from tests.support.gate_in_thread import ServedHere, post, read_reply, status
from tests.support.monitor_process import PATIENCE_S

RELAY = claude_relay.__file__
CALL = {
    "session_id": "s-1",
    "hook_event_name": "PreToolUse",
    "tool_name": "read_file",
    "tool_use_id": "c1",
    "tool_input": {"path": "/a"},
}
TOKEN, OPERATORS = "t" * 16, "o" * 16
PRINCIPALS = f"""
versions:
  - version: 1
    since: 2020-01-01T00:00:00Z
    principals:
      bot: {{token_sha256: "{sha256(TOKEN.encode()).hexdigest()}"}}
      ana: {{token_sha256: "{sha256(OPERATORS.encode()).hexdigest()}", roles: [approver]}}
    approvals: {{roles: [approver], approvers: 1, expires: 15m}}
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedHere]:
    with ServedHere(tmp_path, Bounds(hook_bytes_max=100_000)) as serving:
        yield serving


def relayed(
    path: Path, event: str, content: object, *, wait_s: int = 0, token: str = ""
) -> subprocess.CompletedProcess[str]:
    """One event, by a process without an environment but for a token."""
    body = content if isinstance(content, str) else json.dumps(content)
    return subprocess.run(
        [sys.executable, "-I", "-S", RELAY, str(path), event, f"event={event}&wait_s={wait_s}"],
        input=body,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={"INTERLOCK_GATE_TOKEN": token} if token else {},
    )


def test_a_call_is_asked_for(served: ServedHere) -> None:
    """The output is the gate's: empty for a call that may be made."""
    done = relayed(served.path, "PreToolUse", CALL)
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {}, "")
    assert served.gate is not None
    assert [one["kind"] for one in served.gate.records()] == ["session.started", "tool.requested"]


def test_a_call_that_violates_is_denied(served: ServedHere) -> None:
    read = {**CALL, "tool_input": {"path": "/secrets/key"}}
    relayed(served.path, "PreToolUse", read)
    done = {**read, "hook_event_name": "PostToolUse", "tool_response": "key"}
    relayed(served.path, "PostToolUse", done)
    post = {**CALL, "tool_name": "http.post", "tool_use_id": "c2", "tool_input": {}}
    output = json.loads(relayed(served.path, "PreToolUse", post).stdout)
    assert output["hookSpecificOutput"]["permissionDecision"] == "deny"


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("PreToolUse", 2),
        ("UserPromptSubmit", 2),
        ("PostToolUse", 0),
        ("PostToolUseFailure", 0),
        ("PostToolBatch", 0),
        ("Stop", 1),
        ("PermissionRequest", 1),
        ("SessionEnd", 1),
    ],
)
def test_without_a_gate_nothing_goes_on(tmp_path: Path, event: str, code: int) -> None:
    """A call and a prompt are blocked, a report about a call ends the run, and no other event
    changes what the runtime does.
    """
    done = relayed(tmp_path / "none.sock", event, CALL)
    assert done.returncode == code
    if code:
        assert "Interlock's gate could not be asked: No such file" in done.stderr
        assert done.stdout == ""
    else:
        output = json.loads(done.stdout)
        assert output["continue"] is False and "could not be asked" in output["stopReason"]


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"{}",
        HEAD,
        HEAD + b"{",
        HEAD + b"{}{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 500 Bad\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /x\r\n\r\n",
        b"HTTP/1.1 400 Bad\r\nContent-Length: 4\r\n\r\n\xff\xfe[]",
        b"HTTP/1.1 200 OK\r\nContent-Length\r\nContent-Length: 2\r\n\r\n{}}",
        b"x" * (claude_relay.OUTPUT_BYTES_MAX + 1),
    ],
)
def test_an_answer_that_is_not_a_gates_blocks(tmp_path: Path, reply: bytes) -> None:
    """It is cut, has no length, has another status, or is too long."""
    with answering(tmp_path / "s", reply) as path:
        done = relayed(path, "PreToolUse", CALL)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Interlock's gate could not be asked: ")
    assert "Traceback" not in done.stderr


def test_a_whole_answer_is_handed_on(tmp_path: Path) -> None:
    """The counterpart: the same server with a right answer."""
    with answering(tmp_path / "s", HEAD + b"{}") as path:
        assert relayed(path, "PreToolUse", CALL).stdout == "{}"


def test_a_refusal_says_why(served: ServedHere) -> None:
    done = relayed(served.path, "PreToolUse", "{")
    assert done.returncode == 2 and "the body is not JSON" in done.stderr
    done = relayed(served.path, "UserPromptSubmit", {**CALL, "session_id": "a/b"})
    assert done.returncode == 2 and "`session_id`" in done.stderr


@pytest.mark.parametrize("size", [200_000, claude_relay.INPUT_BYTES_MAX + 1])
def test_an_event_that_is_too_long_is_not_let_through(served: ServedHere, size: int) -> None:
    """At the gate's bound, and at that of the relay."""
    assert relayed(served.path, "PreToolUse", "x" * size).returncode == 2
    output = json.loads(relayed(served.path, "PostToolUse", "x" * size).stdout)
    assert output["continue"] is False


@pytest.mark.parametrize("response", ["x" * 3_000_000, {"file": ["\ud83d" * 600_000]}])
def test_a_long_result_ends_no_run(tmp_path: Path, response: object) -> None:
    """The relay hands on its beginning, and says so: an invariant about results is in doubt."""
    ran = {**CALL, "tool_response": response}
    with ServedHere(tmp_path) as served:
        relayed(served.path, "PreToolUse", CALL)
        assert json.loads(relayed(served.path, "PostToolUse", ran | of("PostToolUse")).stdout) == {}
        batch = {**of("PostToolBatch"), "tool_calls": [ran]}
        assert json.loads(relayed(served.path, "PostToolBatch", batch).stdout) == {}
        assert served.gate is not None
        last = served.gate.records()[-1]
    assert (last["kind"], last["call"]) == ("tool.completed", "c1")
    assert last["attributes"]["interlock_result_length"] >= 3_000_000
    assert last["result"] == json.dumps(response)[: claude_relay.KEPT_CHARACTERS]


def of(event: str) -> dict[str, str]:
    """The parts that every event has."""
    return {"session_id": "s-1", "hook_event_name": event}


@pytest.mark.parametrize(
    ("event", "content", "is_ended"),
    [
        ("PostToolUse", b"x" * 200_000, True),
        ("PostToolUse", b"{", True),
        ("PostToolBatch", b'{"hook_event_name":"PostToolBatch","session_id":"a/b"}', True),
        ("PreToolUse", b"x" * 200_000, False),
        ("Stop", b"{", False),
    ],
)
def test_over_http_a_lost_report_ends_the_run(
    served: ServedHere, event: str, content: bytes, *, is_ended: bool
) -> None:
    """The runtime goes on behind an error status, and would have the gate not know what was read.
    For a call the status is enough, as the hook has `onFailure: block`.
    """
    asking = post(content, f"/v1/hooks/claude-code?event={event}")
    with served.connect(asking) as client:
        reply = read_reply(client)
    assert (status(reply) == 200) is is_ended
    if is_ended:
        assert json.loads(reply.partition(b"\r\n\r\n")[2])["continue"] is False


def test_a_token_names_the_principal(tmp_path: Path) -> None:
    """An unknown one is refused, whoever runs the process."""
    principals = parse_principals(PRINCIPALS, "p.yaml")
    with ServedHere(tmp_path, principals=principals) as served:
        assert relayed(served.path, "PreToolUse", CALL, token=TOKEN).returncode == 0
        assert served.gate is not None
        assert {one["principal"] for one in served.gate.records()} == {"bot"}
        done = relayed(served.path, "PreToolUse", CALL, token="guess")
        assert done.returncode == 2 and "guess" not in done.stderr
        done = relayed(served.path, "PostToolUse", CALL, token="guess\n")
        assert json.loads(done.stdout)["continue"] is False and "guess" not in done.stdout


def test_a_client_hands_hooks_on(tmp_path: Path) -> None:
    """As adapters do, with the names of the client; what is no output is an error of one type."""
    stop = json.dumps(of("Stop")).encode()
    with ServedHere(tmp_path) as served:
        client = Client(gate=f"unix:{served.path}", agent="coder", user="ada & co")
        assert client.relay_hook("event=Stop&wait_s=0", stop, PATIENCE_S) == b"{}"
        with pytest.raises(NoGate, match="not JSON"):
            client.relay_hook("event=Stop", b"{", PATIENCE_S)
        assert served.gate is not None
        (begun,) = served.gate.records()
        assert (begun["agent"], begun["user"]) == ("coder", "ada & co")
    with pytest.raises(NoGate, match="did not take the event"):
        client.relay_hook("event=Stop", stop, PATIENCE_S)
    client.close()
    with pytest.raises(SettingError):
        Client(f"log:{tmp_path}").relay_hook("event=Stop", stop, PATIENCE_S)


PAYS = {**CALL, "tool_name": "pay", "tool_input": {"amount": 5}}


def test_a_held_call_waits_and_is_withdrawn(served: ServedHere) -> None:
    """Nobody decides within the time of the hook."""
    done = relayed(served.path, "PreToolUse", PAYS, wait_s=1)
    reason = json.loads(done.stdout)["hookSpecificOutput"]["permissionDecisionReason"]
    assert "no longer waits" in reason
    assert served.gate is not None and served.gate.gate.held("ana") == []


def test_a_held_call_gets_the_operators_answer(tmp_path: Path) -> None:
    """And the arguments that the operator approved."""
    done: list[Any] = []
    with ServedHere(tmp_path, principals=parse_principals(PRINCIPALS, "p.yaml")) as served:
        asking = threading.Thread(
            target=lambda: done.append(
                relayed(served.path, "PreToolUse", PAYS, wait_s=60, token=TOKEN)
            )
        )
        asking.start()
        approval = waited_for(served, lambda held: held[0].id if held else "")
        ruling = b'{"decision":"grant","args":{"amount":3}}'
        head = b"Host: localhost\r\nAuthorization: Bearer %s\r\n" % OPERATORS.encode()
        request = post(ruling, f"/v1/approvals/{approval}").replace(b"Host: localhost\r\n", head)
        with served.connect(request) as client:
            assert status(read_reply(client)) == 200
        asking.join(PATIENCE_S)
    assert json.loads(done[0].stdout)["hookSpecificOutput"]["updatedInput"] == {"amount": 3}


def test_a_held_call_that_may_not_wait_is_withdrawn(tmp_path: Path) -> None:
    """As many requests of the principal wait as may: the call is denied, and not left behind."""
    with ServedHere(tmp_path, Bounds(polls_of_principal_max=0, refusal_pause_s=0)) as served:
        assert relayed(served.path, "PreToolUse", PAYS, wait_s=60).returncode == 2
        assert served.gate is not None and served.gate.gate.held("ana") == []


def test_a_hook_that_has_gone_withdraws_its_call(served: ServedHere) -> None:
    """A later grant would be for a call that nobody makes."""
    body = json.dumps(PAYS).encode()
    client = served.connect(post(body, "/v1/hooks/claude-code?event=PreToolUse&wait_s=600"))
    waited_for(served, lambda held: bool(held))
    client.close()
    waited_for(served, lambda held: not held)


def waited_for(served: ServedHere, found: Callable[[list[Any]], Any]) -> Any:
    """Something about the calls that wait, once it is true."""
    assert served.gate is not None
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if value := found(list(served.gate.gate._book.held.values())):
            return value
        pause.wait(0.01)
    raise AssertionError("it did not come")


@contextlib.contextmanager
def answering(path: Path, reply: bytes) -> Iterator[Path]:
    """A server at a path that gives one reply to whatever it is asked."""

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            asked = b""
            while json.dumps(CALL).encode() not in asked:
                asked += client.recv(65_536)
            with contextlib.suppress(ConnectionError):  # The relay has read enough of it.
                client.sendall(reply)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(PATIENCE_S)
        thread = threading.Thread(target=serve)
        thread.start()
        yield path
        thread.join(PATIENCE_S)
