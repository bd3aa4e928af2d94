"""Messages that a span of a model tells, in the form of the GenAI conventions; other conventions
are brought into it (`monitor/traces/flat_messages.py`).

| in the span | event |
|---|---|
| the last input messages: `user` | `message.user` |
| the last input messages: a response of a tool | `tool.completed`, if no span tells the outcome |
| output messages: text | `message.assistant` |
| output messages: a call of a tool | `tool.requested`, if no span tells the call |

A model is given the whole conversation again with every call. New are only the messages after the
last one of the assistant. The words of `system` are not an event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import json_of, mapping_of, text_of
from monitor.traces.flat_messages import INPUT, OUTPUT, is_unread, messages_of
from monitor.traces.model import Item, Passed, Step, Unread

_TEXT: Final = "text"
_CALL: Final = "tool_call"
_RESPONSE: Final = "tool_call_response"
_ASSISTANT: Final = "assistant"
_ROLES: Final = frozenset({"user", _ASSISTANT, "tool", "system", "developer"})


def message_items(
    place: str,
    attributes: Mapping[str, Any],
    start_ns: int | None,
    end_ns: int | None,
    common: Mapping[str, Any],
) -> Iterator[Item]:
    """The messages of one span: the new ones at its start, those of the model at its end."""
    if is_unread(attributes):
        yield Unread(place, "messages in the form of an older convention")
    found = messages_of(attributes)
    for name, time_ns in ((INPUT, start_ns), (OUTPUT, end_ns)):
        if name not in found:
            continue
        told = json_of(found[name])
        if not isinstance(told, list):
            yield Unread(place, f"`{name}` is not a list of messages")
            continue
        messages = told if name == OUTPUT else told[_new_from(told) :]
        if len(messages) < len(told):
            yield Passed(place, "messages of the model that an earlier span tells")
        for message in messages:
            fields = mapping_of(message)
            role = _ASSISTANT if name == OUTPUT else text_of(fields.get("role"))
            yield from _parts(place, role, fields.get("parts"), {**common, "time_ns": time_ns})


def _new_from(messages: list[Any]) -> int:
    """The number of the first message after the last one of the assistant."""
    said = [n for n, one in enumerate(messages, 1) if mapping_of(one).get("role") == _ASSISTANT]
    return said[-1] if said else 0


def _parts(place: str, role: str, parts: Any, common: Mapping[str, Any]) -> Iterator[Item]:
    if role not in _ROLES or not isinstance(parts, list):
        yield Unread(place, "a message of an unknown form")
        return
    if not parts:
        yield Passed(place, "an empty message")
    for part in parts:
        yield _part(place, role, mapping_of(part), common)


def _part(place: str, role: str, part: Mapping[str, Any], common: Mapping[str, Any]) -> Item:
    sort = part.get("type")
    call = text_of(part.get("id"))
    if sort == _TEXT and isinstance(part.get("content"), str):
        if role not in ("user", _ASSISTANT):
            return Passed(place, "text of the system or of a tool")
        return Step(place=place, kind=f"message.{role}", text=part["content"], **common)
    if sort == _CALL and isinstance(part.get("name"), str):
        args = json_of(part.get("arguments"))
        asked = {"tool": part["name"], "args": args if isinstance(args, dict) else None}
        return Step(
            place=place, kind="tool.requested", call=call, is_retold=True, **asked, **common
        )
    if sort == _RESPONSE and ("response" in part or "result" in part):
        result = part["response"] if "response" in part else part["result"]
        return Step(
            place=place, kind="tool.completed", call=call, result=result, is_retold=True, **common
        )
    if isinstance(sort, str) and sort not in (_TEXT, _CALL, _RESPONSE):
        return Passed(place, "a part of a message that is neither text nor a call")
    return Unread(place, "a part of a message of an unknown form")
