"""The steps of the relay: what is asked about, forwarded, answered, dropped and reported."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interlock.mcp_proxy import relay as relay_file
from interlock.mcp_proxy.relay import Answer, Ask, Drop, Forward, Relay, Withdraw
from interlock.mcp_proxy.tool_call import Call, progress
from interlock.mcp_proxy.tools import Tools


def request(id_: Any, method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params}).encode()


def call(id_: Any = 1, name: str = "pay", **more: Any) -> bytes:
    return request(id_, "tools/call", name=name, arguments={"amount": 1}, **more)


def response(id_: Any, **content: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id_, **content}).encode()


def cancel(id_: Any) -> bytes:
    params = {"requestId": id_}
    message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
    return json.dumps(message).encode()


@pytest.fixture
def relay() -> Relay:
    return Relay(Tools("bank"))


def asked(relay: Relay, data: bytes) -> Call:
    step = relay.from_client(data)
    assert isinstance(step, Ask), step
    return step.call


def made(relay: Relay, data: bytes) -> Call:
    """A call that the server has."""
    found = asked(relay, data)
    assert relay.allowed(found, None) == data
    return found


def refused(relay: Relay, data: bytes) -> tuple[Any, int, str]:
    step = relay.from_client(data)
    assert isinstance(step, Answer), step
    answer = json.loads(step.data)
    return answer["id"], answer["error"]["code"], answer["error"]["message"]


def test_a_call_is_asked_about_with_its_name_and_attributes(relay: Relay) -> None:
    """`traceparent` is carried, if it is one."""
    parent = "00-5b8efff798038103d269b633813fc60c-aaa19b7ec3c1b174-01"
    found = asked(relay, call(_meta={"traceparent": parent, "progressToken": "t"}))
    assert (found.tool, dict(found.args)) == ("mcp__bank__pay", {"amount": 1})
    assert found.attributes == {"mcp_server": "bank", "traceparent": parent}
    assert found.progress_token == "t"
    other = asked(relay, call(2, _meta={"traceparent": "00-x", "progressToken": True}))
    assert other.attributes == {"mcp_server": "bank"} and other.progress_token is None
    without = asked(relay, request(3, "tools/call", name="pay"))
    assert without.args == {}


def test_a_refusal_is_a_result_that_the_model_reads(relay: Relay) -> None:
    found = asked(relay, call("a"))
    answer = json.loads(relay.refused(found, "no é"))
    assert answer["id"] == "a" and answer["result"]["isError"] is True
    assert answer["result"]["content"] == [{"type": "text", "text": "no é"}]
    assert not relay.is_waiting(found)
    assert isinstance(relay.from_server(response("a", result={})), Drop)


def test_other_arguments_replace_nothing_else(relay: Relay) -> None:
    """The id, the name and what else belongs to the call remain."""
    found = asked(relay, call(7, _meta={"progressToken": 3}))
    sent = json.loads(relay.allowed(found, {"amount": 2}))
    assert sent == json.loads(call(7, _meta={"progressToken": 3}).replace(b": 1}", b": 2}"))


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"name": "pay", "Name": "other"}, "no parameter `Name`, and nearly one that does"),
        ({"name": "pay", "sneaked": 1}, "no parameter `sneaked`"),
        ({"name": "pay", "arguments": {"To": 1, "to": 2}}, "by case alone"),
        ({"name": "pay", "arguments": {"a": [{"b": {"\u212a": 1, "k": 2}}]}}, "by case alone"),
        ({"name": "pay", "arguments": [1]}, "are objects"),
        ({"name": "pay", "arguments": "x"}, "are objects"),
        ({"name": "pay", "_meta": 1}, "are objects"),
        ({"name": "pay", "arguments": {"a": [{"__proto__": {"to": 1}}]}}, "__proto__"),
        ({"name": "pay", "task": {"ttl": 1}}, "task"),
        ({"name": "pay "}, "characters that names do not have"),
        ({"name": "p\u0430y"}, "characters that names do not have"),
        ({"name": "a\nb"}, "printable"),
        ({"name": ""}, "empty"),
        ({"name": 5}, "printable"),
        ({}, "printable"),
    ],
)
def test_a_call_that_a_server_could_read_otherwise_is_refused(
    relay: Relay, params: dict[str, Any], reason: str
) -> None:
    """And its id is free again."""
    id_, code, said = refused(relay, request(1, "tools/call", **params))
    assert (id_, code) == (1, -32602) and reason in said
    assert asked(relay, call(1)).id == 1


@pytest.mark.parametrize(
    "method",
    ["Tools/Call", " tools/call", "tools/call\t", "TOOLS/CALL", "tools/call\0", "tools/call\u200b"],
)
def test_a_method_that_is_nearly_a_call_is_refused(relay: Relay, method: str) -> None:
    assert "nearly" in refused(relay, request(1, method, name="pay"))[2]


def test_a_call_without_an_id_is_dropped(relay: Relay) -> None:
    """Some servers make it, and nobody would learn the outcome."""
    data = b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"pay"}}'
    assert isinstance(relay.from_client(data), Drop)


def test_an_id_belongs_to_one_request_at_a_time(relay: Relay) -> None:
    """Also as a text: some servers do not tell `1` and `"1"` apart. It can be used again later."""
    assert isinstance(relay.from_client(request(1, "ping")), Forward)
    for id_ in (1, "1"):
        assert "no response yet" in refused(relay, call(id_))[2]
    assert isinstance(relay.from_server(response("1", result={})), Drop)
    assert isinstance(relay.from_server(response(1, result={})), Forward)
    assert made(relay, call("1")).id == "1"


def test_requests_that_wait_are_bounded(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_file, "WAITING_MAX", 2)
    made(relay, call(1))
    asked(relay, call(2))
    assert refused(relay, call(3))[0] == 3
    relay.from_server(response(1, result={}))
    assert asked(relay, call(3)).id == 3


def test_the_first_response_is_the_outcome_and_may_be_repeated(relay: Relay) -> None:
    """A stream that is resumed brings the same one; another one is dropped."""
    found = made(relay, call())
    result = {"content": [{"type": "text", "text": "x"}], "structuredContent": {"a": 1}}
    first = response(1, result={**result, "_meta": {"m": 1}})
    step = relay.from_server(first)
    assert isinstance(step, Forward) and step.data == first
    assert step.outcome is not None and step.outcome.call is found
    assert (step.outcome.result, step.outcome.error) == (result, "")
    assert relay.from_server(first) == Forward(first)
    assert isinstance(relay.from_server(response(1, result={"content": []})), Drop)
    assert isinstance(relay.from_server(response(2, result={})), Drop)


def test_a_response_before_the_call_was_allowed_is_dropped(relay: Relay) -> None:
    """A server that guesses ids does not answer in place of the gate."""
    found = asked(relay, call())
    assert isinstance(relay.from_server(response(1, result={"content": []})), Drop)
    assert relay.is_waiting(found)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({"error": {"code": -32603, "message": "m"}}, "-32603: m"),
        ({"error": "odd"}, "the server's response has no result"),
        ({"result": 5}, "the server's response has no result"),
        ({"result": {"isError": True, "content": [{"text": "a"}, {"text": "b"}]}}, "a\nb"),
        ({"result": {"isError": True}}, "the tool reported an error"),
        (
            {"result": {"resultType": "input_required", "inputRequests": {}}},
            "the call is not complete: the server asks for more",
        ),
    ],
)
def test_a_call_that_failed_is_reported_with_its_error(
    relay: Relay, content: dict[str, Any], error: str
) -> None:
    """And with all that the model may read of it."""
    made(relay, call())
    step = relay.from_server(response(1, **content))
    assert isinstance(step, Forward) and step.outcome is not None
    told = content.get("error", content.get("result"))
    assert step.outcome.error == error
    assert step.outcome.result == (told if told != 5 else None)


def test_a_response_that_cannot_be_read_is_an_error_to_its_client(relay: Relay) -> None:
    """The client would read one of two results, and data memories perhaps the other."""
    made(relay, call())
    two = b'{"jsonrpc":"2.0","id":1,"result":{"content":[],"a":1,"a":2}}'
    step = relay.from_server(two)
    assert isinstance(step, Forward) and step.outcome is not None
    assert "cannot be read" in step.outcome.error
    assert json.loads(step.data)["error"]["code"] == -32603
    assert isinstance(relay.from_server(two), Drop)


def test_a_cancelled_call_is_withdrawn_or_has_failed(relay: Relay) -> None:
    """Its late response is dropped, since it was reported that there is none."""
    found = asked(relay, call())
    assert relay.from_client(cancel(1)) == Withdraw(found)
    assert not relay.is_waiting(found)
    found = made(relay, call())
    step = relay.from_client(cancel(1))
    assert isinstance(step, Forward) and step.data == cancel(1)
    assert step.outcome is not None and step.outcome.error == "cancelled by the client"
    assert isinstance(relay.from_server(response(1, result={"content": []})), Drop)


def test_other_cancellations_pass(relay: Relay) -> None:
    """Of other requests, of no request, and under an id of another type."""
    made(relay, call())
    relay.from_client(request(2, "resources/read"))
    for id_ in (2, 9, "1", None, [1]):
        assert relay.from_client(cancel(id_)) == Forward(cancel(id_))
    assert isinstance(relay.from_server(response(2, result={})), Forward)
    assert len(relay.ended("over")) == 1


def test_requests_of_the_server_have_ids_of_their_own(relay: Relay) -> None:
    """And so have the client's answers."""
    made(relay, call())
    back = request(1, "sampling/createMessage")
    assert relay.from_server(back) == Forward(back)
    answer = response(1, result={"content": []})
    assert relay.from_client(answer) == Forward(answer)
    step = relay.from_server(answer)
    assert isinstance(step, Forward) and step.outcome is not None


def test_the_end_fails_what_the_server_has(relay: Relay) -> None:
    """Not what nobody was allowed to make."""
    first = made(relay, call(1))
    asked(relay, call(2))
    relay.from_client(request(3, "ping"))
    assert [outcome.call for outcome in relay.ended("over")] == [first]
    assert relay.ended("over") == []


def test_nobody_answers_any_more(relay: Relay) -> None:
    found = made(relay, call(1))
    asked(relay, call(2))
    assert [outcome.call for outcome in relay.given_up(1, "gone")] == [found]
    assert relay.given_up(2, "gone") == relay.given_up(3, "gone") == []
    assert asked(relay, call(2)).id == 2


def listed(relay: Relay, *tools: Any) -> None:
    relay.from_client(request("l", "tools/list"))
    relay.from_server(response("l", result={"tools": list(tools)}))


def test_hints_of_the_server_only_become_stricter(relay: Relay) -> None:
    """What was said to be harmful once does not become harmless."""

    def hints() -> Any:
        found = asked(relay, call())
        relay.refused(found, "")
        return found.attributes.get("mcp_annotations")

    listed(relay, {"name": "pay", "annotations": {"readOnlyHint": True, "title": "x"}})
    assert hints() == {"readOnlyHint": True}
    listed(relay, {"name": "pay", "annotations": {"readOnlyHint": False, "destructiveHint": True}})
    assert hints() == {"readOnlyHint": False, "destructiveHint": True}
    listed(relay, {"name": "pay", "annotations": {"readOnlyHint": True, "destructiveHint": False}})
    assert hints() == {"readOnlyHint": False, "destructiveHint": True}
    listed(relay, {"name": "pay", "annotations": "odd"}, "odd", {"name": 5}, {})
    assert hints() == {"readOnlyHint": False, "destructiveHint": True}


def test_a_hint_that_is_not_repeated_is_in_doubt(relay: Relay) -> None:
    listed(relay, {"name": "pay", "annotations": {"readOnlyHint": True, "openWorldHint": False}})
    listed(relay, {"name": "pay"})
    assert asked(relay, call()).attributes["mcp_annotations"] == {"openWorldHint": False}


def test_a_tool_has_its_listed_name(relay: Relay) -> None:
    """A server that is not strict could take another spelling for the same tool."""
    listed(relay, {"name": "Pay now"}, {"name": "read"})
    assert asked(relay, call(1, "Pay now")).tool == "mcp__bank__Pay now"
    for name in ("pay now", "PAYNOW", "READ"):
        assert "use exactly this name" in refused(relay, call(2, name))[2]
    assert asked(relay, call(3, "unlisted")).tool == "mcp__bank__unlisted"


def test_what_a_user_answers_to_a_tool_is_seen(relay: Relay) -> None:
    found = asked(relay, call(inputResponses={"q": {"text": "x"}}, requestState="s"))
    assert found.attributes["mcp_input_responses"] == {"q": {"text": "x"}}


def test_signs_of_progress_are_smaller_than_those_of_a_server() -> None:
    signs = [json.loads(progress("t", step))["params"] for step in range(1, 60)]
    assert all(sign["progressToken"] == "t" for sign in signs)
    amounts = [sign["progress"] for sign in signs]
    assert amounts == sorted(set(amounts)) and amounts[-1] < 1
