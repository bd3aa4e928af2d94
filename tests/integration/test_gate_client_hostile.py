"""The answer at a gate's address may be anybody's: the agent gets `NoGate`, and nothing else."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from interlock import Client, ClientOptions, NoGate
from interlock.gate.exchange import RESPONSE_BYTES_MAX
from tests.support.agents_gate import AgentsGate
from tests.support.faulty_line import FaultyLine

RETRIED = (
    "a status that is none",
    "chunks that are not",
    "an endless body",
    "a negative length",
    "a length that is text",
)
"""Read as a failure of the gate, and as answers that were cut off."""
OPTIONS = ClientOptions(ask_s_max=30, fail="open", irreversible_tools=["pay"])
"""`open`: a hostile answer is not a gate that is away."""


def response(body: bytes, status: int = 200, more: str = "") -> list[bytes]:
    head = f"HTTP/1.1 {status} OK\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return [head.encode() + body]


def answer(**fields: object) -> list[bytes]:
    return response(json.dumps({"decision": "allow", "session": "s1", **fields}).encode())


def dripping(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        threading.Event().wait(0.005)


HOSTILE: dict[str, Iterable[bytes]] = {
    "not HTTP": [b"SSH-2.0-OpenSSH_9.6\r\n\r\n"],
    "HTTP/0.9": [b"hello\n"],
    "a line without an end": [b"HTTP/1.1 200 " + b"x" * 100_000],
    "endless headers": itertools.repeat(b"X-A: b\r\n", 200_000),
    "very many headers": [b"HTTP/1.1 200 OK\r\n", *[b"A: b\r\n"] * 200, b"\r\n"],
    # Long ones, so that the bound in bytes is reached on a slow machine, too.
    "endless continue": [b"HTTP/1.1 100 Continue\r\nX: %s\r\n\r\n" % (b"x" * 60_000)] * 400,
    "a negative length": [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"],
    "a length that is text": [b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"],
    "chunks that are not": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"],
    "an endless body": [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65_536] * 200],
    "a huge body": response(b" " * (RESPONSE_BYTES_MAX + 1)),
    "an empty body": response(b""),
    "not JSON": response(b"<html>allow</html>"),
    "not UTF-8": response(b'{"decision":"allow\xff"}'),
    "deep JSON": response(b'{"args":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "a huge number": response(b'{"seq":' + b"9" * 100_000 + b"}"),
    "a list": response(b"[]"),
    "null": response(b"null"),
    "no decision": answer(decision=None, request="r"),
    "another decision": answer(decision="ALLOW", request="r"),
    "a decision that is an object": answer(decision={"allow": True}, request="r"),
    "the answer to another request": answer(request="r"),
    "no request": answer(),
    "a redirect": response(b"", 302, "Location: http://127.0.0.1:1/\r\n"),
    "a permanent redirect": response(b"", 308, "Location: unix:/x\r\n"),
    "a status of success": response(b"", 204),
    "a status that is none": [b"HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\n{}"],
    "an error without a reason": response(b"{}", 403),
    "an error with hostile text": response(b'{"error":{"message":"\\u001b[2J\\n"}}', 403),
    "an error that is a list": response(b'{"error":[1]}', 400),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_to_an_ask_is_no_answer(
    gate: AgentsGate, tmp_path: Path, name: str
) -> None:
    """Whatever it is, the tool does not run, and the session's next ask is answered."""
    hostile = [HOSTILE[name]]
    line = FaultyLine(
        tmp_path / "line.sock",
        gate.path,
        lambda told: hostile.pop() if "/v1/ask" in told and hostile else "pass",
    )
    options = ClientOptions(ask_s_max=10, fail="open", irreversible_tools=["pay"])
    with Client(gate=line.address, options=options) as client:
        session = client.session(gate.id("s1"))
        if name in RETRIED:
            assert session.call("t", lambda: 1) == 1
        else:
            with pytest.raises(NoGate) as refused:
                session.call("t", pytest.fail)
            assert str(refused.value).isprintable()
            assert len(str(refused.value)) < 3_000
        assert session.call("t", lambda: 2) == 2
    line.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_to_what_is_told_delivers_nothing(
    gate: AgentsGate, tmp_path: Path, name: str
) -> None:
    """Events wait, and arrive when a gate answers; only a refusal of a gate drops them."""
    hostile = [HOSTILE[name]]
    line = FaultyLine(
        tmp_path / "line.sock",
        gate.path,
        lambda told: hostile.pop() if "/v1/tell" in told and hostile else "pass",
    )
    with Client(gate=line.address, options=OPTIONS) as client:
        session = client.session(gate.id("s1"))
        session.user_message("a")
        assert client.flush(30)
        session.user_message("b")
        assert client.flush(30)
        is_refused = name.startswith("an error")
        assert client.stats().dropped == ({"message.user": 1} if is_refused else {})
    line.close()
    assert [e["text"] for e in gate.log() if "text" in e] == (["b"] if is_refused else ["a", "b"])


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n"]
)
def test_an_answer_that_never_ends_is_given_up(
    gate: AgentsGate, tmp_path: Path, head: bytes
) -> None:
    """However often a byte arrives: the deadline is that of the whole answer."""
    line = FaultyLine(
        tmp_path / "line.sock",
        gate.path,
        lambda told: (
            dripping(itertools.chain([head], itertools.repeat(b"x")))
            if "/v1/ask" in told
            else "pass"
        ),
    )
    client = Client(gate=line.address, options=ClientOptions(ask_s_max=1))
    with client, pytest.raises(NoGate, match="did not answer in time"):
        client.session(gate.id("s1")).call("pay", pytest.fail)
    line.close()


def test_a_gate_that_dies_while_it_is_asked_makes_no_call(gate: AgentsGate, tmp_path: Path) -> None:
    """Its answer is lost, and it does not come back: the call counts as not made."""

    alive, is_stopped = [gate], threading.Event()

    def die(told: str) -> str:
        if "/v1/ask" not in told:
            return "pass"
        if alive:
            alive.pop().stop()
            is_stopped.set()
        return "lose request"

    line = FaultyLine(tmp_path / "line.sock", gate.path, die)
    with Client(gate=line.address, options=ClientOptions(ask_s_max=0.3)) as client:
        with pytest.raises(NoGate, match="no gate answered"):
            client.session(gate.id("s1")).call("t", pytest.fail)
        client.close(0)
    line.close()
    assert is_stopped.wait(60)
    gate.start()


def test_a_hostile_answer_in_a_task_is_no_answer_either(gate: AgentsGate, tmp_path: Path) -> None:
    """The same from `asyncio`."""
    line = FaultyLine(
        tmp_path / "line.sock",
        gate.path,
        lambda told: response(b"[]") if "/v1/ask" in told else "pass",
    )

    async def main(client: Client) -> None:
        with pytest.raises(NoGate):
            async with client.session(gate.id("s1")).tool("t"):
                pytest.fail("ran")

    with Client(gate=line.address, options=OPTIONS) as client:
        asyncio.run(main(client))
    line.close()
