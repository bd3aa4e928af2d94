"""Events of OpenHands: one document for each event, in a list or one a line.

| in the events | event |
|---|---|
| `action: message`, `MessageEvent` | `message.user`, `message.assistant`, by `source` |
| `action: finish` | `message.assistant` |
| `action: system`, `observation: recall`, `SystemPromptEvent` | `message.runtime` |
| any other `action`, `ActionEvent`, `ACPToolCallEvent` | `tool.requested` |
| `observation`, `ObservationEvent` | `tool.completed`, or `tool.failed` on `error` or `is_error` |
| `UserRejectObservation`, `AgentErrorEvent` | `tool.failed` |

Older events are named by `action` or `observation`, and an observation's `cause` is the `id` of its
action; those of the SDK are named by `kind`, and `tool_call_id` is the call. The events do not name
their session: the file's name does. A run's result names it (`instance_id`) and has them in a list.
Times have no zone, and are read as UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import is_text, json_object, mapping_of, text_of, texts_of
from monitor.traces.model import ABSENT, Document, Format, Item, Passed, Step, Unread
from monitor.traces.times import from_text

_ACTIONS_SILENT: Final = frozenset(
    {"null", "recall", "change_agent_state", "condensation", "condensation_request", "think"}
)
_SEEN_SILENT: Final = frozenset({"null", "agent_state_changed", "think", "condense", "success"})
_KINDS_SILENT: Final = frozenset(
    {
        *("Condensation", "CondensationRequest", "CondensationSummaryEvent", "TokenEvent"),
        *("ConversationStateUpdateEvent", "LLMCompletionLogEvent", "StreamingDeltaEvent"),
        *("PauseEvent", "InterruptEvent", "SecurityAnalysisEvent", "HookExecutionEvent"),
        "ConversationErrorEvent",
    }
)
_OUTCOMES: Final = frozenset({"ObservationEvent", "UserRejectObservation", "AgentErrorEvent"})


def is_it(value: Any) -> bool:
    """By the names of an action, an observation or a kind; also within an export of a run."""
    run = _of_a_run(mapping_of(value))
    return _is_event(run[0]) if run else _is_event(value)


def _of_a_run(fields: Mapping[str, Any]) -> list[Any]:
    """The events that an export or a result of an evaluation contains; an event contains none."""
    if _is_event(fields):
        return []
    found = (fields.get(name) for name in ("trajectory", "history", "events"))
    return next((events for events in found if isinstance(events, list) and events), [])


def _is_event(value: Any) -> bool:
    fields = mapping_of(value)
    names = fields.keys()
    if is_text(fields.get("action")) and isinstance(fields.get("args"), dict):
        return "source" in names
    if is_text(fields.get("observation")) and isinstance(fields.get("extras"), dict):
        return "content" in names
    is_kind = text_of(fields.get("kind")).endswith(("Event", "Observation"))
    return is_kind and {"id", "timestamp", "source"} <= names


def read(document: Document) -> Iterable[Item]:
    """The events of one event, or of all events of a run."""
    place, fields = document.place, mapping_of(document.value)
    run = _of_a_run(fields)
    if not run:
        yield from _event(place, "", fields)
    for number, event in enumerate(run, 1):
        session = text_of(fields.get("instance_id"))
        yield from _event(f"{place}, event {number}", session, mapping_of(event))


def _event(place: str, session: str, fields: Mapping[str, Any]) -> Iterable[Item]:
    common = {
        "place": place,
        "session": session,
        "time_ns": from_text(fields.get("timestamp")),
        "agent": "openhands",
        "attributes": {"source": fields["source"]} if is_text(fields.get("source")) else {},
    }
    if is_text(fields.get("action")):
        return _action(common, fields)
    if is_text(fields.get("observation")):
        return [_seen(common, fields)]
    if is_text(fields.get("kind")):
        return _of_the_sdk(common, fields)
    return [Unread(place, "an event of an unknown type")]


def _id(value: Any) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text_of(value)


def _action(common: dict[str, Any], fields: Mapping[str, Any]) -> Iterator[Item]:
    name, args = fields["action"], mapping_of(fields.get("args"))
    if name in _ACTIONS_SILENT:
        yield Passed(common["place"], f"action {name}")
    elif name in ("message", "system"):
        said_by = "runtime" if name == "system" else fields.get("source")
        yield _message(common, said_by, text_of(args.get("content")))
    elif name == "finish":
        final = text_of(args.get("final_thought")) or text_of(fields.get("message"))
        yield _message(common, "agent", final or "finish")
    else:
        given = fields.get("args") if isinstance(fields.get("args"), dict) else None
        if name == "call_tool_mcp" and text_of(args.get("name")):
            name, given = args["name"], json_object(args.get("arguments"))
        call = _id(fields.get("id"))
        yield Step(kind="tool.requested", tool=name, call=call, args=given, **common)


def _message(common: dict[str, Any], said_by: Any, text: str) -> Item:
    if not text:
        return Unread(common["place"], "a message without a text")
    kinds = {"user": "message.user", "agent": "message.assistant"}
    return Step(kind=kinds.get(text_of(said_by), "message.runtime"), text=text, **common)


def _seen(common: dict[str, Any], fields: Mapping[str, Any]) -> Item:
    name, content = fields["observation"], fields.get("content", ABSENT)
    call = _id(fields.get("cause"))
    if name in _SEEN_SILENT:
        return Passed(common["place"], f"observation {name}")
    if name == "recall" or (name == "error" and not call):
        text = text_of(content)
        if not text:
            return Passed(common["place"], "an observation without a text")
        return Step(kind="message.runtime", text=text, **common)
    if name in ("error", "user_rejected") or fields.get("success") is False:
        return Step(kind="tool.failed", call=call, error=text_of(content) or name, **common)
    return Step(kind="tool.completed", call=call, result=content, **common)


def _of_the_sdk(common: dict[str, Any], fields: Mapping[str, Any]) -> Iterator[Item]:
    kind, call = fields["kind"], text_of(fields.get("tool_call_id"))
    tool = text_of(fields.get("tool_name"))
    if kind == "MessageEvent":
        message = mapping_of(fields.get("llm_message"))
        yield _message(common, fields.get("source"), texts_of(message.get("content")))
    elif kind == "SystemPromptEvent":
        prompt = mapping_of(fields.get("system_prompt"))
        yield _message(common, "runtime", text_of(prompt.get("text")))
    elif kind == "ActionEvent" and tool:
        args = _args_of_the_sdk(fields)
        yield Step(kind="tool.requested", tool=tool, call=call, args=args, **common)
    elif kind == "ACPToolCallEvent" and text_of(fields.get("title")):
        yield from _acp(common, fields, call)
    elif kind in _OUTCOMES and tool:
        yield _outcome_of_the_sdk(common, fields, tool, call)
    elif kind in _KINDS_SILENT:
        yield Passed(common["place"], kind)
    else:
        yield Unread(common["place"], "an event of an unknown kind")


def _args_of_the_sdk(fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    action = fields.get("action")
    if isinstance(action, dict):
        return {key: value for key, value in action.items() if key != "kind"}
    return json_object(mapping_of(fields.get("tool_call")).get("arguments"))


def _outcome_of_the_sdk(
    common: dict[str, Any], fields: Mapping[str, Any], tool: str, call: str
) -> Step:
    seen = mapping_of(fields.get("observation"))
    told = {"tool": tool, "call": call, **common}
    if fields["kind"] == "ObservationEvent" and not seen.get("is_error"):
        return Step(kind="tool.completed", result=fields.get("observation", ABSENT), **told)
    reason = text_of(fields.get("error")) or text_of(fields.get("rejection_reason"))
    reason = reason or texts_of(seen.get("content")) or "the tool reported an error"
    return Step(kind="tool.failed", error=reason, **told)


def _acp(common: dict[str, Any], fields: Mapping[str, Any], call: str) -> Iterator[Step]:
    """A call of a server that speaks ACP: the request, and the outcome once there is one."""
    told = {"tool": fields["title"], "call": call, **common}
    yield Step(kind="tool.requested", args=json_object(fields.get("raw_input")), **told)
    if fields.get("is_error") or fields.get("status") == "failed":
        reason = text_of(fields.get("raw_output")) or "the tool reported an error"
        yield Step(kind="tool.failed", error=reason, **told)
    elif fields.get("status") == "completed":
        yield Step(kind="tool.completed", result=fields.get("raw_output", ABSENT), **told)


FORMAT: Final = Format(
    name="openhands",
    title="events of OpenHands",
    version="events of its server up to 0.6x, and of its SDK 1.58; from the code that writes them",
    is_it=is_it,
    read=read,
)
