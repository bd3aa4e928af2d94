"""Rollouts of Codex: one JSON object a line, with `timestamp`, `type` and `payload`.

| in the rollout | event |
|---|---|
| `session_meta` | the session; `source.subagent` names its parent |
| `event_msg`: `user_message` | `message.user`; `message.runtime` if its `kind` is not `plain` |
| `response_item`: `message` of the assistant | `message.assistant` |
| `response_item`: `message` of any other role | `message.runtime` |
| `function_call`, `custom_tool_call`, `local_shell_call`, `tool_search_call` | `tool.requested` |
| their `_output` | `tool.completed` |
| `web_search_call`, `image_generation_call` | `tool.requested`; `tool.completed` if `completed` |

The text of a prompt is there twice: as the user's message, and as a message to the model. The
second is a double. A command that fails is `tool.completed`: the rollout tells its failure in
words only. `call_id` is the call; calls that the provider of the model runs have their `id`, or are
called by their place in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import is_text, json_object, mapping_of, text_of, texts_of
from monitor.traces.model import ABSENT, Document, Format, Item, Named, Passed, Step, Unread
from monitor.traces.times import from_text

_TYPES: Final = frozenset(
    {"session_meta", "response_item", "event_msg", "turn_context", "compacted", "world_state"}
)
_OUTPUTS: Final = frozenset(
    {"function_call_output", "custom_tool_call_output", "tool_search_output"}
)
_BY_THE_PROVIDER: Final = frozenset({"web_search_call", "image_generation_call"})
"""Calls that the provider of the model runs: request and outcome are one line."""
_SILENT: Final = frozenset({"reasoning", "ghost_snapshot", "compaction", "compaction_summary"})


def is_it(value: Any) -> bool:
    """By the envelope of each line."""
    fields = mapping_of(value)
    return text_of(fields.get("type")) in _TYPES and isinstance(fields.get("payload"), dict)


def read(document: Document) -> Iterable[Item]:
    """The events of one line."""
    fields = mapping_of(document.value)
    place, payload = document.place, mapping_of(fields.get("payload"))
    common = {"place": place, "time_ns": from_text(fields.get("timestamp")), "agent": "codex"}
    match fields.get("type"):
        case "session_meta" if is_text(payload.get("id")) and payload["id"]:
            return [_session(place, payload)]
        case "event_msg":
            return [_told(common, payload)]
        case "response_item":
            return _response(common, payload)
        case "turn_context" | "compacted" | "world_state" as silent:
            return [Passed(place, silent)]
    return [Unread(place, "a line of an unknown type")]


def _session(place: str, payload: Mapping[str, Any]) -> Named:
    subagent = mapping_of(mapping_of(payload.get("source")).get("subagent"))
    return Named(
        place,
        payload["id"],
        parent=text_of(mapping_of(subagent.get("thread_spawn")).get("parent_thread_id")),
        continues=text_of(payload.get("forked_from_id")),
    )


def _told(common: dict[str, Any], payload: Mapping[str, Any]) -> Item:
    """The events of the screen are copies of what the model was sent, but for the user's word."""
    if payload.get("type") == "user_message":
        if not is_text(payload.get("message")):
            return Unread(common["place"], "a message of the user without a text")
        is_users = payload.get("kind") in (None, "plain")
        kind = "message.user" if is_users else "message.runtime"
        return Step(kind=kind, text=payload["message"], **common)
    if not is_text(payload.get("type")):
        return Unread(common["place"], "an event of an unknown type")
    return Passed(common["place"], "event_msg, for the screen")


def _response(common: dict[str, Any], payload: Mapping[str, Any]) -> Iterator[Item]:
    kind, call = text_of(payload.get("type")), text_of(payload.get("call_id"))
    if kind == "message":
        yield _message(common, payload)
    elif kind in _OUTPUTS:
        result = payload.get("output", payload.get("tools", ABSENT))
        yield Step(kind="tool.completed", call=call, result=result, **common)
    elif kind in ("function_call", "custom_tool_call") and text_of(payload.get("name")):
        yield Step(
            kind="tool.requested", tool=_tool(payload), call=call, args=_args(payload), **common
        )
    elif kind == "local_shell_call":
        action = mapping_of(payload.get("action"))
        args = {key: value for key, value in action.items() if key != "type"}
        yield Step(kind="tool.requested", tool="local_shell", call=call, args=args, **common)
    elif kind == "tool_search_call":
        sought = json_object(payload.get("arguments"))
        yield Step(kind="tool.requested", tool="tool_search", call=call, args=sought, **common)
    elif kind in _BY_THE_PROVIDER:
        yield from _by_the_provider(common, payload)
    elif kind in _SILENT:
        yield Passed(common["place"], kind)
    else:
        yield Unread(common["place"], "an item of an unknown type")


def _by_the_provider(common: dict[str, Any], payload: Mapping[str, Any]) -> Iterator[Step]:
    tool = payload["type"].removesuffix("_call")
    call = text_of(payload.get("id")) or common["place"]
    args = json_object(payload.get("action"))
    yield Step(kind="tool.requested", tool=tool, call=call, args=args, **common)
    if payload.get("status") == "completed":
        yield Step(kind="tool.completed", tool=tool, call=call, **common)


def _message(common: dict[str, Any], payload: Mapping[str, Any]) -> Item:
    text, content = texts_of(payload.get("content")), payload.get("content")
    if not text:
        if isinstance(content, list) and content:
            return Passed(common["place"], "content without text")
        return Unread(common["place"], "a message without content")
    is_model = payload.get("role") == "assistant"
    return Step(kind="message.assistant" if is_model else "message.runtime", text=text, **common)


def _tool(payload: Mapping[str, Any]) -> str:
    """With the server's name in front, joined as for the model."""
    space, name = text_of(payload.get("namespace")), payload["name"]
    return f"{space.rstrip('_')}__{name.lstrip('_')}" if space else name


def _args(payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if payload["type"] == "custom_tool_call":
        return {"input": payload["input"]} if is_text(payload.get("input")) else None
    return json_object(payload.get("arguments"))


FORMAT: Final = Format(
    name="codex",
    title="a rollout of Codex",
    version="0.46 and later; from the code that writes them",
    is_it=is_it,
    read=read,
)
