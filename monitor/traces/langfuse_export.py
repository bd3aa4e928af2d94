"""Exports of Langfuse: traces with their `observations`, or observations alone.

| in the observation | event |
|---|---|
| `type: TOOL` | `tool.requested` at `startTime`; `id` is the call, `input` the arguments |
| its `output`, or `endTime` | `tool.completed` at `endTime` |
| its `level: ERROR` | `tool.failed` with `statusMessage` |

`sessionId` is the session, of the observation or of its trace; else the trace is. `userId` is the
user. Other observations are passed over, so that there are no messages. A client that writes calls
as spans, without the type, has told of no calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import is_text, json_object, mapping_of, text_of
from monitor.traces.model import ABSENT, Document, Format, Item, Passed, Step, Unread
from monitor.traces.times import from_text

_SILENT: Final = frozenset(
    {
        *("SPAN", "GENERATION", "EVENT", "AGENT", "CHAIN", "RETRIEVER", "EVALUATOR"),
        *("EMBEDDING", "GUARDRAIL"),
    }
)


def is_it(value: Any) -> bool:
    """A trace with observations, a page of them, or an observation."""
    fields = mapping_of(value)
    if isinstance(fields.get("data"), list) and isinstance(fields.get("meta"), dict):
        return any(is_it(one) for one in fields["data"][:1])
    if isinstance(fields.get("observations"), list):
        return {"id", "timestamp"} <= fields.keys()
    kind = text_of(fields.get("type"))
    return {"id", "traceId", "startTime"} <= fields.keys() and (kind == "TOOL" or kind in _SILENT)


def read(document: Document) -> Iterable[Item]:
    """The events of a trace, of a page, or of one observation."""
    return _read(document.place, mapping_of(document.value), is_page=True)


def _read(place: str, fields: Mapping[str, Any], *, is_page: bool) -> Iterator[Item]:
    if is_page and isinstance(fields.get("data"), list):
        for number, one in enumerate(fields["data"], 1):
            yield from _read(f"{place}, element {number}", mapping_of(one), is_page=False)
    elif isinstance(fields.get("observations"), list):
        trace = {"traceId": fields.get("id")}
        trace |= {name: fields.get(name) for name in ("sessionId", "userId")}
        yield Passed(place, "the head of a trace")
        for number, one in enumerate(fields["observations"], 1):
            told = {name: value for name, value in mapping_of(one).items() if value is not None}
            yield from _observation(f"{place}, observation {number}", {**trace, **told})
    else:
        yield from _observation(place, fields)


def _observation(place: str, one: Mapping[str, Any]) -> Iterator[Item]:
    kind = text_of(one.get("type"))
    if kind in _SILENT:
        yield Passed(place, f"an observation of type {kind}")
    elif kind == "TOOL" and is_text(one.get("name")) and one["name"]:
        yield from _tool(place, one)
    else:
        yield Unread(place, "an observation of an unknown type")


def _tool(place: str, one: Mapping[str, Any]) -> Iterator[Item]:
    common: dict[str, Any] = {
        "place": place,
        "session": text_of(one.get("sessionId")) or text_of(one.get("traceId")),
        "user": text_of(one.get("userId")),
        "tool": one["name"],
        "call": text_of(one.get("id")),
        "args": json_object(one.get("input")),
    }
    began_ns, ended_ns = from_text(one.get("startTime")), from_text(one.get("endTime"))
    yield Step(kind="tool.requested", time_ns=began_ns, **common)
    if one.get("level") == "ERROR":
        reason = text_of(one.get("statusMessage")) or "the tool reported an error"
        yield Step(kind="tool.failed", time_ns=ended_ns, error=reason, **common)
    elif one.get("output") is not None or ended_ns is not None:
        result = one.get("output", ABSENT)
        yield Step(kind="tool.completed", time_ns=ended_ns, result=result, **common)


FORMAT: Final = Format(
    name="langfuse",
    title="an export of Langfuse",
    version="the schemas of its client 3 and 4",
    is_it=is_it,
    read=read,
)
