"""Transcripts of Claude Code: one JSON object a line.

| in the transcript | event |
|---|---|
| `user` with text, not `isMeta` | `message.user`; `message.runtime` if a person did not write it |
| `assistant`: `text` | `message.assistant` |
| `assistant`: `tool_use` | `tool.requested`; `id` is the call |
| `attachment` that the model was shown | `message.runtime` |
| `user`: `tool_result` | `tool.completed`, or `tool.failed` if `is_error` |

`sessionId` is the session; a subagent (`isSidechain` with `agentId`) is a session of its own, and
the other one its parent. `timestamp` is the time. Summaries, snapshots and thoughts are passed
over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import is_text, mapping_of, text_of, texts_of
from monitor.traces.model import Document, Format, Item, Passed, Step, Unread
from monitor.traces.times import from_text

_SILENT: Final = frozenset(
    {
        *("summary", "last-prompt", "custom-title", "ai-title", "agent-name", "agent-color", "tag"),
        *("file-history-snapshot", "queue-operation", "system", "progress", "mode", "pr-link"),
        *("api-request", "api-request-blob", "api-request-shape", "tools-used", "cost-state"),
        *("atis-latch", "worktree-state", "permission-mode"),
    }
)
"""Lines about the transcript itself, and copies of what other lines tell."""
_MADE_BY_THE_RUNTIME: Final = (
    "<local-command-",
    "<command-",
    "<bash-",
    "<system-reminder>",
)
_NOTICE: Final = "<task-notification>"
"""With what a subagent wrote, also behind a text: a gate reads prompts the same way."""
_BLOCKS_PASSED: Final = frozenset({"thinking", "redacted_thinking", "image", "document"})


def is_it(value: Any) -> bool:
    """By the ids that only this program writes."""
    fields = mapping_of(value)
    return is_text(fields.get("sessionId")) and bool({"uuid", "parentUuid"} & fields.keys())


def read(document: Document) -> Iterable[Item]:
    """The events of one line."""
    place, fields = document.place, mapping_of(document.value)
    kind = text_of(fields.get("type"))
    if kind in _SILENT or fields.get("isMeta") or fields.get("isCompactSummary"):
        return [Passed(place, kind if kind in _SILENT else "a message of the runtime")]
    if kind == "attachment":
        return [_attached(place, fields)]
    if kind not in ("user", "assistant"):
        return [Unread(place, "a line of an unknown type")]
    return _message(place, fields, mapping_of(fields.get("message")))


def _message(place: str, fields: Mapping[str, Any], message: Mapping[str, Any]) -> Iterator[Item]:
    said_by = "user" if fields["type"] == "user" else "assistant"
    common = _common(fields)
    content = message.get("content")
    blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
    for number, block in enumerate(blocks, 1):
        at = f"{place}, block {number}" if isinstance(content, list) else place
        yield _block(at, said_by, common, mapping_of(block))


def _attached(place: str, fields: Mapping[str, Any]) -> Item:
    """Put beside a prompt by the runtime: files that the user named, notices, lists of tools."""
    text = "\n".join(texts_of(one.get("content")) for one in _rendered(fields))
    if not text:
        return Passed(place, "an attachment that the model was not shown")
    return Step(place=place, kind="message.runtime", text=text, **_common(fields))


def _rendered(fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    shown = fields.get("rendered")
    return [mapping_of(one) for one in shown] if isinstance(shown, list) else []


def _common(fields: Mapping[str, Any]) -> dict[str, Any]:
    session, agent = text_of(fields.get("sessionId")), text_of(fields.get("agentId"))
    is_sub = bool(fields.get("isSidechain") and agent)
    cwd = text_of(fields.get("cwd"))
    return {
        "session": f"{session}.{agent}" if is_sub else session,
        "parent": session if is_sub else "",
        "time_ns": from_text(fields.get("timestamp")),
        "agent": "claude-code",
        "attributes": {"cwd": cwd} if cwd else {},
    }


def _block(place: str, said_by: str, common: dict[str, Any], block: Mapping[str, Any]) -> Item:
    match block.get("type"):
        case "text" if is_text(block.get("text")):
            kind = _message_kind(said_by, common, block["text"])
            return Step(place=place, kind=kind, text=block["text"], **common)
        case "tool_use" if is_text(block.get("name")) and isinstance(block.get("input"), dict):
            call = text_of(block.get("id"))
            asked = {"tool": block["name"], "call": call, "args": block["input"]}
            return Step(place=place, kind="tool.requested", **asked, **common)
        case "tool_result":
            return _outcome(place, common, block)
        case str() as other if other in _BLOCKS_PASSED:
            return Passed(place, f"content of type {other}")
    return Unread(place, "content of an unknown type")


def is_made_by_the_runtime(text: str) -> bool:
    """True for the marks of notices and of what local commands wrote, in place of a prompt."""
    return text.lstrip().startswith(_MADE_BY_THE_RUNTIME) or _NOTICE in text


def _message_kind(said_by: str, common: Mapping[str, Any], text: str) -> str:
    """The prompt of a subagent and a notice of the runtime are not the user's word."""
    is_made = common["parent"] or is_made_by_the_runtime(text)
    return "message.runtime" if said_by == "user" and is_made else f"message.{said_by}"


def _outcome(place: str, common: dict[str, Any], block: Mapping[str, Any]) -> Step:
    call, content = text_of(block.get("tool_use_id")), block.get("content")
    if block.get("is_error"):
        text = texts_of(content) or "the tool reported an error"
        return Step(place=place, kind="tool.failed", call=call, error=text, **common)
    return Step(place=place, kind="tool.completed", call=call, result=content, **common)


FORMAT: Final = Format(
    name="claude-code",
    title="a transcript of Claude Code",
    version="2.1; files of several releases",
    is_it=is_it,
    read=read,
)
