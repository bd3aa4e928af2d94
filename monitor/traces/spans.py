"""Spans of OpenTelemetry as steps, whatever file they came in.

    SpanRecord -> items: the request and the outcome of a tool, messages, or a span passed over

`CONVENTIONS` is the table of what each convention calls a thing. A new name is a new word there.

| span | events |
|---|---|
| of a tool | `tool.requested` at its start; `tool.completed` or `tool.failed` at its end |
| of a model or an agent, with its messages | `message.user`, `message.assistant`, and calls and \
results in these messages |
| any other | passed over |

A span without an end has no outcome. Arguments that are not an object are an attribute of the
event, `arguments`, and the event has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from monitor.traces.fields import json_of, text_of
from monitor.traces.messages import message_items
from monitor.traces.model import ABSENT, Item, Passed, Span, Step, Unread


@dataclass(frozen=True, slots=True)
class Convention:
    """How spans of tools look, and where they tell what: the first name that is there counts.

    `mark`: an attribute, and its value at spans of tools. `titles`: what the name of such a span
    begins with, before the name of the tool. `is_encoded`: every result is written as JSON.
    """

    title: str
    mark: str
    value: str
    tool: tuple[str, ...]
    call: tuple[str, ...]
    args: tuple[str, ...]
    result: tuple[str, ...]
    titles: tuple[str, ...] = ()
    is_carrier: bool = False
    is_encoded: bool = False


_GENAI_CALL: Final = ("gen_ai.tool.call.id",)
_GENAI_ARGS: Final = ("gen_ai.tool.call.arguments", "gen_ai.tool.arguments")
_GENAI_RESULT: Final = ("gen_ai.tool.call.result", "gen_ai.tool.result")

CONVENTIONS: Final = (
    # Before GenAI: a span of MCP has the marks of both, and carries the call of a span around it.
    Convention(
        title="MCP; semantic conventions for GenAI 0.1, SDK of Python 2.3",
        mark="mcp.method.name",
        value="tools/call",
        tool=("gen_ai.tool.name", "mcp.tool.name"),
        call=_GENAI_CALL,
        args=_GENAI_ARGS,
        result=_GENAI_RESULT,
        titles=("tools/call ", "MCP send tools/call "),
        is_carrier=True,
    ),
    Convention(
        title="GenAI; semantic conventions 1.30 to 1.38, and GenAI 0.1",
        mark="gen_ai.operation.name",
        value="execute_tool",
        tool=("gen_ai.tool.name",),
        call=_GENAI_CALL,
        args=_GENAI_ARGS,
        result=_GENAI_RESULT,
        titles=("execute_tool ",),
    ),
    Convention(
        title="OpenInference 0.1",
        mark="openinference.span.kind",
        value="TOOL",
        tool=("tool.name",),
        call=("tool_call.id", "tool.id"),
        # `tool.parameters` is the schema of the arguments.
        args=("input.value",),
        result=("output.value",),
    ),
    Convention(
        title="Vercel AI SDK 4 to 6",
        mark="ai.operationId",
        value="ai.toolCall",
        tool=("ai.toolCall.name",),
        call=("ai.toolCall.id",),
        args=("ai.toolCall.args", "ai.toolCall.input"),
        result=("ai.toolCall.result", "ai.toolCall.output"),
        is_encoded=True,
    ),
)
_CONVERSATION: Final = ("gen_ai.conversation.id",)
_CONNECTION: Final = ("mcp.session.id",)
_SESSION: Final = ("session.id", "ai.telemetry.metadata.sessionId")
_USER: Final = ("user.id", "enduser.id", "ai.telemetry.metadata.userId")
_AGENT: Final = ("gen_ai.agent.name", "agent.name", "service.name")
_UNKNOWN_SERVICE: Final = "unknown_service"
"""Written by an SDK of OpenTelemetry if nobody named the service."""
_ERROR: Final = ("exception.message", "error.message", "error.type", "exception.type")

_OPERATIONS: Final = ("gen_ai.operation.name", "openinference.span.kind", "ai.operationId")
_AGENTS: Final = frozenset({"invoke_agent", "AGENT"})
_MODELS: Final = frozenset(
    {
        *("chat", "text_completion", "generate_content", "LLM"),
        *("ai.generateText.doGenerate", "ai.streamText.doStream"),
    }
)
_UNREAD_TOOLS: Final = (("traceloop.span.kind", "tool"),)
"""Spans of tools in conventions that no row is about."""


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A span as any format tells it. Times are None if they are not told; `status` is one of
    `STATUSES`. `resource`: the attributes of what wrote it. `notes`: those of its exceptions.
    `has_messages_as_events`: an older convention, which is not read.
    """

    place: str
    trace: str
    id: str
    parent: str
    name: str
    start_ns: int | None
    end_ns: int | None
    status: str
    status_text: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[Mapping[str, Any], ...] = ()
    has_messages_as_events: bool = False


STATUSES: Final = ("", "ok", "error")


def items_of(span: SpanRecord) -> Iterator[Item]:
    """All that a span tells; at least one item, which places it in its trace."""
    convention = next((one for one in CONVENTIONS if _is_of(span, one)), None)
    if convention is not None:
        yield from _call(span, convention)
        return
    if any(span.attributes.get(name) == value for name, value in _UNREAD_TOOLS):
        yield Unread(span.place, "a span of a tool in a convention that is not read")
        return
    if span.has_messages_as_events:
        yield Unread(span.place, "messages as events of a span")
    operation = _text(span.attributes, _OPERATIONS)
    where = _where(span, operation)
    messages = list(
        message_items(span.place, span.attributes, span.start_ns, span.end_ns, _common(span, where))
    )
    yield from messages
    if not any(isinstance(one, Step) for one in messages):
        yield Passed(span.place, _title(operation), where)


def _title(operation: str) -> str:
    if operation in _AGENTS:
        return "a span of an agent"
    return "a span of a model" if operation in _MODELS else "another span"


def _is_of(span: SpanRecord, convention: Convention) -> bool:
    return bool(span.attributes.get(convention.mark) == convention.value)


def _call(span: SpanRecord, convention: Convention) -> Iterator[Item]:
    common = _common(span, _where(span, "", convention.is_carrier))
    told = _first(span.attributes, convention.args)
    asked, attributes = _arguments(told, common["attributes"])
    call = _text(span.attributes, convention.call)
    parts = {**common, "attributes": attributes, "tool": _tool(span, convention), "call": call}
    yield Step(place=span.place, kind="tool.requested", time_ns=span.start_ns, args=asked, **parts)
    if span.end_ns is None:
        return
    result = _first(span.attributes, convention.result, ABSENT)
    outcome = {**parts, "time_ns": span.end_ns, "args": asked}
    if span.status == "error" or "error.type" in span.attributes:
        yield Step(place=span.place, kind="tool.failed", error=_error(span), **outcome)
    elif span.status in STATUSES:
        result = _result(result, convention.is_encoded)
        yield Step(place=span.place, kind="tool.completed", result=result, **outcome)
    else:
        yield Unread(span.place, "a status that no span has; the outcome is not known")


def _arguments(
    told: Any, attributes: Mapping[str, Any]
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any]]:
    """The arguments, if they are an object, also as a JSON text; else a note of what they are."""
    value = json_of(told)
    if isinstance(value, dict):
        return value, attributes
    if value is None or value == "":
        return None, attributes
    return None, {**attributes, "arguments": told}


def _result(told: Any, is_encoded: bool) -> Any:
    """A list or an object is often written as JSON; a text that only looks like a number is not."""
    value = json_of(told)
    return value if is_encoded or isinstance(value, dict | list) else told


def _tool(span: SpanRecord, convention: Convention) -> str:
    named = _text(span.attributes, convention.tool)
    titles = (span.name.removeprefix(one) for one in convention.titles if span.name.startswith(one))
    return named or next(titles, "")


def _error(span: SpanRecord) -> str:
    """The reason, from the most to the least telling; never empty."""
    noted = [_text(one, _ERROR) for one in (*span.notes, span.attributes)]
    return next(filter(None, [span.status_text, *noted]), "the span ended with an error")


def _where(span: SpanRecord, operation: str, is_carrier: bool = False) -> Span:
    """The names of sessions in their order: a conversation's, a connection's, any, the trace's.

    A connection's is weaker than a conversation that is named around the span.
    """
    own = _text(span.attributes, _CONVERSATION)
    connection = _text(span.attributes, _CONNECTION)
    other = "" if connection else _text(span.attributes, _SESSION)
    return Span(
        id=f"{span.trace}/{span.id}",
        within=f"{span.trace}/{span.parent}" if span.parent else "",
        trace=span.trace,
        session=own or other,
        connection=connection or span.trace,
        is_carrier=is_carrier,
        is_agent=operation in _AGENTS,
    )


def _common(span: SpanRecord, where: Span) -> dict[str, Any]:
    agent = _text({**span.resource, **span.attributes}, _AGENT)
    return {
        "session": where.session,
        "agent": "" if agent.startswith(_UNKNOWN_SERVICE) else agent,
        "user": _text(span.attributes, _USER),
        "attributes": {"trace_id": span.trace, "span_id": span.id},
        "span": where,
    }


def _first(attributes: Mapping[str, Any], names: tuple[str, ...], default: Any = None) -> Any:
    return next((attributes[name] for name in names if name in attributes), default)


def _text(attributes: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next(filter(None, (text_of(attributes.get(name)) for name in names)), "")
