"""Inputs of Claude Code's hooks, as a hook that logs them writes them: one JSON object each.

| `hook_event_name` | event |
|---|---|
| `PreToolUse` | `tool.requested`; `tool_use_id` is the call |
| `PostToolUse` | `tool.completed` with `tool_response` |
| `PostToolUseFailure`, `PermissionDenied` | `tool.failed` |
| `UserPromptSubmit` | `message.user`; `message.runtime` if a person did not write it |
| `Stop`, `SubagentStop` | `message.assistant`, if the answer is there |

An input has no time; `timestamp` is read in case the log adds one. `session_id` is the session; a
subagent (`agent_id`) is a session of its own, as in the transcripts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from monitor.traces.claude_transcript import is_made_by_the_runtime
from monitor.traces.fields import is_text, mapping_of, text_of
from monitor.traces.model import ABSENT, Document, Format, Item, Passed, Step, Unread
from monitor.traces.times import from_text

_SILENT: Final = frozenset(
    {
        *("SessionStart", "SessionEnd", "Notification", "PreCompact", "PostCompact", "Setup"),
        *("PermissionRequest", "PostToolBatch", "SubagentStart", "StopFailure", "ConfigChange"),
        *("TeammateIdle", "TaskCreated", "TaskCompleted", "InstructionsLoaded", "CwdChanged"),
        *("FileChanged", "WorktreeCreate", "WorktreeRemove", "Elicitation", "ElicitationResult"),
    }
)
_PERSONS: Final = ("", "user", "sdk")
"""Sources of prompts that a person, or a program of theirs, wrote; older releases tell none."""
_FAILED: Final = ("PostToolUseFailure", "PermissionDenied")


def is_it(value: Any) -> bool:
    """By the name that each input has."""
    fields = mapping_of(value)
    return is_text(fields.get("hook_event_name")) and is_text(fields.get("session_id"))


def read(document: Document) -> Iterable[Item]:
    """The event of one input."""
    place, fields = document.place, mapping_of(document.value)
    name, common = text_of(fields.get("hook_event_name")), _common(place, fields)
    match name:
        case "PreToolUse" | "PostToolUse" | "PostToolUseFailure" | "PermissionDenied":
            return [_call(name, common, fields)]
        case "UserPromptSubmit" if is_text(fields.get("prompt")):
            return [_prompt(common, fields)]
        case "Stop" | "SubagentStop":
            text = text_of(fields.get("last_assistant_message"))
            if not text:
                return [Passed(place, f"hook {name}, without an answer")]
            return [Step(kind="message.assistant", text=text, **common)]
        case other if other in _SILENT:
            return [Passed(place, f"hook {other}")]
    return [Unread(place, "an input of an unknown hook")]


def _common(place: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    session, agent = text_of(fields.get("session_id")), text_of(fields.get("agent_id"))
    cwd = text_of(fields.get("cwd"))
    return {
        "place": place,
        "session": f"{session}.{agent}" if agent else session,
        "parent": session if agent else "",
        "time_ns": from_text(fields.get("timestamp")),
        "agent": text_of(fields.get("agent_type")) or "claude-code",
        "attributes": {"cwd": cwd} if cwd else {},
    }


def _call(name: str, common: dict[str, Any], fields: Mapping[str, Any]) -> Item:
    if not text_of(fields.get("tool_name")):
        return Unread(common["place"], "a call without the name of its tool")
    given = fields.get("tool_input")
    told = {
        "tool": fields["tool_name"],
        "call": text_of(fields.get("tool_use_id")),
        "args": given if isinstance(given, dict) else None,
        **common,
    }
    if name == "PreToolUse":
        return Step(kind="tool.requested", **told)
    if name in _FAILED:
        reason = text_of(fields.get("error")) or text_of(fields.get("reason"))
        return Step(kind="tool.failed", error=reason or "the tool reported an error", **told)
    return Step(kind="tool.completed", result=fields.get("tool_response", ABSENT), **told)


def _prompt(common: dict[str, Any], fields: Mapping[str, Any]) -> Step:
    is_persons = text_of(fields.get("source")) in _PERSONS
    is_made = not is_persons or is_made_by_the_runtime(fields["prompt"])
    kind = "message.runtime" if is_made else "message.user"
    return Step(kind=kind, text=fields["prompt"], **common)


FORMAT: Final = Format(
    name="claude-code-hooks",
    title="inputs of Claude Code's hooks",
    version="2.1; from the schemas of its releases",
    is_it=is_it,
    read=read,
)
