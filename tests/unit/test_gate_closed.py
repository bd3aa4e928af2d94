"""What never opens a gate: each way in which it can fail to decide, and a call that is not made.

The gate here gives the same few answers to everybody; tests/integration has the real one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock import Client, ClientOptions, NoGate
from tests.support.faulty_line import FaultyLine

OPEN = ClientOptions(ask_s_max=30, fail="open", irreversible_tools=["pay"])
"""Most is refused although the user prefers to continue without a gate."""

OPENED = {"session": "s1", "principal": "bot", "is_resumed": False, "seq": 1}
REFUSAL = {"error": {"code": "c", "message": "reason"}}
Answers = dict[str, tuple[int, object]]
Connect = Callable[..., Client]


def response(status: int, body: object) -> list[bytes]:
    told = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(told)}\r\n"
    # Longer than any ask here lasts, so that none is repeated.
    return [head.encode(), b"Retry-After: 60\r\n\r\n", told]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """A client of a gate that answers as `answers` say, by path."""
    opened: list[Any] = []

    def make(answers: Answers, options: ClientOptions = OPEN) -> Client:
        known = {"/v1/sessions": (200, OPENED)} | answers

        def fate(line: str) -> str | list[bytes]:
            answer = known.get(line.split()[1].partition("?")[0])
            return "lose request" if answer is None else response(*answer)

        line = FaultyLine(tmp_path / "line.sock", tmp_path, fate)
        client = Client(gate=line.address, options=options)
        opened.append((client, line))
        return client

    yield make
    for client, line in opened:
        client.close(0)
        line.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 413, 429, 500])
def test_a_gate_that_does_not_judge_opens_nothing(connect: Connect, status: int) -> None:
    """`fail: open` is for a gate that does not answer; an agent can cause any of these answers."""
    client = connect({"/v1/ask": (status, REFUSAL)})
    with pytest.raises(NoGate, match="reason"):
        client.session("s1").call("t", pytest.fail)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gate_that_is_not_ready_is_away(connect: Connect, status: int) -> None:
    """These open for a user who prefers to continue, but not for irreversible tools."""
    client = connect({"/v1/ask": (status, REFUSAL), "/v1/tell": (status, REFUSAL)})
    session = client.session("s1")
    assert session.call("t", lambda: 1) == 1
    with pytest.raises(NoGate, match="reason"):
        session.call("pay", pytest.fail)
    assert (client.stats().unanswered, client.stats().unasked) == (2, 1)


def test_without_an_answer_the_default_is_closed(tmp_path: Path) -> None:
    """Nothing listens."""
    options = ClientOptions(ask_s_max=0.1)
    client = Client(gate=f"unix:{tmp_path}/away.sock", options=options)
    with pytest.raises(NoGate, match="no gate answered"):
        client.session("s1").call("t", pytest.fail)
    client.close(0)


ANSWER = {"decision": "allow", "session": "s1", "request": "another"}


@pytest.mark.parametrize("body", [ANSWER, ANSWER | {"session": "s2"}, {"decision": "allow"}, []])
def test_another_requests_answer_opens_nothing(connect: Connect, body: object) -> None:
    """It could be that of a call of somebody else, or one from before."""
    client = connect({"/v1/ask": (200, body)})
    with pytest.raises(NoGate, match="did not judge the call"):
        client.session("s1").call("t", pytest.fail)


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/tell"])
def test_a_session_that_is_not_known_in_full_asks_nothing(connect: Connect, path: str) -> None:
    """Its opening, or an event, was refused; the gate would allow the call."""
    answers: Answers = {"/v1/tell": (200, {"seq": [2]}), "/v1/ask": (200, ANSWER)}
    client = connect(answers | {path: (409, REFUSAL)}, ClientOptions(ask_s_max=30))
    session = client.session("s1")
    session.user_message("hello")
    with pytest.raises(NoGate, match=r"an event of this session did not reach the gate.*reason"):
        session.call("t", pytest.fail)


@pytest.mark.parametrize("status", [401, 408, 429, 500])
def test_events_that_wait_open_nothing(connect: Connect, status: int) -> None:
    """The gate answers, and does not take the event before the call: an agent can cause this."""
    options = ClientOptions(ask_s_max=1, fail="open")
    client = connect({"/v1/tell": (status, REFUSAL)}, options)
    session = client.session("s1")
    session.user_message("hello")
    with pytest.raises(NoGate, match="events before this call did not reach"):
        session.call("t", pytest.fail)


def test_what_is_told_to_another_server_is_not_delivered(connect: Connect) -> None:
    """A server that says yes to everything is not a gate."""
    client = connect({"/v1/tell": (200, {"ok": True})})
    session = client.session("s1")
    session.user_message("hello")
    assert not client.flush(0.2)
    assert client.stats().dropped == {}


REPEATED = [
    [part.replace(b"Retry-After: 60", b"Retry-After: 0") for part in response(*one)]
    for one in ((408, {}), (503, {}), (200, {"seq": []}))
]


@pytest.mark.parametrize("fate", ["lose request", *REPEATED])
def test_what_is_repeated_has_its_id_again(tmp_path: Path, fate: str | list[bytes]) -> None:
    """So the gate can see that it is the same; what comes later has another id."""
    fates: list[str | list[bytes]] = [fate, fate]

    def answer(line: str) -> str | list[bytes]:
        if "/v1/sessions" in line:
            return response(200, OPENED)
        return fates.pop() if fates else response(200, {"seq": [1]})

    line = FaultyLine(tmp_path / "line.sock", tmp_path, answer)
    with Client(gate=line.address) as client:
        session = client.session("s1")
        for text in "ab":
            session.user_message(text)
            assert client.flush(30)
    line.close()
    told = [json.loads(body) for path, body in line.bodies if "/v1/tell" in path]
    *first, second, end = told
    assert [one["events"] for one in first] == [[{"kind": "message.user", "text": "a"}]] * 3
    assert len({one["request"] for one in first}) == 1
    assert len({one["request"] for one in (first[0], second, end)}) == 3
