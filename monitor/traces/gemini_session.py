"""Sessions of Gemini CLI: one document, or a head and one message a line.

| in the session | event |
|---|---|
| `sessionId` with `projectHash` | the session; with `kind: subagent` its prompt is not the user's |
| message `user` | `message.user`; `message.runtime` if the program wrote it |
| message `gemini` | `message.assistant` |
| `toolCalls[]` | `tool.requested` |
| their `status` `success` | `tool.completed`; `error`, `cancelled`: `tool.failed` |

A call has one time, that of its outcome; the request has it as well. A message is written again
when something is added to it: the same text under the same `id` is a double. Copies of the whole
history (`$set`) are passed over: there the program also shortens results and puts summaries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import mapping_of, text_of, texts_of
from monitor.traces.model import ABSENT, Document, Format, Item, Named, Passed, Step, Unread
from monitor.traces.times import from_text

_KINDS: Final = {"user": "message.user", "gemini": "message.assistant"}
_SILENT: Final = ("info", "error", "warning")
_MADE_BY_THE_RUNTIME: Final = ("<state_snapshot", "<session_context", "<system-reminder")
_FAILED: Final = ("error", "cancelled")


def is_it(value: Any) -> bool:
    """By the head that only this program writes."""
    fields = mapping_of(value)
    return bool(text_of(fields.get("sessionId"))) and "projectHash" in fields


def read(document: Document) -> Iterable[Item]:
    """The events of a session, or of one line."""
    place, fields = document.place, mapping_of(document.value)
    if is_it(fields):
        yield Named(place, fields["sessionId"], has_parent=fields.get("kind") == "subagent")
        messages = fields.get("messages")
        for number, message in enumerate(messages if isinstance(messages, list) else [], 1):
            yield from _message(f"{place}, message {number}", mapping_of(message))
    elif "$set" in fields:
        yield Passed(place, "a change of the head, or a copy of the history")
    elif "$rewindTo" in fields:
        yield Passed(place, "a rewind; the messages before it are kept")
    else:
        yield from _message(place, fields)


def _message(place: str, message: Mapping[str, Any]) -> Iterator[Item]:
    kind, text = text_of(message.get("type")), texts_of(message.get("content"))
    calls = message.get("toolCalls")
    found = calls if isinstance(calls, list) else []
    if kind in _KINDS and text:
        is_made = kind == "user" and text.startswith(_MADE_BY_THE_RUNTIME)
        yield Step(
            place=place,
            kind="message.runtime" if is_made else _KINDS[kind],
            text=text,
            message=text_of(message.get("id")),
            time_ns=from_text(message.get("timestamp")),
            agent="gemini-cli",
        )
    elif kind in _SILENT:
        yield Passed(place, "a notice on the screen")
    elif kind in _KINDS and not found and message.get("content") is not None:
        yield Passed(place, "content without text")
    elif kind not in _KINDS or not found:
        yield Unread(place, "a message of an unknown type, or without content")
    if kind == "gemini":
        for number, call in enumerate(found, 1):
            yield from _call(f"{place}, call {number}", mapping_of(call))


def _call(place: str, call: Mapping[str, Any]) -> Iterator[Item]:
    if not text_of(call.get("name")):
        yield Unread(place, "a call without the name of its tool")
        return
    given = call.get("args")
    common: dict[str, Any] = {
        "place": place,
        "time_ns": from_text(call.get("timestamp")),
        "agent": text_of(call.get("agentId")) or "gemini-cli",
        "tool": call["name"],
        "call": text_of(call.get("id")),
        "args": given if isinstance(given, dict) else None,
    }
    yield Step(kind="tool.requested", **common)
    status, result = call.get("status"), call.get("result", ABSENT)
    if status == "success":
        yield Step(kind="tool.completed", result=result, **common)
    elif status in _FAILED:
        yield Step(kind="tool.failed", error=_reason(result) or status, **common)


def _reason(result: Any) -> str:
    """The texts of the answers to the model."""
    parts = [mapping_of(part) for part in result] if isinstance(result, list) else []
    answers = [
        mapping_of(mapping_of(part.get("functionResponse")).get("response")) for part in parts
    ]
    told = (text_of(answer.get("error")) or text_of(answer.get("output")) for answer in answers)
    return "\n".join(filter(None, told))


FORMAT: Final = Format(
    name="gemini-cli",
    title="a session of Gemini CLI",
    version="documents and lines of 2026; from the code that writes them",
    is_it=is_it,
    read=read,
)
