"""Messages of models in other conventions, in the form of the GenAI conventions.

| convention | where |
|---|---|
| OpenInference | one attribute for each field: `llm.input_messages.0.message.content` |
| Vercel AI SDK | JSON: `ai.prompt.messages`; `ai.response.text`, `ai.response.toolCalls` |

`monitor/traces/messages.py` makes events of the result. A part in another form stays as it is, and
is unread there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import json_of, mapping_of

INPUT: Final = "gen_ai.input.messages"
OUTPUT: Final = "gen_ai.output.messages"
_FLAT: Final = ((INPUT, "llm.input_messages."), (OUTPUT, "llm.output_messages."))
_LEVELS_MAX: Final = 8
"""The longest name of OpenInference has seven levels below the list."""
_UNREAD: Final = ("gen_ai.prompt", "gen_ai.completion", "gen_ai.content.")
"""Beginnings of names that older instrumentations gave to messages."""


def is_unread(attributes: Mapping[str, Any]) -> bool:
    """True if messages are there in a form that nothing reads."""
    return any(name.startswith(_UNREAD) for name in attributes)


def messages_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The messages of a span by `INPUT` and `OUTPUT`, as far as it tells them."""
    found = {name: attributes[name] for name in (INPUT, OUTPUT) if name in attributes}
    for name, prefix in _FLAT:
        told = _listed(_tree(attributes, prefix))
        if told and name not in found:
            found[name] = [_flat_message(mapping_of(one)) for one in told]
    if "ai.prompt.messages" in attributes and INPUT not in found:
        listed = json_of(attributes["ai.prompt.messages"])
        found[INPUT] = list(map(_vercel, listed)) if isinstance(listed, list) else listed
    answer = list(_vercel_answer(attributes))
    if answer and OUTPUT not in found:
        found[OUTPUT] = [{"role": "assistant", "parts": answer}]
    return found


def _tree(attributes: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Attributes with dotted names as objects in objects."""
    made: dict[str, Any] = {}
    for name, value in attributes.items():
        if not name.startswith(prefix):
            continue
        *path, last = name.removeprefix(prefix).split(".", _LEVELS_MAX)
        at = made
        for step in path:
            inner = at.setdefault(step, {})
            at = inner if isinstance(inner, dict) else at.setdefault(f"{step}.", {})
        at[last] = value
    return made


def _listed(tree: Any) -> list[Any]:
    """The values of an object whose keys are numbers, in their order; others come last."""
    fields = mapping_of(tree)
    return [
        fields[key] for key in sorted(fields, key=lambda key: (not key.isdecimal(), len(key), key))
    ]


def _flat_message(told: Mapping[str, Any]) -> dict[str, Any]:
    message = mapping_of(told.get("message"))
    role, content = message.get("role"), message.get("content")
    if role == "tool" and "tool_call_id" in message:
        answer = {"type": "tool_call_response", "id": message["tool_call_id"], "response": content}
        return {"role": role, "parts": [answer]}
    parts = [] if content is None or content == "" else [{"type": "text", "content": content}]
    for one in _listed(message.get("contents")):
        part = mapping_of(mapping_of(one).get("message_content"))
        parts.append({"type": part.get("type"), "content": part.get("text")})
    for one in _listed(message.get("tool_calls")):
        call = mapping_of(mapping_of(one).get("tool_call"))
        function = mapping_of(call.get("function"))
        parts.append({"type": "tool_call", "id": call.get("id"), **function})
    return {"role": role, "parts": parts}


def _vercel(message: Any) -> dict[str, Any]:
    fields = mapping_of(message)
    content = fields.get("content")
    if isinstance(content, str):
        return {"role": fields.get("role"), "parts": [{"type": "text", "content": content}]}
    parts = (
        [_vercel_part(mapping_of(one)) for one in content] if isinstance(content, list) else None
    )
    return {"role": fields.get("role"), "parts": parts}


def _vercel_part(part: Mapping[str, Any]) -> dict[str, Any]:
    match part.get("type"):
        case "text":
            return {"type": "text", "content": part.get("text")}
        case "tool-call":
            return _vercel_call(part)
        case "tool-result":
            result = part.get("output", part.get("result"))
            return {"type": "tool_call_response", "id": part.get("toolCallId"), "response": result}
    return dict(part)


def _vercel_call(call: Mapping[str, Any]) -> dict[str, Any]:
    named = {"id": call.get("toolCallId"), "name": call.get("toolName")}
    return {"type": "tool_call", **named, "arguments": call.get("input", call.get("args"))}


def _vercel_answer(attributes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if attributes.get("ai.response.text"):
        yield {"type": "text", "content": attributes["ai.response.text"]}
    if "ai.response.toolCalls" in attributes:
        listed = json_of(attributes["ai.response.toolCalls"])
        for one in listed if isinstance(listed, list) else [None]:
            yield _vercel_call(mapping_of(one))
