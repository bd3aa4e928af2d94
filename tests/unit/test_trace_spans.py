"""Spans as events: calls, sessions, messages, and what is told twice."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from monitor.traces.model import Document, Passed, Unread
from monitor.traces.native import Assembled, assemble
from monitor.traces.otlp_json import FORMAT

SECOND = 10**9
BEGIN = 1_767_603_600 * SECOND


def value(told: Any) -> dict[str, Any]:
    match told:
        case bool():
            return {"boolValue": told}
        case int():
            return {"intValue": str(told)}
        case float():
            return {"doubleValue": told}
        case list():
            return {"arrayValue": {"values": [value(one) for one in told]}}
        case dict():
            return {"kvlistValue": {"values": pairs(told)}}
    return {} if told is None else {"stringValue": told}


def pairs(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value(one)} for key, one in told.items()]


def span(
    id_: str,
    within: str = "",
    attributes: dict[str, Any] | None = None,
    at: tuple[int, int | None] = (0, 1),
    **more: Any,
) -> dict[str, Any]:
    """`at`: the seconds of its start and of its end."""
    ends = {} if at[1] is None else {"endTimeUnixNano": str(BEGIN + at[1] * SECOND)}
    return {
        "traceId": "t1",
        "spanId": id_,
        "parentSpanId": within,
        "startTimeUnixNano": str(BEGIN + at[0] * SECOND),
        "attributes": pairs(attributes or {}),
        **ends,
        **more,
    }


def tool(name: str = "pay", call: str = "", **more: Any) -> dict[str, Any]:
    named = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    return {**named, **({"gen_ai.tool.call.id": call} if call else {}), **more}


def mcp(name: str = "pay", **more: Any) -> dict[str, Any]:
    return {**tool(name), "mcp.method.name": "tools/call", **more}


def chat(**more: Any) -> dict[str, Any]:
    told = {f"gen_ai.{key}.messages": json.dumps(one) for key, one in more.items()}
    return {"gen_ai.operation.name": "chat", **told}


def says(role: str, *parts: dict[str, Any] | str) -> dict[str, Any]:
    made = [{"type": "text", "content": one} if isinstance(one, str) else one for one in parts]
    return {"role": role, "parts": made}


def batch(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def read(*batches: dict[str, Any]) -> Assembled:
    return assemble(
        [item for n, one in enumerate(batches) for item in FORMAT.read(Document(f"line {n}", one))],
        "whole",
    )


def events(*spans: dict[str, Any]) -> list[dict[str, Any]]:
    """The spans in a batch each, the last one first, as exporters write what ends early."""
    made = read(*(batch(one) for one in reversed(spans)))
    assert not made.unread, made.unread
    return [json.loads(line) for line in made.lines]


def kinds(told: list[dict[str, Any]]) -> list[str]:
    return [one["kind"] for one in told]


@pytest.mark.parametrize(
    ("told", "args", "noted"),
    [
        ('{"amount": 3}', {"amount": 3}, None),
        ({"amount": 3, "to": ["a"]}, {"amount": 3, "to": ["a"]}, None),
        ({}, {}, None),
        ("{}", {}, None),
        ("", None, None),
        (None, None, None),
        ("three", None, "three"),
        ('{"amount": 3, "amount": 4}', None, '{"amount": 3, "amount": 4}'),
        (["a"], None, ["a"]),
    ],
)
def test_arguments_are_an_object_or_absent(told: Any, args: Any, noted: Any) -> None:
    """Structured or as a text; anything else is a note, and never an empty object."""
    found = events(span("a", attributes=tool(**{"gen_ai.tool.call.arguments": told})))
    assert kinds(found) == ["tool.requested", "tool.completed"]
    assert all(one.get("args") == args for one in found)
    assert all(one["attributes"].get("arguments") == noted for one in found)


def test_arguments_that_are_not_told_stay_absent() -> None:
    made = read(batch(span("a", attributes=tool())))
    assert "args" not in json.loads(made.lines[0]) and made.lacks.args == 1


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"tool.name": "pay", "tool.id": "c1", "input.value": '{"amount": 3}', "output.value": "ok",
          "tool.parameters": '{"type": "object"}', "openinference.span.kind": "TOOL"}, "x"),
        ({"ai.toolCall.name": "pay", "ai.toolCall.id": "c1", "ai.toolCall.args": '{"amount": 3}',
          "ai.toolCall.result": '"ok"', "ai.operationId": "ai.toolCall"}, "ai.toolCall"),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": "c1",
          "gen_ai.tool.call.arguments": {"amount": 3}, "gen_ai.tool.call.result": "ok"},
         "execute_tool pay"),
        ({"mcp.method.name": "tools/call", "gen_ai.tool.call.id": "c1",
          "gen_ai.tool.call.arguments": {"amount": 3}, "gen_ai.tool.call.result": "ok"},
         "MCP send tools/call pay"),
    ],
)  # fmt: skip
def test_each_convention_tells_the_same(attributes: dict[str, Any], name: str) -> None:
    asked, done = events(span("a", attributes=attributes, name=name))
    assert (asked["tool"], asked["call"], asked["args"]) == ("pay", "c1", {"amount": 3})
    assert done["kind"] == "tool.completed" and done["result"] == "ok"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"status": {"code": 2, "message": "no money"}}, "no money"),
        ({"status": {"code": 2}}, "the span ended with an error"),
        ({"status": {"code": "STATUS_CODE_ERROR"}, "events": [
            {"name": "exception", "attributes": pairs({"exception.message": "no money"})}
        ]}, "no money"),
    ],
)  # fmt: skip
def test_a_failed_span_is_a_failed_call(more: dict[str, Any], error: str) -> None:
    _, failed = events(span("a", attributes=tool(), **more))
    assert failed["kind"] == "tool.failed" and failed["error"] == error


def test_an_error_without_a_status_is_an_error() -> None:
    _, failed = events(span("a", attributes=tool(**{"error.type": "timeout"})))
    assert failed["kind"] == "tool.failed" and failed["error"] == "timeout"


@pytest.mark.parametrize("code", [3, "FINE", None, True, [2]])
def test_a_status_that_is_not_known_is_not_a_success(code: Any) -> None:
    made = read(batch(span("a", attributes=tool(), status={"code": code})))
    assert kinds([json.loads(line) for line in made.lines]) == ["tool.requested"]
    assert made.unread_count == 1


def test_a_span_without_an_end_has_no_outcome() -> None:
    made = read(batch(span("a", attributes=tool(), at=(0, None))))
    assert len(made.lines) == 1 and made.lacks.outcomes == 1


def test_a_session_is_named_by_the_conversation_then_by_what_is_around() -> None:
    names = {"mcp.session.id": "m", "session.id": "s", "gen_ai.conversation.id": "c"}
    (first, *_) = events(span("a", attributes=tool(**names)))
    assert first["session"] == "c"
    del names["gen_ai.conversation.id"]
    (first, *_) = events(span("a", attributes=tool(**names)))
    assert first["session"] == "m"
    (first, *_) = events(span("a", attributes=tool(**{"session.id": "s"})))
    assert first["session"] == "s"
    (first, *_) = events(span("a", attributes=tool()))
    assert first["session"] == "t1"


def test_a_span_belongs_to_the_conversation_around_it() -> None:
    """More than to its connection; spans between them, and batches, do not matter."""
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": "c"}
    told = events(
        span("a", attributes=agent),
        span("b", "a"),
        span("d", "b", mcp(**{"mcp.session.id": "m"})),
        span("e", "", tool()),
    )
    assert {one["session"] for one in told} == {"c"}


def test_of_two_conversations_in_a_trace_neither_is_taken_for_a_third_span() -> None:
    made = read(
        batch(
            span("a", attributes=tool(**{"gen_ai.conversation.id": "c1"})),
            span("b", attributes=tool(**{"gen_ai.conversation.id": "c2"})),
            span("d", attributes=tool()),
            span("e", "a", tool()),
        )
    )
    assert sorted(made.sessions) == ["c1", "c2", "t1"] and made.lacks.conversations == 2
    assert sum(json.loads(line)["session"] == "c1" for line in made.lines) == 4


def test_a_message_of_a_protocol_is_part_of_the_call_around_it() -> None:
    """Through any number of them, and other spans; it adds what only it tells."""
    told = events(
        span("a", attributes=tool(call="c1")),
        span("b", "a", {"mcp.method.name": "tools/call"}),
        span("http", "b"),
        span("d", "http", mcp(**{"gen_ai.tool.call.arguments": {"amount": 3}})),
    )
    assert kinds(told) == ["tool.requested", "tool.completed"]
    assert all(one["args"] == {"amount": 3} and one["call"] == "c1" for one in told)


def test_a_failure_within_a_call_is_a_failure_of_it() -> None:
    _, failed = events(
        span("a", attributes=tool(**{"gen_ai.tool.call.result": "Error"}), at=(0, 5)),
        span("b", "a", mcp(**{"error.type": "tool_error"}), at=(1, 2)),
    )
    assert failed["kind"] == "tool.failed" and failed["error"] == "tool_error"


def test_a_result_that_only_the_inner_span_tells_is_kept() -> None:
    _, done = events(
        span("a", attributes=tool(), at=(0, 5)),
        span("b", "a", mcp(**{"gen_ai.tool.call.result": "paid"}), at=(1, 2)),
    )
    assert done["result"] == "paid"


def test_another_tool_within_a_call_is_another_call() -> None:
    """Also behind a message that names no tool."""
    told = events(
        span("a", attributes=tool("plan"), at=(0, 9)),
        span("b", "a", {"mcp.method.name": "tools/call"}, at=(1, 8)),
        span("d", "b", mcp("delete"), at=(2, 7)),
    )
    assert [one["tool"] for one in told] == ["plan", "delete", "delete", "plan"]


def test_a_tool_that_calls_itself_makes_two_calls() -> None:
    """Only messages of a protocol are parts of a call."""
    told = events(span("a", attributes=tool()), span("b", "a", tool()))
    assert kinds(told).count("tool.requested") == 2


def test_two_spans_with_one_id_of_a_call_are_one_if_they_overlap() -> None:
    other = {"openinference.span.kind": "TOOL", "tool.name": "pay", "tool.id": "c1"}
    first = span("a", attributes=tool(call="c1"), at=(0, 5))
    assert len(events(first, span("b", attributes=other, at=(1, 4)))) == 2
    assert len(events(first, span("b", attributes=other, at=(5, 6)))) == 4
    assert len(events(first, span("b", attributes={**other, "tool.name": "x"}, at=(1, 4)))) == 4


def test_a_span_that_is_there_twice_is_one_and_another_with_its_id_is_not_lost() -> None:
    one = span("a", attributes=tool(call="c1"))
    assert len(events(one, one)) == 2
    told = events(one, span("a", attributes=tool("delete")))
    assert sorted(one["tool"] for one in told) == ["delete", "delete", "pay", "pay"]


def test_spans_in_a_circle_are_read() -> None:
    told = events(span("a", "b", mcp()), span("b", "d", mcp()), span("d", "a", mcp()))
    assert kinds(told)[0] == "tool.requested"


def test_messages_are_told_once_although_a_model_is_given_all_again() -> None:
    call = {"type": "tool_call", "id": "c1", "name": "pay", "arguments": {"amount": 3}}
    answer = {"type": "tool_call_response", "id": "c1", "response": "paid"}
    history = [says("system", "Be brief."), says("user", "pay")]
    told = events(
        span("a", attributes={**chat(input=history), "gen_ai.operation.name": "invoke_agent"}),
        span("b", "a", chat(input=history, output=[says("assistant", "I pay.", call)]), (1, 2)),
        span("d", "a", tool(call="c1"), (3, 4)),
        span(
            "e",
            "a",
            chat(
                input=[*history, says("assistant", "I pay.", call), says("tool", answer)],
                output=[says("assistant", "Done.")],
            ),
            (5, 6),
        ),
    )
    assert kinds(told) == [
        "message.user",
        "message.assistant",
        "tool.requested",
        "tool.completed",
        "message.assistant",
    ]
    assert told[2]["args"] == {"amount": 3}, "the model's message tells what the span does not"


def test_calls_that_only_messages_tell_are_calls() -> None:
    call = {"type": "tool_call", "id": "c1", "name": "pay", "arguments": '{"amount": 3}'}
    answer = {"type": "tool_call_response", "id": "c1", "response": "paid"}
    told = events(
        span("a", attributes=chat(output=[says("assistant", call)])),
        span("b", attributes=chat(input=[says("tool", answer)]), at=(2, 3)),
        span("d", attributes=chat(input=[says("tool", answer)]), at=(4, 5)),
    )
    assert kinds(told) == ["tool.requested", "tool.completed"]
    assert all(one["args"] == {"amount": 3} and one["tool"] == "pay" for one in told)


def test_a_call_in_a_message_is_that_of_a_span_that_names_no_call() -> None:
    """With equal arguments; another call of the tool is not lost."""
    call = {"type": "tool_call", "id": "c1", "name": "pay", "arguments": {"amount": 3}}
    answer = {"type": "tool_call_response", "id": "c1", "response": "paid"}
    asked = span("a", attributes=chat(output=[says("assistant", call)]))
    told = span("d", attributes=chat(input=[says("tool", answer)]), at=(4, 5))
    for args, count in ((None, 2), ({"amount": 3}, 2), ({"amount": 4}, 4)):
        sent = tool(**({} if args is None else {"gen_ai.tool.call.arguments": args}))
        made = events(asked, span("b", attributes=sent, at=(2, 3)), told)
        assert len(made) == count
        assert [one["args"] for one in made if one["call"] == "c1"] == [{"amount": 3}] * 2


def test_the_prompt_of_a_tool_or_of_a_started_agent_is_not_the_users_word() -> None:
    agent = {"gen_ai.operation.name": "invoke_agent"}
    asked = chat(input=[says("user", "delete all")])
    top = [span("a", attributes=agent)]
    assert kinds(events(*top, span("b", "a", asked))) == ["message.user"]
    nested = [*top, span("b", "a", agent), span("d", "b", asked)]
    assert kinds(events(*nested)) == ["message.runtime"]
    assert kinds(events(*top, span("b", "a", {**asked, **agent}))) == ["message.runtime"]
    within = [*top, span("b", "a", tool()), span("d", "b", asked)]
    assert "message.user" not in kinds(events(*within))


def test_a_model_does_not_speak_as_the_user() -> None:
    told = events(span("a", attributes=chat(output=[says("user", "yes, pay")])))
    assert kinds(told) == ["message.assistant"]


OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "Be brief.",
    "llm.input_messages.10.message.role": "user",
    "llm.input_messages.10.message.contents.0.message_content.type": "text",
    "llm.input_messages.10.message.contents.0.message_content.text": "again, please",
    "llm.input_messages.9.message.role": "tool",
    "llm.input_messages.9.message.content": "paid",
    "llm.input_messages.9.message.tool_call_id": "c0",
    "llm.input_messages.8.message.role": "assistant",
    "llm.input_messages.8.message.content": "I pay.",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "I pay again.",
    "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "pay",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"amount": 3}',
}
VERCEL = {
    "ai.operationId": "ai.generateText.doGenerate",
    "ai.prompt.messages": json.dumps(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "assistant", "content": [{"type": "text", "text": "I pay."}]},
            {"role": "tool", "content": [
                {"type": "tool-result", "toolCallId": "c0", "toolName": "pay", "output": "paid"}
            ]},
            {"role": "user", "content": [{"type": "text", "text": "again, please"}]},
        ]
    ),
    "ai.response.text": "I pay again.",
    "ai.response.toolCalls": '[{"toolCallId": "c1", "toolName": "pay", "input": {"amount": 3}}]',
}  # fmt: skip


@pytest.mark.parametrize("attributes", [OPENINFERENCE, VERCEL], ids=["OpenInference", "Vercel"])
def test_messages_of_other_conventions(attributes: dict[str, Any]) -> None:
    """New is only what follows the last word of the assistant, in the order of the messages."""
    told = events(span("a", attributes=attributes))
    assert kinds(told) == ["tool.completed", "message.user", "message.assistant", "tool.requested"]
    assert [one.get("text") for one in told[1:3]] == ["again, please", "I pay again."]
    assert told[0]["result"] == "paid" and told[0]["call"] == "c0"
    assert told[3]["tool"] == "pay" and told[3]["args"] == {"amount": 3}


def test_values_have_their_types() -> None:
    told = {"yes": True, "n": -7, "x": 1.5, "list": [1, "a", None], "map": {"k": 2**63 - 1}}
    one = span("a", attributes=tool())
    raw = {"key": "raw", "value": {"bytesValue": base64.b64encode(b"\xff").decode()}}
    listed = {"kvlistValue": {"values": [*pairs(told), raw]}}
    one["attributes"].append({"key": "gen_ai.tool.call.arguments", "value": listed})
    (asked, _) = events(one)
    assert asked["args"] == {**told, "raw": {"$base64": "/w=="}}


@pytest.mark.parametrize(
    "told",
    [
        {"intValue": "1e3"}, {"intValue": "9" * 600}, {"intValue": True}, {"doubleValue": "x"},
        {"bytesValue": "?"}, {"arrayValue": []}, {"kvlistValue": {"values": [{"value": {}}]}},
        {"stringValue": 1}, {"stringValue": "a", "intValue": "1"}, {"otherValue": 1}, "text",
        {"kvlistValue": {"values": [*pairs({"a": "1"}), *pairs({"a": "2"})]}},
    ],
)  # fmt: skip
def test_an_attribute_that_cannot_be_read_is_told(told: Any) -> None:
    one = span("a", attributes=tool())
    one["attributes"].append({"key": "gen_ai.tool.call.arguments", "value": told})
    made = read(batch(one))
    assert made.unread_count == 1 and made.unread[0].place == "line 0, span 1" and not made.lines


def test_an_attribute_that_is_there_twice_makes_the_span_unreadable() -> None:
    one = span("a", attributes=tool("pay"))
    one["attributes"] += pairs({"gen_ai.tool.name": "delete"})
    assert read(batch(one)).unread_count == 1


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"resourceSpans": []}, Passed),
        ({"resourceSpans": [{"scopeSpans": [{"spans": []}]}]}, Passed),
        ({"resourceMetrics": []}, Passed),
        ({"resourceLogs": []}, Unread),
        ({"resourceSpans": [{"instrumentationLibrarySpans": []}]}, Unread),
        ({"resourceSpans": [{"scopeSpans": [{}]}]}, Unread),
        (batch({"traceId": "t1"}), Unread),
        (batch(span("a", attributes={"traceloop.span.kind": "tool"})), Unread),
        (batch(span("a", attributes={"gen_ai.input.messages": "hello"})), Unread),
        (batch(span("a", attributes={"gen_ai.prompt.0.content": "hello"})), Unread),
        (batch(span("a", attributes={"llm.input_messages.0": "hello"})), Unread),
        (batch(span("a", attributes={"llm.input_messages.0.message": "hello"})), Unread),
        (batch(span("a", attributes={"ai.prompt.messages": "hello"})), Unread),
        (batch(span("a", attributes={"ai.response.toolCalls": "hello"})), Unread),
        (batch(span("a", events=[{"name": "gen_ai.user.message"}])), Unread),
        (batch(span("a", attributes={"gen_ai.operation.name": {"a": "chat"}})), Passed),
        (batch(span("a", attributes={"http.request.method": "GET"})), Passed),
    ],
)
def test_documents_without_a_call(told: Any, found: type) -> None:
    (first, *_) = FORMAT.read(Document("line 1", told))
    assert isinstance(first, found)
