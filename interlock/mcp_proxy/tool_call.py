"""A call of a tool in messages of MCP: its request, the answer to a refused one, and its outcome.

    read_call(message, tools)       what a `tools/call` asks for, or `Unreadable`
    with_arguments(call, edited)    the request with the arguments that an operator approved
    refusal(id, text)               the result that the model reads
    outcome_of(call, response)      what is reported

Input and output are values; nothing is sent from here.

Source: the Model Context Protocol, tools.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import SettingError
from ..names import checked_name
from .message import (
    INVALID_PARAMS,
    Id,
    Message,
    Unreadable,
    encode,
    has_prototype,
    imitated,
    keys_alike,
    shown_key,
)
from .tools import Tools

CALL_METHOD: Final = "tools/call"
_PARAMS: Final = frozenset({"name", "arguments", "_meta", "task", "inputResponses", "requestState"})
"""All that the protocol has; another one could be read by a server, and is seen by no invariant."""
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")
"""Source: W3C Trace Context, level 1, section 3.2."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the client asks for. `tool` and `attributes` are those of its events."""

    message: Message
    id: Id
    tool: str
    args: Mapping[str, Any]
    attributes: Mapping[str, object]
    progress_token: Id | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a call that was made: its result, with an error if it failed."""

    call: Call
    result: object = field(default=None, repr=False)
    error: str = field(default="", repr=False)


def read_call(message: Message, tools: Tools) -> Call:
    """The call that a request of `tools/call` asks for.

    Raises
    ------
    Unreadable
        The server could read it as another call, or as more than the gate would judge.
    """
    assert message.id is not None, "a request"
    try:
        return _read(message, message.id, tools)
    except Unreadable as fault:
        raise Unreadable(str(fault), INVALID_PARAMS, message.id) from None


def with_arguments(call: Call, edited: Mapping[str, object]) -> bytes:
    """The same request with other arguments."""
    params = {**call.message.params, "arguments": edited}
    return encode({"jsonrpc": "2.0", "id": call.id, "method": CALL_METHOD, "params": params})


def refusal(id_: Id, text: str) -> bytes:
    """A result that the model reads, as the error of a tool."""
    content = [{"type": "text", "text": text}]
    result = {"content": content, "isError": True, "resultType": "complete"}
    return encode({"jsonrpc": "2.0", "id": id_, "result": result})


def outcome_of(call: Call, response: Message) -> Outcome:
    """The outcome that a response states.

    It is reported whole, that of a failed call too: what the model may read, data memories must
    have seen. A server that asks the user for more has not made the call yet.
    """
    if response.error is not None or not isinstance(response.result, dict):
        return Outcome(call, response.error, _error_text(response.error))
    result = {name: value for name, value in response.result.items() if name != "_meta"}
    if result.get("isError"):
        return Outcome(call, result, _text_of(result) or "the tool reported an error")
    if result.get("resultType", "complete") != "complete":
        return Outcome(call, result, "the call is not complete: the server asks for more")
    return Outcome(call, result)


def progress(token: Id, step: int) -> bytes:
    """A sign that a call waits. The steps are small, so that those of the server are greater."""
    params = {
        "progressToken": token,
        "progress": step / 1000,
        "message": "waiting for the answer of the gate",
    }
    return encode({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})


def _read(message: Message, id_: Id, tools: Tools) -> Call:
    params = message.params
    if key := next((key for key in params if key not in _PARAMS), ""):
        nearly = ", and nearly one that does" if imitated([key], _PARAMS) else ""
        raise Unreadable(f"a call has no parameter `{shown_key(key)}`{nearly}")
    if key := keys_alike(params):
        raise Unreadable(f"the key `{shown_key(key)}` differs from another one by case alone")
    if has_prototype(params):
        raise Unreadable("a key is `__proto__`, which gives an object other values in JavaScript")
    if params.get("task") is not None:
        raise Unreadable("calls as tasks are not supported by this proxy; call without `task`")
    args, meta = params.get("arguments"), params.get("_meta")
    if not isinstance(args, dict | None) or not isinstance(meta, dict | None):
        raise Unreadable("`arguments` and `_meta` of a call are objects")
    tool = tools.checked(_name(params.get("name")))
    attributes = {**tools.attributes(tool), **_attributes(params, meta or {})}
    token = (meta or {}).get("progressToken")
    is_token = isinstance(token, str | int) and not isinstance(token, bool)
    token = token if is_token else None
    return Call(message, id_, tools.named(tool), args or {}, attributes, token)


def _name(name: object) -> str:
    try:
        tool = checked_name(name, "name")
    except SettingError as fault:
        raise Unreadable(str(fault)) from None
    if not tool:
        raise Unreadable("`name` of a call is empty")
    return tool


def _attributes(params: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, object]:
    found: dict[str, object] = {}
    traceparent = meta.get("traceparent")
    if isinstance(traceparent, str) and _TRACEPARENT.match(traceparent):
        found["traceparent"] = traceparent
    if params.get("inputResponses") is not None:
        found["mcp_input_responses"] = params["inputResponses"]
    return found


def _error_text(error: object) -> str:
    if not isinstance(error, dict):
        return "the server's response has no result"
    return f"{error.get('code')}: {error.get('message')}"


def _text_of(result: Mapping[str, Any]) -> str:
    """The texts of a result."""
    content = result.get("content")
    blocks = content if isinstance(content, list) else []
    texts = [block.get("text") for block in blocks if isinstance(block, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))
