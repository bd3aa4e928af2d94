"""The proxy of MCP over HTTP: what reaches the server and the client, and in which order."""

from __future__ import annotations

import asyncio
import functools
import io
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from interlock.mcp_proxy import asked_calls, http_server
from interlock.mcp_proxy.message import MESSAGE_BYTES_MAX
from tests.support.mcp_http import BOTH, answering, between, call, result

INITIALIZE = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}
CANCEL = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
PATIENCE_S = 15


def looped(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an `async` test to its end."""

    @functools.wraps(test)
    def run(*args: Any, **more: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **more), PATIENCE_S))

    return run


async def until(is_so: Callable[[], Any]) -> None:
    while not is_so():
        await asyncio.sleep(0.005)


@looped
async def test_an_allowed_call_reaches_the_server_as_it_is() -> None:
    """With the client's credentials, and the outcome is reported before the result passes."""
    body = b' {"jsonrpc": "2.0","id":1,"method":"tools/call","params":{"name":"pay"}}'
    async with between() as seen:
        given = {"Authorization": "Bearer secret", "X-Api-Key": "k", "Api_Key": "l"}
        own = {"Mcp_Name": "x", "Transfer_Encoding": "x", "X-Hop": "x", "Connection": "X-Hop"}
        given |= {"Content-Type": "application/json", "Accept": BOTH, **own}
        status, told = await seen.send("POST", body, given)
        assert (status, told) == (200, json.loads(result()))
        ((method, headers, got),) = seen.got
        assert (method, got) == ("POST", body)
        assert headers["authorization"] == "Bearer secret"
        assert (headers["x-api-key"], headers["api_key"]) == ("k", "l")
        assert not {name.lower() for name in own} & {*headers} - {"connection"}
        assert headers["host"] in seen.to and headers["content-type"] == "application/json"
        assert headers["accept-encoding"] == "identity"
        assert seen.log[:2] == [("asked", "pay", {}), ("ended", 1, "completed")]
        assert seen.notes == []


@looped
async def test_a_refused_call_does_not_reach_the_server() -> None:
    async with between() as seen:
        seen.opened[0].decision = "no payments"
        status, told = await seen.post(call())
        assert status == 200 and told["result"]["isError"] is True
        assert told["result"]["content"][0]["text"] == "no payments"
        assert seen.got == [] and seen.log == [("asked", "pay", {"amount": 1})]


@looped
async def test_approved_arguments_are_those_that_the_server_gets() -> None:
    async with between() as seen:
        seen.opened[0].decision = {"amount": 3}
        await seen.post(call())
        assert json.loads(seen.got[0][2])["params"]["arguments"] == {"amount": 3}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "paste.example"}, 403),
        ({"Host": "localhost"}, 403),
        ({"Host": "127.0.0.1.paste.example:{port}"}, 403),
        ({"Host": "user@127.0.0.1:{port}"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/json, text/plain"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Mcp-Session-Id": "s-1"}, 404),
    ],
)
@looped
async def test_a_request_that_is_not_for_the_proxy_is_refused(
    headers: dict[str, str], status: int
) -> None:
    """A page in a browser, another encoding of the text, a session that did not begin here."""
    async with between() as seen:
        port = seen.url.rpartition(":")[2].partition("/")[0]
        given = {name: value.format(port=port) for name, value in headers.items()}
        given = {"Content-Type": "application/json", "Accept": BOTH, **given}
        told = await seen.send("POST", json.dumps(call()).encode(), given)
        assert told[0] == status and told[1]["error"]["code"] == -32600
        assert seen.got == [] and seen.log == []


@looped
async def test_only_the_page_of_the_server_is_there() -> None:
    async with between() as seen:
        for method, path in (("PUT", ""), ("OPTIONS", ""), ("POST", "/x"), ("GET", "?a=1")):
            status, _ = await seen.send(method, None, {}, seen.url + path)
            assert status == (404 if path else 405)
        status, _ = await seen.post(io.BytesIO(b" " * (MESSAGE_BYTES_MAX + 1)))
        assert status == 413 and seen.got == []


@looped
async def test_a_message_that_cannot_be_read_is_refused_with_an_error() -> None:
    async with between() as seen:
        status, told = await seen.post(b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]')
        assert status == 400 and "batch" in told["error"]["message"]
        status, told = await seen.post({**INITIALIZE, "Method": "tools/call"})
        assert status == 400 and told["id"] == 0
        assert seen.got == []


@pytest.mark.parametrize(
    ("headers", "is_passed"),
    [
        ({"Mcp-Method": "tools/call", "Mcp-Name": "pay", "Mcp-Param-Amount": "1"}, True),
        ({"Mcp-Name": "=?base64?cGF5?="}, True),
        ({"Mcp-Method": "ping"}, False),
        ({"Mcp-Name": "read"}, False),
        ({"Mcp-Name": "=?base64?!?="}, False),
        ({"Mcp-Param-Amount": "2"}, False),
    ],
)
@looped
async def test_headers_state_what_the_message_states(
    headers: dict[str, str], is_passed: bool
) -> None:
    """A server may take either for the call."""
    async with between() as seen:
        given = {"Content-Type": "application/json", "Accept": BOTH, **headers}
        status, told = await seen.send("POST", json.dumps(call()).encode(), given)
        assert (status, len(seen.got)) == ((200, 1) if is_passed else (400, 0))
        assert is_passed or (told["id"] == 1 and "header" in told["error"]["message"])
        # The id is free.
        assert (await seen.post(call()))[0] == 200


@looped
async def test_arguments_that_headers_repeat_cannot_be_replaced() -> None:
    """The server would refuse the call, or take the argument of the header."""
    async with between() as seen:
        seen.opened[0].decision = {"amount": 3}
        _, told = await seen.post(call(), Mcp_Param_Amount="1")
        assert told["result"]["isError"] is True
        assert seen.got == [] and ("not made", 1) in seen.log


@looped
async def test_a_session_of_mcp_is_one_of_interlock() -> None:
    """It begins with `initialize`, and ends with it; a call that is under way then has failed."""
    waiting = asyncio.Event()

    async def respond(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        if b"tools/call" in body:
            await waiting.wait()
        return await answering(request, body)

    async with between(respond) as seen:
        assert (await seen.post(INITIALIZE))[0] == 200
        assert len(seen.opened) == 2
        calling = asyncio.create_task(seen.post(call(), Mcp_Session_Id="s-1"))
        await until(lambda: len(seen.got) == 2)
        assert seen.got[1][1]["mcp-session-id"] == "s-1"
        status, _ = await seen.send("DELETE", None, {"Mcp-Session-Id": "s-1"})
        assert status == 200
        reason = "the session of MCP ended before the result"
        assert seen.log[1:] == [("ended", 1, reason), ("closed",)]
        waiting.set()
        # The late result is not passed on: it was reported that there is none.
        status, told = await calling
        assert status == 502 and "result" not in told
        assert (await seen.post(call(), Mcp_Session_Id="s-1"))[0] == 404


@looped
async def test_the_end_of_a_session_withdraws_calls_that_wait() -> None:
    """Whatever the gate says later, they do not reach the server."""
    async with between() as seen:
        await seen.post(INITIALIZE)
        seen.opened[1].gate.clear()
        calling = asyncio.create_task(seen.post(call(), Mcp_Session_Id="s-1"))
        await until(lambda: seen.log)
        await seen.send("DELETE", None, {"Mcp-Session-Id": "s-1"})
        assert (await calling)[0] == 202
        assert ("not made", 1) in seen.log and ("closed",) in seen.log
        assert [method for method, _, _ in seen.got] == ["POST", "DELETE"] and seen.notes == []


@looped
async def test_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was not used for longest must begin anew."""
    monkeypatch.setattr(http_server, "CONNECTIONS_MAX", 2)
    names = iter(["a", "b", "c"])

    async def respond(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        response = await answering(request, body)
        if b"initialize" in body:
            response.headers["Mcp-Session-Id"] = next(names)
        return response

    async with between(respond) as seen:
        await seen.post(INITIALIZE)
        await seen.post(INITIALIZE)
        assert (await seen.post(call(), Mcp_Session_Id="a"))[0] == 200
        await seen.post(INITIALIZE)
        found = [(await seen.post(call(), Mcp_Session_Id=one))[0] for one in "abc"]
        assert found == [200, 404, 200] and seen.log.count(("closed",)) == 1


@looped
async def test_a_waiting_client_sees_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream begins; the answer is its last event."""
    monkeypatch.setattr(asked_calls, "SIGN_S", 0.01)
    async with between() as seen:
        seen.opened[0].gate.clear()
        for meta, sign in (({"progressToken": "t"}, b"notifications/progress"), ({}, b":\n\n")):
            content = call()
            content["params"]["_meta"] = meta
            given = {"Content-Type": "application/json", "Accept": BOTH}
            async with seen.http.post(seen.url, json=content, headers=given) as response:
                assert response.content_type == "text/event-stream"
                while sign not in await response.content.readany():
                    pass
                assert b"tools/call" not in b"".join(body for _, _, body in seen.got[1:])
                seen.opened[0].gate.set()
                rest = await response.read()
            *_, last = rest.strip().split(b"\n\n")
            assert last == b"event: message\ndata: " + result()
            seen.got.clear()
            seen.opened[0].gate.clear()


@looped
async def test_a_client_that_reads_no_streams_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked_calls, "SIGN_S", 0.01)
    async with between() as seen:
        seen.opened[0].gate.clear()
        asyncio.get_running_loop().call_later(0.1, seen.opened[0].gate.set)
        status, told = await seen.post(call(), Accept="application/json")
        assert (status, told) == (200, json.loads(result()))


@looped
async def test_a_client_that_leaves_withdraws_its_call() -> None:
    """Nothing reaches the server, and the gate learns of it."""
    async with between() as seen:
        seen.opened[0].gate.clear()
        calling = asyncio.create_task(seen.post(call()))
        await until(lambda: seen.log)
        calling.cancel()
        await until(lambda: ("not made", 1) in seen.log)
        assert seen.got == []


@looped
async def test_a_cancelled_call_is_withdrawn() -> None:
    """By a request of its own, as the protocol with sessions has it."""
    async with between() as seen:
        await seen.post(INITIALIZE)
        calls = seen.opened[1]
        calls.gate.clear()
        calling = asyncio.create_task(seen.post(call(), Mcp_Session_Id="s-1"))
        await until(lambda: seen.log)
        assert (await seen.post(CANCEL, Mcp_Session_Id="s-1"))[0] == 202
        assert (await calling)[0] == 202
        assert ("not made", 1) in seen.log and len(seen.got) == 1
        calls.gate.set()
        assert (await seen.post(call(), Mcp_Session_Id="s-1"))[0] == 200


def streamed(chunks: list[bytes]) -> Callable[..., Coroutine[Any, Any, web.StreamResponse]]:
    """A server that answers calls by these parts of a stream."""

    async def respond(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        if request.method == "POST" and b"tools/call" not in body:
            return await answering(request, body)
        stream = web.StreamResponse()
        stream.content_type = "text/event-stream"
        await stream.prepare(request)
        for chunk in chunks:
            await stream.write(chunk)
        return stream

    return respond


@looped
async def test_a_stream_passes_event_by_event() -> None:
    """In one form, whatever ends its lines have; only one response to a call."""
    other = result(1, "another").replace(b", ", b",\r\ndata: ")
    chunks = [
        b"id: 1\r\nretry: 5\r\ndata:\r\n\r",
        b"\n: alive\n\nevent: message\rdata: " + result()[:9],
        result()[9:] + b"\r\rdata: " + other + b"\n\n",
        b'data: {"jsonrpc":"2.0","method":"notifications/x"}\n\ndata: cut off',
    ]
    async with between(streamed(chunks)) as seen:
        status, told = await seen.post(call())
        assert status == 200
        assert told.split(b"\n\n") == [
            b"id: 1\nretry: 5\ndata: ",
            b":",
            b"event: message\ndata: " + result(),
            b'data: {"jsonrpc":"2.0","method":"notifications/x"}',
            b"",
        ]
        assert seen.log[1:] == [("ended", 1, "completed")]
        assert len(seen.notes) == 1 and "no request that waits" in seen.notes[0]


@looped
async def test_a_stream_that_breaks_off_can_be_resumed() -> None:
    """In a session of MCP: the outcome of a call is that of its response, on another stream."""
    chunks = [b"id: 7\ndata:\n\n"]
    event = b"id: 8\ndata: " + result() + b"\n\n"
    async with between(streamed(chunks)) as seen:
        await seen.post(INITIALIZE)
        await seen.post(call(), Mcp_Session_Id="s-1")
        assert [one[0] for one in seen.log] == ["asked"]
        chunks[:] = [event]
        given = {"Mcp-Session-Id": "s-1", "Last-Event-ID": "7", "Accept": BOTH}
        for _ in range(2):
            assert await seen.send("GET", None, given) == (200, event)
            assert [one[0] for one in seen.log] == ["asked", "ended"]
        assert seen.got[-1][1]["last-event-id"] == "7"
        chunks[:] = [event.replace(b"paid", b"other")]
        assert await seen.send("GET", None, given) == (200, b"")


@looped
async def test_a_stream_without_ids_of_events_cannot_be_resumed() -> None:
    """Its end is that of the call, and the id is free again."""
    async with between(streamed([b": nothing\n\n"])) as seen:
        await seen.post(INITIALIZE)
        for _ in range(2):
            await seen.post(call(), Mcp_Session_Id="s-1")
        assert [one[0] for one in seen.log] == ["asked", "ended"] * 2


@looped
async def test_an_event_is_bounded() -> None:
    """The stream ends, and the call has failed."""
    async with between(streamed([b"data: "] + [b"x" * 2**20] * 17)) as seen:
        status, told = await seen.post(call())
        assert (status, told) == (200, b"") and seen.log[1][:2] == ("ended", 1)
        assert "longer than" in seen.notes[0]


def plain(status: int, body: bytes = b"", **headers: str) -> Callable[..., Any]:
    async def respond(request: web.BaseRequest, content: bytes) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return respond


@pytest.mark.parametrize(
    ("respond", "status"),
    [
        (plain(307, Location="/elsewhere"), 502),
        (plain(200, b"\x1f\x8b", **{"Content-Encoding": "gzip"}), 502),
        (plain(200, b"<html>", **{"Content-Type": "text/html"}), 502),
        (plain(401, b"{}", **{"WWW-Authenticate": "Bearer x"}), 401),
        (plain(200, b'{"a":1,"a":2}', **{"Content-Type": "application/json"}), 502),
        (plain(200, result(2), **{"Content-Type": "application/json"}), 502),
        (plain(202), 502),
    ],
)
@looped
async def test_a_response_without_the_message_is_an_error(respond: Any, status: int) -> None:
    """It is reported, and answers the client under its id. A redirect is not followed."""
    async with between(respond) as seen:
        found, told = await seen.post(call())
        assert len(seen.got) == 1
        assert found == status and told["id"] == 1 and told["error"]["code"] == -32603
        assert [one[0] for one in seen.log] == ["asked", "ended"] and "completed" not in seen.log[1]


@looped
async def test_a_server_that_is_away_is_an_error() -> None:
    async def respond(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with between(respond) as seen:
        found, told = await seen.post(call(), Authorization="Bearer secret")
        assert found == 502 and "no response" in told["error"]["message"]
        assert seen.log[1][:2] == ("ended", 1)
        assert "secret" not in repr(seen.notes) + repr(told)


@looped
async def test_a_fault_of_the_proxy_passes_no_call_and_shows_no_content() -> None:
    async with between() as seen:

        async def broken(_: Any) -> None:
            raise ZeroDivisionError("secret")

        seen.opened[0].ask = broken  # type: ignore[method-assign]
        status, told = await seen.post(call())
        assert status == 500 and b"secret" not in told and seen.got == []
        assert seen.notes == ["a request failed by a fault of the proxy: ZeroDivisionError"]
