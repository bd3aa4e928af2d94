"""Messages of MCP (JSON-RPC 2.0), as logged by a proxy: alone, or within a line of a log.

| in the messages | event |
|---|---|
| request `tools/call` | `tool.requested`; `id` is the call |
| response with `content` or `structuredContent` | `tool.completed`, or `tool.failed` if `isError` |
| response with `error` | `tool.failed` |

A response does not name its method. One with a list of `content` is that of a tool. One with
`error` may be of any request, and stays without a tool if its `id` is not that of a call. Ids begin
anew with each connection. The time is a field of the log's line. MCP does not carry what the user
says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import is_text, mapping_of, text_of, texts_of
from monitor.traces.model import Document, Format, Item, Passed, Step, Unread
from monitor.traces.times import from_number, from_text

_TIMES: Final = ("timestamp", "time", "ts", "at", "@timestamp")
_SESSIONS: Final = ("session", "session_id", "sessionId", "mcp_session_id", "mcp-session-id")
_WRAPPED_MAX: Final = 3
"""Chosen: layers of a log around a message."""
_METHODS: Final = frozenset(
    {
        *("initialize", "ping", "tools/list", "resources/list", "resources/read"),
        *("resources/templates/list", "resources/subscribe", "resources/unsubscribe"),
        *("prompts/list", "prompts/get", "completion/complete", "logging/setLevel"),
        *("sampling/createMessage", "elicitation/create", "roots/list"),
    }
)


def is_it(value: Any) -> bool:
    """By the version that each message has."""
    return any(True for _ in _messages(mapping_of(value)))


def read(document: Document) -> Iterable[Item]:
    """The events of all messages of a line."""
    outer, place = mapping_of(document.value), document.place
    found = list(_messages(outer))
    if not found:
        yield Unread(place, "a line without a message of JSON-RPC")
    shared: dict[str, Any] = {
        "time_ns": next(filter(None, (_time(outer.get(name)) for name in _TIMES)), None),
        "session": next((outer[name] for name in _SESSIONS if text_of(outer.get(name))), ""),
        "has_lasting_call": False,
    }
    for number, message in enumerate(found, 1):
        at = place if len(found) == 1 else f"{place}, message {number}"
        yield _told({"place": at, "call": _id(message.get("id")), **shared}, message)


def _messages(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The messages within a line of a log; not those within a message."""
    if isinstance(value, dict) and is_text(value.get("jsonrpc")):
        yield value
    elif depth < _WRAPPED_MAX and isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _messages(inner, depth + 1)


def _told(common: dict[str, Any], message: Mapping[str, Any]) -> Item:
    if "method" in message:
        return _request(common, message)
    if "error" in message:
        error = mapping_of(message["error"])
        reason = text_of(error.get("message")) or "the server answered with an error"
        return Step(kind="tool.failed", error=reason, **common)
    return _response(common, message.get("result"))


def _time(value: Any) -> int | None:
    return from_text(value) if isinstance(value, str) else from_number(value)


def _id(value: Any) -> str:
    """A text and a number are different ids; a text that reads like a number keeps its quotes."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64:
        return str(value)
    if is_text(value):
        return f'"{value}"' if value.lstrip("-").isdigit() else str(value)
    return ""


def _request(common: dict[str, Any], message: Mapping[str, Any]) -> Item:
    method, params = text_of(message["method"]), mapping_of(message.get("params"))
    if method == "tools/call":
        name, args = text_of(params.get("name")), params.get("arguments", {})
        args = args if name and isinstance(args, dict) else None
        return Step(kind="tool.requested", tool=name, args=args, **common)
    if method.startswith("notifications/"):
        return Passed(common["place"], "notifications")
    return Passed(common["place"], method if method in _METHODS else "another method")


def _response(common: dict[str, Any], result: Any) -> Item:
    fields = mapping_of(result)
    is_content = isinstance(fields.get("content"), list) and "role" not in fields
    if not (is_content or "structuredContent" in fields):
        return Passed(common["place"], "a response that is not of a tool")
    if fields.get("isError"):
        reason = texts_of(fields.get("content")) or "the tool reported an error"
        return Step(kind="tool.failed", error=reason, **common)
    return Step(kind="tool.completed", result=result, **common)


FORMAT: Final = Format(
    name="mcp",
    title="messages of MCP (JSON-RPC)",
    version="protocol up to 2025-11-25; from its schema",
    is_it=is_it,
    read=read,
)
