"""Single documents of foreign formats: the cases in which a reader could tell something false."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.traces.documents import documents
from monitor.traces.formats import FORMATS, recognised
from monitor.traces.model import Document, Item, Passed, Step, Unread

FORMAT = {format_.name: format_ for format_ in FORMATS}


def read(name: str, value: Any) -> list[Item]:
    return list(FORMAT[name].read(Document("line 1", value)))


def step(name: str, value: Any) -> Step:
    (item,) = read(name, value)
    assert isinstance(item, Step)
    return item


def message(id_: Any, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, **more}


def test_all_messages_of_a_line_are_read() -> None:
    """A log may keep a request and its response together."""
    call = message(1, method="tools/call", params={"name": "pay", "arguments": {}})
    line = {"request": call, "response": message(1, result={"content": []})}
    told = [item.kind for item in read("mcp", line) if isinstance(item, Step)]
    assert told == ["tool.requested", "tool.completed"]


def test_ids_of_two_types_are_two_calls() -> None:
    error = {"code": 1, "message": "no"}
    first, second = (step("mcp", message(id_, error=error)) for id_ in (1, "1"))
    assert first.call != second.call


@pytest.mark.parametrize(
    "result",
    [
        {"contents": []},
        {"tools": []},
        {"role": "assistant", "content": [{"type": "text", "text": "x"}]},
        {"content": {"type": "text", "text": "x"}},
    ],
)
def test_a_response_to_another_method_is_not_an_outcome(result: Any) -> None:
    (item,) = read("mcp", message(1, result=result))
    assert isinstance(item, Passed)


def test_messages_of_mcp_within_arguments_do_not_decide_what_a_file_is() -> None:
    run = b'{"id": "r", "run_type": "tool", "name": "t", "inputs": {"jsonrpc": "2.0"}}'
    found = recognised(documents(run))
    assert found is not None and found.name == "langsmith"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (None, "message.user"),
        ("plain", "message.user"),
        ("environment_context", "message.runtime"),
    ],
)
def test_a_message_that_codex_made_is_not_the_users_word(kind: Any, expected: str) -> None:
    payload = {"type": "user_message", "message": "go", "kind": kind}
    assert step("codex", {"type": "event_msg", "payload": payload}).kind == expected


def test_an_event_of_openhands_is_read_whatever_is_beside_it() -> None:
    """A list in it does not make it a run, whose events are read in its place."""
    event = {"id": 1, "source": "agent", "action": "run", "args": {"command": "rm"}}
    told = step("openhands", {**event, "history": [{**event, "args": {"command": "ls"}}]})
    assert told.args == {"command": "rm"}


def test_arguments_that_are_not_json_stay_absent() -> None:
    """Codex keeps the model's text; an attacker could repeat a key in it."""
    payload = {"type": "function_call", "name": "pay", "call_id": "c"}
    for text in ("{", '{"to": "ann", "to": "eve"}', "[]"):
        told = step("codex", {"type": "response_item", "payload": {**payload, "arguments": text}})
        assert told.args is None


def test_a_search_that_is_still_running_has_no_outcome() -> None:
    payload = {"type": "web_search_call", "status": "in_progress", "action": {"query": "x"}}
    assert step("codex", {"type": "response_item", "payload": payload}).kind == "tool.requested"


def test_runs_within_runs_have_a_limit() -> None:
    run: dict[str, Any] = {"id": "r", "run_type": "chain", "name": "c"}
    for _ in range(80):
        run = {"id": "r", "run_type": "chain", "name": "c", "child_runs": [run]}
    assert [item.reason for item in read("langsmith", run) if isinstance(item, Unread)] == [
        "runs within runs nest too deep"
    ]


def test_the_user_who_acts_is_the_session_of_whom_is_impersonated() -> None:
    event = {
        "apiVersion": "audit.k8s.io/v1",
        "verb": "get",
        "stage": "RequestReceived",
        "user": {"username": "bot"},
        "impersonatedUser": {"username": "ann"},
        "objectRef": {"resource": "secrets"},
    }
    told = step("kubernetes-audit", event)
    assert (told.session, told.user, told.tool) == ("bot", "ann", "get secrets")
