"""Runs of AgentDojo: one document for each task.

| in the run | event |
|---|---|
| `messages[]`: `user` | `message.user` |
| `system` | `message.runtime` |
| `assistant`: `content` | `message.assistant` |
| `assistant`: `tool_calls[]` | `tool.requested` |
| `tool` | `tool.completed`, or `tool.failed` if there is an `error` |

The session is made of the names of pipeline, suite, task, attack and injection, which name the file
as well. There are no times. A model without ids of calls has none: then an outcome has the tool and
the arguments that it names itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import mapping_of, text_of, texts_of
from monitor.traces.model import ABSENT, Document, Format, Item, Passed, Step, Unread

_KINDS: Final = {
    "user": "message.user",
    "system": "message.runtime",
    "assistant": "message.assistant",
}
_NAMES: Final = (
    "pipeline_name",
    "suite_name",
    "user_task_id",
    "attack_type",
    "injection_task_id",
)


def is_it(value: Any) -> bool:
    """By the names of the suite and the task."""
    fields = mapping_of(value)
    names = {"suite_name", "user_task_id"} <= fields.keys()
    return names and isinstance(fields.get("messages"), list)


def read(document: Document) -> Iterable[Item]:
    """All messages of a run."""
    place, fields = document.place, mapping_of(document.value)
    messages = fields.get("messages")
    session = ".".join(filter(None, (text_of(fields.get(name)) for name in _NAMES)))
    yield Passed(place, "the head of a run")
    if not isinstance(messages, list):
        yield Unread(place, "a run without messages")
        return
    for number, message in enumerate(messages, 1):
        common = {"place": f"{place}, message {number}", "session": session}
        yield from _message(common, mapping_of(message))


def _message(common: dict[str, Any], message: Mapping[str, Any]) -> Iterator[Item]:
    role = text_of(message.get("role"))
    if role == "tool":
        yield _outcome(common, message)
        return
    text, calls = _text(message.get("content")), message.get("tool_calls")
    found = calls if isinstance(calls, list) else []
    if role not in _KINDS:
        yield Unread(common["place"], "a message of an unknown role")
        return
    if text:
        yield Step(kind=_KINDS[role], text=text, **common)
    elif not found:
        yield Passed(common["place"], "a message without text")
    for call in found:
        told = _call(mapping_of(call))
        if told["tool"]:
            yield Step(kind="tool.requested", **told, **common)
        else:
            yield Unread(common["place"], "a call without the name of its tool")


def _outcome(common: dict[str, Any], message: Mapping[str, Any]) -> Step:
    told = _call(mapping_of(message.get("tool_call")))
    told["call"] = text_of(message.get("tool_call_id")) or told["call"]
    if text_of(message.get("error")):
        return Step(kind="tool.failed", error=message["error"], **told, **common)
    content = message.get("content", ABSENT)
    result = _text(content) if isinstance(content, list) else content
    return Step(kind="tool.completed", result=result, **told, **common)


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    args = call.get("args")
    return {
        "tool": text_of(call.get("function")),
        "call": text_of(call.get("id")),
        "args": args if isinstance(args, dict) else None,
    }


def _text(content: Any) -> str:
    """A text, or the texts of blocks, each under `content`."""
    if not isinstance(content, list):
        return texts_of(content)
    blocks = [mapping_of(block) for block in content]
    texts = (text_of(block.get("content")) for block in blocks if block.get("type") == "text")
    return "\n".join(filter(None, texts))


FORMAT: Final = Format(
    name="agentdojo",
    title="a run of AgentDojo",
    version="0.1.35; from the code that writes it",
    is_it=is_it,
    read=read,
)
