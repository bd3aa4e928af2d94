"""Spans as the console exporter of OpenTelemetry's SDK for Python prints them: one JSON document
after another, over several lines.

`monitor/traces/spans.py` says what a span becomes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from monitor.traces.fields import mapping_of, text_of
from monitor.traces.model import Document, Format, Item, Unread
from monitor.traces.spans import SpanRecord, items_of
from monitor.traces.times import from_text

_STATUSES: Final[Mapping[str, str]] = {"UNSET": "", "OK": "ok", "ERROR": "error"}
_UNKNOWN_STATUS: Final = "?"


def is_it(value: Any) -> bool:
    """By the ids of a span, and its name."""
    fields = mapping_of(value)
    return {"trace_id", "span_id"} <= mapping_of(fields.get("context")).keys() and "name" in fields


def read(document: Document) -> Iterable[Item]:
    """All that one span tells."""
    place, fields = document.place, mapping_of(document.value)
    context, status = mapping_of(fields.get("context")), mapping_of(fields.get("status"))
    trace, id_ = text_of(context.get("trace_id")), text_of(context.get("span_id"))
    attributes, listed = fields.get("attributes"), fields.get("events")
    if not trace or not id_ or not isinstance(attributes, dict | None):
        return [Unread(place, "a span without ids, or with attributes that are not an object")]
    events = [mapping_of(one) for one in listed] if isinstance(listed, list) else []
    return items_of(
        SpanRecord(
            place=place,
            trace=trace.removeprefix("0x"),
            id=id_.removeprefix("0x"),
            parent=text_of(fields.get("parent_id")).removeprefix("0x"),
            name=text_of(fields.get("name")),
            start_ns=from_text(fields.get("start_time")),
            end_ns=from_text(fields.get("end_time")),
            status=_STATUSES.get(text_of(status.get("status_code", "UNSET")), _UNKNOWN_STATUS),
            status_text=text_of(status.get("description")),
            attributes=attributes or {},
            resource=mapping_of(mapping_of(fields.get("resource")).get("attributes")),
            notes=tuple(
                mapping_of(one.get("attributes"))
                for one in events
                if one.get("name") == "exception"
            ),
            has_messages_as_events=any(
                text_of(one.get("name")).startswith("gen_ai.") for one in events
            ),
        )
    )


FORMAT: Final = Format(
    name="otel-console",
    title="spans of OpenTelemetry, as its console exporter prints them",
    version="met live: SDK of Python 1.45",
    is_it=is_it,
    read=read,
)
